/* Compiles routes: what they match, for the router; and plans, what they do.
 *
 * Paths are put into the form that requests are put into (http/uri.h), so a
 * route for /caf%c3%a9 meets its requests. A plan is made per class of
 * listeners; what does not depend on the listener is shared between them. */
#include "node/snapshot/snapshot_private.h"

#include "http/fields.h"
#include "http/uri.h"

#include <stdio.h>

/* --- what a route matches -------------------------------------------------- */

static enum result compile_condition(struct compile *compile, struct slice name,
                                     unsigned given, bool present, struct slice exact,
                                     struct slice prefix, struct slice regex,
                                     struct condition *ret_condition, struct error *err)
{
    struct arena *arena = &compile->snapshot->arena;

    *ret_condition = (struct condition){.name = arena_copy(arena, name)};
    switch (given) {
    case MATCH_EXACT:
        ret_condition->type = CONDITION_EXACT;
        ret_condition->text = arena_copy(arena, exact);
        break;
    case MATCH_PREFIX:
        ret_condition->type = CONDITION_PREFIX;
        ret_condition->text = arena_copy(arena, prefix);
        break;
    case MATCH_REGEX:
        ret_condition->type = CONDITION_REGEX;
        ret_condition->text = arena_copy(arena, regex);
        return compile_pattern(compile, regex, &ret_condition->pattern, err);
    default:
        ret_condition->type = present ? CONDITION_PRESENT : CONDITION_ABSENT;
        break;
    }
    if (ret_condition->name.data == NULL)
        return error_set(err, GW_NO_MEMORY, "compile a match");
    return GW_OK;
}

static unsigned given_of(const void *match, bool *is_present, bool present)
{
    *is_present = present || !field_is_set(match, MATCH_PRESENT);
    for (unsigned number = MATCH_EXACT; number <= MATCH_REGEX; number++)
        if (field_is_set(match, number))
            return number;
    return MATCH_PRESENT;
}

static enum result compile_conditions(struct compile *compile,
                                      const struct route_match *match,
                                      struct conditions_of_route *ret_conditions,
                                      struct error *err)
{
    struct arena *arena = &compile->snapshot->arena;
    size_t total = match->headers.count + match->query.count;
    enum result result;
    bool present;

    if (total == 0)
        return GW_OK;
    struct condition *conditions = arena_zalloc(arena, total * sizeof *conditions);
    if (conditions == NULL)
        return error_set(err, GW_NO_MEMORY, "compile matches");
    for (size_t i = 0; i < match->headers.count; i++) {
        const struct header_match *header = &match->headers.items[i];
        unsigned given = given_of(header, &present, header->present);
        result = compile_condition(compile, header->name, given, present, header->exact,
                                   header->prefix, header->regex, &conditions[i], err);
        if (result != GW_OK)
            return error_wrap(err, "header %.*s", SLICE_ARG(header->name));
        conditions[i].id = (uint8_t)http_header_id_of(conditions[i].name);
    }
    struct condition *queries = conditions + match->headers.count;
    for (size_t i = 0; i < match->query.count; i++) {
        const struct query_match *query = &match->query.items[i];
        unsigned given = given_of(query, &present, query->present);
        result = compile_condition(compile, query->name, given, present, query->exact,
                                   SLICE(""), query->regex, &queries[i], err);
        if (result != GW_OK)
            return error_wrap(err, "query %.*s", SLICE_ARG(query->name));
    }
    ret_conditions->headers = conditions;
    ret_conditions->header_count = (uint32_t)match->headers.count;
    ret_conditions->query = queries;
    ret_conditions->query_count = (uint32_t)match->query.count;
    return GW_OK;
}

/* Listeners that this node does not run have no bit: the route waits for them. */
static enum result compile_listener_bits(struct compile *compile,
                                         const struct route_match *match,
                                         struct conditions_of_route *ret_conditions,
                                         struct error *err)
{
    struct snapshot *snapshot = compile->snapshot;

