/* One connection per call: a command makes one or two, and a fresh connection
 * has no state to go wrong. The price is a TLS handshake each, about a
 * millisecond. */
#include "cli/call.h"

#include "base/instant.h"
#include "http/chunked.h"
#include "http/h1_parse.h"
#include "net/blocking.h"

#include <stdio.h>

void answer_init(struct answer *answer)
{
    memset(answer, 0, sizeof *answer);
    buffer_init(&answer->body, ANSWER_MAX);
    arena_init(&answer->arena, 0, 0);
}

void answer_free(struct answer *answer)
{
    buffer_deinit(&answer->body);
    arena_deinit(&answer->arena);
}

/* What is left of a connection's bytes, read as one HTTP response. */
struct reading {
    struct blocking *connection;
    uint64_t deadline_ms; /* of the head, then of the body */
    uint64_t whole_ms;
    uint64_t idle_ms; /* of the body; 0: the deadline is for all */
    struct buffer in;
};

static enum result read_more(struct reading *reading, bool *ret_end, struct error *err)
{
    char *room = buffer_reserve(&reading->in, 65536);
    size_t size = 0;

    if (room == NULL)
        return error_set(err, GW_TOO_LARGE, "the answer is larger than %u MiB",
                         ANSWER_MAX >> 20);
    if (blocking_read(reading->connection, room, 65536, reading->deadline_ms, &size, err) !=
        GW_OK)
        return err->code;
    buffer_commit(&reading->in, size);
    *ret_end = size == 0;
    return GW_OK;
}

static void copy_header(const struct http_message *head, const char *name, char *out,
                        size_t size)
{
    const struct http_header *header = message_find(head, slice_from_string(name), NULL);

    out[0] = '\0';
    if (header != NULL)
        snprintf(out, size, "%.*s", SLICE_ARG(header->value));
}

static enum result cut_off(struct error *err)
{
    return error_set(err, GW_UNKNOWN_OUTCOME,
                     "the connection ended in the middle of the answer");
}

/* Hands on what has come so far, if somebody takes it. */
static bool deliver(struct answer *answer, struct error *err)
{
    const struct body_taker *taker = answer->taker;

    if (taker == NULL || answer->status != 200 || answer->body.size == 0)
        return true;
    bool is_taken = taker->take(taker->owner, buffer_slice(&answer->body), err);
    buffer_reset(&answer->body);
    answer->is_refused = !is_taken;
    return is_taken;
}

static enum result read_body(struct reading *reading, size_t head_size, uint8_t framing,
                             uint64_t length, struct answer *answer, struct error *err)
{
    struct buffer *body = &answer->body;
    struct chunked chunked;
    bool is_end = false;

    if (answer->taker != NULL && answer->status == 200)
        answer->taker->begin(answer->taker->owner);
    bool is_endless = reading->idle_ms != 0 && answer->status == 200;
    buffer_consume(&reading->in, head_size);
    chunked_init(&chunked);
    for (;;) {
        if (framing == HTTP_FRAMING_NONE)
            return GW_OK;
        if (framing == HTTP_FRAMING_CHUNKED) {
            struct slice input = buffer_slice(&reading->in), data;
            enum chunked_result result;
            while ((result = chunked_next(&chunked, &input, &data)) == CHUNKED_DATA)
                buffer_append_slice(body, data);
            if (!deliver(answer, err))
                return err->code;
            if (result == CHUNKED_DONE)
                return GW_OK;
            if (result != CHUNKED_MORE)
                return error_set(err, GW_FAILED, "the answer's chunks are malformed");
            buffer_reset(&reading->in);
        } else {
            buffer_append(body, reading->in.data, reading->in.size);
            buffer_reset(&reading->in);
            if (framing == HTTP_FRAMING_LENGTH && body->size >= length) {
                body->size = length;
                return deliver(answer, err) ? GW_OK : err->code;
            }
        }
        if (body->failed)
            return error_set(err, GW_TOO_LARGE, "the answer is larger than %u MiB",
                             ANSWER_MAX >> 20);
        if (is_end)
            return framing == HTTP_FRAMING_UNTIL_CLOSE ? GW_OK : cut_off(err);
        if (is_endless)
            reading->deadline_ms = instant_monotonic_ms() + reading->idle_ms;
        if (read_more(reading, &is_end, err) != GW_OK)
            return err->code;
    }
}

static enum result read_answer(struct reading *reading, enum http_method method,
                               struct answer *answer, struct error *err)
{
    struct http_header headers[H1_HEADERS_DEFAULT];
    struct http_message head;
    struct h1_parse parse;
    struct h1_limits limits = H1_LIMITS_DEFAULT;
    bool is_end = false;

