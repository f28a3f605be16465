#include "fixture.h"

#include "model/diff.h"
#include "model/effective.h"

static struct catalog before, after;
static struct change change;
static struct problems problems;

static int setup(void **state)
{
    (void)state;
    catalog_init(&before);
    catalog_init(&after);
    change_init(&change);
    problems_init(&problems);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    catalog_deinit(&before);
    catalog_deinit(&after);
    change_deinit(&change);
    problems_deinit(&problems);
    return 0;
}

/* Adds the objects of a YAML text to the change, with their places. */
static void add(const char *text)
{
    struct source source;
    source_init(&source);
    assert_true(source_add(&source, SLICE("t.yaml"), slice_from_string(text), &problems));
    source_decode(&source, &change, &problems);
    source_deinit(&source);
}

static bool validate(void)
{
    size_t changed;
    return change_validate(&change, &before, NULL, 0, 1000, SLICE("me"), &after, &changed,
                           &problems);
}

/* Makes what was validated the state before the next change. */
static void next(void)
{
    if (problems.errors > 0)
        print_problems(&problems);
    assert_int_equal(problems.errors, 0);
    catalog_deinit(&before);
    before = after;
    catalog_init(&after);
    change_deinit(&change);
    change_init(&change);
}

#define OBJECT(kind, name, spec) \
    "---\n" GW "kind: " kind "\nmetadata: {name: " name "}\nspec: " spec "\n"
#define REGIONS OBJECT("Region", "eu", "{}") OBJECT("Region", "us", "{}")
#define SERVICE               \
    OBJECT("Service", "cart", \
           "{endpoints: [{name: cart-us-1, address: \"x:1\", region: us}]}")

static void references_must_exist_and_suggest(void **state)
{
    (void)state;
    add(REGIONS OBJECT("Service", "cart",
                       "{endpoints: [{name: cart-us-1, address: \"x:1\", region: uss}]}")
            OBJECT("Route", "r", "{service: carts, policies: [p]}"));
    assert_false(validate());
    assert_true(has_problem(&problems, "not_defined",
                            "Service/cart endpoint cart-us-1: region 'uss' not defined"));
    assert_true(
        has_problem(&problems, "not_defined", "Route/r spec.service: service 'carts'"));
    assert_true(
        has_problem(&problems, "not_defined", "Route/r spec.policies[0]: policy 'p'"));
    assert_int_equal(problems.errors, 3);
    assert_int_equal(problems.items[0].item, 3);
    assert_true(slice_equal(problems.items[0].hint, SLICE("did you mean 'us'?")));
    assert_true(slice_equal(problems.items[0].path, SLICE("spec.endpoints[0].region")));
}

static void what_did_not_decode_is_not_also_missing(void **state)
{
    (void)state;
    add(OBJECT("Service", "cart", "{balanse: random}")
            OBJECT("Route", "r", "{service: cart}"));
    assert_false(validate());
    assert_int_equal(problems.errors, 1);
}

static void an_object_with_an_error_has_its_references_checked(void **state)
{
    (void)state;
    add(REGIONS OBJECT(
        "Service", "hello",
        "{balanse: hash, endpoints: [{name: a, address: \"bad\", region: uss},"
        "{name: b, address: \"x:1\"}, {name: c, address: \"x:1\", region: _}]}")
            OBJECT("Route", "r",
                   "{service: helo, timeot: 5s, mirror: {service: nix, x: 1}}")
                OBJECT("Route", "good", "{service: hello, match: {hosts: [x.example]}}"));
    assert_false(validate());
    assert_true(has_problem(&problems, "unknown_field", "'timeot'"));
    assert_true(
        has_problem(&problems, "not_defined", "Route/r spec.service: service 'helo'"));
    assert_true(has_problem(&problems, "not_defined", "service 'nix'"));
    assert_true(has_problem(&problems, "not_defined", "endpoint a: region 'uss'"));
    assert_true(has_problem(&problems, "required", "endpoint b: region is required"));
    assert_false(has_problem(&problems, "required", "endpoint c"));
    assert_false(has_problem(&problems, "not_defined", "'hello'"));
    for (size_t i = 0; i < problems.count; i++)
        if (slice_find(problems.items[i].message, SLICE("'helo'")) != SIZE_MAX)
            assert_true(
                slice_equal(problems.items[i].hint, SLICE("did you mean 'hello'?")));
    assert_null(catalog_get(&after, KIND_ROUTE, SLICE("r")));
    assert_null(catalog_get(&after, KIND_SERVICE, SLICE("hello")));
    assert_int_equal(change.count, 3);
}

