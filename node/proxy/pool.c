/* Endpoints, and a stack of idle connections for each. LIFO keeps the busy ones
 * warm and lets the rest grow old and go [notes: the same in HAProxy and nginx]. */
#include "node/proxy/pool.h"

#include "node/proxy/attempt.h"
#include "node/proxy/mirror.h"
#include "node/proxy/resolve.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* How long an endpoint's measurements outlive the last snapshot that named it. */
#define UNUSED_MS 60000u

static bool address_of(struct slice host, uint16_t port, struct address *ret)
{
    char text[ADDRESS_TEXT_SIZE + 32];
    bool is_ip6 = slice_find_byte(host, ':') != SIZE_MAX && host.data[0] != '[';
    struct error err;
    if (host.size > ADDRESS_TEXT_SIZE)
        return false;
    int size = snprintf(text, sizeof text, is_ip6 ? "[%.*s]:%u" : "%.*s:%u",
                        SLICE_ARG(host), (unsigned)port);
    struct slice whole = slice_of(text, (size_t)size);
    return address_is_numeric(whole) && address_parse(whole, ret, &err) == GW_OK;
}

struct endpoint *pool_endpoint_ref(struct worker *worker, struct slice key,
                                   struct slice host, uint16_t port)
{
    struct endpoint *endpoint = table_get(&worker->endpoints, key);
    if (endpoint != NULL) {
        list_remove(&endpoint->in_unused);
        endpoint->refs++;
        return endpoint;
    }
    endpoint = calloc(1, sizeof *endpoint);
    char *copy = slice_to_string(key);
    if (endpoint == NULL || copy == NULL)
        goto fail;
    endpoint->key = slice_of(copy, key.size);
    endpoint->worker = worker;
    list_init(&endpoint->idle);
    if (!address_of(host, port, &endpoint->address)) {
        endpoint->resolver = resolver_new(worker, host, port);
        if (endpoint->resolver == NULL)
            goto fail;
    }
    if (!table_put(&worker->endpoints, endpoint->key, endpoint))
        goto fail;
    endpoint->refs = 1;
    return endpoint;

fail:
    if (endpoint != NULL)
        resolver_free(endpoint->resolver);
    free(copy);
    free(endpoint);
    return NULL;
}

static void close_idle(struct endpoint *endpoint)
{
    while (!list_is_empty(&endpoint->idle))
        pool_close(container_of(endpoint->idle.next, struct upstream, idle));
}

void pool_endpoint_unref(struct endpoint *endpoint)
{
    if (endpoint == NULL || --endpoint->refs > 0)
        return;
    close_idle(endpoint);
    endpoint->unused_since_ms = core_now_ms(endpoint->worker);
    list_append(&endpoint->worker->unused, &endpoint->in_unused);
}

struct service_live *pool_service_ref(struct worker *worker, struct slice name)
{
    struct service_live *service = table_get(&worker->services, name);
    if (service != NULL) {
        list_remove(&service->in_unused);
        service->refs++;
        return service;
    }
    service = calloc(1, sizeof *service);
    char *copy = slice_to_string(name);
    if (service == NULL || copy == NULL) {
        free(copy);
        free(service);
        return NULL;
    }
    service->name = slice_of(copy, name.size);
    service->refs = 1;
    gate_init(&service->gate);
    if (!table_put(&worker->services, service->name, service)) {
        free(copy);
        free(service);
        return NULL;
    }
    return service;
}

void pool_service_unref(struct worker *worker, struct service_live *service)
{
    if (service == NULL || --service->refs > 0)
        return;
    service->unused_since_ms = core_now_ms(worker);
    list_append(&worker->unused_services, &service->in_unused);
}

/* ---- connections ---- */

static struct upstream *upstream_of(struct flow *flow)
{
    return container_of(flow, struct upstream, flow);
}

static void on_read(struct flow *flow, struct slice data, int error)
{
    struct upstream *upstream = upstream_of(flow);
    if (upstream->mirror != NULL && error != 0)
        mirror_ended(upstream->mirror, error);
    else if (upstream->mirror != NULL)
        mirror_received(upstream->mirror, data);
    else if (upstream->exchange == NULL)
        pool_close(upstream);
    else if (error != 0)
        attempt_ended(upstream->exchange, error);
    else
        attempt_received(upstream->exchange, data);
}

static void on_drained(struct flow *flow, int error)
{
    struct upstream *upstream = upstream_of(flow);
    if (upstream->mirror != NULL)
        return; /* a failure shows again when it is read */
    if (upstream->exchange == NULL)
        pool_close(upstream);
    else
        attempt_drained(upstream->exchange, error);
}

static void on_connected(struct flow *flow, int error)
{
    struct upstream *upstream = upstream_of(flow);
    if (error == 0 && !flow_read(flow))
        error = UV_ENOMEM;
    upstream->is_connected = error == 0;
    if (upstream->mirror != NULL)
        mirror_connected(upstream->mirror, error);
    else if (upstream->exchange == NULL)
        pool_close(upstream);
    else
        attempt_connected(upstream->exchange, error);
}

static void on_closed(struct flow *flow)
{
    struct upstream *upstream = upstream_of(flow);
    upstream->next_free = upstream->worker->free_upstreams;
    upstream->worker->free_upstreams = upstream;
}

const struct flow_events pool_events = {
    .read = on_read, .drained = on_drained, .connected = on_connected, .closed = on_closed};

