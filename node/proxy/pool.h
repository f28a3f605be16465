/* Connections to upstreams: endpoints as a worker knows them, the idle
 * connections it keeps to each, the one used last first.
 *
 * Endpoints and services live under their key and name over changes of the
 * configuration, so that a publish costs no connection and no measurement; what
 * no snapshot names any more is swept. Anything that happens on an idle
 * connection closes it: an upstream has nothing to say unasked. */
#ifndef GW_NODE_PROXY_POOL_H
#define GW_NODE_PROXY_POOL_H

#include "node/balance/endpoint_live.h"
#include "node/balance/retry_budget.h"
#include "node/proxy/core.h"
#include "node/proxy/flow.h"
#include "node/proxy/gate.h"

struct mirror;
struct resolver;

struct endpoint {
    struct slice key; /* owned */
    struct worker *worker;
    unsigned refs; /* servings that name it */
    struct endpoint_live live;
    struct endpoint_counts counts;
    struct address address;    /* when numeric */
    struct resolver *resolver; /* owned; NULL when numeric */
    struct list_link idle;     /* struct upstream, last used first */
    unsigned idle_count, open_count;
    uint32_t idle_ms, request_limit; /* of the newest snapshot; 0: none */
    struct list_link in_idle, in_unused;
    uint64_t unused_since_ms;
};

/* A service's live state. */
struct service_live {
    struct slice name; /* owned */
    unsigned refs;
    struct retry_budget_state budget;
    struct gate gate;
    struct service_counts counts;
    struct list_link in_unused;
    uint64_t unused_since_ms;
};

/* One connection. */
struct upstream {
    struct flow flow; /* first */
    struct worker *worker;
    struct endpoint *endpoint; /* NULL once closed */
    struct exchange *exchange; /* whose attempt it carries; NULL: idle, or */
    struct mirror *mirror;     /* the copy that it carries */
    struct list_link idle;
    struct upstream *next_free;
    uint64_t idle_since_ms;
    uint32_t served; /* requests answered */
    bool is_connected;
    struct intake intake; /* of a response head in pieces */
};

/* NULL: out of memory. Adds a reference. */
struct endpoint *pool_endpoint_ref(struct worker *worker, struct slice key,
                                   struct slice host, uint16_t port);
void pool_endpoint_unref(struct endpoint *endpoint);
struct service_live *pool_service_ref(struct worker *worker, struct slice name);
void pool_service_unref(struct worker *worker, struct service_live *service);

/* An idle connection, or NULL. */
struct upstream *pool_take(struct endpoint *endpoint);
/* A new one, connecting; NULL: that failed at once. */
struct upstream *pool_connect(struct endpoint *endpoint, const struct address *address);
/* Back after a whole answer: kept, or closed when it has served enough. */
void pool_give(struct upstream *upstream);
void pool_close(struct upstream *upstream);

/* Closes what has been idle too long, frees what nobody names. */
void pool_sweep(struct worker *worker);
/* At the end of the worker: closes all idle connections. */
void pool_close_idle(struct worker *worker);
/* After all handles are gone. */
void pool_deinit(struct worker *worker);

/* Told of a connection's doings while it carries an attempt (attempt.c). */
extern const struct flow_events pool_events;

#endif
