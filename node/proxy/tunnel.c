/* A tunnel has no queue but what a socket did not take of one read: then the other
 * side is read no more until that is gone. An end of input is passed on once all
 * before it has been. */
#include "node/proxy/tunnel.h"

#include "http/fields.h"
#include "node/proxy/attempt.h"
#include "node/proxy/forwarded.h"
#include "node/proxy/gate.h"
#include "node/proxy/pool.h"

/* ---- the agreement ---- */

/* A token, perhaps with a version that is one too (RFC 9110 §7.8). */
static bool is_protocol(struct slice protocol, struct slice *ret_name)
{
    size_t slash = slice_find_byte(protocol, '/');
    *ret_name = slice_sub(protocol, 0, slash);
    return fields_is_token(*ret_name) &&
           (slash == SIZE_MAX || fields_is_token(slice_from(protocol, slash + 1)));
}

static bool is_allowed(const struct plan *plan, struct slice protocol)
{
    struct slice name;
    if (!is_protocol(protocol, &name))
        return false;
    for (uint32_t i = 0; i < plan->upgrade_count; i++)
        if (slice_equal_nocase(plan->upgrades[i], name) ||
            slice_equal_nocase(plan->upgrades[i], protocol))
            return true;
    return false;
}

struct slice tunnel_wanted(struct exchange *exchange, const struct http_message *message)
{
    const struct http_header *header = message_header(message, HTTP_HEADER_UPGRADE);
    size_t size = 0;
    char *text = NULL;

    if (!message->upgrade || !exchange->body_done)
        return (struct slice){NULL, 0};
    for (; header != NULL; header = message_find(message, SLICE("upgrade"), header)) {
        struct slice list = header->value, protocol;
        while (fields_list_next(&list, &protocol)) {
            if (!is_allowed(exchange->plan, protocol))
                continue;
            if (text == NULL) /* no list is longer than all that came */
                text = arena_alloc(&exchange->arena, message->head_size);
            if (text == NULL)
                return (struct slice){NULL, 0};
            if (size > 0)
                size += (size_t)(stpcpy(text + size, ", ") - (text + size));
            memcpy(text + size, protocol.data, protocol.size);
            size += protocol.size;
        }
    }
    return slice_of(text, size);
}

bool tunnel_accepts(const struct exchange *exchange, const struct http_message *message)
{
    struct slice list = message_value(message, HTTP_HEADER_UPGRADE), protocol;
    bool is_any = false;
    if (exchange->upgrade.size == 0 || !message->upgrade)
        return false;
    while (fields_list_next(&list, &protocol)) {
        if (!fields_list_has(exchange->upgrade, protocol))
            return false;
        is_any = true;
    }
    return is_any;
}

/* ---- its end ---- */

static void gone(struct exchange *exchange)
{
    struct client *client = exchange->client;
    exchange_client_gone(exchange);
    client_close(client);
}

static void finish(struct exchange *exchange)
{
    exchange->client->wants_close = true;
    exchange->upstream_keep_alive = false;
    attempt_done(exchange);
    exchange_finish(exchange, flow_is_writing(&exchange->client->flow));
}

/* Passes ends on, and is over when both have been. */
static void settle(struct exchange *exchange)
{
    struct flow *client = &exchange->client->flow, *upstream = &exchange->upstream->flow;
    bool is_client_flushed = !flow_is_writing(client);
    bool is_upstream_flushed = !flow_is_writing(upstream);

    if (exchange->upstream_ended && is_client_flushed)
        flow_shutdown(client);
    if (exchange->client->is_at_end && is_upstream_flushed)
        flow_shutdown(upstream);
    if (exchange->upstream_ended && exchange->client->is_at_end && is_client_flushed &&
        is_upstream_flushed)
        finish(exchange);
}

void tunnel_expire(struct exchange *exchange)
{
    finish(exchange);
}

/* ---- its bytes ---- */

