/* Metrics cells by name, found once. Creating a series takes the registry's lock
 * and memory; that happens the first time a route gives a status, not again. */
#include "node/proxy/counts.h"

#include <stdio.h>
#include <stdlib.h>

static struct slice labels_of(struct buffer *labels)
{
    return buffer_slice(labels);
}

static struct route_counts *route_new(struct slice name)
{
    struct route_counts *route = calloc(1, sizeof *route);
    if (route == NULL)
        return NULL;
    char *copy = slice_to_string(name);
    if (copy == NULL) {
        free(route);
        return NULL;
    }
    route->route = slice_of(copy, name.size);
    return route;
}

static void route_free(struct route_counts *route)
{
    if (route == NULL)
        return;
    free((void *)(uintptr_t)route->route.data);
    free(route->codes);
    free(route);
}

bool counts_init(struct counts *counts, struct metrics *metrics, int shard)
{
    *counts = (struct counts){.metrics = metrics, .shard = shard, .endpoint_label = true};
    table_init(&counts->routes);
    counts->other = route_new(SLICE("_other"));
    counts->unmatched = route_new(SLICE("_none"));
    if (counts->other != NULL && counts->unmatched != NULL)
        return true;
    counts_deinit(counts);
    return false;
}

void counts_deinit(struct counts *counts)
{
    size_t position = 0;
    struct table_slot *slot;
    while ((slot = table_next(&counts->routes, &position)) != NULL)
        route_free(slot->value);
    table_deinit(&counts->routes);
    route_free(counts->other);
    route_free(counts->unmatched);
    counts->other = counts->unmatched = NULL;
}

struct route_counts *counts_route(struct counts *counts, struct slice name)
{
    struct route_counts *route = table_get(&counts->routes, name);
    if (route != NULL)
        return route;
    if (counts->routes.count >= COUNTS_NAMES_MAX)
        return counts->other;
    route = route_new(name);
    if (route == NULL)
        return counts->other;
    if (!table_put(&counts->routes, route->route, route)) {
        route_free(route);
        return counts->other;
    }
    return route;
}

static struct metric_cell *code_cell(struct counts *counts, struct route_counts *route,
                                     enum http_method method, unsigned status)
{
    for (unsigned i = 0; i < route->code_count; i++)
        if (route->codes[i].status == status && route->codes[i].method == method)
            return route->codes[i].cell;

    struct buffer labels;
    char code[12];
    buffer_init(&labels, 0);
    metric_label(&labels, "route", route->route);
    metric_label(&labels, "method",
                 method == HTTP_METHOD_OTHER ? SLICE("_other") : http_method_name(method));
    snprintf(code, sizeof code, "%u", status);
    metric_label(&labels, "code", slice_from_string(code));
    struct metric_cell *cell =
        metrics_counter(counts->metrics, "gw_http_requests_total",
                        "Requests answered, by route.", labels_of(&labels), counts->shard);
    buffer_deinit(&labels);
    if (route->code_count == route->code_capacity) {
        unsigned capacity = route->code_capacity == 0 ? 4 : route->code_capacity * 2;
        struct counts_code *codes = realloc(route->codes, capacity * sizeof *codes);
        if (codes == NULL)
            return cell;
        route->codes = codes;
        route->code_capacity = capacity;
    }
    route->codes[route->code_count++] =
        (struct counts_code){(uint16_t)status, (uint8_t)method, cell};
    return cell;
}

static struct metric_histogram *
duration_histogram(struct counts *counts, struct route_counts *route, unsigned status)
{
    unsigned class = status / 100 % 6;
    if (route->durations[class] == NULL) {
        struct buffer labels;
        char text[4] = {(char)('0' + class), 'x', 'x', '\0'};
        buffer_init(&labels, 0);
        metric_label(&labels, "route", route->route);
        metric_label(&labels, "code_class", slice_from_string(text));
        route->durations[class] =
            metrics_histogram(counts->metrics, "gw_http_request_duration_seconds",
                              "From the request's head to the last byte of the answer.",
                              labels_of(&labels), counts->shard);
        buffer_deinit(&labels);
    }
    return route->durations[class];
}

static void add_bytes(struct counts *counts, struct route_counts *route,
                      struct metric_cell **cell, const char *name, const char *help,
                      uint64_t bytes)
{
    if (*cell == NULL) {
        struct buffer labels;
        buffer_init(&labels, 0);
        metric_label(&labels, "route", route->route);
        *cell =
            metrics_counter(counts->metrics, name, help, labels_of(&labels), counts->shard);
        buffer_deinit(&labels);
    }
    metric_add(*cell, bytes);
}

void counts_request(struct counts *counts, struct route_counts *route,
                    enum http_method method, unsigned status, uint64_t duration_us,
                    uint64_t request_bytes, uint64_t response_bytes)
{
    metric_add(code_cell(counts, route, method, status), 1);
    metric_observe_us(duration_histogram(counts, route, status), duration_us);
    add_bytes(counts, route, &route->request_bytes, "gw_http_request_bytes_total",
              "Bytes of request bodies.", request_bytes);
    add_bytes(counts, route, &route->response_bytes, "gw_http_response_bytes_total",
              "Bytes of response bodies.", response_bytes);
}

