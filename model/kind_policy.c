/* The fields of Policy, a table per section. Authentication and authorisation
 * stand in kind_policy_auth.c. */
#include "model/kind_policy.h"

#include "model/rows.h"
#include "model/units.h"

extern const struct schema policy_auth_schema, policy_authorize_schema;

static const char *const importances[] = {"normal", "critical",    "high", "low",
                                          "batch",  "best-effort", NULL};
static const char *const modes[] = {"enforce", "dry-run", NULL};
static const char *const keys[] = {"client-ip", "consumer", "header", "route", NULL};
static const char *const scopes[] = {"cluster", "region", "node", NULL};
static const char *const algorithms[] = {"gzip", NULL};

static bool is_condition(struct slice text)
{
    struct conditions conditions = {.reset = false};
    return conditions_add(&conditions, text);
}

static const struct field retry_fields[] = {
    NUMBER(1, struct retry_policy, max, "max", .initial = "1", .min = 0, .max = 5, HONOURED,
           .help = "Tries after the first."),
    LIST(STRING, 2, struct retry_policy, when, "when",
         .initial = "[connect-failure, reset]", .check = is_condition, HONOURED,
         .expected =
             "connect-failure, reset, timeout, grpc-unavailable or a status such as "
             "503 or 5xx",
         .help = "What is tried again; also timeout, statuses, grpc-unavailable."),
    DURATION(3, struct retry_policy, per_try_ms, "perTry", .min = 1, .max = 86400000,
             HONOURED, .help = "Timeout of one try; default: the rest of timeout."),
    LIST(METHOD, 4, struct retry_policy, methods, "methods",
         .initial = "[GET, HEAD, OPTIONS, PUT, DELETE, TRACE]", HONOURED,
         .help = "Methods tried again; connect-failure binds none."),
    DURATION(5, struct retry_policy, backoff_ms, "backoff", .initial = "25ms", HONOURED,
             .min = 0, .max = 60000, .help = "Before the first retry; doubled each time."),
    DURATION(6, struct retry_policy, backoff_max_ms, "backoffMax", .initial = "250ms",
             HONOURED, .min = 0, .max = 60000, .help = "Longest."),
    BOOL(7, struct retry_policy, retry_after, "retryAfter", .initial = "true", HONOURED,
         .help = "Follow Retry-After."),
    SIZE(8, struct retry_policy, buffer_bytes, "buffer", .initial = "64KiB", HONOURED,
         .min = 0, .max = 16 << 20, .help = "Of a request body kept for a retry."),
    END,
};
SCHEMA(retry_schema, struct retry_policy, "retry", .fields = retry_fields);

static const struct field hedge_fields[] = {
    DURATION(1, struct hedge_policy, after_ms, "after", .required = true, .min = 1,
             .max = 600000, .help = "A second try is sent."),
    NUMBER(2, struct hedge_policy, max, "max", .initial = "1", .min = 1, .max = 5,
           .help = "More tries."),
    SHARE(3, struct hedge_policy, budget, "budget", .initial = "5%", .min = 0, .max = 10000,
          .help = "Of all requests."),
    END,
};
SCHEMA(hedge_schema, struct hedge_policy, "hedge", .fields = hedge_fields);

/* Host of a request is for rewrite.host. */
static bool is_free_in_request(struct slice name)
{
    return header_is_free(name) && !slice_equal(name, SLICE("host"));
}

#define CHANGE_ROWS(check_)                                                       \
    MAP(TEMPLATE, 1, struct header_changes, replace, "set", HONOURED,             \
        .check_name = check_, .help = "Replaces."),                               \
        MAP(TEMPLATE, 2, struct header_changes, add, "add", HONOURED,             \
            .check_name = check_, .help = "Adds."),                               \
        LIST(HEADER, 3, struct header_changes, remove, "remove", HONOURED,        \
             .check = check_,                                                     \
             .expected = "a header that may be changed; it is the gateway's own", \
             .help = "Removes."),                                                 \
        END

static const struct field request_changes_fields[] = {CHANGE_ROWS(is_free_in_request)};
SCHEMA(request_changes_schema, struct header_changes, "request",
       .fields = request_changes_fields);
static const struct field response_changes_fields[] = {CHANGE_ROWS(header_is_free)};
SCHEMA(response_changes_schema, struct header_changes, "response",
       .fields = response_changes_fields);

static const struct field headers_fields[] = {
    STRUCT(1, struct headers_policy, request, "request", request_changes_schema, HONOURED,
           .help = "On the way to the service."),
    STRUCT(2, struct headers_policy, response, "response", response_changes_schema,
           HONOURED, .help = "On the way back."),
    END,
};
SCHEMA(headers_schema, struct headers_policy, "headers", .fields = headers_fields);

