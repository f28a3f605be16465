/* Policy: what happens to a call on its way, in sections that combine
 * (effective.h says how). Every section is NULL when left out. */
#ifndef GW_MODEL_KIND_POLICY_H
#define GW_MODEL_KIND_POLICY_H

#include "model/types.h"

struct schema;

enum importance {
    IMPORTANCE_NORMAL,
    IMPORTANCE_CRITICAL,
    IMPORTANCE_HIGH,
    IMPORTANCE_LOW,
    IMPORTANCE_BATCH,
    IMPORTANCE_BEST_EFFORT
};
enum policy_mode { MODE_ENFORCE, MODE_DRY_RUN };
enum limit_key { KEY_CLIENT_IP, KEY_CONSUMER, KEY_HEADER, KEY_ROUTE };
enum limit_scope { SCOPE_CLUSTER, SCOPE_REGION, SCOPE_NODE };
enum auth_require { REQUIRE_ANY, REQUIRE_ALL };
enum cert_consumer { CERT_SUBJECT, CERT_SAN_DNS, CERT_SAN_URI, CERT_NONE };
enum on_error { ON_ERROR_DENY, ON_ERROR_ALLOW };
enum effect { EFFECT_ALLOW, EFFECT_DENY };

struct retry_policy {
    uint64_t set;
    int64_t max;              /* tries after the first */
    ARRAY(struct slice) when; /* conditions_add */
    uint64_t per_try_ms;      /* GW_ABSENT: the rest of the timeout */
    ARRAY(struct slice) methods;
    uint64_t backoff_ms, backoff_max_ms;
    bool retry_after;
    uint64_t buffer_bytes;
};

struct hedge_policy {
    uint64_t set;
    uint64_t after_ms;
    int64_t max;
    uint32_t budget;
};

struct header_changes {
    uint64_t set;
    ARRAY(struct pair) replace; /* "set"; names in lower case, values templates */
    ARRAY(struct pair) add;
    ARRAY(struct slice) remove;
};

struct headers_policy {
    uint64_t set;
    struct header_changes request;
    struct header_changes response;
};

struct cors_policy {
    uint64_t set;
    ARRAY(struct slice) origins, methods, headers, expose;
    bool credentials;
    uint64_t max_age_ms;
};

struct compress_policy {
    uint64_t set;
    ARRAY(struct slice) algorithms, types;
    uint64_t min_bytes;
    int64_t level;
};

struct auth_jwt {
    uint64_t set;
    struct slice jwks;
    ARRAY(struct slice) audience, from, scopes;
    ARRAY(struct pair) claims_to_headers;
    bool forward;
};

struct auth_api_key {
    uint64_t set;
    struct slice header, query;
    bool forward;
};

struct auth_basic {
    uint64_t set;
    struct slice realm;
};

struct auth_client_cert {
    uint64_t set;
    int consumer;
};

struct auth_forward {
    uint64_t set;
    struct slice service, path;
    uint64_t timeout_ms;
    int on_error;
    ARRAY(struct slice) send, take;
    uint64_t cache_ms;
};

struct auth_policy {
    uint64_t set;
    int require;
    bool optional;
    const struct auth_jwt *jwt;
    const struct auth_api_key *api_key;
    const struct auth_basic *basic;
    const struct auth_client_cert *client_cert;
    const struct auth_forward *forward;
};

struct authorize_rule {
    uint64_t set;
    int effect;
    ARRAY(struct slice) methods, paths, consumers, groups, scopes;
    ARRAY(struct pair) claims;
    ARRAY(struct cidr) sources;
};

struct authorize_policy {
    uint64_t set;
    int initial; /* "default" */
    int mode;
    ARRAY(struct authorize_rule) rules;
};

struct rate_limit_policy {
    uint64_t set;
    struct rate rate;
    int64_t burst; /* GW_ABSENT_NUMBER: the rate's count */
    int key;
    struct slice header;
    int scope;
    bool strict;
    int mode;
    int64_t cost;
    int64_t ipv6_prefix;
};

struct in_flight_policy {
    uint64_t set;
    int64_t max;
    int key;
    struct slice header;
};

struct ban_policy {
    uint64_t set;
    int64_t after;
    ARRAY(uint16_t) status;
    uint64_t window_ms, for_ms, local_ms;
    int64_t ipv6_prefix;
};

struct addresses_policy {
    uint64_t set;
    ARRAY(struct cidr) allow, deny;
    struct blob deny_list;
};

struct sample_policy { /* trace, accessLog */
    uint64_t set;
    uint32_t sample; /* GW_ABSENT_SHARE */
};

struct policy_spec {
    uint64_t set;
    uint64_t timeout_ms; /* GW_ABSENT: not given; 0: none */
    uint64_t idle_ms;    /* GW_ABSENT: not given (then 60 s) */
    int importance;      /* -1: not given (then normal) */
    uint64_t body_bytes; /* GW_ABSENT: the Listener's; 0: unlimited */
    const struct retry_policy *retry;
    const struct hedge_policy *hedge;
    const struct headers_policy *headers;
    const struct cors_policy *cors;
    const struct compress_policy *compress;
    const struct auth_policy *auth;
    const struct authorize_policy *authorize;
    const struct rate_limit_policy *rate_limit;
    const struct in_flight_policy *in_flight;
    const struct ban_policy *ban;
    const struct addresses_policy *addresses;
    const struct sample_policy *trace;
    const struct sample_policy *access_log;
};

extern const struct schema policy_schema;

#endif
