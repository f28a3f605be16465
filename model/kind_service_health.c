/* The fields of Service that judge endpoints: health, breaker, outlier, panic, and
 * the bulkhead. Stored now; health and verdicts will act on them. */
#include "model/kind_service.h"

#include "model/rows.h"
#include "model/units.h"

extern const struct schema service_health_schema, service_breaker_schema,
    service_outlier_schema, service_panic_schema;
extern const struct schema service_bulkhead_schema;

static const char *const health_types[] = {"auto", "http", "https", "tcp",
                                           "grpc", "none", NULL};
static const char *const scopes[] = {"cluster", "node", NULL};
static const char *const panic_modes[] = {"spill", "all", "none", NULL};

static const struct field health_fields[] = {
    CHOICE(1, struct service_health, type, "type", .values = health_types,
           .initial = "auto",
           .help = "auto: http if path is given, else tcp; https with tls."),
    PATH(2, struct service_health, path, "path", .check = target_is_valid,
         .help = "What is asked for."),
    HOST(3, struct service_health, host, "host", .help = "Default: the endpoint's."),
    METHOD(4, struct service_health, method, "method", .initial = "GET", .help = "How."),
    PORT(5, struct service_health, port, "port", .help = "Default: the endpoint's."),
    LIST(STATUS, 6, struct service_health, expect, "expect", .initial = "[2xx, 3xx]",
         .help = "Answers that count as healthy."),
    DURATION(7, struct service_health, interval_ms, "interval", .initial = "2s", .min = 100,
             .max = 3600000, .help = "Between checks, 10 % more or less."),
    DURATION(8, struct service_health, timeout_ms, "timeout", .initial = "500ms", .min = 1,
             .max = 600000, .help = "Of one check."),
    NUMBER(9, struct service_health, fall, "fall", .initial = "3", .min = 1, .max = 100,
           .help = "Failures in a row until down."),
    NUMBER(10, struct service_health, rise, "rise", .initial = "2", .min = 1, .max = 100,
           .help = "Successes in a row until up."),
    NUMBER(11, struct service_health, probers, "probers", .initial = "3", .min = 1,
           .max = 100, .help = "Nodes that check an endpoint."),
    END,
};
PUBLIC_SCHEMA(service_health_schema, struct service_health, "health",
              .fields = health_fields);

static const struct field open_fields[] = {
    DURATION(1, struct breaker_open, base_ms, "base", .initial = "5s", .min = 100,
             .max = 86400000, .help = "First time open; doubled each time."),
    DURATION(2, struct breaker_open, max_ms, "max", .initial = "300s", .min = 100,
             .max = 86400000, .help = "Longest time open."),
    SHARE(3, struct breaker_open, jitter, "jitter", .initial = "20%", .min = 0,
          .max = 10000, .help = "Of the time open."),
    DURATION(4, struct breaker_open, decay_ms, "decay", .initial = "60s", .min = 0,
             .max = 86400000, .help = "A doubling is forgotten, only with successes seen."),
    END,
};
SCHEMA(open_schema, struct breaker_open, "open", .fields = open_fields);

static const struct field ramp_fields[] = {
    LIST(SHARE, 1, struct breaker_ramp, steps, "steps", .initial = "[10%, 25%, 50%, 100%]",
         .min = 1, .max = 10000, .help = "Shares of traffic on the way back."),
    DURATION(2, struct breaker_ramp, step_time_ms, "stepTime", .initial = "5s", .min = 100,
             .max = 3600000, .help = "Least time at a step."),
    NUMBER(3, struct breaker_ramp, min_requests, "minRequests", .initial = "20", .min = 0,
           .max = 1000000, .help = "Least requests at a step."),
    NUMBER(4, struct breaker_ramp, extend, "extend", .initial = "3", .min = 0, .max = 100,
           .help = "Times a step may last longer for want of requests."),
    END,
};
SCHEMA(ramp_schema, struct breaker_ramp, "ramp", .fields = ramp_fields);

static bool is_failure(struct slice text)
{
    struct conditions conditions = {.reset = false};
    return conditions_add(&conditions, text) && !conditions.grpc_unavailable;
}

static const struct field breaker_fields[] = {
    BOOL(1, struct service_breaker, enabled, "enabled", .initial = "true",
         .help = "Or not."),
    CHOICE(2, struct service_breaker, scope, "scope", .values = scopes,
           .initial = "cluster", .help = "node: each node for itself."),
    DURATION(3, struct service_breaker, window_ms, "window", .initial = "10s", .min = 1000,
             .max = 3600000, .help = "Requests that are looked at."),
    NUMBER(4, struct service_breaker, min_requests, "minRequests", .initial = "20",
           .min = 1, .max = 1000000, .help = "Fewest for the ratio to count."),
    SHARE(5, struct service_breaker, failure_ratio, "failureRatio", .initial = "50%",
          .min = 1, .max = 10000, .help = "Of requests that opens it."),
    NUMBER(6, struct service_breaker, consecutive, "consecutive", .initial = "5", .min = 1,
           .max = 1000000,
           .help = "Failures in a row that open it while requests < minRequests."),
    LIST(STRING, 7, struct service_breaker, failures, "failures",
         .initial = "[connect-failure, timeout, reset, 502, 503, 504]", .check = is_failure,
         .expected = "connect-failure, timeout, reset or a status such as 503 or 5xx",
         .help = "What counts; reset: before a response."),
    STRUCT(8, struct service_breaker, open, "open", open_schema, .help = "How long."),
    NUMBER(9, struct service_breaker, probes, "probes", .initial = "3", .min = 1,
           .max = 100, .help = "Successes in a row that close it."),
    STRUCT(10, struct service_breaker, ramp, "ramp", ramp_schema, .help = "The way back."),
    END,
};
PUBLIC_SCHEMA(service_breaker_schema, struct service_breaker, "breaker",
              .fields = breaker_fields);

static const struct field outlier_fields[] = {
    BOOL(1, struct service_outlier, enabled, "enabled", .initial = "true",
         .help = "Or not."),
    SHARE(2, struct service_outlier, max_ejected, "maxEjected", .initial = "50%", .min = 0,
          .max = 10000, .help = "Of the endpoints."),
    END,
};
PUBLIC_SCHEMA(service_outlier_schema, struct service_outlier, "outlier",
              .fields = outlier_fields);

static const struct field panic_fields[] = {
    SHARE(1, struct service_panic, below, "below", .initial = "50%", .min = 0, .max = 10000,
          .help = "Healthy share; 0%: never."),
    CHOICE(2, struct service_panic, mode, "mode", .values = panic_modes, .initial = "spill",
           .help = "spill: to other regions; all: use all endpoints; none: refuse."),
    END,
};
PUBLIC_SCHEMA(service_panic_schema, struct service_panic, "panic", .fields = panic_fields);

static const struct field bulkhead_fields[] = {
    NUMBER(1, struct bulkhead_spec, in_flight, "inFlight", .initial = "1024", .min = 0,
           .max = 1000000, HONOURED, .help = "Requests in flight."),
    NUMBER(2, struct bulkhead_spec, queue, "queue", .initial = "128", .min = 0,
           .max = 1000000, HONOURED, .help = "Requests waiting."),
    DURATION(3, struct bulkhead_spec, wait_ms, "wait", .initial = "250ms", .min = 0,
             .max = 600000, HONOURED, .help = "Longest wait; never past the deadline."),
    END,
};
PUBLIC_SCHEMA(service_bulkhead_schema, struct bulkhead_spec, "bulkhead",
              .fields = bulkhead_fields);