    h1_parse_init(&parse, &head, headers, H1_HEADERS_DEFAULT);
    for (;;) {
        enum h1_result result =
            reading->in.size == 0
                ? H1_MORE
                : h1_parse_response(&parse, &head, buffer_slice(&reading->in), &limits,
                                    method);
        if (result == H1_DONE && head.status >= 200)
            break;
        if (result == H1_DONE) {
            buffer_consume(&reading->in, head.head_size);
            h1_parse_init(&parse, &head, headers, H1_HEADERS_DEFAULT);
            continue;
        }
        if (result != H1_MORE)
            return error_set(err, GW_FAILED, "the answer is no HTTP/1.1");
        if (is_end)
            return cut_off(err);
        if (read_more(reading, &is_end, err) != GW_OK)
            return err->code;
    }
    /* Whoever has begun to answer is the one that does. */
    reading->deadline_ms = reading->whole_ms;
    answer->status = (int)head.status;
    copy_header(&head, "etag", answer->etag, sizeof answer->etag);
    copy_header(&head, "gw-revision", answer->revision, sizeof answer->revision);
    copy_header(&head, "gw-lag", answer->lag, sizeof answer->lag);
    copy_header(&head, "gw-quarantined", answer->quarantined, sizeof answer->quarantined);
    copy_header(&head, "gw-laggards", answer->laggards, sizeof answer->laggards);
    return read_body(reading, head.head_size, head.framing, head.content_length, answer,
                     err);
}

static void write_head(struct buffer *out, const struct call *call, const char *request_id)
{
    buffer_printf(out,
                  "%s %.*s HTTP/1.1\r\nhost: gwd\r\nconnection: close\r\naccept: "
                  "application/json\r\n",
                  call->method, SLICE_ARG(call->target));
    if (request_id != NULL)
        buffer_printf(out, "idempotency-key: %s\r\n", request_id);
    if (call->after != NULL && call->after[0] != '\0')
        buffer_printf(out, "last-event-id: %s\r\n", call->after);
    if (call->if_match != NULL)
        buffer_printf(out, "if-match: %s\r\n", call->if_match);
    if (call->body.size > 0 || request_id != NULL)
        buffer_printf(out, "content-type: %s\r\ncontent-length: %zu\r\n",
                      call->content_type != NULL ? call->content_type : "application/json",
                      call->body.size);
    buffer_append_slice(out, SLICE("\r\n"));
}

enum result call_run(const struct call *call, struct slice endpoint,
                     struct tls_context *tls, const char *request_id,
                     const struct call_deadlines *by, struct answer *answer,
                     bool *ret_was_sent, struct error *err)
{
    bool is_tls = slice_starts_with(endpoint, SLICE("https://"));
    struct slice target = is_tls ? slice_from(endpoint, 8) : endpoint;
    struct tls_expect expect = {.kind = IDENTITY_NODE};
    struct reading reading = {
        .deadline_ms = by->begun_ms, .whole_ms = by->whole_ms, .idle_ms = call->idle_ms};
    uint64_t now_ms = instant_monotonic_ms();
    struct buffer head;

    *ret_was_sent = false;
    if (slice_ends_with(target, SLICE("/")))
        target.size--;
    if (blocking_connect(target, is_tls ? tls : NULL, is_tls ? &expect : NULL,
                         by->connected_ms > now_ms ? by->connected_ms - now_ms : 1,
                         &reading.connection, err) != GW_OK) {
        /* Whoever does not speak TLS, or not ours, is not the node that was meant. */
        if (err->code != GW_UNAUTHORISED && err->code != GW_FORBIDDEN)
            err->code = GW_UNREACHABLE;
        return err->code;
    }
    *ret_was_sent = true;
    buffer_init(&head, 0);
    buffer_init(&reading.in, ANSWER_MAX);
    write_head(&head, call, request_id);
    enum result result =
        blocking_write(reading.connection, buffer_slice(&head), by->begun_ms, err);
    if (result == GW_OK && call->body.size > 0)
        result = blocking_write(reading.connection, call->body, by->begun_ms, err);
    /* An answer may have come before the body was taken in: a refusal says more than EPIPE.
     */
    struct error read_err = ERROR_NONE;
    enum result read_result = read_answer(
        &reading, strcmp(call->method, "HEAD") == 0 ? HTTP_METHOD_HEAD : HTTP_METHOD_GET,
        answer, &read_err);
    if (read_result == GW_OK) {
        result = GW_OK;
    } else if (result == GW_OK) {
        *err = read_err;
        result = read_result;
    }
    buffer_deinit(&head);
    buffer_deinit(&reading.in);
    blocking_close(reading.connection);
    return result;
}