static const struct field cors_fields[] = {
    LIST(STRING, 1, struct cors_policy, origins, "origins", .required = true, HONOURED,
         .help = "\"*\" only without credentials."),
    LIST(METHOD, 2, struct cors_policy, methods, "methods", .initial = "[GET, HEAD, POST]",
         HONOURED, .help = "Allowed."),
    LIST(HEADER, 3, struct cors_policy, headers, "headers", HONOURED,
         .help = "Allowed in requests."),
    LIST(HEADER, 4, struct cors_policy, expose, "expose", HONOURED,
         .help = "Shown to scripts."),
    BOOL(5, struct cors_policy, credentials, "credentials", .initial = "false", HONOURED,
         .help = "Cookies are sent."),
    DURATION(6, struct cors_policy, max_age_ms, "maxAge", .initial = "10m", HONOURED,
             .help = "A preflight is remembered."),
    END,
};

static void check_cors(struct decode *decode, const void *object, const struct value *value)
{
    const struct cors_policy *cors = object;
    for (size_t i = 0; i < cors->origins.count && cors->credentials; i++)
        if (slice_equal(cors->origins.items[i], SLICE("*")))
            decode_error(decode, value, "origins", "not_allowed",
                         "\"*\" is only allowed without credentials");
}
SCHEMA(cors_schema, struct cors_policy, "cors", .fields = cors_fields, .check = check_cors);

static const struct field compress_fields[] = {
    LIST(STRING, 1, struct compress_policy, algorithms, "algorithms", .initial = "[gzip]",
         .values = algorithms, .reserved = "br zstd", HONOURED, .help = "By preference."),
    LIST(STRING, 2, struct compress_policy, types, "types",
         .initial = "['text/*', application/json]", HONOURED, .help = "Media types."),
    SIZE(3, struct compress_policy, min_bytes, "minBytes", .initial = "1KiB", .min = 0,
         .max = 1 << 30, HONOURED, .help = "Smaller ones are left alone."),
    NUMBER(4, struct compress_policy, level, "level", .initial = "5", .min = 1, .max = 9,
           HONOURED, .help = "Effort."),
    END,
};
SCHEMA(compress_schema, struct compress_policy, "compress", .fields = compress_fields);

static const struct field rate_limit_fields[] = {
    RATE(1, struct rate_limit_policy, rate, "rate", .required = true,
         .help = "Let through."),
    NUMBER(2, struct rate_limit_policy, burst, "burst", .min = 1, .max = 1000000000,
           .help = "At once after a quiet time; default: the rate's count."),
    CHOICE(3, struct rate_limit_policy, key, "key", .values = keys, .initial = "client-ip",
           .help = "What is counted apart."),
    HEADER(4, struct rate_limit_policy, header, "header", .help = "With key header."),
    CHOICE(5, struct rate_limit_policy, scope, "scope", .values = scopes,
           .initial = "cluster", .help = "Where it is counted together."),
    BOOL(6, struct rate_limit_policy, strict, "strict", .initial = "false",
         .help = "Refuse where there is no grant."),
    CHOICE(7, struct rate_limit_policy, mode, "mode", .values = modes, .initial = "enforce",
           .help = "dry-run: only tell."),
    NUMBER(8, struct rate_limit_policy, cost, "cost", .initial = "1", .min = 1,
           .max = 1000000, .help = "Of a request."),
    NUMBER(9, struct rate_limit_policy, ipv6_prefix, "ipv6Prefix", .initial = "64",
           .min = 1, .max = 128, .help = "One client."),
    END,
};

static void check_header(struct decode *decode, const struct value *value, int key,
                         struct slice header)
{
    if (key == KEY_HEADER && header.size == 0)
        decode_error(decode, value, "key", "required", "key header needs a header");
    if (key != KEY_HEADER && header.size > 0)
        decode_error(decode, value, "header", "not_allowed", "only with key header");
}

static void check_rate_limit(struct decode *decode, const void *object,
                             const struct value *value)
{
    const struct rate_limit_policy *limit = object;
    check_header(decode, value, limit->key, limit->header);
    if (limit->rate.count == 0)
        decode_error(decode, value, "rate", "out_of_bounds", "must let something through");
}
SCHEMA(rate_limit_schema, struct rate_limit_policy, "rateLimit",
       .fields = rate_limit_fields, .check = check_rate_limit);

static const struct field in_flight_fields[] = {
    NUMBER(1, struct in_flight_policy, max, "max", .required = true, .min = 1,
           .max = 1000000, .help = "Requests at a time, per node."),
    CHOICE(2, struct in_flight_policy, key, "key", .values = keys, .initial = "client-ip",
           .help = "What is counted apart."),
    HEADER(3, struct in_flight_policy, header, "header", .help = "With key header."),
    END,
};

