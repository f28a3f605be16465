/* A dump being received: its pieces, one row each, until all are there.
 *
 * A piece is an item of the dump (store/dump.h), or a part of one that is too long to
 * travel at once; the first is the whole header, and the dump's id follows from it.
 * The table holds one dump. Pieces come in
 * order; one that is not the next is left out, another dump's first piece drops what there
 * was. With the last one the whole is checked: from then on it can be put in the place of
 * the state, in one transaction. Until then the state knows nothing of it, so a crash at
 * any point leaves the old state and as much of the dump as was committed.
 *
 * The price: the dump is written twice, and takes its room twice while it is installed. */
#ifndef GW_STORE_STAGING_H
#define GW_STORE_STAGING_H

#include "base/buffer.h"
#include "store/env.h"

struct staging { /* what is there; all 0: nothing */
    uint64_t id;
    uint64_t count;       /* pieces in all */
    uint64_t next;        /* pieces that are here: all before this one */
    uint64_t bytes;       /* of those */
    uint64_t index, term; /* of the dump's label */
    bool is_whole;        /* all are here, and checked */
};

struct staging_piece {
    uint64_t id, number, count;
    bool is_cut; /* the item goes on in the next piece */
    struct slice bytes;
};

enum staging_outcome {
    STAGING_TAKEN,
    STAGING_PASSED,  /* it is not the one that comes next */
    STAGING_DAMAGED, /* it, or the whole; what there was is dropped */
    STAGING_FULL     /* no room for the rest: free some, it is sent again */
};

/* The id of a dump, by its first piece. Never 0. */
uint64_t staging_id(struct slice header);

enum result staging_get(struct txn *txn, struct staging *ret_staging);
/* Errors are the disk's; all else is an outcome. `staging` is what there is, then and
 * after. */
enum result staging_put(struct txn *txn, const struct staging_piece *piece,
                        struct staging *staging, enum staging_outcome *ret_outcome);
enum result staging_clear(struct txn *txn);
/* Puts a whole one in the state's place and empties the table. */
enum result staging_install(struct txn *txn, const struct staging *staging);
/* The header of the staged dump; its conf is appended to `conf`, and borrowed from there.
 */
struct dump_header;
enum result staging_header(struct txn *txn, struct buffer *conf,
                           struct dump_header *ret_header);

#endif
