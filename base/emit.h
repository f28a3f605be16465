/* Writes JSON to a buffer, streaming, RFC 8259. Commas, quoting and nesting
 * are its business; a value that is not UTF-8 is written with U+FFFD.
 * Failure is the buffer's `failed`, looked at once at the end. */
#ifndef GW_BASE_EMIT_H
#define GW_BASE_EMIT_H

#include "base/buffer.h"

#define EMIT_DEPTH 80

struct emit {
    struct buffer *buffer; /* borrowed */
    unsigned depth;
    bool has_items[EMIT_DEPTH];
    bool after_key;
    bool pretty; /* two spaces of indent */
};

void emit_init(struct emit *emit, struct buffer *buffer, bool pretty);
void emit_object(struct emit *emit);     /* { */
void emit_object_end(struct emit *emit); /* } */
void emit_array(struct emit *emit);
void emit_array_end(struct emit *emit);
void emit_key(struct emit *emit, const char *key);
void emit_key_slice(struct emit *emit, struct slice key);
void emit_string(struct emit *emit, struct slice value);
void emit_cstring(struct emit *emit, const char *value); /* NULL: null */
void emit_u64(struct emit *emit, uint64_t value);
void emit_i64(struct emit *emit, int64_t value);
void emit_u64_string(struct emit *emit, uint64_t value); /* ids and revisions: "4182" */
void emit_bool(struct emit *emit, bool value);
void emit_null(struct emit *emit);
/* Already JSON. */
void emit_raw(struct emit *emit, struct slice json);

#endif
