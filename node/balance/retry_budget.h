/* Retries draw on a budget, not a count per call: when an upstream fails,
 * three tries each would triple the load just as it is least able to bear it.
 *
 * At most a share of the active requests of a service may be retries, never
 * fewer than a floor, so that a quiet service can retry at all. Per worker and
 * service; the worker divides the floor by nothing: it is small. Pure. */
#ifndef GW_NODE_RETRY_BUDGET_H
#define GW_NODE_RETRY_BUDGET_H

#include "base/rng.h"

/* (model/kind_service.h has the setting, struct retry_budget.) */
struct retry_budget_state {
    uint32_t active;   /* requests under way, retried ones included */
    uint32_t retrying; /* of them, those that hold a retry */
};

/* A request starts, ends. */
void retry_budget_enter(struct retry_budget_state *budget);
void retry_budget_leave(struct retry_budget_state *budget);
/* Takes a retry; false: over budget. Given back when the attempt ends. */
bool retry_budget_take(struct retry_budget_state *budget, uint32_t ratio_percent,
                       uint32_t floor);
void retry_budget_give(struct retry_budget_state *budget);

/* How long to wait before retry number `retry` (from 1): full jitter, between 0
 * and min(max, base doubled each time). */
uint32_t retry_backoff_ms(struct rng *rng, unsigned retry, uint32_t base_ms,
                          uint32_t max_ms);

#endif