    if (match->listeners.count == 0)
        return GW_OK;
    uint32_t words = snapshot->listener_count / 64 + 1;
    uint64_t *bits = arena_zalloc(&snapshot->arena, words * sizeof *bits);
    if (bits == NULL)
        return error_set(err, GW_NO_MEMORY, "compile listeners");
    for (size_t i = 0; i < match->listeners.count; i++) {
        const struct snapshot_listener *listener =
            snapshot_listener_named(snapshot, match->listeners.items[i]);
        if (listener != NULL)
            bits[listener->number / 64] |= UINT64_C(1) << listener->number % 64;
    }
    ret_conditions->listeners = bits;
    ret_conditions->listener_words = words;
    return GW_OK;
}

static enum result compile_methods(struct compile *compile, const struct route_match *match,
                                   struct router_route *route, struct error *err)
{
    struct arena *arena = &compile->snapshot->arena;

    route->has_methods = match->methods.count > 0;
    route->methods = route->has_methods ? 0 : UINT32_MAX;
    for (size_t i = 0; i < match->methods.count; i++) {
        enum http_method method = http_method_of(match->methods.items[i]);
        route->methods |= 1u << method;
        route->other_method_count += method == HTTP_METHOD_OTHER;
    }
    if (route->other_method_count == 0)
        return GW_OK;
    struct slice *others = arena_alloc(arena, route->other_method_count * sizeof *others);
    if (others == NULL)
        return error_set(err, GW_NO_MEMORY, "compile methods");
    route->other_methods = others;
    for (size_t i = 0; i < match->methods.count; i++)
        if (http_method_of(match->methods.items[i]) == HTTP_METHOD_OTHER)
            *others++ = arena_copy(arena, match->methods.items[i]);
    return GW_OK;
}

static struct slice normal_path(struct compile *compile, struct slice path)
{
    struct arena *arena = &compile->snapshot->arena;
    char *copy = arena_string(arena, path);
    struct slice normal;

    if (copy == NULL)
        return (struct slice){NULL, 0};
    if (!uri_path_normalise(slice_of(copy, path.size), copy, &normal)) {
        compile_warn(compile, "path '%.*s' can be in no request", SLICE_ARG(path));
        return arena_copy(arena, path);
    }
    return normal;
}

static enum result compile_path(struct compile *compile, const struct path_match *path,
                                struct router_route *route, struct error *err)
{
    if (path != NULL && path->regex.size > 0) {
        route->path_type = ROUTE_PATH_REGEX;
        route->path = arena_copy(&compile->snapshot->arena, path->regex);
        return compile_pattern(compile, path->regex, &route->pattern, err);
    }
    if (path != NULL && path->exact.size > 0) {
        route->path_type = ROUTE_PATH_EXACT;
        route->path = normal_path(compile, path->exact);
    } else {
        route->path_type = ROUTE_PATH_PREFIX;
        route->path = path == NULL || path->prefix.size == 0
                          ? SLICE("/")
                          : normal_path(compile, path->prefix);
    }
    if (route->path.data == NULL)
        return error_set(err, GW_NO_MEMORY, "compile path");
    return GW_OK;
}

static enum result compile_hosts(struct compile *compile, const struct route_match *match,
                                 struct router_route *route, struct error *err)
{
    struct arena *arena = &compile->snapshot->arena;

    if (match->hosts.count == 0)
        return GW_OK;
    struct slice *hosts = arena_alloc(arena, match->hosts.count * sizeof *hosts);
    if (hosts == NULL)
        return error_set(err, GW_NO_MEMORY, "compile hosts");
    for (size_t i = 0; i < match->hosts.count; i++) {
        struct slice host = match->hosts.items[i];
        /* Requests write an IPv6 address in brackets. */
        bool is_bare_v6 = slice_find_byte(host, ':') != SIZE_MAX && host.data[0] != '[';
        hosts[i] = is_bare_v6 ? arena_printf(arena, "[%.*s]", SLICE_ARG(host))
                              : arena_copy(arena, host);
        if (hosts[i].data == NULL)
            return error_set(err, GW_NO_MEMORY, "compile hosts");
    }
    route->hosts = hosts;
    route->host_count = (uint32_t)match->hosts.count;
    return GW_OK;
}

static enum result compile_match(struct compile *compile, const struct resource *resource,
                                 struct router_route *route, struct error *err)
{
    const struct route_spec *spec = resource->route;
    const struct route_match *match = &spec->match;
    enum result result;

