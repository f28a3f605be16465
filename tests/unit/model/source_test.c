#include "fixture.h"

#include "model/environment.h"

static struct source source;
static struct problems problems;
static struct change change;
static struct catalog empty, after;

static int setup(void **state)
{
    (void)state;
    source_init(&source);
    problems_init(&problems);
    change_init(&change);
    catalog_init(&empty);
    catalog_init(&after);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    source_deinit(&source);
    problems_deinit(&problems);
    change_deinit(&change);
    catalog_deinit(&after);
    return 0;
}

static const char *environment_get(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "GW_UP1") == 0   ? "9001"
           : strcmp(name, "GW_UP2") == 0 ? "9002"
           : strcmp(name, "GW_UP3") == 0 ? "9003"
           : strcmp(name, "GW_MOBILE_SHA256") == 0
               ? "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
               : NULL;
}
static const struct environment environment = {.get = environment_get};

static bool read_file(void *context, struct arena *arena, struct slice file,
                      struct slice path, struct slice *ret_content, struct error *err)
{
    (void)context;
    (void)file;
    (void)err;
    *ret_content = arena_printf(arena, "content of %.*s with ${braces}", SLICE_ARG(path));
    return ret_content->data != NULL;
}

static void load_example(const char *name)
{
    /* The build names sources by their whole path. */
    char path[512];
    const char *end = strstr(__FILE__, "tests/unit/model/");
    assert_non_null(end);
    snprintf(path, sizeof path, "%.*sexamples/%s", (int)(end - __FILE__), __FILE__, name);
    char *text = read_whole(path);
    assert_non_null(text);
    assert_true(
        source_add(&source, slice_from_string(name), slice_from_string(text), &problems));
    free(text);
    assert_true(source_substitute(&source, &environment, &problems));
    assert_true(source_load_content(&source, read_file, NULL, &environment, &problems));
}

static bool validate(void)
{
    size_t changed;
    source_decode(&source, &change, &problems);
    bool ok = change_validate(&change, &empty, NULL, 0, 1, SLICE("me"), &after, &changed,
                              &problems);
    source_locate(&source, &problems);
    return ok;
}

static void the_demo_is_valid(void **state)
{
    (void)state;
    load_example("demo.yaml");
    if (!validate())
        print_problems(&problems);
    assert_int_equal(problems.errors, 0);
    assert_int_equal(change.count, 8);
    const struct resource *hello = catalog_get(&after, KIND_SERVICE, SLICE("hello"));
    assert_true(
        slice_equal(hello->service->endpoints.items[0].address, SLICE("127.0.0.1:9001")));
    /* health, breaker */
    assert_int_equal(problems.warnings, 2);
}

static void the_shop_fails_only_for_kinds_that_come_later(void **state)
{
    (void)state;
    load_example("shop.yaml");
    assert_false(validate());
    size_t kinds = 0;
    for (size_t i = 0; i < problems.count; i++) {
        if (problems.items[i].is_warning)
            continue;
        if (!slice_equal(problems.items[i].code, SLICE("unsupported_kind")))
            print_problems(&problems);
        assert_true(slice_equal(problems.items[i].code, SLICE("unsupported_kind")));
        assert_true(problems.items[i].line > 0);
        kinds++;
    }
    /* Certificate, Jwks, Consumer, Webhook; references to shop-tls and shop-id */
    assert_int_equal(kinds, 6);
    const struct resource *checkout = catalog_get(&after, KIND_SERVICE, SLICE("checkout"));
    assert_true(slice_equal(checkout->service->tls->ca.value,
                            SLICE("content of certs/internal-ca.pem with ${braces}")));
}

static void a_servers_errors_get_line_and_column(void **state)
{
    (void)state;
    load_example("demo.yaml");
    problems_add(&problems,
                 &(struct problem){.item = 6, .path = SLICE("spec.endpoints[1].region")},
                 "not_defined", "region 'us' not defined");
    problems_add(&problems,
                 &(struct problem){.object = SLICE("Route/hello"),
                                   .path = SLICE("spec.match.hosts")},
                 "ambiguous_route", "a tie");
    source_locate(&source, &problems);
    assert_int_equal(problems.items[0].line, 40);
    assert_int_equal(problems.items[0].column, 63);
    assert_int_equal(problems.items[1].line, 54);
    assert_int_equal(problems.items[1].column, 11);
}

