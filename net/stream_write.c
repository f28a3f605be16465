/* Writing to a stream: the socket first, then one queue (see stream.c). */
#include "net/stream_private.h"

#include <assert.h>
#include <stdlib.h>

static void on_written(uv_write_t *request, int status);

static void start_flight(struct stream *stream)
{
    size_t size = 0;
    stream->flight = buffer_take(&stream->waiting, &size);
    uv_buf_t part = uv_buf_init(stream->flight, (unsigned)size);
    int rc = uv_write(&stream->write, &stream->io.stream, &part, 1, on_written);
    if (rc != 0) {
        free(stream->flight);
        stream->flight = NULL;
        stream_fail_soon(stream, GW_CLOSED, "write", rc);
    }
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct stream *stream = request->handle->data;
    (void)status;

    stream->shutdown_done = true;
    if (!stream->closing && stream->lingering && stream->end_told)
        stream_close(stream, stream->closed);
}

static void shut_down_if_done(struct stream *stream)
{
    if (!stream->ended || stream->shut_down || stream->closing || stream->failed ||
        stream->flight != NULL || stream->waiting.size > 0)
        return;
    stream->shut_down = true;
    int rc = uv_shutdown(&stream->shutdown, &stream->io.stream, on_shutdown);
    if (rc != 0)
        stream_fail_soon(stream, GW_CLOSED, "end the connection", rc);
}

static void on_written(uv_write_t *request, int status)
{
    struct stream *stream = request->handle->data;

    free(stream->flight);
    stream->flight = NULL;
    if (stream->closing || stream->failed)
        return;
    if (status != 0) {
        struct error err;
        error_set(&err, GW_CLOSED, "write: %s", uv_strerror(status));
        stream_fail(stream, &err);
        return;
    }
    if (stream->waiting.size > 0) {
        start_flight(stream);
        return;
    }
    shut_down_if_done(stream);
    if (stream->had_to_wait) {
        stream->had_to_wait = false;
        if (stream->state == STATE_OPEN && stream->events.on_drain != NULL)
            stream->events.on_drain(stream, stream->owner);
    }
}

/* Tries the socket, if nothing waits before this. Returns how much it took, or a
 * libuv error. */
static int try_socket(struct stream *stream, struct slice data)
{
    if (stream->flight != NULL || stream->waiting.size > 0)
        return 0;
    union {
        const char *in;
        char *out;
    } bytes = {data.data}; /* libuv only reads it */
    uv_buf_t part = uv_buf_init(bytes.out, (unsigned)data.size);
    int n = uv_try_write(&stream->io.stream, &part, 1);
    return n == UV_EAGAIN ? 0 : n;
}

/* Sends bytes as they go over the wire, or queues them. */
static enum result send_raw(struct stream *stream, struct slice data)
{
    int n = try_socket(stream, data);
    if (n < 0) {
        stream_fail_soon(stream, GW_CLOSED, "write", n);
        return GW_CLOSED;
    }
    data = slice_from(data, (size_t)n);
    if (data.size == 0)
        return GW_OK;
    stream->had_to_wait = true;
    if (!buffer_append_slice(&stream->waiting, data)) {
        stream_fail_soon(stream, GW_NO_MEMORY, "write: out of memory", 0);
        return GW_CLOSED;
    }
    if (stream->flight == NULL)
        start_flight(stream);
    return GW_OK;
}

/* Sends what OpenSSL has written. */
enum result stream_flush_tls(struct stream *stream)
{
    char *data = NULL;
    long size = BIO_get_mem_data(stream->out, &data);
    if (size <= 0)
        return GW_OK;
    enum result result = send_raw(stream, slice_of(data, (size_t)size));
    (void)BIO_reset(stream->out);
    return result;
}

