/* Which endpoint takes an attempt.
 *
 * A set is compiled once with the service: its members in tiers of locality,
 * each with its weights added up, so that a draw by weight is a binary search.
 * The board says who is up, the caller's live state how each is doing. Pure:
 * time and chance are arguments; nothing is allocated.
 *
 * A tier is used while any of its members is eligible: up, of weight above 0,
 * not tried before in this call, below its limit. Then the next. */
#ifndef GW_NODE_BALANCE_H
#define GW_NODE_BALANCE_H

#include "base/arena.h"
#include "base/rng.h"
#include "model/kind_service.h"
#include "node/balance/endpoint_live.h"
#include "node/balance/ring.h"
#include "node/board/board.h"

#define BALANCE_NONE      UINT32_MAX
#define BALANCE_TRIED_MAX 16u

struct balance_member {
    const struct board_slot *board; /* borrowed; NULL: up */
    uint32_t index;                 /* of the endpoint within its service */
    uint32_t weight;                /* above 0 */
    uint64_t weight_upto;           /* of the members of this tier up to this one */
    uint64_t id;                    /* of the endpoint, the same everywhere */
};

struct balance_tier {
    uint32_t begin, end; /* of members */
    uint64_t weight;     /* of all */
    bool same_weights;
    struct ring ring; /* for hash; owners count from `begin` */
};

struct balance_id {
    uint64_t id;
    uint32_t member;
};

struct balance_set {
    const struct balance_member *members; /* by tier; none with weight 0 */
    const struct balance_tier *tiers;
    const struct balance_id *ids; /* of members, in order */
    uint32_t member_count, tier_count;
};

/* An endpoint as the set is built from it. */
struct balance_input {
    const struct board_slot *board;
    uint32_t weight;
    uint32_t rank; /* of locality: 0 is nearest; UINT32_MAX: never */
    uint64_t id;   /* for hashes and cookies; 0: none */
};

/* Builds in the arena, which then owns the set; rings only if they are wanted. False:
 * out of memory. */
bool balance_set_build(struct arena *arena, const struct balance_input *inputs,
                       uint32_t count, bool with_rings, struct balance_set *ret_set);
/* The member with this id, or BALANCE_NONE: gone, out of reach, or of weight 0. */
uint32_t balance_set_find(const struct balance_set *set, uint64_t id);

struct balance_call {
    const struct balance_set *set;
    enum balance method;
    /* By index of endpoint; an entry, or the whole, may be NULL: no calls yet. */
    struct endpoint_live *const *live;
    const uint32_t *tried; /* indices */
    uint32_t tried_count;
    uint32_t in_flight_max; /* per endpoint; 0: unlimited */
    uint64_t now_us;
    uint64_t decay_ms;
    uint32_t slow_for_ms, slow_from; /* slow start; 0: none. Share in 1/10,000 */
    uint32_t sticky;                 /* 1 + the member taken if eligible; 0: none */
    bool has_key;                    /* for hash; without one it draws like p2c-ewma */
    uint64_t key;
    uint32_t bound; /* of load, for hash, in 1/10,000 of the average; 0: none */
    struct rng *rng;
};

/* The index of the endpoint, or BALANCE_NONE. Two draws in the common case;
 * one pass over a tier when most of it is not eligible, for round-robin, and for
 * hash when the key's endpoint is busy. */
uint32_t balance_pick(const struct balance_call *call);
/* How many could take a call that has tried none: 0 means 503. */
uint32_t balance_available(const struct balance_set *set);

#endif
