/* From YAML to a snapshot: what it routes, plans, expands, explains; what it
 * holds and gives back; how long 10,000 routes take. */
#include "node/snapshot/snapshot.h"

#include "base/instant.h"
#include "base/rng.h"
#include "http/h1_parse.h"
#include "http/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEAD(kind, name) \
    "---\napiVersion: gw/v1\nkind: " kind "\nmetadata: {name: " name "}\nspec: "

/* The formatter would stack the literals to the right, 500 columns wide. */
/* clang-format off */
static const char world[] =
    HEAD("Region", "eu") "{failover: [us, ap]}\n"
    HEAD("Region", "us") "{failover: [eu, ap]}\n"
    HEAD("Region", "ap") "{failover: [us, eu]}\n"
    HEAD("Listener", "http") "{bind: \":8080\", trustedProxies: [10.0.0.0/8]}\n"
    HEAD("Listener", "inner") "{bind: \"127.0.0.1:8081\", policies: [short], limits: "
    "{bodyBytes: 1KiB}}\n"
    HEAD("Listener", "elsewhere") "{bind: \":8082\", regions: [ap]}\n"
    HEAD("Policy", "short") "{timeout: 1s}\n"
    HEAD("Policy", "careful") "\n"
    "  timeout: 2s\n"
    "  retry: {max: 2, when: [connect-failure, reset, 503], perTry: 500ms}\n"
    "  headers: {response: {set: {x-served-by: \"${node}\"}}}\n"
    HEAD("Service", "hello") "\n"
    "  endpoints:\n"
    "    - {name: h1, address: \"127.0.0.1:9001\", region: eu}\n"
    "    - {name: h2, address: \"127.0.0.1:9002\", region: us, weight: 3}\n"
    "    - {name: h3, address: \"[::1]:9003\", region: ap}\n"
    HEAD("Service", "next") "{endpoints: [{name: n1, address: \"127.0.0.1:9004\", "
    "region: eu}], balance: round-robin, connectTimeout: 300ms}\n"
    HEAD("Route", "hello") "\n"
    "  match: {hosts: [demo.example], path: {prefix: /hello}, methods: [GET, HEAD]}\n"
    "  split:\n"
    "    - {service: hello, weight: 95}\n"
    "    - {service: next, weight: 5, when: {header: x-canary, exact: \"1\"}}\n"
    "  policies: [careful]\n"
    HEAD("Route", "api") "\n"
    "  match: {hosts: [\"*.example\"], path: {prefix: /api}}\n"
    "  service: next\n"
    "  rewrite: {prefix: /v2, host: \"${header.x-tenant}.inner\"}\n"
    HEAD("Route", "inner-api") "\n"
    "  match: {hosts: [a.example], path: {prefix: /api}, listeners: [inner]}\n"
    "  service: hello\n"
    HEAD("Route", "regex") "\n"
    "  match: {path: {regex: \"^/user/([a-z]+)/([0-9]+)$\"}}\n"
    "  service: hello\n"
    "  rewrite: {regex: \"^/user/([a-z]+)/\", path: "
    "\"/u/${capture.1}?from=${region}\"}\n"
    "  headers: {request: {set: {x-user: \"${header.x-trace}-${method}\"}}}\n"
    HEAD("Route", "old") "\n"
    "  match: {path: {exact: /old}}\n"
    "  redirect: {scheme: https, path: \"/new/${host}\"}\n"
    HEAD("Route", "moved") "\n"
    "  match: {path: {prefix: /moved}}\n"
    "  redirect: {status: 302}\n"
    HEAD("Route", "fixed") "\n"
    "  match: {path: {exact: \"/caf%c3%a9\"}}\n"
    "  respond: {status: 418, headers: {x-where: \"${region}/${zone}\"}, body: "
    "{inline: \"short and stout\"}}\n"
    HEAD("Route", "loud") "\n"
    "  match: {path: {prefix: /hello/loud}}\n"
    "  priority: 10\n"
    "  service: next\n"
    "  headers: {request: {set: {x-who: \"${consumer}\"}}}\n";
/* clang-format on */

struct world {
    struct catalog catalog;
    struct board *board;
    struct snapshot *snapshot;
    struct http_header headers[20];
    struct http_message message;
    struct arena arena;
};