static void what_is_sent_decodes_to_the_same(void **state)
{
    (void)state;
    load_example("demo.yaml");
    assert_true(source_decode(&source, &change, &problems));
    struct buffer out;
    struct emit emit;
    struct arena arena;
    struct error err;
    buffer_init(&out, 0);
    arena_init(&arena, 0, 0);
    emit_init(&emit, &out, false);
    source_emit_objects(&emit, &source);
    emit_key(&emit, "message");
    emit_cstring(&emit, "hello");
    emit_object_end(&emit);
    struct value *body = json_read(&arena, buffer_slice(&out), &err);
    assert_non_null(body);
    struct change sent;
    change_init(&sent);
    assert_true(change_decode(&sent, body, &problems));
    assert_int_equal(sent.count, change.count);
    for (size_t i = 0; i < sent.count; i++)
        assert_true(resource_equal(sent.items[i].resource, change.items[i].resource));
    change_deinit(&sent);
    arena_deinit(&arena);
    buffer_deinit(&out);
}

static void an_object_given_twice_names_the_first_place(void **state)
{
    (void)state;
    assert_true(source_add(&source, SLICE("a.yaml"),
                           SLICE(GW "kind: Policy\nmetadata: {name: p}\n---\n" GW
                                    "kind: Policy\nmetadata: {name: p}\n"),
                           &problems));
    assert_false(source_decode(&source, &change, &problems));
    assert_true(has_problem(&problems, "duplicate_object", "first at a.yaml:1"));
    assert_int_equal(problems.items[0].line, 7);
}

/* The example of the contract: its two lines, at their places, in one report. */
static void an_unknown_field_and_an_undefined_region_come_in_one_report(void **state)
{
    (void)state;
    struct buffer text, out;
    buffer_init(&text, 0);
    buffer_init(&out, 0);
    buffer_printf(&text, GW "kind: Region\nmetadata: {name: us}\n---\n");
    for (int line = 5; line < 92; line++)
        buffer_printf(&text, "#\n");
    buffer_printf(&text, GW "kind: Service\nmetadata: {name: cart}\nspec:\n"
                            "  endpoints:\n"
                            "    - {name: cart-us-1, address: \"10.0.0.1:8080\",  "
                            "region: uss}\n---\n");
    for (int line = 99; line < 108; line++)
        buffer_printf(&text, "#\n");
    buffer_printf(&text, GW "kind: Route\nmetadata: {name: catalog}\nspec:\n"
                            "  service: cart\n  timeot: 800ms\n");
    assert_true(source_add(&source, SLICE("gateway.yaml"), buffer_slice(&text), &problems));
    assert_false(validate());
    source_print(&source, &problems, &out);
    const char *const lines[] = {
        "gateway.yaml:113:3: error: unknown field 'timeot' in Route/catalog spec (did you "
        "mean 'timeout'?)\n  113 |   timeot: 800ms\n      |   ^~~~~~\n",
        "gateway.yaml:97:60: error: Service/cart endpoint cart-us-1: region 'uss' not "
        "defined (did you mean 'us'?)\n",
        "2 errors; nothing applied\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_true(slice_find(buffer_slice(&out), slice_from_string(lines[i])) !=
                    SIZE_MAX);
    assert_int_equal(problems.items[0].line, 97); /* in order of place */
    buffer_deinit(&text);
    buffer_deinit(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_demo_is_valid),
        TEST(the_shop_fails_only_for_kinds_that_come_later),
        TEST(a_servers_errors_get_line_and_column),
        TEST(what_is_sent_decodes_to_the_same),
        TEST(an_object_given_twice_names_the_first_place),
        TEST(an_unknown_field_and_an_undefined_region_come_in_one_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
