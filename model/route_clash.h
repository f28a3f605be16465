/* Routes that a request could not choose between: same priority, host, path,
 * method and number of header and query matches, and no match that tells them
 * apart. INTERFACES.md "Resources": a tie is an error at apply. */
#ifndef GW_MODEL_ROUTE_CLASH_H
#define GW_MODEL_ROUTE_CLASH_H

#include "model/change.h"

/* Reports pairs with at least one route of the change (NULL: all pairs). */
void route_clash_check(const struct catalog *after, const struct change *change,
                       struct problems *problems);

/* For the index: how many places of a route may tie, one a host, and the hash of what
 * must be equal there. */
size_t route_clash_hosts(const struct route_match *match);
uint64_t route_clash_order(const struct resource *route, size_t host);

#endif
