/* Points by qsort, keys by binary search. 64 bits are mixed as in SplitMix64
 * [Steele 2014] and cut to 32: with at most 65,536 points, equal hashes are rare,
 * and the owner's id then decides, so that all rings stay alike. */
#include "node/balance/ring.h"

#include <stdlib.h>

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t ring_affinity(uint64_t key, uint64_t id)
{
    return mix(key ^ mix(id));
}

static int compare_points(const void *a, const void *b)
{
    const struct ring_point *left = a, *right = b;
    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return left->owner < right->owner ? -1 : left->owner > right->owner;
}

/* At least one, so that nobody is left out for a small weight. */
static uint32_t points_of(const struct ring_owner *owner, uint32_t count, uint64_t weight)
{
    uint64_t all = (uint64_t)count * RING_POINTS;
    if (all > RING_POINTS_MAX)
        all = RING_POINTS_MAX;
    uint64_t points = (all * owner->weight + weight / 2) / weight;
    return points == 0 ? 1 : (uint32_t)points;
}

bool ring_build(struct arena *arena, const struct ring_owner *owners, uint32_t count,
                struct ring *ret_ring)
{
    uint64_t weight = 0;
    uint32_t total = 0, at = 0;

    for (uint32_t i = 0; i < count; i++)
        weight += owners[i].weight;
    for (uint32_t i = 0; i < count; i++)
        total += points_of(&owners[i], count, weight);
    struct ring_point *points = arena_alloc(arena, (total + 1) * sizeof *points);
    if (points == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t own = points_of(&owners[i], count, weight);
        for (uint32_t k = 0; k < own; k++)
            points[at++] = (struct ring_point){
                (uint32_t)(ring_affinity(k + 1, owners[i].id) >> 32), i};
    }
    qsort(points, total, sizeof *points, compare_points);
    *ret_ring = (struct ring){points, total};
    return true;
}

uint32_t ring_find(const struct ring *ring, uint64_t key)
{
    uint32_t hash = (uint32_t)(mix(key) >> 32);
    uint32_t low = 0, high = ring->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ring->points[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low == ring->count ? 0 : low;
}
