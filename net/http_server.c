/* HTTP/1.1 for the control side, over net/stream.h and the strict parser of http/.
 *
 * A connection reads requests one after the other into calls of their own memory,
 * and keeps those calls in the order they came. An answer goes out at once when its
 * call is the first in line, else it waits in its call. So handlers may answer in
 * any order and at any time, and a pipelining client gets what it expects.
 *
 * Limits stand on everything a client can make grow: heads, bodies, calls in line,
 * bytes that wait to be read by it, connections, time. The price of the simplicity:
 * a body is gathered whole, so this is nothing for uploads.
 *
 * A call lives until it is answered, the connection perhaps not so long: then
 * call->connection is NULL and the answer goes nowhere. */
#include "net/http_server_private.h"

#include <stdlib.h>
#include <unistd.h>

#define BODY_LIMIT        (1024 * 1024)
#define HEAD_LIMIT        32768
#define CONNECTION_LIMIT  256
#define PIPELINE_LIMIT    16
#define HEADER_TIMEOUT_MS 10000
#define IDLE_TIMEOUT_MS   60000
#define LINGER_MS         2000
/* For whole answers, whose size we chose. */
#define STREAM_WRITE_LIMIT (256u * 1024 * 1024)

struct call *call_of(struct http_call *public)
{
    return container_of(public, struct call, public);
}

/* --- the end of calls, connections, the server --- */

static void server_may_end(struct http_server *server)
{
    if (!server->closing || server->listeners_open > 0 || server->connections_held > 0)
        return;
    if (!server->loop_closed || server->calls_held > 0)
        return;
    http_server_close_cb closed = server->closed;
    void *owner = server->closed_owner;
    for (unsigned i = 0; i < server->listener_count; i++)
        tls_context_unref(server->tls[i]);
    free(server);
    if (closed != NULL)
        closed(owner);
}

static void on_loop_closed(struct loop *loop, void *owner)
{
    struct http_server *server = owner;
    (void)loop;
    server->loop_closed = true;
    server_may_end(server);
}

static void handles_may_end(struct http_server *server)
{
    if (server->closing && !server->loop_closing && server->listeners_open == 0 &&
        server->connections_held == 0) {
        server->loop_closing = true;
        loop_close(&server->loop, on_loop_closed, server);
    }
}

void call_free(struct call *call)
{
    struct http_server *server = call->public.server;

    list_remove(&call->link);
    buffer_deinit(&call->body);
    buffer_deinit(&call->answer);
    free(call);
    server->calls_held--;
    server_may_end(server);
}

static void on_stream_closed(void *owner)
{
    struct connection *connection = owner;
    struct http_server *server = connection->server;

    buffer_deinit(&connection->input);
    free(connection);
    server->connections_held--;
    server->counts.connections_open--;
    handles_may_end(server);
}

/* No more of this connection. Calls without a whole answer are told. */
void connection_close(struct connection *connection, bool gently)
{
    struct stream *stream = connection->stream;
    struct list_link *link;
    struct list_link gone;

    if (stream == NULL)
        return;
    connection->stream = NULL;
    list_remove(&connection->link);
    loop_stop_timer(&connection->server->loop, &connection->timer);
    if (gently)
        stream_close_gently(stream, LINGER_MS, on_stream_closed);
    else
        stream_close(stream, on_stream_closed);

    if (connection->reading != NULL) {
        call_free(connection->reading);
        connection->reading = NULL;
    }
    /* All are cut loose before the first is told, as telling may answer others. */
    list_init(&gone);
    list_move_all(&gone, &connection->calls);
    list_each (&gone, each) {
        struct call *call = container_of(each, struct call, link);
        call->connection = NULL;
        call->public.is_gone = true;
    }
    while ((link = list_take_first(&gone)) != NULL) {
        struct call *call = container_of(link, struct call, link);
        if (call->ended)
            call_free(call);
        else if (call->public.on_gone != NULL)
            call->public.on_gone(&call->public);
    }
}

/* --- time --- */

