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
#include "net/stream.h"

#include "net/listener.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPEN_TIMEOUT_MS 10000
#define WRITE_LIMIT     (8u * 1024 * 1024)
#define READ_SIZE       65536
#define RECORD_SIZE     16384
#define ADDRESSES_MAX   8

static _Thread_local char read_space[READ_SIZE];
static _Thread_local char plain_space[RECORD_SIZE];

enum state { STATE_LOOKUP, STATE_CONNECT, STATE_HANDSHAKE, STATE_PLAIN_OPENS, STATE_OPEN };

struct stream {
    uv_loop_t *loop;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } io;
    uv_timer_t timer;
    unsigned pending; /* handles and lookups that will call back; 0 while closing: free */
    enum state state;
    enum stream_transport transport;

    struct stream_events events;
    void *owner;
    stream_close_cb closed;
    void *closed_owner;

    struct tls_context *tls; /* shared; NULL: plain */
    SSL *ssl;                /* owned */
    BIO *in;                 /* owned by ssl */
    BIO *out;
    struct identity identity;

    struct address_lookup lookup;
    struct address addresses[ADDRESSES_MAX];
    size_t address_count;
    size_t address_next;
    uv_connect_t connect;
    uint64_t open_timeout_ms;

    uv_write_t write;
    char *flight;          /* owned; what uv_write has, NULL: nothing */
    struct buffer waiting; /* behind it */
    size_t write_limit;
    uv_shutdown_t shutdown;

    uint64_t linger_ms;
    size_t linger_queued; /* when lingering began or was last prolonged */

    struct error failure; /* to be told by the timer */
    struct address peer;
    bool has_peer;
    char peer_text[STREAM_TEXT_SIZE];
    uint64_t received_bytes;
    uint64_t sent_bytes;

    bool io_open;  /* uv_close is due on io */
    bool retrying; /* io is being closed to try the next address */
    bool looking_up;
    bool closing;
    bool lingering; /* closes once the other side ended */
    bool failed;    /* on_error was called or is due */
    bool ended;     /* no more writes */
    bool shut_down; /* uv_shutdown is under way or done */
    bool shutdown_done;
    bool raw_eof; /* the socket gave its end */
    bool end_told;
    bool paused;
    bool reading; /* uv_read_start is in force */
    bool pumping;
    bool had_to_wait; /* on_drain is due when the queue is empty */
};

static void start_connect(struct stream *stream);
static void pump(struct stream *stream);

/* --- the end of a stream --- */

static void part_done(struct stream *stream)
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

static void on_io_closed(uv_handle_t *handle)
{
    struct stream *stream = handle->data;

    if (stream->retrying && !stream->closing) {
        stream->retrying = false;
        stream->pending--; /* connecting counts it again; the timer is still there */
        start_connect(stream);
        return;
    }
    part_done(stream);
}

static void on_timer_closed(uv_handle_t *handle)
{
    part_done(handle->data);
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
        uv_close(&stream->io.handle, on_io_closed);
    }
    uv_close((uv_handle_t *)&stream->timer, on_timer_closed);
}

/* --- errors and ends, told to the owner --- */

static void stop_reading(struct stream *stream)
{
    if (stream->reading) {
        stream->reading = false;
        uv_read_stop(&stream->io.stream);
    }
}

static void fail(struct stream *stream, const struct error *failure)
{
    if (stream->closing || stream->failed)
        return;
    stream->failed = true;
    stop_reading(stream);
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

static void on_timer(uv_timer_t *timer);

static void soon(struct stream *stream)
{
    if (!stream->closing)
        uv_timer_start(&stream->timer, on_timer, 0, 0);
}

/* Told in the loop's next turn, for failures met inside the owner's own calls. */
static void fail_soon(struct stream *stream, enum result code, const char *what, int status)
{
    if (stream->closing || stream->failed || stream->failure.code != GW_OK)
        return;
    if (status != 0)
        error_set(&stream->failure, code, "%s: %s", what, uv_strerror(status));
    else
        error_set(&stream->failure, code, "%s", what);
    stop_reading(stream);
    soon(stream);
}

static void tell_end(struct stream *stream)
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

/* --- writing --- */

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
        fail_soon(stream, GW_CLOSED, "write", rc);
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
        fail_soon(stream, GW_CLOSED, "end the connection", rc);
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
        fail(stream, &err);
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
        fail_soon(stream, GW_CLOSED, "write", n);
        return GW_CLOSED;
    }
    data = slice_from(data, (size_t)n);
    if (data.size == 0)
        return GW_OK;
    stream->had_to_wait = true;
    if (!buffer_append_slice(&stream->waiting, data)) {
        fail_soon(stream, GW_NO_MEMORY, "write: out of memory", 0);
        return GW_CLOSED;
    }
    if (stream->flight == NULL)
        start_flight(stream);
    return GW_OK;
}

