/* The fields of Route. */
#include "model/kind_route.h"

#include "model/rows.h"
#include "model/units.h"

static const char *const split_bys[] = {"request", "consumer", "client-ip", "cookie", NULL};
static const char *const schemes[] = {"http", "https", NULL};

static const struct field path_fields[] = {
    PATH(MATCH_EXACT, struct path_match, exact, "exact", HONOURED,
         .help = "The whole path."),
    PATH(MATCH_PREFIX, struct path_match, prefix, "prefix", HONOURED,
         .help = "/a matches /a and /a/..., never /ab."),
    REGEX(MATCH_REGEX, struct path_match, regex, "regex", HONOURED,
          .help = "PCRE2, with a match limit."),
    END,
};
SCHEMA(path_schema, struct path_match, "path", .fields = path_fields, .one_of = true,
       .help = "One of.");

static const struct field header_fields[] = {
    HEADER(MATCH_NAME, struct header_match, name, "name", .required = true, HONOURED,
           .help = "Any case."),
    STRING(MATCH_EXACT, struct header_match, exact, "exact", HONOURED,
           .help = "The value."),
    STRING(MATCH_PREFIX, struct header_match, prefix, "prefix", HONOURED,
           .help = "Its beginning."),
    REGEX(MATCH_REGEX, struct header_match, regex, "regex", HONOURED, .help = "PCRE2."),
    BOOL(MATCH_PRESENT, struct header_match, present, "present", .initial = "true",
         HONOURED, .help = "There, or not."),
    END,
};

static void check_one_way(struct decode *decode, const void *object,
                          const struct value *value)
{
    unsigned ways = 0;
    for (unsigned i = MATCH_EXACT; i <= MATCH_PRESENT; i++)
        ways += field_is_set(object, i);
    if (ways > 1)
        decode_error(decode, value, NULL, "one_of", "needs one way to match, not %u", ways);
}
SCHEMA(header_schema, struct header_match, "header", .noun = "header",
       .fields = header_fields, .check = check_one_way);

static const struct field query_fields[] = {
    STRING(MATCH_NAME, struct query_match, name, "name", .required = true, HONOURED,
           .help = "Of the parameter."),
    STRING(MATCH_EXACT, struct query_match, exact, "exact", HONOURED, .help = "The value."),
    REGEX(MATCH_REGEX, struct query_match, regex, "regex", HONOURED, .help = "PCRE2."),
    BOOL(MATCH_PRESENT, struct query_match, present, "present", .initial = "true", HONOURED,
         .help = "There, or not."),
    END,
};
SCHEMA(query_schema, struct query_match, "query", .noun = "query", .fields = query_fields,
       .check = check_one_way);

static const struct field match_fields[] = {
    LIST(PATTERN, 1, struct route_match, hosts, "hosts", HONOURED,
         .help = "Exact or *.suffix; empty: any."),
    SECTION(2, struct route_match, path, "path", path_schema, HONOURED,
            .help = "Default: prefix /."),
    LIST(METHOD, 3, struct route_match, methods, "methods", HONOURED,
         .help = "Empty: any."),
    STRUCT_LIST(4, struct route_match, headers, "headers", header_schema, HONOURED,
                .help = "All must match."),
    STRUCT_LIST(5, struct route_match, query, "query", query_schema, HONOURED,
                .help = "All must match."),
    REF_LIST(6, struct route_match, listeners, "listeners", KIND_LISTENER, HONOURED,
             .help = "Empty: all."),
    END,
};
SCHEMA(match_schema, struct route_match, "match", .fields = match_fields);

static const struct field when_fields[] = {
    HEADER(1, struct split_when, header, "header", HONOURED, .help = "This header,"),
    TOKEN(2, struct split_when, cookie, "cookie", HONOURED, .help = "or this cookie,"),
    STRING(3, struct split_when, exact, "exact", HONOURED,
           .help = "with this value; absent: any."),
    END,
};

static void check_when(struct decode *decode, const void *object, const struct value *value)
{
    const struct split_when *when = object;
    if ((when->header.size > 0) == (when->cookie.size > 0))
        decode_error(decode, value, NULL, "one_of", "needs either a header or a cookie");
}
SCHEMA(when_schema, struct split_when, "when", .fields = when_fields, .check = check_when);

static const struct field split_fields[] = {
    REF(1, struct split_part, service, "service", KIND_SERVICE, .required = true, HONOURED,
        .help = "Goes there."),
    NUMBER(2, struct split_part, weight, "weight", .required = true, .min = 0,
           .max = 1000000, HONOURED, .help = "Its part of the sum."),
    SECTION(3, struct split_part, when, "when", when_schema, HONOURED,
            .help = "True: this one, whatever its weight."),
    END,
};
SCHEMA(split_schema, struct split_part, "split", .fields = split_fields);

