/* Planted bugs: what a test must be able to find. `GW_PLANTED("name")` is a constant
 * false in every build but one configured with GW_PLANTS, which is for tests alone; there
 * it is true when the variable GW_PLANT of the environment says that name. Any thread. */
#ifndef GW_BASE_PLANT_H
#define GW_BASE_PLANT_H

#include <stdbool.h>

#ifdef GW_PLANTS
#include <stdlib.h>
#include <string.h>

static inline bool plant_is(const char *name)
{
    const char *planted = getenv("GW_PLANT");

    return planted != NULL && strcmp(planted, name) == 0;
}
#define GW_PLANTED(name) plant_is(name)
#else
#define GW_PLANTED(name) false
#endif

#endif
