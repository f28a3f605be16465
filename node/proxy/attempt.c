/* One attempt after another.
 *
 * A failed attempt is tried again if the plan says so for this kind of failure,
 * if all of the request's body is still held, if nothing was relayed to the
 * client, and if the service's budget has a retry left. A kept connection that
 * dies before the first byte of the answer says nothing about the endpoint (its
 * idle time ran out just then): that is repaired once on a fresh connection,
 * beside the plan and the budget, if repeating is safe. */
#include "node/proxy/attempt.h"

#include "base/instant.h"
#include "node/proxy/choice.h"
#include "node/proxy/compress.h"
#include "node/proxy/fallback.h"
#include "node/proxy/forwarded.h"
#include "node/proxy/gate.h"
#include "node/proxy/interim.h"
#include "node/proxy/pool.h"
#include "node/proxy/relay.h"
#include "node/proxy/resolve.h"
#include "node/proxy/tunnel.h"

#define ANSWER_HEAD_BYTES ((size_t)64 << 10)

static enum reason reason_of(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_CONNECT_FAILURE:
        return REASON_UPSTREAM_CONNECT;
    case OUTCOME_TIMEOUT:
        return REASON_UPSTREAM_TIMEOUT;
    case OUTCOME_INVALID:
        return REASON_UPSTREAM_INVALID;
    default:
        return REASON_UPSTREAM_RESET;
    }
}

static const struct target_endpoint *target_of(const struct exchange *exchange)
{
    return &exchange->service->target->endpoints[exchange->endpoint_index];
}

/* ---- the end of an attempt ---- */

static void count_outcome(struct exchange *exchange, enum outcome outcome)
{
    const struct target_endpoint *target = target_of(exchange);
    counts_attempt(&exchange->worker->counts, &exchange->endpoint->counts,
                   exchange->service->target->name, target->name, target->region, outcome);
}

/* Books what became of it and lets go of the connection. */
static void attempt_end(struct exchange *exchange, enum outcome outcome, bool keep)
{
    struct endpoint *endpoint = exchange->endpoint;
    struct upstream *upstream = exchange->upstream;
    uint32_t decay_ms = exchange->service->target->ewma_decay_ms;
    if (endpoint == NULL)
        return;
    uint64_t at_us = instant_monotonic_us();
    uint64_t took_us =
        exchange->took_us > 0 ? exchange->took_us : at_us - exchange->attempt_us;
    switch (outcome) {
    case OUTCOME_SUCCESS:
        endpoint_live_end(&endpoint->live, at_us, took_us, decay_ms);
        break;
    case OUTCOME_CANCELLED:
        endpoint_live_drop(&endpoint->live);
        break;
    case OUTCOME_ERROR_STATUS:
        if (exchange->status < 502 || exchange->status > 504) {
            endpoint_live_end(&endpoint->live, at_us, took_us, decay_ms);
            break;
        }
        /* fall through */
    default:
        endpoint_live_fail(&endpoint->live, at_us, took_us, decay_ms);
        break;
    }
    count_outcome(exchange, outcome);
    exchange->endpoint = NULL;
    exchange->upstream = NULL;
    list_remove(&exchange->waiting);
    if (upstream != NULL) {
        if (keep)
            pool_give(upstream);
        else
            pool_close(upstream);
    }
    if (exchange->is_retrying) {
        exchange->is_retrying = false;
        retry_budget_give(&exchange->service->live->budget);
    }
}

void attempt_cancel(struct exchange *exchange)
{
    if (exchange->endpoint != NULL)
        attempt_end(exchange, OUTCOME_CANCELLED, false);
}

void attempt_give_up(struct exchange *exchange)
{
    if (exchange->endpoint != NULL)
        attempt_end(exchange, OUTCOME_TIMEOUT, false);
}

void attempt_done(struct exchange *exchange)
{
    struct upstream *upstream = exchange->upstream;
    /* A body that was not all sent leaves the connection in the middle of it. */
    bool keep = exchange->upstream_keep_alive && exchange->body_done &&
                !exchange->upstream_broken && !flow_is_writing(&upstream->flow);
    attempt_end(exchange, exchange->status >= 500 ? OUTCOME_ERROR_STATUS : OUTCOME_SUCCESS,
                keep);
}

/* ---- connections ---- */

