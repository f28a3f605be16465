/* Bodies that are read by hand: what would be passed over is refused. */
#include "fixture.h"

#include "model/form.h"

static const struct form form = {
    .fields = {{"kind", FORM_TEXT},
               {"to", FORM_TEXT | FORM_NUMBER},
               {"ca", FORM_FLAG},
               {"headers", FORM_LIST}},
    .refusal = GW_INVALID,
};

/* The refusal's words; NULL: it is taken. Valid until the next. */
static const char *refusal(const struct form *of, const char *body, enum result code)
{
    static struct error err;
    struct arena arena;

    err = (struct error)ERROR_NONE;
    arena_init(&arena, 4096, 64u << 10);
    const struct value *root = form_read(of, &arena, slice_from_string(body), &err);
    assert_int_equal(root == NULL, err.code != GW_OK);
    if (root == NULL)
        assert_int_equal(err.code, code);
    arena_deinit(&arena);
    return root == NULL ? err.text : NULL;
}

static void check_refused(const char *body, const char *words)
{
    const char *text = refusal(&form, body, GW_INVALID);

    assert_non_null(text);
    assert_string_equal(text, words);
}

static void each_field_is_of_its_kind(void **state)
{
    (void)state;
    check_refused("{\"kind\":[\"route\"]}", "kind: a string is needed");
    check_refused("{\"kind\":{}}", "kind: a string is needed");
    check_refused("{\"kind\":5}", "kind: a string is needed");
    check_refused("{\"kind\":true}", "kind: a string is needed");
    check_refused("{\"to\":[3]}", "to: a number is needed");
    check_refused("{\"to\":false}", "to: a number is needed");
    check_refused("{\"ca\":[true]}", "ca: true or false is needed");
    check_refused("{\"ca\":\"true\"}", "ca: true or false is needed");
    check_refused("{\"ca\":1}", "ca: true or false is needed");
    check_refused("{\"headers\":\"a: b\"}", "headers: a list is needed");
}

static void what_is_of_its_kind_is_taken_and_null_is_absent(void **state)
{
    (void)state;
    assert_null(refusal(&form, "{}", GW_OK));
    assert_null(
        refusal(&form, "{\"kind\":\"a\",\"to\":3,\"ca\":false,\"headers\":[1]}", GW_OK));
    assert_null(refusal(&form, "{\"to\":\"3\"}", GW_OK));
    assert_null(refusal(&form, "{\"kind\":null,\"to\":null,\"ca\":null}", GW_OK));
}

static void an_unknown_field_is_named_and_the_known_ones_are_listed(void **state)
{
    (void)state;
    check_refused("{\"kind\":\"a\",\"knd\":\"b\"}",
                  "unknown field 'knd' in the body; there are: kind, to, ca, headers");
    check_refused("{\"\":null}",
                  "unknown field '' in the body; there are: kind, to, ca, headers");
}

static void a_body_is_an_object(void **state)
{
    static const char *const bodies[] = {"[]", "5", "\"kind\"", "null", "true"};

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        check_refused(bodies[i], "the body is an object: kind, to, ca, headers");
    assert_non_null(refusal(&form, "{", GW_MALFORMED));
    assert_non_null(refusal(&form, "{\"to\":1,\"to\":2}", GW_MALFORMED));
}

static void nothing_at_all_is_taken_where_that_means_something(void **state)
{
    struct form optional = form;

    (void)state;
    optional.may_be_missing = true;
    assert_non_null(refusal(&form, "", GW_MALFORMED));
    assert_null(refusal(&optional, "", GW_OK));
    assert_non_null(refusal(&optional, " ", GW_MALFORMED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_field_is_of_its_kind),
        cmocka_unit_test(what_is_of_its_kind_is_taken_and_null_is_absent),
        cmocka_unit_test(an_unknown_field_is_named_and_the_known_ones_are_listed),
        cmocka_unit_test(a_body_is_an_object),
        cmocka_unit_test(nothing_at_all_is_taken_where_that_means_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
