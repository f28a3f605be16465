/* A backup: the file that `gwctl snapshot save` and the schedule write.
 *
 *   "gwbackup"
 *   head     {format, when, cluster, who wrote it, size and checksum of the dump}
 *   8 bytes  checksum of all before
 *   dump     store/dump.h
 *
 * The head stands before the dump so that a file cut short says by how much, and
 * is read without its dump. Checksums show damage, they do not prove an origin:
 * who may write the file may write any state into it. Secrets in it are sealed.
 * Pure; any thread. */
#ifndef GW_STORE_BACKUP_H
#define GW_STORE_BACKUP_H

#include "base/error.h"
#include "store/dump.h"

#define BACKUP_FORMAT 1

struct backup_about {
    uint64_t made_ms; /* wall */
    struct slice cluster_id, cluster_name;
    struct slice node, region, zone, peer, admin; /* who wrote it */
    struct slice version;                         /* of the program */
};

struct backup { /* slices borrow from the file */
    struct backup_about about;
    struct dump_header header;
    struct slice dump;
    uint64_t checksum; /* of the dump */
};

/* What stands before `dump`. False when a text is too long, or there is no memory. */
bool backup_head(struct buffer *out, const struct backup_about *about, struct slice dump);
/* Checks every byte. GW_MALFORMED: no backup at all; GW_DAMAGED, GW_NEWER; each with a
 * sentence that goes on from the file's name: "is cut short: …". */
enum result backup_check(struct slice file, struct backup *ret_backup, struct error *err);

#endif
