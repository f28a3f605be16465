/* The fields of Cluster. */
#include "model/kind_cluster.h"

#include "model/rows.h"

static const char *const profiles[] = {"lan", "wan", NULL};
static const char *const voters[] = {"auto", "1", "3", "5", "7", NULL};
static const char *const fences[] = {"none", "minority", NULL};
static const char *const modes[] = {"auto", "manual", NULL};
static const char *const log_formats[] = {"json", "text", NULL};
static const char *const log_targets[] = {"stdout", "file", NULL};
static const char *const parents[] = {"honour", "ignore", NULL};

static const struct field raft_fields[] = {
    CHOICE(1, struct cluster_raft, profile, "profile", .values = profiles, .initial = "lan",
           HONOURED,
           .help = "lan: heartbeat 50ms, election 300ms; wan: by round-trip time."),
    DURATION(2, struct cluster_raft, heartbeat_ms, "heartbeat", .min = 20, .max = 2000,
             HONOURED, .help = "Overrides the profile."),
    DURATION(3, struct cluster_raft, election_timeout_ms, "electionTimeout", .min = 100,
             .max = 60000, HONOURED,
             .help = "Overrides the profile; at least 5 heartbeats."),
    CHOICE(4, struct cluster_raft, voters, "voters", .values = voters, .initial = "auto",
           HONOURED, .help = "Nodes of role auto fill up to this."),
    DURATION(5, struct cluster_raft, replace_after_ms, "replaceAfter", .initial = "10s",
             .min = 1000, .max = 86400000, HONOURED,
             .help = "An unseen voter gives way to a standby."),
    END,
};

/* Heartbeats that come late by a few must not make an election. */
static void check_raft(struct decode *decode, const void *object, const struct value *value)
{
    const struct cluster_raft *raft = object;
    bool is_wan = raft->profile == PROFILE_WAN;
    uint64_t heartbeat = raft->heartbeat_ms != GW_ABSENT ? raft->heartbeat_ms
                         : is_wan                        ? 100
                                                         : 50;

    if (raft->election_timeout_ms != GW_ABSENT && raft->election_timeout_ms < 5 * heartbeat)
        decode_error(decode, value, "electionTimeout", "out_of_bounds",
                     "must be at least 5 heartbeats of %llums",
                     (unsigned long long)heartbeat);
    if (raft->election_timeout_ms == GW_ABSENT && 5 * heartbeat > (is_wan ? 3000u : 300u))
        decode_error(decode, value, "heartbeat", "out_of_bounds",
                     "5 heartbeats are longer than the profile's election timeout; set "
                     "electionTimeout to %llums or more",
                     5ull * heartbeat);
}
SCHEMA(raft_schema, struct cluster_raft, "raft", .fields = raft_fields,
       .check = check_raft);

static const struct field damping_fields[] = {
    NUMBER(1, struct cluster_damping, penalty, "penalty", .initial = "1000", .min = 0,
           .max = 1000000, .help = "Per evacuation."),
    NUMBER(2, struct cluster_damping, suppress, "suppress", .initial = "2000", .min = 0,
           .max = 1000000, .help = "No failback above this."),
    NUMBER(3, struct cluster_damping, reuse, "reuse", .initial = "750", .min = 0,
           .max = 1000000, .help = "Failback again below this."),
    DURATION(4, struct cluster_damping, half_life_ms, "halfLife", .initial = "15m",
             .min = 1000, .max = 604800000, .help = "Of the penalty."),
    NUMBER(5, struct cluster_damping, cap, "cap", .initial = "12000", .min = 0,
           .max = 10000000, .help = "Largest penalty."),
    END,
};
SCHEMA(damping_schema, struct cluster_damping, "damping", .fields = damping_fields);

