/* Compresses a stream to gzip (RFC 1952), by zlib.
 *
 * One takes about 256 KiB and is kept and begun anew, so that a warm worker
 * allocates nothing. Output goes into the caller's buffer. One thread. */
#ifndef GW_HTTP_GZIP_H
#define GW_HTTP_GZIP_H

#include "base/slice.h"

struct gzip;

enum gzip_flush {
    GZIP_MORE,  /* more follows at once */
    GZIP_FLUSH, /* all so far is to be readable by the other side */
    GZIP_FINISH /* that was all */
};

/* NULL: out of memory. */
struct gzip *gzip_new(void);
void gzip_free(struct gzip *gzip);
/* A new stream. `level`: 1 (fast) to 9 (small). */
void gzip_begin(struct gzip *gzip, int level);
/* Takes from the front of *input, writes at most `capacity` bytes. True: all is taken
 * and, with flush or finish, all is out; false: call again with the same `flush`. */
bool gzip_write(struct gzip *gzip, struct slice *input, enum gzip_flush flush, void *out,
                size_t capacity, size_t *ret_size);

#endif