static void a_misspelt_field_is_read_as_the_one_that_was_meant(void **state)
{
    (void)state;
    add(OBJECT("Service", "hello", "{}") OBJECT("Route", "r", "{servise: helo}"));
    assert_false(validate());
    assert_int_equal(problems.errors, 2); /* and none of "needs exactly one of" */
    assert_true(has_problem(&problems, "unknown_field", "'servise'"));
    assert_true(has_problem(&problems, "not_defined", "service 'helo'"));
}

static void what_is_broken_is_never_put_or_packed(void **state)
{
    (void)state;
    struct arena arena;
    struct error err;
    struct buffer out;
    arena_init(&arena, 0, 0);
    buffer_init(&out, 0);
    const struct value *root = json_read(
        &arena,
        SLICE("{\"apiVersion\":\"gw/v1\",\"kind\":\"Region\",\"metadata\":{\"name\":"
              "\"eu\"},\"spec\":{\"weigth\":5}}"),
        &err);
    struct resource *broken = resource_decode_broken(root, SLICE(""), 1, &problems);
    assert_non_null(broken);
    assert_true(broken->is_broken);
    assert_false(catalog_put(&before, broken));
    resource_pack(&out, broken);
    assert_true(out.failed);
    assert_false(change_put(&change, broken, 1)); /* takes the reference */
    assert_int_equal(change.count, 0);
    buffer_deinit(&out);
    arena_deinit(&arena);
}

/* As the leader does: the body, then the check against what it holds. */
static void a_leader_tells_both_errors_of_one_object(void **state)
{
    (void)state;
    struct arena arena;
    struct error err;
    add(OBJECT("Service", "hello", "{}"));
    assert_true(validate());
    next();
    arena_init(&arena, 0, 0);
    const struct value *body = json_read(
        &arena,
        SLICE("{\"objects\":[{\"apiVersion\":\"gw/v1\",\"kind\":\"Route\",\"metadata\":"
              "{\"name\":\"r\"},\"spec\":{\"service\":\"helo\",\"timeot\":\"5s\"}}]}"),
        &err);
    assert_false(change_decode(&change, body, &problems));
    assert_false(validate());
    assert_int_equal(problems.errors, 2);
    assert_true(slice_equal(problems.items[0].path, SLICE("spec.timeot")));
    assert_true(slice_equal(problems.items[1].path, SLICE("spec.service")));
    assert_int_equal(problems.items[1].item, 1);
    assert_true(slice_equal(problems.items[1].hint, SLICE("did you mean 'hello'?")));
    assert_int_equal(catalog_count(&after, KIND_ROUTE), 0);
    arena_deinit(&arena);
}

static void any_region_will_do_while_no_region_exists(void **state)
{
    (void)state;
    add(SERVICE OBJECT("Route", "r", "{service: cart}"));
    assert_true(validate());
    next();
    add(OBJECT("Region", "eu", "{}"));
    assert_false(validate());
    assert_true(has_problem(&problems, "not_defined", "endpoint cart-us-1: region 'us'"));
}

static void endpoints_need_a_region_once_two_exist(void **state)
{
    (void)state;
    add(OBJECT("Region", "eu", "{}")
            OBJECT("Service", "s", "{endpoints: [{name: a, address: \"x:1\"}]}"));
    assert_true(validate());
    next();
    add(OBJECT("Region", "us", "{}"));
    assert_false(validate());
    assert_true(
        has_problem(&problems, "required", "Service/s endpoint a: region is required"));
}

static void deleting_what_is_referred_to_names_who_refers(void **state)
{
    (void)state;
    add(SERVICE OBJECT("Route", "r", "{service: cart}"));
    assert_true(validate());
    next();
    assert_true(change_delete(&change, KIND_SERVICE, SLICE("cart")));
    assert_false(validate());
    assert_true(
        has_problem(&problems, "in_use",
                    "Service/cart cannot be deleted: Route/r refers to it (spec.service)"));
    problems_deinit(&problems);
    problems_init(&problems);
    catalog_deinit(&after);
    assert_true(change_delete(&change, KIND_ROUTE, SLICE("r")));
    assert_true(validate());
    assert_int_equal(catalog_count(&after, KIND_ROUTE), 0);
}

