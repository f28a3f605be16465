/* Compiles what a route does: services and splits, rewrites, redirects, fixed
 * responses, what it does when it is closed or its service is gone. What its policies add
 * comes in compile_route.c. */
#include "node/snapshot/snapshot_private.h"

#include "http/fields.h"

#include <stdio.h>

static enum result find_service(struct compile *compile, struct slice name,
                                const struct target_service **ret_service,
                                struct error *err)
{
    *ret_service = snapshot_service(compile->snapshot, name);
    return *ret_service != NULL
               ? GW_OK
               : error_set(err, GW_INVALID, "service '%.*s' is not defined",
                           SLICE_ARG(name));
}

static enum result plan_services(struct compile *compile, const struct route_spec *spec,
                                 struct plan *plan, struct error *err)
{
    struct arena *arena = &compile->snapshot->arena;
    size_t count = spec->split.count > 0 ? spec->split.count : 1;
    struct plan_split *splits = arena_zalloc(arena, count * sizeof *splits);
    enum result result;

    if (splits == NULL)
        return error_set(err, GW_NO_MEMORY, "compile split");
    plan->action = PLAN_PROXY;
    plan->splits = splits;
    plan->split_count = (uint32_t)count;
    if (spec->split.count == 0) {
        splits[0].weight = plan->weight_total = 1;
        return find_service(compile, spec->service, &splits[0].service, err);
    }
    for (size_t i = 0; i < count; i++) {
        const struct split_part *part = &spec->split.items[i];
        result = find_service(compile, part->service, &splits[i].service, err);
        if (result != GW_OK)
            return result;
        splits[i].weight = policy_ms((uint64_t)(part->weight < 0 ? 0 : part->weight));
        plan->weight_total += splits[i].weight;
        if (part->when == NULL)
            continue;
        splits[i].when_header = arena_copy(arena, part->when->header);
        splits[i].when_cookie = arena_copy(arena, part->when->cookie);
        splits[i].when_exact = arena_copy(arena, part->when->exact);
        splits[i].when_present =
            !field_is_set(part->when, 3) && part->when->exact.size == 0;
    }
    plan->split_by = (uint8_t)spec->split_by;
    return GW_OK;
}

/* Literals that go into a target or a Location: visible ASCII only. */
static bool is_target_text(const struct template *template)
{
    for (uint32_t i = 0; i < template->count; i++) {
        struct slice text = template->parts[i].text;
        if (template->parts[i].variable != TEMPLATE_LITERAL)
            continue;
        for (size_t at = 0; at < text.size; at++)
            if (text.data[at] <= ' ' || text.data[at] >= 0x7f || text.data[at] == '#')
                return false;
    }
    return true;
}

static enum result target_template(struct compile *compile, struct slice text,
                                   const struct template **ret_template, struct error *err)
{
    enum result result =
        template_compile(&compile->snapshot->arena, text, ret_template, err);

    if (result == GW_OK && !is_target_text(*ret_template))
        return error_set(err, GW_INVALID, "'%.*s' cannot stand in a URL", SLICE_ARG(text));
    if (result == GW_OK && (*ret_template)->unbuilt.size > 0)
        compile_warn(compile, "variable '${%.*s}' has no value yet",
                     SLICE_ARG((*ret_template)->unbuilt));
    return result;
}

static enum result plan_rewrite(struct compile *compile, const struct rewrite_spec *spec,
                                const struct router_route *route, struct plan *plan,
                                struct error *err)
{
    struct arena *arena = &compile->snapshot->arena;
    enum result result;

    if (spec->host.size > 0 &&
        (result = target_template(compile, spec->host, &plan->rewrite_host, err)) != GW_OK)
        return error_wrap(err, "host");
    if (spec->prefix.size > 0) {
        plan->has_prefix_rewrite = route->path_type != ROUTE_PATH_REGEX;
        plan->matched_prefix = route->path;
        plan->rewrite_prefix = arena_copy(arena, spec->prefix);
        if (!plan->has_prefix_rewrite)
            compile_warn(compile, "rewrite.prefix: a regex matches no prefix; use path");
    }
    if (spec->path.size == 0)
        return GW_OK;
    struct path_regex *regex = arena_zalloc(arena, sizeof *regex);
    if (regex == NULL)
        return error_set(err, GW_NO_MEMORY, "compile rewrite");
    if ((result = target_template(compile, spec->path, &regex->path, err)) != GW_OK)
        return error_wrap(err, "path");
    if (spec->regex.size > 0)
        result = compile_pattern(compile, spec->regex, &regex->pattern, err);
    plan->rewrite_regex = regex;
    return result;
}

