/* A dump to be sent: made once, from one read transaction, then read piece by piece as
 * the other side takes it in.
 *
 * It stands in an unlinked file, so that neither a large state fills the memory nor a slow
 * receiver keeps a read transaction open; without a directory, in memory (the simulator,
 * tests). Made and read off the member thread: both touch a disk. One thread at a time. */
#ifndef GW_STORE_DUMP_SOURCE_H
#define GW_STORE_DUMP_SOURCE_H

#include "base/buffer.h"
#include "store/env.h"

#define DUMP_PIECE_BYTES (512u << 10)

struct dump_source;

struct dump_about {
    uint64_t id; /* store/staging.h */
    uint64_t count, bytes;
};

struct dump_source_options {
    struct env *env;                 /* borrowed during the call */
    const char *dir;                 /* NULL: in memory */
    size_t chunk_bytes, piece_bytes; /* 0: DUMP_CHUNK_BYTES, DUMP_PIECE_BYTES */
    uint64_t spare_bytes;            /* of the disk, that the file leaves free; 0: 64 MiB */
};
enum result dump_source_open(const struct dump_source_options *options,
                             struct dump_source **ret_source, struct error *err);
/* NULL is fine. */
void dump_source_close(struct dump_source *source);
struct dump_about dump_source_about(const struct dump_source *source);

struct dump_piece {
    uint64_t number;
    uint64_t rest_bytes; /* of this one and all behind it */
    bool is_cut;         /* the item goes on in the next */
    struct slice bytes;  /* in the caller's buffer */
};
/* Into `out`, emptied first. */
enum result dump_source_read(struct dump_source *source, uint64_t number,
                             struct buffer *out, struct dump_piece *ret_piece,
                             struct error *err);

#endif