static const struct field failover_fields[] = {
    CHOICE(1, struct cluster_failover, mode, "mode", .values = modes,
           .help = "Default auto, but manual while voters stand in exactly two regions."),
    DURATION(2, struct cluster_failover, evacuate_after_ms, "evacuateAfter",
             .initial = "15s", .min = 1000, .max = 86400000,
             .help = "A region lost for this long."),
    CHOICE(3, struct cluster_failover, failback, "failback", .values = modes,
           .initial = "auto", .help = "Who brings traffic back."),
    DURATION(4, struct cluster_failover, clean_for_ms, "cleanFor", .initial = "300s",
             .min = 0, .max = 604800000, .help = "Healthy this long before failback."),
    LIST(SHARE, 5, struct cluster_failover, steps, "steps",
         .initial = "[10%, 25%, 50%, 100%]", .min = 1, .max = 10000,
         .help = "Of traffic on the way back."),
    DURATION(6, struct cluster_failover, step_time_ms, "stepTime", .initial = "60s",
             .min = 1000, .max = 86400000, .help = "Between steps."),
    STRUCT(7, struct cluster_failover, damping, "damping", damping_schema,
           .help = "Against flapping."),
    END,
};
SCHEMA(failover_schema, struct cluster_failover, "failover", .fields = failover_fields);

static const struct field relay_fields[] = {
    BOOL(1, struct cluster_relay, enabled, "enabled", .initial = "true",
         .help = "One hop through a region that still reaches the service."),
    SHARE(2, struct cluster_relay, spare, "spare", .initial = "30%", .min = 0, .max = 10000,
          .help = "Capacity kept for it."),
    END,
};
SCHEMA(relay_schema, struct cluster_relay, "relay", .fields = relay_fields);

static const struct field verdicts_fields[] = {
    DURATION(1, struct cluster_verdicts, evidence_ms, "evidence", .initial = "10s",
             .min = 1000, .max = 600000, .help = "How old evidence may be."),
    DURATION(2, struct cluster_verdicts, confirm_ms, "confirm", .initial = "2s", .min = 0,
             .max = 600000, .help = "How long a majority must hold."),
    DURATION(3, struct cluster_verdicts, overlay_ms, "overlay", .initial = "10s", .min = 0,
             .max = 600000, .help = "How long a node acts on its own view."),
    RATE(4, struct cluster_verdicts, node_rate, "nodeRate", .initial = "20/1s",
         .help = "Votes per node."),
    RATE(5, struct cluster_verdicts, rate, "rate", .initial = "200/1s",
         .help = "Verdicts of the cluster."),
    NUMBER(6, struct cluster_verdicts, burst, "burst", .initial = "2000", .min = 1,
           .max = 1000000, .help = "Verdicts at once."),
    SHARE(7, struct cluster_verdicts, region_path, "regionPath", .initial = "20%", .min = 0,
          .max = 10000, .help = "Of services (and at least 5) that makes it the path."),
    SHARE(8, struct cluster_verdicts, client_share, "clientShare", .initial = "50%",
          .min = 0, .max = 10000, .help = "Most weight of one client in evidence."),
    END,
};
SCHEMA(verdicts_schema, struct cluster_verdicts, "verdicts", .fields = verdicts_fields);

static const struct field quotas_fields[] = {
    DURATION(1, struct cluster_quotas, ownership_ms, "ownership", .initial = "5s",
             .min = 500, .max = 600000, .help = "Lease of a limit's owner."),
    DURATION(2, struct cluster_quotas, grant_ms, "grant", .initial = "2s", .min = 100,
             .max = 600000, .help = "Lease of a node's grant."),
    END,
};
SCHEMA(quotas_schema, struct cluster_quotas, "quotas", .fields = quotas_fields);

static const struct field proof_fields[] = {
    DURATION(1, struct cluster_proof, interval_ms, "interval", .initial = "10s",
             .min = 1000, .max = 3600000, .help = "Between comparisons of digests."),
    DURATION(2, struct cluster_proof, lag_warning_ms, "lagWarning", .initial = "5s",
             .min = 100, .max = 3600000, .help = "A node this far behind is a finding."),
    END,
};
SCHEMA(proof_schema, struct cluster_proof, "proof", .fields = proof_fields);

static const struct field overload_fields[] = {
    DURATION(1, struct cluster_overload, loop_lag_ms, "loopLag", .initial = "250ms",
             .min = 10, .max = 60000, .help = "A worker this late sheds."),
    SHARE(2, struct cluster_overload, buffer_memory, "bufferMemory", .initial = "25%",
          .min = 1, .max = 10000, .help = "Of the memory, for buffers."),
    SHARE(3, struct cluster_overload, keep_alive_off, "keepAliveOff", .initial = "92%",
          .min = 1, .max = 10000, .help = "Of the memory: no more keep-alive."),
    SHARE(4, struct cluster_overload, reject, "reject", .initial = "95%", .min = 1,
          .max = 10000, .help = "Of the memory: refuse."),
    END,
};
SCHEMA(overload_schema, struct cluster_overload, "overload", .fields = overload_fields);