/* While no Region exists any may be named; the first one ends that, whatever else goes. */
static void new_regions_are_checked_though_something_is_deleted(void **state)
{
    (void)state;
    add(SERVICE OBJECT("Route", "r", "{service: cart}"));
    assert_true(validate());
    next();
    add(OBJECT("Region", "eu", "{}"));
    assert_true(change_delete(&change, KIND_ROUTE, SLICE("r")));
    assert_false(validate());
    assert_true(has_problem(&problems, "not_defined",
                            "Service/cart endpoint cart-us-1: region 'us' not defined"));
    assert_int_equal(problems.errors, 1);
}

static void a_region_that_goes_while_another_comes_is_told_of_once(void **state)
{
    (void)state;
    add(OBJECT("Region", "us", "{}") SERVICE);
    assert_true(validate());
    next();
    add(OBJECT("Region", "eu", "{}"));
    assert_true(change_delete(&change, KIND_REGION, SLICE("us")));
    assert_false(validate());
    assert_true(has_problem(&problems, "in_use", "Region/us cannot be deleted"));
    assert_int_equal(problems.errors, 1);
}

static void deleting_what_is_not_there_is_an_error(void **state)
{
    (void)state;
    assert_true(change_delete(&change, KIND_ROUTE, SLICE("r")));
    assert_false(validate());
    assert_true(has_problem(&problems, "not_found", "Route/r: not found"));
}

static void routes_that_tie_are_an_error_naming_both(void **state)
{
    (void)state;
#define MATCH(name, match) OBJECT("Route", name, "{match: " match ", respond: {}}")
    add(MATCH("a", "{hosts: [x.example], path: {prefix: /a}}")
            MATCH("b", "{hosts: [y.example, X.example], path: {prefix: /a/}}")
                MATCH("c", "{hosts: [x.example], path: {exact: /a}}")
                    MATCH("d", "{hosts: [x.example], path: {prefix: /a}, methods: [GET]}")
                        MATCH("e",
                              "{hosts: [x.example], path: {prefix: /a}, methods: [POST]}"));
    assert_false(validate());
    assert_int_equal(problems.errors, 1);
    assert_true(has_problem(&problems, "ambiguous_route", "Route/b and Route/a"));
}

static void routes_told_apart_by_a_header_do_not_tie(void **state)
{
    (void)state;
    add(MATCH("a", "{headers: [{name: v, exact: \"1\"}]}")
            MATCH("b", "{headers: [{name: V, exact: \"2\"}]}")
                MATCH("c", "{headers: [{name: v, present: false}]}")
                    MATCH("d", "{headers: [{name: w, exact: \"1\"}]}"));
    assert_false(validate());
    assert_int_equal(problems.errors, 3); /* d with each of the others */
}

static void binds_must_not_clash(void **state)
{
    (void)state;
    add(OBJECT("Listener", "a", "{bind: \":80\", regions: []}")
            OBJECT("Listener", "b", "{bind: \"127.0.0.1:80\"}")
                OBJECT("Listener", "c", "{bind: \"127.0.0.1:81\"}"));
    assert_false(validate());
    assert_int_equal(problems.errors, 1);
    assert_true(has_problem(&problems, "bind_clash", "Listener/a"));
}

static void there_is_one_cluster_and_its_name_sticks(void **state)
{
    (void)state;
    add(OBJECT("Cluster", "shop", "{}"));
    assert_true(validate());
    next();
    add(OBJECT("Cluster", "other", "{}"));
    assert_false(validate());
    assert_true(has_problem(&problems, "other_cluster", "this cluster is 'shop'"));
}

static void regions_that_leave_a_member_out_name_the_node(void **state)
{
    (void)state;
    const struct member_region members[] = {{SLICE("eu-1"), SLICE("eu")},
                                            {SLICE("ap-1"), SLICE("ap")}};
    size_t changed;
    add(REGIONS);
    assert_false(change_validate(&change, &before, members, 2, 1, SLICE("me"), &after,
                                 &changed, &problems));
    assert_int_equal(problems.errors, 1);
    assert_true(has_problem(&problems, "member_region", "node 'ap-1'"));
}