static void leave_idle(struct upstream *upstream)
{
    struct endpoint *endpoint = upstream->endpoint;
    if (!list_is_linked(&upstream->idle))
        return;
    list_remove(&upstream->idle);
    if (--endpoint->idle_count == 0)
        list_remove(&endpoint->in_idle);
}

struct upstream *pool_take(struct endpoint *endpoint)
{
    if (list_is_empty(&endpoint->idle))
        return NULL;
    struct upstream *upstream = container_of(endpoint->idle.next, struct upstream, idle);
    leave_idle(upstream);
    return upstream;
}

struct upstream *pool_connect(struct endpoint *endpoint, const struct address *address)
{
    struct worker *worker = endpoint->worker;
    struct upstream *upstream = worker->free_upstreams;
    if (upstream != NULL) {
        worker->free_upstreams = upstream->next_free;
    } else {
        upstream = malloc(sizeof *upstream);
        if (upstream == NULL)
            return NULL;
        worker->allocated++;
    }
    *upstream = (struct upstream){.worker = worker};
    if (!flow_init(&upstream->flow, &worker->uv, &worker->blocks, worker->read_buffer,
                   &pool_events)) {
        upstream->next_free = worker->free_upstreams;
        worker->free_upstreams = upstream;
        return NULL;
    }
    upstream->endpoint = endpoint;
    endpoint->open_count++;
    if (!flow_connect(&upstream->flow, address)) {
        pool_close(upstream);
        return NULL;
    }
    return upstream;
}

void pool_give(struct upstream *upstream)
{
    struct endpoint *endpoint = upstream->endpoint;
    struct worker *worker = upstream->worker;
    upstream->exchange = NULL;
    upstream->served++;
    intake_reset(&upstream->intake, &worker->blocks);
    if (endpoint->refs == 0 || worker->is_stopping || flow_is_writing(&upstream->flow) ||
        (endpoint->request_limit > 0 && upstream->served >= endpoint->request_limit) ||
        !flow_read(&upstream->flow)) {
        pool_close(upstream);
        return;
    }
    upstream->idle_since_ms = core_now_ms(worker);
    list_prepend(&endpoint->idle, &upstream->idle);
    if (endpoint->idle_count++ == 0)
        list_append(&worker->with_idle, &endpoint->in_idle);
}

void pool_close(struct upstream *upstream)
{
    if (upstream == NULL || upstream->endpoint == NULL)
        return;
    leave_idle(upstream);
    upstream->endpoint->open_count--;
    upstream->endpoint = NULL;
    upstream->exchange = NULL;
    upstream->mirror = NULL;
    intake_reset(&upstream->intake, &upstream->worker->blocks);
    flow_close(&upstream->flow);
}

/* ---- sweeping ---- */

static void endpoint_free(struct endpoint *endpoint)
{
    list_remove(&endpoint->in_unused);
    table_remove(&endpoint->worker->endpoints, endpoint->key);
    resolver_free(endpoint->resolver);
    free((void *)(uintptr_t)endpoint->key.data);
    free(endpoint);
}

static void service_free(struct worker *worker, struct service_live *service)
{
    list_remove(&service->in_unused);
    table_remove(&worker->services, service->name);
    free((void *)(uintptr_t)service->name.data);
    free(service);
}

void pool_sweep(struct worker *worker)
{
    uint64_t now_ms = core_now_ms(worker);
    list_each (&worker->with_idle, link) {
        struct endpoint *endpoint = container_of(link, struct endpoint, in_idle);
        if (endpoint->idle_ms == 0)
            continue;
        while (!list_is_empty(&endpoint->idle)) {
            struct upstream *oldest =
                container_of(endpoint->idle.prev, struct upstream, idle);
            if (now_ms - oldest->idle_since_ms < endpoint->idle_ms)
                break;
            pool_close(oldest);
        }
    }
    list_each (&worker->unused, link) {
        struct endpoint *endpoint = container_of(link, struct endpoint, in_unused);
        if (now_ms - endpoint->unused_since_ms < UNUSED_MS)
            break; /* in order of time */
        if (endpoint->open_count == 0 && resolver_is_quiet(endpoint->resolver))
            endpoint_free(endpoint);
    }
    list_each (&worker->unused_services, link) {
        struct service_live *service = container_of(link, struct service_live, in_unused);
        if (now_ms - service->unused_since_ms < UNUSED_MS)
            break;
        service_free(worker, service);
    }
}

void pool_close_idle(struct worker *worker)
{
    size_t position = 0;
    struct table_slot *slot;
    while ((slot = table_next(&worker->endpoints, &position)) != NULL) {
        struct endpoint *endpoint = slot->value;
        close_idle(endpoint);
        resolver_cancel(endpoint->resolver);
    }
}

void pool_deinit(struct worker *worker)
{
    size_t position = 0;
    struct table_slot *slot;
    while ((slot = table_next(&worker->endpoints, &position)) != NULL)
        endpoint_free(slot->value);
    position = 0;
    while ((slot = table_next(&worker->services, &position)) != NULL)
        service_free(worker, slot->value);
    table_deinit(&worker->endpoints);
    table_deinit(&worker->services);
    struct upstream *upstream;
    while ((upstream = worker->free_upstreams) != NULL) {
        worker->free_upstreams = upstream->next_free;
        free(upstream);
    }
}
