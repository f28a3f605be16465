/* Limits of the node are this worker's part of them. */
#include "node/proxy/choice.h"

static struct balance_call call_of(struct worker *worker,
                                   const struct serving_service *service, uint64_t now_us)
{
    const struct target_service *target = service->target;

    return (struct balance_call){
        .set = &target->balance_set,
        .method = (enum balance)target->balance,
        .live = service->lives,
        .in_flight_max = (uint32_t)worker_share(worker, target->endpoint_in_flight),
        .now_us = now_us,
        .decay_ms = target->ewma_decay_ms,
        .slow_for_ms = target->slow_for_ms,
        .slow_from = target->slow_from,
        .bound = target->hash_bound,
        .rng = &worker->rng,
    };
}

bool choice_has_connection(const struct worker *worker,
                           const struct serving_service *service, uint32_t index)
{
    uint32_t most = service->target->pool_connections;
    const struct endpoint *endpoint = service->endpoints[index];

    return most == 0 || endpoint->idle_count > 0 ||
           endpoint->open_count < worker_share(worker, most);
}

uint32_t choice_for_attempt(struct exchange *exchange, uint64_t now_us)
{
    struct worker *worker = exchange->worker;
    const struct serving_service *service = exchange->service;
    const struct affinity *affinity = &exchange->affinity;
    struct balance_call call = call_of(worker, service, now_us);

    call.tried = exchange->tried;
    call.tried_count = exchange->tried_count;
    call.has_key = affinity->has_key;
    call.key = affinity->key;
    if (affinity->sticky_id != 0)
        call.sticky = 1 + balance_set_find(call.set, affinity->sticky_id);
    uint32_t index = balance_pick(&call);
    if (index == BALANCE_NONE && exchange->tried_count > 0) {
        /* All were tried: the same again, rather than nobody. */
        call.tried_count = exchange->tried_count = 0;
        index = balance_pick(&call);
    }
    while (index != BALANCE_NONE && !choice_has_connection(worker, service, index) &&
           exchange->tried_count < BALANCE_TRIED_MAX) {
        exchange->tried[exchange->tried_count++] = index;
        call.tried_count = exchange->tried_count;
        index = balance_pick(&call);
    }
    return index;
}

uint32_t choice_for_copy(struct worker *worker, const struct serving_service *service,
                         uint64_t now_us)
{
    struct balance_call call = call_of(worker, service, now_us);

    return balance_pick(&call);
}
