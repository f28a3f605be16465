/* The table against an array that is searched. */
#include "base/hash.h"
#include "base/rng.h"
#include "base/table.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define KEYS 300

static char keys[KEYS][16];
static void *model[KEYS];

static struct slice key_of(unsigned i)
{
    return i == 0 ? (struct slice){NULL, 0} : slice_from_string(keys[i]);
}

static void table_agrees_with_a_searched_array(void **state)
{
    struct table table;
    struct rng rng;
    (void)state;

    table_init(&table);
    rng_init(&rng, 1);
    memset(model, 0, sizeof model);
    for (unsigned i = 0; i < KEYS; i++)
        snprintf(keys[i], sizeof keys[i], "key-%u", i);
    size_t count = 0;
    for (int step = 0; step < 100000; step++) {
        unsigned i = (unsigned)rng_below(&rng, KEYS);
        if (rng_chance(&rng, 500)) {
            void *value = &keys[rng_below(&rng, KEYS)];
            assert_true(table_put(&table, key_of(i), value));
            count += model[i] == NULL;
            model[i] = value;
        } else {
            assert_ptr_equal(table_remove(&table, key_of(i)), model[i]);
            count -= model[i] != NULL;
            model[i] = NULL;
        }
        assert_int_equal(table.count, count);
        unsigned j = (unsigned)rng_below(&rng, KEYS);
        assert_ptr_equal(table_get(&table, key_of(j)), model[j]);
    }
    /* Marks of removed keys must not make it grow without end. */
    assert_true(table.capacity <= 2048);
    table_deinit(&table);
}

static void walking_gives_each_entry_once_and_may_remove_it(void **state)
{
    struct table table;
    struct table_slot *slot;
    (void)state;

    table_init(&table);
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(keys[i], sizeof keys[i], "key-%u", i);
        assert_true(table_put(&table, slice_from_string(keys[i]), keys[i]));
    }
    size_t position = 0, seen = 0;
    while ((slot = table_next(&table, &position)) != NULL) {
        seen++;
        assert_non_null(table_remove(&table, slot->key));
    }
    assert_int_equal(seen, KEYS);
    assert_int_equal(table.count, 0);
    table_deinit(&table);
    table_deinit(NULL);
}

static void an_empty_table_answers(void **state)
{
    struct table table;
    size_t position = 0;
    (void)state;
    table_init(&table);
    assert_null(table_get(&table, SLICE("a")));
    assert_null(table_remove(&table, SLICE("a")));
    assert_null(table_next(&table, &position));
}

static void keyed_hash_is_siphash_1_3(void **state)
{
    /* Reference vectors of SipHash-1-3, key 00 01 .. 0f, input 00 01 .. */
    static const char input[] = {0, 1, 2, 3, 4, 5, 6, 7};
    (void)state;
    hash_key_set(0x0706050403020100u, 0x0f0e0d0c0b0a0908u);
    assert_true(hash_keyed(slice_of(input, 0)) == 0xabac0158050fc4dcu);
    assert_true(hash_keyed(slice_of(input, 1)) == 0xc9f49bf37d57ca93u);
    assert_true(hash_keyed(slice_of(input, 8)) != hash_keyed(slice_of(input, 7)));
    assert_true(hash_stable(SLICE("a")) == hash_stable(SLICE("a")));
    assert_true(hash_stable(SLICE("")) == hash_stable((struct slice){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_agrees_with_a_searched_array),
        cmocka_unit_test(walking_gives_each_entry_once_and_may_remove_it),
        cmocka_unit_test(an_empty_table_answers),
        cmocka_unit_test(keyed_hash_is_siphash_1_3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
