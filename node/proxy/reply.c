/* The gateway's own answers: written whole into the worker's head buffer, sent
 * in one write. */
#include "node/proxy/reply.h"

#include "node/proxy/access.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define PROBLEM_BYTES 768

static struct slice problem_body(char *out, unsigned status, enum reason reason,
                                 struct slice request_id)
{
    const struct reason_text *text = reason_text(reason);
    struct slice title = http_status_text(status);
    int size = snprintf(out, PROBLEM_BYTES,
                        "{\"type\":\"about:blank\",\"title\":\"%.*s\",\"status\":%u,"
                        "\"detail\":\"%.*s\",\"reason\":\"%.*s\",\"requestId\":\"%.*s\"}\n",
                        SLICE_ARG(title), status, SLICE_ARG(text->detail),
                        SLICE_ARG(text->word), SLICE_ARG(request_id));
    return slice_of(out, (size_t)size);
}

static void write_allowed(struct h1_write *out, uint32_t allowed)
{
    bool is_first = true;
    h1_write_literal(out, "allow: ");
    for (unsigned method = 1; method < HTTP_METHOD_COUNT; method++) {
        if ((allowed & 1u << method) == 0)
            continue;
        struct slice name = http_method_name((enum http_method)method);
        if (!is_first)
            h1_write_literal(out, ", ");
        is_first = false;
        h1_write_bytes(out, name.data, name.size);
    }
    h1_write_literal(out, "\r\n");
}

#define NO_LENGTH SIZE_MAX /* RFC 9110 §8.6: 204 has none, and 304 not that of its page */

/* What all of them have, up to the body. */
static void write_common(struct h1_write *out, struct worker *worker,
                         struct slice request_id, size_t body_size, bool closes,
                         bool is_http10)
{
    if (body_size != NO_LENGTH)
        h1_write_header_u64(out, SLICE("content-length"), body_size);
    h1_write_date(out, &worker->date, core_wall_ms(worker));
    h1_write_header(out, SLICE("x-request-id"), request_id);
    if (closes)
        h1_write_literal(out, "connection: close\r\n");
    else if (is_http10)
        h1_write_literal(out, "connection: keep-alive\r\n");
    h1_write_end(out);
}

static void write_changes(struct h1_write *out, const struct exchange *exchange)
{
    for (uint32_t i = 0; i < exchange->change_count; i++) {
        const struct exchange_change *change = &exchange->changes[i];
        if (change->value.data != NULL)
            h1_write_header_checked(out, change->name, change->value);
    }
}

static void send_answer(struct exchange *exchange, const struct h1_write *out)
{
    struct client *client = exchange->client;
    uv_buf_t buf = uv_buf_init(out->data, (unsigned)out->size);
    exchange->answer_started = true;
    enum flow_result result = client_send(client, &buf, 1);
    if (result == FLOW_FAILED) {
        exchange_client_gone(exchange);
        client_close(client);
        return;
    }
    exchange_finish(exchange, result == FLOW_QUEUED);
}

void reply_problem(struct exchange *exchange, enum reason reason, uint32_t allowed)
{
    struct worker *worker = exchange->worker;
    const struct reason_text *text = reason_text(reason);
    char body[PROBLEM_BYTES];
    struct slice problem = problem_body(body, text->status, reason, exchange->request_id);
    struct h1_write out;

    exchange->reason = (uint8_t)reason;
    exchange->status = text->status;
    h1_write_init(&out, worker->head, CORE_HEAD_BYTES);
    h1_write_status_line(&out, text->status, (struct slice){NULL, 0});
    h1_write_literal(&out, "content-type: application/problem+json\r\n");
    if (snapshot_settings(exchange->serving->snapshot)->reason_header)
        h1_write_header(&out, SLICE("gw-reason"), text->word);
    if (exchange->retry_after_s > 0)
        h1_write_header_u64(&out, SLICE("retry-after"), exchange->retry_after_s);
    if (reason == REASON_METHOD_NOT_ALLOWED)
        write_allowed(&out, allowed);
    size_t before = out.size;
    write_changes(&out, exchange);
    if (out.failed) { /* a header's value that cannot be sent */
        out.failed = false;
        out.size = before;
    }
    write_common(&out, worker, exchange->request_id, problem.size,
                 exchange_closes(exchange) || !exchange->body_done, exchange->minor == 0);
    if (exchange->method != HTTP_METHOD_HEAD) {
        h1_write_bytes(&out, problem.data, problem.size);
        exchange->answer_size = problem.size;
    }
    send_answer(exchange, &out);
}

void reply_options(struct exchange *exchange, uint32_t allowed)
{
    struct h1_write out;
    exchange->status = 204;
    h1_write_init(&out, exchange->worker->head, CORE_HEAD_BYTES);
    h1_write_status_line(&out, 204, (struct slice){NULL, 0});
    write_allowed(&out, allowed);
    write_common(&out, exchange->worker, exchange->request_id, NO_LENGTH,
                 exchange_closes(exchange) || !exchange->body_done, exchange->minor == 0);
    send_answer(exchange, &out);
}