static bool is_redirect(int64_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 ||
           status == 308;
}

static const struct field redirect_fields[] = {
    NUMBER(1, struct redirect_spec, status, "status", .initial = "308", .min = 301,
           .max = 308, HONOURED, .help = "301, 302, 303, 307 or 308."),
    CHOICE(2, struct redirect_spec, scheme, "scheme", .values = schemes, HONOURED,
           .help = "Default: the request's."),
    HOST(3, struct redirect_spec, host, "host", HONOURED,
         .help = "Default: the request's."),
    PORT(4, struct redirect_spec, port, "port", HONOURED, .help = "Default: the scheme's."),
    TEMPLATE(5, struct redirect_spec, path, "path", HONOURED, .check = target_is_valid,
             .expected = "a text that may stand in a URL (visible ASCII without '#')",
             .help = "Default: the request's; variables are filled in."),
    END,
};

static void check_redirect(struct decode *decode, const void *object,
                           const struct value *value)
{
    const struct redirect_spec *redirect = object;
    if (!is_redirect(redirect->status))
        decode_error(decode, value, "status", "bad_value",
                     "'%lld' is none of 308, 301, 302, 303, 307",
                     (long long)redirect->status);
}
SCHEMA(redirect_schema, struct redirect_spec, "redirect", .fields = redirect_fields,
       .check = check_redirect);

#define RESPOND_ROWS(initial_status)                                            \
    NUMBER(1, struct respond_spec, status, "status", .initial = initial_status, \
           .min = 200, .max = 599, HONOURED, .help = "Of the answer."),         \
        MAP(TEMPLATE, 2, struct respond_spec, headers, "headers", HONOURED,     \
            .check_name = header_is_free, .help = "Variables are filled in."),  \
        BLOB(3, struct respond_spec, body, "body", HONOURED, .help = "As is."), END

static const struct field respond_fields[] = {RESPOND_ROWS("200")};
SCHEMA(respond_schema, struct respond_spec, "respond", .fields = respond_fields);
static const struct field fallback_respond_fields[] = {RESPOND_ROWS("503")};
SCHEMA(fallback_respond_schema, struct respond_spec, "respond",
       .fields = fallback_respond_fields);

static const struct field rewrite_fields[] = {
    TEMPLATE(1, struct rewrite_spec, host, "host", HONOURED, .check = target_is_valid,
             .expected = "a text that may stand in a URL (visible ASCII without '#')",
             .help = "Host sent upstream."),
    PATH(2, struct rewrite_spec, prefix, "prefix", HONOURED, .check = target_path_is_valid,
         .help = "Replaces the matched prefix."),
    REGEX(3, struct rewrite_spec, regex, "regex", HONOURED,
          .help = "Searched in the path,"),
    TEMPLATE(4, struct rewrite_spec, path, "path", HONOURED, .check = target_is_valid,
             .expected = "a text that may stand in a URL (visible ASCII without '#')",
             .help = "and the path it becomes, with ${capture.N}."),
    END,
};

static void check_rewrite(struct decode *decode, const void *object,
                          const struct value *value)
{
    const struct rewrite_spec *rewrite = object;
    if (rewrite->regex.size > 0 && rewrite->path.size == 0)
        decode_error(decode, value, "regex", "required", "regex needs a path");
    if (rewrite->prefix.size > 0 && rewrite->path.size > 0)
        decode_error(decode, value, "path", "not_allowed",
                     "either prefix or path, not both");
    if (rewrite->path.size > 0 && rewrite->path.data[0] != '/' &&
        rewrite->path.data[0] != '$')
        decode_error(decode, value, "path", "bad_value", "must begin with '/'");
}
SCHEMA(rewrite_schema, struct rewrite_spec, "rewrite", .fields = rewrite_fields,
       .check = check_rewrite);

static const struct field mirror_fields[] = {
    REF(1, struct mirror_spec, service, "service", KIND_SERVICE, .required = true, HONOURED,
        .help = "Its answers are dropped; never retried."),
    SHARE(2, struct mirror_spec, share, "share", .initial = "100%", .min = 0, .max = 10000,
          HONOURED, .help = "Of requests."),
    END,
};
SCHEMA(mirror_schema, struct mirror_spec, "mirror", .fields = mirror_fields);

static const struct field fallback_fields[] = {
    REF(1, struct fallback_spec, service, "service", KIND_SERVICE, HONOURED,
        .help = "This,"),
    SECTION(2, struct fallback_spec, respond, "respond", fallback_respond_schema, HONOURED,
            .help = "or this."),
    END,
};
SCHEMA(fallback_schema, struct fallback_spec, "fallback", .fields = fallback_fields,
       .one_of = true);

