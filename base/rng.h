/* Chance as an argument: xoshiro256++ [Blackman, Vigna 2019]. Not for secrets. */
#ifndef GW_BASE_RNG_H
#define GW_BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state[4];
};

/* The same seed gives the same sequence, on every machine. */
void rng_init(struct rng *rng, uint64_t seed);
/* From the kernel's entropy. */
void rng_init_random(struct rng *rng);
uint64_t rng_next(struct rng *rng);
/* Below `bound` (> 0), without bias. */
uint64_t rng_below(struct rng *rng, uint64_t bound);
/* In [low, high]. */
uint64_t rng_between(struct rng *rng, uint64_t low, uint64_t high);
/* True `per_mille` times in a thousand. */
bool rng_chance(struct rng *rng, unsigned per_mille);

#endif
