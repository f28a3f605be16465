/* Beginning, deciding, ending.
 *
 * All that looks at the request's head happens in exchange_begin, while its
 * bytes are in the read buffer: routing, the head for the upstream (which is
 * kept: attempts repeat it), the values of response headers. After that the
 * head's bytes are gone. */
#include "node/proxy/exchange.h"

#include "base/instant.h"
#include "http/coding.h"
#include "http/uri.h"
#include "node/proxy/access.h"
#include "node/proxy/attempt.h"
#include "node/proxy/compress.h"
#include "node/proxy/cors.h"
#include "node/proxy/fallback.h"
#include "node/proxy/forwarded.h"
#include "node/proxy/gate.h"
#include "node/proxy/mirror.h"
#include "node/proxy/relay.h"
#include "node/proxy/reply.h"
#include "node/proxy/request_id.h"
#include "node/proxy/tunnel.h"

#include <stdlib.h>

static void on_deadline(struct deadline *deadline, uint64_t now_ms);

/* ---- memory ---- */

static struct exchange *exchange_take(struct client *client)
{
    struct worker *worker = client->worker;
    struct exchange *exchange = worker->free_exchanges;
    if (exchange != NULL) {
        worker->free_exchanges = exchange->next_free;
    } else {
        exchange = malloc(sizeof *exchange);
        if (exchange == NULL)
            return NULL;
        worker->allocated++;
        arena_init(&exchange->arena, 0, 0);
        deadline_init(&exchange->deadline, &worker->loop, on_deadline);
    }
    /* The arena keeps its memory, and the deadline may still stand on the wheel. */
    size_t kept = offsetof(struct exchange, phase);
    memset((char *)exchange + kept, 0, sizeof *exchange - kept);
    exchange->worker = worker;
    exchange->client = client;
    exchange->serving = serving_pin(client->acceptor->serving);
    exchange->plan = NULL;
    exchange->route = worker->counts.unmatched;
    exchange->next_free = NULL;
    exchange->total_due_ms = exchange->try_due_ms = UINT64_MAX;
    exchange->phase = PHASE_WAIT;
    exchange->started_us = instant_monotonic_us();
    client->exchange = exchange;
    worker->exchange_count++;
    return exchange;
}

static void exchange_release(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    mirror_drop(exchange);
    compress_drop(exchange);
    gate_leave(exchange);
    if (exchange->is_retrying)
        retry_budget_give(&exchange->service->live->budget);
    if (exchange->is_in_budget)
        retry_budget_leave(&exchange->service->live->budget);
    block_give(&worker->blocks, exchange->held);
    block_give(&worker->blocks, exchange->body_trailers);
    block_give(&worker->blocks, exchange->answer_trailers);
    exchange->held = exchange->body_trailers = exchange->answer_trailers = NULL;
    deadline_set(&exchange->deadline, UINT64_MAX);
    serving_unpin(exchange->serving);
    arena_reset(&exchange->arena);
    exchange->phase = PHASE_FREE;
    exchange->client->exchange = NULL;
    exchange->client = NULL;
    exchange->next_free = worker->free_exchanges;
    worker->free_exchanges = exchange;
    worker->exchange_count--;
}

void exchange_free_all(struct worker *worker)
{
    struct exchange *exchange;
    while ((exchange = worker->free_exchanges) != NULL) {
        worker->free_exchanges = exchange->next_free;
        arena_deinit(&exchange->arena);
        free(exchange);
    }
}

/* ---- the end ---- */

static void account(struct exchange *exchange)
{
    struct counts *counts = &exchange->worker->counts;
    counts_request(counts, exchange->route, (enum http_method)exchange->method,
                   exchange->status, instant_monotonic_us() - exchange->started_us,
                   exchange->body_size, exchange->answer_size);
    if (exchange->status == 101)
        counts_tunnel(counts, exchange->route, false);
    if (exchange->reason != REASON_NONE)
        counts_reason(counts, exchange->route, (enum reason)exchange->reason);
    access_end(exchange);
}

