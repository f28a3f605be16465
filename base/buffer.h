/* A growing run of bytes with a limit. Owns its memory. */
#ifndef GW_BASE_BUFFER_H
#define GW_BASE_BUFFER_H

#include "base/slice.h"

#include <stdarg.h>

struct buffer {
    char *data; /* owned */
    size_t size;
    size_t capacity;
    size_t limit; /* bytes; 0: none */
    bool failed;  /* an append did not fit or found no memory; sticks until reset */
};

void buffer_init(struct buffer *buffer, size_t limit);
void buffer_deinit(struct buffer *buffer);
/* Empties, keeps the memory, clears `failed`. */
void buffer_reset(struct buffer *buffer);

/* Each returns false, and sets `failed`, when above the limit or out of
 * memory; then nothing was added. So a writer may check once, at the end. */
bool buffer_append(struct buffer *buffer, const void *data, size_t size);
bool buffer_append_slice(struct buffer *buffer, struct slice s);
bool buffer_append_byte(struct buffer *buffer, char byte);
bool buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool buffer_vprintf(struct buffer *buffer, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Room for `size` more bytes behind the end, to be filled in place and then
 * taken in by buffer_commit. NULL as above. */
char *buffer_reserve(struct buffer *buffer, size_t size);
void buffer_commit(struct buffer *buffer, size_t size);
/* Drops bytes at the front (moves the rest down). */
void buffer_consume(struct buffer *buffer, size_t size);
/* Gives the memory away: the caller frees it. The buffer is empty after. */
char *buffer_take(struct buffer *buffer, size_t *ret_size);

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return (struct slice){buffer->data, buffer->size};
}

#endif
