/* Reads msgpack without allocating: a cursor over bytes. base/pack.h writes it.
 *
 * msgpack-c's unpacker takes memory by the counts that the bytes claim before
 * it has seen the items; a cursor never believes a count. */
#ifndef GW_MODEL_WIRE_H
#define GW_MODEL_WIRE_H

#include "base/pack.h"

struct wire {
    struct slice rest; /* borrowed */
    bool failed;       /* sticks: every later read fails too */
};

static inline void wire_init(struct wire *wire, struct slice bytes)
{
    wire->rest = bytes;
    wire->failed = false;
}
/* Each gives false, and sets `failed`, where the next item is of another type
 * or does not fit. Counts are at most the number of bytes left. */
bool wire_read_map(struct wire *wire, size_t *ret_count);
bool wire_read_array(struct wire *wire, size_t *ret_count);
bool wire_read_bool(struct wire *wire, bool *ret_value);
bool wire_read_u64(struct wire *wire, uint64_t *ret_value);
bool wire_read_i64(struct wire *wire, int64_t *ret_value);
/* str or bin; borrows the bytes. */
bool wire_read_string(struct wire *wire, struct slice *ret_value);
/* Takes nil if it is next. */
bool wire_take_nil(struct wire *wire);
/* Any item with all it holds; the bytes it took. Depth 64 at most. */
bool wire_skip(struct wire *wire, struct slice *ret_bytes);

#endif
