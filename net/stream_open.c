/* How a stream begins: accepted or dialled, address by address, up to its TLS session; and
 * its timer (see stream.c). */
#include "net/stream_private.h"

#include "net/listener.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPEN_TIMEOUT_MS 10000
#define WRITE_LIMIT     (8u * 1024 * 1024)

void stream_on_timer(uv_timer_t *timer)
{
    struct stream *stream = timer->data;
    struct error err;

    if (stream->closing)
        return;
    if (stream->failure.code != GW_OK) {
        err = stream->failure;
        stream->failure = ERROR_NONE;
        stream_fail(stream, &err);
    } else if (stream->lingering) {
        size_t queued = stream_queued_bytes(stream);
        if (queued > 0 && queued < stream->linger_queued) {
            /* The other side still reads: its answer is not cut off. */
            stream->linger_queued = queued;
            uv_timer_start(timer, stream_on_timer, stream->linger_ms, 0);
            return;
        }
        stream_close(stream, stream->closed);
    } else if (stream->state == STATE_PLAIN_OPENS) {
        stream_open_now(stream);
        if (!stream->closing)
            stream_start_reading(stream);
    } else if (stream->state == STATE_OPEN) {
        if (stream->ssl != NULL)
            stream_pump(stream);
    } else {
        error_set(&err, GW_TIMEOUT, "not open after %llu ms: no %s",
                  (unsigned long long)stream->open_timeout_ms,
                  stream->state == STATE_HANDSHAKE ? "TLS handshake"
                  : stream->state == STATE_LOOKUP  ? "address"
                                                   : "connection");
        stream_fail(stream, &err);
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
        stream_soon(stream);
        return;
    }
    stream->in = BIO_new(BIO_s_mem());
    stream->out = BIO_new(BIO_s_mem());
    if (stream->in == NULL || stream->out == NULL) {
        BIO_free(stream->in);
        BIO_free(stream->out);
        error_set(&err, GW_NO_MEMORY, "begin a TLS session");
        stream_fail_soon(stream, err.code, err.text, 0);
        return;
    }
    BIO_set_mem_eof_return(stream->in, -1);
    SSL_set_bio(stream->ssl, stream->in, stream->out);
    stream->state = STATE_HANDSHAKE;
    uv_timer_start(&stream->timer, stream_on_timer, stream->open_timeout_ms, 0);
    bool was_paused = stream->paused;
    stream->paused = false; /* the handshake reads all the same */
    stream_start_reading(stream);
    stream->paused = was_paused;
    if (!tls_context_is_server(stream->tls))
        stream_pump(stream); /* says hello; nothing can come of it that calls the owner */
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
        uv_close(&stream->io.handle, stream_on_io_closed);
        return;
    }
    error_set(&err, GW_UNREACHABLE, "connect: %s", uv_strerror(status));
    stream_fail(stream, &err);
}

void stream_start_connect(struct stream *stream)
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
        stream_fail_soon(stream, GW_UNREACHABLE, "connect", rc);
}

static void on_lookup(struct address_lookup *lookup, const struct address *addresses,
                      size_t count, const struct error *err)
{
    struct stream *stream = lookup->owner;

    if (stream->looking_up) {
        stream->looking_up = false;
        if (stream->closing) {
            stream_part_done(stream);
            return;
        }
        stream->pending--;
    }
    if (stream->failed)
        return;
    if (count == 0) {
        stream_fail(stream, err);
        return;
    }
    stream->address_count = count < ADDRESSES_MAX ? count : ADDRESSES_MAX;
    memcpy(stream->addresses, addresses, stream->address_count * sizeof *addresses);
    stream_start_connect(stream);
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
            stream_fail_soon(stream, reason.code, reason.text, 0);
        free(path);
        *ret_stream = stream;
        return GW_OK;
    }

    uv_timer_start(&stream->timer, stream_on_timer, stream->open_timeout_ms, 0);
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
