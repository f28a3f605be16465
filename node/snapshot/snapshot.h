/* What a worker serves from: one revision of the configuration, compiled.
 *
 * Never changes once published, so any thread may read it. Made on the pool
 * from a catalog by snapshot_compile, shared by an atomic count between
 * publisher and workers, pinned per exchange by a plain count of the worker.
 * Everything inside is allocated in the snapshot's arena; lookups search
 * nothing linearly: host by hash (exact, then wildcard suffix by label), path
 * by radix tree (exact, longest prefix), regexes in order of precedence, then
 * method, header and query matches among the routes of that path.
 * Precedence: INTERFACES.md "Resources". */
#ifndef GW_NODE_SNAPSHOT_H
#define GW_NODE_SNAPSHOT_H

#include "base/arena.h"
#include "http/message.h"
#include "model/catalog.h"
#include "node/balance/balance.h"
#include "node/balance/bulkhead.h"
#include "node/board/board.h"
#include "node/policy/policy.h"
#include "node/snapshot/cidr_set.h"

struct snapshot;

/* One address of a service. Workers keep their own live state (idle
 * connections, in-flight, EWMA) under `key`; it outlives snapshots. */
struct target_endpoint {
    struct slice key;  /* "service/address:port" */
    struct slice name; /* as configured */
    struct slice host; /* to resolve or parse */
    uint16_t port;
    struct slice region, zone;
    unsigned weight;          /* 0: no new requests */
    struct board_slot *board; /* borrowed from the snapshot's reference */
    uint32_t index;           /* within the service */
    uint64_t id;              /* of the key, the same on every node */
};

struct target_service {
    struct slice name;
    const struct target_endpoint *endpoints;
    uint32_t endpoint_count;
    uint32_t connect_timeout_ms, idle_ms;
    uint32_t pool_requests;                    /* per connection; 0: unlimited */
    uint32_t retry_ratio_percent, retry_floor; /* retry budget */
    uint8_t balance;                           /* enum balance of the schema */
    struct balance_set balance_set;            /* for balance_pick; indices as endpoints */
    uint8_t hash_by;                           /* enum hash_by; for hash */
    struct slice hash_name;                    /* of the header or cookie */
    uint32_t hash_bound;                       /* in 1/10,000 of the average load */
    struct slice sticky_cookie;                /* its name; empty: none */
    uint64_t sticky_ttl_s;                     /* 0: of the browser's session */
    bool sticky_secure;
    uint32_t slow_for_ms, slow_from; /* slow start; share in 1/10,000 */
    struct bulkhead_limits bulkhead; /* of the node */
    uint32_t ewma_decay_ms;
    uint32_t endpoint_in_flight; /* per endpoint and node; 0: unlimited */
    uint32_t pool_connections;   /* per endpoint and node; 0: unlimited */
    uint32_t number;             /* dense 0..n-1 within the snapshot */
};

enum plan_action { PLAN_PROXY, PLAN_RESPOND, PLAN_REDIRECT };

struct plan_split {
    const struct target_service *service;
    uint32_t weight;
    struct slice when_header, when_cookie, when_exact; /* empty: by weight */
    bool when_present; /* being there is enough: when_exact does not count */
};

struct plan;

struct plan_maintenance {
    const struct cidr_set *allow; /* who pass all the same */
    uint64_t retry_after_s;
};

struct plan_fallback {
    const struct target_service *service; /* or */
    const struct plan *respond;           /* status, headers and body of an answer */
};

/* What to do with a call: the route and its effective policy. */
struct plan {
    struct slice route; /* name */
    uint64_t revision;  /* of the snapshot */
    enum plan_action action;
    const struct plan_split *splits; /* one, with weight 1, for `service` */
    uint32_t split_count, weight_total;
    uint8_t split_by;                /* enum split_by of the schema */
    struct bulkhead_limits bulkhead; /* of the node */
    /* rewrite */
    const struct template *rewrite_host;
    bool has_prefix_rewrite;
    struct slice matched_prefix, rewrite_prefix;
    const struct path_regex *rewrite_regex; /* regex + path template */
    const struct pattern *match_regex;      /* of the path match, for ${capture.N} */
    /* respond and redirect */
    uint16_t status;
    struct slice body;
    const struct template *redirect_location;
    const struct header_change *respond_headers;
    uint32_t respond_header_count;
    const struct plan_maintenance *maintenance; /* NULL: open */
    const struct plan_fallback *fallback;       /* NULL: none */
    const struct target_service *mirror;        /* NULL: none */
    uint32_t mirror_share;                      /* of requests, in 1/10,000 */
    /* policy */
    uint32_t timeout_ms; /* whole request; 0: none */
    uint32_t idle_ms;
    uint64_t body_bytes; /* 0: unlimited */
    struct retry_plan retry;
    const struct header_change *request_headers, *response_headers;
    uint32_t request_header_count, response_header_count;
    const struct cors_plan *cors;         /* NULL: none */
    const struct compress_plan *compress; /* NULL: none */
    const struct slice *upgrades;         /* tokens that may become a tunnel */
    uint32_t upgrade_count;
    uint32_t number; /* dense 0..n-1 within the snapshot: for metrics cells */
};

