#include "fixture.h"

#include "model/assign.h"

static struct arena arena;
static struct error err;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 0, 0);
    err = ERROR_NONE;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

/* The object after the assignments, as JSON. */
static const char *set(const char *json, const char *const *assignments)
{
    static char text[512];
    struct value *root = json_read(&arena, slice_from_string(json), &err);
    struct buffer out;
    struct emit emit;

    assert_non_null(root);
    for (; *assignments != NULL; assignments++)
        if (assign(&arena, root, slice_from_string(*assignments), &err) != GW_OK)
            return result_word(err.code);
    buffer_init(&out, 0);
    emit_init(&emit, &out, false);
    value_emit(&emit, root);
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(buffer_slice(&out)));
    buffer_deinit(&out);
    return text;
}
#define SET(json, ...) set(json, (const char *const[]){__VA_ARGS__, NULL})

static void a_field_stands_below_spec_unless_it_says_otherwise(void **state)
{
    (void)state;
    assert_string_equal(SET("{\"spec\":{\"a\":1}}", "a=2"), "{\"spec\":{\"a\":2}}");
    assert_string_equal(SET("{\"spec\":{}}", "spec.a=2s"), "{\"spec\":{\"a\":\"2s\"}}");
    assert_string_equal(SET("{\"metadata\":{\"name\":\"x\"}}", "metadata.labels.team=a"),
                        "{\"metadata\":{\"name\":\"x\",\"labels\":{\"team\":\"a\"}}}");
    assert_string_equal(SET("{\"metadata\":{}}", "metadata.annotations[\"a.b/c\"]=1"),
                        "{\"metadata\":{\"annotations\":{\"a.b/c\":1}}}");
    assert_string_equal(SET("{}", "a.b.c=true"), "{\"spec\":{\"a\":{\"b\":{\"c\":true}}}}");
}

static void elements_are_named_by_place_or_name(void **state)
{
    const char *object =
        "{\"spec\":{\"e\":[{\"name\":\"x\",\"w\":1},{\"name\":\"y\",\"w\":2}]}}";

    (void)state;
    assert_string_equal(
        SET(object, "e[0].w=5"),
        "{\"spec\":{\"e\":[{\"name\":\"x\",\"w\":5},{\"name\":\"y\",\"w\":2}]}}");
    assert_string_equal(
        SET(object, "e[y].w=6"),
        "{\"spec\":{\"e\":[{\"name\":\"x\",\"w\":1},{\"name\":\"y\",\"w\":6}]}}");
    assert_string_equal(SET(object, "e[x]=null", "e[+]={name: z}"),
                        "{\"spec\":{\"e\":[{\"name\":\"y\",\"w\":2},{\"name\":\"z\"}]}}");
    assert_string_equal(SET(object, "e[0]=one", "e[1]=two"),
                        "{\"spec\":{\"e\":[\"one\",\"two\"]}}");
    assert_string_equal(SET("{}", "e[+].w=1", "e[+].w=2"),
                        "{\"spec\":{\"e\":[{\"w\":1},{\"w\":2}]}}");
    assert_string_equal(SET(object, "e[z].w=6"), "not_found");
    assert_string_equal(SET(object, "e[2].w=6"), "not_found");
}

static void null_takes_away_and_a_value_is_yaml(void **state)
{
    (void)state;
    assert_string_equal(SET("{\"spec\":{\"a\":1,\"b\":2}}", "a=null"),
                        "{\"spec\":{\"b\":2}}");
    assert_string_equal(SET("{\"spec\":{\"b\":2}}", "a.x.y=null"), "{\"spec\":{\"b\":2}}");
    assert_string_equal(SET("{}", "a=[b, \"5\", 5]"), "{\"spec\":{\"a\":[\"b\",\"5\",5]}}");
    assert_string_equal(SET("{}", "a="), "{\"spec\":{\"a\":\"\"}}");
    assert_string_equal(SET("{}", "a=b=c"), "{\"spec\":{\"a\":\"b=c\"}}");
}

static void what_is_no_assignment_is_said(void **state)
{
    static const char *const wrong[] = {
        "a",     "=1",     ".a=1",       "a..b=1",  "a.=1", "a[=1",      "a[]=1",
        "[0]=1", "spec=1", "metadata=1", "a[0]b=1", "a=[1", "a[\"x\"y=1"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (strcmp(SET("{\"spec\":{\"a\":null}}", wrong[i]), "usage") != 0)
            fail_msg("%s: %s", wrong[i], SET("{}", wrong[i]));
    assert_string_equal(SET("{\"spec\":{\"a\":1}}", "a.b=1"), "usage");
    assert_string_equal(SET("{\"spec\":{\"a\":{}}}", "a[0]=1"), "usage");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_field_stands_below_spec_unless_it_says_otherwise,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(elements_are_named_by_place_or_name, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(null_takes_away_and_a_value_is_yaml, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_no_assignment_is_said, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
