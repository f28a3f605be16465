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
#include "net/http_server.h"

#include "base/emit.h"
#include "base/instant.h"
#include "http/chunked.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"
#include "net/listener.h"
#include "net/loop.h"

#include <stdlib.h>
#include <unistd.h>

#define LISTENERS_MAX     8
#define BODY_LIMIT        (1024 * 1024)
#define HEAD_LIMIT        32768
#define CONNECTION_LIMIT  256
#define PIPELINE_LIMIT    16
#define HEADER_TIMEOUT_MS 10000
#define IDLE_TIMEOUT_MS   60000
#define LINGER_MS         2000
#define QUEUE_HIGH        (1024 * 1024) /* above: no more requests, no more pieces */
#define STREAM_WRITE_LIMIT                                         \
    (256u * 1024 * 1024) /* for whole answers, whose size we chose \
                          */

struct http_server {
    uv_loop_t *uv;
    struct http_server_config config;
    struct loop loop; /* the connections' timers */
    struct listener listeners[LISTENERS_MAX];
    struct tls_context *tls[LISTENERS_MAX]; /* shared; NULL: plain */
    unsigned listener_count;
    unsigned listeners_open;
    struct list_link connections;
    unsigned connections_held; /* until their streams are closed */
    unsigned calls_held;       /* not answered yet */
    struct http_server_counts counts;
    struct http_date date;
    http_server_close_cb closed;
    void *closed_owner;
    bool draining;
    bool closing;
    bool loop_closing;
    bool loop_closed;
};

enum phase { PHASE_NONE, PHASE_IDLE, PHASE_HEAD, PHASE_BODY, PHASE_BROKEN };

struct connection {
    struct list_link link;
    struct http_server *server;
    struct stream *stream; /* owned; NULL: closing */
    struct wheel_timer timer;
    enum phase phase;     /* what the timer waits for */
    size_t stalled_bytes; /* queued when the idle timer was set */
    struct buffer input;  /* from the start of a head, or of what is left of a body */
    struct h1_parse parse;
    struct http_message message;
    struct http_header headers[H1_HEADERS_DEFAULT];
    struct call *reading; /* owned; its head is read, its body is not */
    struct chunked chunked;
    uint64_t body_left;
    bool body_chunked;
    struct list_link calls; /* in line for answers */
    unsigned call_count;
    bool last_read;  /* reads no further request: an error, or a close was agreed */
    bool peer_ended; /* the client sends no more */
    bool processing;
    bool paused;
};

struct call {
    struct http_call public;
    struct list_link link;
    struct connection *connection; /* NULL: gone */
    struct identity identity;
    struct buffer body;
    struct buffer answer; /* waits for its turn */
    bool begun;           /* the head of the answer is written */
    bool ended;           /* the answer is whole */
    bool chunked;
    bool keep_alive; /* what the client wants */
    bool is_1_0;
    bool continue_due; /* 100 Continue is awaited */
    struct http_field fields[];
};

static void process(struct connection *connection);
static void send_answers(struct connection *connection);

static struct call *call_of(struct http_call *public)
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

static void call_free(struct call *call)
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
static void connection_close(struct connection *connection, bool gently)
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

static void set_phase(struct connection *connection, enum phase phase)
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
static void connection_break(struct connection *connection)
{
    connection->last_read = true;
    connection->phase = PHASE_BROKEN;
    loop_start_timer(&connection->server->loop, &connection->timer, 0);
}

static void refuse(struct connection *connection, unsigned status, const char *what);

static void on_timeout(struct wheel_timer *timer, uint64_t now_ms)
{
    struct connection *connection = container_of(timer, struct connection, timer);
    enum phase phase = connection->phase;
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
    refuse(connection, 408, "the request did not come whole in time");
    send_answers(connection);
}

static void choose_phase(struct connection *connection)
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

static bool has_body(const struct call *call, unsigned status)
{
    return !call->public.is_head && status >= 200 && status != 204 && status != 304;
}

