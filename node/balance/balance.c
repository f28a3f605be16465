/* Picks an endpoint: the power of two choices, and simpler ways.
 *
 * P2C draws two different members by weight and takes the one whose next call
 * is expected to cost less [Mitzenmacher 2001; Finagle's peak EWMA]: nearly as
 * good as knowing the best, without herding on it when the knowledge is stale.
 * Draws that hit a member that is not eligible are repeated a few times; when
 * that fails the tier is walked once, so a mostly dead tier costs O(members).
 *
 * An endpoint that is new or back up starts slowly: a draw that hits it counts
 * with the chance of its share [Envoy, slow start, aggression 1]. A key's place on
 * the ring does not: half a key is no key.
 *
 * `hash` walks the ring from the key's place to the first endpoint whose load is
 * below the bound [Mirrokni, Thorup, Zadimoghaddam 2016]: at most ceil(bound x
 * average) calls, the new one included, each by its weight. Load is this worker's
 * own; a small average makes keys move early, which the bound allows for. */
#include "node/balance/balance.h"

#include <stdlib.h>

#define DRAWS_MAX 8u
/* Points of a ring looked at before all members are. */
#define WALK_MAX 32u

static int compare_ids(const void *a, const void *b)
{
    const struct balance_id *left = a, *right = b;
    return left->id < right->id ? -1 : left->id > right->id;
}

static bool build_ids(struct arena *arena, struct balance_set *set)
{
    struct balance_id *ids = arena_alloc(arena, (set->member_count + 1) * sizeof *ids);

    if (ids == NULL)
        return false;
    for (uint32_t i = 0; i < set->member_count; i++)
        ids[i] = (struct balance_id){set->members[i].id, i};
    if (set->member_count > 1)
        qsort(ids, set->member_count, sizeof *ids, compare_ids);
    set->ids = ids;
    return true;
}

static bool build_ring(struct arena *arena, const struct balance_member *members,
                       struct balance_tier *tier)
{
    uint32_t count = tier->end - tier->begin;
    struct ring_owner *owners = arena_alloc(arena, count * sizeof *owners);

    if (owners == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++)
        owners[i] = (struct ring_owner){members[tier->begin + i].id,
                                        members[tier->begin + i].weight};
    return ring_build(arena, owners, count, &tier->ring);
}

bool balance_set_build(struct arena *arena, const struct balance_input *inputs,
                       uint32_t count, bool with_rings, struct balance_set *ret_set)
{
    struct balance_member *members = arena_alloc(arena, (count + 1) * sizeof *members);
    struct balance_tier *tiers = arena_alloc(arena, (count + 1) * sizeof *tiers);
    uint32_t member_count = 0, tier_count = 0;

    if (members == NULL || tiers == NULL)
        return false;
    /* Ranks are few; each pass takes in the lowest one not yet done. */
    for (uint32_t rank = 0; rank != UINT32_MAX;) {
        uint32_t next = UINT32_MAX;
        struct balance_tier tier = {.begin = member_count, .same_weights = true};
        for (uint32_t i = 0; i < count; i++) {
            if (inputs[i].weight == 0)
                continue;
            if (inputs[i].rank == rank) {
                tier.weight += inputs[i].weight;
                members[member_count] = (struct balance_member){
                    inputs[i].board, i, inputs[i].weight, tier.weight, inputs[i].id};
                if (members[member_count].weight != members[tier.begin].weight)
                    tier.same_weights = false;
                member_count++;
            } else if (inputs[i].rank > rank && inputs[i].rank < next) {
                next = inputs[i].rank;
            }
        }
        tier.end = member_count;
        if (tier.end > tier.begin) {
            if (with_rings && !build_ring(arena, members, &tier))
                return false;
            tiers[tier_count++] = tier;
        }
        rank = next;
    }
    *ret_set = (struct balance_set){.members = members,
                                    .tiers = tiers,
                                    .member_count = member_count,
                                    .tier_count = tier_count};
    return build_ids(arena, ret_set);
}

