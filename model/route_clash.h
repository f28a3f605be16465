/* Routes that a request could not choose between: same priority, host, path,
 * method and number of header and query matches, and no match that tells them
 * apart. INTERFACES.md "Resources": a tie is an error at apply. */
#ifndef GW_MODEL_ROUTE_CLASH_H
#define GW_MODEL_ROUTE_CLASH_H

#include "model/change.h"

/* Reports pairs with at least one route of the change (NULL: all pairs). */
void route_clash_check(const struct catalog *after, const struct change *change,
                       struct problems *problems);

#endif
