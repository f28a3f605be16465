/* Reads msgpack strictly, only the parts the stored and sent formats use:
 * unsigned integers, text, bytes, arrays, nil and booleans. base/pack.h writes it.
 *
 * Reading borrows; the first thing that is not exactly what was asked for sets
 * `failed`, after which every read gives nothing. So a decoder reads all fields
 * and looks once, with unpack_done(). Numbers must have their shortest form
 * but for pack_fixed_u64, so that equal things have equal bytes on every node. */
#ifndef GW_STORE_UNPACK_H
#define GW_STORE_UNPACK_H

#include "base/pack.h"

struct unpack {
    const unsigned char *at, *end;
    bool failed;
};

struct unpack unpack_init(struct slice bytes);
/* An array of exactly `count`. */
void unpack_array(struct unpack *in, uint32_t count);
/* An array of at most `limit` (and never more than bytes are left). */
uint32_t unpack_array_max(struct unpack *in, uint32_t limit);
uint64_t unpack_u64(struct unpack *in);
uint64_t unpack_u64_max(struct unpack *in, uint64_t limit);
uint64_t unpack_fixed_u64(struct unpack *in);
bool unpack_bool(struct unpack *in);
/* True, and taken in, if a nil comes next. */
bool unpack_nil(struct unpack *in);
/* At most `limit` bytes; SIZE_MAX: what is there. */
struct slice unpack_bytes(struct unpack *in, size_t limit);
struct slice unpack_text(struct unpack *in, size_t limit);
/* What is left, untouched. */
struct slice unpack_rest(struct unpack *in);
/* Nothing failed and nothing is left. */
bool unpack_done(const struct unpack *in);

#endif