static void set_phase(struct connection *connection, enum connection_phase phase)
{
    const struct http_server_config *config = &connection->server->config;

    if (connection->stream == NULL || connection->phase == PHASE_BROKEN ||
        (phase == connection->phase && phase != PHASE_IDLE))
        return;
    connection->phase = phase;
    if (phase == PHASE_NONE) {
        loop_stop_timer(&connection->server->loop, &connection->timer);
        return;
    }
    connection->stalled_bytes = stream_queued_bytes(connection->stream);
    loop_start_timer(&connection->server->loop, &connection->timer,
                     phase == PHASE_IDLE ? config->idle_timeout_ms
                                         : config->header_timeout_ms);
}

/* Closes in the loop's next turn: inside an answer of the handler's the call it holds
 * must not be told that it is gone. */
void connection_break(struct connection *connection)
{
    connection->last_read = true;
    connection->phase = PHASE_BROKEN;
    loop_start_timer(&connection->server->loop, &connection->timer, 0);
}

static void on_timeout(struct wheel_timer *timer, uint64_t now_ms)
{
    struct connection *connection = container_of(timer, struct connection, timer);
    enum connection_phase phase = connection->phase;
    (void)now_ms;

    connection->phase = PHASE_NONE;
    if (phase == PHASE_BROKEN) {
        connection_close(connection, false);
        return;
    }
    if (phase == PHASE_IDLE) {
        size_t queued = stream_queued_bytes(connection->stream);
        if (queued > 0 && queued < connection->stalled_bytes) {
            set_phase(connection, PHASE_IDLE); /* slow, but it reads */
            return;
        }
        connection_close(connection, queued == 0);
        return;
    }
    connection->server->counts.timeouts++;
    connection_refuse(connection, 408, "the request did not come whole in time");
    connection_send_answers(connection);
}

void connection_choose_phase(struct connection *connection)
{
    if (connection->reading != NULL)
        set_phase(connection, PHASE_BODY);
    else if (connection->input.size > 0 && !connection->last_read &&
             connection->call_count < connection->server->config.pipeline_limit)
        set_phase(connection, PHASE_HEAD);
    else if (connection->call_count == 0)
        set_phase(connection, PHASE_IDLE);
    else
        set_phase(connection, PHASE_NONE);
}

/* --- answers --- */

static void on_open(struct stream *stream, void *owner)
{
    (void)stream;
    connection_choose_phase(owner);
}

static void on_data(struct stream *stream, struct slice data, void *owner)
{
    struct connection *connection = owner;
    (void)stream;

    if (connection->stream == NULL || connection->last_read)
        return; /* dropped: an answer and the end are on their way */
    if (!buffer_append_slice(&connection->input, data)) {
        connection_close(connection, false);
        return;
    }
    connection_process(connection);
}

static void on_end(struct stream *stream, void *owner)
{
    struct connection *connection = owner;
    (void)stream;

    connection->peer_ended = true;
    connection->last_read = true;
    if (connection->reading != NULL) {
        call_free(connection->reading);
        connection->reading = NULL;
    }
    /* Whoever listens to a stream of events and ends has gone away; whoever asked
     * and ended may still want the answer. */
    list_each (&connection->calls, link) {
        struct call *call = container_of(link, struct call, link);
        if (call->begun && !call->ended) {
            connection_close(connection, false);
            return;
        }
    }
    connection_send_answers(connection);
    connection_choose_phase(connection);
}

static void on_error(struct stream *stream, const struct error *err, void *owner)
{
    struct connection *connection = owner;
    (void)err;

    if (stream_transport(stream) == STREAM_TLS && connection->phase == PHASE_NONE &&
        connection->call_count == 0 && stream_received_bytes(stream) == 0)
        connection->server->counts.handshakes_failed++;
    connection_close(connection, false);
}

static void on_drain(struct stream *stream, void *owner)
{
    struct connection *connection = owner;
    (void)stream;

    if (!list_is_empty(&connection->calls)) {
        struct call *call = container_of(connection->calls.next, struct call, link);
        if (call->begun && !call->ended && call->public.on_drain != NULL)
            call->public.on_drain(&call->public);
    }
    if (connection->stream != NULL && !connection->processing)
        connection_process(connection);
}

static const struct stream_events events = {on_open, on_data, on_end, on_error, on_drain};

/* --- the server --- */

