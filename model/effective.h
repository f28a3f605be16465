/* The policy that holds for a route on a listener: Cluster defaults, then the
 * Listener's list, then the Route's list, then the Route's own sections.
 *
 * headers, rateLimit, inFlight, ban, addresses and authorize stack: all apply,
 * in that order. Any other section is replaced whole by the later one.
 * Everything is borrowed from the catalog's resources. */
#ifndef GW_MODEL_EFFECTIVE_H
#define GW_MODEL_EFFECTIVE_H

#include "model/catalog.h"

/* Where a section came from, for `get route --effective` and explain. */
struct effective_origin {
    const struct resource *resource; /* Policy or Route or Cluster; NULL: built in */
    const struct resource *through;  /* whose list named the Policy; NULL: own section */
};

struct effective_section { /* of a stack */
    const void *section;   /* struct headers_policy etc. */
    struct effective_origin origin;
};
struct effective_stack {
    struct effective_section *items;
    size_t count, capacity;
};

/* A replaced section: pointer and origin; the pointer is NULL when nobody gave it. */
#define EFFECTIVE_SECTIONS(X)           \
    X(retry, struct retry_policy)       \
    X(hedge, struct hedge_policy)       \
    X(cors, struct cors_policy)         \
    X(compress, struct compress_policy) \
    X(auth, struct auth_policy)         \
    X(trace, struct sample_policy)      \
    X(access_log, struct sample_policy)
#define EFFECTIVE_STACKS(X)                 \
    X(headers, struct headers_policy)       \
    X(rate_limit, struct rate_limit_policy) \
    X(in_flight, struct in_flight_policy)   \
    X(ban, struct ban_policy)               \
    X(addresses, struct addresses_policy)   \
    X(authorize, struct authorize_policy)

struct effective {
    uint64_t timeout_ms; /* 0: none; built in: 15 s, or Cluster.defaults.timeout */
    uint64_t idle_ms;
    int importance;
    uint64_t body_bytes; /* 0: unlimited; the Listener's unless a Policy says */
    struct effective_origin timeout_origin, idle_origin, importance_origin,
        body_bytes_origin;
#define X(member, type) \
    const type *member; \
    struct effective_origin member##_origin;
    EFFECTIVE_SECTIONS(X)
#undef X
#define X(member, type) struct effective_stack member;
    EFFECTIVE_STACKS(X)
#undef X
};

/* `listener` may be NULL (any). Lists go into `arena`. False: out of memory.
 * Policies that do not exist are passed over: catalog_check refuses them. */
bool effective_policy(struct arena *arena, const struct catalog *catalog,
                      const struct resource *listener, const struct resource *route,
                      struct effective *ret_effective);
/* As JSON: {"timeout": {"value": "2s", "origin": "Policy/careful"}, ...}. */
void effective_emit(struct emit *emit, const struct effective *effective);

#endif