static const struct field dns_fields[] = {
    HOST(1, struct cluster_dns, zone, "zone", .help = "Zone that is answered for."),
    DURATION(2, struct cluster_dns, ttl_ms, "ttl", .initial = "20s", .min = 10000,
             .max = 30000, .help = "Of answers."),
    NUMBER(3, struct cluster_dns, answers, "answers", .initial = "4", .min = 1, .max = 16,
           .help = "Addresses in one answer."),
    LIST(HOST, 4, struct cluster_dns, nameservers, "nameservers", .help = "NS records."),
    HOST(5, struct cluster_dns, contact, "contact", .help = "SOA contact."),
    RATE(6, struct cluster_dns, rate, "rate", .initial = "200/1s", .help = "Per /24."),
    END,
};
SCHEMA(dns_schema, struct cluster_dns, "dns", .fields = dns_fields);

static const struct field defaults_fields[] = {
    DURATION(1, struct cluster_defaults, timeout_ms, "timeout", .initial = "15s", .min = 0,
             .max = 86400000, HONOURED, .help = "Of a request, where no Policy says."),
    REF_LIST(2, struct cluster_defaults, policies, "policies", KIND_POLICY, HONOURED,
             .help = "For every Route, before its own."),
    STRUCT(3, struct cluster_defaults, service, "service", service_defaults_schema,
           HONOURED, .help = "Any Service field but endpoints and dns."),
    END,
};
SCHEMA(defaults_schema, struct cluster_defaults, "defaults", .fields = defaults_fields);

static const struct field metrics_fields[] = {
    NUMBER(1, struct cluster_metrics, max_series, "maxSeries", .initial = "50000",
           .min = 1000, .max = 10000000, .help = "More go to _other."),
    BOOL(2, struct cluster_metrics, endpoint_label, "endpointLabel", .initial = "true",
         .help = "Series per endpoint."),
    END,
};
SCHEMA(metrics_schema, struct cluster_metrics, "metrics", .fields = metrics_fields);

static bool is_redaction(struct slice text)
{
    return (slice_starts_with(text, SLICE("query.")) && text.size > 6) ||
           (slice_starts_with(text, SLICE("header.")) && text.size > 7) ||
           (slice_starts_with(text, SLICE("cookie.")) && text.size > 7);
}

static const struct field access_log_fields[] = {
    BOOL(1, struct cluster_access_log, enabled, "enabled", .initial = "true", HONOURED,
         .help = "Or not."),
    CHOICE(2, struct cluster_access_log, format, "format", .values = log_formats,
           .initial = "json", HONOURED, .help = "Of a line."),
    SHARE(3, struct cluster_access_log, sample, "sample", .initial = "100%", .min = 0,
          .max = 10000, HONOURED, .help = "Of requests."),
    SHARE(4, struct cluster_access_log, errors, "errors", .initial = "100%", .min = 0,
          .max = 10000, HONOURED, .help = "Of requests that failed."),
    LIST(STRING, 5, struct cluster_access_log, redact, "redact", .check = is_redaction,
         .expected = "query.NAME, header.NAME or cookie.NAME", HONOURED,
         .help = "Values hidden."),
    LIST(HEADER, 6, struct cluster_access_log, headers, "headers", HONOURED,
         .help = "Also logged."),
    CHOICE(7, struct cluster_access_log, to, "to", .values = log_targets,
           .initial = "stdout", HONOURED, .help = "Where to."),
    STRING(8, struct cluster_access_log, file, "file", HONOURED, .help = "Its path."),
    END,
};

static void check_access_log(struct decode *decode, const void *object,
                             const struct value *value)
{
    const struct cluster_access_log *log = object;
    if (log->to == ACCESS_FILE && log->file.size == 0)
        decode_error(decode, value, "file", "required", "a path, with 'to: file'");
}
SCHEMA(access_log_schema, struct cluster_access_log, "accessLog",
       .fields = access_log_fields, .check = check_access_log);

