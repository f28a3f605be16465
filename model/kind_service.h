/* Service: a set of endpoints that do the same, and how they are called. */
#ifndef GW_MODEL_KIND_SERVICE_H
#define GW_MODEL_KIND_SERVICE_H

#include "model/types.h"

struct schema;

enum service_protocol { SERVICE_HTTP_1_1, SERVICE_H2, SERVICE_AUTO };
enum balance {
    BALANCE_P2C_EWMA,
    BALANCE_ROUND_ROBIN,
    BALANCE_LEAST_REQUEST,
    BALANCE_RANDOM,
    BALANCE_HASH
};
enum hash_by { HASH_HEADER, HASH_COOKIE, HASH_PATH, HASH_SOURCE };
enum locality { LOCALITY_PREFER, LOCALITY_STRICT, LOCALITY_NONE };
enum health_type {
    HEALTH_AUTO,
    HEALTH_HTTP,
    HEALTH_HTTPS,
    HEALTH_TCP,
    HEALTH_GRPC,
    HEALTH_NONE
};
enum breaker_scope { BREAKER_CLUSTER, BREAKER_NODE };
enum panic_mode { PANIC_SPILL, PANIC_ALL, PANIC_NONE };
enum concurrency_mode { CONCURRENCY_NONE, CONCURRENCY_GRADIENT2, CONCURRENCY_FIXED };
enum dns_type { DNS_A_AAAA, DNS_SRV };
enum tls_verify { VERIFY_FULL, VERIFY_CHAIN, VERIFY_NONE };

struct endpoint_spec {
    uint64_t set;
    struct slice name;
    struct slice address; /* host:port */
    struct slice region;  /* may be empty while fewer than two regions exist */
    struct slice zone;
    int64_t weight; /* 0: no new requests */
    ARRAY(struct pair) labels;
};

struct service_dns {
    uint64_t set;
    struct slice name;
    uint16_t port;
    int type;
    struct slice region;
    uint64_t min_ttl_ms, max_ttl_ms;
    int64_t weight;
};

struct service_hash {
    uint64_t set;
    int by; /* enum hash_by */
    struct slice name;
    uint32_t bounded_load;
};

struct service_sticky {
    uint64_t set;
    struct slice cookie;
    uint64_t ttl_ms;
    bool secure;
};

struct slow_start {
    uint64_t set;
    uint64_t for_ms;
    uint32_t from;
};

struct service_health {
    uint64_t set;
    int type;
    struct slice path;
    struct slice host;
    struct slice method;
    uint16_t port;
    ARRAY(uint16_t) expect;
    uint64_t interval_ms, timeout_ms;
    int64_t fall, rise, probers;
};

struct breaker_open {
    uint64_t set;
    uint64_t base_ms, max_ms;
    uint32_t jitter;
    uint64_t decay_ms;
};

struct breaker_ramp {
    uint64_t set;
    ARRAY(uint32_t) steps;
    uint64_t step_time_ms;
    int64_t min_requests, extend;
};

struct service_breaker {
    uint64_t set;
    bool enabled;
    int scope;
    uint64_t window_ms;
    int64_t min_requests;
    uint32_t failure_ratio;
    int64_t consecutive;
    ARRAY(struct slice) failures; /* conditions_add */
    struct breaker_open open;
    int64_t probes;
    struct breaker_ramp ramp;
};

struct service_outlier {
    uint64_t set;
    bool enabled;
    uint32_t max_ejected;
};

struct service_panic {
    uint64_t set;
    uint32_t below;
    int mode;
};

struct retry_budget {
    uint64_t set;
    uint32_t ratio;
    int64_t floor;
};

struct service_concurrency {
    uint64_t set;
    int mode;
    int64_t min, max, window;
};

struct bulkhead_spec { /* of Services and Routes; the defaults differ */
    uint64_t set;
    int64_t in_flight, queue;
    uint64_t wait_ms;
};

struct service_pool {
    uint64_t set;
    int64_t connections; /* 0: unlimited */
    uint64_t idle_ms;
    int64_t requests;           /* 0: unlimited */
    int64_t endpoint_in_flight; /* 0: unlimited */
};

struct service_tls {
    uint64_t set;
    struct slice sni;
    int verify;
    struct blob ca;
    struct slice client_certificate;
    int min_version; /* enum tls_version */
};

struct service_spec {
    uint64_t set;
    int protocol;
    ARRAY(struct endpoint_spec) endpoints;
    ARRAY(struct service_dns) dns;
    int balance;
    uint64_t ewma_decay_ms;
    const struct service_hash *hash;     /* NULL: none */
    const struct service_sticky *sticky; /* NULL: none */
    struct slow_start slow_start;
    int locality;
    ARRAY(struct slice) failover;
    struct service_health health;
    struct service_breaker breaker;
    struct service_outlier outlier;
    struct service_panic panic;
    struct retry_budget retry_budget;
    struct service_concurrency concurrency;
    struct bulkhead_spec bulkhead;
    struct service_pool pool;
    uint64_t connect_timeout_ms;
    uint64_t drain_ms;
    int proxy_protocol;
    const struct service_tls *tls; /* NULL: plain */
};

extern const struct schema service_schema;
/* The same without endpoints and dns, for Cluster.defaults.service. */
extern const struct schema service_defaults_schema;

/* `service` with the fields it leaves out taken from `defaults`, which may be
 * NULL. A shallow copy: what it points at stays theirs. */
struct service_spec service_effective(const struct service_spec *service,
                                      const struct service_spec *defaults);

#endif
