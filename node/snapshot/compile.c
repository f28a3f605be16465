/* Compiles a catalog: the frame, services and their endpoints, listeners.
 *
 * Everything goes into one arena, so that a snapshot is freed in one go. What
 * cannot be compiled ends the compile with an error that names the object; what
 * is stored but not honoured yet is a warning. Routes: compile_route.c. */
#include "node/snapshot/snapshot_private.h"

#include "base/hash.h"
#include "model/units.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_BYTES (256u * 1024)

void compile_warn(struct compile *compile, const char *format, ...)
{
    struct snapshot *snapshot = compile->snapshot;
    char text[256];
    va_list args;

    if (snapshot->warning_count >= WARNINGS_MAX_KEPT)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct slice *place =
        arena_grow(&snapshot->arena, (void **)(void *)&snapshot->warnings,
                   &snapshot->warning_count, &snapshot->warning_capacity, sizeof *place);
    if (place != NULL)
        *place =
            arena_printf(&snapshot->arena, "%.*s: %s", SLICE_ARG(compile->subject), text);
}

enum result compile_pattern(struct compile *compile, struct slice text,
                            const struct pattern **ret_pattern, struct error *err)
{
    struct snapshot *snapshot = compile->snapshot;
    struct pattern *pattern = NULL;
    enum result result = pattern_new(text, &pattern, err);

    if (result != GW_OK)
        return result;
    struct pattern **place = arena_grow(
        &snapshot->arena, (void **)(void *)&snapshot->patterns, &snapshot->pattern_count,
        &snapshot->pattern_capacity, sizeof(struct pattern *));
    if (place == NULL) {
        pattern_free(pattern);
        return error_set(err, GW_NO_MEMORY, "compile regex");
    }
    *place = pattern;
    *ret_pattern = pattern;
    return GW_OK;
}

/* --- services ------------------------------------------------------------- */

/* 0 is nearest: zone, region, the failover list, the others by weight. */
static uint32_t locality_rank(const struct compile *compile,
                              const struct service_spec *service,
                              const struct endpoint_spec *endpoint)
{
    const struct compile_options *options = compile->options;

    if (service->locality == LOCALITY_NONE)
        return 0;
    if (endpoint->region.size == 0 || options->node_region.size == 0 ||
        slice_equal(endpoint->region, options->node_region))
        return options->node_zone.size > 0 &&
                       slice_equal(endpoint->zone, options->node_zone)
                   ? 0
                   : 1;
    if (service->locality == LOCALITY_STRICT)
        return UINT32_MAX;
    for (size_t i = 0; i < service->failover.count; i++)
        if (slice_equal(service->failover.items[i], endpoint->region))
            return 2 + (uint32_t)i;
    const struct resource *here =
        catalog_get(compile->catalog, KIND_REGION, options->node_region);
    if (here != NULL && service->failover.count == 0)
        for (size_t i = 0; i < here->region->failover.count; i++)
            if (slice_equal(here->region->failover.items[i], endpoint->region))
                return 2 + (uint32_t)i;
    const struct resource *there =
        catalog_get(compile->catalog, KIND_REGION, endpoint->region);
    int64_t weight = there == NULL ? 0 : there->region->weight;
    return 1000000 - (uint32_t)(weight < 0 ? 0 : weight > 1000 ? 1000 : weight);
}

static enum result compile_endpoint(struct compile *compile, struct slice service,
                                    const struct endpoint_spec *spec,
                                    struct target_endpoint *ret_endpoint, struct error *err)
{
    struct snapshot *snapshot = compile->snapshot;
    struct arena *arena = &snapshot->arena;
    struct slice host;

    if (!host_port_parse(spec->address, false, &host, &ret_endpoint->port))
        return error_set(err, GW_INVALID, "endpoint %.*s: address '%.*s' is no host:port",
                         SLICE_ARG(spec->name), SLICE_ARG(spec->address));
    ret_endpoint->key =
        arena_printf(arena, "%.*s/%.*s", SLICE_ARG(service), SLICE_ARG(spec->address));
    ret_endpoint->name = arena_copy(arena, spec->name);
    ret_endpoint->host = arena_copy(arena, host);
    ret_endpoint->region = arena_copy(arena, spec->region);
    ret_endpoint->zone = arena_copy(arena, spec->zone);
    ret_endpoint->id = hash_stable(ret_endpoint->key);
    ret_endpoint->weight = (unsigned)(spec->weight < 0 ? 0 : spec->weight);
    struct board_slot **place =
        arena_grow(arena, (void **)(void *)&snapshot->slots, &snapshot->slot_count,
                   &snapshot->slot_capacity, sizeof(struct board_slot *));
    if (place == NULL || ret_endpoint->key.data == NULL || ret_endpoint->zone.data == NULL)
        return error_set(err, GW_NO_MEMORY, "compile endpoint");
    *place = board_slot_ref(snapshot->board, ret_endpoint->key);
    if (*place == NULL) {
        snapshot->slot_count--;
        return error_set(err, GW_NO_MEMORY, "take a slot of the board");
    }
    ret_endpoint->board = *place;
    return GW_OK;
}

