#include "fixture.h"

/* Every field of a kind, most of them off their defaults. */
static const char *const whole[] = {
    GW
    "kind: Cluster\nmetadata: {name: shop}\nspec:\n"
    "  raft: {profile: wan, heartbeat: 100ms, electionTimeout: 2s, voters: 5, "
    "replaceAfter: 20s}\n"
    "  fence: minority\n"
    "  failover: {mode: manual, evacuateAfter: 20s, failback: manual, cleanFor: 60s,\n"
    "    steps: [\"5%\", \"100%\"], stepTime: 30s,\n"
    "    damping: {penalty: 1, suppress: 2, reuse: 3, halfLife: 4m, cap: 5}}\n"
    "  relay: {enabled: false, spare: \"10%\"}\n"
    "  verdicts: {evidence: 5s, confirm: 1s, overlay: 5s, nodeRate: 10/1s, rate: 100/1s,\n"
    "    burst: 1000, regionPath: \"10%\", clientShare: \"40%\"}\n"
    "  quotas: {ownership: 6s, grant: 3s}\n"
    "  proof: {interval: 20s, lagWarning: 6s}\n"
    "  overload: {loopLag: 100ms, bufferMemory: \"20%\", keepAliveOff: \"90%\", reject: "
    "\"96%\"}\n"
    "  dns: {zone: gw.example, ttl: 15s, answers: 2, nameservers: [ns1.example],\n"
    "    contact: admin.example, rate: 100/1s}\n"
    "  defaults: {timeout: 3s, policies: [p], service: {balance: random, connectTimeout: "
    "2s,\n"
    "    breaker: {failureRatio: \"40%\", open: {base: 6s, max: 120s}}}}\n"
    "  neverBan: [10.0.0.0/8, \"::1\"]\n  reasonHeader: false\n"
    "  telemetry: {metrics: {maxSeries: 1000, endpointLabel: false},\n"
    "    accessLog: {enabled: false, format: text, sample: \"50%\", errors: \"60%\",\n"
    "      redact: [query.token], headers: [X-A], to: file, file: /var/log/x},\n"
    "    otlp: {endpoint: \"http://otel:4318\", sample: \"1%\", parent: ignore,\n"
    "      headers: {x-key: {sealed: abc}}, timeout: 1s, queue: 10}}\n"
    "  history: {keep: 10}\n  events: {keep: 100}\n  drills: {overdue: 7d, abortErrors: "
    "\"2%\"}\n",

    GW
    "kind: Region\nmetadata: {name: eu}\nspec: {failover: [us, ap], weight: 10,\n"
    "  capacity: 20000/1s, spill: \"120.5%\", failback: manual, quotaShare: \"40%\",\n"
    "  clients: [192.0.2.0/24], nodes: {min: 2, max: 9, target: \"70%\", coolDown: 1m}}\n",

    GW
    "kind: Listener\nmetadata: {name: http}\nspec:\n  bind: \"[::1]:8080\"\n  mode: http\n"
    "  protocols: [http/1.1]\n  regions: [eu]\n  policies: [p]\n  proxyProtocol: any\n"
    "  trustedProxies: [127.0.0.0/8]\n  forwarded: none\n  drain: 5s\n"
    "  limits: {headerBytes: 16KiB, headerCount: 50, targetBytes: 4KiB, bodyBytes: 0B,\n"
    "    headerTimeout: 5s, idle: 30s, bodyRate: 2KiB, writeStall: 10s, connections: 5,\n"
    "    addressConnections: 6, addressHandshakes: 7/1s}\n"
    "  http2: {streams: 10, streamWindow: 128KiB, connectionWindow: 2MiB, resets: 1/1s,\n"
    "    controlFrames: 2/1s}\n",

    GW
    "kind: Service\nmetadata: {name: cart, labels: {team: shop, tier: a},\n"
    "  annotations: {note: \"price is $${x}\"}}\nspec:\n  protocol: auto\n  endpoints:\n"
    "    - {name: a, address: \"10.0.0.1:80\", region: eu, zone: b, weight: 0, labels: {k: "
    "v}}\n"
    "    - {name: b, address: \"[::1]:81\"}\n"
    "  dns: [{name: x.example, port: 80, type: a-aaaa, region: eu, minTtl: 1s, maxTtl: 2s, "
    "weight: 3}]\n"
    "  balance: hash\n  ewmaDecay: 5s\n  hash: {by: cookie, name: sid, boundedLoad: "
    "\"150%\"}\n"
    "  sticky: {cookie: c, ttl: 2h, secure: false}\n  slowStart: {for: 0s, from: \"5%\"}\n"
    "  locality: strict\n  failover: [us]\n"
    "  health: {type: http, path: /h, host: h.example, method: HEAD, port: 8081,\n"
    "    expect: [200, 3xx], interval: 1s, timeout: 100ms, fall: 2, rise: 1, probers: 2}\n"
    "  breaker: {enabled: false, scope: node, window: 5s, minRequests: 10, failureRatio: "
    "\"30%\",\n"
    "    consecutive: 4, failures: [reset, 5xx], open: {base: 1s, max: 2s, jitter: "
    "\"10%\", decay: 30s},\n"
    "    probes: 2, ramp: {steps: [\"50%\", \"100%\"], stepTime: 1s, minRequests: 5, "
    "extend: 1}}\n"
    "  outlier: {enabled: false, maxEjected: \"10%\"}\n  panic: {below: \"10%\", mode: "
    "none}\n"
    "  retryBudget: {ratio: \"10%\", floor: 1}\n"
    "  concurrency: {mode: fixed, min: 1, max: 2, window: 100}\n"
    "  bulkhead: {inFlight: 3, queue: 2, wait: 1s}\n"
    "  pool: {connections: 1, idle: 5s, requests: 100, endpointInFlight: 2}\n"
    "  connectTimeout: 500ms\n  drain: 1s\n  proxyProtocol: v2\n"
    "  tls: {sni: s.example, verify: chain, ca: {inline: \"PEM $${y}\"}, minVersion: "
    "1.3}\n",

    GW "kind: Policy\nmetadata: {name: p}\nspec:\n  timeout: 0s\n  idle: 10s\n  "
       "importance: high\n"
       "  retry: {max: 5, when: [timeout, grpc-unavailable, 503, 4xx], perTry: 100ms, "
       "methods: [GET],\n"
       "    backoff: 1ms, backoffMax: 2ms, retryAfter: false, buffer: 1MiB}\n"
       "  hedge: {after: 50ms, max: 2, budget: \"1%\"}\n"
       "  headers: {request: {set: {X-Region: \"${region} $${literal}\"}, add: {x-b: "
       "\"1\"}, remove: [X-C]},\n"
       "    response: {set: {x-d: \"${header.x-e}\"}}}\n"
       "  bodyBytes: 1KiB\n"
       "  cors: {origins: [\"https://a.example\"], methods: [PUT], headers: [x-a], expose: "
       "[x-b],\n"
       "    credentials: true, maxAge: 1m}\n"
       "  compress: {algorithms: [gzip], types: [text/html], minBytes: 0B, level: 9}\n"
       "  auth: {require: all, optional: true, apiKey: {header: x-k, query: k, forward: "
       "true},\n"
       "    basic: {realm: r}, clientCert: {consumer: san-uri},\n"
       "    forward: {service: s, path: /a, timeout: 1s, onError: allow, send: [a], take: "
       "[b], cache: 1s}}\n"
       "  authorize: {default: allow, mode: dry-run, rules: [{effect: deny, methods: "
       "[POST], paths: [/x],\n"
       "    groups: [g], scopes: [s], claims: {c: d}, sources: [10.0.0.0/8]}]}\n"
       "  rateLimit: {rate: 20/1m, burst: 5, key: header, header: X-K, scope: node, "
       "strict: true,\n"
       "    mode: dry-run, cost: 2, ipv6Prefix: 56}\n"
       "  inFlight: {max: 3, key: route}\n"
       "  ban: {after: 5, status: [429, 4xx], window: 2m, for: 20m, local: 1s, ipv6Prefix: "
       "48}\n"
       "  addresses: {allow: [10.0.0.0/8], deny: [10.1.0.0/16], denyList: {inline: "
       "\"192.0.2.1\"}}\n"
       "  trace: {sample: \"1%\"}\n  accessLog: {sample: \"2%\"}\n",

    GW "kind: Route\nmetadata: {name: r}\nspec:\n"
       "  match: {hosts: [Shop.Example, \"*.shop.example\"], path: {regex: \"^/v[12]/\"}, "
       "methods: [GET],\n"
       "    headers: [{name: X-A, prefix: p}, {name: x-b, present: false}], query: [{name: "
       "q, exact: \"1\"}],\n"
       "    listeners: [http]}\n"
       "  priority: -5\n"
       "  split: [{service: a, weight: 1}, {service: b, weight: 0, when: {cookie: c, "
       "exact: \"1\"}}]\n"
       "  splitBy: cookie\n"
       "  rewrite: {host: \"${service}.internal\", regex: \"^/(.*)\", path: "
       "\"/x/${capture.1}\"}\n"
       "  mirror: {service: m, share: \"5%\"}\n"
       "  fallback: {respond: {status: 503, headers: {x-a: b}, body: {inline: sorry}}}\n"
       "  maintenance: {enabled: true, retryAfter: 5s, allow: [127.0.0.1]}\n"
       "  upgrades: [websocket, x]\n  bulkhead: {inFlight: 1, queue: 2, wait: 3s}\n  "
       "policies: [p]\n"
       "  timeout: 800ms\n  retry: {max: 0}\n  importance: batch\n",

    GW "kind: Route\nmetadata: {name: r2}\nspec:\n  match: {path: {exact: /a}}\n"
       "  respond: {status: 404, headers: {X-A: \"${path}\"}, body: {inline: \"{}\"}}\n",

    GW "kind: Route\nmetadata: {name: r3}\nspec:\n"
       "  redirect: {status: 301, scheme: https, host: x.example, port: 8443, path: "
       "\"/n${path}\"}\n",
};

