/* Streams over libuv, plain or TLS.
 *
 * Writing tries the socket first; what does not go is queued in one buffer, and
 * one uv_write at a time takes the whole of it away. So a stream costs no request
 * per write, and its memory is two buffers under one limit.
 *
 * What must not happen inside a caller's function (on_open of a plain accept, errors
 * met while writing, data kept while paused) is left to the stream's timer, set to
 * zero: it runs in the loop's next turn. The same timer is the time limit of opening
 * and the lingering at the end.
 *
 * Reading goes to buffers of the thread, not of the stream: an idle stream holds
 * none. That is why data may not be kept past on_data, and why TLS data is never
 * given from inside another stream's callback (resume waits for the timer). */
#include "net/stream_private.h"

#include "net/round_trip.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_SIZE 65536

static _Thread_local char read_space[READ_SIZE];
static _Thread_local char plain_space[RECORD_SIZE];

/* --- the end of a stream --- */

void stream_part_done(struct stream *stream)
{
    assert(stream->pending > 0);
    if (--stream->pending > 0 || !stream->closing)
        return;
    stream_close_cb closed = stream->closed;
    void *owner = stream->closed_owner;

    tls_session_free(stream->ssl);
    tls_context_unref(stream->tls);
    buffer_deinit(&stream->waiting);
    free(stream->flight);
    free(stream);
    if (closed != NULL)
        closed(owner);
}

void stream_on_io_closed(uv_handle_t *handle)
{
    struct stream *stream = handle->data;

    if (stream->retrying && !stream->closing) {
        stream->retrying = false;
        stream->pending--; /* connecting counts it again; the timer is still there */
        stream_start_connect(stream);
        return;
    }
    stream_part_done(stream);
}

static void on_timer_closed(uv_handle_t *handle)
{
    stream_part_done(handle->data);
}

void stream_close(struct stream *stream, stream_close_cb closed)
{
    if (stream == NULL || stream->closing)
        return;
    stream->closing = true;
    stream->closed = closed;
    stream->closed_owner = stream->owner;
    if (stream->looking_up)
        address_resolve_cancel(&stream->lookup);
    if (stream->io_open) {
        stream->io_open = false;
        uv_close(&stream->io.handle, stream_on_io_closed);
    }
    uv_close((uv_handle_t *)&stream->timer, on_timer_closed);
}

/* --- errors and ends, told to the owner --- */

void stream_stop_reading(struct stream *stream)
{
    if (stream->reading) {
        stream->reading = false;
        uv_read_stop(&stream->io.stream);
    }
}

void stream_fail(struct stream *stream, const struct error *failure)
{
    if (stream->closing || stream->failed)
        return;
    stream->failed = true;
    stream_stop_reading(stream);
    if (stream->lingering) {
        stream_close(stream, stream->closed);
        return;
    }
    uv_timer_stop(&stream->timer);
    struct error err = *failure;
    error_wrap(&err, "%s", stream->peer_text);
    if (stream->events.on_error != NULL)
        stream->events.on_error(stream, &err, stream->owner);
}

void stream_soon(struct stream *stream)
{
    if (!stream->closing)
        uv_timer_start(&stream->timer, stream_on_timer, 0, 0);
}

void stream_fail_soon(struct stream *stream, enum result code, const char *what, int status)
{
    if (stream->closing || stream->failed || stream->failure.code != GW_OK)
        return;
    if (status != 0)
        error_set(&stream->failure, code, "%s: %s", what, uv_strerror(status));
    else
        error_set(&stream->failure, code, "%s", what);
    stream_stop_reading(stream);
    stream_soon(stream);
}

void stream_tell_end(struct stream *stream)
{
    if (stream->closing || stream->failed || stream->end_told)
        return;
    stream->end_told = true;
    if (stream->lingering) {
        /* What we still have to send goes first; then on_shutdown closes. */
        if (stream->shutdown_done)
            stream_close(stream, stream->closed);
        return;
    }
    if (stream->events.on_end != NULL)
        stream->events.on_end(stream, stream->owner);
}

/* --- reading --- */

static void give(struct stream *stream, struct slice data)
{
    stream->received_bytes += data.size;
    if (stream->events.on_data != NULL)
        stream->events.on_data(stream, data, stream->owner);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    (void)handle, (void)suggested;
    *ret_buffer = uv_buf_init(read_space, sizeof read_space);
}

static void on_read(uv_stream_t *io, ssize_t n, const uv_buf_t *buffer)
{
    struct stream *stream = io->data;
    struct error err;

    if (n == 0 || stream->closing || stream->failed)
        return;
    if (n == UV_EOF) {
        stream_stop_reading(stream);
        stream->raw_eof = true;
        if (stream->ssl != NULL)
            stream_pump(stream);
        else
            stream_tell_end(stream);
    } else if (n < 0) {
        error_set(&err, GW_CLOSED, "read: %s", uv_strerror((int)n));
        stream_fail(stream, &err);
    } else if (stream->ssl != NULL) {
        if (BIO_write(stream->in, buffer->base, (int)n) != (int)n) {
            error_set(&err, GW_NO_MEMORY, "read: out of memory");
            stream_fail(stream, &err);
            return;
        }
        stream_pump(stream);
    } else {
        give(stream, slice_of(buffer->base, (size_t)n));
    }
}