struct bulkhead_limits compile_bulkhead(const struct bulkhead_spec *spec)
{
    return (struct bulkhead_limits){policy_ms((uint64_t)spec->in_flight),
                                    policy_ms((uint64_t)spec->queue),
                                    policy_ms(spec->wait_ms)};
}

static enum result compile_service(struct compile *compile, const struct resource *resource,
                                   const struct service_spec *spec,
                                   struct target_service *ret_service, struct error *err)
{
    struct arena *arena = &compile->snapshot->arena;
    size_t count = spec->endpoints.count;
    struct target_endpoint *endpoints =
        arena_zalloc(arena, (count + 1) * sizeof *endpoints);
    struct balance_input *inputs =
        arena_alloc(&compile->scratch, (count + 1) * sizeof *inputs);

    if (endpoints == NULL || inputs == NULL)
        return error_set(err, GW_NO_MEMORY, "compile service");
    *ret_service = (struct target_service){
        .name = arena_copy(arena, resource->name),
        .endpoints = endpoints,
        .endpoint_count = (uint32_t)count,
        .connect_timeout_ms = policy_ms(spec->connect_timeout_ms),
        .idle_ms = policy_ms(spec->pool.idle_ms),
        .pool_requests = policy_ms((uint64_t)spec->pool.requests),
        .retry_ratio_percent = spec->retry_budget.ratio / 100,
        .retry_floor = policy_ms((uint64_t)spec->retry_budget.floor),
        .balance = (uint8_t)spec->balance,
        .ewma_decay_ms = policy_ms(spec->ewma_decay_ms),
        .endpoint_in_flight = policy_ms((uint64_t)spec->pool.endpoint_in_flight),
        .pool_connections = policy_ms((uint64_t)spec->pool.connections),
        .slow_for_ms = policy_ms(spec->slow_start.for_ms),
        .slow_from = spec->slow_start.from,
        .bulkhead = compile_bulkhead(&spec->bulkhead),
    };
    if (spec->hash != NULL) {
        ret_service->hash_by = (uint8_t)spec->hash->by;
        ret_service->hash_name = arena_copy(arena, spec->hash->name);
        ret_service->hash_bound = spec->hash->bounded_load;
    }
    if (spec->sticky != NULL) {
        ret_service->sticky_cookie = arena_copy(arena, spec->sticky->cookie);
        ret_service->sticky_ttl_s = spec->sticky->ttl_ms / 1000;
        ret_service->sticky_secure = spec->sticky->secure;
    }
    for (size_t i = 0; i < count; i++) {
        const struct endpoint_spec *endpoint = &spec->endpoints.items[i];
        endpoints[i].index = (uint32_t)i;
        enum result result =
            compile_endpoint(compile, resource->name, endpoint, &endpoints[i], err);
        if (result != GW_OK)
            return result;
        inputs[i] =
            (struct balance_input){endpoints[i].board, endpoints[i].weight,
                                   locality_rank(compile, spec, endpoint), endpoints[i].id};
    }
    if (!balance_set_build(arena, inputs, (uint32_t)count, spec->balance == BALANCE_HASH,
                           &ret_service->balance_set))
        return error_set(err, GW_NO_MEMORY, "compile service");
    if (spec->dns.count > 0)
        compile_warn(compile, "dns: names are not resolved yet");
    if (spec->tls != NULL)
        compile_warn(compile, "tls: upstreams are called in plain text");
    return GW_OK;
}

enum result compile_services(struct compile *compile, struct error *err)
{
    struct snapshot *snapshot = compile->snapshot;
    const struct cluster_spec *cluster = catalog_cluster(compile->catalog);
    const struct service_spec *defaults =
        cluster == NULL ? NULL : &cluster->defaults.service;
    const struct resource *resource;
    size_t count = catalog_count(compile->catalog, KIND_SERVICE);

    snapshot->services =
        arena_zalloc(&snapshot->arena, (count + 1) * sizeof *snapshot->services);
    if (snapshot->services == NULL)
        return error_set(err, GW_NO_MEMORY, "compile services");
    catalog_each(compile->catalog, KIND_SERVICE, resource)
    {
        struct service_spec spec = service_effective(resource->service, defaults);
        compile->subject =
            arena_printf(&compile->scratch, "Service/%.*s", SLICE_ARG(resource->name));
        struct target_service *service = &snapshot->services[snapshot->service_count];
        enum result result = compile_service(compile, resource, &spec, service, err);
        if (result != GW_OK)
            return error_wrap(err, "%.*s", SLICE_ARG(compile->subject));
        service->number = snapshot->service_count++;
        arena_reset(&compile->scratch);
    }
    return GW_OK;
}

