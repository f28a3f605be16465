/* The router: precedence, one rule at a time; then against a linear search over
 * thousands of random sets; then how its speed depends on the number of routes. */
#include "node/snapshot/router.h"

#include "base/instant.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ALL_METHODS (~0u)

/* Sets of at most this many routes for the stories. */
struct scene {
    struct arena arena;
    struct router_route routes[64];
    struct plan plans[64];
    size_t count;
    struct router *router;
    struct snapshot_listener listener;
    struct http_header headers[16];
    struct http_message message;
    uint32_t allowed;
};

static void scene_start(struct scene *scene)
{
    *scene = (struct scene){0};
    arena_init(&scene->arena, 0, 0);
    message_init(&scene->message, scene->headers, 16);
    scene->message.method = HTTP_METHOD_GET;
    scene->message.method_name = SLICE("GET");
}

static void scene_end(struct scene *scene)
{
    for (size_t i = 0; i < scene->count; i++)
        pattern_free((struct pattern *)(uintptr_t)scene->routes[i].pattern);
    arena_deinit(&scene->arena);
}

static struct router_route *add(struct scene *scene, const char *name, const char *host,
                                enum route_path type, const char *path)
{
    struct router_route *route = &scene->routes[scene->count++];
    struct slice *hosts = arena_zalloc(&scene->arena, sizeof *hosts);
    struct plan *plan = &scene->plans[route - scene->routes];
    *hosts = slice_from_string(host);
    plan->route = slice_from_string(name);
    *route = (struct router_route){.name = slice_from_string(name),
                                   .hosts = hosts,
                                   .host_count = host == NULL ? 0 : 1,
                                   .path_type = type,
                                   .path = slice_from_string(path),
                                   .methods = ALL_METHODS,
                                   .plans = plan};
    if (type == ROUTE_PATH_REGEX) {
        struct pattern *pattern = NULL;
        struct error err;
        assert_int_equal(pattern_new(route->path, &pattern, &err), GW_OK);
        route->pattern = pattern;
    }
    return route;
}

static void build(struct scene *scene)
{
    scene->router = router_build(&scene->arena, scene->routes, scene->count);
    assert_non_null(scene->router);
}

static struct route_query query_of(struct scene *scene, const char *host, const char *path)
{
    return (struct route_query){.listener = &scene->listener,
                                .host = slice_from_string(host),
                                .path = slice_from_string(path),
                                .message = &scene->message};
}

static void assert_route(struct scene *scene, const char *host, const char *path,
                         const char *name)
{
    struct route_query query = query_of(scene, host, path);
    const struct plan *found = router_find(scene->router, &query, &scene->allowed);
    if (name == NULL) {
        if (found != NULL)
            print_error("%s%s: got %.*s\n", host, path, SLICE_ARG(found->route));
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_string_equal(found->route.data, name);
}

static void a_prefix_ends_at_segment_borders(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene);
    add(&scene, "a", NULL, ROUTE_PATH_PREFIX, "/a");
    add(&scene, "slash", NULL, ROUTE_PATH_PREFIX, "/b/");
    build(&scene);

    assert_route(&scene, "x", "/a", "a");
    assert_route(&scene, "x", "/a/", "a");
    assert_route(&scene, "x", "/a/b", "a");
    assert_route(&scene, "x", "/ab", NULL);
    assert_route(&scene, "x", "/", NULL);
    assert_route(&scene, "x", "/b", NULL);
    assert_route(&scene, "x", "/b/", "slash");
    assert_route(&scene, "x", "/b/c", "slash");
    scene_end(&scene);
}

