/* Peak EWMA of latency, and the cost of one call more.
 *
 * Between samples the average decays towards zero, so an endpoint once slow is
 * asked again after some decay times: without calls it could not get better.
 * The price is one slow call per decay time or so. */
#include "node/balance/endpoint_live.h"

#include <math.h>

/* What a failure counts as, at least: more than any healthy latency. */
#define FAILURE_US 1000000.0
/* What a call under way costs while nothing is known yet: an endpoint never
 * heard of gets one call, not all of them. */
#define UNKNOWN_US 100000.0

static double decayed(const struct endpoint_live *live, uint64_t now_us, uint64_t decay_ms)
{
    if (now_us <= live->stamp_us || decay_ms == 0)
        return live->ewma_us;
    return live->ewma_us *
           exp(-(double)(now_us - live->stamp_us) / ((double)decay_ms * 1000.0));
}

static void sample(struct endpoint_live *live, uint64_t now_us, double us,
                   uint64_t decay_ms)
{
    if (!live->has_sample || us > live->ewma_us) {
        live->ewma_us = us;
    } else if (decay_ms != 0) {
        uint64_t since_us = now_us > live->stamp_us ? now_us - live->stamp_us : 0;
        double keep = exp(-(double)since_us / ((double)decay_ms * 1000.0));
        live->ewma_us = live->ewma_us * keep + us * (1.0 - keep);
    } else {
        live->ewma_us = us;
    }
    live->has_sample = true;
    live->stamp_us = now_us;
}

void endpoint_live_begin(struct endpoint_live *live)
{
    live->in_flight++;
}

void endpoint_live_drop(struct endpoint_live *live)
{
    if (live->in_flight > 0)
        live->in_flight--;
}

void endpoint_live_end(struct endpoint_live *live, uint64_t now_us, uint64_t took_us,
                       uint64_t decay_ms)
{
    endpoint_live_drop(live);
    sample(live, now_us, (double)took_us, decay_ms);
}

void endpoint_live_fail(struct endpoint_live *live, uint64_t now_us, uint64_t took_us,
                        uint64_t decay_ms)
{
    endpoint_live_drop(live);
    live->failed_us = now_us;
    sample(live, now_us, (double)took_us > FAILURE_US ? (double)took_us : FAILURE_US,
           decay_ms);
}

uint32_t endpoint_live_share(const struct endpoint_live *live, uint64_t now_us,
                             uint32_t for_ms, uint32_t from)
{
    if (live->since_us == 0 || for_ms == 0)
        return ENDPOINT_SHARE_ALL;
    uint64_t for_us = (uint64_t)for_ms * 1000;
    uint64_t age_us = now_us > live->since_us ? now_us - live->since_us : 0;
    if (age_us >= for_us)
        return ENDPOINT_SHARE_ALL;
    uint32_t share = (uint32_t)(age_us * ENDPOINT_SHARE_ALL / for_us);
    return share > from ? share : from;
}

double endpoint_live_cost(const struct endpoint_live *live, uint64_t now_us,
                          uint64_t decay_ms)
{
    if (!live->has_sample)
        return UNKNOWN_US * live->in_flight;
    return decayed(live, now_us, decay_ms) * (live->in_flight + 1.0);
}