/* --- listeners ------------------------------------------------------------ */

static bool runs_here(struct compile *compile, const struct listener_spec *spec)
{
    if (compile->options->is_witness)
        return false;
    bool is_here = spec->regions.count == 0;

    for (size_t i = 0; i < spec->regions.count; i++)
        is_here |= slice_equal(spec->regions.items[i], compile->options->node_region);
    if (!is_here)
        return false;
    if (spec->mode != LISTENER_HTTP)
        compile_warn(compile, "mode: only http is served yet");
    else if (spec->tls != NULL)
        compile_warn(compile, "tls: not served yet");
    else
        return true;
    return false;
}

static enum result compile_listener(struct compile *compile,
                                    const struct resource *resource,
                                    struct snapshot_listener *ret_listener,
                                    struct error *err)
{
    struct arena *arena = &compile->snapshot->arena;
    const struct listener_spec *spec = resource->listener;
    struct slice bind = spec->bind;

    for (size_t i = 0; i < compile->options->override_count; i++)
        if (slice_equal(compile->options->overrides[i].listener, resource->name))
            bind = compile->options->overrides[i].bind;
    if (bind.size >= sizeof ret_listener->bind)
        return error_set(err, GW_INVALID, "bind '%.*s' is too long", SLICE_ARG(bind));
    *ret_listener = (struct snapshot_listener){
        .name = arena_copy(arena, resource->name),
        .header_bytes = spec->limits.header_bytes,
        .header_count = (uint64_t)spec->limits.header_count,
        .target_bytes = spec->limits.target_bytes,
        .body_bytes = spec->limits.body_bytes,
        .header_timeout_ms = policy_ms(spec->limits.header_timeout_ms),
        .idle_ms = policy_ms(spec->limits.idle_ms),
        .write_stall_ms = policy_ms(spec->limits.write_stall_ms),
        .drain_ms = policy_ms(spec->drain_ms),
        .connections = (uint64_t)spec->limits.connections,
        .trusted_proxies =
            cidr_set_build(arena, spec->trusted_proxies.items, spec->trusted_proxies.count),
        .forwarded_x =
            spec->forwarded == FORWARDED_X_FORWARDED || spec->forwarded == FORWARDED_BOTH,
        .forwarded_rfc7239 =
            spec->forwarded == FORWARDED_RFC7239 || spec->forwarded == FORWARDED_BOTH,
    };
    memcpy(ret_listener->bind, bind.data, bind.size);
    if (ret_listener->name.data == NULL || ret_listener->trusted_proxies == NULL)
        return error_set(err, GW_NO_MEMORY, "compile listener");
    return GW_OK;
}

/* Whether routes have the same effective policy on both. */
static bool same_class(const struct resource *a, const struct resource *b)
{
    const struct listener_spec *left = a->listener, *right = b->listener;

    if (left->policies.count != right->policies.count ||
        left->limits.body_bytes != right->limits.body_bytes)
        return false;
    for (size_t i = 0; i < left->policies.count; i++)
        if (!slice_equal(left->policies.items[i], right->policies.items[i]))
            return false;
    return true;
}

enum result compile_listeners(struct compile *compile, struct error *err)
{
    struct snapshot *snapshot = compile->snapshot;
    const struct resource *resource;
    size_t count = catalog_count(compile->catalog, KIND_LISTENER);

    snapshot->listeners =
        arena_zalloc(&snapshot->arena, (count + 1) * sizeof *snapshot->listeners);
    snapshot->listener_classes =
        arena_zalloc(&snapshot->arena, (count + 1) * sizeof *snapshot->listener_classes);
    compile->class_listeners =
        arena_zalloc(&snapshot->arena, (count + 1) * sizeof(struct resource *));
    if (snapshot->listeners == NULL || snapshot->listener_classes == NULL ||
        compile->class_listeners == NULL)
        return error_set(err, GW_NO_MEMORY, "compile listeners");
    catalog_each(compile->catalog, KIND_LISTENER, resource)
    {
        compile->subject =
            arena_printf(&compile->scratch, "Listener/%.*s", SLICE_ARG(resource->name));
        if (!runs_here(compile, resource->listener))
            continue;
        uint32_t number = snapshot->listener_count;
        enum result result =
            compile_listener(compile, resource, &snapshot->listeners[number], err);
        if (result != GW_OK)
            return error_wrap(err, "%.*s", SLICE_ARG(compile->subject));
        snapshot->listeners[number].number = number;
        uint32_t class = 0;
        while (class < snapshot->class_count &&
               !same_class(compile->class_listeners[class], resource))
            class ++;
        if (class == snapshot->class_count)
            compile->class_listeners[snapshot->class_count++] = resource;
        snapshot->listener_classes[number] = class;
        snapshot->listener_count++;
    }
    compile->class_listeners[snapshot->class_count++] = NULL;
    arena_reset(&compile->scratch);
    return GW_OK;
}

