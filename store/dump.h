/* A dump: the whole state as bytes, for a peer that lags too far, or a backup. It is a
 * row of items, each of which can be told from the next and checked by itself:
 *
 *   header   {magic, format, applied, label, state, digest, rows per table}
 *   chunk    {number, table, rows of (key, value), checksum}   as many as it takes
 *   trailer  {chunks, checksum over all before}
 *
 * Records, history, sessions and the log-time state go in; log, vote and
 * whatever else is one node's own does not. Everything is checked before
 * anything is replaced. Values are as stored, without the env's checksum. The same state
 * gives the same bytes, on whichever node.
 *
 * Build from a read transaction, on any thread; it reads all of it, so call it
 * off the member thread. */
#ifndef GW_STORE_DUMP_H
#define GW_STORE_DUMP_H

#include "store/records.h"
#include "store/store.h"

#define DUMP_CHUNK_BYTES (256u << 10)

struct dump_header {
    struct store_label label; /* conf borrows from the dump */
    struct record_state state;
    uint64_t rows[3]; /* records, history, sessions */
};

/* Each item in turn; what is not GW_OK stops it and comes back. A chunk is cut once it
 * has `chunk_bytes`, so it is longer by a row at most. */
typedef enum result (*dump_item_fn)(void *owner, struct slice item);
enum result dump_items(struct txn *txn, size_t chunk_bytes, dump_item_fn fn, void *owner);

/* All of it in one piece. `out` is appended to. GW_NO_MEMORY above its limit. */
enum result dump_build(struct env *env, struct buffer *out);
enum result dump_build_txn(struct txn *txn, struct buffer *out);
/* Checks every byte of it; GW_DAMAGED when it is not a whole dump, GW_NEWER. */
enum result dump_check(struct slice dump, struct dump_header *ret_header);
/* Each row of a dump that was checked: the table, its key (empty in the history, which has
 * `index`), its value as stored. */
typedef void (*dump_row_fn)(void *owner, enum env_table table, struct slice key,
                            uint64_t index, struct slice value);
enum result dump_walk(struct slice dump, dump_row_fn fn, void *owner);
/* Replaces the state, in this write transaction. Checks all first. */
enum result dump_install(struct txn *txn, struct slice dump);

/* The same, item by item, for who has them one at a time. */
enum result dump_header_parse(struct slice item, struct dump_header *ret_header);
struct dump_reader;
/* NULL without memory. With a write transaction each row is put there: then all items must
 * have been checked before, and the tables are emptied by the first one. */
struct dump_reader *dump_reader_new(struct txn *txn);
void dump_reader_free(struct dump_reader *reader);
/* One whole item, the next one. Nothing of it is kept. */
enum result dump_reader_take(struct dump_reader *reader, struct slice item);
/* After the trailer: the header, borrowed from the reader; what was put is a state. Else
 * GW_DAMAGED. */
enum result dump_reader_end(struct dump_reader *reader,
                            const struct dump_header **ret_header);

#endif