static void check_round_trip(const char *text)
{
    struct problems problems;
    problems_init(&problems);
    struct resource *first = decode_text(text, &problems);
    if (first == NULL)
        print_problems(&problems);
    assert_non_null(first);
    resource_stamp(first, NULL, 1234567890123, SLICE("tester"));

    struct buffer packed, json;
    struct error err;
    buffer_init(&packed, 0);
    resource_pack(&packed, first);
    struct resource *second =
        resource_unpack(first->key, buffer_slice(&packed), 3, 7, &err);
    if (second == NULL)
        fprintf(stderr, "%s\n", err.text);
    assert_non_null(second);
    assert_true(resource_equal(first, second));
    assert_int_equal(second->mod_revision, 7);
    assert_int_equal(second->created_ms, 1234567890123);
    assert_true(slice_equal(second->updated_by, SLICE("tester")));

    struct emit emit;
    struct arena arena;
    arena_init(&arena, 0, 0);
    buffer_init(&json, 0);
    emit_init(&emit, &json, true);
    resource_emit(&emit, second, RESOURCE_GET);
    struct value *tree = json_read(&arena, buffer_slice(&json), &err);
    assert_non_null(tree);
    struct resource *third = resource_decode(tree, SLICE(""), 0, &problems);
    if (third == NULL)
        print_problems(&problems);
    assert_non_null(third);
    assert_true(resource_equal(second, third));

    /* and as YAML, of which JSON is a part */
    struct value *roots = yaml_read(&arena, SLICE(""), buffer_slice(&json), &problems);
    assert_non_null(roots);
    struct resource *fourth = resource_decode(roots->first, SLICE(""), 0, &problems);
    assert_non_null(fourth);
    assert_true(resource_equal(third, fourth));

    resource_unref(first);
    resource_unref(second);
    resource_unref(third);
    resource_unref(fourth);
    arena_deinit(&arena);
    buffer_deinit(&packed);
    buffer_deinit(&json);
    problems_deinit(&problems);
}