uint32_t balance_set_find(const struct balance_set *set, uint64_t id)
{
    uint32_t low = 0, high = set->member_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (set->ids[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->member_count && set->ids[low].id == id ? set->ids[low].member
                                                             : BALANCE_NONE;
}

static struct endpoint_live *live_of(const struct balance_call *call,
                                     const struct balance_member *member)
{
    return call->live == NULL ? NULL : call->live[member->index];
}

/* Notes who is down, so that who comes back starts slowly. Nobody tells a worker of
 * that: what was not looked at while it was down comes back at once. */
static bool is_up(const struct balance_call *call, const struct balance_member *member,
                  struct endpoint_live *live)
{
    enum board_state state =
        member->board == NULL ? BOARD_UP : board_slot_state(member->board);

    if (live != NULL && state == BOARD_DOWN) {
        live->was_down = true;
    } else if (live != NULL && live->was_down && state == BOARD_UP) {
        live->was_down = false;
        live->since_us = call->now_us;
    }
    return state == BOARD_UP;
}

static bool is_eligible(const struct balance_call *call,
                        const struct balance_member *member)
{
    struct endpoint_live *live = live_of(call, member);

    if (!is_up(call, member, live))
        return false;
    for (uint32_t i = 0; i < call->tried_count; i++)
        if (call->tried[i] == member->index)
            return false;
    return call->in_flight_max == 0 || live == NULL ||
           live->in_flight < call->in_flight_max;
}

static uint32_t share_of(const struct balance_call *call,
                         const struct balance_member *member)
{
    const struct endpoint_live *live = live_of(call, member);

    return live == NULL ? ENDPOINT_SHARE_ALL
                        : endpoint_live_share(live, call->now_us, call->slow_for_ms,
                                              call->slow_from);
}

/* Any member, by weight. */
static const struct balance_member *draw(const struct balance_call *call,
                                         const struct balance_tier *tier)
{
    const struct balance_member *members = call->set->members;

    if (tier->same_weights)
        return &members[tier->begin + rng_below(call->rng, tier->end - tier->begin)];
    uint64_t at = rng_below(call->rng, tier->weight);
    uint32_t low = tier->begin, high = tier->end - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (members[middle].weight_upto > at)
            high = middle;
        else
            low = middle + 1;
    }
    return &members[low];
}

/* An eligible member other than `besides`, by weight; NULL: there is none. */
static const struct balance_member *draw_eligible(const struct balance_call *call,
                                                  const struct balance_tier *tier,
                                                  const struct balance_member *besides)
{
    for (unsigned i = 0; i < DRAWS_MAX; i++) {
        const struct balance_member *member = draw(call, tier);
        if (member == besides || !is_eligible(call, member))
            continue;
        uint32_t share = share_of(call, member);
        if (share == ENDPOINT_SHARE_ALL || rng_below(call->rng, ENDPOINT_SHARE_ALL) < share)
            return member;
    }
    /* Reservoir sampling: one pass, each with its weight's chance. A share of nothing
     * is still a little: better the new one than none. */
    const struct balance_member *chosen = NULL;
    uint64_t weight = 0;
    for (uint32_t i = tier->begin; i < tier->end; i++) {
        const struct balance_member *member = &call->set->members[i];
        if (member == besides || !is_eligible(call, member))
            continue;
        uint64_t own = (uint64_t)member->weight * share_of(call, member);
        if (own == 0)
            own = 1;
        weight += own;
        if (rng_below(call->rng, weight) < own)
            chosen = member;
    }
    return chosen;
}

static double cost_of(const struct balance_call *call, const struct balance_member *member)
{
    const struct endpoint_live *live = live_of(call, member);

    if (live == NULL)
        return 0;
    if (call->method == BALANCE_LEAST_REQUEST)
        return live->in_flight;
    return endpoint_live_cost(live, call->now_us, call->decay_ms);
}

static const struct balance_member *pick_of_two(const struct balance_call *call,
                                                const struct balance_tier *tier)
{
    const struct balance_member *first = draw_eligible(call, tier, NULL);
    if (first == NULL || tier->end - tier->begin == 1)
        return first;
    const struct balance_member *second = draw_eligible(call, tier, first);
    if (second == NULL)
        return first;
    return cost_of(call, second) < cost_of(call, first) ? second : first;
}

/* Smooth weighted round robin [nginx]: every member gains its weight, the one
 * that has most is taken and pays the sum. Spreads 5:1:1 as a b a a c a a. */
static const struct balance_member *pick_in_turn(const struct balance_call *call,
                                                 const struct balance_tier *tier)
{
    const struct balance_member *chosen = NULL;
    int64_t total = 0, most = INT64_MIN;

    for (uint32_t i = tier->begin; i < tier->end; i++) {
        const struct balance_member *member = &call->set->members[i];
        if (!is_eligible(call, member))
            continue;
        struct endpoint_live *live = live_of(call, member);
        if (live == NULL) { /* never called: its turn now */
            return member;
        }
        int64_t own = (int64_t)member->weight * share_of(call, member);
        live->round += own;
        total += own;
        if (live->round > most) {
            most = live->round;
            chosen = member;
        }
    }
    if (chosen != NULL)
        live_of(call, chosen)->round -= total;
    return chosen;
}

/* What a tier's eligible members carry, and their weight. */
struct burden {
    uint64_t calls, weight;
};

static struct burden burden_of(const struct balance_call *call,
                               const struct balance_tier *tier)
{
    struct burden burden = {0, 0};

    for (uint32_t i = tier->begin; i < tier->end; i++) {
        const struct balance_member *member = &call->set->members[i];
        if (!is_eligible(call, member))
            continue;
        const struct endpoint_live *live = live_of(call, member);
        burden.calls += live == NULL ? 0 : live->in_flight;
        burden.weight += member->weight;
    }
    return burden;
}

/* Whether one call more keeps it within the bound. One alone always is: so the
 * burden is only added up when the first choice is busy. */
static bool is_bearable(const struct balance_call *call, const struct balance_tier *tier,
                        const struct balance_member *member, struct burden *burden)
{
    const struct endpoint_live *live = live_of(call, member);

    if (call->bound == 0 || live == NULL || live->in_flight == 0)
        return true;
    if (burden->weight == 0)
        *burden = burden_of(call, tier);
    /* in_flight + 1 <= ceil(bound x (calls + 1) x weight / all weights) */
    double most = (double)call->bound / 10000.0 * (double)(burden->calls + 1) *
                  (double)member->weight / (double)burden->weight;
    return (double)live->in_flight < most;
}

/* All members, the one that goes best with the key first: as steady as the ring,
 * and one pass, however many are down. */
static const struct balance_member *pick_by_affinity(const struct balance_call *call,
                                                     const struct balance_tier *tier,
                                                     struct burden *burden)
{
    const struct balance_member *chosen = NULL, *any = NULL;
    uint64_t most = 0, most_of_any = 0;

    for (uint32_t i = tier->begin; i < tier->end; i++) {
        const struct balance_member *member = &call->set->members[i];
        if (!is_eligible(call, member))
            continue;
        uint64_t affinity = ring_affinity(call->key, member->id);
        if (any == NULL || affinity > most_of_any) {
            any = member;
            most_of_any = affinity;
        }
        if ((chosen == NULL || affinity > most) &&
            is_bearable(call, tier, member, burden)) {
            chosen = member;
            most = affinity;
        }
    }
    return chosen != NULL ? chosen : any;
}

static const struct balance_member *pick_by_key(const struct balance_call *call,
                                                const struct balance_tier *tier)
{
    struct burden burden = {0, 0};

    if (!call->has_key || tier->ring.count == 0)
        return pick_of_two(call, tier);
    uint32_t at = ring_find(&tier->ring, call->key);
    for (uint32_t i = 0; i < WALK_MAX && i < tier->ring.count; i++) {
        const struct balance_member *member =
            &call->set->members[tier->begin + tier->ring.points[at].owner];
        if (is_eligible(call, member) && is_bearable(call, tier, member, &burden))
            return member;
        at = at + 1 == tier->ring.count ? 0 : at + 1;
    }
    return pick_by_affinity(call, tier, &burden);
}

uint32_t balance_pick(const struct balance_call *call)
{
    if (call->sticky > 0 && is_eligible(call, &call->set->members[call->sticky - 1]))
        return call->set->members[call->sticky - 1].index;
    for (uint32_t i = 0; i < call->set->tier_count; i++) {
        const struct balance_tier *tier = &call->set->tiers[i];
        const struct balance_member *member = NULL;
        switch (call->method) {
        case BALANCE_P2C_EWMA:
        case BALANCE_LEAST_REQUEST:
            member = pick_of_two(call, tier);
            break;
        case BALANCE_ROUND_ROBIN:
            member = pick_in_turn(call, tier);
            break;
        case BALANCE_RANDOM:
            member = draw_eligible(call, tier, NULL);
            break;
        case BALANCE_HASH:
            member = pick_by_key(call, tier);
            break;
        }
        if (member != NULL)
            return member->index;
    }
    return BALANCE_NONE;
}

uint32_t balance_available(const struct balance_set *set)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < set->member_count; i++)
        if (set->members[i].board == NULL ||
            board_slot_state(set->members[i].board) == BOARD_UP)
            count++;
    return count;
}
