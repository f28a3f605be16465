/* Which files in a directory of backups are this node's. */
#include "node/control/schedule.h"

#include "base/instant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_name_says_whose_and_when(void **state)
{
    uint64_t made_ms = 0, wanted_ms;

    (void)state;
    assert_true(
        schedule_is_ours(SLICE("eu-1-20260102T030405Z-r4183.gwsnap"), "eu-1", &made_ms));
    assert_true(instant_parse(SLICE("2026-01-02T03:04:05Z"), &wanted_ms));
    assert_int_equal(made_ms, wanted_ms);
}

static void what_only_looks_like_it_is_left_alone(void **state)
{
    static const char *const names[] = {
        "eu-10-20260102T030405Z-r4183.gwsnap", /* another node's */
        "us-1-20260102T030405Z-r4183.gwsnap",
        "eu-1-x-20260102T030405Z-r1.gwsnap",
        "eu-1-20260102T030405Z-r.gwsnap",
        "eu-1-20260102T030405Z-r12x.gwsnap",
        "eu-1-20261302T030405Z-r1.gwsnap",
        "eu-1-20260102 030405Z-r1.gwsnap",
        "eu-1-20260102T030405Z-r1.gwsnap.part",
        ".eu-1.gwsnap.part",
        "eu-1.gwsnap",
        "eu-1-.gwsnap",
        "eu-1",
        "",
    };
    uint64_t made_ms;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_false(schedule_is_ours(slice_from_string(names[i]), "eu-1", &made_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_says_whose_and_when),
        cmocka_unit_test(what_only_looks_like_it_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
