/* Writes msgpack, by msgpack-c's packer, into a buffer whose `failed` says at
 * the end whether all of it fitted.
 *
 * Numbers and lengths take their shortest form, so equal things have equal
 * bytes on every node. Reading is our own: store/unpack.h, model/wire.h. */
#ifndef GW_BASE_PACK_H
#define GW_BASE_PACK_H

#include "base/buffer.h"

void pack_map(struct buffer *out, size_t count);
void pack_array(struct buffer *out, size_t count);
void pack_nil(struct buffer *out);
void pack_bool(struct buffer *out, bool value);
void pack_u64(struct buffer *out, uint64_t value);
void pack_i64(struct buffer *out, int64_t value);
/* Always nine bytes: a place that is overwritten later. */
void pack_fixed_u64(struct buffer *out, uint64_t value);
void pack_text(struct buffer *out, struct slice value);
void pack_bytes(struct buffer *out, struct slice value);

#endif