bool exchange_closes(const struct exchange *exchange)
{
    const struct client *client = exchange->client;
    return client->wants_close || !exchange->client_keep_alive ||
           exchange->worker->drain != DRAIN_NONE || client->acceptor->is_closing;
}

static void exchange_over(struct exchange *exchange)
{
    struct client *client = exchange->client;
    if (exchange_closes(exchange) || !exchange->body_done)
        client->wants_close = true;
    account(exchange);
    exchange_release(exchange);
    client_exchange_done(client);
}

void exchange_finish(struct exchange *exchange, bool is_queued)
{
    if (is_queued) {
        exchange->phase = PHASE_FLUSH;
        exchange_rearm(exchange);
        return;
    }
    exchange_over(exchange);
}

void exchange_drained(struct exchange *exchange)
{
    if (exchange->phase == PHASE_FLUSH)
        exchange_over(exchange);
    else if (exchange->phase == PHASE_TUNNEL)
        tunnel_client_drained(exchange);
    else if (exchange->upstream != NULL && exchange->phase == PHASE_RELAY) {
        exchange_touch(exchange);
        if (!flow_read(&exchange->upstream->flow))
            attempt_ended(exchange, UV_ENOMEM);
    }
}

void exchange_client_gone(struct exchange *exchange)
{
    attempt_cancel(exchange);
    /* An answer under way keeps the status its client saw. */
    if (!exchange->answer_started)
        exchange->status = reason_text(REASON_CLIENT_CLOSED)->status;
    exchange->reason = REASON_CLIENT_CLOSED;
    account(exchange);
    exchange_release(exchange);
}

void exchange_fail(struct exchange *exchange, enum reason reason)
{
    struct client *client = exchange->client;
    if (!exchange->answer_started) {
        exchange->body_discard = true;
        reply_problem(exchange, reason, 0);
        return;
    }
    exchange->reason = (uint8_t)reason;
    account(exchange);
    exchange_release(exchange);
    client_abort(client);
}

/* ---- time ---- */

void exchange_rearm(struct exchange *exchange)
{
    uint64_t due_ms = exchange->total_due_ms;
    if (exchange->phase == PHASE_FLUSH) { /* the client's own timer sees to that */
        deadline_set(&exchange->deadline, due_ms);
        return;
    }
    if (exchange->phase < PHASE_RELAY && exchange->try_due_ms < due_ms)
        due_ms = exchange->try_due_ms;
    if (exchange->idle_ms > 0 && (exchange->phase == PHASE_RELAY || !exchange->body_done) &&
        exchange->active_ms + exchange->idle_ms < due_ms)
        due_ms = exchange->active_ms + exchange->idle_ms;
    deadline_set(&exchange->deadline, due_ms);
}

static bool is_idle_too_long(const struct exchange *exchange, uint64_t now_ms)
{
    if (exchange->idle_ms == 0 || exchange->active_ms + exchange->idle_ms > now_ms)
        return false;
    /* A client that does not read is the business of its write stall. */
    return (exchange->phase == PHASE_RELAY || !exchange->body_done) &&
           !flow_is_writing(&exchange->client->flow);
}

static void on_deadline(struct deadline *deadline, uint64_t now_ms)
{
    struct exchange *exchange = container_of(deadline, struct exchange, deadline);
    if (exchange->phase == PHASE_FREE)
        return;
    /* Blocked: it is the upstream that does not take the body. */
    bool waits_for_client = !exchange->body_done && exchange->phase != PHASE_RELAY &&
                            !exchange->client->is_blocked && !exchange->expects;
    if (exchange->total_due_ms <= now_ms) {
        bool at_upstream = exchange->endpoint != NULL && !waits_for_client;
        enum reason reason = at_upstream ? REASON_UPSTREAM_TIMEOUT : REASON_REQUEST_TIMEOUT;
        if (exchange->phase == PHASE_CONNECT || exchange->phase == PHASE_RESOLVE)
            reason = REASON_UPSTREAM_CONNECT;
        attempt_give_up(exchange);
        exchange_fail(exchange, reason);
    } else if (exchange->phase < PHASE_RELAY && exchange->try_due_ms <= now_ms) {
        attempt_due(exchange);
    } else if (is_idle_too_long(exchange, now_ms) && exchange->phase == PHASE_TUNNEL) {
        tunnel_expire(exchange);
    } else if (is_idle_too_long(exchange, now_ms)) {
        enum reason reason =
            waits_for_client ? REASON_REQUEST_TIMEOUT : REASON_UPSTREAM_TIMEOUT;
        if (waits_for_client)
            attempt_cancel(exchange);
        else
            attempt_give_up(exchange);
        exchange_fail(exchange, reason);
    } else {
        if (exchange->idle_ms > 0 && exchange->active_ms + exchange->idle_ms <= now_ms)
            exchange_touch(exchange); /* waits for a slow reader: look again later */
        exchange_rearm(exchange);
    }
}