static void exact_then_longest_prefix_then_regex(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene);
    add(&scene, "root", NULL, ROUTE_PATH_PREFIX, "/");
    add(&scene, "api", NULL, ROUTE_PATH_PREFIX, "/api");
    add(&scene, "v1", NULL, ROUTE_PATH_PREFIX, "/api/v1");
    add(&scene, "exact", NULL, ROUTE_PATH_EXACT, "/api/v1");
    add(&scene, "regex", NULL, ROUTE_PATH_REGEX, "^/api/v[0-9]$");
    build(&scene);

    assert_route(&scene, "x", "/api/v1", "exact");
    assert_route(&scene, "x", "/api/v1/x", "v1");
    assert_route(&scene, "x", "/api/v12", "api");
    assert_route(&scene, "x", "/api/v2", "api");
    assert_route(&scene, "x", "/other", "root");
    scene_end(&scene);
}

static void exact_hosts_then_longest_wildcards_then_any(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene);
    add(&scene, "any", NULL, ROUTE_PATH_EXACT, "/deep/path");
    add(&scene, "wide", "*.example", ROUTE_PATH_PREFIX, "/");
    add(&scene, "narrow", "*.b.example", ROUTE_PATH_PREFIX, "/");
    add(&scene, "host", "a.b.example", ROUTE_PATH_PREFIX, "/");
    build(&scene);

    assert_route(&scene, "a.b.example", "/deep/path", "host");
    assert_route(&scene, "c.b.example", "/deep/path", "narrow");
    assert_route(&scene, "x.c.b.example", "/", "narrow");
    assert_route(&scene, "b.example", "/deep/path", "wide");
    assert_route(&scene, "example", "/deep/path", "any");
    assert_route(&scene, "example", "/", NULL);
    assert_route(&scene, "", "/deep/path", "any");
    scene_end(&scene);
}

static void priority_outranks_host_and_path(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene);
    add(&scene, "host", "a.example", ROUTE_PATH_EXACT, "/x/y");
    add(&scene, "wild", "*.example", ROUTE_PATH_PREFIX, "/x")->priority = 5;
    add(&scene, "any", NULL, ROUTE_PATH_REGEX, "^/x/y$")->priority = 10;
    add(&scene, "low", "a.example", ROUTE_PATH_EXACT, "/x/z")->priority = -1;
    add(&scene, "prefix", "a.example", ROUTE_PATH_PREFIX, "/")->priority = 0;
    build(&scene);

    assert_route(&scene, "a.example", "/x/y", "any");
    assert_route(&scene, "a.example", "/x/q", "wild");
    assert_route(&scene, "a.example", "/q", "prefix");
    assert_route(&scene, "a.example", "/x/z", "wild");
    scene_end(&scene);
}

static void methods_decide_and_the_others_are_told(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene);
    struct router_route *get = add(&scene, "get", "a", ROUTE_PATH_EXACT, "/x");
    get->methods = 1u << HTTP_METHOD_GET;
    get->has_methods = true;
    struct router_route *put = add(&scene, "put", NULL, ROUTE_PATH_PREFIX, "/x");
    put->methods = 1u << HTTP_METHOD_PUT;
    put->has_methods = true;
    static const struct slice purge = {"PURGE", 5};
    struct router_route *other = add(&scene, "purge", "a", ROUTE_PATH_EXACT, "/p");
    other->methods = 1u << HTTP_METHOD_OTHER;
    other->has_methods = other->is_conditional = true;
    other->other_methods = &purge;
    other->other_method_count = 1;
    build(&scene);

    assert_route(&scene, "a", "/x", "get");
    assert_int_equal(scene.allowed, 0);
    scene.message.method = HTTP_METHOD_PUT;
    assert_route(&scene, "a", "/x", "put");
    scene.message.method = HTTP_METHOD_POST;
    assert_route(&scene, "a", "/x", NULL);
    assert_int_equal(scene.allowed, 1u << HTTP_METHOD_GET | 1u << HTTP_METHOD_PUT);
    assert_route(&scene, "a", "/nothing", NULL);
    assert_int_equal(scene.allowed, 0);
    scene.message.method = HTTP_METHOD_OTHER;
    scene.message.method_name = SLICE("PURGE");
    assert_route(&scene, "a", "/p", "purge");
    scene.message.method_name = SLICE("BREW");
    assert_route(&scene, "a", "/p", NULL);
    scene_end(&scene);
}

