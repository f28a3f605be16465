/* The history: one entry for each configuration change, what it did to each
 * key. Kept for the last 1,000 entries or 64 MiB, whichever is less; what fell
 * out is "compacted". Tombstones live here only. */
#ifndef GW_STORE_HISTORY_H
#define GW_STORE_HISTORY_H

#include "store/env.h"
#include "store/unpack.h"

#define HISTORY_LIMIT       1000
#define HISTORY_BYTES_LIMIT (64ull << 20)
#define HISTORY_MESSAGE     1024 /* bytes of a message, at most */

enum history_action { HISTORY_CREATED = 1, HISTORY_CHANGED = 2, HISTORY_DELETED = 3 };

/* Old values only: the new one is the next change's old one, or the record. */
struct history_item {
    struct slice key;
    enum history_action action;
    uint64_t old_mod_revision;
    struct slice old_value;       /* empty when created */
    uint64_t old_create_revision; /* 0: written before it was kept */
};

struct history_header {
    uint64_t stamp_ms, wall_ms;
    struct slice actor;
    uint32_t item_count;
    struct slice message; /* why, in the words of whoever changed it; may be empty */
};

/* As the stored format (store/format.h) has them; both must go by the same. */
void history_pack_header(struct buffer *out, uint64_t format,
                         const struct history_header *header);
void history_pack_item(struct buffer *out, uint64_t format,
                       const struct history_item *item);
/* Reads the header, then item_count times an item; both borrow from `packed`. */
bool history_entry_open(struct slice packed, struct unpack *ret_in,
                        struct history_header *ret_header);
bool history_entry_next(struct unpack *in, struct history_item *ret_item);

/* Appends and drops what is over the bounds. Write transactions only. */
enum result history_append(struct txn *txn, uint64_t revision, struct slice packed);
/* Counts the table again, after a dump was installed. */
enum result history_recount(struct txn *txn);
/* 0: none yet. */
enum result history_oldest(struct txn *txn, uint64_t *ret_revision);
/* Packed entry of exactly this revision; GW_NOT_FOUND when there is none (any more). */
enum result history_get(struct txn *txn, uint64_t revision, struct slice *ret_packed);

#endif