/* Sends what OpenSSL has written. */
static enum result flush_tls(struct stream *stream)
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
            fail_soon(stream, GW_CLOSED, err.text, 0);
            return GW_CLOSED;
        }
        if (flush_tls(stream) != GW_OK)
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
            fail_soon(stream, GW_CLOSED, "write", n);
        return n < 0 ? GW_CLOSED : GW_OK;
    }
    stream->had_to_wait = true;
    stream->flight = data;
    uv_buf_t part = uv_buf_init(data + n, (unsigned)(size - (size_t)n));
    int rc = uv_write(&stream->write, &stream->io.stream, &part, 1, on_written);
    if (rc != 0) {
        free(stream->flight);
        stream->flight = NULL;
        fail_soon(stream, GW_CLOSED, "write", rc);
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
        flush_tls(stream);
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
    uv_timer_start(&stream->timer, on_timer, linger_ms, 0);
    stream->paused = false;
    if (!stream->raw_eof)
        stream_resume(stream);
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
        stop_reading(stream);
        stream->raw_eof = true;
        if (stream->ssl != NULL)
            pump(stream);
        else
            tell_end(stream);
    } else if (n < 0) {
        error_set(&err, GW_CLOSED, "read: %s", uv_strerror((int)n));
        fail(stream, &err);
    } else if (stream->ssl != NULL) {
        if (BIO_write(stream->in, buffer->base, (int)n) != (int)n) {
            error_set(&err, GW_NO_MEMORY, "read: out of memory");
            fail(stream, &err);
            return;
        }
        pump(stream);
    } else {
        give(stream, slice_of(buffer->base, (size_t)n));
    }
}

static void start_reading(struct stream *stream)
{
    if (stream->reading || stream->closing || stream->failed || stream->paused ||
        stream->raw_eof)
        return;
    int rc = uv_read_start(&stream->io.stream, on_alloc, on_read);
    if (rc != 0)
        fail_soon(stream, GW_IO, "read", rc);
    else
        stream->reading = true;
}

static void open_now(struct stream *stream)
{
    stream->state = STATE_OPEN;
    uv_timer_stop(&stream->timer);
    if (stream->paused)
        stop_reading(stream);
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
        flush_tls(stream); /* the alert */
        fail(stream, &err);
        return false;
    }
    flush_tls(stream);
    if (rc != 1) {
        if (stream->raw_eof) {
            error_set(&err, GW_CLOSED, "the connection ended during the TLS handshake");
            fail(stream, &err);
        }
        return false;
    }
    if (tls_session_check(stream->ssl, &stream->identity, &err) != GW_OK) {
        fail(stream, &err);
        return false;
    }
    open_now(stream);
    return !stream->closing;
}

/* Moves the TLS engine on with what has been read. */
static void pump(struct stream *stream)
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
                    tell_end(stream);
            } else if (reason == SSL_ERROR_ZERO_RETURN) {
                tell_end(stream);
            } else {
                tls_session_failure(stream->ssl, &err);
                flush_tls(stream);
                fail(stream, &err);
            }
            break;
        }
        if (!stream->closing && !stream->failed && !stream->shut_down)
            flush_tls(stream); /* answers to key updates */
    }
    stream->pumping = false;
}

void stream_pause(struct stream *stream)
{
    if (stream->paused)
        return;
    stream->paused = true;
    if (stream->state == STATE_OPEN)
        stop_reading(stream);
}

void stream_resume(struct stream *stream)
{
    stream->paused = false;
    if (stream->state != STATE_OPEN || stream->closing || stream->failed)
        return;
    start_reading(stream);
    if (stream->ssl != NULL && !stream->pumping && !stream->lingering && !stream->end_told)
        soon(stream);
}

/* --- opening --- */