static void more_header_and_query_matches_win(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene);
    const struct condition canary = {CONDITION_EXACT, HTTP_HEADER_OTHER, SLICE("x-canary"),
                                     SLICE("1"), NULL};
    const struct condition both[] = {canary,
                                     {CONDITION_PREFIX, HTTP_HEADER_USER_AGENT,
                                      SLICE("user-agent"), SLICE("curl/"), NULL}};
    const struct condition absent = {CONDITION_ABSENT, HTTP_HEADER_OTHER, SLICE("x-no"),
                                     SLICE(""), NULL};
    const struct condition page = {CONDITION_EXACT, 0, SLICE("a b"), SLICE("1&2"), NULL};

    add(&scene, "plain", NULL, ROUTE_PATH_PREFIX, "/");
    struct router_route *one = add(&scene, "one", NULL, ROUTE_PATH_PREFIX, "/");
    one->conditions = (struct conditions_of_route){.headers = &canary, .header_count = 1};
    struct router_route *two = add(&scene, "two", NULL, ROUTE_PATH_PREFIX, "/");
    two->conditions = (struct conditions_of_route){.headers = both, .header_count = 2};
    struct router_route *query = add(&scene, "query", NULL, ROUTE_PATH_PREFIX, "/q");
    query->conditions = (struct conditions_of_route){
        .query = &page, .query_count = 1, .headers = &absent, .header_count = 1};
    one->is_conditional = two->is_conditional = query->is_conditional = true;
    build(&scene);

    assert_route(&scene, "x", "/", "plain");
    message_add(&scene.message, SLICE("X-Canary"), SLICE("0"));
    assert_route(&scene, "x", "/", "plain");
    message_add(&scene.message, SLICE("x-CANARY"), SLICE("1"));
    assert_route(&scene, "x", "/", "one");
    message_add(&scene.message, SLICE("User-Agent"), SLICE("curl/8"));
    assert_route(&scene, "x", "/", "two");

    struct route_query call = query_of(&scene, "x", "/q");
    call.query = SLICE("z=1&a+b=1%262");
    assert_string_equal(router_find(scene.router, &call, &scene.allowed)->route.data,
                        "query");
    call.query = SLICE("a%20b=1%26");
    assert_string_equal(router_find(scene.router, &call, &scene.allowed)->route.data,
                        "two");
    message_add(&scene.message, SLICE("x-no"), SLICE(""));
    call.query = SLICE("a%20b=1%262");
    assert_string_equal(router_find(scene.router, &call, &scene.allowed)->route.data,
                        "two");
    scene_end(&scene);
}

static void a_listener_keeps_its_routes_to_itself(void **state)
{
    (void)state;
    struct scene scene;
    scene_start(&scene);
    static const uint64_t second = UINT64_C(1) << 1;
    add(&scene, "all", NULL, ROUTE_PATH_PREFIX, "/");
    struct router_route *own = add(&scene, "own", NULL, ROUTE_PATH_PREFIX, "/own");
    own->conditions =
        (struct conditions_of_route){.listeners = &second, .listener_words = 1};
    own->is_conditional = true;
    build(&scene);

    assert_route(&scene, "x", "/own", "all");
    scene.listener.number = 1;
    assert_route(&scene, "x", "/own", "own");
    scene.listener.number = 64;
    assert_route(&scene, "x", "/own", "all");
    scene_end(&scene);
}

static void a_runaway_regex_is_stopped(void **state)
{
    (void)state;
    struct pattern *pattern = NULL;
    struct error err;
    char subject[64];

    assert_int_equal(pattern_new(SLICE("^(a+)+$"), &pattern, &err), GW_OK);
    memset(subject, 'a', sizeof subject);
    subject[sizeof subject - 1] = '!';
    uint64_t before = instant_monotonic_ms();
    assert_false(pattern_matches(pattern, slice_of(subject, sizeof subject)));
    assert_true(instant_monotonic_ms() - before < 2000);
    assert_true(pattern_matches(pattern, SLICE("aaa")));
    pattern_free(pattern);
    assert_int_equal(pattern_new(SLICE("a("), &pattern, &err), GW_INVALID);
    assert_int_equal(pattern_new(SLICE("\\C"), &pattern, &err), GW_INVALID);
}

