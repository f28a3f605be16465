/* Backups by this node: the answer to GET /v1/snapshot, and the files of gwd.yaml's
 * `backup`. Control thread; the state is read and written out on the pool. */
#ifndef GW_NODE_BACKUP_H
#define GW_NODE_BACKUP_H

#include "node/control/room.h"

#define BACKUP_STREAMS_MAX 4     /* answers under way; more are refused */
#define BACKUP_STALL_MS    60000 /* an answer whose client takes nothing for so long ends */
#define BACKUP_SIZE_MAX    (512u << 20)

/* One writing out of the state. */
struct backup_write {
    struct job job;
    struct env *env; /* borrowed */
    char cluster_id[40], cluster_name[64];
    char node[64], region[64], zone[64];
    char peer[NODE_ADDRESS_LIMIT + 1], admin[NODE_ADDRESS_LIMIT + 1];
    uint64_t made_ms;
    int fd; /* where to; open */
    /* What came of it. */
    uint64_t size, revision;
    enum result result;
    struct error err;
};

/* Fills what is written about this node; `fd` is the caller's to set. */
void backup_write_init(struct backup_write *write, const struct control *control);
/* Pool: writes and syncs. */
void backup_write_run(struct backup_write *write);

#endif