void counts_reason(struct counts *counts, struct route_counts *route, enum reason reason)
{
    if (route->reasons[reason] == NULL) {
        struct buffer labels;
        buffer_init(&labels, 0);
        metric_label(&labels, "route", route->route);
        metric_label(&labels, "reason", reason_text(reason)->word);
        route->reasons[reason] = metrics_counter(
            counts->metrics, "gw_http_errors_total",
            "Answers the gateway made itself, and calls cut short, by reason.",
            labels_of(&labels), counts->shard);
        buffer_deinit(&labels);
    }
    metric_add(route->reasons[reason], 1);
}

void counts_tunnel(struct counts *counts, struct route_counts *route, bool begins)
{
    if (route->tunnels_active == NULL) {
        struct buffer labels;
        buffer_init(&labels, 0);
        metric_label(&labels, "route", route->route);
        route->tunnels_active =
            metrics_gauge(counts->metrics, "gw_tunnels_active",
                          "Upgraded connections open.", labels_of(&labels), counts->shard);
        buffer_deinit(&labels);
    }
    metric_add(route->tunnels_active, begins ? 1 : UINT64_MAX);
}

void counts_attempt(struct counts *counts, struct endpoint_counts *endpoint,
                    struct slice service, struct slice name, struct slice region,
                    enum outcome outcome)
{
    static const char *const words[OUTCOME_COUNT] = {
        [OUTCOME_SUCCESS] = "success",    [OUTCOME_ERROR_STATUS] = "error_status",
        [OUTCOME_TIMEOUT] = "timeout",    [OUTCOME_CONNECT_FAILURE] = "connect_failure",
        [OUTCOME_RESET] = "reset",        [OUTCOME_INVALID] = "invalid",
        [OUTCOME_CANCELLED] = "cancelled"};
    if (endpoint->outcomes[outcome] == NULL) {
        struct buffer labels;
        buffer_init(&labels, 0);
        metric_label(&labels, "service", service);
        if (counts->endpoint_label)
            metric_label(&labels, "endpoint", name);
        metric_label(&labels, "region", region);
        metric_label(&labels, "outcome", slice_from_string(words[outcome]));
        endpoint->outcomes[outcome] =
            metrics_counter(counts->metrics, "gw_upstream_requests_total",
                            "Attempts at an upstream, by what came of them.",
                            labels_of(&labels), counts->shard);
        buffer_deinit(&labels);
    }
    metric_add(endpoint->outcomes[outcome], 1);
}

void counts_upstream_duration(struct counts *counts, struct service_counts *service,
                              struct slice name, uint64_t duration_us)
{
    if (service->duration == NULL) {
        struct buffer labels;
        buffer_init(&labels, 0);
        metric_label(&labels, "service", name);
        service->duration =
            metrics_histogram(counts->metrics, "gw_upstream_request_duration_seconds",
                              "From sending an attempt to the head of its answer.",
                              labels_of(&labels), counts->shard);
        buffer_deinit(&labels);
    }
    metric_observe_us(service->duration, duration_us);
}

void counts_retry(struct counts *counts, struct service_counts *service, struct slice name,
                  enum retry_result result)
{
    static const char *const words[RETRY_RESULT_COUNT] = {[RETRY_SENT] = "sent",
                                                          [RETRY_OVER_BUDGET] =
                                                              "over_budget",
                                                          [RETRY_STALE] = "stale"};
    if (service->retries[result] == NULL) {
        struct buffer labels;
        buffer_init(&labels, 0);
        metric_label(&labels, "service", name);
        metric_label(&labels, "result", slice_from_string(words[result]));
        service->retries[result] = metrics_counter(
            counts->metrics, "gw_retries_total",
            "Retries; stale: of a kept connection that had died, on a fresh one.",
            labels_of(&labels), counts->shard);
        buffer_deinit(&labels);
    }
    metric_add(service->retries[result], 1);
}

void counts_mirror_dropped(struct counts *counts, struct service_counts *service,
                           struct slice name)
{
    if (service->mirrors_dropped == NULL) {
        struct buffer labels;
        buffer_init(&labels, 0);
        metric_label(&labels, "service", name);
        service->mirrors_dropped = metrics_counter(
            counts->metrics, "gw_mirrors_dropped_total",
            "Copies of requests not sent: too large, or no place, endpoint or connection.",
            labels_of(&labels), counts->shard);
        buffer_deinit(&labels);
    }
    metric_add(service->mirrors_dropped, 1);
}

struct metric_cell *counts_connections(struct counts *counts, struct slice listener)
{
    struct buffer labels;
    buffer_init(&labels, 0);
    metric_label(&labels, "listener", listener);
    metric_label(&labels, "protocol", SLICE("http/1.1"));
    struct metric_cell *cell =
        metrics_gauge(counts->metrics, "gw_connections_active", "Client connections open.",
                      labels_of(&labels), counts->shard);
    buffer_deinit(&labels);
    return cell;
}