static void thousands_of_nested_prefixes_are_no_trouble(void **state)
{
    (void)state;
    enum { DEPTH = 4000 };
    struct arena arena;
    struct http_header headers[2];
    struct http_message message;
    uint32_t allowed;
    struct router_route *routes = calloc(DEPTH, sizeof *routes);
    struct plan *plans = calloc(DEPTH, sizeof *plans);
    char *path = calloc(1, 2 * DEPTH + 1);

    arena_init(&arena, 0, 0);
    message_init(&message, headers, 2);
    message.method = HTTP_METHOD_PUT;
    for (size_t i = 0; i < DEPTH; i++) {
        memcpy(path + 2 * i, "/a", 2);
        routes[i] =
            (struct router_route){.name = arena_printf(&arena, "r%04zu", i),
                                  .path_type = ROUTE_PATH_PREFIX,
                                  .path = slice_of(path, 2 * (i + 1)),
                                  .has_methods = i > 0,
                                  .methods = i > 0 ? 1u << HTTP_METHOD_GET : ALL_METHODS,
                                  .plans = &plans[i]};
    }
    struct router *router = router_build(&arena, routes, DEPTH);
    struct route_query query = {.path = slice_of(path, 2 * DEPTH), .message = &message};
    assert_ptr_equal(router_find(router, &query, &allowed), &plans[0]);
    message.method = HTTP_METHOD_GET;
    assert_ptr_equal(router_find(router, &query, &allowed), &plans[DEPTH - 1]);
    arena_deinit(&arena);
    free(path);
    free(plans);
    free(routes);
}

/* --- against a linear search ---------------------------------------------- */

enum { RANDOM_ROUTES = 40 };

static const char *const host_pool[] = {"a.x",   "b.x", "a.b.x", "*.x",  "*.b.x",
                                        "*.a.x", "c.y", "*.y",   "*.c.y"};
static const char *const query_hosts[] = {"a.x", "b.x", "a.b.x", "z.b.x", "q.z.b.x",
                                          "x",   "c.y", "d.c.y", "other", ""};
static const char *const segments[] = {"a", "b", "ab", "abc", "c", ""};
static const char *const regex_pool[] = {"^/a", "b$", "/ab/", "^/[ab]+$", "."};
static const char *const methods[] = {"GET", "PUT", "PURGE", "BREW"};
static const char *const values[] = {"1", "2", "12"};

static struct slice pick(struct rng *rng, const char *const *pool, size_t count)
{
    return slice_from_string(pool[rng_below(rng, count)]);
}
#define PICK(rng, pool) pick(rng, pool, sizeof(pool) / sizeof((pool)[0]))

static struct slice random_path(struct arena *arena, struct rng *rng)
{
    char path[32] = "";
    for (uint64_t n = rng_below(rng, 4); n-- > 0;) {
        strcat(path, "/");
        strcat(path, segments[rng_below(rng, sizeof segments / sizeof segments[0])]);
    }
    return arena_copy(arena, path[0] == '\0' ? SLICE("/") : slice_from_string(path));
}

static void random_condition(struct rng *rng, struct condition *condition, bool is_header)
{
    condition->type = (uint8_t)rng_below(rng, is_header ? 4 : 3);
    condition->name = rng_chance(rng, 500) ? SLICE("h1") : SLICE("h2");
    condition->text = PICK(rng, values);
}

