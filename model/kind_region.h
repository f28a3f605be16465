/* Region: a place with nodes and endpoints, and where its traffic may go. */
#ifndef GW_MODEL_KIND_REGION_H
#define GW_MODEL_KIND_REGION_H

#include "model/types.h"

struct schema;

enum region_failback { FAILBACK_AUTO, FAILBACK_MANUAL };

struct region_nodes {
    uint64_t set;
    int64_t min, max;
    uint32_t target;
    uint64_t cool_down_ms;
};

struct region_spec {
    uint64_t set;
    ARRAY(struct slice) failover;
    int64_t weight;
    struct rate capacity;
    uint32_t spill;
    int failback; /* enum region_failback; -1: the Cluster's */
    uint32_t quota_share;
    ARRAY(struct cidr) clients;
    struct region_nodes nodes;
};

extern const struct schema region_schema;

#endif