static void on_timer(uv_timer_t *timer)
{
    struct stream *stream = timer->data;
    struct error err;

    if (stream->closing)
        return;
    if (stream->failure.code != GW_OK) {
        err = stream->failure;
        stream->failure = ERROR_NONE;
        fail(stream, &err);
    } else if (stream->lingering) {
        size_t queued = stream_queued_bytes(stream);
        if (queued > 0 && queued < stream->linger_queued) {
            /* The other side still reads: its answer is not cut off. */
            stream->linger_queued = queued;
            uv_timer_start(timer, on_timer, stream->linger_ms, 0);
            return;
        }
        stream_close(stream, stream->closed);
    } else if (stream->state == STATE_PLAIN_OPENS) {
        open_now(stream);
        if (!stream->closing)
            start_reading(stream);
    } else if (stream->state == STATE_OPEN) {
        if (stream->ssl != NULL)
            pump(stream);
    } else {
        error_set(&err, GW_TIMEOUT, "not open after %llu ms: no %s",
                  (unsigned long long)stream->open_timeout_ms,
                  stream->state == STATE_HANDSHAKE ? "TLS handshake"
                  : stream->state == STATE_LOOKUP  ? "address"
                                                   : "connection");
        fail(stream, &err);
    }
}

/* The socket is connected. */
static void begin_session(struct stream *stream)
{
    struct error err;

    if (stream->io.handle.type == UV_TCP)
        uv_tcp_nodelay(&stream->io.tcp, 1);
    if (stream->ssl == NULL) {
        stream->state = STATE_PLAIN_OPENS;
        soon(stream);
        return;
    }
    stream->in = BIO_new(BIO_s_mem());
    stream->out = BIO_new(BIO_s_mem());
    if (stream->in == NULL || stream->out == NULL) {
        BIO_free(stream->in);
        BIO_free(stream->out);
        error_set(&err, GW_NO_MEMORY, "begin a TLS session");
        fail_soon(stream, err.code, err.text, 0);
        return;
    }
    BIO_set_mem_eof_return(stream->in, -1);
    SSL_set_bio(stream->ssl, stream->in, stream->out);
    stream->state = STATE_HANDSHAKE;
    uv_timer_start(&stream->timer, on_timer, stream->open_timeout_ms, 0);
    bool was_paused = stream->paused;
    stream->paused = false; /* the handshake reads all the same */
    start_reading(stream);
    stream->paused = was_paused;
    if (!tls_context_is_server(stream->tls))
        pump(stream); /* says hello; nothing can come of it that calls the owner */
}

static enum result stream_new(uv_loop_t *loop, const struct stream_options *options,
                              const struct stream_events *events, void *owner,
                              struct stream **ret_stream, struct error *err)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return error_set(err, GW_NO_MEMORY, "open a stream");
    stream->loop = loop;
    stream->events = *events;
    stream->owner = owner;
    stream->open_timeout_ms =
        options->open_timeout_ms != 0 ? options->open_timeout_ms : OPEN_TIMEOUT_MS;
    stream->write_limit = options->write_limit != 0 ? options->write_limit : WRITE_LIMIT;
    buffer_init(&stream->waiting, 0);
    if (options->tls != NULL) {
        if (tls_session_new(options->tls, options->expect, &stream->ssl, err) != GW_OK) {
            free(stream);
            return err->code;
        }
        stream->tls = tls_context_ref(options->tls);
        stream->transport = STREAM_TLS;
    }
    int rc = uv_timer_init(loop, &stream->timer);
    assert(rc == 0); /* it only fills the handle */
    (void)rc;
    stream->timer.data = stream;
    stream->pending = 1;
    *ret_stream = stream;
    return GW_OK;
}

/* Makes the libuv handle for a connected descriptor. Takes it. */
static enum result adopt(struct stream *stream, int fd, struct error *err)
{
    int domain = 0;
    socklen_t size = sizeof domain;
    int rc;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX) {
        if (stream->ssl == NULL)
            stream->transport = STREAM_UNIX;
        rc = uv_pipe_init(stream->loop, &stream->io.pipe, 0);
    } else {
        rc = uv_tcp_init(stream->loop, &stream->io.tcp);
    }
    if (rc != 0) {
        close(fd);
        return error_set(err, GW_IO, "open a stream: %s", uv_strerror(rc));
    }
    stream->io.handle.data = stream;
    stream->io_open = true;
    stream->pending++;
    rc = domain == AF_UNIX ? uv_pipe_open(&stream->io.pipe, fd)
                           : uv_tcp_open(&stream->io.tcp, fd);
    if (rc != 0) {
        close(fd);
        return error_set(err, GW_IO, "open a stream: %s", uv_strerror(rc));
    }
    return GW_OK;
}