static enum result may_write(const struct stream *stream, size_t size)
{
    if (stream->closing || stream->failed || stream->ended || stream->failure.code != GW_OK)
        return GW_CLOSED;
    if (stream->state != STATE_OPEN)
        return GW_AGAIN;
    size_t queued = stream_queued_bytes(stream);
    if (size >
        stream->write_limit - (queued < stream->write_limit ? queued : stream->write_limit))
        return GW_LIMIT;
    return GW_OK;
}

static enum result write_tls(struct stream *stream, struct slice data)
{
    while (data.size > 0) {
        struct slice part = slice_sub(data, 0, 4 * RECORD_SIZE);
        size_t done = 0;
        ERR_clear_error();
        if (SSL_write_ex(stream->ssl, part.data, part.size, &done) != 1) {
            struct error err;
            tls_session_failure(stream->ssl, &err);
            stream_fail_soon(stream, GW_CLOSED, err.text, 0);
            return GW_CLOSED;
        }
        if (stream_flush_tls(stream) != GW_OK)
            return GW_CLOSED;
        data = slice_from(data, done);
    }
    return GW_OK;
}

enum result stream_write(struct stream *stream, struct slice data)
{
    enum result result = may_write(stream, data.size);
    if (result != GW_OK || data.size == 0)
        return result;
    stream->sent_bytes += data.size;
    return stream->ssl != NULL ? write_tls(stream, data) : send_raw(stream, data);
}

enum result stream_write_take(struct stream *stream, char *data, size_t size)
{
    enum result result = may_write(stream, size);
    if (result != GW_OK || size == 0 || stream->ssl != NULL || stream->flight != NULL) {
        if (result == GW_OK && size > 0)
            result = stream_write(stream, slice_of(data, size));
        free(data);
        return result;
    }
    stream->sent_bytes += size;
    int n = try_socket(stream, slice_of(data, size));
    if (n < 0 || (size_t)n == size) {
        free(data);
        if (n < 0)
            stream_fail_soon(stream, GW_CLOSED, "write", n);
        return n < 0 ? GW_CLOSED : GW_OK;
    }
    stream->had_to_wait = true;
    stream->flight = data;
    uv_buf_t part = uv_buf_init(data + n, (unsigned)(size - (size_t)n));
    int rc = uv_write(&stream->write, &stream->io.stream, &part, 1, on_written);
    if (rc != 0) {
        free(stream->flight);
        stream->flight = NULL;
        stream_fail_soon(stream, GW_CLOSED, "write", rc);
        return GW_CLOSED;
    }
    return GW_OK;
}

size_t stream_queued_bytes(const struct stream *stream)
{
    if (!stream->io_open)
        return 0;
    return uv_stream_get_write_queue_size(&stream->io.stream) + stream->waiting.size;
}

void stream_end(struct stream *stream)
{
    if (stream->closing || stream->failed || stream->ended || stream->state != STATE_OPEN)
        return;
    if (stream->ssl != NULL) {
        ERR_clear_error();
        SSL_shutdown(stream->ssl);
        ERR_clear_error();
        stream_flush_tls(stream);
    }
    stream->ended = true;
    shut_down_if_done(stream);
}

void stream_close_gently(struct stream *stream, uint64_t linger_ms, stream_close_cb closed)
{
    if (stream == NULL || stream->closing || stream->lingering)
        return;
    if (stream->state != STATE_OPEN || stream->failed || stream->failure.code != GW_OK) {
        stream_close(stream, closed);
        return;
    }
    stream->events = (struct stream_events){0};
    stream->closed = closed;
    stream_end(stream);
    stream->lingering = true;
    if (stream->end_told && stream->shutdown_done) {
        stream_close(stream, closed);
        return;
    }
    stream->linger_ms = linger_ms;
    stream->linger_queued = stream_queued_bytes(stream);
    /* Making a big answer may have taken longer than linger_ms; that time is not the
     * other side's, which nobody has let read yet. */
    uv_update_time(stream->loop);
    uv_timer_start(&stream->timer, stream_on_timer, linger_ms, 0);
    stream->paused = false;
    if (!stream->raw_eof)
        stream_resume(stream);
}