/* --- the whole ------------------------------------------------------------ */

/* Those of a kind, "query.token" without its kind; of all names when that is empty. */
static bool compile_names(struct arena *arena, const struct slice *names, size_t count,
                          struct slice kind, struct access_names *ret_names)
{
    struct slice *items = arena_zalloc(arena, (count + 1) * sizeof *items);
    if (items == NULL)
        return false;
    ret_names->items = items;
    for (size_t i = 0; i < count; i++) {
        if (!slice_starts_with(names[i], kind))
            continue;
        struct slice copy = arena_copy(arena, slice_from(names[i], kind.size));
        if (copy.data == NULL)
            return false;
        items[ret_names->count++] = copy;
    }
    return true;
}

static bool compile_access_log(struct snapshot *snapshot,
                               const struct cluster_access_log *log)
{
    struct snapshot_settings *settings = &snapshot->settings;
    struct arena *arena = &snapshot->arena;
    const struct slice *redact = log->redact.items;
    size_t count = log->redact.count;

    settings->access_log_json = log->format == ACCESS_JSON;
    if (log->to == ACCESS_FILE)
        settings->access_log_file = arena_copy(arena, log->file);
    return compile_names(arena, log->headers.items, log->headers.count, SLICE(""),
                         &settings->log_headers) &&
           compile_names(arena, redact, count, SLICE("query."),
                         &settings->log_hidden_query) &&
           compile_names(arena, redact, count, SLICE("header."),
                         &settings->log_hidden_headers) &&
           compile_names(arena, redact, count, SLICE("cookie."),
                         &settings->log_hidden_cookies);
}

static enum result compile_frame(struct compile *compile, struct error *err)
{
    struct snapshot *snapshot = compile->snapshot;
    const struct compile_options *options = compile->options;
    const struct cluster_spec *cluster = catalog_cluster(compile->catalog);

    snapshot->revision = options->revision;
    snapshot->node_name = arena_copy(&snapshot->arena, options->node_name);
    snapshot->node_region = arena_copy(&snapshot->arena, options->node_region);
    snapshot->node_zone = arena_copy(&snapshot->arena, options->node_zone);
    if (snapshot->node_zone.data == NULL)
        return error_set(err, GW_NO_MEMORY, "compile");
    snapshot->settings = (struct snapshot_settings){
        .reason_header = true,
        .endpoint_label = true,
        .access_log = true,
        .access_log_json = true,
        .access_log_sample = GW_SHARE_ALL,
        .access_log_errors = GW_SHARE_ALL,
    };
    if (cluster != NULL)
        snapshot->settings = (struct snapshot_settings){
            .reason_header = cluster->reason_header,
            .endpoint_label = cluster->telemetry.metrics.endpoint_label,
            .access_log = cluster->telemetry.access_log.enabled,
            .access_log_sample = cluster->telemetry.access_log.sample,
            .access_log_errors = cluster->telemetry.access_log.errors,
        };
    if (cluster != NULL && !compile_access_log(snapshot, &cluster->telemetry.access_log))
        return error_set(err, GW_NO_MEMORY, "compile the access log");
    return GW_OK;
}

enum result snapshot_compile(const struct catalog *catalog,
                             const struct compile_options *options,
                             struct snapshot **ret_snapshot, struct error *err)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    struct compile compile = {snapshot, catalog, options, .subject = SLICE("Cluster")};
    enum result result;

    if (snapshot == NULL)
        return error_set(err, GW_NO_MEMORY, "compile revision %llu",
                         (unsigned long long)options->revision);
    atomic_init(&snapshot->references, 1);
    arena_init(&snapshot->arena, BLOCK_BYTES, 0);
    arena_init(&compile.scratch, BLOCK_BYTES, 0);
    snapshot->board = options->board;
    result = compile_frame(&compile, err);
    if (result == GW_OK)
        result = compile_services(&compile, err);
    if (result == GW_OK)
        result = compile_listeners(&compile, err);
    if (result == GW_OK)
        result = compile_routes(&compile, err);
    arena_deinit(&compile.scratch);
    if (result != GW_OK) {
        snapshot_dispose(snapshot);
        return error_wrap(err, "compile revision %llu",
                          (unsigned long long)options->revision);
    }
    snapshot->on_unused = options->on_unused;
    snapshot->context = options->context;
    *ret_snapshot = snapshot;
    return GW_OK;
}