/* ---- the beginning ---- */

static bool expand_changes(struct exchange *exchange, const struct template_vars *vars,
                           bool is_preflight)
{
    const struct plan *plan = exchange->plan;
    uint32_t most = plan->response_header_count + (plan->cors == NULL ? 0 : CORS_CHANGES) +
                    (plan->compress == NULL ? 0 : COMPRESS_CHANGES);
    if (most == 0)
        return true;
    exchange->changes = arena_alloc(&exchange->arena, most * sizeof *exchange->changes);
    if (exchange->changes == NULL)
        return false;
    for (uint32_t i = 0; i < plan->response_header_count; i++) {
        const struct header_change *from = &plan->response_headers[i];
        struct exchange_change *to = &exchange->changes[i];
        *to = (struct exchange_change){.name = from->name, .add = from->add};
        if (from->value == NULL)
            continue;
        to->value = template_expand(from->value, vars, &exchange->arena);
        if (to->value.data == NULL)
            return false;
        /* The template may have given back a piece of the read buffer. */
        to->value = arena_copy(&exchange->arena, to->value);
        if (to->value.data == NULL)
            to->value = SLICE("");
    }
    exchange->change_count = plan->response_header_count;
    cors_add(exchange, vars->query->message, is_preflight);
    return true;
}

/* The body's framing and limit. */
static bool begin_body(struct exchange *exchange, const struct http_message *message)
{
    const struct snapshot_listener *config = exchange->client->acceptor->config;
    exchange->framing = message->framing;
    exchange->body_left = message->content_length;
    exchange->body_done = message->framing == HTTP_FRAMING_NONE;
    exchange->held_is_all = true;
    if (message->framing == HTTP_FRAMING_CHUNKED) {
        chunked_init(&exchange->body_chunked);
        exchange->body_chunked.gives_trailers = true;
    }
    if (message->framing == HTTP_FRAMING_LENGTH && message->content_length == 0)
        exchange->body_done = true;
    exchange->body_limit = exchange->plan != NULL && exchange->plan->body_bytes != GW_ABSENT
                               ? exchange->plan->body_bytes
                               : config->body_bytes;
    return exchange->body_limit == 0 || message->framing != HTTP_FRAMING_LENGTH ||
           message->content_length <= exchange->body_limit;
}

/* The gateway answers by itself: what is there of the body is passed over. */
static void refuse(struct exchange *exchange, enum reason reason, uint32_t allowed,
                   struct slice *rest)
{
    exchange->body_discard = true;
    if (!exchange->body_done)
        relay_request(exchange, rest);
    reply_problem(exchange, reason, allowed);
}

static bool is_in_maintenance(struct exchange *exchange, struct slice client_ip)
{
    const struct plan_maintenance *maintenance = exchange->plan->maintenance;
    if (maintenance == NULL || cidr_set_has_text(maintenance->allow, client_ip))
        return false;
    exchange->retry_after_s = maintenance->retry_after_s;
    return true;
}

static bool write_head(struct exchange *exchange, const struct http_message *message,
                       struct template_vars *vars)
{
    struct h1_write out;
    const struct route_query *query = vars->query;
    struct slice target = message->target_form == HTTP_TARGET_ASTERISK
                              ? SLICE("*")
                              : plan_rewrite_target(exchange->plan, query->path,
                                                    query->query, vars, &exchange->arena);
    h1_write_init(&out, exchange->worker->head, CORE_HEAD_BYTES);
    forwarded_request(&out, exchange, message, target, vars);
    if (out.failed)
        return false;
    exchange->head = arena_copy(&exchange->arena, h1_write_slice(&out));
    return exchange->head.data != NULL;
}

