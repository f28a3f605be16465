/* A growing run of bytes with a limit.
 *
 * Grows by doubling, so appends cost O(1) each over time. Once an append
 * failed, all later ones do until the reset: a text with a hole in it would
 * look whole [curl DYNBUF.md]. */
#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>

#define CAPACITY_FIRST 256u

static bool make_room(struct buffer *buffer, size_t size)
{
    size_t wanted;

    if (buffer->failed)
        return false;
    if (__builtin_add_overflow(buffer->size, size, &wanted) || wanted > SIZE_MAX / 2 ||
        (buffer->limit != 0 && wanted > buffer->limit)) {
        buffer->failed = true;
        return false;
    }
    if (wanted <= buffer->capacity && buffer->data != NULL)
        return true;

    size_t capacity = buffer->capacity < CAPACITY_FIRST ? CAPACITY_FIRST : buffer->capacity;
    while (capacity < wanted)
        capacity *= 2;
    char *data = realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void buffer_init(struct buffer *buffer, size_t limit)
{
    *buffer = (struct buffer){.limit = limit};
}

void buffer_deinit(struct buffer *buffer)
{
    if (buffer == NULL)
        return;
    free(buffer->data);
    *buffer = (struct buffer){.limit = buffer->limit};
}

void buffer_reset(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

bool buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (!make_room(buffer, size))
        return false;
    if (size > 0)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    return true;
}

bool buffer_append_slice(struct buffer *buffer, struct slice s)
{
    return buffer_append(buffer, s.data, s.size);
}

bool buffer_append_byte(struct buffer *buffer, char byte)
{
    if (!make_room(buffer, 1))
        return false;
    buffer->data[buffer->size++] = byte;
    return true;
}

bool buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    bool appended = buffer_vprintf(buffer, format, args);
    va_end(args);
    return appended;
}

bool buffer_vprintf(struct buffer *buffer, const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (size < 0) {
        buffer->failed = true;
        return false;
    }
    /* vsnprintf writes a NUL behind the text. It is not part of it, so it does
     * not count against the limit, but needs its byte of memory. */
    if (!make_room(buffer, (size_t)size))
        return false;
    if (buffer->capacity - buffer->size == (size_t)size) {
        size_t limit = buffer->limit;
        buffer->limit = 0;
        bool roomy = make_room(buffer, (size_t)size + 1);
        buffer->limit = limit;
        if (!roomy)
            return false;
    }
    vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, args);
    buffer->size += (size_t)size;
    return true;
}

char *buffer_reserve(struct buffer *buffer, size_t size)
{
    return make_room(buffer, size) ? buffer->data + buffer->size : NULL;
}

void buffer_commit(struct buffer *buffer, size_t size)
{
    buffer->size += size;
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    if (size >= buffer->size) {
        buffer->size = 0;
        return;
    }
    if (size == 0)
        return;
    memmove(buffer->data, buffer->data + size, buffer->size - size);
    buffer->size -= size;
}

char *buffer_take(struct buffer *buffer, size_t *ret_size)
{
    char *data = buffer->data;
    *ret_size = buffer->size;
    *buffer = (struct buffer){.limit = buffer->limit};
    return data;
}
