/* A place that is given back goes to the first in line at once, but that one's
 * attempt starts later in the same turn of the loop: an exchange that ends is no
 * place to start another in, and a line of failures would be a deep stack. */
#include "node/proxy/gate.h"

#include "node/proxy/attempt.h"
#include "node/proxy/exchange.h"

void gate_init(struct gate *gate)
{
    gate->bulkhead = (struct bulkhead){0, 0};
    list_init(&gate->waiting);
}

static struct bulkhead_limits part_of(const struct worker *worker,
                                      struct bulkhead_limits limits)
{
    if (limits.in_flight == 0)
        return limits;
    limits.in_flight = (uint32_t)worker_share(worker, limits.in_flight);
    limits.queue = (uint32_t)worker_share(worker, limits.queue);
    return limits;
}

/* This worker's part of the limits of the nth gate. */
static struct bulkhead_limits limits_of(const struct exchange *exchange, unsigned nth)
{
    return part_of(exchange->worker, nth == 0 ? exchange->plan->bulkhead
                                              : exchange->service->target->bulkhead);
}

static struct gate *gate_of(const struct exchange *exchange, unsigned nth)
{
    return nth == 0 ? serving_gate(exchange->serving, exchange->plan)
                    : &exchange->service->live->gate;
}

void gate_enter(struct exchange *exchange)
{
    while (exchange->gate_count < EXCHANGE_GATES) {
        unsigned nth = exchange->gate_count;
        struct bulkhead_limits limits = limits_of(exchange, nth);
        struct gate *gate = limits.in_flight == 0 ? NULL : gate_of(exchange, nth);
        enum bulkhead_result result =
            gate == NULL ? BULKHEAD_ENTERED : bulkhead_enter(&gate->bulkhead, &limits);
        if (result == BULKHEAD_FULL) {
            exchange_fail(exchange, REASON_BULKHEAD_FULL);
            return;
        }
        if (result == BULKHEAD_QUEUED) {
            exchange->waits_at = gate;
            list_append(&gate->waiting, &exchange->in_queue);
            exchange->phase = PHASE_QUEUE;
            exchange->try_due_ms = core_after(exchange->worker, limits.wait_ms);
            exchange_rearm(exchange);
            return;
        }
        exchange->gates[exchange->gate_count++] = gate;
    }
    exchange->phase = PHASE_WAIT;
    attempt_start(exchange);
}

void gate_due(struct exchange *exchange)
{
    exchange_fail(exchange, REASON_QUEUE_TIMEOUT);
}

/* Hands free places to those who wait. */
static void advance(struct worker *worker, struct gate *gate)
{
    while (!list_is_empty(&gate->waiting)) {
        struct exchange *next = container_of(gate->waiting.next, struct exchange, in_queue);
        struct bulkhead_limits limits = limits_of(next, next->gate_count);
        if (!bulkhead_advance(&gate->bulkhead, &limits))
            return;
        list_remove(&next->in_queue);
        next->gates[next->gate_count++] = gate;
        next->waits_at = NULL;
        next->try_due_ms = UINT64_MAX;
        list_append(&worker->through_gates, &next->in_queue);
    }
}

void gate_give(struct worker *worker, struct gate *gate)
{
    if (gate == NULL)
        return;
    bulkhead_leave(&gate->bulkhead);
    advance(worker, gate);
}

bool gate_try(struct worker *worker, const struct serving_service *service,
              struct gate **ret_gate)
{
    struct bulkhead_limits limits = part_of(worker, service->target->bulkhead);
    struct gate *gate = &service->live->gate;

    *ret_gate = NULL;
    limits.queue = 0;
    if (limits.in_flight == 0)
        return true;
    if (bulkhead_enter(&gate->bulkhead, &limits) != BULKHEAD_ENTERED)
        return false;
    *ret_gate = gate;
    return true;
}

void gate_leave_service(struct exchange *exchange)
{
    while (exchange->gate_count > 1)
        gate_give(exchange->worker, exchange->gates[--exchange->gate_count]);
}

void gate_leave(struct exchange *exchange)
{
    list_remove(&exchange->in_queue);
    if (exchange->waits_at != NULL)
        bulkhead_give_up(&exchange->waits_at->bulkhead);
    exchange->waits_at = NULL;
    while (exchange->gate_count > 0)
        gate_give(exchange->worker, exchange->gates[--exchange->gate_count]);
}

void gate_run(struct worker *worker)
{
    struct list_link *link;

    while ((link = list_take_first(&worker->through_gates)) != NULL)
        gate_enter(container_of(link, struct exchange, in_queue));
}