static void every_kind_with_every_field_comes_back_as_it_went(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        check_round_trip(whole[i]);
}

/* Fields of a table that a struct leaves unset, with what lies in its sections. */
static void collect_unset(const struct schema *schema, const void *object,
                          struct buffer *out)
{
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        const char *slot = (const char *)object + field->offset;
        if (field->type == FIELD_RESERVED || field->type == FIELD_INLINE)
            continue;
        if (!field_is_set(object, field->number))
            buffer_printf(out, " %s.%s", schema->name, field->name);
        else if (field->shape == FIELD_ONE && field->type == FIELD_STRUCT)
            collect_unset(field->schema, slot, out);
        else if (field->shape == FIELD_ONE && field->type == FIELD_SECTION)
            collect_unset(field->schema, *(const void *const *)(const void *)slot, out);
    }
}

static void the_round_trip_leaves_out_only_what_excludes_something_else(void **state)
{
    (void)state;
    /* tcp's service; references to kinds that come later; one of several. */
    static const char *const expected[] = {
        [KIND_CLUSTER] = "",
        [KIND_REGION] = "",
        [KIND_LISTENER] = " Listener.service Listener.tls",
        [KIND_SERVICE] = " tls.clientCertificate",
        [KIND_POLICY] = " response.add response.remove auth.jwt inFlight.header",
        [KIND_ROUTE] = " path.exact path.prefix Route.service Route.redirect Route.respond "
                       "rewrite.prefix fallback.service",
    };
    for (size_t i = 0; i < 6; i++) {
        struct problems problems;
        struct buffer out;
        problems_init(&problems);
        buffer_init(&out, 0);
        struct resource *resource = decode_text(whole[i], &problems);
        collect_unset(kind_schema(resource->kind), resource->spec, &out);
        buffer_append_byte(&out, '\0');
        char text[4096] = "";
        /* Cluster.defaults.service is Service once more: not looked at here. */
        if (resource->kind != KIND_CLUSTER) {
            snprintf(text, sizeof text, "%s", out.data);
            assert_string_equal(text[0] == ' ' || text[0] == '\0' ? text : "",
                                expected[resource->kind]);
        }
        resource_unref(resource);
        buffer_deinit(&out);
        problems_deinit(&problems);
    }
}