static void catalog_read(struct catalog *catalog, struct slice text)
{
    struct problems problems;
    struct arena arena;

    catalog_init(catalog);
    problems_init(&problems);
    arena_init(&arena, 0, 0);
    struct value *documents = yaml_read(&arena, SLICE("test.yaml"), text, &problems);
    assert_non_null(documents);
    for (struct value *root = documents->first; root != NULL; root = root->next) {
        struct resource *resource = resource_decode(root, SLICE("test.yaml"), 0, &problems);
        if (resource == NULL)
            print_error("%.*s\n", SLICE_ARG(problems_first(&problems)));
        assert_non_null(resource);
        assert_true(catalog_put(catalog, resource));
        resource_unref(resource);
    }
    arena_deinit(&arena);
    problems_deinit(&problems);
}

static struct compile_options options_of(struct board *board)
{
    return (struct compile_options){.revision = 7,
                                    .node_name = SLICE("eu-1"),
                                    .node_region = SLICE("eu"),
                                    .node_zone = SLICE("a"),
                                    .board = board};
}

static int world_start(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct error err = ERROR_NONE;

    catalog_read(&w->catalog, slice_from_string(world));
    w->board = board_new();
    struct compile_options options = options_of(w->board);
    if (snapshot_compile(&w->catalog, &options, &w->snapshot, &err) != GW_OK)
        print_error("%s\n", err.text);
    assert_int_equal(err.code, GW_OK);
    arena_init(&w->arena, 0, 0);
    message_init(&w->message, w->headers, 20);
    w->message.method = HTTP_METHOD_GET;
    w->message.method_name = SLICE("GET");
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;

    snapshot_unref(w->snapshot);
    assert_int_equal(board_slot_count(w->board), 0);
    board_free(w->board);
    catalog_deinit(&w->catalog);
    arena_deinit(&w->arena);
    free(w);
    return 0;
}

static struct route_query ask(struct world *w, const char *listener, const char *host,
                              const char *path)
{
    return (struct route_query){
        .listener = snapshot_listener_named(w->snapshot, slice_from_string(listener)),
        .host = slice_from_string(host),
        .path = slice_from_string(path),
        .message = &w->message};
}

static const struct plan *plan_of(struct world *w, const char *listener, const char *host,
                                  const char *path)
{
    struct route_query query = ask(w, listener, host, path);
    uint32_t allowed;
    return snapshot_plan(w->snapshot, &query, &allowed);
}

static void assert_text(struct slice got, const char *wanted)
{
    if (!slice_equal(got, slice_from_string(wanted)))
        print_error("got '%.*s', not '%s'\n", SLICE_ARG(got), wanted);
    assert_true(slice_equal(got, slice_from_string(wanted)));
}

static void calls_find_their_plans(void **state)
{
    struct world *w = *state;
    const struct plan *plan = plan_of(w, "http", "demo.example", "/hello/x");

    assert_text(plan->route, "hello");
    assert_int_equal(plan->revision, 7);
    assert_int_equal(plan->action, PLAN_PROXY);
    assert_int_equal(plan->split_count, 2);
    assert_int_equal(plan->weight_total, 100);
    assert_text(plan->splits[0].service->name, "hello");
    assert_text(plan->splits[1].when_header, "x-canary");
    assert_text(plan->splits[1].when_exact, "1");
    assert_false(plan->splits[1].when_present);
    assert_text(plan_of(w, "http", "demo.example", "/hello/loud/x")->route, "loud");
    assert_text(plan_of(w, "http", "b.example", "/api/x")->route, "api");
    assert_text(plan_of(w, "http", "a.example", "/api/x")->route, "api");
    assert_text(plan_of(w, "inner", "a.example", "/api/x")->route, "inner-api");
    assert_text(plan_of(w, "http", "x", "/caf%C3%A9")->route, "fixed");
    assert_null(plan_of(w, "http", "x", "/nothing"));

    struct route_query query = ask(w, "http", "demo.example", "/hello");
    uint32_t allowed;
    w->message.method = HTTP_METHOD_POST;
    assert_null(snapshot_plan(w->snapshot, &query, &allowed));
    assert_int_equal(allowed, 1u << HTTP_METHOD_GET | 1u << HTTP_METHOD_HEAD);
}