/* scheme://host[:port]path?query, from what is given and what the request had. */
static enum result plan_redirect(struct compile *compile, const struct redirect_spec *spec,
                                 struct plan *plan, struct error *err)
{
    struct arena *arena = &compile->snapshot->arena;
    const struct template *path = NULL;
    uint32_t count = 0;

    if (spec->path.size > 0) {
        enum result result = target_template(compile, spec->path, &path, err);
        if (result != GW_OK)
            return error_wrap(err, "path");
    }
    size_t path_parts = path == NULL ? 0 : path->count;
    struct template_part *parts = arena_zalloc(arena, (path_parts + 8) * sizeof *parts);
    if (parts == NULL)
        return error_set(err, GW_NO_MEMORY, "compile redirect");
    if (spec->scheme < 0)
        parts[count++].variable = TEMPLATE_SCHEME;
    else
        parts[count++].text =
            spec->scheme == REDIRECT_HTTPS ? SLICE("https") : SLICE("http");
    parts[count++].text = SLICE("://");
    if (spec->host.size > 0)
        parts[count++].text = arena_copy(arena, spec->host);
    else
        parts[count++].variable = TEMPLATE_HOST;
    if (spec->port != 0)
        parts[count++].text = arena_printf(arena, ":%u", spec->port);
    else if (spec->scheme < 0 && spec->host.size == 0)
        parts[count++].variable = TEMPLATE_PORT;
    if (path == NULL)
        parts[count++].variable = TEMPLATE_PATH;
    else if (spec->path.data[0] != '/' && spec->path.data[0] != '$')
        parts[count++].text = SLICE("/");
    for (size_t i = 0; i < path_parts; i++)
        parts[count++] = path->parts[i];
    /* A path that brings a query of its own replaces the request's. */
    if (path == NULL || slice_find_byte(spec->path, '?') == SIZE_MAX)
        parts[count++].variable = TEMPLATE_QUERY_MARK;
    plan->action = PLAN_REDIRECT;
    plan->status = (uint16_t)spec->status;
    plan->redirect_location = template_of_parts(arena, parts, count);
    return plan->redirect_location == NULL
               ? error_set(err, GW_NO_MEMORY, "compile redirect")
               : GW_OK;
}

static enum result plan_respond(struct compile *compile, const struct respond_spec *spec,
                                struct plan *plan, struct error *err)
{
    struct arena *arena = &compile->snapshot->arena;
    struct policy_compile policy = {.arena = arena};
    struct header_change *headers =
        arena_zalloc(arena, (spec->headers.count + 1) * sizeof *headers);

    if (headers == NULL)
        return error_set(err, GW_NO_MEMORY, "compile respond");
    for (size_t i = 0; i < spec->headers.count; i++) {
        enum result result =
            headers_compile_pair(&policy, &spec->headers.items[i], false, &headers[i], err);
        if (result != GW_OK)
            return result;
    }
    plan->action = PLAN_RESPOND;
    plan->status = (uint16_t)spec->status;
    plan->respond_headers = headers;
    plan->respond_header_count = (uint32_t)spec->headers.count;
    if (spec->body.form == BLOB_INLINE)
        plan->body = arena_copy(arena, spec->body.value);
    else if (spec->body.form != BLOB_NONE)
        compile_warn(compile, "respond.body: only inline bodies are sent yet");
    return GW_OK;
}

static enum result plan_upgrades(struct compile *compile, const struct route_spec *spec,
                                 struct plan *plan, struct error *err)
{
    struct arena *arena = &compile->snapshot->arena;
    struct slice *upgrades =
        arena_zalloc(arena, (spec->upgrades.count + 1) * sizeof *upgrades);
    if (upgrades == NULL)
        return error_set(err, GW_NO_MEMORY, "compile upgrades");
    for (size_t i = 0; i < spec->upgrades.count; i++)
        upgrades[i] = arena_copy(arena, spec->upgrades.items[i]);
    plan->upgrades = upgrades;
    plan->upgrade_count = (uint32_t)spec->upgrades.count;
    return GW_OK;
}