static void defaults_are_there_without_being_set(void **state)
{
    (void)state;
    struct problems problems;
    problems_init(&problems);
    struct resource *resource = decode_text(
        GW "kind: Listener\nmetadata: {name: http}\nspec: {bind: \":80\"}\n", &problems);
    const struct listener_spec *listener = resource->listener;
    assert_int_equal(listener->limits.header_bytes, 32 << 10);
    assert_int_equal(listener->protocols.count, 2);
    assert_int_equal(listener->protocols.items[1], LISTENER_HTTP_1_1);
    assert_false(field_is_set(listener, 3));
    assert_null(listener->tls);
    resource_unref(resource);

    resource =
        decode_text(GW "kind: Policy\nmetadata: {name: p}\nspec: {retry: {}}\n", &problems);
    assert_int_equal(resource->policy->retry->methods.count, 6);
    assert_true(resource->policy->timeout_ms == GW_ABSENT);
    assert_true(resource->policy->retry->per_try_ms == GW_ABSENT);
    assert_int_equal(resource->policy->importance, -1);
    resource_unref(resource);
    problems_deinit(&problems);
}

/* Expects exactly one error, of this code, at this place, holding `part`. */
static void check_error(const char *text, uint32_t line, uint32_t column, const char *code,
                        const char *part, const char *hint)
{
    struct problems problems;
    problems_init(&problems);
    struct resource *resource = decode_text(text, &problems);
    if (resource != NULL)
        fprintf(stderr, "decoded: %s", text);
    assert_null(resource);
    if (problems.errors != 1 || !has_problem(&problems, code, part))
        print_problems(&problems);
    assert_int_equal(problems.errors, 1);
    assert_true(has_problem(&problems, code, part));
    for (size_t i = 0; i < problems.count; i++) {
        const struct problem *problem = &problems.items[i];
        if (problem->is_warning)
            continue;
        assert_int_equal(problem->line, line);
        assert_int_equal(problem->column, column);
        if (hint != NULL)
            assert_true(slice_equal(problem->hint, slice_from_string(hint)));
    }
    problems_deinit(&problems);
}