static void policies_are_those_of_route_and_listener(void **state)
{
    struct world *w = *state;
    const struct plan *http = plan_of(w, "http", "demo.example", "/hello");
    const struct plan *inner = plan_of(w, "inner", "demo.example", "/hello");

    assert_int_equal(http->timeout_ms, 2000);
    assert_int_equal(http->retry.max, 2);
    assert_int_equal(http->retry.per_try_ms, 500);
    assert_true(retry_plan_has_status(&http->retry, 503));
    assert_int_equal(http->response_header_count, 1);
    assert_text(http->response_headers[0].name, "x-served-by");
    assert_int_equal(http->body_bytes, 10 << 20);
    assert_int_equal(inner->body_bytes, 1024);
    assert_int_equal(inner->timeout_ms, 2000);
    assert_int_equal(plan_of(w, "http", "b.example", "/api")->timeout_ms, 15000);
    assert_int_equal(plan_of(w, "inner", "b.example", "/api")->timeout_ms, 1000);
    assert_true(http->number != inner->number);
    assert_ptr_equal(snapshot_plan_at(w->snapshot, inner->number), inner);
    assert_null(snapshot_plan_at(w->snapshot, snapshot_plan_count(w->snapshot)));
}

static void services_carry_endpoints_slots_and_localities(void **state)
{
    struct world *w = *state;
    const struct target_service *hello = snapshot_service(w->snapshot, SLICE("hello"));
    struct rng rng;

    assert_int_equal(snapshot_service_count(w->snapshot), 2);
    assert_ptr_equal(snapshot_service_at(w->snapshot, hello->number), hello);
    assert_null(snapshot_service(w->snapshot, SLICE("other")));
    assert_int_equal(hello->endpoint_count, 3);
    assert_text(hello->endpoints[0].key, "hello/127.0.0.1:9001");
    assert_text(hello->endpoints[2].host, "::1");
    assert_int_equal(hello->endpoints[2].port, 9003);
    assert_int_equal(hello->retry_ratio_percent, 20);
    assert_int_equal(hello->retry_floor, 3);
    assert_int_equal(hello->connect_timeout_ms, 1000);
    const struct target_service *next = snapshot_service(w->snapshot, SLICE("next"));
    assert_int_equal(next->connect_timeout_ms, 300);
    assert_int_equal(next->balance, BALANCE_ROUND_ROBIN);

    rng_init(&rng, 1);
    struct balance_call call = {.set = &hello->balance_set, .rng = &rng};
    assert_int_equal(balance_pick(&call), 0); /* eu */
    board_slot_set(hello->endpoints[0].board, BOARD_DOWN);
    assert_int_equal(balance_pick(&call), 1); /* us, by eu's failover list */
    board_slot_set(hello->endpoints[1].board, BOARD_DOWN);
    assert_int_equal(balance_pick(&call), 2);
}

/* The endpoints that are asked one after another as the one before goes down. */
static void assert_order(const struct catalog *catalog, const char *service,
                         const char *wanted)
{
    struct board *board = board_new();
    struct compile_options options = options_of(board);
    struct snapshot *snapshot;
    struct error err = ERROR_NONE;
    struct rng rng;
    char order[16] = "";
    uint32_t index;

    rng_init(&rng, 1);
    assert_int_equal(snapshot_compile(catalog, &options, &snapshot, &err), GW_OK);
    const struct target_service *target =
        snapshot_service(snapshot, slice_from_string(service));
    struct balance_call call = {.set = &target->balance_set, .rng = &rng};
    while ((index = balance_pick(&call)) != BALANCE_NONE) {
        order[strlen(order)] = target->endpoints[index].name.data[0];
        board_slot_set(target->endpoints[index].board, BOARD_DOWN);
    }
    assert_string_equal(order, wanted);
    snapshot_unref(snapshot);
    board_free(board);
}