static void random_route(struct arena *arena, struct rng *rng, struct router_route *route,
                         unsigned number, struct pattern *const *patterns)
{
    *route = (struct router_route){.methods = ALL_METHODS};
    route->name = arena_printf(arena, "r%02u", number);
    route->host_count = (uint32_t)rng_below(rng, 4);
    struct slice *hosts = arena_zalloc(arena, 4 * sizeof *hosts);
    for (uint32_t i = 0; i < route->host_count; i++)
        hosts[i] = PICK(rng, host_pool);
    route->hosts = hosts;
    route->priority = (int16_t)(rng_chance(rng, 600) ? 0 : rng_between(rng, 0, 4) - 2);
    route->path_type = (uint8_t)rng_below(rng, 3);
    if (route->path_type == ROUTE_PATH_REGEX) {
        size_t which = rng_below(rng, sizeof regex_pool / sizeof regex_pool[0]);
        route->path = slice_from_string(regex_pool[which]);
        route->pattern = patterns[which];
    } else {
        route->path = random_path(arena, rng);
    }
    if (rng_chance(rng, 400)) {
        route->has_methods = true;
        route->methods = 0;
        struct slice *others = arena_zalloc(arena, 4 * sizeof *others);
        for (uint64_t n = rng_between(rng, 1, 2); n-- > 0;) {
            struct slice method = PICK(rng, methods);
            enum http_method id = http_method_of(method);
            route->methods |= 1u << id;
            if (id == HTTP_METHOD_OTHER)
                others[route->other_method_count++] = method;
        }
        route->other_methods = others;
        route->is_conditional = route->other_method_count > 0;
    }
    struct condition *headers = arena_zalloc(arena, 4 * sizeof *headers);
    route->conditions.headers = headers;
    route->conditions.query = headers + 2;
    if (rng_chance(rng, 300))
        for (uint64_t n = rng_between(rng, 1, 2); n-- > 0;)
            random_condition(rng, &headers[route->conditions.header_count++], true);
    if (rng_chance(rng, 200))
        for (uint64_t n = rng_between(rng, 1, 2); n-- > 0;)
            random_condition(rng, &headers[2 + route->conditions.query_count++], false);
    if (rng_chance(rng, 200)) {
        uint64_t *listeners = arena_zalloc(arena, sizeof *listeners);
        *listeners = rng_between(rng, 1, 3);
        route->conditions.listeners = listeners;
        route->conditions.listener_words = 1;
    }
    route->is_conditional |= route->conditions.header_count > 0 ||
                             route->conditions.query_count > 0 ||
                             route->conditions.listeners != NULL;
}

/* How specific the host match is: 1000 exact, the suffix's length, 0 any; -1 none. */
static int naive_host(const struct router_route *route, struct slice host)
{
    int best = route->host_count == 0 ? 0 : -1;
    for (uint32_t i = 0; i < route->host_count; i++) {
        struct slice wanted = route->hosts[i];
        int rank = -1;
        if (wanted.data[0] != '*')
            rank = slice_equal(wanted, host) ? 1000 : -1;
        else if (host.size > wanted.size - 1 &&
                 slice_equal(slice_from(host, host.size - (wanted.size - 1)),
                             slice_from(wanted, 1)))
            rank = (int)wanted.size;
        if (rank > best)
            best = rank;
    }
    return best;
}

static int naive_path(const struct router_route *route, struct slice path)
{
    if (route->path_type == ROUTE_PATH_REGEX)
        return pattern_matches(route->pattern, path) ? 0 : -1;
    if (route->path_type == ROUTE_PATH_EXACT)
        return slice_equal(route->path, path) ? 10000 : -1;
    if (route->path.size > path.size ||
        memcmp(route->path.data, path.data, route->path.size) != 0)
        return -1;
    bool border = route->path.size == path.size || path.data[route->path.size] == '/' ||
                  route->path.data[route->path.size - 1] == '/';
    return border ? (int)route->path.size : -1;
}

static bool naive_method(const struct router_route *route, struct slice method)
{
    if (!route->has_methods)
        return true;
    enum http_method id = http_method_of(method);
    if (id != HTTP_METHOD_OTHER)
        return (route->methods >> id & 1) != 0;
    for (uint32_t i = 0; i < route->other_method_count; i++)
        if (slice_equal(route->other_methods[i], method))
            return true;
    return false;
}

struct naive_rank {
    int parts[5];
};

