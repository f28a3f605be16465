/* A thin coat over deflate: windowBits 15 + 16 writes the gzip frame, memLevel 8
 * is zlib's own choice. */
#include "http/gzip.h"

#include <stdlib.h>
#include <zlib.h>

struct gzip {
    z_stream stream;
};

struct gzip *gzip_new(void)
{
    struct gzip *gzip = calloc(1, sizeof *gzip);

    if (gzip == NULL)
        return NULL;
    if (deflateInit2(&gzip->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(gzip);
        return NULL;
    }
    return gzip;
}

void gzip_free(struct gzip *gzip)
{
    if (gzip == NULL)
        return;
    deflateEnd(&gzip->stream);
    free(gzip);
}

void gzip_begin(struct gzip *gzip, int level)
{
    gzip->stream.avail_in = 0;
    gzip->stream.avail_out = 0;
    deflateReset(&gzip->stream);
    deflateParams(&gzip->stream, level, Z_DEFAULT_STRATEGY); /* nothing is pending */
}

bool gzip_write(struct gzip *gzip, struct slice *input, enum gzip_flush flush, void *out,
                size_t capacity, size_t *ret_size)
{
    static const int flushes[] = {
        [GZIP_MORE] = Z_NO_FLUSH, [GZIP_FLUSH] = Z_SYNC_FLUSH, [GZIP_FINISH] = Z_FINISH};
    z_stream *stream = &gzip->stream;

    stream->next_in = (Bytef *)(uintptr_t)input->data;
    stream->avail_in = (uInt)input->size;
    stream->next_out = out;
    stream->avail_out = (uInt)capacity;
    int rc = deflate(stream, flushes[flush]); /* Z_BUF_ERROR: there was nothing to do */
    *input = slice_from(*input, input->size - stream->avail_in);
    *ret_size = capacity - stream->avail_out;
    if (flush == GZIP_FINISH)
        return rc == Z_STREAM_END;
    return stream->avail_in == 0 && stream->avail_out > 0;
}
