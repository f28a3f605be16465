/* When a disk is low. What follows from that: tests/e2e/disk_low_test.sh,
 * disk_full_test.sh. */
#include "node/control/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MIB (1ull << 20)

static void a_disk_below_the_least_is_low_and_stays_so_for_a_while(void **state)
{
    (void)state;
    assert_false(disk_is_low(512 * MIB, 512 * MIB, false));
    assert_true(disk_is_low(512 * MIB - 1, 512 * MIB, false));
    assert_true(disk_is_low(512 * MIB, 512 * MIB, true));
    assert_true(disk_is_low(575 * MIB, 512 * MIB, true));
    assert_false(disk_is_low(576 * MIB, 512 * MIB, true));
}

static void with_no_least_none_is_low(void **state)
{
    (void)state;
    assert_false(disk_is_low(0, 0, false));
    assert_false(disk_is_low(0, 0, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disk_below_the_least_is_low_and_stays_so_for_a_while),
        cmocka_unit_test(with_no_least_none_is_low),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