    route->name = arena_copy(&compile->snapshot->arena, resource->name);
    route->priority = (int16_t)spec->priority;
    if ((result = compile_hosts(compile, match, route, err)) != GW_OK ||
        (result = compile_path(compile, match->path, route, err)) != GW_OK ||
        (result = compile_methods(compile, match, route, err)) != GW_OK ||
        (result = compile_conditions(compile, match, &route->conditions, err)) != GW_OK)
        return result;
    result = compile_listener_bits(compile, match, &route->conditions, err);
    route->is_conditional =
        route->other_method_count > 0 || route->conditions.header_count > 0 ||
        route->conditions.query_count > 0 || route->conditions.listeners != NULL;
    return result;
}

/* --- all of them ------------------------------------------------------------ */

static void plan_policy(struct plan *plan, const struct policy_set *set)
{
    plan->timeout_ms = set->timeout_ms;
    plan->idle_ms = set->idle_ms;
    plan->body_bytes = set->body_bytes;
    plan->retry = set->retry;
    plan->request_headers = set->request_headers;
    plan->request_header_count = set->request_header_count;
    plan->response_headers = set->response_headers;
    plan->response_header_count = set->response_header_count;
    plan->cors = set->cors;
    plan->compress = set->compress;
}

static void warn_policy(void *context, const char *text)
{
    compile_warn(context, "%s", text);
}

static enum result compile_policy(struct compile *compile, const struct resource *resource,
                                  uint32_t class, struct plan *plan, struct error *err)
{
    struct policy_compile policy = {&compile->snapshot->arena, warn_policy, compile};
    struct effective effective;
    struct policy_set set;

    if (!effective_policy(&compile->scratch, compile->catalog,
                          compile->class_listeners[class], resource, &effective))
        return error_set(err, GW_NO_MEMORY, "effective policy");
    enum result result = policies_compile(&policy, &effective, &set, err);
    if (result == GW_OK)
        plan_policy(plan, &set);
    return result;
}

static enum result compile_one(struct compile *compile, const struct resource *resource,
                               struct router_route *route, struct plan *plans,
                               struct error *err)
{
    struct snapshot *snapshot = compile->snapshot;
    enum result result = compile_match(compile, resource, route, err);

    if (result != GW_OK)
        return result;
    result = compile_plan(compile, resource, route, &plans[0], err);
    for (uint32_t class = 0; class < snapshot->class_count && result == GW_OK; class ++) {
        plans[class] = plans[0];
        plans[class].number = (uint32_t)(&plans[class] - snapshot->plans);
        result = compile_policy(compile, resource, class, &plans[class], err);
    }
    route->plans = plans;
    return result;
}

enum result compile_routes(struct compile *compile, struct error *err)
{
    struct snapshot *snapshot = compile->snapshot;
    const struct resource *resource;
    size_t count = catalog_count(compile->catalog, KIND_ROUTE);
    size_t plan_count = count * snapshot->class_count;

    snapshot->routes =
        arena_zalloc(&snapshot->arena, (count + 1) * sizeof *snapshot->routes);
    snapshot->plans =
        arena_zalloc(&snapshot->arena, (plan_count + 1) * sizeof *snapshot->plans);
    if (snapshot->routes == NULL || snapshot->plans == NULL)
        return error_set(err, GW_NO_MEMORY, "compile %zu routes", count);
    catalog_each(compile->catalog, KIND_ROUTE, resource)
    {
        uint32_t number = snapshot->route_count;
        compile->subject =
            arena_printf(&compile->scratch, "Route/%.*s", SLICE_ARG(resource->name));
        enum result result =
            compile_one(compile, resource, &snapshot->routes[number],
                        &snapshot->plans[number * snapshot->class_count], err);
        if (result != GW_OK)
            return error_wrap(err, "%.*s", SLICE_ARG(compile->subject));
        snapshot->route_count++;
        arena_reset(&compile->scratch);
    }
    snapshot->router =
        router_build(&snapshot->arena, snapshot->routes, snapshot->route_count);
    return snapshot->router == NULL ? error_set(err, GW_NO_MEMORY, "build the router")
                                    : GW_OK;
}