static void proxy(struct exchange *exchange, const struct http_message *message,
                  struct template_vars *vars, struct slice *rest)
{
    const struct plan *plan = exchange->plan;
    struct worker *worker = exchange->worker;
    const struct target_service *target =
        affinity_service(exchange, vars->query, vars->client_ip);
    if (target == NULL) {
        refuse(exchange, REASON_NO_ENDPOINT, 0, rest);
        return;
    }
    exchange->service = &exchange->serving->services[target->number];
    vars->service = target->name;
    affinity_read(exchange, vars->query, vars->client_ip);
    if (!expand_changes(exchange, vars, false) || !fallback_prepare(exchange, vars)) {
        refuse(exchange, REASON_OVERLOADED, 0, rest);
        return;
    }
    /* It is the upstream that says 100, or answers at once (RFC 9110 §10.1.1). A client
     * that has begun to send waits for nothing. */
    exchange->expects = message->expect_continue && !exchange->body_done && rest->size == 0;
    exchange->upgrade = tunnel_wanted(exchange, message);
    exchange->wants_trailers = message->te_trailers && message->te_listed;
    if (!write_head(exchange, message, vars)) {
        refuse(exchange, REASON_HEADER_TOO_LARGE, 0, rest);
        return;
    }
    exchange->total_due_ms = core_after(worker, plan->timeout_ms);
    exchange->idle_ms = plan->idle_ms;
    exchange->accepts_gzip =
        plan->compress != NULL &&
        coding_is_accepted(message_value(message, HTTP_HEADER_ACCEPT_ENCODING),
                           SLICE("gzip"));
    exchange->keep_held = http_method_is_idempotent((enum http_method)exchange->method) ||
                          (plan->retry.methods & 1u << exchange->method) != 0;
    retry_budget_enter(&exchange->service->live->budget);
    exchange->is_in_budget = true;
    exchange_touch(exchange);
    mirror_begin(exchange);
    if (!exchange->body_done) {
        exchange_body(exchange, rest);
        if (exchange->phase == PHASE_FREE || exchange->answer_started)
            return;
    }
    gate_enter(exchange);
}

/* "OPTIONS *" asks the server that it reaches; OPTIONS and TRACE may say how far
 * they go (RFC 9110 §7.6.2, §9.3.7). */
static bool goes_no_further(struct exchange *exchange, const struct http_message *message)
{
    uint64_t left;
    if (exchange->method != HTTP_METHOD_OPTIONS && exchange->method != HTTP_METHOD_TRACE)
        return false;
    if (message->target_form == HTTP_TARGET_ASTERISK)
        return true;
    if (!slice_parse_u64(message_value(message, HTTP_HEADER_MAX_FORWARDS), &left))
        return false;
    exchange->has_forwards = left > 0;
    exchange->forwards = left > UINT32_MAX ? UINT32_MAX : (uint32_t)left - 1;
    return left == 0;
}

static void answer_here(struct exchange *exchange, struct slice *rest)
{
    uint32_t allowed = ~(1u << HTTP_METHOD_CONNECT | 1u << HTTP_METHOD_TRACE);
    if (exchange->method == HTTP_METHOD_TRACE) { /* a reflection serves attackers only */
        refuse(exchange, REASON_METHOD_NOT_ALLOWED, allowed, rest);
        return;
    }
    exchange->body_discard = true;
    if (!exchange->body_done)
        relay_request(exchange, rest);
    reply_options(exchange, allowed);
}

void exchange_begin(struct client *client, const struct http_message *message,
                    struct slice *rest)
{
    struct worker *worker = client->worker;
    struct exchange *exchange = exchange_take(client);
    if (exchange == NULL) {
        reply_malformed(client, 503, REASON_OVERLOADED);
        return;
    }
    exchange->method = message->method;
    exchange->minor = message->minor;
    exchange->client_keep_alive = message->keep_alive;
    exchange->request_id =
        request_id_make(worker, &exchange->arena,
                        message_header(message, HTTP_HEADER_X_REQUEST_ID) != NULL &&
                                forwarded_is_trusted(client)
                            ? message_value(message, HTTP_HEADER_X_REQUEST_ID)
                            : (struct slice){NULL, 0});

