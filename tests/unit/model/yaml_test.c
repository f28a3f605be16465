#include "fixture.h"

static struct arena arena;
static struct problems problems;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 0, 0);
    problems_init(&problems);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    problems_deinit(&problems);
    arena_deinit(&arena);
    return 0;
}

static struct value *read_text(const char *text)
{
    return yaml_read(&arena, SLICE("t.yaml"), slice_from_string(text), &problems);
}

static void a_document_becomes_a_tree_with_positions(void **state)
{
    (void)state;
    struct value *roots = read_text("a: 1\nb:\n  - x\n  - {c: \"y\"}\n---\nz: ~\n");
    assert_non_null(roots);
    assert_int_equal(roots->count, 2);
    struct value *b = value_get(roots->first, "b");
    assert_int_equal(b->type, VALUE_LIST);
    assert_int_equal(b->key_line, 2);
    const struct value *c = value_at(roots->first, SLICE("b[1].c"));
    assert_true(slice_equal(c->text, SLICE("y")));
    assert_true(c->quoted);
    assert_int_equal(c->line, 4);
    assert_int_equal(c->column, 9);
    assert_int_equal(c->key_column, 6);
    assert_int_equal(value_get(roots->last, "z")->type, VALUE_NULL);
}

static void a_double_key_is_an_error_with_its_place(void **state)
{
    (void)state;
    assert_null(read_text("a: 1\nb: 2\na: 3\n"));
    assert_int_equal(problems.items[0].line, 3);
    assert_int_equal(problems.items[0].column, 1);
    assert_true(has_problem(&problems, "duplicate_key", "key 'a'"));
}

static void a_hundred_thousand_brackets_are_refused_at_once(void **state)
{
    (void)state;
    char *text = malloc(100001);
    memset(text, '[', 100000);
    text[100000] = '\0';
    uint64_t start = cpu_us();
    assert_null(read_text(text));
    assert_true(cpu_us() - start < 50000);
    assert_true(has_problem(&problems, "too_deep", "64"));
    free(text);
}

static void depth_of_64_is_let_through_and_65_is_not(void **state)
{
    (void)state;
    char text[200] = "";
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    assert_non_null(read_text(text));
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    assert_null(read_text(text));
}

static void a_billion_laughs_are_refused(void **state)
{
    (void)state;
    char text[2048];
    size_t size =
        (size_t)snprintf(text, sizeof text, "a0: &a0 [lol,lol,lol,lol,lol,lol]\n");
    for (int i = 1; i < 20; i++)
        size += (size_t)snprintf(text + size, sizeof text - size,
                                 "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1,
                                 i - 1, i - 1, i - 1, i - 1, i - 1);
    uint64_t start = cpu_us();
    assert_null(read_text(text));
    assert_true(cpu_us() - start < 50000);
    assert_true(has_problem(&problems, "too_many_aliases", "10000"));
}

static void an_alias_inside_its_anchor_is_refused(void **state)
{
    (void)state;
    assert_null(read_text("a: &a [1, *a]\n"));
    assert_true(has_problem(&problems, "alias_of_itself", ""));
}

static void a_small_alias_is_a_copy(void **state)
{
    (void)state;
    struct value *roots = read_text("a: &a {x: 1}\nb: *a\n");
    assert_non_null(roots);
    assert_true(slice_equal(value_at(roots->first, SLICE("b.x"))->text, SLICE("1")));
}

static void tags_and_merge_keys_are_refused(void **state)
{
    (void)state;
    assert_null(read_text("a: !!str 1\n"));
    assert_null(read_text("a: &a {x: 1}\nb:\n  <<: *a\n"));
}

static void a_syntax_error_has_line_and_column(void **state)
{
    (void)state;
    assert_null(read_text("a: 1\nb: [1, 2\nc: 3\n"));
    assert_true(problems.items[0].line >= 2);
    assert_true(slice_equal(problems.items[0].code, SLICE("syntax")));
}

