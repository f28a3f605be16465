/* Writes HTTP/1 heads into memory of the caller.
 *
 * No allocation: what does not fit sets `failed`, looked at once at the end.
 * To write behind a struct buffer: buffer_reserve, h1_write_init on the place,
 * buffer_commit(out.size). One thread. */
#ifndef GW_HTTP_H1_WRITE_H
#define GW_HTTP_H1_WRITE_H

#include "http/message.h"

struct h1_write {
    char *data; /* borrowed */
    size_t size;
    size_t capacity;
    bool failed; /* did not fit, or a value held CR, LF or NUL */
};

static inline void h1_write_init(struct h1_write *out, void *data, size_t capacity)
{
    *out = (struct h1_write){.data = data, .capacity = capacity};
}
static inline struct slice h1_write_slice(const struct h1_write *out)
{
    return (struct slice){out->data, out->size};
}

/* Bytes as they are. */
static inline void h1_write_bytes(struct h1_write *out, const void *data, size_t size)
{
    if (out->failed || size > out->capacity - out->size) {
        out->failed = true;
        return;
    }
    if (size > 0)
        memcpy(out->data + out->size, data, size);
    out->size += size;
}
#define h1_write_literal(out, literal) h1_write_bytes(out, "" literal, sizeof(literal) - 1)

/* "METHOD path?query HTTP/1.1\r\n"; query.data NULL: without '?'. */
void h1_write_request_line(struct h1_write *out, struct slice method, struct slice path,
                           struct slice query);
/* "HTTP/1.1 404 Not Found\r\n"; an empty `reason`: the usual one. */
void h1_write_status_line(struct h1_write *out, unsigned status, struct slice reason);
/* "name: value\r\n" for what a parser has let through: not checked again. */
void h1_write_header(struct h1_write *out, struct slice name, struct slice value);
/* The same for values of any other origin: a name that is no token, or a value
 * with control bytes, sets `failed`, so it cannot begin a line of its own. */
void h1_write_header_checked(struct h1_write *out, struct slice name, struct slice value);
void h1_write_header_u64(struct h1_write *out, struct slice name, uint64_t value);
/* The empty line. */
void h1_write_end(struct h1_write *out);

/* The Date of a second, written once a second: one per worker, zeroed. */
#define HTTP_DATE_SIZE 29
struct http_date {
    uint64_t second; /* since 1970, of `text`; valid if has_text */
    bool has_text;
    char text[HTTP_DATE_SIZE + 1];
};
/* "Sun, 06 Nov 1994 08:49:37 GMT"; valid until the next call. */
struct slice http_date_at(struct http_date *date, uint64_t wall_ms);
void h1_write_date(struct h1_write *out, struct http_date *date, uint64_t wall_ms);

#endif
