/* Combining policies: one pass over the sources in order, each laid over what
 * came before. */
#include "model/effective.h"

static bool push(struct arena *arena, struct effective_stack *stack, const void *section,
                 struct effective_origin origin)
{
    struct effective_section *item = arena_grow(
        arena, (void **)&stack->items, &stack->count, &stack->capacity, sizeof *item);
    if (item == NULL)
        return false;
    *item = (struct effective_section){section, origin};
    return true;
}

static bool lay(struct arena *arena, struct effective *effective,
                const struct policy_spec *policy, struct effective_origin origin)
{
    if (policy->timeout_ms != GW_ABSENT) {
        effective->timeout_ms = policy->timeout_ms;
        effective->timeout_origin = origin;
    }
    if (policy->idle_ms != GW_ABSENT) {
        effective->idle_ms = policy->idle_ms;
        effective->idle_origin = origin;
    }
    if (policy->importance >= 0) {
        effective->importance = policy->importance;
        effective->importance_origin = origin;
    }
    if (policy->body_bytes != GW_ABSENT) {
        effective->body_bytes = policy->body_bytes;
        effective->body_bytes_origin = origin;
    }
#define X(member, type)                      \
    if (policy->member != NULL) {            \
        effective->member = policy->member;  \
        effective->member##_origin = origin; \
    }
    EFFECTIVE_SECTIONS(X)
#undef X
#define X(member, type)                                           \
    if (policy->member != NULL &&                                 \
        !push(arena, &effective->member, policy->member, origin)) \
        return false;
    EFFECTIVE_STACKS(X)
#undef X
    return true;
}

static bool lay_list(struct arena *arena, struct effective *effective,
                     const struct catalog *catalog, const struct slice *names, size_t count,
                     const struct resource *through)
{
    for (size_t i = 0; i < count; i++) {
        const struct resource *policy = catalog_get(catalog, KIND_POLICY, names[i]);
        if (policy != NULL && !lay(arena, effective, policy->policy,
                                   (struct effective_origin){policy, through}))
            return false;
    }
    return true;
}

bool effective_policy(struct arena *arena, const struct catalog *catalog,
                      const struct resource *listener, const struct resource *route,
                      struct effective *ret_effective)
{
    struct effective effective = {
        .timeout_ms = 15000,
        .idle_ms = 60000,
        .importance = IMPORTANCE_NORMAL,
        .body_bytes = 10u << 20,
    };
    const struct resource *cluster = catalog_any(catalog, KIND_CLUSTER);
    if (cluster != NULL) {
        const struct cluster_defaults *defaults = &cluster->cluster->defaults;
        effective.timeout_ms = defaults->timeout_ms;
        if (field_is_set(defaults, 1))
            effective.timeout_origin.resource = cluster;
        if (!lay_list(arena, &effective, catalog, defaults->policies.items,
                      defaults->policies.count, cluster))
            return false;
    }
    if (listener != NULL) {
        const struct listener_spec *spec = listener->listener;
        if (effective.body_bytes_origin.resource == NULL) {
            effective.body_bytes = spec->limits.body_bytes;
            effective.body_bytes_origin.resource = listener;
        }
        if (!lay_list(arena, &effective, catalog, spec->policies.items,
                      spec->policies.count, listener))
            return false;
    }
    const struct route_spec *spec = route->route;
    if (!lay_list(arena, &effective, catalog, spec->policies.items, spec->policies.count,
                  route) ||
        !lay(arena, &effective, &spec->policy, (struct effective_origin){route, NULL}))
        return false;
    *ret_effective = effective;
    return true;
}

static void emit_origin(struct emit *emit, const char *key, struct effective_origin origin)
{
    char text[200] = "default";
    struct buffer buffer;
    buffer_init(&buffer, sizeof text - 1);
    if (origin.resource != NULL)
        buffer_printf(&buffer, "%s/%.*s", kind_name(origin.resource->kind),
                      SLICE_ARG(origin.resource->name));
    if (origin.through != NULL)
        buffer_printf(&buffer, " of %s/%.*s", kind_name(origin.through->kind),
                      SLICE_ARG(origin.through->name));
    emit_key(emit, key);
    if (buffer.size > 0)
        emit_string(emit, buffer_slice(&buffer));
    else
        emit_cstring(emit, text);
    buffer_deinit(&buffer);
}

/* A row of policy_schema by name, and a struct to hold its value for printing. */
static void emit_row(struct emit *emit, const char *name, const struct policy_spec *holder)
{
    const void *object = holder;
    const struct field *field =
        schema_field(&policy_schema, slice_from_string(name), &object);
    emit_key(emit, "value");
    schema_emit_field(emit, field, object, true);
}

static void emit_section(struct emit *emit, const char *name,
                         const struct policy_spec *holder, struct effective_origin origin)
{
    emit_object(emit);
    emit_row(emit, name, holder);
    emit_origin(emit, "origin", origin);
    emit_object_end(emit);
}

void effective_emit(struct emit *emit, const struct effective *effective)
{
    static const struct {
        const char *member, *name;
    } names[] = {{"rate_limit", "rateLimit"},
                 {"in_flight", "inFlight"},
                 {"access_log", "accessLog"}};
    struct policy_spec holder = {
        .timeout_ms = effective->timeout_ms,
        .idle_ms = effective->idle_ms,
        .importance = effective->importance,
        .body_bytes = effective->body_bytes,
    };
    emit_object(emit);
    emit_key(emit, "timeout");
    emit_section(emit, "timeout", &holder, effective->timeout_origin);
    emit_key(emit, "idle");
    emit_section(emit, "idle", &holder, effective->idle_origin);
    emit_key(emit, "importance");
    emit_section(emit, "importance", &holder, effective->importance_origin);
    emit_key(emit, "bodyBytes");
    emit_section(emit, "bodyBytes", &holder, effective->body_bytes_origin);
#define NAME_OF(member_)                                      \
    const char *name = #member_;                              \
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) \
        if (strcmp(name, names[i].member) == 0)               \
            name = names[i].name;
#define X(member, type)                                                \
    if (effective->member != NULL) {                                   \
        NAME_OF(member)                                                \
        holder.member = effective->member;                             \
        emit_key(emit, name);                                          \
        emit_section(emit, name, &holder, effective->member##_origin); \
    }
    EFFECTIVE_SECTIONS(X)
#undef X
#define X(member, type)                                                           \
    if (effective->member.count > 0) {                                            \
        NAME_OF(member)                                                           \
        emit_key(emit, name);                                                     \
        emit_array(emit);                                                         \
        for (size_t i = 0; i < effective->member.count; i++) {                    \
            holder.member = effective->member.items[i].section;                   \
            emit_section(emit, name, &holder, effective->member.items[i].origin); \
        }                                                                         \
        emit_array_end(emit);                                                     \
    }
    EFFECTIVE_STACKS(X)
#undef X
    emit_object_end(emit);
}
