/* The other service is called as if the route had named it, with its own budget,
 * bulkhead and endpoints. Its key for hash is not: the request's head is gone. */
#include "node/proxy/fallback.h"

#include "node/proxy/gate.h"
#include "node/proxy/reply.h"

bool fallback_prepare(struct exchange *exchange, const struct template_vars *vars)
{
    const struct plan_fallback *fallback = exchange->plan->fallback;

    if (fallback == NULL || fallback->respond == NULL)
        return true;
    const struct plan *respond = fallback->respond;
    if (respond->respond_header_count == 0)
        return true;
    struct slice *values =
        arena_alloc(&exchange->arena, respond->respond_header_count * sizeof *values);
    if (values == NULL)
        return false;
    for (uint32_t i = 0; i < respond->respond_header_count; i++) {
        struct slice value =
            template_expand(respond->respond_headers[i].value, vars, &exchange->arena);
        if (value.data == NULL)
            return false;
        /* The template may have given back a piece of the read buffer. */
        values[i] = arena_copy(&exchange->arena, value);
        if (values[i].data == NULL)
            values[i] = SLICE("");
    }
    exchange->reply_values = values;
    return true;
}

static void change_service(struct exchange *exchange, const struct target_service *target)
{
    struct service_live *before = exchange->service->live;

    if (exchange->is_retrying) {
        exchange->is_retrying = false;
        retry_budget_give(&before->budget);
    }
    retry_budget_leave(&before->budget);
    gate_leave_service(exchange);
    exchange->service = &exchange->serving->services[target->number];
    retry_budget_enter(&exchange->service->live->budget);
    exchange->affinity.has_key = false;
    exchange->affinity.sticky_id = 0;
    exchange->tried_count = 0;
}

bool fallback_take(struct exchange *exchange, enum reason reason)
{
    const struct plan_fallback *fallback = exchange->plan->fallback;

    if (fallback == NULL || exchange->is_fallback)
        return false;
    exchange->is_fallback = true;
    if (fallback->service != NULL) {
        change_service(exchange, fallback->service);
        gate_enter(exchange);
        return true;
    }
    exchange->reason = (uint8_t)reason;
    exchange->reply = fallback->respond;
    exchange->body_discard = true;
    reply_plan(exchange, NULL);
    return true;
}