#define ROUTE GW "kind: Route\nmetadata: {name: x}\nspec:\n  service: s\n"

static void errors_stand_where_they_are_and_suggest(void **state)
{
    (void)state;
    check_error(ROUTE "  timeot: 800ms\n", 6, 3, "unknown_field",
                "unknown field 'timeot' in Route/x spec", "did you mean 'timeout'?");
    check_error(ROUTE "  match: {pathh: {exact: /}}\n", 6, 11, "unknown_field",
                "in Route/x spec.match", "did you mean 'path'?");
    check_error(ROUTE "  timeout: 800\n", 6, 12, "bad_value",
                "Route/x spec.timeout: '800' is not a duration", NULL);
    check_error(ROUTE "  retry: {max: 6}\n", 6, 16, "out_of_bounds", "within 0 to 5", NULL);
    check_error(ROUTE "  importance: hihg\n", 6, 15, "bad_value", "'hihg' is none of",
                "did you mean 'high'?");
    check_error(ROUTE "  match: {path: {regex: \"(\"}}\n", 6, 25, "bad_regex", "offset",
                NULL);
    check_error(ROUTE "  match: {path: {exact: /a, prefix: /b}}\n", 6, 11, "one_of", "",
                NULL);
    check_error(ROUTE "  headers: {request: {set: {x-a: \"${regoin}\"}}}\n", 6, 34,
                "unknown_variable", "regoin", "did you mean 'region'?");
    check_error(ROUTE "  headers: {request: {set: {\"x a\": b}}}\n", 6, 29, "bad_value",
                "header name", NULL);
    check_error(ROUTE "  headers: {request: {set: {Host: b}}}\n", 6, 29, "reserved_header",
                "header 'host'", NULL);
    check_error(ROUTE "  headers: {response: {remove: [Transfer-Encoding]}}\n", 6, 33,
                "bad_value", "the gateway's own", NULL);
    check_error(ROUTE "  rewrite: {path: \"/a b\"}\n", 6, 19, "bad_value",
                "may stand in a URL", NULL);
    check_error(ROUTE "  rewrite: {prefix: \"/a?b\"}\n", 6, 21, "bad_value", "", NULL);
    check_error(ROUTE "  policies: p\n", 6, 13, "bad_type", "must be a list", NULL);
    check_error(ROUTE "  auth: {oidc: {}}\n", 6, 10, "reserved", "reserved", NULL);
    check_error(ROUTE "  anomaly: {}\n", 6, 3, "reserved", "reserved", NULL);
    check_error(ROUTE "  compress: {algorithms: [zstd]}\n", 6, 27, "reserved", "zstd",
                NULL);
    check_error(ROUTE "  redirect: {}\n", 5, 3, "one_of", "not 2", NULL);
    check_error(ROUTE "  auth: {jwt: {jwks: k}}\n", 6, 22, "unsupported_kind",
                "kind Jwks is not supported yet", NULL);
    check_error(GW "kind: Route\nmetadata: {name: X}\nspec: {service: s}\n", 3, 18,
                "bad_value", "'X' is not a name", NULL);
    check_error(GW "kind: Listener\nmetadata: {name: x}\nspec: {}\n", 4, 1, "required",
                "bind is required", NULL);
    check_error(
        GW "kind: Listener\nmetadata: {name: x}\nspec: {bind: \":80\", protocols: [h3]}\n",
        4, 33, "reserved", "h3", NULL);
    check_error(GW "kind: Listener\nmetadata: {name: x}\n"
                   "spec: {bind: \":80\", tls: {certificates: [c]}}\n",
                4, 42, "unsupported_kind", "Certificate", NULL);
    check_error(GW "kind: Certificate\nmetadata: {name: x}\nspec: {}\n", 2, 7,
                "unsupported_kind", "kind Certificate is not supported yet", NULL);
    check_error(GW "kind: Rout\nmetadata: {name: x}\nspec: {}\n", 2, 7, "unknown_kind",
                "unknown kind 'Rout'", "did you mean 'Route'?");
    check_error("kind: Region\nmetadata: {name: x}\n", 1, 1, "required", "apiVersion",
                NULL);
    check_error(GW "kind: Region\nmetadata: {name: x}\nspce: {}\n", 4, 1, "unknown_field",
                "spce", "did you mean 'spec'?");
    check_error(GW "kind: Service\nmetadata: {name: x}\nspec:\n  endpoints:\n"
                   "    - {name: a, address: b, weight: 1}\n",
                6, 26, "bad_value", "Service/x endpoint a: address: 'b' is not host:port",
                NULL);
    check_error(
        GW "kind: Service\nmetadata: {name: x}\nspec:\n  tls: {ca: {file: a, inline: b}}\n",
        5, 13, "bad_content", "exactly one of", NULL);
}