/* The budget compares retries with requests under way: a tunnel that stays for hours
 * would allow for retries that no traffic justifies. */
static void leave_budget(struct exchange *exchange)
{
    struct retry_budget_state *budget = &exchange->service->live->budget;
    if (exchange->is_retrying)
        retry_budget_give(budget);
    if (exchange->is_in_budget)
        retry_budget_leave(budget);
    exchange->is_retrying = exchange->is_in_budget = false;
}

void tunnel_begin(struct exchange *exchange, const struct http_message *message,
                  struct slice rest)
{
    struct worker *worker = exchange->worker;
    struct client *client = exchange->client;
    struct h1_write out;

    h1_write_init(&out, worker->head, CORE_HEAD_BYTES);
    forwarded_switch(&out, exchange, message);
    if (out.failed) {
        attempt_fail(exchange, OUTCOME_INVALID);
        return;
    }
    exchange->phase = PHASE_TUNNEL;
    exchange->status = message->status;
    exchange->reason = REASON_NONE;
    exchange->answer_started = true;
    exchange->body_done = false; /* bytes come, for as long as they do */
    exchange->held_is_all = false;
    exchange->total_due_ms = UINT64_MAX;
    counts_tunnel(&worker->counts, exchange->route, true);
    leave_budget(exchange);
    gate_leave(exchange); /* nor are those that last for hours what a bulkhead is for */
    exchange_touch(exchange);

    uv_buf_t bufs[2] = {uv_buf_init(out.data, (unsigned)out.size), flow_buf(rest)};
    exchange->answer_size += rest.size;
    switch (client_send(client, bufs, rest.size > 0 ? 2 : 1)) {
    case FLOW_FAILED:
        gone(exchange);
        return;
    case FLOW_QUEUED:
        flow_pause(&exchange->upstream->flow);
        break;
    case FLOW_SENT:
        break;
    }
    exchange_rearm(exchange);
    client_unblock(client);
}

void tunnel_from_client(struct exchange *exchange, struct slice *data)
{
    struct flow *upstream = &exchange->upstream->flow;
    uv_buf_t buf = flow_buf(*data);

    if (flow_is_writing(upstream)) {
        exchange->client->is_blocked = true;
        return;
    }
    exchange_touch(exchange);
    exchange->body_size += data->size;
    *data = slice_from(*data, data->size);
    switch (flow_send(upstream, &buf, 1, NULL)) {
    case FLOW_FAILED:
        attempt_fail(exchange, OUTCOME_RESET);
        break;
    case FLOW_QUEUED:
        exchange->client->is_blocked = true;
        break;
    case FLOW_SENT:
        break;
    }
}

void tunnel_from_upstream(struct exchange *exchange, struct slice data)
{
    uv_buf_t buf = flow_buf(data);

    exchange_touch(exchange);
    exchange->answer_size += data.size;
    switch (client_send(exchange->client, &buf, 1)) {
    case FLOW_FAILED:
        gone(exchange);
        break;
    case FLOW_QUEUED:
        flow_pause(&exchange->upstream->flow);
        break;
    case FLOW_SENT:
        break;
    }
}

void tunnel_client_drained(struct exchange *exchange)
{
    exchange_touch(exchange);
    if (!exchange->upstream_ended && !flow_read(&exchange->upstream->flow)) {
        gone(exchange);
        return;
    }
    settle(exchange);
}

void tunnel_upstream_drained(struct exchange *exchange)
{
    struct client *client = exchange->client;
    exchange_touch(exchange);
    if (client->is_at_end)
        settle(exchange);
    else
        client_unblock(client);
}

void tunnel_client_ended(struct exchange *exchange)
{
    exchange_touch(exchange);
    settle(exchange);
}

void tunnel_upstream_ended(struct exchange *exchange)
{
    exchange->upstream_ended = true;
    exchange_touch(exchange);
    settle(exchange);
}
