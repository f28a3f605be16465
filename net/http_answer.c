/* Answers of the HTTP server: heads, bodies whole or in pieces, problems; in the order in
 * which the requests came. */
#include "net/http_server_private.h"

#include "base/instant.h"
#include "base/problem_head.h"

#include <stdlib.h>

bool call_has_body(const struct call *call, unsigned status)
{
    return !call->public.is_head && status >= 200 && status != 204 && status != 304;
}

/* Appends the head of the answer. `size` SIZE_MAX: not known. */
void call_write_head(struct call *call, unsigned status, const struct http_field *fields,
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
    call->chunked = size == SIZE_MAX && !call->is_1_0 && call_has_body(call, status);
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
void connection_send_answers(struct connection *connection)
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
    connection_send_answers(connection);
    if (connection->stream != NULL && !connection->processing)
        connection_process(connection);
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
    call_write_head(call, status, fields, field_count, body.size);
    if (call_has_body(call, status))
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
    call_write_head(call, status, fields, field_count, SIZE_MAX);
    if (!call_has_body(call, status))
        call->public.is_head = true; /* pieces are dropped */
    connection_send_answers(call->connection);
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
    connection_send_answers(call->connection);
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
void http_write_problem(struct buffer *out, unsigned status, enum result code,
                        const char *detail)
{
    struct emit emit;

    emit_init(&emit, out, false);
    emit_object(&emit);
    problem_head_emit(&emit, http_status_text(status), status, code, detail);
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
    http_write_problem(&text, status, err->code, err->text);
    http_server_reply(public, status, &type, 1, buffer_slice(&text));
    buffer_deinit(&text);
}

/* --- requests --- */