static void check_in_flight(struct decode *decode, const void *object,
                            const struct value *value)
{
    const struct in_flight_policy *limit = object;
    check_header(decode, value, limit->key, limit->header);
}
SCHEMA(in_flight_schema, struct in_flight_policy, "inFlight", .fields = in_flight_fields,
       .check = check_in_flight);

static const struct field ban_fields[] = {
    NUMBER(1, struct ban_policy, after, "after", .required = true, .min = 1, .max = 1000000,
           .help = "Answers of these statuses within the window."),
    LIST(STATUS, 2, struct ban_policy, status, "status", .initial = "[401, 403]",
         .help = "What counts."),
    DURATION(3, struct ban_policy, window_ms, "window", .initial = "1m", .min = 1000,
             .max = 86400000, .help = "Looked at."),
    DURATION(4, struct ban_policy, for_ms, "for", .initial = "10m", .min = 1000,
             .max = 2592000000, .help = "Cluster ban, on two nodes' evidence."),
    DURATION(5, struct ban_policy, local_ms, "local", .initial = "30s", .min = 0,
             .max = 86400000, .help = "Ban at this node meanwhile."),
    NUMBER(6, struct ban_policy, ipv6_prefix, "ipv6Prefix", .initial = "64", .min = 1,
           .max = 128, .help = "One client."),
    END,
};
SCHEMA(ban_schema, struct ban_policy, "ban", .fields = ban_fields);

static const struct field addresses_fields[] = {
    LIST(CIDR, 1, struct addresses_policy, allow, "allow",
         .help = "First; when not empty it denies the rest."),
    LIST(CIDR, 2, struct addresses_policy, deny, "deny", .help = "Then."),
    BLOB(3, struct addresses_policy, deny_list, "denyList", .help = "A prefix per line."),
    END,
};
SCHEMA(addresses_schema, struct addresses_policy, "addresses", .fields = addresses_fields);

static const struct field sample_fields[] = {
    SHARE(1, struct sample_policy, sample, "sample", .min = 0, .max = 10000,
          .help = "Of requests."),
    END,
};
SCHEMA(sample_schema, struct sample_policy, "sample", .fields = sample_fields);

static const struct field fields[] = {
    DURATION(1, struct policy_spec, timeout_ms, "timeout", .min = 0, .max = 86400000,
             HONOURED, .help = "Whole request with retries, to the last byte; 0s none."),
    DURATION(2, struct policy_spec, idle_ms, "idle", .min = 0, .max = 86400000, HONOURED,
             .help = "Silence on a started body, stream or tunnel; 60s where none says."),
    CHOICE(3, struct policy_spec, importance, "importance", .values = importances,
           .help = "Shed tiers, best-effort first; normal where none says."),
    SECTION(4, struct policy_spec, retry, "retry", retry_schema, HONOURED,
            .help = "Trying again."),
    SECTION(5, struct policy_spec, hedge, "hedge", hedge_schema,
            .help = "A second try early."),
    SECTION(6, struct policy_spec, headers, "headers", headers_schema, HONOURED,
            .help = "Changes of headers. Stacks."),
    SIZE(7, struct policy_spec, body_bytes, "bodyBytes", HONOURED,
         .help = "Overrides the Listener's; 0B unlimited."),
    SECTION(8, struct policy_spec, cors, "cors", cors_schema, HONOURED,
            .help = "Other origins."),
    SECTION(9, struct policy_spec, compress, "compress", compress_schema, HONOURED,
            .help = "Of responses."),
    SECTION(10, struct policy_spec, auth, "auth", policy_auth_schema,
            .help = "Who calls; none given: anonymous."),
    SECTION(11, struct policy_spec, authorize, "authorize", policy_authorize_schema,
            .help = "Who may. Stacks."),
    SECTION(12, struct policy_spec, rate_limit, "rateLimit", rate_limit_schema,
            .help = "How often; answers 429. Stacks."),
    SECTION(13, struct policy_spec, in_flight, "inFlight", in_flight_schema,
            .help = "How many at a time. Stacks."),
    SECTION(14, struct policy_spec, ban, "ban", ban_schema, .help = "Bans. Stacks."),
    SECTION(15, struct policy_spec, addresses, "addresses", addresses_schema,
            .help = "By client address. Stacks."),
    SECTION(16, struct policy_spec, trace, "trace", sample_schema, .help = "Tracing."),
    SECTION(17, struct policy_spec, access_log, "accessLog", sample_schema,
            .help = "Access log."),
    RESERVED(18, "anomaly"),
    END,
};

PUBLIC_SCHEMA(policy_schema, struct policy_spec, "Policy", .fields = fields,
              .help =
                  "What happens to a call on its way. Order: Cluster defaults, Listener, "
                  "Route's list, Route inline.");
