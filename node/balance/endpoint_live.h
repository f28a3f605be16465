/* What a worker knows of an endpoint from its own calls: how many are under
 * way, how long they take, when one last failed.
 *
 * Owned by the worker, kept under the endpoint's key over changes of the
 * configuration. Latency is a peak EWMA [Finagle]: it jumps to a worse sample
 * at once and forgets it over the decay time, so that a slow endpoint is left
 * alone within one call and tried again later. */
#ifndef GW_NODE_ENDPOINT_LIVE_H
#define GW_NODE_ENDPOINT_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#define ENDPOINT_SHARE_ALL 10000u

struct endpoint_live {
    uint32_t in_flight;
    bool has_sample;
    double ewma_us;     /* as of stamp_us */
    uint64_t stamp_us;  /* of the last sample */
    uint64_t failed_us; /* of the last failure; 0: none */
    int64_t round;      /* of smooth weighted round robin */
    uint64_t since_us;  /* new, or back, since then: starts slowly; 0: long ago */
    bool was_down;      /* when last looked at */
};

/* An attempt starts; each is ended by exactly one of the two below. */
void endpoint_live_begin(struct endpoint_live *live);
/* It was answered (5xx answers that count as failures are failures) after `took_us`. */
void endpoint_live_end(struct endpoint_live *live, uint64_t now_us, uint64_t took_us,
                       uint64_t decay_ms);
/* It failed: a fast failure must not look like a fast endpoint. */
void endpoint_live_fail(struct endpoint_live *live, uint64_t now_us, uint64_t took_us,
                        uint64_t decay_ms);
/* It was given up through no fault of the endpoint's (the client went away). */
void endpoint_live_drop(struct endpoint_live *live);
/* Its part of its weight while it starts slowly, in hundredths of a percent: from
 * `from` at the beginning to all of it after `for_ms`, in a straight line. */
uint32_t endpoint_live_share(const struct endpoint_live *live, uint64_t now_us,
                             uint32_t for_ms, uint32_t from);
/* The less, the better: expected microseconds of the next call. */
double endpoint_live_cost(const struct endpoint_live *live, uint64_t now_us,
                          uint64_t decay_ms);

#endif
