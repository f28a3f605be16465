/* CORS (the Fetch standard, §3.2): which other origins may read a route's answers.
 *
 * Settled when compiled, lists joined into header values; a call only compares its
 * Origin. An origin is compared whole; only a lone "*" stands for others. */
#include "node/policy/policy.h"

static struct slice join(struct arena *arena, const struct slice *items, size_t count)
{
    size_t size = 0, at = 0;

    for (size_t i = 0; i < count; i++)
        size += items[i].size + 2;
    if (size == 0)
        return SLICE("");
    char *text = arena_alloc(arena, size);
    if (text == NULL)
        return (struct slice){NULL, 1};
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            memcpy(text + at, ", ", 2);
            at += 2;
        }
        memcpy(text + at, items[i].data, items[i].size);
        at += items[i].size;
    }
    return slice_of(text, at);
}

static enum result compile_cors(struct policy_compile *compile,
                                const struct effective *effective,
                                struct policy_set *ret_set, struct error *err)
{
    const struct cors_policy *policy = effective->cors;
    struct arena *arena = compile->arena;

    if (policy == NULL)
        return GW_OK;
    struct cors_plan *cors = arena_zalloc(arena, sizeof *cors);
    struct slice *origins =
        arena_alloc(arena, (policy->origins.count + 1) * sizeof *origins);
    if (cors == NULL || origins == NULL)
        return error_set(err, GW_NO_MEMORY, "compile cors");
    for (size_t i = 0; i < policy->origins.count; i++) {
        if (slice_equal(policy->origins.items[i], SLICE("*"))) {
            cors->any_origin = true;
            continue;
        }
        origins[cors->origin_count] = arena_copy(arena, policy->origins.items[i]);
        if (origins[cors->origin_count++].data == NULL)
            return error_set(err, GW_NO_MEMORY, "compile cors");
    }
    cors->origins = origins;
    cors->credentials = policy->credentials;
    cors->methods = join(arena, policy->methods.items, policy->methods.count);
    cors->headers = join(arena, policy->headers.items, policy->headers.count);
    cors->expose = join(arena, policy->expose.items, policy->expose.count);
    cors->max_age =
        arena_printf(arena, "%llu", (unsigned long long)(policy->max_age_ms / 1000));
    if (cors->methods.data == NULL || cors->headers.data == NULL ||
        cors->expose.data == NULL || cors->max_age.data == NULL)
        return error_set(err, GW_NO_MEMORY, "compile cors");
    ret_set->cors = cors;
    return GW_OK;
}

struct slice cors_allowed(const struct cors_plan *cors, struct slice origin)
{
    if (cors->any_origin)
        return SLICE("*");
    for (uint32_t i = 0; i < cors->origin_count; i++)
        if (slice_equal_nocase(cors->origins[i], origin))
            return cors->origins[i];
    return (struct slice){NULL, 0};
}

const struct policy_type policy_cors = {.name = "cors", .compile = compile_cors};