static void send_head(struct exchange *exchange)
{
    struct upstream *upstream = exchange->upstream;
    uv_buf_t bufs[2];
    unsigned count = 0;
    size_t sent = 0;

    bufs[count++] = flow_buf(exchange->head);
    if (exchange->held != NULL && exchange->held->size > 0)
        bufs[count++] = uv_buf_init(exchange->held->data, (unsigned)exchange->held->size);
    exchange->phase = PHASE_SENT;
    exchange->upstream_broken = false;
    enum flow_result result = flow_send(&upstream->flow, bufs, count, &sent);
    exchange->anything_sent = sent > 0 || result == FLOW_QUEUED;
    if (result == FLOW_FAILED) {
        attempt_fail(exchange, OUTCOME_RESET);
        return;
    }
    uint32_t per_try_ms = exchange->plan->retry.per_try_ms;
    exchange->try_due_ms = per_try_ms == 0 ? UINT64_MAX : exchange->attempt_ms + per_try_ms;
    if (exchange->held != NULL &&
        (!exchange->keep_held ||
         exchange->held->size > exchange->plan->retry.buffer_bytes)) {
        block_give(&exchange->worker->blocks, exchange->held);
        exchange->held = NULL;
        exchange->held_is_all = false;
    }
    exchange_touch(exchange);
    exchange_rearm(exchange);
    if (!exchange->body_done && result == FLOW_SENT)
        client_unblock(exchange->client);
}

static void connect_to(struct exchange *exchange, const struct address *address)
{
    const struct target_service *target = exchange->service->target;
    exchange->phase = PHASE_CONNECT;
    uint32_t limit_ms = target->connect_timeout_ms;
    uint32_t per_try_ms = exchange->plan->retry.per_try_ms;
    if (per_try_ms > 0 && (limit_ms == 0 || per_try_ms < limit_ms))
        limit_ms = per_try_ms;
    exchange->try_due_ms = core_after(exchange->worker, limit_ms);
    exchange_rearm(exchange);
    struct upstream *upstream = pool_connect(exchange->endpoint, address);
    if (upstream == NULL) {
        attempt_fail(exchange, OUTCOME_CONNECT_FAILURE);
        return;
    }
    upstream->exchange = exchange;
    exchange->upstream = upstream;
}

static void connect_fresh(struct exchange *exchange)
{
    struct endpoint *endpoint = exchange->endpoint;
    struct address address;
    exchange->was_reused = false;
    if (endpoint->resolver == NULL) {
        connect_to(exchange, &endpoint->address);
        return;
    }
    switch (resolver_get(endpoint->resolver, exchange, &address)) {
    case RESOLVER_READY:
        connect_to(exchange, &address);
        break;
    case RESOLVER_WAITS:
        exchange->phase = PHASE_RESOLVE;
        exchange->try_due_ms =
            core_after(exchange->worker, exchange->service->target->connect_timeout_ms);
        exchange_rearm(exchange);
        break;
    case RESOLVER_UNKNOWN:
        attempt_fail(exchange, OUTCOME_CONNECT_FAILURE);
        break;
    }
}

void attempt_resolved(struct exchange *exchange, const struct address *address)
{
    if (address == NULL)
        attempt_fail(exchange, OUTCOME_CONNECT_FAILURE);
    else
        connect_to(exchange, address);
}

void attempt_connected(struct exchange *exchange, int error)
{
    if (error != 0)
        attempt_fail(exchange, OUTCOME_CONNECT_FAILURE);
    else
        send_head(exchange);
}

/* ---- choosing ---- */

