/* Tells why a call takes its route, and why the others near it do not.
 *
 * The winner comes from the search itself. The rest is a walk over all routes,
 * nearest first: those that fit in host and path but fail on something else, or
 * are outranked; then those of that host; then, when nothing was found, those of
 * that path under other hosts. Linear, bounded by the answer's 64 lines. */
#include "node/snapshot/snapshot_private.h"

#include <stdio.h>

static const char *condition_words(const struct condition *miss)
{
    switch (miss->type) {
    case CONDITION_PRESENT:
        return "is missing";
    case CONDITION_ABSENT:
        return "is there";
    case CONDITION_EXACT:
        return "is not";
    case CONDITION_PREFIX:
        return "does not begin with";
    default:
        return "does not match";
    }
}

static void skip(struct explain_route *explained, const struct router_route *route,
                 const char *why)
{
    struct explain_skip *skipped = &explained->skipped[explained->skipped_count++];

    skipped->route = route->name;
    snprintf(skipped->why, sizeof skipped->why, "%s", why);
}

static void why_not(const struct router_route *route, const struct route_query *query,
                    const struct plan *winner, char *why, size_t size)
{
    const struct condition *miss;

    if (!conditions_hold(&route->conditions, query, &miss)) {
        if (miss == NULL)
            snprintf(why, size, "not on listener %.*s",
                     SLICE_ARG(query->listener == NULL ? SLICE("(none)")
                                                       : query->listener->name));
        else
            snprintf(why, size, "%s %.*s %s%s%.*s",
                     miss >= route->conditions.headers &&
                             miss <
                                 route->conditions.headers + route->conditions.header_count
                         ? "header"
                         : "query",
                     SLICE_ARG(miss->name), condition_words(miss),
                     miss->text.size > 0 ? " " : "", SLICE_ARG(miss->text));
        return;
    }
    if (!router_method_fits(route, query))
        snprintf(why, size, "method %.*s is not among its methods",
                 SLICE_ARG(query->message->method_name));
    else
        snprintf(why, size, "outranked by %.*s", SLICE_ARG(winner->route));
}

static void why_not_path(const struct router_route *route, char *why, size_t size)
{
    static const char *const words[] = {"is not", "is not below", "does not match"};
    snprintf(why, size, "path %s %.*s", words[route->path_type], SLICE_ARG(route->path));
}

void snapshot_explain(const struct snapshot *snapshot, const struct route_query *query,
                      struct explain_route *ret_explained)
{
    const unsigned most = sizeof ret_explained->skipped / sizeof ret_explained->skipped[0];
    char why[sizeof ret_explained->skipped[0].why];
    uint32_t allowed;

    ret_explained->plan = snapshot_plan(snapshot, query, &allowed);
    ret_explained->skipped_count = 0;
    for (int pass = 0; pass < 3; pass++) {
        if (pass == 2 && ret_explained->plan != NULL)
            break;
        for (uint32_t i = 0; i < snapshot->route_count; i++) {
            const struct router_route *route = &snapshot->routes[i];
            if (ret_explained->skipped_count == most)
                return;
            if (ret_explained->plan != NULL &&
                slice_equal(ret_explained->plan->route, route->name))
                continue;
            bool host = router_host_fits(route, query->host);
            if (host != (pass < 2) || router_path_fits(route, query->path) != (pass != 1))
                continue;
            if (pass == 0)
                why_not(route, query, ret_explained->plan, why, sizeof why);
            else if (pass == 1)
                why_not_path(route, why, sizeof why);
            else
                snprintf(why, sizeof why, "host %.*s is not among its hosts",
                         SLICE_ARG(query->host));
            skip(ret_explained, route, why);
        }
    }
}
