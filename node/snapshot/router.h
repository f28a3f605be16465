/* Finds the route of a call: hosts by hash, paths by radix tree.
 *
 * Routes stand under each of their hosts, in a class: an exact host, a wildcard
 * suffix, or any host. A class has a radix tree of its exact and prefix paths,
 * and a list of its regexes. Built once in an arena, then read-only.
 *
 * Priority outranks all else, host specificity too, yet nothing is searched that
 * cannot win: classes, the chain of prefixes above a path and candidates each
 * know the highest priority they hold, and the search, which goes from the most
 * specific to the least, stops at what cannot beat what it has found. With all
 * priorities equal the first match ends it; a lookup then costs one hash, one
 * walk down one tree. At worst it walks one tree per class that covers the
 * host (labels + 2) and the prefixes of the path. Within one path, routes that
 * differ by method, headers and query are tried in order, and so are regexes. */
#ifndef GW_NODE_ROUTER_H
#define GW_NODE_ROUTER_H

#include "node/snapshot/conditions.h"

enum route_path { ROUTE_PATH_EXACT, ROUTE_PATH_PREFIX, ROUTE_PATH_REGEX };

/* A route as the router needs it; outlives the router. */
struct router_route {
    struct slice name;
    const struct slice *hosts; /* lower case; "*.suffix"; none: any */
    uint32_t host_count;
    int16_t priority;
    uint8_t path_type; /* enum route_path */
    bool has_methods;
    bool is_conditional; /* has conditions or other methods */
    uint32_t methods;    /* bits of enum http_method; all when none were given */
    struct slice path;   /* exact or prefix; text of the regex */
    const struct pattern *pattern;
    const struct slice *other_methods; /* those that have no bit of their own */
    uint32_t other_method_count;
    struct conditions_of_route conditions;
    const struct plan *plans; /* one for each class of listeners */
};

struct router;

/* NULL: out of memory. Routes stay the caller's. */
struct router *router_build(struct arena *arena, const struct router_route *routes,
                            size_t count);
/* The plans of the route, or NULL. *ret_allowed: bits of the methods that routes
 * matching in all but the method would take; 0 when there is a route. */
const struct plan *router_find(const struct router *router, const struct route_query *query,
                               uint32_t *ret_allowed);

/* One route alone, for explain. */
bool router_host_fits(const struct router_route *route, struct slice host);
bool router_path_fits(const struct router_route *route, struct slice path);
bool router_method_fits(const struct router_route *route, const struct route_query *query);

#endif