static void a_change_knows_what_it_changes(void **state)
{
    (void)state;
    size_t changed;
    add(SERVICE OBJECT("Route", "r", "{service: cart}"));
    assert_true(validate());
    next();
    add(SERVICE OBJECT("Route", "r", "{service: cart, priority: 1}")
            OBJECT("Policy", "p", "{}"));
    assert_true(change_compare(&change, &before, 2000, SLICE("you"), &changed, &problems));
    assert_int_equal(changed, 2);
    assert_int_equal(change_find(&change, KIND_SERVICE, SLICE("cart"))->action,
                     CHANGE_UNCHANGED);
    assert_int_equal(change_find(&change, KIND_ROUTE, SLICE("r"))->action, CHANGE_CHANGED);
    assert_int_equal(change_find(&change, KIND_POLICY, SLICE("p"))->action, CHANGE_CREATED);
    const struct resource *route = change_find(&change, KIND_ROUTE, SLICE("r"))->resource;
    assert_int_equal(route->created_ms, 1000);
    assert_int_equal(route->updated_ms, 2000);
}

static void an_apply_body_is_read_with_its_places(void **state)
{
    (void)state;
    struct arena arena;
    struct error err;
    arena_init(&arena, 0, 0);
    struct value *body = json_read(
        &arena,
        SLICE(
            "{\"objects\":[{\"apiVersion\":\"gw/"
            "v1\",\"kind\":\"Region\",\"metadata\":{\"name\":"
            "\"eu\"},\"spec\":{\"weight\":5},\"source\":{\"file\":\"f\",\"line\":1}},"
            "{\"apiVersion\":\"gw/v1\",\"kind\":\"Region\",\"metadata\":{\"name\":\"us\"},"
            "\"spec\":{\"weigth\":5}}],\"delete\":[{\"kind\":\"route\",\"name\":\"r\"}],"
            "\"message\":\"why\"}"),
        &err);
    assert_non_null(body);
    assert_false(change_decode(&change, body, &problems));
    assert_int_equal(change.count, 2);
    assert_true(slice_equal(change.message, SLICE("why")));
    struct buffer out;
    struct emit emit;
    buffer_init(&out, 0);
    emit_init(&emit, &out, false);
    problems_emit(&problems, &emit, false);
    assert_true(slice_find(buffer_slice(&out),
                           SLICE("\"path\":\"objects[1].spec.weigth\"")) != SIZE_MAX);
    /* and gwctl takes it in again */
    struct problems back;
    problems_init(&back);
    problems_read(&back, json_read(&arena, buffer_slice(&out), &err), false);
    assert_int_equal(back.errors, 1);
    assert_int_equal(back.items[0].item, 2);
    assert_true(slice_equal(back.items[0].path, SLICE("spec.weigth")));
    assert_true(slice_equal(back.items[0].hint, SLICE("did you mean 'weight'?")));
    problems_deinit(&back);
    buffer_deinit(&out);
    arena_deinit(&arena);
}

static void the_api_reads_no_files(void **state)
{
    (void)state;
    struct arena arena;
    struct error err;
    arena_init(&arena, 0, 0);
    struct value *root = json_read(
        &arena,
        SLICE("{\"apiVersion\":\"gw/v1\",\"kind\":\"Route\",\"metadata\":{\"name\":\"r\"},"
              "\"spec\":{\"respond\":{\"body\":{\"file\":\"/etc/passwd\"}}}}"),
        &err);
    assert_null(resource_decode(root, SLICE(""), 0, &problems));
    assert_true(has_problem(&problems, "content_not_read", "spec.respond.body"));
    arena_deinit(&arena);
}

static void pruning_deletes_what_the_selector_finds(void **state)
{
    (void)state;
    add("---\n" GW "kind: Policy\nmetadata: {name: a, labels: {t: x}}\n---\n" GW
        "kind: Policy\nmetadata: {name: b, labels: {t: x}}\n---\n" GW
        "kind: Policy\nmetadata: {name: c}\n");
    assert_true(validate());
    next();
    add("---\n" GW "kind: Policy\nmetadata: {name: a, labels: {t: x}}\n");
    assert_true(change_prune(&change, &before, SLICE("t=x")));
    assert_int_equal(change.count, 2);
    assert_true(validate());
    assert_null(catalog_get(&after, KIND_POLICY, SLICE("b")));
    assert_non_null(catalog_get(&after, KIND_POLICY, SLICE("c")));
}