static void localities_are_zone_region_and_failover_list(void **state)
{
    (void)state;
    struct catalog catalog;
    static const char *const services[][3] = {
        {"prefer", "", "zrua"}, /* eu fails over to us, then ap */
        {"strict", "locality: strict, ", "zr"},
        {"own", "failover: [ap, us], ", "zrau"},
    };
    char text[4096];
    size_t size = (size_t)snprintf(text, sizeof text, "%s",
                                   HEAD("Region", "eu") "{failover: [us, ap]}\n" HEAD(
                                       "Region", "us") "{}\n" HEAD("Region", "ap") "{}\n");
    for (unsigned i = 0; i < 3; i++)
        size += (size_t)snprintf(
            text + size, sizeof text - size,
            "---\napiVersion: gw/v1\nkind: Service\nmetadata: {name: %s}\n"
            "spec: {%sendpoints: [{name: a, address: \"h:1\", region: ap, zone: a},"
            "{name: u, address: \"h:2\", region: us}, {name: r, address: \"h:3\", "
            "region: eu, zone: b}, {name: z, address: \"h:4\", region: eu, zone: a}]}\n",
            services[i][0], services[i][1]);
    catalog_read(&catalog, slice_of(text, size));
    for (unsigned i = 0; i < 3; i++)
        assert_order(&catalog, services[i][0], services[i][2]);
    catalog_deinit(&catalog);
}

static void listeners_are_those_of_this_node(void **state)
{
    struct world *w = *state;
    const struct snapshot_listener *http =
        snapshot_listener_named(w->snapshot, SLICE("http"));

    assert_int_equal(snapshot_listener_count(w->snapshot), 2);
    assert_null(snapshot_listener_named(w->snapshot, SLICE("elsewhere")));
    assert_string_equal(http->bind, ":8080");
    assert_true(cidr_set_has_text(http->trusted_proxies, SLICE("10.1.2.3")));
    assert_true(http->forwarded_x && !http->forwarded_rfc7239);
    assert_int_equal(http->header_bytes, 32 * 1024);

    struct bind_override override = {SLICE("http"), SLICE("127.0.0.1:1")};
    struct compile_options options = options_of(w->board);
    struct snapshot *other;
    struct error err;
    options.overrides = &override;
    options.override_count = 1;
    assert_int_equal(snapshot_compile(&w->catalog, &options, &other, &err), GW_OK);
    assert_string_equal(snapshot_listener_named(other, SLICE("http"))->bind, "127.0.0.1:1");
    snapshot_unref(other);
}

static struct slice expand(struct world *w, const struct plan *plan,
                           const struct route_query *query, const struct template *template)
{
    struct template_vars vars = {.snapshot = w->snapshot,
                                 .plan = plan,
                                 .query = query,
                                 .scheme = SLICE("http"),
                                 .client_ip = SLICE("192.0.2.1")};
    return template_expand(template, &vars, &w->arena);
}

static void templates_are_expanded(void **state)
{
    struct world *w = *state;
    struct route_query query = ask(w, "http", "demo.example", "/hello");
    const struct plan *plan = plan_of(w, "http", "demo.example", "/hello");
    assert_text(expand(w, plan, &query, plan->response_headers[0].value), "eu-1");

    query = ask(w, "http", "x", "/user/ann/12");
    plan = plan_of(w, "http", "x", "/user/ann/12");
    message_add(&w->message, SLICE("X-Trace"), SLICE("t1"));
    assert_text(expand(w, plan, &query, plan->request_headers[0].value), "t1-GET");

    plan = plan_of(w, "http", "x", "/caf%C3%A9");
    assert_int_equal(plan->action, PLAN_RESPOND);
    assert_int_equal(plan->status, 418);
    assert_text(plan->body, "short and stout");
    assert_text(expand(w, plan, &query, plan->respond_headers[0].value), "eu/a");
}

static void redirects_keep_what_they_do_not_change(void **state)
{
    struct world *w = *state;
    struct route_query query = ask(w, "http", "x.example", "/old");
    const struct plan *plan = plan_of(w, "http", "x.example", "/old");

    w->message.host = SLICE("X.example:8080");
    assert_int_equal(plan->action, PLAN_REDIRECT);
    assert_int_equal(plan->status, 308);
    query.query = SLICE("a=1");
    assert_text(expand(w, plan, &query, plan->redirect_location),
                "https://x.example/new/x.example?a=1");
    query = ask(w, "http", "x.example", "/moved/to");
    plan = plan_of(w, "http", "x.example", "/moved/to");
    assert_int_equal(plan->status, 302);
    assert_text(expand(w, plan, &query, plan->redirect_location),
                "http://x.example:8080/moved/to");
    w->message.host = SLICE("[::1]");
    query.host = SLICE("[::1]");
    assert_text(expand(w, plan, &query, plan->redirect_location), "http://[::1]/moved/to");
}

