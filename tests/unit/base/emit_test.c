/* JSON output: escapes, nesting, depth. */
#include "base/emit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct buffer buffer;
static struct emit emit;

static void expect(const char *json)
{
    assert_false(buffer.failed);
    buffer_append_byte(&buffer, '\0');
    assert_string_equal(buffer.data, json);
    buffer_reset(&buffer);
}

static void expect_text(struct slice value, const char *json)
{
    emit_init(&emit, &buffer, false);
    emit_string(&emit, value);
    expect(json);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    expect_text(SLICE(""), "\"\"");
    expect_text(SLICE("a\"b\\c/"), "\"a\\\"b\\\\c/\"");
    expect_text(SLICE("\n\r\t\b\x01\0z"), "\"\\n\\r\\t\\u0008\\u0001\\u0000z\"");
    expect_text(SLICE("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"),
                "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

static void bytes_that_are_no_utf_8_become_the_replacement_character(void **state)
{
#define R "\xef\xbf\xbd"
    (void)state;
    expect_text(SLICE("a\xff"
                      "b"),
                "\"a" R "b\"");
    expect_text(SLICE("\xc3"), "\"" R "\"");                   /* cut short */
    expect_text(SLICE("\xc0\xaf"), "\"" R R "\"");             /* overlong */
    expect_text(SLICE("\xed\xa0\x80"), "\"" R R R "\"");       /* surrogate */
    expect_text(SLICE("\xf4\x90\x80\x80"), "\"" R R R R "\""); /* too high */
    expect_text(SLICE("\x80"
                      "x\xe2\x82"),
                "\"" R "x" R R "\"");
    assert_true(slice_is_utf8(SLICE("\xf4\x8f\xbf\xbf\xed\x9f\xbf")));
    assert_false(slice_is_utf8(SLICE("a\xf5\x80\x80\x80")));
}

static void commas_and_nesting_are_its_business(void **state)
{
    (void)state;
    emit_init(&emit, &buffer, false);
    emit_object(&emit);
    emit_key(&emit, "a");
    emit_array(&emit);
    emit_u64(&emit, UINT64_MAX);
    emit_i64(&emit, INT64_MIN);
    emit_object(&emit);
    emit_object_end(&emit);
    emit_array_end(&emit);
    emit_key(&emit, "b");
    emit_bool(&emit, true);
    emit_key(&emit, "c\n");
    emit_cstring(&emit, NULL);
    emit_key(&emit, "d");
    emit_u64_string(&emit, 4182);
    emit_key(&emit, "e");
    emit_raw(&emit, SLICE("[1]"));
    emit_object_end(&emit);
    expect("{\"a\":[18446744073709551615,-9223372036854775808,{}],\"b\":true,\"c\\n\":null,"
           "\"d\":\"4182\",\"e\":[1]}");
}

static void pretty_output_is_indented(void **state)
{
    (void)state;
    emit_init(&emit, &buffer, true);
    emit_object(&emit);
    emit_key(&emit, "a");
    emit_array(&emit);
    emit_u64(&emit, 1);
    emit_u64(&emit, 2);
    emit_array_end(&emit);
    emit_key(&emit, "b");
    emit_array(&emit);
    emit_array_end(&emit);
    emit_object_end(&emit);
    expect("{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": []\n}");
}

static void too_deep_fails_and_stays_in_bounds(void **state)
{
    (void)state;
    emit_init(&emit, &buffer, false);
    for (int i = 0; i < EMIT_DEPTH; i++)
        emit_array(&emit);
    assert_false(buffer.failed);
    for (int i = 0; i < 1000; i++)
        emit_array(&emit);
    assert_true(buffer.failed);
    for (int i = 0; i < 2000; i++)
        emit_array_end(&emit);
    buffer_reset(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(bytes_that_are_no_utf_8_become_the_replacement_character),
        cmocka_unit_test(commas_and_nesting_are_its_business),
        cmocka_unit_test(pretty_output_is_indented),
        cmocka_unit_test(too_deep_fails_and_stays_in_bounds),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buffer_deinit(&buffer);
    return failed;
}
