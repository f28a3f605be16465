/* Cluster: what holds for all nodes. One object at most. */
#ifndef GW_MODEL_KIND_CLUSTER_H
#define GW_MODEL_KIND_CLUSTER_H

#include "model/kind_service.h"

enum raft_profile { PROFILE_LAN, PROFILE_WAN };
enum raft_voters { VOTERS_AUTO, VOTERS_1, VOTERS_3, VOTERS_5, VOTERS_7 };
enum fence { FENCE_NONE, FENCE_MINORITY };
enum failover_mode { FAILOVER_AUTO, FAILOVER_MANUAL };
enum log_format_choice { ACCESS_JSON, ACCESS_TEXT };
enum log_target { ACCESS_STDOUT, ACCESS_FILE };
enum trace_parent { PARENT_HONOUR, PARENT_IGNORE };

struct cluster_raft {
    uint64_t set;
    int profile;
    uint64_t heartbeat_ms;        /* GW_ABSENT: the profile's */
    uint64_t election_timeout_ms; /* GW_ABSENT: the profile's */
    int voters;                   /* enum raft_voters */
    uint64_t replace_after_ms;
};

struct cluster_damping {
    uint64_t set;
    int64_t penalty, suppress, reuse;
    uint64_t half_life_ms;
    int64_t cap;
};

struct cluster_failover {
    uint64_t set;
    int mode; /* -1: not given: auto, but manual with voters in exactly two regions */
    uint64_t evacuate_after_ms;
    int failback;
    uint64_t clean_for_ms;
    ARRAY(uint32_t) steps;
    uint64_t step_time_ms;
    struct cluster_damping damping;
};

struct cluster_relay {
    uint64_t set;
    bool enabled;
    uint32_t spare;
};

struct cluster_verdicts {
    uint64_t set;
    uint64_t evidence_ms, confirm_ms, overlay_ms;
    struct rate node_rate, rate;
    int64_t burst;
    uint32_t region_path, client_share;
};

struct cluster_quotas {
    uint64_t set;
    uint64_t ownership_ms, grant_ms;
};

struct cluster_proof {
    uint64_t set;
    uint64_t interval_ms, lag_warning_ms;
};

struct cluster_overload {
    uint64_t set;
    uint64_t loop_lag_ms;
    uint32_t buffer_memory, keep_alive_off, reject;
};

struct cluster_dns {
    uint64_t set;
    struct slice zone;
    uint64_t ttl_ms;
    int64_t answers;
    ARRAY(struct slice) nameservers;
    struct slice contact;
    struct rate rate;
};

struct cluster_defaults {
    uint64_t set;
    uint64_t timeout_ms;
    ARRAY(struct slice) policies;
    struct service_spec service; /* service_defaults_schema */
};

struct cluster_metrics {
    uint64_t set;
    int64_t max_series;
    bool endpoint_label;
};

struct cluster_access_log {
    uint64_t set;
    bool enabled;
    int format;
    uint32_t sample, errors;
    ARRAY(struct slice) redact, headers;
    int to;
    struct slice file;
};

struct cluster_otlp {
    uint64_t set;
    struct slice endpoint;
    uint32_t sample;
    int parent;
    ARRAY(struct secret_pair) headers;
    uint64_t timeout_ms;
    int64_t queue;
};

struct cluster_telemetry {
    uint64_t set;
    struct cluster_metrics metrics;
    struct cluster_access_log access_log;
    const struct cluster_otlp *otlp; /* NULL: off */
};

struct cluster_history {
    uint64_t set;
    int64_t keep;
};

struct cluster_drills {
    uint64_t set;
    uint64_t overdue_ms;
    uint32_t abort_errors;
};

struct cluster_spec {
    uint64_t set;
    struct cluster_raft raft;
    int fence;
    struct cluster_failover failover;
    struct cluster_relay relay;
    struct cluster_verdicts verdicts;
    struct cluster_quotas quotas;
    struct cluster_proof proof;
    struct cluster_overload overload;
    const struct cluster_dns *dns; /* NULL: off */
    struct cluster_defaults defaults;
    ARRAY(struct cidr) never_ban;
    bool reason_header;
    struct cluster_telemetry telemetry;
    struct cluster_history history;
    struct cluster_history events;
    struct cluster_drills drills;
};

extern const struct schema cluster_schema;

#endif