static void targets_are_rewritten(void **state)
{
    struct world *w = *state;
    const struct plan *plan = plan_of(w, "http", "b.example", "/api/x");
    struct route_query query = ask(w, "http", "b.example", "/api/x");
    struct template_vars vars = {.snapshot = w->snapshot, .plan = plan, .query = &query};
    struct slice none = {NULL, 0};
    struct arena *arena = &w->arena;

    assert_text(plan_rewrite_target(plan, SLICE("/api/x"), none, &vars, arena), "/v2/x");
    assert_text(plan_rewrite_target(plan, SLICE("/api"), SLICE("q"), &vars, arena),
                "/v2?q");
    assert_text(plan_rewrite_target(plan, SLICE("/api/"), SLICE(""), &vars, arena),
                "/v2/?");
    message_add(&w->message, SLICE("x-tenant"), SLICE("acme"));
    assert_text(template_expand(plan->rewrite_host, &vars, arena), "acme.inner");

    plan = plan_of(w, "http", "x", "/user/ann/12");
    vars.plan = plan;
    assert_text(plan_rewrite_target(plan, SLICE("/user/ann/12"), SLICE("b"), &vars, arena),
                "/u/ann?from=eu&b");
    assert_text(vars.captures[1], "ann");

    /* Nothing to rewrite: the bytes themselves. */
    static const char target[] = "/hello/x?a=1";
    plan = plan_of(w, "http", "demo.example", "/hello/x");
    struct slice same = plan_rewrite_target(plan, slice_of(target, 8),
                                            slice_of(target + 9, 3), &vars, arena);
    assert_ptr_equal(same.data, target);
    assert_int_equal(same.size, 12);
}

static const char *why_of(const struct explain_route *explained, const char *route)
{
    for (unsigned i = 0; i < explained->skipped_count; i++)
        if (slice_equal(explained->skipped[i].route, slice_from_string(route)))
            return explained->skipped[i].why;
    return "not told";
}

static void explain_tells_why_not(void **state)
{
    struct world *w = *state;
    struct route_query query = ask(w, "http", "a.example", "/api/x");
    struct explain_route *explained = calloc(1, sizeof *explained);

    snapshot_explain(w->snapshot, &query, explained);
    assert_text(explained->plan->route, "api");
    assert_string_equal(why_of(explained, "inner-api"), "not on listener http");
    assert_string_equal(why_of(explained, "old"), "path is not /old");
    assert_string_equal(why_of(explained, "hello"), "not told");

    query = ask(w, "http", "demo.example", "/hello/loud");
    w->message.method = HTTP_METHOD_POST;
    w->message.method_name = SLICE("POST");
    snapshot_explain(w->snapshot, &query, explained);
    assert_text(explained->plan->route, "loud");
    assert_string_equal(why_of(explained, "hello"), "method POST is not among its methods");
    w->message.method = HTTP_METHOD_GET;
    snapshot_explain(w->snapshot, &query, explained);
    assert_string_equal(why_of(explained, "hello"), "outranked by loud");

    query = ask(w, "http", "else.where", "/hello");
    snapshot_explain(w->snapshot, &query, explained);
    assert_null(explained->plan);
    assert_string_equal(why_of(explained, "hello"),
                        "host else.where is not among its hosts");
    free(explained);
}

static void what_has_no_effect_yet_is_warned_of(void **state)
{
    struct world *w = *state;
    bool told = false;
    for (uint32_t i = 0; i < snapshot_warning_count(w->snapshot); i++)
        told |= slice_equal(snapshot_warning_at(w->snapshot, i),
                            SLICE("Route/loud: variable '${consumer}' has no value yet"));
    assert_true(told);
}

static struct snapshot *unused_one;

static void note_unused(void *context, struct snapshot *snapshot)
{
    ++*(int *)context;
    unused_one = snapshot;
}