/* Appends the head of the answer. `size` SIZE_MAX: not known. */
static void write_head(struct call *call, unsigned status, const struct http_field *fields,
                       size_t field_count, size_t size)
{
    struct http_server *server = call->public.server;
    struct h1_write out;
    size_t room = 512;

    if (call->connection == NULL)
        return;
    /* Calls in line behind this one still get their answers. */
    bool is_last = call->connection->calls.prev == &call->link;
    bool keep = call->keep_alive && !(server->draining && is_last);
    if (server->config.server_name != NULL)
        room += strlen(server->config.server_name);
    for (size_t i = 0; i < field_count; i++)
        room += fields[i].name.size + fields[i].value.size + 4;
    char *place = buffer_reserve(&call->answer, room);
    if (place == NULL) {
        call->keep_alive = false;
        return;
    }
    call->chunked = size == SIZE_MAX && !call->is_1_0 && has_body(call, status);
    if (size == SIZE_MAX && call->is_1_0)
        keep = false; /* only the end of the connection ends the body */
    h1_write_init(&out, place, room);
    h1_write_status_line(&out, status, (struct slice){0});
    if (server->config.server_name != NULL)
        h1_write_header(&out, SLICE("server"),
                        slice_from_string(server->config.server_name));
    h1_write_date(&out, &server->date, instant_wall_ms());
    for (size_t i = 0; i < field_count; i++) {
        struct h1_write before = out;
        h1_write_header_checked(&out, fields[i].name, fields[i].value);
        if (out.failed)
            out = before; /* a value with a line end: left out, never sent */
    }
    if (call->chunked)
        h1_write_header(&out, SLICE("transfer-encoding"), SLICE("chunked"));
    else if (size != SIZE_MAX && status >= 200 && status != 204 && status != 304)
        h1_write_header_u64(&out, SLICE("content-length"), size);
    if (!keep)
        h1_write_header(&out, SLICE("connection"), SLICE("close"));
    else if (call->is_1_0)
        h1_write_header(&out, SLICE("connection"), SLICE("keep-alive"));
    h1_write_end(&out);
    if (out.failed)
        call->answer.failed = true;
    buffer_commit(&call->answer, out.size);
    call->keep_alive = keep;
    call->begun = true;
}

