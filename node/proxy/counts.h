/* The metrics of a worker. Cells are looked up in the registry at the first use
 * of a label and kept, per route and service, over changes of the configuration;
 * after that a count is an addition. The number of routes told apart is limited;
 * above it they count as _other. The worker's thread only. */
#ifndef GW_NODE_PROXY_COUNTS_H
#define GW_NODE_PROXY_COUNTS_H

#include "base/table.h"
#include "http/message.h"
#include "node/observe/metrics.h"
#include "node/proxy/reason.h"

#define COUNTS_NAMES_MAX 20000u

struct counts_code {
    uint16_t status;
    uint8_t method;
    struct metric_cell *cell;
};

/* Of one route. */
struct route_counts {
    struct slice route; /* owned */
    struct counts_code *codes;
    unsigned code_count, code_capacity;
    struct metric_cell *reasons[REASON_COUNT];
    struct metric_histogram *durations[6]; /* by class of status */
    struct metric_cell *request_bytes, *response_bytes;
    struct metric_cell *tunnels_active;
};

enum outcome {
    OUTCOME_SUCCESS,
    OUTCOME_ERROR_STATUS, /* 5xx */
    OUTCOME_CONNECT_FAILURE,
    OUTCOME_TIMEOUT,
    OUTCOME_RESET,
    OUTCOME_INVALID,
    OUTCOME_CANCELLED,
    OUTCOME_COUNT
};

/* Of one endpoint. */
struct endpoint_counts {
    struct metric_cell *outcomes[OUTCOME_COUNT];
};

enum retry_result { RETRY_SENT, RETRY_OVER_BUDGET, RETRY_STALE, RETRY_RESULT_COUNT };

/* Of one service. */
struct service_counts {
    struct metric_histogram *duration;
    struct metric_cell *retries[RETRY_RESULT_COUNT];
    struct metric_cell *mirrors_dropped;
};

struct counts {
    struct metrics *metrics; /* borrowed */
    int shard;
    bool endpoint_label;
    struct table routes;            /* name -> struct route_counts */
    struct route_counts *other;     /* above the limit */
    struct route_counts *unmatched; /* no route: "_none" */
};

/* False: out of memory. */
bool counts_init(struct counts *counts, struct metrics *metrics, int shard);
void counts_deinit(struct counts *counts);

/* Never NULL. */
struct route_counts *counts_route(struct counts *counts, struct slice route);
void counts_request(struct counts *counts, struct route_counts *route,
                    enum http_method method, unsigned status, uint64_t duration_us,
                    uint64_t request_bytes, uint64_t response_bytes);
void counts_reason(struct counts *counts, struct route_counts *route, enum reason reason);
/* One more tunnel of the route, or one less. */
void counts_tunnel(struct counts *counts, struct route_counts *route, bool begins);
void counts_attempt(struct counts *counts, struct endpoint_counts *endpoint,
                    struct slice service, struct slice name, struct slice region,
                    enum outcome outcome);
void counts_upstream_duration(struct counts *counts, struct service_counts *service,
                              struct slice name, uint64_t duration_us);
void counts_retry(struct counts *counts, struct service_counts *service, struct slice name,
                  enum retry_result result);
void counts_mirror_dropped(struct counts *counts, struct service_counts *service,
                           struct slice name);
struct metric_cell *counts_connections(struct counts *counts, struct slice listener);

#endif