void attempt_start(struct exchange *exchange)
{
    const struct target_service *target = exchange->service->target;
    uint64_t at_us = instant_monotonic_us();
    uint32_t index = choice_for_attempt(exchange, at_us);
    if (index == BALANCE_NONE) {
        bool is_full = balance_available(&target->balance_set) > 0;
        if (!is_full && fallback_take(exchange, REASON_NO_ENDPOINT))
            return;
        exchange_fail(exchange, exchange->reason != REASON_NONE
                                    ? (enum reason)exchange->reason
                                : is_full ? REASON_OVERLOADED
                                          : REASON_NO_ENDPOINT);
        return;
    }
    struct endpoint *endpoint = exchange->service->endpoints[index];
    exchange->endpoint_index = index;
    if (exchange->tried_count < BALANCE_TRIED_MAX)
        exchange->tried[exchange->tried_count++] = index;
    exchange->endpoint = endpoint;
    exchange->attempt_us = at_us;
    exchange->attempt_ms = core_now_ms(exchange->worker);
    exchange->took_us = 0;
    exchange->anything_sent = false;
    exchange->interim_count = 0;
    endpoint_live_begin(&endpoint->live);

    if (board_slot_is_hole(target->endpoints[index].board, exchange->attempt_ms)) {
        uint32_t per_try_ms = exchange->plan->retry.per_try_ms;
        exchange->phase = PHASE_HOLE;
        exchange->was_reused = false;
        exchange->try_due_ms =
            per_try_ms == 0 ? UINT64_MAX : exchange->attempt_ms + per_try_ms;
        exchange_rearm(exchange);
        return;
    }
    struct upstream *upstream = pool_take(endpoint);
    if (upstream != NULL) {
        upstream->exchange = exchange;
        exchange->upstream = upstream;
        exchange->was_reused = true;
        send_head(exchange);
        return;
    }
    if (!choice_has_connection(exchange->worker, exchange->service, index)) {
        attempt_cancel(exchange);
        exchange_fail(exchange, REASON_OVERLOADED);
        return;
    }
    connect_fresh(exchange);
}

/* ---- failures ---- */

static bool plan_retries(const struct exchange *exchange, enum outcome outcome)
{
    const struct retry_plan *retry = &exchange->plan->retry;
    if (exchange->retries >= retry->max)
        return false;
    if (outcome == OUTCOME_CONNECT_FAILURE)
        return retry->connect_failure; /* nothing was asked: any method */
    if ((retry->methods & 1u << exchange->method) == 0)
        return false;
    switch (outcome) {
    case OUTCOME_RESET:
        return retry->reset;
    case OUTCOME_TIMEOUT:
        return retry->timeout;
    case OUTCOME_ERROR_STATUS:
        return true; /* the caller looked at the status */
    default:
        return false;
    }
}

/* Seconds of Retry-After as the plan honours it, in milliseconds; 0: none. A date
 * counts as none: clocks of others are not to be trusted. */
static uint64_t retry_after_ms(const struct exchange *exchange,
                               const struct http_message *message)
{
    uint64_t seconds;
    if (!exchange->plan->retry.retry_after ||
        !slice_parse_u64(message_value(message, HTTP_HEADER_RETRY_AFTER), &seconds))
        return 0;
    return seconds > 86400 ? UINT32_MAX : seconds * 1000;
}

/* Waits, for `least_ms` at least, and tries again, if it may. The attempt before
 * has ended. */
static bool try_again(struct exchange *exchange, enum outcome outcome, uint64_t least_ms)
{
    const struct retry_plan *retry = &exchange->plan->retry;
    const struct target_service *target = exchange->service->target;
    struct service_live *live = exchange->service->live;
    struct worker *worker = exchange->worker;

    if (exchange->answer_started || !exchange->held_is_all ||
        !plan_retries(exchange, outcome))
        return false;
    uint64_t wait_ms = retry_backoff_ms(&worker->rng, exchange->retries + 1u,
                                        retry->backoff_ms, retry->backoff_max_ms);
    if (wait_ms < least_ms)
        wait_ms = least_ms;
    uint64_t due_ms = core_now_ms(worker) + wait_ms;
    if (due_ms >= exchange->total_due_ms)
        return false;
    if (!retry_budget_take(&live->budget, target->retry_ratio_percent,
                           target->retry_floor)) {
        counts_retry(&worker->counts, &live->counts, live->name, RETRY_OVER_BUDGET);
        return false;
    }
    exchange->is_retrying = true;
    exchange->retries++;
    counts_retry(&worker->counts, &live->counts, live->name, RETRY_SENT);
    exchange->reason = (uint8_t)reason_of(outcome); /* if no endpoint is left */
    exchange->phase = PHASE_WAIT;
    exchange->try_due_ms = due_ms;
    exchange_rearm(exchange);
    return true;
}

static bool is_stale(const struct exchange *exchange, enum outcome outcome)
{
    return outcome == OUTCOME_RESET && exchange->was_reused && !exchange->stale_used &&
           exchange->phase == PHASE_SENT && exchange->held_is_all &&
           intake_is_empty(&exchange->upstream->intake) &&
           (!exchange->anything_sent ||
            http_method_is_idempotent((enum http_method)exchange->method));
}