static void json_goes_in_and_double_keys_do_not(void **state)
{
    (void)state;
    struct error err;
    struct value *value =
        json_read(&arena, SLICE("{\"a\": [1, true, null, \"x\"], \"b\": {}}"), &err);
    assert_non_null(value);
    assert_true(slice_equal(value_at(value, SLICE("a[1]"))->text, SLICE("true")));
    assert_null(json_read(&arena, SLICE("{\"a\": 1, \"a\": 2}"), &err));
    assert_int_equal(err.code, GW_MALFORMED);
    char deep[400] = "";
    memset(deep, '[', 200);
    assert_null(json_read(&arena, slice_from_string(deep), &err));
    assert_non_null(strstr(err.text, "64"));
}

static void a_merge_patch_sets_replaces_and_removes(void **state)
{
    (void)state;
    struct error err;
    struct value *target =
        json_read(&arena, SLICE("{\"a\":{\"b\":1,\"c\":2},\"d\":[1]}"), &err);
    struct value *patch = json_read(
        &arena, SLICE("{\"a\":{\"b\":null,\"e\":{\"f\":null,\"g\":3}},\"d\":4}"), &err);
    struct buffer out;
    struct emit emit;
    buffer_init(&out, 0);
    emit_init(&emit, &out, false);
    value_emit(&emit, value_merge(&arena, target, patch));
    buffer_append_byte(&out, '\0');
    assert_string_equal(out.data, "{\"a\":{\"c\":2,\"e\":{\"g\":3}},\"d\":4}");
    buffer_deinit(&out);
}

static const char *environment_get(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "GW_A") == 0       ? "one"
           : strcmp(name, "GW_EMPTY") == 0 ? ""
           : strcmp(name, "HOME") == 0     ? "/home"
                                           : NULL;
}

static void variables_are_filled_in_and_others_stay(void **state)
{
    (void)state;
    const struct environment environment = {.get = environment_get};
    struct value *roots = read_text("a: \"${GW_A}:${GW_B:-two}\"\nb: ${region} $${GW_A}\n"
                                    "c: ${GW_EMPTY:-three}\n${GW_A}: 1\n");
    assert_true(environment_substitute(&environment, &arena, SLICE("t.yaml"), roots->first,
                                       &problems));
    assert_true(slice_equal(value_text(roots->first, "a"), SLICE("one:two")));
    assert_true(slice_equal(value_text(roots->first, "b"), SLICE("${region} $${GW_A}")));
    assert_true(slice_equal(value_text(roots->first, "c"), SLICE("three")));
    assert_non_null(value_get(roots->first, "${GW_A}"));
}

static void an_unset_variable_is_an_error_with_its_column(void **state)
{
    (void)state;
    const struct environment environment = {.get = environment_get};
    struct value *roots = read_text("a: 1\nb: x${GW_NONE}\nc: ${HOME}\n");
    assert_false(environment_substitute(&environment, &arena, SLICE("t.yaml"), roots->first,
                                        &problems));
    assert_int_equal(problems.errors, 2);
    assert_int_equal(problems.items[0].line, 2);
    assert_int_equal(problems.items[0].column, 5);
    assert_true(has_problem(&problems, "variable_unset", "GW_NONE"));
    assert_true(has_problem(&problems, "variable_not_allowed", "HOME"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_document_becomes_a_tree_with_positions),
        TEST(a_double_key_is_an_error_with_its_place),
        TEST(a_hundred_thousand_brackets_are_refused_at_once),
        TEST(depth_of_64_is_let_through_and_65_is_not),
        TEST(a_billion_laughs_are_refused),
        TEST(an_alias_inside_its_anchor_is_refused),
        TEST(a_small_alias_is_a_copy),
        TEST(tags_and_merge_keys_are_refused),
        TEST(a_syntax_error_has_line_and_column),
        TEST(json_goes_in_and_double_keys_do_not),
        TEST(a_merge_patch_sets_replaces_and_removes),
        TEST(variables_are_filled_in_and_others_stay),
        TEST(an_unset_variable_is_an_error_with_its_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
