/* Planted bugs: what a test must be able to find. `GW_PLANTED("name")` is a constant
 * false in every build but one configured with GW_PLANTS, which is for tests alone, and in
 * the copies of store/ and raft/ that the simulator links; there it is true when the
 * variable GW_PLANT of the environment says that name. Any thread. */
#ifndef GW_BASE_PLANT_H
#define GW_BASE_PLANT_H

#include <stdbool.h>

#ifdef GW_PLANTS
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The environment is looked at once: the simulator asks some million times a second. */
static inline bool plant_is(const char *name)
{
    static _Atomic(const char *) planted;
    const char *known = atomic_load_explicit(&planted, memory_order_relaxed);

    if (known == NULL) {
        known = getenv("GW_PLANT");
        known = known != NULL ? known : "";
        atomic_store_explicit(&planted, known, memory_order_relaxed);
    }
    return known[0] != '\0' && strcmp(known, name) == 0;
}
#define GW_PLANTED(name) plant_is(name)
#else
#define GW_PLANTED(name) false
#endif

#endif