/* A Listener as this node runs it. */
struct snapshot_listener {
    struct slice name;
    char bind[80]; /* after the node's override */
    uint64_t header_bytes, header_count, target_bytes, body_bytes;
    uint32_t header_timeout_ms, idle_ms, write_stall_ms, drain_ms;
    uint64_t connections; /* 0: unlimited */
    const struct cidr_set *trusted_proxies;
    bool forwarded_x, forwarded_rfc7239;
    uint32_t number; /* of this snapshot: its place */
};

/* What routing looks at. Path is normalised (http/uri.h), host lower-case without port
 * (IPv6 with its brackets), query without '?'. `listener` NULL: none of them. */
struct route_query {
    const struct snapshot_listener *listener;
    struct slice host, path, query;
    const struct http_message *message; /* method and headers */
};

struct compile_options {
    uint64_t revision;
    struct slice node_name, node_region, node_zone;
    bool is_witness; /* opens no listener, whatever the catalog says */
    struct board *board;
    const struct bind_override {
        struct slice listener, bind;
    } * overrides;
    size_t override_count;
    /* Called once the last reference is gone, on whatever thread that was; it must see
     * to snapshot_dispose being called on a thread that may take its time (it frees
     * megabytes, and takes the board's lock). NULL: disposed of there and then. */
    void (*on_unused)(void *context, struct snapshot *snapshot);
    void *context;
};

struct access_names {
    const struct slice *items;
    uint32_t count;
};

/* Settings of the Cluster object that the data side follows. */
struct snapshot_settings {
    bool reason_header;
    bool endpoint_label; /* in metrics */
    bool access_log, access_log_json;
    uint32_t access_log_sample, access_log_errors; /* hundredths of a percent */
    struct slice access_log_file;                  /* empty: standard output */
    struct access_names log_headers;               /* logged as well */
    struct access_names log_hidden_query, log_hidden_headers, log_hidden_cookies;
};

/* Pool thread; 10,000 routes take some 100 ms. The catalog has passed catalog_check; what
 * still cannot be compiled (a regex) is an error and the old snapshot stays. */
enum result snapshot_compile(const struct catalog *catalog,
                             const struct compile_options *options,
                             struct snapshot **ret_snapshot, struct error *err);
/* Any thread. NULL is fine. */
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot);
/* Frees at once: only for who was called by on_unused. */
void snapshot_dispose(struct snapshot *snapshot);

uint64_t snapshot_revision(const struct snapshot *snapshot);
uint32_t snapshot_plan_count(const struct snapshot *snapshot);
const struct plan *snapshot_plan_at(const struct snapshot *snapshot, uint32_t number);
uint32_t snapshot_listener_count(const struct snapshot *snapshot);
const struct snapshot_listener *snapshot_listener_at(const struct snapshot *snapshot,
                                                     uint32_t number);
const struct snapshot_listener *snapshot_listener_named(const struct snapshot *snapshot,
                                                        struct slice name);
const struct target_service *snapshot_service(const struct snapshot *snapshot,
                                              struct slice name);
uint32_t snapshot_service_count(const struct snapshot *snapshot);
const struct target_service *snapshot_service_at(const struct snapshot *snapshot,
                                                 uint32_t number);
struct slice snapshot_node_name(const struct snapshot *snapshot);
struct slice snapshot_node_region(const struct snapshot *snapshot);
struct slice snapshot_node_zone(const struct snapshot *snapshot);
const struct snapshot_settings *snapshot_settings(const struct snapshot *snapshot);
/* What was compiled but will not do as it says, for the log: "Route/hello: …". */
uint32_t snapshot_warning_count(const struct snapshot *snapshot);
struct slice snapshot_warning_at(const struct snapshot *snapshot, uint32_t number);

/* Returns the plan of a call, or NULL: no_route (or method_not_allowed when *ret_allowed !=
 * 0: bits of the methods that would have matched). Borrowed: valid while pinned. */
const struct plan *snapshot_plan(const struct snapshot *snapshot,
                                 const struct route_query *query, uint32_t *ret_allowed);

/* Expands a template at request time into the arena: ${region} ${node} ${request.id}
 * ${client.ip} … */
struct template_vars {
    const struct snapshot *snapshot;
    const struct plan *plan;
    const struct route_query *query;
    struct slice request_id, client_ip, scheme, service;
    struct slice captures[10];
    unsigned capture_count;
};
struct slice template_expand(const struct template *template,
                             const struct template_vars *vars, struct arena *arena);
/* The target to send upstream, "path?query", after `rewrite`; the input when there is
 * none (without a copy where they stand side by side in memory). query.data NULL: no '?'.
 * A rewrite by regex sets the captures. */
struct slice plan_rewrite_target(const struct plan *plan, struct slice path,
                                 struct slice query, struct template_vars *vars,
                                 struct arena *arena);

/* Explain: the same search, told. Skipped: the other routes that come near, each with
 * why it is not the one. Walks all routes: for the admin API. */
struct explain_skip {
    struct slice route;
    char why[96];
};
struct explain_route {
    const struct plan *plan; /* or NULL */
    struct explain_skip skipped[64];
    unsigned skipped_count;
};
void snapshot_explain(const struct snapshot *snapshot, const struct route_query *query,
                      struct explain_route *ret_explained);

#endif