static void all_errors_come_at_once(void **state)
{
    (void)state;
    struct problems problems;
    problems_init(&problems);
    assert_null(decode_text(
        GW "kind: Service\nmetadata: {name: X, labls: {}}\nspec:\n"
           "  balanse: hash\n  drain: 5\n  connectTimeout: 0ms\n"
           "  endpoints: [{name: a}, {address: \"x:1\"}, {name: c, address: 5}]\n",
        &problems));
    assert_int_equal(problems.errors, 8);
    problems_deinit(&problems);
}

static void what_has_no_effect_yet_is_a_warning_once(void **state)
{
    (void)state;
    struct problems problems;
    problems_init(&problems);
    for (int i = 0; i < 1000; i++) {
        struct resource *resource =
            decode_text(GW "kind: Service\nmetadata: {name: x}\nspec:\n  protocol: h2\n  "
                           "drain: 5s\n"
                           "  health: {path: /h}\n  connectTimeout: 1s\n",
                        &problems);
        assert_non_null(resource);
        resource_unref(resource);
    }
    assert_int_equal(problems.errors, 0);
    assert_int_equal(problems.warnings, 3);
    assert_true(
        has_problem(&problems, "no_effect", "Service/x spec.health has no effect yet"));
    assert_true(has_problem(&problems, "no_effect", "'h2' has no effect yet"));
    problems_deinit(&problems);
}

static void problems_print_as_compilers_do(void **state)
{
    (void)state;
    struct source source;
    struct problems problems;
    struct change change;
    struct buffer out;
    source_init(&source);
    problems_init(&problems);
    change_init(&change);
    buffer_init(&out, 0);
    assert_true(source_add(&source, SLICE("gateway.yaml"),
                           SLICE(ROUTE "  timeot: 800ms\n  match: {hosts: [a, \"_/\"]}\n"),
                           &problems));
    assert_false(source_decode(&source, &change, &problems));
    source_print(&source, &problems, &out);
    buffer_append_byte(&out, '\0');
    assert_string_equal(
        out.data,
        "gateway.yaml:6:3: error: unknown field 'timeot' in Route/x spec (did you "
        "mean 'timeout'?)\n"
        "    6 |   timeot: 800ms\n"
        "      |   ^~~~~~\n"
        "gateway.yaml:7:22: error: Route/x spec.match.hosts[1]: '_/' is not a host "
        "name or *.suffix\n"
        "    7 |   match: {hosts: [a, \"_/\"]}\n"
        "      |                      ^~~~\n"
        "2 errors; nothing applied\n");
    buffer_deinit(&out);
    change_deinit(&change);
    problems_deinit(&problems);
    source_deinit(&source);
}

