/* Joining a snapshot to the worker's live state costs a table look-up per
 * endpoint and service, once per publish; a call then goes by number. */
#include "node/proxy/serving.h"

#include "base/instant.h"

#include <stdlib.h>

/* Of a route, while a serving that used it is there. */
struct route_gate {
    struct gate gate;   /* first */
    struct slice route; /* owned */
    unsigned refs;
};

static struct route_gate *route_gate_ref(struct worker *worker, struct slice route)
{
    struct route_gate *gate = table_get(&worker->route_gates, route);
    if (gate != NULL) {
        gate->refs++;
        return gate;
    }
    gate = calloc(1, sizeof *gate);
    char *copy = slice_to_string(route);
    if (gate != NULL && copy != NULL) {
        gate_init(&gate->gate);
        gate->route = slice_of(copy, route.size);
        gate->refs = 1;
        if (table_put(&worker->route_gates, gate->route, gate))
            return gate;
    }
    free(copy);
    free(gate);
    return NULL;
}

static void route_gate_unref(struct worker *worker, struct route_gate *gate)
{
    if (gate == NULL || --gate->refs > 0)
        return;
    table_remove(&worker->route_gates, gate->route);
    free((void *)(uintptr_t)gate->route.data);
    free(gate);
}

static void serving_free(struct serving *serving)
{
    for (uint32_t i = 0; i < serving->service_count; i++) {
        struct serving_service *service = &serving->services[i];
        if (service->endpoints != NULL)
            for (uint32_t k = 0; k < service->target->endpoint_count; k++)
                pool_endpoint_unref(service->endpoints[k]);
        pool_service_unref(serving->worker, service->live);
        free(service->endpoints);
        free(service->lives);
    }
    free(serving->services);
    for (uint32_t i = 0; serving->gates != NULL && i < serving->plan_count; i++)
        route_gate_unref(serving->worker, serving->gates[i]);
    free(serving->gates);
    free(serving->routes);
    snapshot_unref(serving->snapshot);
    free(serving);
}

static bool join_service(struct serving *serving, struct serving_service *service)
{
    const struct target_service *target = service->target;
    service->live = pool_service_ref(serving->worker, target->name);
    service->endpoints = calloc(target->endpoint_count + 1, sizeof(struct endpoint *));
    service->lives = calloc(target->endpoint_count + 1, sizeof(struct endpoint_live *));
    if (service->live == NULL || service->endpoints == NULL || service->lives == NULL)
        return false;
    /* Where all are new, as at the start, nobody starts slowly. */
    bool was_served = service->live->refs > 1;
    for (uint32_t i = 0; i < target->endpoint_count; i++) {
        const struct target_endpoint *from = &target->endpoints[i];
        struct endpoint *endpoint =
            pool_endpoint_ref(serving->worker, from->key, from->host, from->port);
        service->endpoints[i] = endpoint;
        if (endpoint == NULL)
            return false;
        if (endpoint->refs == 1)
            endpoint->live.since_us = was_served ? instant_monotonic_us() : 0;
        service->lives[i] = &endpoint->live;
        endpoint->idle_ms = target->idle_ms;
        endpoint->request_limit = target->pool_requests;
    }
    return true;
}

struct serving *serving_new(struct worker *worker, struct snapshot *snapshot)
{
    struct serving *serving = calloc(1, sizeof *serving);
    if (serving == NULL) {
        snapshot_unref(snapshot);
        return NULL;
    }
    serving->worker = worker;
    serving->snapshot = snapshot;
    serving->revision = snapshot_revision(snapshot);
    serving->pins = 1;
    serving->plan_count = snapshot_plan_count(snapshot);
    serving->routes = calloc(serving->plan_count + 1, sizeof(struct route_counts *));
    uint32_t count = snapshot_service_count(snapshot);
    serving->services = calloc(count + 1, sizeof *serving->services);
    if (serving->routes == NULL || serving->services == NULL)
        goto fail;
    for (uint32_t i = 0; i < count; i++) {
        serving->services[i].target = snapshot_service_at(snapshot, i);
        serving->service_count = i + 1;
        if (!join_service(serving, &serving->services[i]))
            goto fail;
    }
    return serving;

fail:
    serving_free(serving);
    return NULL;
}

void serving_unpin(struct serving *serving)
{
    if (serving == NULL || --serving->pins > 0)
        return;
    serving_free(serving);
}

struct gate *serving_gate(struct serving *serving, const struct plan *plan)
{
    if (serving->gates == NULL)
        serving->gates = calloc(serving->plan_count + 1, sizeof(struct route_gate *));
    if (serving->gates == NULL)
        return NULL;
    struct route_gate **gate = &serving->gates[plan->number];
    if (*gate == NULL)
        *gate = route_gate_ref(serving->worker, plan->route);
    return *gate == NULL ? NULL : &(*gate)->gate;
}

struct route_counts *serving_route(struct serving *serving, const struct plan *plan)
{
    if (plan == NULL)
        return serving->worker->counts.unmatched;
    struct route_counts **route = &serving->routes[plan->number];
    if (*route == NULL)
        *route = counts_route(&serving->worker->counts, plan->route);
    return *route;
}
