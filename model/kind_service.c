/* The fields of Service: the endpoints and what the proxy does with them. Health
 * and breaker stand in kind_service_health.c. */
#include "model/kind_service.h"

#include "model/rows.h"

extern const struct schema service_health_schema, service_breaker_schema,
    service_outlier_schema, service_panic_schema;
extern const struct schema service_bulkhead_schema;

static const char *const protocols[] = {"http/1.1", "h2", "auto", NULL};
static const char *const balances[] = {"p2c-ewma", "round-robin", "least-request",
                                       "random",   "hash",        NULL};
static const char *const hash_bys[] = {"header", "cookie", "path", "source", NULL};
static const char *const localities[] = {"prefer", "strict", "none", NULL};
static const char *const concurrency_modes[] = {"none", "gradient2", "fixed", NULL};
static const char *const dns_types[] = {"a-aaaa", "srv", NULL};
static const char *const verifies[] = {"full", "chain", "none", NULL};
static const char *const tls_versions[] = {"1.2", "1.3", NULL};
static const char *const proxy_protocols[] = {"none", "v1", "v2", NULL};

static const struct field endpoint_fields[] = {
    STRING(1, struct endpoint_spec, name, "name", .required = true, HONOURED,
           .help = "Unique within the Service."),
    ADDRESS(2, struct endpoint_spec, address, "address", .required = true, HONOURED,
            .help = "Where it listens."),
    REF(3, struct endpoint_spec, region, "region", KIND_REGION, HONOURED,
        .help = "Required once two Regions exist."),
    STRING(4, struct endpoint_spec, zone, "zone", HONOURED, .help = "Within the region."),
    NUMBER(5, struct endpoint_spec, weight, "weight", .initial = "1", .min = 0, .max = 1000,
           HONOURED, .help = "0: no new requests."),
    MAP(STRING, 6, struct endpoint_spec, labels, "labels", HONOURED,
        .help = "For people and selectors."),
    END,
};
SCHEMA(endpoint_schema, struct endpoint_spec, "endpoint", .noun = "endpoint",
       .fields = endpoint_fields);

static const struct field dns_fields[] = {
    HOST(1, struct service_dns, name, "name", .required = true, .help = "Name to resolve."),
    PORT(2, struct service_dns, port, "port", .help = "Required unless type is srv."),
    CHOICE(3, struct service_dns, type, "type", .values = dns_types, .initial = "a-aaaa",
           .help = "Records to ask for."),
    REF(4, struct service_dns, region, "region", KIND_REGION,
        .help = "Required once two Regions exist."),
    DURATION(5, struct service_dns, min_ttl_ms, "minTtl", .initial = "5s", .min = 100,
             .max = 86400000, .help = "Asked again no sooner."),
    DURATION(6, struct service_dns, max_ttl_ms, "maxTtl", .initial = "60s", .min = 100,
             .max = 86400000, .help = "Asked again no later."),
    NUMBER(7, struct service_dns, weight, "weight", .initial = "1", .min = 0, .max = 1000,
           .help = "Of each address found."),
    END,
};

static void check_dns(struct decode *decode, const void *object, const struct value *value)
{
    const struct service_dns *dns = object;
    if (dns->port == 0 && dns->type != DNS_SRV)
        decode_error(decode, value, NULL, "required",
                     "port is required unless type is srv");
    if (dns->min_ttl_ms > dns->max_ttl_ms)
        decode_error(decode, value, "minTtl", "out_of_bounds", "larger than maxTtl");
}
SCHEMA(dns_schema, struct service_dns, "dns", .noun = "dns", .fields = dns_fields,
       .check = check_dns);

static const struct field hash_fields[] = {
    CHOICE(1, struct service_hash, by, "by", .values = hash_bys, .initial = "header",
           HONOURED, .help = "What is hashed."),
    TOKEN(2, struct service_hash, name, "name", HONOURED,
          .help = "Of the header or cookie."),
    SHARE(3, struct service_hash, bounded_load, "boundedLoad", .initial = "125%",
          .min = 10000, .max = 100000, HONOURED,
          .help = "Most load of an endpoint, of the average."),
    END,
};

static void check_hash(struct decode *decode, const void *object, const struct value *value)
{
    const struct service_hash *hash = object;
    bool wants_name = hash->by == HASH_HEADER || hash->by == HASH_COOKIE;
    if (wants_name && hash->name.size == 0)
        decode_error(decode, value, NULL, "required",
                     "name is required by header and cookie");
}
SCHEMA(hash_schema, struct service_hash, "hash", .fields = hash_fields,
       .check = check_hash);

static const struct field sticky_fields[] = {
    TOKEN(1, struct service_sticky, cookie, "cookie", .required = true, HONOURED,
          .help = "Its name."),
    DURATION(2, struct service_sticky, ttl_ms, "ttl", .initial = "1h", HONOURED,
             .help = "Its age; 0s: until the browser ends."),
    BOOL(3, struct service_sticky, secure, "secure", .initial = "true", HONOURED,
         .help = "Sent over TLS only."),
    END,
};
SCHEMA(sticky_schema, struct service_sticky, "sticky", .fields = sticky_fields);