void attempt_fail(struct exchange *exchange, enum outcome outcome)
{
    if (is_stale(exchange, outcome)) {
        struct service_live *live = exchange->service->live;
        exchange->stale_used = true;
        pool_close(exchange->upstream);
        exchange->upstream = NULL;
        counts_retry(&exchange->worker->counts, &live->counts, live->name, RETRY_STALE);
        connect_fresh(exchange);
        return;
    }
    attempt_end(exchange, outcome, false);
    if (!try_again(exchange, outcome, 0))
        exchange_fail(exchange, reason_of(outcome));
}

void attempt_due(struct exchange *exchange)
{
    switch (exchange->phase) {
    case PHASE_QUEUE:
        gate_due(exchange);
        break;
    case PHASE_WAIT:
        attempt_start(exchange);
        break;
    case PHASE_RESOLVE:
    case PHASE_CONNECT:
        attempt_fail(exchange, OUTCOME_CONNECT_FAILURE);
        break;
    case PHASE_HOLE:
    case PHASE_SENT:
        attempt_fail(exchange, OUTCOME_TIMEOUT);
        break;
    default:
        break;
    }
}

/* ---- answers ---- */

static void relay_on(struct exchange *exchange, struct slice head, struct slice data)
{
    struct client *client = exchange->client;
    enum relay_result result = relay_answer(exchange, head, &data);
    switch (result) {
    case RELAY_OK:
    case RELAY_BLOCKED:
        if (exchange->answer_done) {
            if (data.size > 0) /* bytes nobody asked for: not to be read as an answer */
                exchange->upstream_keep_alive = false;
            attempt_done(exchange);
            exchange_finish(exchange, result == RELAY_BLOCKED);
        } else if (result == RELAY_BLOCKED) {
            flow_pause(&exchange->upstream->flow);
        }
        break;
    case RELAY_FAILED:
        exchange_client_gone(exchange);
        client_close(client);
        break;
    default:
        attempt_end(exchange, OUTCOME_INVALID, false);
        exchange_fail(exchange, REASON_UPSTREAM_INVALID);
        break;
    }
}

static void took(struct exchange *exchange)
{
    struct service_live *live = exchange->service->live;
    exchange->took_us = instant_monotonic_us() - exchange->attempt_us;
    counts_upstream_duration(&exchange->worker->counts, &live->counts, live->name,
                             exchange->took_us);
}

/* The head of the answer has come. */
static void answer_begin(struct exchange *exchange, const struct http_message *message,
                         struct slice rest)
{
    struct worker *worker = exchange->worker;
    struct service_live *live = exchange->service->live;
    struct h1_write out;

    exchange->status = message->status;
    if (retry_plan_has_status(&exchange->plan->retry, message->status) &&
        exchange->held_is_all && plan_retries(exchange, OUTCOME_ERROR_STATUS)) {
        /* Only given up if the retry goes out: else this answer is the best there is. */
        if (exchange->is_retrying) { /* the token of this attempt serves the next */
            exchange->is_retrying = false;
            retry_budget_give(&live->budget);
        }
        if (try_again(exchange, OUTCOME_ERROR_STATUS, retry_after_ms(exchange, message))) {
            exchange->is_retrying = false; /* not attempt_end's to give back */
            attempt_end(exchange, OUTCOME_ERROR_STATUS, false);
            exchange->is_retrying = true;
            return;
        }
    }
    exchange->reason = REASON_NONE;
    if (exchange->expects) /* whether the body still comes, nobody can tell */
        exchange->client->wants_close = true;
    exchange->answer_framing = message->framing;
    exchange->answer_left = message->content_length;
    exchange->upstream_keep_alive = message->keep_alive;
    exchange->client_chunked = false;
    if (message->framing == HTTP_FRAMING_CHUNKED ||
        message->framing == HTTP_FRAMING_UNTIL_CLOSE) {
        chunked_init(&exchange->answer_chunked);
        exchange->answer_chunked.gives_trailers =
            exchange->minor >= 1 && exchange->wants_trailers;
        if (exchange->minor >= 1)
            exchange->client_chunked = true;
        else
            exchange->client->wants_close = true; /* the end of the body is the close */
    }
    if (message->framing == HTTP_FRAMING_UNTIL_CLOSE)
        exchange->upstream_keep_alive = false;
    compress_begin(exchange, message);

