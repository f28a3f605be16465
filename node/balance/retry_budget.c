/* The retry budget [Finagle RetryBudget, Envoy retry_budget] and full jitter
 * [Brooker 2015: of the jitters, full spreads a thundering herd the most]. */
#include "node/balance/retry_budget.h"

void retry_budget_enter(struct retry_budget_state *budget)
{
    budget->active++;
}

void retry_budget_leave(struct retry_budget_state *budget)
{
    if (budget->active > 0)
        budget->active--;
}

bool retry_budget_take(struct retry_budget_state *budget, uint32_t ratio_percent,
                       uint32_t floor)
{
    uint64_t share = (uint64_t)budget->active * ratio_percent / 100;
    uint64_t allowed = share > floor ? share : floor;

    if (budget->retrying >= allowed)
        return false;
    budget->retrying++;
    return true;
}

void retry_budget_give(struct retry_budget_state *budget)
{
    if (budget->retrying > 0)
        budget->retrying--;
}

uint32_t retry_backoff_ms(struct rng *rng, unsigned retry, uint32_t base_ms,
                          uint32_t max_ms)
{
    unsigned doublings = retry == 0 ? 0 : retry - 1;
    uint64_t bound = doublings >= 32 ? UINT64_MAX : (uint64_t)base_ms << doublings;

    if (bound > max_ms)
        bound = max_ms;
    return (uint32_t)rng_between(rng, 0, bound);
}
