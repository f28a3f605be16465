/* A snapshot's life: counted, read, disposed of.
 *
 * The last reference often goes on a worker, which must neither take the board's
 * lock nor free megabytes; so it only calls on_unused, which passes the snapshot
 * on to a thread that may. */
#include "node/snapshot/snapshot_private.h"

#include <assert.h>
#include <stdlib.h>

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    if (snapshot != NULL)
        atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    unsigned before =
        atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before != 1)
        return;
    if (snapshot->on_unused != NULL)
        snapshot->on_unused(snapshot->context, snapshot);
    else
        snapshot_dispose(snapshot);
}

void snapshot_dispose(struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    for (size_t i = 0; i < snapshot->slot_count; i++)
        board_slot_unref(snapshot->board, snapshot->slots[i]);
    for (size_t i = 0; i < snapshot->pattern_count; i++)
        pattern_free(snapshot->patterns[i]);
    arena_deinit(&snapshot->arena);
    free(snapshot);
}

uint64_t snapshot_revision(const struct snapshot *snapshot)
{
    return snapshot->revision;
}

uint32_t snapshot_plan_count(const struct snapshot *snapshot)
{
    return snapshot->route_count * snapshot->class_count;
}

const struct plan *snapshot_plan_at(const struct snapshot *snapshot, uint32_t number)
{
    return number < snapshot_plan_count(snapshot) ? &snapshot->plans[number] : NULL;
}

uint32_t snapshot_listener_count(const struct snapshot *snapshot)
{
    return snapshot->listener_count;
}

const struct snapshot_listener *snapshot_listener_at(const struct snapshot *snapshot,
                                                     uint32_t number)
{
    return number < snapshot->listener_count ? &snapshot->listeners[number] : NULL;
}

const struct snapshot_listener *snapshot_listener_named(const struct snapshot *snapshot,
                                                        struct slice name)
{
    for (uint32_t i = 0; i < snapshot->listener_count; i++)
        if (slice_equal(snapshot->listeners[i].name, name))
            return &snapshot->listeners[i];
    return NULL;
}

const struct target_service *snapshot_service(const struct snapshot *snapshot,
                                              struct slice name)
{
    uint32_t low = 0, high = snapshot->service_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = slice_compare(snapshot->services[middle].name, name);
        if (order == 0)
            return &snapshot->services[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

uint32_t snapshot_service_count(const struct snapshot *snapshot)
{
    return snapshot->service_count;
}

const struct target_service *snapshot_service_at(const struct snapshot *snapshot,
                                                 uint32_t number)
{
    return number < snapshot->service_count ? &snapshot->services[number] : NULL;
}

struct slice snapshot_node_name(const struct snapshot *snapshot)
{
    return snapshot->node_name;
}

struct slice snapshot_node_region(const struct snapshot *snapshot)
{
    return snapshot->node_region;
}

struct slice snapshot_node_zone(const struct snapshot *snapshot)
{
    return snapshot->node_zone;
}

const struct snapshot_settings *snapshot_settings(const struct snapshot *snapshot)
{
    return &snapshot->settings;
}

uint32_t snapshot_warning_count(const struct snapshot *snapshot)
{
    return (uint32_t)snapshot->warning_count;
}

struct slice snapshot_warning_at(const struct snapshot *snapshot, uint32_t number)
{
    return number < snapshot->warning_count ? snapshot->warnings[number] : SLICE("");
}

const struct plan *snapshot_plan(const struct snapshot *snapshot,
                                 const struct route_query *query, uint32_t *ret_allowed)
{
    uint32_t class = snapshot->class_count - 1;
    const struct plan *plans = router_find(snapshot->router, query, ret_allowed);

    if (plans == NULL)
        return NULL;
    if (query->listener != NULL && query->listener->number < snapshot->listener_count)
        class = snapshot->listener_classes[query->listener->number];
    return &plans[class];
}