    h1_write_init(&out, worker->head, CORE_HEAD_BYTES);
    forwarded_answer(&out, exchange, message);
    if (out.failed) {
        attempt_end(exchange, OUTCOME_INVALID, false);
        exchange_fail(exchange, REASON_UPSTREAM_INVALID);
        return;
    }
    exchange->phase = PHASE_RELAY;
    /* It cannot be tried again now. */
    block_give(&worker->blocks, exchange->held);
    exchange->held = NULL;
    exchange->held_is_all = false;
    exchange->keep_held = false;
    relay_on(exchange, h1_write_slice(&out), rest);
    if (exchange->phase == PHASE_RELAY)
        exchange_rearm(exchange);
}

void attempt_received(struct exchange *exchange, struct slice data)
{
    struct worker *worker = exchange->worker;
    struct upstream *upstream = exchange->upstream;

    if (exchange->phase == PHASE_RELAY) {
        relay_on(exchange, (struct slice){NULL, 0}, data);
        return;
    }
    if (exchange->phase == PHASE_TUNNEL) {
        tunnel_from_upstream(exchange, data);
        return;
    }
    const struct intake_rules rules = {
        .limits = {.head_bytes = ANSWER_HEAD_BYTES, .target_bytes = 0},
        .header_count = HTTP_HEADERS_MAX,
        .is_response = true,
        .method = (enum http_method)exchange->method,
    };
    struct block *old = NULL;
    for (;;) {
        const struct http_message *message;
        struct slice rest;
        enum h1_result result =
            intake_feed(&upstream->intake, &worker->blocks, worker->response, &rules, data,
                        &message, &rest);
        if (result == H1_MORE) {
            block_give(&worker->blocks, old);
            return;
        }
        bool is_switch = result == H1_DONE && message->status == 101;
        if (result != H1_DONE || (is_switch && !tunnel_accepts(exchange, message))) {
            block_give(&worker->blocks, old);
            attempt_fail(exchange, OUTCOME_INVALID);
            return;
        }
        if (message->status >= 200 || is_switch) {
            /* The message may be in the intake's blocks: they outlive the call. */
            struct intake intake = upstream->intake;
            upstream->intake = (struct intake){NULL, NULL};
            took(exchange);
            if (is_switch)
                tunnel_begin(exchange, message, rest);
            else
                answer_begin(exchange, message, rest);
            intake_reset(&intake, &worker->blocks);
            block_give(&worker->blocks, old);
            return;
        }
        enum interim_result interim = interim_relay(exchange, message);
        if (interim != INTERIM_OK) {
            block_give(&worker->blocks, old);
            if (interim == INTERIM_TOO_MANY)
                attempt_fail(exchange, OUTCOME_INVALID);
            return;
        }
        block_give(&worker->blocks, old);
        old = upstream->intake.bytes;
        upstream->intake.bytes = NULL;
        intake_reset(&upstream->intake, &worker->blocks);
        data = rest;
        if (data.size == 0) {
            block_give(&worker->blocks, old);
            return;
        }
    }
}

void attempt_ended(struct exchange *exchange, int error)
{
    struct client *client = exchange->client;
    if (exchange->phase == PHASE_TUNNEL && error == UV_EOF) {
        tunnel_upstream_ended(exchange);
        return;
    }
    if (exchange->phase != PHASE_RELAY) {
        attempt_fail(exchange, OUTCOME_RESET);
        return;
    }
    if (exchange->answer_framing != HTTP_FRAMING_UNTIL_CLOSE || error != UV_EOF) {
        attempt_end(exchange, OUTCOME_RESET, false);
        exchange_fail(exchange, REASON_UPSTREAM_RESET);
        return;
    }
    enum relay_result result = relay_answer_end(exchange);
    if (result == RELAY_FAILED) {
        exchange_client_gone(exchange);
        client_close(client);
        return;
    }
    attempt_done(exchange);
    exchange_finish(exchange, result == RELAY_BLOCKED);
}

void attempt_drained(struct exchange *exchange, int error)
{
    if (error != 0) {
        /* Its answer, or the end of the connection, is still to be read. */
        exchange->upstream_broken = true;
        return;
    }
    if (exchange->phase == PHASE_TUNNEL) {
        tunnel_upstream_drained(exchange);
        return;
    }
    if (!exchange->body_done)
        client_unblock(exchange->client);
}