static const struct router_route *naive_find(const struct router_route *routes,
                                             size_t count, const struct route_query *query,
                                             uint32_t *ret_allowed)
{
    const struct router_route *best = NULL;
    struct naive_rank best_rank = {{0}};
    const struct condition *miss;

    *ret_allowed = 0;
    for (size_t i = 0; i < count; i++) {
        const struct router_route *route = &routes[i];
        int host = naive_host(route, query->host), path = naive_path(route, query->path);
        if (host < 0 || path < 0 || !conditions_hold(&route->conditions, query, &miss))
            continue;
        if (!naive_method(route, query->message->method_name)) {
            *ret_allowed |= route->methods;
            continue;
        }
        struct naive_rank rank = {
            {route->priority, host, path, route->has_methods,
             (int)(route->conditions.header_count + route->conditions.query_count)}};
        int order = 0;
        for (int p = 0; p < 5 && order == 0; p++)
            order = rank.parts[p] - best_rank.parts[p];
        if (best == NULL || order > 0 ||
            (order == 0 && slice_compare(route->name, best->name) < 0)) {
            best = route;
            best_rank = rank;
        }
    }
    if (best != NULL)
        *ret_allowed = 0;
    return best;
}

static void agrees_with_a_linear_search(void **state)
{
    (void)state;
    enum { SETS = 3000, QUERIES = 40, PATTERNS = 5 };
    struct pattern *patterns[PATTERNS];
    struct error err;
    struct rng rng;
    struct arena arena;
    struct router_route *routes = calloc(RANDOM_ROUTES, sizeof *routes);
    struct plan *plans = calloc(RANDOM_ROUTES, sizeof *plans);
    size_t found_count = 0, allowed_count = 0;

    rng_init(&rng, 20260101);
    arena_init(&arena, 0, 0);
    for (int i = 0; i < PATTERNS; i++)
        assert_int_equal(pattern_new(slice_from_string(regex_pool[i]), &patterns[i], &err),
                         GW_OK);
    for (int set = 0; set < SETS; set++) {
        size_t count = rng_between(&rng, 1, RANDOM_ROUTES);
        arena_reset(&arena);
        for (size_t i = 0; i < count; i++) {
            random_route(&arena, &rng, &routes[i], (unsigned)i, patterns);
            plans[i].route = routes[i].name;
            routes[i].plans = &plans[i];
        }
        struct router *router = router_build(&arena, routes, count);
        assert_non_null(router);
        for (int q = 0; q < QUERIES; q++) {
            struct http_header headers[8];
            struct http_message message;
            struct snapshot_listener listener = {.number = (uint32_t)rng_below(&rng, 2)};
            message_init(&message, headers, 8);
            message.method_name = PICK(&rng, methods);
            message.method = http_method_of(message.method_name);
            for (uint64_t n = rng_below(&rng, 3); n-- > 0;)
                message_add(&message, rng_chance(&rng, 500) ? SLICE("h1") : SLICE("H2"),
                            PICK(&rng, values));
            struct route_query query = {.listener = &listener,
                                        .host = PICK(&rng, query_hosts),
                                        .path = random_path(&arena, &rng),
                                        .query = rng_chance(&rng, 500) ? SLICE("h1=1&h2=2")
                                                                       : SLICE("h2=12"),
                                        .message = &message};
            uint32_t allowed, naive_allowed;
            const struct plan *found = router_find(router, &query, &allowed);
            const struct router_route *naive =
                naive_find(routes, count, &query, &naive_allowed);
            const struct plan *wanted = naive == NULL ? NULL : naive->plans;
            if (found != wanted)
                print_error("set %d query %d host '%s' path '%s': router %s, linear %s\n",
                            set, q, query.host.data, query.path.data,
                            found == NULL ? "none" : found->route.data,
                            naive == NULL ? "none" : naive->name.data);
            assert_ptr_equal(found, wanted);
            assert_int_equal(allowed, naive_allowed);
            found_count += found != NULL;
            allowed_count += allowed != 0;
        }
    }
    print_message("%d sets, %d queries: %zu found, %zu of another method\n", SETS,
                  SETS * QUERIES, found_count, allowed_count);
    for (int i = 0; i < PATTERNS; i++)
        pattern_free(patterns[i]);
    arena_deinit(&arena);
    free(routes);
    free(plans);
}

