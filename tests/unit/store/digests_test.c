/* What the state was at an index, as far back as it is kept. */
#include "store/digests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct digests digests;

static void the_last_ones_are_kept(void **state)
{
    uint64_t digest = 0;

    (void)state;
    digests_init(&digests);
    digests_reset(&digests, 10, 1);
    for (uint64_t i = 1; i <= 3 * DIGESTS_KEPT; i++) {
        digests_add(&digests, 10 + 2 * i, i);
        assert_true(digests_at(&digests, 10 + 2 * i, &digest));
        assert_int_equal(digest, i);
        assert_false(digests_at(&digests, 10 + 2 * i + 1, &digest));
        assert_false(digests_at(&digests, 10 + 2 * i - 1, &digest)); /* no entry of ours */
        uint64_t oldest = i < DIGESTS_KEPT ? 0 : i - DIGESTS_KEPT + 1;
        assert_true(digests_at(&digests, 10 + 2 * oldest, &digest));
        assert_int_equal(digest, oldest == 0 ? 1 : oldest);
        assert_false(oldest > 0 && digests_at(&digests, 10 + 2 * (oldest - 1), &digest));
    }
    digests_deinit(&digests);
}

static void a_state_that_was_replaced_is_forgotten(void **state)
{
    uint64_t digest = 0;

    (void)state;
    digests_init(&digests);
    assert_false(digests_at(&digests, 0, &digest));
    digests_reset(&digests, 10, 1);
    digests_add(&digests, 11, 2);
    digests_reset(&digests, 500, 3);
    assert_false(digests_at(&digests, 11, &digest));
    assert_true(digests_at(&digests, 500, &digest));
    assert_int_equal(digest, 3);
    digests_deinit(&digests);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_ones_are_kept),
        cmocka_unit_test(a_state_that_was_replaced_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