static const struct field otlp_fields[] = {
    URL(1, struct cluster_otlp, endpoint, "endpoint", .help = "Collector, OTLP over HTTP."),
    SHARE(2, struct cluster_otlp, sample, "sample", .initial = "5%", .min = 0, .max = 10000,
          .help = "Of requests."),
    CHOICE(3, struct cluster_otlp, parent, "parent", .values = parents, .initial = "honour",
           .help = "The caller's decision."),
    SECRET_MAP(4, struct cluster_otlp, headers, "headers", .help = "Sent along."),
    DURATION(5, struct cluster_otlp, timeout_ms, "timeout", .initial = "5s", .min = 100,
             .max = 600000, .help = "Of an export."),
    NUMBER(6, struct cluster_otlp, queue, "queue", .initial = "4096", .min = 1,
           .max = 1000000, .help = "Spans waiting."),
    END,
};
SCHEMA(otlp_schema, struct cluster_otlp, "otlp", .fields = otlp_fields);

static const struct field telemetry_fields[] = {
    STRUCT(1, struct cluster_telemetry, metrics, "metrics", metrics_schema,
           .help = "Metrics."),
    STRUCT(2, struct cluster_telemetry, access_log, "accessLog", access_log_schema,
           .help = "Access log."),
    SECTION(3, struct cluster_telemetry, otlp, "otlp", otlp_schema, .help = "Traces."),
    END,
};
SCHEMA(telemetry_schema, struct cluster_telemetry, "telemetry", .fields = telemetry_fields);

static const struct field history_fields[] = {
    NUMBER(1, struct cluster_history, keep, "keep", .initial = "1000", .min = 10,
           .max = 100000, .help = "Revisions for history and rollback."),
    END,
};
SCHEMA(history_schema, struct cluster_history, "history", .fields = history_fields);

static const struct field events_fields[] = {
    NUMBER(1, struct cluster_history, keep, "keep", .initial = "10000", .min = 100,
           .max = 1000000, .help = "Events kept."),
    END,
};
SCHEMA(events_schema, struct cluster_history, "events", .fields = events_fields);

static const struct field drills_fields[] = {
    DURATION(1, struct cluster_drills, overdue_ms, "overdue", .initial = "30d",
             .help = "A finding after this long without."),
    SHARE(2, struct cluster_drills, abort_errors, "abortErrors", .initial = "1%", .min = 0,
          .max = 10000, .help = "Of requests that ends a drill."),
    END,
};
SCHEMA(drills_schema, struct cluster_drills, "drills", .fields = drills_fields);

static const struct field fields[] = {
    STRUCT(1, struct cluster_spec, raft, "raft", raft_schema, .help = "Agreement."),
    CHOICE(2, struct cluster_spec, fence, "fence", .values = fences, .initial = "none",
           .help = "minority: /readyz fails without quorum; gwd.yaml overrides."),
    STRUCT(3, struct cluster_spec, failover, "failover", failover_schema,
           .help = "Between regions."),
    STRUCT(4, struct cluster_spec, relay, "relay", relay_schema, .help = "Between nodes."),
    STRUCT(5, struct cluster_spec, verdicts, "verdicts", verdicts_schema,
           .help = "How the cluster judges."),
    STRUCT(6, struct cluster_spec, quotas, "quotas", quotas_schema,
           .help = "Leases of cluster rate limits."),
    STRUCT(7, struct cluster_spec, proof, "proof", proof_schema,
           .help = "That all nodes have the same."),
    STRUCT(8, struct cluster_spec, overload, "overload", overload_schema,
           .help = "Shedding by importance."),
    SECTION(9, struct cluster_spec, dns, "dns", dns_schema, .help = "Entry steering."),
    STRUCT(10, struct cluster_spec, defaults, "defaults", defaults_schema, HONOURED,
           .help = "For all Routes and Services."),
    LIST(CIDR, 11, struct cluster_spec, never_ban, "neverBan", .help = "Wins over bans."),
    BOOL(12, struct cluster_spec, reason_header, "reasonHeader", .initial = "true",
         .help = "gw-reason on responses the gateway made."),
    STRUCT(13, struct cluster_spec, telemetry, "telemetry", telemetry_schema,
           .help = "What it tells."),
    STRUCT(14, struct cluster_spec, history, "history", history_schema,
           .help = "Revisions."),
    STRUCT(15, struct cluster_spec, events, "events", events_schema, .help = "Events."),
    STRUCT(16, struct cluster_spec, drills, "drills", drills_schema, .help = "Exercises."),
    END,
};

PUBLIC_SCHEMA(cluster_schema, struct cluster_spec, "Cluster", .fields = fields,
              .help = "What holds for all nodes. One object; its name sticks.");