static void puts_and_deletes_keep_the_order_of_names(void **state)
{
    (void)state;
    char text[200];
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, GW "kind: Policy\nmetadata: {name: p%d}\n",
                 i * 7919 % 211);
        struct resource *resource = decode_text(text, &problems);
        assert_true(catalog_put(&before, resource));
        resource_unref(resource);
    }
    assert_true(catalog_delete(&before, KIND_POLICY, SLICE("p0")));
    assert_false(catalog_delete(&before, KIND_POLICY, SLICE("p0")));
    const struct resource *resource, *last = NULL;
    catalog_each(&before, KIND_POLICY, resource)
    {
        if (last != NULL)
            assert_true(slice_compare(last->name, resource->name) < 0);
        last = resource;
    }
    assert_int_equal(catalog_count(&before, KIND_POLICY), 199);
    catalog_clone(&before, &after);
    assert_ptr_equal(catalog_get(&after, KIND_POLICY, SLICE("p7")),
                     catalog_get(&before, KIND_POLICY, SLICE("p7")));
}

static void ten_thousand_routes_are_checked_in_an_instant(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, 0);
    buffer_printf(&text, "%s", SERVICE);
    for (int i = 0; i < 10000; i++)
        buffer_printf(
            &text,
            "---\n" GW "kind: Route\nmetadata: {name: r%d}\nspec:\n"
            "  match: {hosts: [h%d.example], path: {prefix: /p%d}}\n  service: cart\n",
            i * 7919 % 10007, i % 100, i);
    buffer_append_byte(&text, '\0');
    struct source source;
    source_init(&source);
    assert_true(
        source_add(&source, SLICE("t"), slice_of(text.data, text.size - 1), &problems));
    uint64_t start = cpu_us();
    assert_true(source_decode(&source, &change, &problems));
    uint64_t decoded = cpu_us();
    assert_true(validate());
    uint64_t checked = cpu_us();
    printf("10,000 routes: decode %llu us, validate %llu us\n",
           (unsigned long long)(decoded - start), (unsigned long long)(checked - decoded));
#ifndef __SANITIZE_ADDRESS__
    assert_true(checked - decoded < 150000);
#endif
    source_deinit(&source);
    buffer_deinit(&text);
}

static void policies_stack_or_replace_in_their_order(void **state)
{
    (void)state;
    add(OBJECT("Cluster", "c", "{defaults: {timeout: 3s, policies: [base]}}") OBJECT(
        "Policy", "base", "{retry: {max: 2}, headers: {request: {set: {a: \"1\"}}}}")
            OBJECT("Policy", "front",
                   "{bodyBytes: 1KiB, headers: {request: {set: {b: \"1\"}}}}")
                OBJECT("Policy", "own", "{retry: {perTry: 1s}, timeout: 2s}")
                    OBJECT("Listener", "l", "{bind: \":80\", policies: [front]}")
                        SERVICE OBJECT("Route", "r",
                                       "{service: cart, policies: [own], timeout: 800ms}"));
    assert_true(validate());
    struct arena arena;
    struct effective effective;
    arena_init(&arena, 0, 0);
    assert_true(effective_policy(&arena, &after,
                                 catalog_get(&after, KIND_LISTENER, SLICE("l")),
                                 catalog_get(&after, KIND_ROUTE, SLICE("r")), &effective));
    assert_int_equal(effective.timeout_ms, 800);
    assert_int_equal(effective.timeout_origin.resource->kind, KIND_ROUTE);
    assert_int_equal(effective.retry->max, 1); /* replaced whole: base's max is gone */
    assert_int_equal(effective.retry->per_try_ms, 1000);
    assert_true(slice_equal(effective.retry_origin.resource->name, SLICE("own")));
    assert_int_equal(effective.headers.count, 2);
    assert_true(slice_equal(effective.headers.items[1].origin.through->name, SLICE("l")));
    assert_int_equal(effective.body_bytes, 1024);
    struct buffer out;
    struct emit emit;
    buffer_init(&out, 0);
    emit_init(&emit, &out, false);
    effective_emit(&emit, &effective);
    assert_true(
        slice_find(buffer_slice(&out),
                   SLICE("\"timeout\":{\"value\":\"800ms\",\"origin\":\"Route/r\"}")) !=
        SIZE_MAX);
    assert_true(slice_find(buffer_slice(&out), SLICE("Policy/front of Listener/l")) !=
                SIZE_MAX);
    buffer_deinit(&out);
    arena_deinit(&arena);
}

