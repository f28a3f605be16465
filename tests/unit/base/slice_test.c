/* Slices: numbers, hex, cutting, edit distance. */
#include "base/slice.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void distance_counts_edits_and_transpositions_up_to_its_limit(void **state)
{
    (void)state;
    assert_int_equal(slice_distance(SLICE("prefix"), SLICE("prefix"), 0), 0);
    assert_int_equal(slice_distance(SLICE("prefix"), SLICE("perfix"), 2), 1);
    assert_int_equal(slice_distance(SLICE("timeot"), SLICE("timeout"), 2), 1);
    assert_int_equal(slice_distance(SLICE("timeoutt"), SLICE("timeout"), 2), 1);
    assert_int_equal(slice_distance(SLICE("listen"), SLICE("lusten"), 2), 1);
    assert_int_equal(slice_distance(SLICE(""), SLICE("ab"), 2), 2);
    assert_int_equal(slice_distance(SLICE("kitten"), SLICE("sitting"), 3), 3);
    assert_true(slice_distance(SLICE("kitten"), SLICE("sitting"), 2) == SIZE_MAX);
    assert_true(slice_distance(SLICE("abcdef"), SLICE("uvwxyz"), 2) == SIZE_MAX);
    assert_int_equal(slice_distance(SLICE("ab"), SLICE("ba"), 1), 1);
    assert_int_equal(slice_distance(SLICE("xxab"), SLICE("yxba"), 2), 2);
    char longest[300];
    memset(longest, 'a', sizeof longest);
    assert_true(slice_distance(slice_of(longest, 300), slice_of(longest, 299), 5) ==
                SIZE_MAX);
}

static void numbers_are_digits_only_and_do_not_overflow(void **state)
{
    uint64_t value = 7;
    (void)state;
    assert_true(slice_parse_u64(SLICE("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    value = 7;
    static const char *const bad[] = {
        "", "18446744073709551616", "+1", "-1", " 1", "1 ", "0x1", "1e3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(slice_parse_u64(slice_from_string(bad[i]), &value));
    assert_int_equal(value, 7);
    assert_true(slice_parse_hex(SLICE("fF"), &value));
    assert_int_equal(value, 255);
    assert_false(slice_parse_hex(SLICE("00000000000000001"), &value));
    assert_false(slice_parse_hex(SLICE("g"), &value));
}

static void hex_goes_both_ways(void **state)
{
    char text[7];
    unsigned char bytes[3];
    (void)state;
    slice_to_hex(SLICE("\x00\xab\xff"), text);
    assert_string_equal(text, "00abff");
    assert_true(slice_from_hex(SLICE("00aBff"), bytes, 3));
    assert_memory_equal(bytes, "\x00\xab\xff", 3);
    assert_false(slice_from_hex(SLICE("00abff"), bytes, 2));
    assert_false(slice_from_hex(SLICE("00abf"), bytes, 2));
    assert_false(slice_from_hex(SLICE("00abfx"), bytes, 3));
}

static void cutting_gives_each_part(void **state)
{
    struct slice rest = SLICE("a,,b,"), part;
    (void)state;
    assert_true(slice_next(&rest, ',', &part) && slice_equal(part, SLICE("a")));
    assert_true(slice_next(&rest, ',', &part) && slice_equal(part, SLICE("")));
    assert_true(slice_next(&rest, ',', &part) && slice_equal(part, SLICE("b")));
    assert_false(slice_next(&rest, ',', &part));
    assert_true(slice_equal(slice_trim(SLICE(" \t a b\t")), SLICE("a b")));
    assert_true(slice_equal(slice_trim(SLICE(" ")), SLICE("")));
}

static void searching_and_comparing(void **state)
{
    (void)state;
    assert_int_equal(slice_find(SLICE("abcabd"), SLICE("abd")), 3);
    assert_true(slice_find(SLICE("ab"), SLICE("abc")) == SIZE_MAX);
    assert_int_equal(slice_find(SLICE(""), SLICE("")), 0);
    assert_true(slice_find_byte((struct slice){NULL, 0}, 'a') == SIZE_MAX);
    assert_true(slice_compare(SLICE("a"), SLICE("ab")) < 0);
    assert_true(slice_compare(SLICE("b"), SLICE("ab")) > 0);
    assert_true(slice_compare(SLICE("\xff"), SLICE("a")) > 0);
    assert_true(slice_equal_nocase(SLICE("HoSt"), SLICE("hOsT")));
    assert_false(slice_equal_nocase(SLICE("@"), SLICE("`")));
    assert_true(slice_starts_with(SLICE("abc"), SLICE("ab")));
    assert_true(slice_ends_with(SLICE("abc"), SLICE("bc")));
    assert_false(slice_ends_with(SLICE("c"), SLICE("bc")));
    char *string = slice_to_string(SLICE("x"));
    assert_string_equal(string, "x");
    free(string);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance_counts_edits_and_transpositions_up_to_its_limit),
        cmocka_unit_test(numbers_are_digits_only_and_do_not_overflow),
        cmocka_unit_test(hex_goes_both_ways),
        cmocka_unit_test(cutting_gives_each_part),
        cmocka_unit_test(searching_and_comparing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
