/* The problem document: every key, always. */
#include "model/problem_document.h"
#include "model/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const keys[] = {"type",   "title",  "status",   "code",
                                   "detail", "errors", "revision", "changed"};

static void every_result_gives_every_key(void **state)
{
    (void)state;
    for (int code = GW_FAILED; code < GW_RESULT_COUNT; code++) {
        struct arena arena;
        struct buffer out;
        struct error err = {.code = (enum result)code}, why = ERROR_NONE;

        arena_init(&arena, 0, 0);
        buffer_init(&out, 0);
        assert_int_equal(problem_write(&out, &err, NULL),
                         result_http_status((enum result)code));
        struct value *document = json_read(&arena, buffer_slice(&out), &why);
        assert_non_null(document);
        assert_int_equal(document->count, sizeof keys / sizeof keys[0]);
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            assert_non_null(value_get(document, keys[i]));
        assert_true(slice_equal(value_text(document, "code"),
                                slice_from_string(result_word((enum result)code))));
        buffer_deinit(&out);
        arena_deinit(&arena);
    }
}

static void a_conflict_names_the_changed_keys(void **state)
{
    (void)state;
    const struct slice changed[] = {SLICE("route/a"), SLICE("service/b")};
    const struct problem_extra extra = {
        .revision = 4183, .changed = changed, .changed_count = 2};
    struct error err = {.code = GW_CONFLICT, .text = "changed since 4180"};
    struct buffer out;

    buffer_init(&out, 0);
    assert_int_equal(problem_write(&out, &err, &extra), 409);
    assert_true(
        slice_find(
            buffer_slice(&out),
            SLICE("\"revision\":\"4183\",\"changed\":[\"route/a\",\"service/b\"]")) !=
        SIZE_MAX);
    buffer_deinit(&out);
}

static void errors_carry_path_and_hint(void **state)
{
    (void)state;
    struct problems problems;
    struct problem place = {.path = SLICE("objects[3].spec.timeot"),
                            .hint = SLICE("did you mean 'timeout'?")};
    const struct problem_extra extra = {.problems = &problems};
    struct error err = {.code = GW_INVALID, .text = "unknown field"};
    struct buffer out;

    problems_init(&problems);
    problems_add(&problems, &place, "unknown_field", "unknown field 'timeot'");
    buffer_init(&out, 0);
    assert_int_equal(problem_write(&out, &err, &extra), 422);
    assert_true(slice_find(buffer_slice(&out), SLICE("objects[3].spec.timeot")) !=
                SIZE_MAX);
    assert_true(slice_find(buffer_slice(&out), SLICE("did you mean")) != SIZE_MAX);
    buffer_deinit(&out);
    problems_deinit(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_gives_every_key),
        cmocka_unit_test(a_conflict_names_the_changed_keys),
        cmocka_unit_test(errors_carry_path_and_hint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