enum result stream_accept(uv_loop_t *loop, int fd, const struct stream_options *options,
                          const struct stream_events *events, void *owner,
                          struct stream **ret_stream, struct error *err)
{
    struct stream *stream;

    if (stream_new(loop, options, events, owner, &stream, err) != GW_OK) {
        close(fd);
        return err->code;
    }
    if (address_of_peer(fd, &stream->peer)) {
        stream->has_peer = true;
        address_format(&stream->peer, stream->peer_text);
    } else {
        snprintf(stream->peer_text, sizeof stream->peer_text, "unix");
    }
    if (adopt(stream, fd, err) != GW_OK) {
        stream_close(stream, NULL);
        return err->code;
    }
    begin_session(stream);
    *ret_stream = stream;
    return GW_OK;
}

static void on_connected(uv_connect_t *request, int status)
{
    struct stream *stream = request->handle->data;
    struct error err;

    if (stream->closing || stream->failed)
        return;
    if (status == 0) {
        begin_session(stream);
        return;
    }
    if (stream->address_next < stream->address_count) {
        stream->retrying = true;
        stream->io_open = false;
        uv_close(&stream->io.handle, on_io_closed);
        return;
    }
    error_set(&err, GW_UNREACHABLE, "connect: %s", uv_strerror(status));
    fail(stream, &err);
}

static void start_connect(struct stream *stream)
{
    stream->state = STATE_CONNECT;
    stream->peer = stream->addresses[stream->address_next++];
    stream->has_peer = true;
    address_format(&stream->peer, stream->peer_text);
    int rc = uv_tcp_init(stream->loop, &stream->io.tcp);
    if (rc == 0) {
        stream->io.handle.data = stream;
        stream->io_open = true;
        stream->pending++;
        rc = uv_tcp_connect(&stream->connect, &stream->io.tcp, &stream->peer.any,
                            on_connected);
    }
    if (rc != 0)
        fail_soon(stream, GW_UNREACHABLE, "connect", rc);
}

static void on_lookup(struct address_lookup *lookup, const struct address *addresses,
                      size_t count, const struct error *err)
{
    struct stream *stream = lookup->owner;

    if (stream->looking_up) {
        stream->looking_up = false;
        if (stream->closing) {
            part_done(stream);
            return;
        }
        stream->pending--;
    }
    if (stream->failed)
        return;
    if (count == 0) {
        fail(stream, err);
        return;
    }
    stream->address_count = count < ADDRESSES_MAX ? count : ADDRESSES_MAX;
    memcpy(stream->addresses, addresses, stream->address_count * sizeof *addresses);
    start_connect(stream);
}

enum result stream_connect(uv_loop_t *loop, struct slice target,
                           const struct stream_options *options,
                           const struct stream_events *events, void *owner,
                           struct stream **ret_stream, struct error *err)
{
    struct stream *stream;

    if (stream_new(loop, options, events, owner, &stream, err) != GW_OK)
        return err->code;
    snprintf(stream->peer_text, sizeof stream->peer_text, "%.*s",
             (int)(target.size < 100 ? target.size : 100), target.data);

    if (slice_starts_with(target, SLICE("unix:"))) {
        struct error reason = ERROR_NONE;
        int fd;
        char *path = slice_to_string(slice_from(target, 5));
        if (path == NULL) {
            stream_close(stream, NULL);
            return error_set(err, GW_NO_MEMORY, "open a stream");
        }
        if (listener_connect_unix(path, &fd, &reason) == GW_OK &&
            adopt(stream, fd, &reason) == GW_OK)
            begin_session(stream);
        else
            fail_soon(stream, reason.code, reason.text, 0);
        free(path);
        *ret_stream = stream;
        return GW_OK;
    }

    uv_timer_start(&stream->timer, on_timer, stream->open_timeout_ms, 0);
    stream->state = STATE_LOOKUP;
    if (address_is_numeric(target)) {
        address_resolve(loop, &stream->lookup, target, on_lookup, stream, err);
    } else {
        stream->looking_up = true;
        stream->pending++;
        if (address_resolve(loop, &stream->lookup, target, on_lookup, stream, err) !=
            GW_OK) {
            stream->looking_up = false;
            stream->pending--;
            stream_close(stream, NULL);
            return err->code;
        }
    }
    *ret_stream = stream;
    return GW_OK;
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
