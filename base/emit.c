/* Writes JSON, streaming, RFC 8259. Runs of bytes that need no escape are
 * copied in one go. */
#include "base/emit.h"

static void line_break(struct emit *emit)
{
    if (!emit->pretty)
        return;
    buffer_append_byte(emit->buffer, '\n');
    for (unsigned i = 0; i < emit->depth; i++)
        buffer_append(emit->buffer, "  ", 2);
}

static void before_item(struct emit *emit)
{
    if (emit->depth == 0)
        return;
    if (emit->has_items[emit->depth - 1])
        buffer_append_byte(emit->buffer, ',');
    emit->has_items[emit->depth - 1] = true;
    line_break(emit);
}

static void before_value(struct emit *emit)
{
    if (emit->after_key)
        emit->after_key = false;
    else
        before_item(emit);
}

static void begin(struct emit *emit, char bracket)
{
    before_value(emit);
    buffer_append_byte(emit->buffer, bracket);
    if (emit->depth == EMIT_DEPTH) {
        emit->buffer->failed = true;
        return;
    }
    emit->has_items[emit->depth++] = false;
}

static void end(struct emit *emit, char bracket)
{
    if (emit->depth == 0) {
        emit->buffer->failed = true;
        return;
    }
    emit->depth--;
    if (emit->has_items[emit->depth])
        line_break(emit);
    buffer_append_byte(emit->buffer, bracket);
}

static void quoted(struct buffer *buffer, struct slice s)
{
    size_t run = 0; /* bytes of s that go as they are */

    buffer_append_byte(buffer, '"');
    while (run < s.size) {
        unsigned char c = (unsigned char)s.data[run];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            run++;
            continue;
        }
        size_t size = slice_utf8_size(slice_from(s, run));
        if (size > 1) {
            run += size;
            continue;
        }
        buffer_append(buffer, s.data, run);
        if (size == 0)
            buffer_append(buffer, "\xef\xbf\xbd", 3);
        else if (c == '"')
            buffer_append(buffer, "\\\"", 2);
        else if (c == '\\')
            buffer_append(buffer, "\\\\", 2);
        else if (c == '\n')
            buffer_append(buffer, "\\n", 2);
        else if (c == '\r')
            buffer_append(buffer, "\\r", 2);
        else if (c == '\t')
            buffer_append(buffer, "\\t", 2);
        else
            buffer_printf(buffer, "\\u%04x", c);
        s = slice_from(s, run + 1);
        run = 0;
    }
    buffer_append(buffer, s.data, run);
    buffer_append_byte(buffer, '"');
}

void emit_init(struct emit *emit, struct buffer *buffer, bool pretty)
{
    *emit = (struct emit){.buffer = buffer, .pretty = pretty};
}

void emit_object(struct emit *emit)
{
    begin(emit, '{');
}

void emit_object_end(struct emit *emit)
{
    end(emit, '}');
}

void emit_array(struct emit *emit)
{
    begin(emit, '[');
}

void emit_array_end(struct emit *emit)
{
    end(emit, ']');
}

void emit_key(struct emit *emit, const char *key)
{
    emit_key_slice(emit, slice_from_string(key));
}

void emit_key_slice(struct emit *emit, struct slice key)
{
    before_item(emit);
    quoted(emit->buffer, key);
    buffer_append(emit->buffer, ": ", emit->pretty ? 2 : 1);
    emit->after_key = true;
}

void emit_string(struct emit *emit, struct slice value)
{
    before_value(emit);
    quoted(emit->buffer, value);
}

void emit_cstring(struct emit *emit, const char *value)
{
    if (value == NULL)
        emit_null(emit);
    else
        emit_string(emit, slice_from_string(value));
}

void emit_u64(struct emit *emit, uint64_t value)
{
    before_value(emit);
    buffer_printf(emit->buffer, "%llu", (unsigned long long)value);
}

void emit_i64(struct emit *emit, int64_t value)
{
    before_value(emit);
    buffer_printf(emit->buffer, "%lld", (long long)value);
}

void emit_u64_string(struct emit *emit, uint64_t value)
{
    before_value(emit);
    buffer_printf(emit->buffer, "\"%llu\"", (unsigned long long)value);
}

void emit_bool(struct emit *emit, bool value)
{
    emit_raw(emit, value ? SLICE("true") : SLICE("false"));
}

void emit_null(struct emit *emit)
{
    emit_raw(emit, SLICE("null"));
}

void emit_raw(struct emit *emit, struct slice json)
{
    before_value(emit);
    buffer_append_slice(emit->buffer, json);
}