static void unknown_numbers_of_a_newer_version_are_skipped_and_counted(void **state)
{
    (void)state;
    /* {2: 7, 60: [1, {2: "x"}]} as a Region */
    struct slice bytes = SLICE("\x82\x02\x07\x3c\x92\x01\x81\x02\xa1x");
    struct arena arena;
    struct region_spec region;
    struct error err;
    size_t unknown;
    arena_init(&arena, 0, 0);
    assert_int_equal(schema_unpack(&arena, &region_schema, bytes, &region, &unknown, &err),
                     GW_OK);
    assert_int_equal(region.weight, 7);
    assert_int_equal(unknown, 1);
    assert_int_equal(schema_unpack(&arena, &region_schema, slice_sub(bytes, 0, 6), &region,
                                   &unknown, &err),
                     GW_DAMAGED);
    arena_deinit(&arena);
}

static void every_cut_of_a_record_is_refused(void **state)
{
    (void)state;
    struct problems problems;
    struct buffer packed;
    struct error err;
    problems_init(&problems);
    buffer_init(&packed, 0);
    struct resource *resource = decode_text(whole[4], &problems);
    resource_pack(&packed, resource);
    for (size_t i = 0; i < packed.size; i++)
        assert_null(resource_unpack(resource->key, slice_of(packed.data, i), 1, 1, &err));
    resource_unref(resource);
    buffer_deinit(&packed);
    problems_deinit(&problems);
}

static void selectors_choose_by_label(void **state)
{
    (void)state;
    struct problems problems;
    problems_init(&problems);
    struct resource *resource = decode_text(whole[3], &problems);
    assert_true(selector_matches(SLICE("team=shop,tier!=b,!x"), resource));
    assert_true(selector_matches(SLICE("team"), resource));
    assert_false(selector_matches(SLICE("team=apps"), resource));
    assert_false(selector_matches(SLICE("!team"), resource));
    assert_false(selector_is_valid(SLICE("=x")));
    assert_false(selector_is_valid(SLICE("")));
    assert_true(slice_equal(resource->annotations.items[0].value, SLICE("price is ${x}")));
    resource_unref(resource);
    problems_deinit(&problems);
}

static void kinds_are_found_in_any_case_and_number(void **state)
{
    (void)state;
    assert_int_equal(kind_by_name(SLICE("ROUTES")), KIND_ROUTE);
    assert_int_equal(kind_by_name(SLICE("policy")), KIND_POLICY);
    assert_int_equal(kind_by_name(SLICE("Policies")), KIND_POLICY);
    assert_int_equal(kind_by_name(SLICE("rout")), KIND_NONE);
    assert_string_equal(kind_suggest(SLICE("rout")), "Route");
}

static void help_tells_types_defaults_and_what_has_no_effect(void **state)
{
    (void)state;
    struct buffer out;
    struct error err;
    buffer_init(&out, 0);
    assert_int_equal(schema_describe(&listener_schema, SLICE("limits"), &out, &err), GW_OK);
    assert_true(slice_find(buffer_slice(&out), SLICE("headerBytes: size = 32KiB")) !=
                SIZE_MAX);
    assert_true(slice_find(buffer_slice(&out), SLICE("(no effect yet)")) != SIZE_MAX);
    assert_int_equal(schema_describe(&listener_schema, SLICE("limtis"), &out, &err),
                     GW_NOT_FOUND);
    buffer_reset(&out);
    schema_document(&out);
    assert_true(slice_find(buffer_slice(&out), SLICE("## Route")) != SIZE_MAX);
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_with_every_field_comes_back_as_it_went),
        cmocka_unit_test(the_round_trip_leaves_out_only_what_excludes_something_else),
        cmocka_unit_test(defaults_are_there_without_being_set),
        cmocka_unit_test(errors_stand_where_they_are_and_suggest),
        cmocka_unit_test(all_errors_come_at_once),
        cmocka_unit_test(what_has_no_effect_yet_is_a_warning_once),
        cmocka_unit_test(problems_print_as_compilers_do),
        cmocka_unit_test(unknown_numbers_of_a_newer_version_are_skipped_and_counted),
        cmocka_unit_test(every_cut_of_a_record_is_refused),
        cmocka_unit_test(selectors_choose_by_label),
        cmocka_unit_test(kinds_are_found_in_any_case_and_number),
        cmocka_unit_test(help_tells_types_defaults_and_what_has_no_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