static void on_accept(struct listener *listener, int fd, void *owner)
{
    struct http_server *server = owner;
    struct error err;
    struct stream_options options = {.tls = server->tls[listener - server->listeners],
                                     .open_timeout_ms = server->config.header_timeout_ms,
                                     .write_limit = STREAM_WRITE_LIMIT};

    server->counts.connections++;
    struct connection *connection =
        server->connections_held >= server->config.connection_limit
            ? NULL
            : calloc(1, sizeof *connection);
    if (connection == NULL) {
        server->counts.connections_refused++;
        close(fd);
        return;
    }
    connection->server = server;
    connection->timer.fire = on_timeout;
    buffer_init(&connection->input, 0);
    list_init(&connection->calls);
    h1_parse_init(&connection->parse, &connection->message, connection->headers,
                  H1_HEADERS_DEFAULT);
    if (stream_accept(server->uv, fd, &options, &events, connection, &connection->stream,
                      &err) != GW_OK) {
        server->counts.connections_refused++;
        free(connection);
        return;
    }
    list_append(&server->connections, &connection->link);
    server->connections_held++;
    server->counts.connections_open++;
}

enum result http_server_open(uv_loop_t *loop, const struct http_server_config *config,
                             struct http_server **ret_server, struct error *err)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return error_set(err, GW_NO_MEMORY, "open an HTTP server");
    if (loop_open(&server->loop, loop, err) != GW_OK) {
        free(server);
        return err->code;
    }
    server->uv = loop;
    server->config = *config;
    struct http_server_config *own = &server->config;
    own->body_limit = own->body_limit != 0 ? own->body_limit : BODY_LIMIT;
    own->head_limit = own->head_limit != 0 ? own->head_limit : HEAD_LIMIT;
    own->connection_limit =
        own->connection_limit != 0 ? own->connection_limit : CONNECTION_LIMIT;
    own->pipeline_limit = own->pipeline_limit != 0 ? own->pipeline_limit : PIPELINE_LIMIT;
    own->header_timeout_ms =
        own->header_timeout_ms != 0 ? own->header_timeout_ms : HEADER_TIMEOUT_MS;
    own->idle_timeout_ms =
        own->idle_timeout_ms != 0 ? own->idle_timeout_ms : IDLE_TIMEOUT_MS;
    list_init(&server->connections);
    *ret_server = server;
    return GW_OK;
}

enum result http_server_listen(struct http_server *server, int fd, struct tls_context *tls,
                               struct error *err)
{
    if (server->listener_count == LISTENERS_MAX || server->draining) {
        close(fd);
        return error_set(err, GW_LIMIT, "an HTTP server listens on at most %d sockets",
                         LISTENERS_MAX);
    }
    unsigned index = server->listener_count;
    if (listener_open(&server->listeners[index], server->uv, fd, on_accept, server, err) !=
        GW_OK)
        return err->code;
    server->tls[index] = tls_context_ref(tls);
    server->listener_count++;
    server->listeners_open++;
    return GW_OK;
}

void http_server_set_tls(struct http_server *server, struct tls_context *tls)
{
    for (unsigned i = 0; i < server->listener_count && tls != NULL; i++) {
        if (server->tls[i] == NULL)
            continue;
        tls_context_unref(server->tls[i]);
        server->tls[i] = tls_context_ref(tls);
    }
}

static void on_listener_closed(struct listener *listener, void *owner)
{
    struct http_server *server = owner;
    (void)listener;
    server->listeners_open--;
    handles_may_end(server);
}

void http_server_drain(struct http_server *server)
{
    if (server->draining)
        return;
    server->draining = true;
    for (unsigned i = 0; i < server->listener_count; i++)
        listener_close(&server->listeners[i], on_listener_closed);
    list_each (&server->connections, link) {
        struct connection *connection = container_of(link, struct connection, link);
        if (connection->call_count == 0 && connection->reading == NULL &&
            connection->input.size == 0)
            connection_close(connection, true);
    }
}

void http_server_close(struct http_server *server, http_server_close_cb closed, void *owner)
{
    if (server == NULL || server->closing)
        return;
    http_server_drain(server);
    server->closed = closed;
    server->closed_owner = owner;
    while (!list_is_empty(&server->connections))
        connection_close(container_of(server->connections.next, struct connection, link),
                         false);
    server->closing = true;
    handles_may_end(server);
}

const struct http_server_counts *http_server_counts(const struct http_server *server)
{
    return &server->counts;
}