static void the_last_reference_gives_everything_back(void **state)
{
    struct world *w = *state;
    struct compile_options options = options_of(w->board);
    struct snapshot *snapshot;
    struct error err;
    int calls = 0;

    size_t before = board_slot_count(w->board);
    options.on_unused = note_unused;
    options.context = &calls;
    assert_int_equal(snapshot_compile(&w->catalog, &options, &snapshot, &err), GW_OK);
    assert_int_equal(board_slot_count(w->board), before); /* the same slots */
    assert_ptr_equal(snapshot_ref(snapshot), snapshot);
    snapshot_unref(snapshot);
    assert_int_equal(calls, 0);
    snapshot_unref(snapshot);
    assert_int_equal(calls, 1);
    snapshot_dispose(unused_one);
    snapshot_unref(NULL);
    snapshot_dispose(NULL);
}

static void assert_catalog_refused(struct catalog *catalog, const char *said)
{
    struct board *board = board_new();
    struct compile_options options = options_of(board);
    struct snapshot *snapshot;
    struct error err = ERROR_NONE;

    assert_int_equal(snapshot_compile(catalog, &options, &snapshot, &err), GW_INVALID);
    if (strstr(err.text, said) == NULL)
        print_error("%s\n", err.text);
    assert_non_null(strstr(err.text, said));
    assert_int_equal(board_slot_count(board), 0);
    board_free(board);
}

static void assert_refused(const char *text, const char *said)
{
    struct catalog catalog;

    catalog_read(&catalog, slice_from_string(text));
    assert_catalog_refused(&catalog, said);
    catalog_deinit(&catalog);
}

/* A record that this version's decoder would not have let in, as an older one or another
 * node may have stored it: packed with `good` in it, stored with `bad`, of the same length.
 */
static void catalog_put_record(struct catalog *catalog, const char *good, const char *bad)
{
    const struct resource *old = catalog_get(catalog, KIND_ROUTE, SLICE("r"));
    struct buffer value;
    struct error err = ERROR_NONE;

    buffer_init(&value, 0);
    resource_pack(&value, old);
    char *at = memmem(value.data, value.size, good, strlen(good));
    assert_non_null(at);
    memcpy(at, bad, strlen(good));
    struct resource *resource =
        resource_unpack(SLICE("route/r"), buffer_slice(&value), 1, 1, &err);
    assert_non_null(resource);
    assert_true(catalog_put(catalog, resource));
    resource_unref(resource);
    buffer_deinit(&value);
}

static void what_cannot_be_compiled_names_the_object(void **state)
{
    (void)state;
    static const char service[] =
        HEAD("Service", "s") "{endpoints: [{name: a, address: \"127.0.0.1:1\"}]}\n";
    struct catalog catalog;
    char text[1024];

    assert_refused(HEAD("Route", "r") "{service: gone}\n",
                   "compile revision 7: Route/r: service 'gone' is not defined");
    snprintf(text, sizeof text, "%s%s", service,
             HEAD("Route", "r") "{service: s, headers: {response: {remove: [upgrad3]}}}\n");
    catalog_read(&catalog, slice_from_string(text));
    catalog_put_record(&catalog, "upgrad3", "upgrade");
    assert_catalog_refused(&catalog, "Route/r: headers: response: header 'upgrade'");
    catalog_deinit(&catalog);
}

/* --- speed ------------------------------------------------------------------ */

static void catalog_of_routes(struct catalog *catalog, unsigned count)
{
    struct buffer text;

    buffer_init(&text, 0);
    buffer_printf(&text, HEAD("Policy", "careful") "{timeout: 2s, headers: {response: "
                                                   "{set: {x-node: \"${node}\"}}}}\n");
    buffer_printf(&text, HEAD("Listener", "http") "{bind: \":8080\"}\n");
    for (unsigned i = 0; i < 100; i++)
        buffer_printf(&text,
                      "---\napiVersion: gw/v1\nkind: Service\nmetadata: {name: s%u}\n"
                      "spec: {endpoints: [{name: a, address: \"127.0.0.1:%u\"}]}\n",
                      i, 9000 + i);
    for (unsigned i = 0; i < count; i++)
        buffer_printf(&text,
                      "---\napiVersion: gw/v1\nkind: Route\nmetadata: {name: r%05u}\n"
                      "spec: {match: {hosts: [h%u.example], path: {prefix: /p%u/api}, "
                      "methods: [GET, POST]}, service: s%u, policies: [careful]}\n",
                      i, i % 1000, i, i % 100);
    catalog_read(catalog, buffer_slice(&text));
    buffer_deinit(&text);
}