static void a_service_takes_what_it_leaves_out_from_the_cluster(void **state)
{
    (void)state;
    add(OBJECT("Cluster", "c",
               "{defaults: {service: {connectTimeout: 2s, pool: {idle: 5s}}}}")
            OBJECT("Service", "s", "{pool: {requests: 9}}"));
    assert_true(validate());
    const struct service_spec *service =
        catalog_get(&after, KIND_SERVICE, SLICE("s"))->service;
    struct service_spec effective =
        service_effective(service, &catalog_cluster(&after)->defaults.service);
    assert_int_equal(effective.connect_timeout_ms, 2000);
    assert_int_equal(effective.pool.requests, 9);
    assert_int_equal(effective.pool.idle_ms, 60000); /* its own section stands whole */
    assert_int_equal(service->connect_timeout_ms, 1000);
}

static void a_diff_tells_fields(void **state)
{
    (void)state;
    struct resource *old = decode_text(GW "kind: Service\nmetadata: {name: s}\nspec: "
                                          "{drain: 5s, endpoints: [{name: a, address: "
                                          "\"x:1\"}]}\n",
                                       &problems);
    struct resource *new =
        decode_text(GW "kind: Service\nmetadata: {name: s}\nspec: {connectTimeout: 1s, "
                       "endpoints: [{name: a, "
                       "address: \"x:2\"}, {name: b, address: \"y:1\"}]}\n",
                    &problems);
    struct buffer out;
    buffer_init(&out, 0);
    assert_int_equal(diff_print(&out, old, new), 4);
    buffer_append_byte(&out, '\0');
    assert_string_equal(out.data,
                        "  spec.endpoints[a].address: x:1 -> x:2\n"
                        "  + spec.endpoints[b]: {\"name\":\"b\",\"address\":\"y:1\"}\n"
                        "  - spec.drain: 5s\n"
                        "  + spec.connectTimeout: 1s\n");
    buffer_reset(&out);
    assert_int_equal(diff_print(&out, old, old), 0);
    buffer_deinit(&out);
    resource_unref(old);
    resource_unref(new);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(references_must_exist_and_suggest),
        TEST(an_object_with_an_error_has_its_references_checked),
        TEST(a_misspelt_field_is_read_as_the_one_that_was_meant),
        TEST(what_is_broken_is_never_put_or_packed),
        TEST(a_leader_tells_both_errors_of_one_object),
        TEST(what_did_not_decode_is_not_also_missing),
        TEST(any_region_will_do_while_no_region_exists),
        TEST(endpoints_need_a_region_once_two_exist),
        TEST(deleting_what_is_referred_to_names_who_refers),
        TEST(new_regions_are_checked_though_something_is_deleted),
        TEST(a_region_that_goes_while_another_comes_is_told_of_once),
        TEST(deleting_what_is_not_there_is_an_error),
        TEST(routes_that_tie_are_an_error_naming_both),
        TEST(routes_told_apart_by_a_header_do_not_tie),
        TEST(binds_must_not_clash),
        TEST(there_is_one_cluster_and_its_name_sticks),
        TEST(regions_that_leave_a_member_out_name_the_node),
        TEST(a_change_knows_what_it_changes),
        TEST(an_apply_body_is_read_with_its_places),
        TEST(the_api_reads_no_files),
        TEST(pruning_deletes_what_the_selector_finds),
        TEST(puts_and_deletes_keep_the_order_of_names),
        TEST(ten_thousand_routes_are_checked_in_an_instant),
        TEST(policies_stack_or_replace_in_their_order),
        TEST(a_service_takes_what_it_leaves_out_from_the_cluster),
        TEST(a_diff_tells_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