/* --- speed ------------------------------------------------------------------ */

static double lookup_ns(size_t count, bool by_host)
{
    enum { QUERIES = 16384, ROUNDS = 40 };
    struct arena arena;
    struct rng rng;
    struct http_header headers[4];
    struct http_message message;
    struct snapshot_listener listener = {0};
    struct route_query *queries = calloc(QUERIES, sizeof *queries);
    struct router_route *routes = calloc(count, sizeof *routes);
    struct plan *plans = calloc(count, sizeof *plans);
    uint32_t allowed;

    rng_init(&rng, 7);
    arena_init(&arena, 256 * 1024, 0);
    message_init(&message, headers, 4);
    message.method = HTTP_METHOD_GET;
    for (size_t i = 0; i < count; i++) {
        struct slice *host = arena_alloc(&arena, sizeof *host);
        *host = by_host ? arena_printf(&arena, "h%05zu.example", i) : SLICE("shop.example");
        routes[i] = (struct router_route){
            .name = arena_printf(&arena, "r%zu", i),
            .hosts = host,
            .host_count = 1,
            .path_type = ROUTE_PATH_PREFIX,
            .path = by_host ? SLICE("/api") : arena_printf(&arena, "/svc-%05zu", i),
            .methods = ALL_METHODS,
            .plans = &plans[i]};
    }
    struct router *router = router_build(&arena, routes, count);
    for (size_t i = 0; i < QUERIES; i++) {
        size_t which = rng_below(&rng, count);
        queries[i] = (struct route_query){
            .listener = &listener,
            .host = arena_copy(&arena, routes[which].hosts[0]),
            .path = arena_printf(&arena, "%.*s/items/42", SLICE_ARG(routes[which].path)),
            .message = &message};
    }
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t before = instant_monotonic_us();
        for (size_t i = 0; i < QUERIES; i++)
            if (router_find(router, &queries[i], &allowed) == NULL)
                abort();
        double ns = (double)(instant_monotonic_us() - before) * 1000.0 / QUERIES;
        if (ns < best)
            best = ns;
    }
    arena_deinit(&arena);
    free(queries);
    free(plans);
    free(routes);
    return best;
}

static void speed_hardly_depends_on_the_number_of_routes(void **state)
{
    (void)state;
    for (int by_host = 0; by_host < 2; by_host++) {
        double few = lookup_ns(10, by_host), some = lookup_ns(1000, by_host),
               many = lookup_ns(10000, by_host);
        print_message("lookups by %s: 10 routes %.0f ns, 1,000 %.0f ns, 10,000 %.0f ns "
                      "(%.2f M/s, %+.0f %%)\n",
                      by_host ? "host" : "path", few, some, many, 1000.0 / many,
                      100.0 * (many / few - 1.0));
        /* A linear search would be a hundred times slower; sanitizers and a busy
         * machine are allowed for, since time is no judge in CI. */
        assert_true(many < few * 5 + 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_ends_at_segment_borders),
        cmocka_unit_test(exact_then_longest_prefix_then_regex),
        cmocka_unit_test(exact_hosts_then_longest_wildcards_then_any),
        cmocka_unit_test(priority_outranks_host_and_path),
        cmocka_unit_test(methods_decide_and_the_others_are_told),
        cmocka_unit_test(more_header_and_query_matches_win),
        cmocka_unit_test(a_listener_keeps_its_routes_to_itself),
        cmocka_unit_test(a_runaway_regex_is_stopped),
        cmocka_unit_test(thousands_of_nested_prefixes_are_no_trouble),
        cmocka_unit_test(agrees_with_a_linear_search),
        cmocka_unit_test(speed_hardly_depends_on_the_number_of_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