void stream_start_reading(struct stream *stream)
{
    if (stream->reading || stream->closing || stream->failed || stream->paused ||
        stream->raw_eof)
        return;
    int rc = uv_read_start(&stream->io.stream, on_alloc, on_read);
    if (rc != 0)
        stream_fail_soon(stream, GW_IO, "read", rc);
    else
        stream->reading = true;
}

void stream_open_now(struct stream *stream)
{
    stream->state = STATE_OPEN;
    uv_timer_stop(&stream->timer);
    if (stream->paused)
        stream_stop_reading(stream);
    if (stream->events.on_open != NULL)
        stream->events.on_open(stream, stream->owner);
}

/* False: not done yet, or failed. */
static bool handshake(struct stream *stream)
{
    struct error err;

    ERR_clear_error();
    int rc = SSL_do_handshake(stream->ssl);
    int reason = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(stream->ssl, rc);
    if (rc != 1 && reason != SSL_ERROR_WANT_READ) {
        tls_session_failure(stream->ssl, &err);
        error_wrap(&err, "TLS handshake");
        stream_flush_tls(stream); /* the alert */
        stream_fail(stream, &err);
        return false;
    }
    stream_flush_tls(stream);
    if (rc != 1) {
        if (stream->raw_eof) {
            error_set(&err, GW_CLOSED, "the connection ended during the TLS handshake");
            stream_fail(stream, &err);
        }
        return false;
    }
    if (tls_session_check(stream->ssl, &stream->identity, &err) != GW_OK) {
        stream_fail(stream, &err);
        return false;
    }
    stream_open_now(stream);
    return !stream->closing;
}

/* Moves the TLS engine on with what has been read. */
void stream_pump(struct stream *stream)
{
    struct error err;

    if (stream->pumping || stream->closing || stream->failed)
        return;
    stream->pumping = true;
    if (stream->state != STATE_HANDSHAKE || handshake(stream)) {
        while (stream->state == STATE_OPEN && !stream->paused && !stream->closing &&
               !stream->failed) {
            size_t size = 0;
            ERR_clear_error();
            int rc = SSL_read_ex(stream->ssl, plain_space, sizeof plain_space, &size);
            if (rc == 1) {
                give(stream, slice_of(plain_space, size));
                continue;
            }
            int reason = SSL_get_error(stream->ssl, rc);
            if (reason == SSL_ERROR_WANT_READ) {
                if (stream->raw_eof)
                    stream_tell_end(stream);
            } else if (reason == SSL_ERROR_ZERO_RETURN) {
                stream_tell_end(stream);
            } else {
                tls_session_failure(stream->ssl, &err);
                stream_flush_tls(stream);
                stream_fail(stream, &err);
            }
            break;
        }
        if (!stream->closing && !stream->failed && !stream->shut_down)
            stream_flush_tls(stream); /* answers to key updates */
    }
    stream->pumping = false;
}

void stream_pause(struct stream *stream)
{
    if (stream->paused)
        return;
    stream->paused = true;
    if (stream->state == STATE_OPEN)
        stream_stop_reading(stream);
}

void stream_resume(struct stream *stream)
{
    stream->paused = false;
    if (stream->state != STATE_OPEN || stream->closing || stream->failed)
        return;
    stream_start_reading(stream);
    if (stream->ssl != NULL && !stream->pumping && !stream->lingering && !stream->end_told)
        stream_soon(stream);
}

/* --- about a stream --- */

void stream_set_events(struct stream *stream, const struct stream_events *events,
                       void *owner)
{
    stream->events = *events;
    stream->owner = owner;
}

enum stream_transport stream_transport(const struct stream *stream)
{
    return stream->transport;
}

bool stream_is_open(const struct stream *stream)
{
    return stream->state == STATE_OPEN && !stream->closing && !stream->failed;
}

const struct identity *stream_identity(const struct stream *stream)
{
    return &stream->identity;
}

struct slice stream_protocol(const struct stream *stream)
{
    return stream->ssl == NULL ? (struct slice){0} : tls_session_alpn(stream->ssl);
}

const char *stream_peer_text(const struct stream *stream)
{
    return stream->peer_text;
}

uint64_t stream_round_trip_us(const struct stream *stream)
{
    uv_os_fd_t fd;

    if (stream->transport == STREAM_UNIX || uv_fileno(&stream->io.handle, &fd) != 0)
        return 0;
    return round_trip_us(fd);
}

bool stream_peer_address(const struct stream *stream, struct address *ret_address)
{
    if (stream->has_peer)
        *ret_address = stream->peer;
    return stream->has_peer;
}

uint64_t stream_received_bytes(const struct stream *stream)
{
    return stream->received_bytes;
}

uint64_t stream_sent_bytes(const struct stream *stream)
{
    return stream->sent_bytes;
}