/* Sends what is due of the calls in line, and closes if that was agreed. */
static void send_answers(struct connection *connection)
{
    while (connection->stream != NULL && !list_is_empty(&connection->calls)) {
        struct call *call = container_of(connection->calls.next, struct call, link);
        /* The analyser does not see that freed calls have left the list. */
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        if (call->answer.failed) {
            connection_break(connection); /* better no answer than half of one */
            return;
        }
        if (call->answer.size > 0) {
            size_t size = 0;
            char *data = buffer_take(&call->answer, &size);
            if (stream_write_take(connection->stream, data, size) != GW_OK) {
                connection_break(connection);
                return;
            }
        }
        if (!call->ended)
            return;
        bool keep = call->keep_alive;
        connection->call_count--;
        list_take_first(&connection->calls);
        call_free(call);
        if (!keep) {
            connection_close(connection, true);
            return;
        }
    }
    if (connection->stream == NULL)
        return;
    if (connection->reading != NULL && connection->reading->continue_due) {
        connection->reading->continue_due = false;
        stream_write(connection->stream, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    if (connection->peer_ended ||
        (connection->server->draining && connection->reading == NULL &&
         connection->input.size == 0))
        connection_close(connection, true);
}

/* After an answer ended, from outside of process. */
static void go_on(struct connection *connection)
{
    send_answers(connection);
    if (connection->stream != NULL && !connection->processing)
        process(connection);
}

void http_server_reply(struct http_call *public, unsigned status,
                       const struct http_field *fields, size_t field_count,
                       struct slice body)
{
    struct call *call = call_of(public);
    struct connection *connection = call->connection;

    if (connection == NULL) {
        call_free(call);
        return;
    }
    write_head(call, status, fields, field_count, body.size);
    if (has_body(call, status))
        buffer_append_slice(&call->answer, body);
    call->ended = true;
    go_on(connection);
}

void http_server_reply_begin(struct http_call *public, unsigned status,
                             const struct http_field *fields, size_t field_count)
{
    struct call *call = call_of(public);

    if (call->connection == NULL || call->begun)
        return;
    write_head(call, status, fields, field_count, SIZE_MAX);
    if (!has_body(call, status))
        call->public.is_head = true; /* pieces are dropped */
    send_answers(call->connection);
}

static bool is_first(const struct call *call)
{
    return call->connection->calls.next == &call->link;
}

enum result http_server_reply_write(struct http_call *public, struct slice data)
{
    struct call *call = call_of(public);
    char head[CHUNKED_HEAD_MAX];

    if (call->connection == NULL)
        return GW_CLOSED;
    if (data.size == 0 || call->public.is_head)
        return GW_OK;
    size_t queued = http_server_reply_queued(public);
    if (queued > 0 && queued + data.size > QUEUE_HIGH)
        return GW_LIMIT;
    if (call->chunked)
        buffer_append(&call->answer, head, chunked_head(data.size, head));
    buffer_append_slice(&call->answer, data);
    if (call->chunked)
        buffer_append_slice(&call->answer, CHUNKED_TAIL);
    send_answers(call->connection);
    /* send_answers keeps a call that has not ended, unless the connection broke. */
    return call->connection == NULL ? GW_CLOSED : GW_OK;
}

size_t http_server_reply_queued(struct http_call *public)
{
    const struct call *call = call_of(public);
    if (call->connection == NULL)
        return 0;
    return call->answer.size +
           (is_first(call) ? stream_queued_bytes(call->connection->stream) : 0);
}

void http_server_reply_end(struct http_call *public)
{
    struct call *call = call_of(public);
    struct connection *connection = call->connection;

    if (connection == NULL) {
        call_free(call);
        return;
    }
    if (call->chunked)
        buffer_append_slice(&call->answer, CHUNKED_LAST);
    call->ended = true;
    go_on(connection);
}

/* A problem document has every key, always; this layer knows of no errors by field,
 * revisions or changed keys. */
static void write_problem(struct buffer *out, unsigned status, enum result code,
                          const char *detail)
{
    struct emit emit;
    char type[64];

    snprintf(type, sizeof type, "urn:quorumgate:%s", result_word(code));
    emit_init(&emit, out, false);
    emit_object(&emit);
    emit_key(&emit, "type");
    emit_cstring(&emit, type);
    emit_key(&emit, "title");
    emit_string(&emit, http_status_text(status));
    emit_key(&emit, "status");
    emit_u64(&emit, status);
    emit_key(&emit, "code");
    emit_cstring(&emit, result_word(code));
    emit_key(&emit, "detail");
    emit_cstring(&emit, detail);
    emit_key(&emit, "errors");
    emit_array(&emit);
    emit_array_end(&emit);
    emit_key(&emit, "revision");
    emit_null(&emit);
    emit_key(&emit, "changed");
    emit_array(&emit);
    emit_array_end(&emit);
    emit_object_end(&emit);
}

void http_server_reply_error(struct http_call *public, const struct error *err)
{
    struct buffer text;
    unsigned status = (unsigned)result_http_status(err->code);
    const struct http_field type = {SLICE("content-type"),
                                    SLICE("application/problem+json")};

    buffer_init(&text, 0);
    write_problem(&text, status, err->code, err->text);
    http_server_reply(public, status, &type, 1, buffer_slice(&text));
    buffer_deinit(&text);
}

/* --- requests --- */

/* A place in line without a request, for what the server answers itself. */
static struct call *call_new(struct connection *connection, size_t field_count,
                             size_t extra)
{
    struct call *call =
        calloc(1, sizeof *call + field_count * sizeof(struct http_field) + extra);
    if (call == NULL)
        return NULL;
    call->public.server = connection->server;
    call->public.fields = call->fields;
    call->public.field_count = field_count;
    call->public.identity = &call->identity;
    call->connection = connection;
    connection->server->calls_held++;
    buffer_init(&call->body, connection->server->config.body_limit);
    buffer_init(&call->answer, 0);
    return call;
}

/* Into the line of answers. */
static void line_up(struct call *call)
{
    list_append(&call->connection->calls, &call->link);
    call->connection->call_count++;
}

/* Answers what was no fit request, and reads no more. The caller sends. */
static void refuse(struct connection *connection, unsigned status, const char *what)
{
    struct buffer text;
    const struct http_field type = {SLICE("content-type"),
                                    SLICE("application/problem+json")};
    bool was_head = connection->reading != NULL && connection->reading->public.is_head;

    connection->server->counts.requests_malformed++;
    connection->last_read = true;
    if (connection->reading != NULL) {
        call_free(connection->reading);
        connection->reading = NULL;
    }
    buffer_reset(&connection->input);
    struct call *call = call_new(connection, 0, 0);
    if (call == NULL)
        return;
    call->public.is_head = was_head;
    line_up(call);
    buffer_init(&text, 0);
    write_problem(&text, status,
                  status == 413 || status == 431 ? GW_TOO_LARGE
                  : status == 408                ? GW_TIMEOUT
                  : status == 405                ? GW_METHOD_NOT_ALLOWED
                                                 : GW_MALFORMED,
                  what);
    write_head(call, status, &type, 1, text.size);
    if (has_body(call, status))
        buffer_append_slice(&call->answer, buffer_slice(&text));
    buffer_deinit(&text);
    call->ended = true;
}

/* A slice of the head, in its copy; one of elsewhere (a constant) as it is. */
static struct slice moved(struct slice s, struct slice head, const char *to)
{
    uintptr_t offset = (uintptr_t)s.data - (uintptr_t)head.data;
    return offset <= head.size ? slice_of(to + offset, s.size) : s;
}

/* The head is whole: gives it memory of its own. */
static void begin_call(struct connection *connection)
{
    struct http_message *message = &connection->message;
    const struct http_server_config *config = &connection->server->config;
    struct slice from = slice_of(connection->input.data, message->head_size);
    size_t count = message->header_count;

    struct call *call = call_new(connection, count, message->head_size);
    if (call == NULL) {
        refuse(connection, 503, "out of memory");
        return;
    }
    char *to = (char *)&call->fields[count];
    memcpy(to, from.data, from.size);
    for (size_t i = 0; i < count; i++) {
        call->fields[i].name = moved(message->headers[i].name, from, to);
        call->fields[i].value = moved(message->headers[i].value, from, to);
    }
    call->public.method = moved(message->method_name, from, to);
    call->public.target = moved(message->target, from, to);
    call->public.path = moved(message->path, from, to);
    call->public.query = moved(message->query, from, to);
    call->public.host = moved(message->host, from, to);
    call->public.transport = stream_transport(connection->stream);
    call->identity = *stream_identity(connection->stream);
    if (!stream_peer_address(connection->stream, &call->public.peer))
        call->public.peer.size = 0;
    call->public.is_head = message->method == HTTP_METHOD_HEAD;
    call->keep_alive = message->keep_alive;
    call->is_1_0 = message->minor == 0;
    connection->reading = call;

    uint64_t length = message->framing == HTTP_FRAMING_LENGTH ? message->content_length : 0;
    bool expects = message->expect_continue && !call->is_1_0 &&
                   (length > 0 || message->framing == HTTP_FRAMING_CHUNKED);
    buffer_consume(&connection->input, message->head_size);
    if (length > config->body_limit) {
        refuse(connection, 413, "the body is larger than the limit");
        return;
    }
    connection->body_left = length;
    connection->body_chunked = message->framing == HTTP_FRAMING_CHUNKED;
    chunked_init(&connection->chunked);
    if (expects && connection->input.size == 0) {
        call->continue_due = true;
        if (connection->call_count == 0)
            send_answers(connection);
    }
}

/* Takes of the body what is there. True: it is whole. */
static bool read_body(struct connection *connection)
{
    struct call *call = connection->reading;

    if (!connection->body_chunked) {
        struct slice part =
            slice_sub(buffer_slice(&connection->input), 0, connection->body_left);
        if (!buffer_append_slice(&call->body, part)) {
            refuse(connection, 413, "the body is larger than the limit");
            return false;
        }
        connection->body_left -= part.size;
        buffer_consume(&connection->input, part.size);
        return connection->body_left == 0;
    }
    struct slice input = buffer_slice(&connection->input);
    for (;;) {
        struct slice part;
        switch (chunked_next(&connection->chunked, &input, &part)) {
        case CHUNKED_DATA:
            if (buffer_append_slice(&call->body, part))
                continue;
            refuse(connection, 413, "the body is larger than the limit");
            return false;
        case CHUNKED_MORE:
            buffer_reset(&connection->input);
            return false;
        case CHUNKED_DONE:
            buffer_consume(&connection->input, connection->input.size - input.size);
            return true;
        case CHUNKED_TOO_LARGE:
            refuse(connection, 431,
                   "chunk extensions or trailers are larger than the limit");
            return false;
        case CHUNKED_BAD:
            refuse(connection, 400, "the chunked coding of the body is malformed");
            return false;
        }
    }
}

static const char *what_is_wrong(enum h1_result result)
{
    switch (result) {
    case H1_TARGET_TOO_LONG:
        return "the request target is too long";
    case H1_HEADER_TOO_LARGE:
        return "the header is too large";
    case H1_NOT_IMPLEMENTED:
        return "the method or the transfer coding is not known";
    case H1_VERSION:
        return "only HTTP/1.1 and HTTP/1.0 are spoken";
    case H1_CONNECT:
        return "CONNECT is not served here";
    default:
        return "not a valid HTTP request";
    }
}

/* Tries to read one head. False: there is none yet, or none ever. */
static bool read_head(struct connection *connection)
{
    const struct h1_limits limits = {.head_bytes = connection->server->config.head_limit,
                                     .target_bytes = 8192};
    enum h1_result result = h1_parse_request(&connection->parse, &connection->message,
                                             buffer_slice(&connection->input), &limits);
    if (result == H1_MORE)
        return false;
    if (result != H1_DONE) {
        refuse(connection, (unsigned)h1_result_http_status(result), what_is_wrong(result));
        return false;
    }
    begin_call(connection);
    h1_parse_init(&connection->parse, &connection->message, connection->headers,
                  H1_HEADERS_DEFAULT);
    return connection->reading != NULL;
}

static void dispatch(struct connection *connection)
{
    struct call *call = connection->reading;
    struct http_server *server = connection->server;

    connection->reading = NULL;
    if (!call->keep_alive)
        connection->last_read = true;
    call->public.body = buffer_slice(&call->body);
    server->counts.requests++;
    line_up(call);
    server->config.handler(&call->public, server->config.owner);
}

/* Reads as many requests as there are and may be. */
static void process(struct connection *connection)
{
    const struct http_server_config *config = &connection->server->config;

    connection->processing = true;
    while (connection->stream != NULL && !connection->last_read) {
        bool full = connection->call_count >= config->pipeline_limit ||
                    stream_queued_bytes(connection->stream) > QUEUE_HIGH;
        if (full && connection->reading == NULL) {
            connection->paused = true;
            stream_pause(connection->stream);
            break;
        }
        if (connection->reading == NULL) {
            if (connection->input.size == 0 || !read_head(connection))
                break;
        }
        if (!read_body(connection))
            break;
        dispatch(connection);
    }
    connection->processing = false;
    if (connection->stream == NULL)
        return;
    if (connection->last_read)
        buffer_reset(&connection->input);
    send_answers(connection);
    if (connection->stream == NULL)
        return;
    if (connection->paused && (connection->last_read ||
                               (connection->call_count < config->pipeline_limit &&
                                stream_queued_bytes(connection->stream) <= QUEUE_HIGH))) {
        connection->paused = false;
        stream_resume(connection->stream);
    }
    choose_phase(connection);
}

/* --- what streams tell --- */

static void on_open(struct stream *stream, void *owner)
{
    (void)stream;
    choose_phase(owner);
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
    process(connection);
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
    send_answers(connection);
    choose_phase(connection);
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
        process(connection);
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
