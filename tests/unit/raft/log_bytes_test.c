/* The sums of a log's bytes, against a plain list of sizes. */
#include "raft/log_bytes.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void a_range_is_the_sum_of_its_entries(void **state)
{
    struct log_bytes log = {0};

    (void)state;
    log_bytes_restart(&log, 5);
    log_bytes_append(&log, 100); /* 5 */
    log_bytes_append(&log, 200);
    log_bytes_append(&log, 300);
    assert_int_equal(log_bytes_between(&log, 4, 7), 600 + 3 * LOG_ENTRY_COST);
    assert_int_equal(log_bytes_between(&log, 5, 6), 200 + LOG_ENTRY_COST);
    assert_int_equal(log_bytes_between(&log, 7, 7), 0);
    assert_int_equal(log_bytes_between(&log, 0, 99), 600 + 3 * LOG_ENTRY_COST);
    log_bytes_trim(&log, 5);
    assert_int_equal(log_bytes_between(&log, 0, 7), 500 + 2 * LOG_ENTRY_COST);
    log_bytes_truncate(&log, 7);
    assert_int_equal(log_bytes_between(&log, 0, 9), 200 + LOG_ENTRY_COST);
    log_bytes_truncate(&log, 3);
    assert_int_equal(log_bytes_between(&log, 0, 9), 0);
    assert_int_equal(log.next, 3);
    log_bytes_deinit(&log);
}

static void as_many_fit_as_the_bytes_allow(void **state)
{
    struct log_bytes log = {0};

    (void)state;
    log_bytes_restart(&log, 1);
    for (unsigned i = 0; i < 100; i++)
        log_bytes_append(&log, 1000 - LOG_ENTRY_COST);
    assert_int_equal(log_bytes_fit(&log, 100, 10000, 4096), 10);
    assert_int_equal(log_bytes_fit(&log, 100, 10999, 4096), 10);
    assert_int_equal(log_bytes_fit(&log, 100, 10000, 7), 7);
    assert_int_equal(log_bytes_fit(&log, 100, 999, 4096), 0);
    assert_int_equal(log_bytes_fit(&log, 100, 1u << 30, 4096), 100);
    log_bytes_deinit(&log);
}

/* Whatever is done to it, it says what a list says. */
static void it_agrees_with_a_plain_list(void **state)
{
    static size_t sizes[20000];
    struct log_bytes log = {0};
    uint64_t first = 1, next = 1;
    struct rng rng;

    (void)state;
    rng_init(&rng, 7);
    log_bytes_restart(&log, 1);
    for (unsigned turn = 0; turn < 20000; turn++) {
        uint64_t what = rng_below(&rng, 100);

        if (what < 90 && next < 20000) {
            sizes[next] = rng_below(&rng, 5000);
            log_bytes_append(&log, sizes[next++]);
        } else if (what < 95 && next > first) {
            next -= rng_below(&rng, next - first < 20 ? next - first : 20);
            log_bytes_truncate(&log, next);
        } else if (next > first + 1) {
            first += rng_below(&rng, (next - first) / 2 + 1);
            log_bytes_trim(&log, first - 1);
        }
        if (turn % 50 == 0) {
            uint64_t low = first - 1 + rng_below(&rng, next - first + 1);
            uint64_t high = low + rng_below(&rng, next - low), sum = 0;

            for (uint64_t i = low + 1; i <= high; i++)
                sum += sizes[i] + LOG_ENTRY_COST;
            assert_int_equal(log_bytes_between(&log, low, high), sum);
        }
    }
    log_bytes_deinit(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_is_the_sum_of_its_entries),
        cmocka_unit_test(as_many_fit_as_the_bytes_allow),
        cmocka_unit_test(it_agrees_with_a_plain_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