static enum result plan_maintenance(struct compile *compile,
                                    const struct maintenance_spec *spec, struct plan *plan,
                                    struct error *err)
{
    struct arena *arena = &compile->snapshot->arena;

    if (spec == NULL || !spec->enabled)
        return GW_OK;
    struct plan_maintenance *maintenance = arena_zalloc(arena, sizeof *maintenance);
    if (maintenance == NULL)
        return error_set(err, GW_NO_MEMORY, "compile maintenance");
    maintenance->allow = cidr_set_build(arena, spec->allow.items, spec->allow.count);
    if (maintenance->allow == NULL)
        return error_set(err, GW_NO_MEMORY, "compile maintenance");
    maintenance->retry_after_s = (spec->retry_after_ms + 999) / 1000;
    plan->maintenance = maintenance;
    return GW_OK;
}

static enum result plan_fallback(struct compile *compile, const struct fallback_spec *spec,
                                 struct plan *plan, struct error *err)
{
    struct arena *arena = &compile->snapshot->arena;

    if (spec == NULL)
        return GW_OK;
    struct plan_fallback *fallback = arena_zalloc(arena, sizeof *fallback);
    struct plan *respond = arena_zalloc(arena, sizeof *respond);
    if (fallback == NULL || respond == NULL)
        return error_set(err, GW_NO_MEMORY, "compile fallback");
    plan->fallback = fallback;
    if (spec->respond == NULL)
        return find_service(compile, spec->service, &fallback->service, err);
    fallback->respond = respond;
    return plan_respond(compile, spec->respond, respond, err);
}

static enum result plan_mirror(struct compile *compile, const struct mirror_spec *spec,
                               struct plan *plan, struct error *err)
{
    if (spec == NULL)
        return GW_OK;
    plan->mirror_share = spec->share;
    return find_service(compile, spec->service, &plan->mirror, err);
}

/* A route that answers itself calls nobody. */
static void warn_unused(struct compile *compile, const struct route_spec *spec)
{
    if (spec->mirror != NULL)
        compile_warn(compile, "mirror: a route that answers itself has nothing to copy");
    if (spec->fallback != NULL)
        compile_warn(compile, "fallback: a route that answers itself needs none");
}

enum result compile_plan(struct compile *compile, const struct resource *resource,
                         const struct router_route *route, struct plan *ret_plan,
                         struct error *err)
{
    const struct route_spec *spec = resource->route;
    enum result result;

    ret_plan->route = route->name;
    ret_plan->revision = compile->snapshot->revision;
    ret_plan->match_regex = route->pattern;
    ret_plan->bulkhead = compile_bulkhead(&spec->bulkhead);
    result = plan_maintenance(compile, spec->maintenance, ret_plan, err);
    if (result != GW_OK)
        return error_wrap(err, "maintenance");
    if (spec->redirect != NULL || spec->respond != NULL)
        warn_unused(compile, spec);
    if (spec->redirect != NULL) {
        result = plan_redirect(compile, spec->redirect, ret_plan, err);
        return result == GW_OK ? result : error_wrap(err, "redirect");
    }
    if (spec->respond != NULL) {
        result = plan_respond(compile, spec->respond, ret_plan, err);
        return result == GW_OK ? result : error_wrap(err, "respond");
    }
    result = plan_services(compile, spec, ret_plan, err);
    if (result == GW_OK)
        result = plan_upgrades(compile, spec, ret_plan, err);
    if (result != GW_OK)
        return result;
    if ((result = plan_fallback(compile, spec->fallback, ret_plan, err)) != GW_OK)
        return error_wrap(err, "fallback");
    if ((result = plan_mirror(compile, spec->mirror, ret_plan, err)) != GW_OK)
        return error_wrap(err, "mirror");
    if (spec->rewrite == NULL)
        return GW_OK;
    result = plan_rewrite(compile, spec->rewrite, route, ret_plan, err);
    return result == GW_OK ? result : error_wrap(err, "rewrite");
}