void reply_malformed(struct client *client, unsigned status, enum reason reason)
{
    struct worker *worker = client->worker;
    char memory[REASON_COUNT + 200];
    struct h1_write out;
    char body[PROBLEM_BYTES];
    int size = snprintf(memory, sizeof memory, "%.*s%llx", (int)worker->id_prefix_size,
                        worker->id_prefix, (unsigned long long)++worker->id_counter);
    struct slice request_id = slice_of(memory, (size_t)size);
    struct slice problem = problem_body(body, status, reason, request_id);

    h1_write_init(&out, worker->head, CORE_HEAD_BYTES);
    h1_write_status_line(&out, status, (struct slice){NULL, 0});
    h1_write_literal(&out, "content-type: application/problem+json\r\n");
    if (snapshot_settings(client->acceptor->serving->snapshot)->reason_header)
        h1_write_header(&out, SLICE("gw-reason"), reason_text(reason)->word);
    if (status == 405)
        h1_write_literal(&out, "allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\n");
    write_common(&out, worker, request_id, problem.size, true, false);
    h1_write_bytes(&out, problem.data, problem.size);
    counts_reason(&worker->counts, worker->counts.unmatched, reason);
    counts_request(&worker->counts, worker->counts.unmatched, HTTP_METHOD_OTHER, status, 0,
                   0, problem.size);
    access_malformed(client, status, reason, request_id);
    uv_buf_t buf = uv_buf_init(out.data, (unsigned)out.size);
    client->wants_close = true;
    if (client_send(client, &buf, 1) == FLOW_FAILED)
        client_close(client);
    else
        client_exchange_done(client);
}

void reply_plan(struct exchange *exchange, const struct template_vars *vars)
{
    const struct plan *plan = exchange->reply != NULL ? exchange->reply : exchange->plan;
    struct worker *worker = exchange->worker;
    struct h1_write out;
    bool has_body = plan->status != 204 && plan->status != 304;

    exchange->status = plan->status;
    h1_write_init(&out, worker->head, CORE_HEAD_BYTES);
    h1_write_status_line(&out, plan->status, (struct slice){NULL, 0});
    if (plan->redirect_location != NULL)
        h1_write_header_checked(
            &out, SLICE("location"),
            template_expand(plan->redirect_location, vars, &exchange->arena));
    for (uint32_t i = 0; i < plan->respond_header_count; i++) {
        const struct header_change *change = &plan->respond_headers[i];
        if (change->value != NULL)
            h1_write_header_checked(
                &out, change->name,
                vars == NULL ? exchange->reply_values[i]
                             : template_expand(change->value, vars, &exchange->arena));
    }
    if (exchange->reason != REASON_NONE &&
        snapshot_settings(exchange->serving->snapshot)->reason_header)
        h1_write_header(&out, SLICE("gw-reason"),
                        reason_text((enum reason)exchange->reason)->word);
    write_changes(&out, exchange);
    if (out.failed) { /* a template made a header that cannot be sent */
        reply_problem(exchange, REASON_BAD_REQUEST, 0);
        return;
    }
    write_common(&out, worker, exchange->request_id, has_body ? plan->body.size : NO_LENGTH,
                 exchange_closes(exchange) || !exchange->body_done, exchange->minor == 0);
    if (has_body && exchange->method != HTTP_METHOD_HEAD && plan->body.size > 0) {
        exchange->answer_size = plan->body.size;
        if (plan->body.size > out.capacity - out.size) {
            /* A large body goes behind the head as a buffer of its own. */
            struct client *client = exchange->client;
            uv_buf_t bufs[2] = {uv_buf_init(out.data, (unsigned)out.size),
                                flow_buf(plan->body)};
            exchange->answer_started = true;
            enum flow_result result = client_send(client, bufs, 2);
            if (result == FLOW_FAILED) {
                exchange_client_gone(exchange);
                client_close(client);
                return;
            }
            exchange_finish(exchange, result == FLOW_QUEUED);
            return;
        }
        h1_write_bytes(&out, plan->body.data, plan->body.size);
    }
    send_answer(exchange, &out);
}

void reply_overloaded(struct worker *worker, int fd)
{
    char body[PROBLEM_BYTES], all[PROBLEM_BYTES + 512];
    struct slice problem = problem_body(body, 503, REASON_OVERLOADED, SLICE(""));
    struct h1_write out;
    h1_write_init(&out, all, sizeof all);
    h1_write_literal(&out, "HTTP/1.1 503 Service Unavailable\r\n"
                           "content-type: application/problem+json\r\n"
                           "gw-reason: overloaded\r\nretry-after: 1\r\n");
    h1_write_header_u64(&out, SLICE("content-length"), problem.size);
    h1_write_literal(&out, "connection: close\r\n\r\n");
    h1_write_bytes(&out, problem.data, problem.size);
    counts_reason(&worker->counts, worker->counts.unmatched, REASON_OVERLOADED);
    ssize_t written = write(fd, out.data, out.size);
    (void)written; /* who does not hear it sees the close */
    close(fd);
}