    access_begin(exchange, message);
    struct uri_host host = {.host = {NULL, 0}};
    struct slice path = message->path;
    char lower[URI_HOST_MAX + 1];
    char *room = arena_alloc(&exchange->arena, path.size + 1);
    bool fits = begin_body(exchange, message);
    if (room == NULL) {
        refuse(exchange, REASON_OVERLOADED, 0, rest);
        return;
    }
    if ((message->host.size > 0 && !uri_host_split(message->host, &host)) ||
        host.host.size > URI_HOST_MAX ||
        (message->target_form != HTTP_TARGET_ASTERISK &&
         !uri_path_normalise(path, room, &path))) {
        client->wants_close = true;
        refuse(exchange, REASON_BAD_REQUEST, 0, rest);
        return;
    }
    if (message->expect_unknown) {
        refuse(exchange, REASON_EXPECTATION, 0, rest);
        return;
    }
    if (goes_no_further(exchange, message)) {
        answer_here(exchange, rest);
        return;
    }
    struct route_query query = {
        .listener = client->acceptor->config,
        .host = uri_host_lower(host.host, lower),
        .path = path,
        .query = message->query,
        .message = message,
    };
    uint32_t allowed = 0;
    const struct plan *preflight = cors_preflight_plan(exchange, &query);
    exchange->plan = preflight != NULL
                         ? preflight
                         : snapshot_plan(exchange->serving->snapshot, &query, &allowed);
    exchange->route = serving_route(exchange->serving, exchange->plan);
    if (exchange->plan == NULL) {
        refuse(exchange, allowed != 0 ? REASON_METHOD_NOT_ALLOWED : REASON_NO_ROUTE,
               allowed, rest);
        return;
    }
    fits = begin_body(exchange, message);
    if (!fits) {
        refuse(exchange, REASON_BODY_TOO_LARGE, 0, rest);
        return;
    }
    struct template_vars vars = {
        .snapshot = exchange->serving->snapshot,
        .plan = exchange->plan,
        .query = &query,
        .request_id = exchange->request_id,
        .client_ip = forwarded_client_ip(client, message),
        .scheme = forwarded_scheme(client, message),
    };
    bool is_closed = preflight == NULL && is_in_maintenance(exchange, vars.client_ip);
    if (exchange->plan->action == PLAN_PROXY && preflight == NULL && !is_closed) {
        proxy(exchange, message, &vars, rest);
        return;
    }
    if (!expand_changes(exchange, &vars, preflight != NULL)) {
        refuse(exchange, REASON_OVERLOADED, 0, rest);
        return;
    }
    if (is_closed) {
        refuse(exchange, REASON_MAINTENANCE, 0, rest);
        return;
    }
    exchange->body_discard = true;
    if (!exchange->body_done)
        relay_request(exchange, rest);
    if (preflight != NULL)
        cors_answer(exchange);
    else
        reply_plan(exchange, &vars);
}

void exchange_body(struct exchange *exchange, struct slice *data)
{
    enum reason reason = REASON_BAD_REQUEST;
    if (exchange->phase == PHASE_TUNNEL) {
        tunnel_from_client(exchange, data);
        return;
    }
    if (data->size > 0)
        exchange->expects = false;
    switch (relay_request(exchange, data)) {
    case RELAY_OK:
        return;
    case RELAY_BLOCKED:
        exchange->client->is_blocked = true;
        return;
    case RELAY_FAILED:
        exchange->upstream_broken = true;
        exchange->client->is_blocked = true;
        return;
    case RELAY_TOO_LARGE:
        reason = REASON_BODY_TOO_LARGE;
        break;
    case RELAY_BAD:
        break;
    }
    /* The body cannot be read on, so the connection ends with the answer. */
    exchange->client->wants_close = true;
    attempt_cancel(exchange);
    exchange_fail(exchange, reason);
}