static const struct field slow_start_fields[] = {
    DURATION(1, struct slow_start, for_ms, "for", .initial = "30s", .min = 0,
             .max = 3600000, HONOURED, .help = "0s: none."),
    SHARE(2, struct slow_start, from, "from", .initial = "10%", .min = 0, .max = 10000,
          HONOURED, .help = "Of its weight, at the start."),
    END,
};
SCHEMA(slow_start_schema, struct slow_start, "slowStart", .fields = slow_start_fields);

static const struct field retry_budget_fields[] = {
    SHARE(1, struct retry_budget, ratio, "ratio", .initial = "20%", .min = 0, .max = 10000,
          HONOURED, .help = "Retries, of all requests."),
    NUMBER(2, struct retry_budget, floor, "floor", .initial = "3", .min = 0, .max = 1000,
           HONOURED, .help = "Retries per second that are always allowed."),
    END,
};
SCHEMA(retry_budget_schema, struct retry_budget, "retryBudget",
       .fields = retry_budget_fields);

static const struct field concurrency_fields[] = {
    CHOICE(1, struct service_concurrency, mode, "mode", .values = concurrency_modes,
           .initial = "none", .help = "Limit of requests in flight, per node."),
    NUMBER(2, struct service_concurrency, min, "min", .initial = "20", .min = 1,
           .max = 1000000, .help = "Lowest limit."),
    NUMBER(3, struct service_concurrency, max, "max", .initial = "200", .min = 1,
           .max = 1000000, .help = "Highest limit; the limit itself if fixed."),
    NUMBER(4, struct service_concurrency, window, "window", .initial = "600", .min = 10,
           .max = 100000, .help = "Samples of the long average."),
    END,
};
SCHEMA(concurrency_schema, struct service_concurrency, "concurrency",
       .fields = concurrency_fields);

static const struct field pool_fields[] = {
    NUMBER(1, struct service_pool, connections, "connections", .initial = "0", .min = 0,
           HONOURED, .max = 1000000,
           .help = "Connections per endpoint and node; 0 unlimited."),
    DURATION(2, struct service_pool, idle_ms, "idle", .initial = "60s", .min = 0,
             .max = 86400000, HONOURED, .help = "An unused connection is kept."),
    NUMBER(3, struct service_pool, requests, "requests", .initial = "0", .min = 0,
           .max = 1000000000, HONOURED, .help = "Requests per connection; 0 unlimited."),
    NUMBER(4, struct service_pool, endpoint_in_flight, "endpointInFlight", .initial = "0",
           HONOURED, .min = 0, .max = 1000000,
           .help = "Requests in flight per endpoint and node; 0 unlimited."),
    END,
};
SCHEMA(pool_schema, struct service_pool, "pool", .fields = pool_fields);

static const struct field tls_fields[] = {
    HOST(1, struct service_tls, sni, "sni", .help = "Default: the endpoint's host."),
    CHOICE(2, struct service_tls, verify, "verify", .values = verifies, .initial = "full",
           .help = "What of the certificate is checked."),
    BLOB(3, struct service_tls, ca, "ca", .help = "Default: the system's."),
    REF(4, struct service_tls, client_certificate, "clientCertificate", KIND_CERTIFICATE,
        .help = "Shown to the endpoint."),
    CHOICE(5, struct service_tls, min_version, "minVersion", .values = tls_versions,
           .initial = "1.2", .help = "Oldest TLS version."),
    END,
};
SCHEMA(tls_schema, struct service_tls, "tls", .fields = tls_fields);

