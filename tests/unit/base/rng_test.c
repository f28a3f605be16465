/* Chance: the same from the same seed, within bounds; and lists. */
#include "base/list.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_seed_gives_one_sequence(void **state)
{
    struct rng a, b;
    (void)state;
    rng_init(&a, 42);
    rng_init(&b, 42);
    for (int i = 0; i < 100; i++)
        assert_true(rng_next(&a) == rng_next(&b));
    rng_init_random(&a);
    rng_init_random(&b);
    assert_true(rng_next(&a) != rng_next(&b));
}

static void results_stay_in_bounds_and_reach_them(void **state)
{
    struct rng rng;
    unsigned seen[7] = {0}, hits = 0;
    (void)state;
    rng_init(&rng, 1);
    for (int i = 0; i < 70000; i++)
        seen[rng_between(&rng, 10, 16) - 10]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 9500, 10500);
    for (int i = 0; i < 100000; i++)
        hits += rng_chance(&rng, 250);
    assert_in_range(hits, 24000, 26000);
    assert_int_equal(rng_below(&rng, 1), 0);
    assert_false(rng_chance(&rng, 0));
    assert_true(rng_chance(&rng, 1000));
    rng_between(&rng, 0, UINT64_MAX);
}

static void lists_move_whole(void **state)
{
    struct list_link a, b, items[4] = {{0}};
    int count = 0;
    (void)state;
    list_init(&a);
    list_init(&b);
    for (int i = 0; i < 4; i++)
        list_append(i < 2 ? &a : &b, &items[i]);
    list_move_all(&a, &b);
    assert_true(list_is_empty(&b));
    list_each (&a, link) {
        assert_ptr_equal(link, &items[count++]);
        list_remove(link);
        list_remove(link);
    }
    assert_int_equal(count, 4);
    assert_null(list_take_first(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_one_sequence),
        cmocka_unit_test(results_stay_in_bounds_and_reach_them),
        cmocka_unit_test(lists_move_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