/* As the proxy does it: parse the head, put host and path into form, look up. */
static double routed_ns(const struct snapshot *snapshot, unsigned count)
{
    enum { HEADS = 4096, ROUNDS = 30 };
    struct rng rng;
    struct arena arena;
    struct http_header headers[20];
    struct http_message message;
    const struct h1_limits limits = H1_LIMITS_DEFAULT;
    const struct snapshot_listener *listener = snapshot_listener_at(snapshot, 0);
    struct slice *heads = calloc(HEADS, sizeof *heads);
    double best = 1e9;

    rng_init(&rng, 3);
    arena_init(&arena, 256 * 1024, 0);
    for (unsigned i = 0; i < HEADS; i++) {
        unsigned which = (unsigned)rng_below(&rng, count);
        heads[i] = arena_printf(&arena,
                                "GET /p%u/api/items/42?page=2 HTTP/1.1\r\n"
                                "Host: h%u.example\r\nUser-Agent: test/1.0\r\n"
                                "Accept: application/json\r\n\r\n",
                                which, which % 1000);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t before = instant_monotonic_us();
        for (unsigned i = 0; i < HEADS; i++) {
            char path[128], host[128];
            struct h1_parse parse;
            struct uri_host name;
            struct route_query query = {.listener = listener, .message = &message};
            uint32_t allowed;
            h1_parse_init(&parse, &message, headers, 20);
            if (h1_parse_request(&parse, &message, heads[i], &limits) != H1_DONE ||
                !uri_path_normalise(message.path, path, &query.path) ||
                !uri_host_split(message.host, &name))
                abort();
            query.host = uri_host_lower(name.host, host);
            query.query = message.query;
            if (snapshot_plan(snapshot, &query, &allowed) == NULL)
                abort();
        }
        double ns = (double)(instant_monotonic_us() - before) * 1000.0 / HEADS;
        if (ns < best)
            best = ns;
    }
    arena_deinit(&arena);
    free(heads);
    return best;
}

static void ten_thousand_routes_compile_quickly(void **state)
{
    (void)state;
    static const unsigned counts[] = {10, 1000, 10000};
    double routed[3];

    for (unsigned i = 0; i < 3; i++) {
        struct board *board = board_new();
        struct compile_options options = options_of(board);
        struct catalog catalog;
        struct snapshot *snapshot;
        struct error err;
        catalog_of_routes(&catalog, counts[i]);
        uint64_t before = instant_monotonic_us();
        assert_int_equal(snapshot_compile(&catalog, &options, &snapshot, &err), GW_OK);
        uint64_t compiled = instant_monotonic_us();
        routed[i] = routed_ns(snapshot, counts[i]);
        uint64_t between = instant_monotonic_us();
        snapshot_unref(snapshot);
        uint64_t after = instant_monotonic_us();
        print_message("%u routes: compiled in %.1f ms, freed in %.1f ms, a request's head "
                      "parsed and routed in %.0f ns (%+.0f %%)\n",
                      counts[i], (double)(compiled - before) / 1000.0,
                      (double)(after - between) / 1000.0, routed[i],
                      100.0 * (routed[i] / routed[0] - 1.0));
        assert_true(compiled - before < 3000000); /* 300 ms, and slack for sanitizers */
        board_free(board);
        catalog_deinit(&catalog);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_start, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_find_their_plans),
        TEST(policies_are_those_of_route_and_listener),
        TEST(services_carry_endpoints_slots_and_localities),
        cmocka_unit_test(localities_are_zone_region_and_failover_list),
        TEST(listeners_are_those_of_this_node),
        TEST(templates_are_expanded),
        TEST(redirects_keep_what_they_do_not_change),
        TEST(targets_are_rewritten),
        TEST(explain_tells_why_not),
        TEST(what_has_no_effect_yet_is_warned_of),
        TEST(the_last_reference_gives_everything_back),
        cmocka_unit_test(what_cannot_be_compiled_names_the_object),
        cmocka_unit_test(ten_thousand_routes_compile_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