/* Everything but endpoints and dns, for both tables. */
#define COMMON_ROWS                                                                        \
    CHOICE(1, struct service_spec, protocol, "protocol", .values = protocols,              \
           .initial = "http/1.1", HONOURED, .honoured_only = "http/1.1",                   \
           .help = "auto: by ALPN."),                                                      \
        CHOICE(4, struct service_spec, balance, "balance", .values = balances,             \
               .initial = "p2c-ewma", HONOURED, .help = "How an endpoint is picked."),     \
        DURATION(5, struct service_spec, ewma_decay_ms, "ewmaDecay", .initial = "10s",     \
                 HONOURED, .min = 100, .max = 3600000,                                     \
                 .help = "Memory of the latency average."),                                \
        SECTION(6, struct service_spec, hash, "hash", hash_schema, HONOURED,               \
                .help = "For hash."),                                                      \
        SECTION(7, struct service_spec, sticky, "sticky", sticky_schema, HONOURED,         \
                .help = "Keeps a client at its endpoint by a cookie."),                    \
        STRUCT(8, struct service_spec, slow_start, "slowStart", slow_start_schema,         \
               HONOURED, .help = "New endpoints get their share slowly."),                 \
        CHOICE(9, struct service_spec, locality, "locality", .values = localities,         \
               .initial = "prefer", HONOURED,                                              \
               .help = "Zone, region, failover list; strict: never leave the region."),    \
        REF_LIST(10, struct service_spec, failover, "failover", KIND_REGION, HONOURED,     \
                 .help = "Overrides Region.failover."),                                    \
        STRUCT(11, struct service_spec, health, "health", service_health_schema,           \
               .help = "Active checks."),                                                  \
        STRUCT(12, struct service_spec, breaker, "breaker", service_breaker_schema,        \
               .help = "Stops calling what fails."),                                       \
        STRUCT(13, struct service_spec, outlier, "outlier", service_outlier_schema,        \
               .help = "The same per endpoint."),                                          \
        STRUCT(14, struct service_spec, panic, "panic", service_panic_schema,              \
               .help = "When too few endpoints are left."),                                \
        STRUCT(15, struct service_spec, retry_budget, "retryBudget", retry_budget_schema,  \
               HONOURED, .help = "Retries draw on it."),                                   \
        STRUCT(16, struct service_spec, concurrency, "concurrency", concurrency_schema,    \
               .help = "Adaptive limit, per node."),                                       \
        STRUCT(17, struct service_spec, bulkhead, "bulkhead", service_bulkhead_schema,     \
               HONOURED, .help = "Requests in flight and queued, per node; 0 unlimited."), \
        STRUCT(18, struct service_spec, pool, "pool", pool_schema, HONOURED,               \
               .help = "Upstream connections."),                                           \
        DURATION(19, struct service_spec, connect_timeout_ms, "connectTimeout",            \
                 .initial = "1s", .min = 1, .max = 600000, HONOURED,                       \
                 .help = "Until connected."),                                              \
        DURATION(20, struct service_spec, drain_ms, "drain", .initial = "30s", .min = 0,   \
                 .max = 86400000, .help = "Removed or drained endpoints finish."),         \
        CHOICE(21, struct service_spec, proxy_protocol, "proxyProtocol",                   \
               .values = proxy_protocols, .initial = "none", .help = "Sent first."),       \
        SECTION(22, struct service_spec, tls, "tls", tls_schema,                           \
                .help = "Absent: plain."),                                                 \
        END

static const struct field fields[] = {
    STRUCT_LIST(2, struct service_spec, endpoints, "endpoints", endpoint_schema, HONOURED,
                .help = "And/or dns."),
    STRUCT_LIST(3, struct service_spec, dns, "dns", dns_schema,
                .help = "Endpoints by name; the last answer is kept on failure."),
    COMMON_ROWS,
};
static const struct field defaults_fields[] = {COMMON_ROWS};

static void check(struct decode *decode, const void *object, const struct value *value)
{
    const struct service_spec *service = object;
    if (service->balance == BALANCE_HASH && service->hash == NULL)
        decode_error(decode, value, "balance", "required",
                     "balance hash needs a hash section");
    if (service->bulkhead.in_flight == 0 && service->bulkhead.queue > 0 &&
        field_is_set(&service->bulkhead, 2))
        decode_error(decode, value, "bulkhead", "not_allowed",
                     "a queue needs an inFlight limit");
    struct table names;
    table_init(&names);
    for (size_t i = 0; i < service->endpoints.count; i++) {
        struct endpoint_spec *endpoint = &service->endpoints.items[i];
        if (table_get(&names, endpoint->name) != NULL)
            decode_error(decode, value, "endpoints", "duplicate_name",
                         "endpoint name '%.*s' stands here twice",
                         SLICE_ARG(endpoint->name));
        table_put(&names, endpoint->name, endpoint);
    }
    table_deinit(&names);
}

PUBLIC_SCHEMA(service_schema, struct service_spec, "Service", .fields = fields,
              .check = check, .help = "A set of endpoints that do the same.");
PUBLIC_SCHEMA(service_defaults_schema, struct service_spec, "service",
              .fields = defaults_fields);

struct service_spec service_effective(const struct service_spec *service,
                                      const struct service_spec *defaults)
{
    struct service_spec result = *service;
    if (defaults == NULL)
        return result;
    for (const struct field *field = defaults_fields; field->name != NULL; field++) {
        if (field_is_set(service, field->number) || !field_is_set(defaults, field->number))
            continue;
        /* A row's slot reaches to the next member; its size is by type. */
        size_t size = field->shape == FIELD_LIST      ? sizeof service->failover
                      : field->type == FIELD_STRUCT   ? field->item_size
                      : field->type == FIELD_SECTION  ? sizeof(void *)
                      : field->type == FIELD_DURATION ? sizeof(uint64_t)
                                                      : sizeof(int);
        memcpy((char *)&result + field->offset, (const char *)defaults + field->offset,
               size);
        result.set |= (uint64_t)1 << field->number;
    }
    return result;
}
