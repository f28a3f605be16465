/* A snapshot as one worker serves it: the snapshot's dense numbers joined to what
 * the worker knows of the same endpoints, services and routes.
 *
 * Shares one reference of the snapshot; pinned by a plain count per exchange and
 * listening socket, and gone with the last pin. The worker's thread only. */
#ifndef GW_NODE_PROXY_SERVING_H
#define GW_NODE_PROXY_SERVING_H

#include "node/proxy/core.h"
#include "node/proxy/pool.h"

struct serving_service {
    const struct target_service *target; /* borrowed from the snapshot */
    struct service_live *live;
    struct endpoint **endpoints;  /* by index; an entry is NULL when out of memory */
    struct endpoint_live **lives; /* the same, for balance_pick */
};

struct route_gate;

struct serving {
    struct worker *worker;
    struct snapshot *snapshot; /* shares */
    uint64_t revision;
    unsigned pins;
    struct serving_service *services; /* by number */
    uint32_t service_count;
    struct route_counts **routes; /* by plan number; filled at first use */
    struct route_gate **gates;    /* the same; NULL before the first */
    uint32_t plan_count;
};

/* Takes the reference of the snapshot, also on failure. Pinned once. NULL: out of memory.
 */
struct serving *serving_new(struct worker *worker, struct snapshot *snapshot);
static inline struct serving *serving_pin(struct serving *serving)
{
    serving->pins++;
    return serving;
}
/* NULL is fine. */
void serving_unpin(struct serving *serving);
/* The bulkhead of the plan's route; the same over changes of the configuration. NULL: out
 * of memory, and so without a limit. */
struct gate *serving_gate(struct serving *serving, const struct plan *plan);
struct route_counts *serving_route(struct serving *serving, const struct plan *plan);

#endif
