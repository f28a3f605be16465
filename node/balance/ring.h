/* A ring of points for consistent hashing: each owner has points in proportion to
 * its weight, a key belongs to the owner of the first point at or after its hash.
 *
 * The places of an owner's points depend on its id alone, so a change of the set
 * moves only the keys of those who came, went or changed weight, and every node
 * and worker has the same ring. Built once, in an arena; read-only after that. */
#ifndef GW_NODE_RING_H
#define GW_NODE_RING_H

#include "base/arena.h"

/* Of an owner of average weight: the spread of shares is about 1/sqrt of it, 8 %. */
#define RING_POINTS     160u
#define RING_POINTS_MAX 65536u /* of all: memory stays bounded, the spread grows */

struct ring_point {
    uint32_t hash;
    uint32_t owner; /* by place in the list it was built from */
};

struct ring {
    const struct ring_point *points; /* by hash */
    uint32_t count;
};

struct ring_owner {
    uint64_t id;
    uint32_t weight; /* above 0 */
};

/* False: out of memory. */
bool ring_build(struct arena *arena, const struct ring_owner *owners, uint32_t count,
                struct ring *ret_ring);
/* The place of the point a key belongs to; the next ones, round the ring, are whom
 * it goes to when that owner cannot take it. Only for a ring with points. */
uint32_t ring_find(const struct ring *ring, uint64_t key);
/* How well a key and an owner go together, for rendezvous hashing: highest wins. */
uint64_t ring_affinity(uint64_t key, uint64_t id);

#endif