static const struct field maintenance_fields[] = {
    BOOL(1, struct maintenance_spec, enabled, "enabled", .initial = "false", HONOURED,
         .help = "Answers 503."),
    DURATION(2, struct maintenance_spec, retry_after_ms, "retryAfter", .initial = "60s",
             HONOURED, .help = "Told to clients."),
    LIST(CIDR, 3, struct maintenance_spec, allow, "allow", HONOURED,
         .help = "Pass all the same."),
    END,
};
SCHEMA(maintenance_schema, struct maintenance_spec, "maintenance",
       .fields = maintenance_fields);

static const struct field bulkhead_fields[] = {
    NUMBER(1, struct bulkhead_spec, in_flight, "inFlight", .initial = "0", .min = 0,
           .max = 1000000, HONOURED, .help = "Requests in flight; 0 unlimited."),
    NUMBER(2, struct bulkhead_spec, queue, "queue", .initial = "0", .min = 0,
           .max = 1000000, HONOURED, .help = "Requests waiting."),
    DURATION(3, struct bulkhead_spec, wait_ms, "wait", .initial = "250ms", .min = 0,
             .max = 600000, HONOURED, .help = "Longest wait."),
    END,
};
SCHEMA(bulkhead_schema, struct bulkhead_spec, "bulkhead", .fields = bulkhead_fields);

static const struct field fields[] = {
    STRUCT(1, struct route_spec, match, "match", match_schema, HONOURED,
           .help = "Which calls it takes."),
    NUMBER(2, struct route_spec, priority, "priority", .initial = "0", .min = -1000,
           .max = 1000, HONOURED, .help = "Precedence; nothing to do with importance."),
    REF(3, struct route_spec, service, "service", KIND_SERVICE, HONOURED,
        .help = "One of service, split, redirect, respond."),
    STRUCT_LIST(4, struct route_spec, split, "split", split_schema, HONOURED,
                .help = "Several services, by weight."),
    SECTION(5, struct route_spec, redirect, "redirect", redirect_schema, HONOURED,
            .help = "Sends the client elsewhere."),
    SECTION(6, struct route_spec, respond, "respond", respond_schema, HONOURED,
            .help = "Answers itself."),
    CHOICE(7, struct route_spec, split_by, "splitBy", .values = split_bys,
           .initial = "request", HONOURED,
           .help = "Keeps a caller on one side; cookie gw-split."),
    SECTION(8, struct route_spec, rewrite, "rewrite", rewrite_schema, HONOURED,
            .help = "Of host and path, before the service."),
    SECTION(9, struct route_spec, mirror, "mirror", mirror_schema, HONOURED,
            .help = "A copy."),
    SECTION(10, struct route_spec, fallback, "fallback", fallback_schema, HONOURED,
            .help = "When breaker, panic or region leave nothing."),
    SECTION(11, struct route_spec, maintenance, "maintenance", maintenance_schema, HONOURED,
            .help = "Closed for work."),
    LIST(TOKEN, 12, struct route_spec, upgrades, "upgrades", .initial = "[websocket]",
         HONOURED, .help = "Upgrade tokens let through."),
    STRUCT(13, struct route_spec, bulkhead, "bulkhead", bulkhead_schema, HONOURED,
           .help = "Requests in flight and queued, per node."),
    REF_LIST(14, struct route_spec, policies, "policies", KIND_POLICY, HONOURED,
             .help = "In order, after the Listener's."),
    INLINE(15, struct route_spec, policy, policy_schema),
    END,
};

static void check(struct decode *decode, const void *object, const struct value *value)
{
    const struct route_spec *route = object;
    unsigned actions = (route->service.size > 0) + (route->split.count > 0) +
                       (route->redirect != NULL) + (route->respond != NULL);
    if (actions != 1)
        decode_error(decode, value, NULL, "one_of",
                     "needs exactly one of service, split, redirect, respond, not %u",
                     actions);
    int64_t weight = 0;
    for (size_t i = 0; i < route->split.count; i++)
        weight += route->split.items[i].weight;
    if (route->split.count > 0 && weight == 0)
        decode_error(decode, value, "split", "out_of_bounds", "all weights are 0");
    if (route->rewrite != NULL && route->rewrite->prefix.size > 0 &&
        route->match.path != NULL && route->match.path->regex.size > 0)
        decode_error(decode, value, "rewrite", "not_allowed",
                     "rewrite.prefix needs a match by prefix or exact path");
}

PUBLIC_SCHEMA(route_schema, struct route_spec, "Route", .fields = fields, .check = check,
              .help = "Which calls it takes, and what becomes of them.");
