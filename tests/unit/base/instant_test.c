/* Times of day to text and back. */
#include "base/instant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void times_go_both_ways(void **state)
{
    char text[INSTANT_TEXT_SIZE];
    uint64_t back;
    (void)state;
    instant_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    instant_format(1772539445678u, text);
    assert_string_equal(text, "2026-03-03T12:04:05.678Z");
    for (uint64_t ms = 1; ms < 200000000000000u; ms = ms * 3 + 12345) {
        instant_format(ms, text);
        assert_true(instant_parse(slice_from_string(text), &back));
        assert_true(back == ms);
    }
    /* Each day of a leap year and its neighbours. */
    for (uint64_t day = 10900; day < 12800; day++) {
        instant_format(day * 86400000u, text);
        assert_true(instant_parse(slice_from_string(text), &back) &&
                    back == day * 86400000u);
    }
}

static void offsets_and_fractions_are_read(void **state)
{
    uint64_t ms;
    (void)state;
    assert_true(instant_parse(SLICE("1970-01-01T01:30:00.5+01:00"), &ms) && ms == 1800500);
    assert_true(instant_parse(SLICE("1970-01-01T00:00:00-00:30"), &ms) && ms == 1800000);
    assert_true(instant_parse(SLICE("2024-02-29T00:00:00.123456789z"), &ms));
    assert_int_equal(ms % 1000, 123);
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-02-29T00:00:00Z",
                                      "2026-13-01T00:00:00Z",
                                      "2026-00-01T00:00:00Z",
                                      "2026-01-01T24:00:00Z",
                                      "2026-01-01T00:60:00Z",
                                      "2026-01-01T00:00:00",
                                      "2026-01-01T00:00:00.Z",
                                      "2026-01-01T00:00:00Zx",
                                      "1969-12-31T23:59:59Z",
                                      "1970-01-01T00:00:00+00:01",
                                      "2026-01-01T00:00:00+1:00",
                                      "2026-1-01T00:00:00Z"};
    uint64_t ms;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(instant_parse(slice_from_string(bad[i]), &ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_go_both_ways),
        cmocka_unit_test(offsets_and_fractions_are_read),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
