/* How many requests are under way at once, and how many may wait for a place.
 *
 * A wall between services: one that has become slow fills its own places, not all
 * of the gateway. Only the counting is here; who waits, in which order and how
 * long, is the caller's. Pure. */
#ifndef GW_NODE_BULKHEAD_H
#define GW_NODE_BULKHEAD_H

#include <stdbool.h>
#include <stdint.h>

struct bulkhead_limits {
    uint32_t in_flight; /* 0: unlimited, and no queue */
    uint32_t queue;
    uint32_t wait_ms; /* 0: nobody waits */
};

struct bulkhead {
    uint32_t in_flight, queued;
};

enum bulkhead_result { BULKHEAD_ENTERED, BULKHEAD_QUEUED, BULKHEAD_FULL };

/* A request comes: it has a place, waits for one, or is turned away. */
enum bulkhead_result bulkhead_enter(struct bulkhead *bulkhead,
                                    const struct bulkhead_limits *limits);
/* One that had a place is over. */
void bulkhead_leave(struct bulkhead *bulkhead);
/* One that waits takes a place; false: there is none. */
bool bulkhead_advance(struct bulkhead *bulkhead, const struct bulkhead_limits *limits);
/* One that waits gives up. */
void bulkhead_give_up(struct bulkhead *bulkhead);

#endif
