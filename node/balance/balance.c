/* Picks an endpoint: the power of two choices, and simpler ways.
 *
 * P2C draws two different members by weight and takes the one whose next call
 * is expected to cost less [Mitzenmacher 2001; Finagle's peak EWMA]: nearly as
 * good as knowing the best, without herding on it when the knowledge is stale.
 * Draws that hit a member that is not eligible are repeated a few times; when
 * that fails the tier is walked once, so a mostly dead tier costs O(members).
 * `hash` is not built yet and draws at random. */
#include "node/balance/balance.h"

#include <stdlib.h>

#define DRAWS_MAX 8u

bool balance_set_build(struct arena *arena, const struct balance_input *inputs,
                       uint32_t count, struct balance_set *ret_set)
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
                    inputs[i].board, i, inputs[i].weight, tier.weight};
                if (members[member_count].weight != members[tier.begin].weight)
                    tier.same_weights = false;
                member_count++;
            } else if (inputs[i].rank > rank && inputs[i].rank < next) {
                next = inputs[i].rank;
            }
        }
        tier.end = member_count;
        if (tier.end > tier.begin)
            tiers[tier_count++] = tier;
        rank = next;
    }
    *ret_set = (struct balance_set){members, tiers, member_count, tier_count};
    return true;
}

static struct endpoint_live *live_of(const struct balance_call *call,
                                     const struct balance_member *member)
{
    return call->live == NULL ? NULL : call->live[member->index];
}

static bool is_eligible(const struct balance_call *call,
                        const struct balance_member *member)
{
    if (member->board != NULL && board_slot_state(member->board) != BOARD_UP)
        return false;
    for (uint32_t i = 0; i < call->tried_count; i++)
        if (call->tried[i] == member->index)
            return false;
    if (call->in_flight_max != 0) {
        const struct endpoint_live *live = live_of(call, member);
        if (live != NULL && live->in_flight >= call->in_flight_max)
            return false;
    }
    return true;
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
        if (member != besides && is_eligible(call, member))
            return member;
    }
    /* Reservoir sampling: one pass, each with its weight's chance. */
    const struct balance_member *chosen = NULL;
    uint64_t weight = 0;
    for (uint32_t i = tier->begin; i < tier->end; i++) {
        const struct balance_member *member = &call->set->members[i];
        if (member == besides || !is_eligible(call, member))
            continue;
        weight += member->weight;
        if (rng_below(call->rng, weight) < member->weight)
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
        live->round += member->weight;
        total += member->weight;
        if (live->round > most) {
            most = live->round;
            chosen = member;
        }
    }
    if (chosen != NULL)
        live_of(call, chosen)->round -= total;
    return chosen;
}

uint32_t balance_pick(const struct balance_call *call)
{
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
        case BALANCE_HASH:
            member = draw_eligible(call, tier, NULL);
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
