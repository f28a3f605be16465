/* Requests of the HTTP server: heads and bodies, from the input into calls of their own
 * memory. */
#include "net/http_server_private.h"

#include <stdlib.h>

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
void connection_refuse(struct connection *connection, unsigned status, const char *what)
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
    http_write_problem(&text, status,
                       status == 413 || status == 431 ? GW_TOO_LARGE
                       : status == 408                ? GW_TIMEOUT
                       : status == 405                ? GW_METHOD_NOT_ALLOWED
                                                      : GW_MALFORMED,
                       what);
    call_write_head(call, status, &type, 1, text.size);
    if (call_has_body(call, status))
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
        connection_refuse(connection, 503, "out of memory");
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
        connection_refuse(connection, 413, "the body is larger than the limit");
        return;
    }
    connection->body_left = length;
    connection->body_chunked = message->framing == HTTP_FRAMING_CHUNKED;
    chunked_init(&connection->chunked);
    if (expects && connection->input.size == 0) {
        call->continue_due = true;
        if (connection->call_count == 0)
            connection_send_answers(connection);
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
            connection_refuse(connection, 413, "the body is larger than the limit");
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
            connection_refuse(connection, 413, "the body is larger than the limit");
            return false;
        case CHUNKED_MORE:
            buffer_reset(&connection->input);
            return false;
        case CHUNKED_DONE:
            buffer_consume(&connection->input, connection->input.size - input.size);
            return true;
        case CHUNKED_TOO_LARGE:
            connection_refuse(connection, 431,
                              "chunk extensions or trailers are larger than the limit");
            return false;
        case CHUNKED_TRAILER: /* not asked for */
        case CHUNKED_BAD:
            connection_refuse(connection, 400,
                              "the chunked coding of the body is malformed");
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
        connection_refuse(connection, (unsigned)h1_result_http_status(result),
                          what_is_wrong(result));
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
void connection_process(struct connection *connection)
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
    connection_send_answers(connection);
    if (connection->stream == NULL)
        return;
    if (connection->paused && (connection->last_read ||
                               (connection->call_count < config->pipeline_limit &&
                                stream_queued_bytes(connection->stream) <= QUEUE_HIGH))) {
        connection->paused = false;
        stream_resume(connection->stream);
    }
    connection_choose_phase(connection);
}

/* --- what streams tell --- */
