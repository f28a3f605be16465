/* A dump in one piece: the same state elsewhere, or nothing. */
#include "tests/unit/store/state.h"

#include "store/dump.h"

static void a_dump_makes_the_same_state_elsewhere(void **state)
{
    struct scratch a, b;
    struct buffer dump, again;
    struct dump_header header;
    struct record_state one, two;
    struct txn *txn;

    (void)state;
    scratch_init(&a);
    scratch_init(&b);
    scratch_open(&a, 0);
    scratch_open(&b, 0);
    make_state(a.env, 300); /* several chunks */
    make_state(b.env, 3);
    buffer_init(&dump, 0);
    buffer_init(&again, 0);
    assert_int_equal(dump_build(a.env, &dump), GW_OK);
    assert_int_equal(dump_check(buffer_slice(&dump), &header), GW_OK);
    assert_int_equal(header.label.index, 40);
    assert_int_equal(header.label.term, 2);
    assert_int_equal(header.rows[0], 300);
    assert_int_equal(env_begin_write(b.env, &txn), GW_OK);
    assert_int_equal(dump_install(txn, buffer_slice(&dump)), GW_OK);
    assert_int_equal(txn_commit(txn), GW_OK);
    assert_int_equal(env_begin_read(a.env, &txn), GW_OK);
    assert_int_equal(record_state_get(txn, &one), GW_OK);
    txn_abort(txn);
    assert_int_equal(env_begin_read(b.env, &txn), GW_OK);
    assert_int_equal(record_state_get(txn, &two), GW_OK);
    txn_abort(txn);
    assert_memory_equal(&one, &two, sizeof one);
    assert_int_equal(dump_build(b.env, &again), GW_OK);
    assert_true(slice_equal(buffer_slice(&dump), buffer_slice(&again)));
    buffer_deinit(&dump);
    buffer_deinit(&again);
    scratch_deinit(&a);
    scratch_deinit(&b);
}

static void a_damaged_dump_is_refused_and_changes_nothing(void **state)
{
    struct scratch s;
    struct buffer dump;
    struct record_state before, after;
    struct dump_header header;
    struct txn *txn;
    struct rng rng;

    (void)state;
    rng_init(&rng, 5);
    scratch_init(&s);
    scratch_open(&s, 0);
    make_state(s.env, 200);
    buffer_init(&dump, 0);
    assert_int_equal(dump_build(s.env, &dump), GW_OK);
    assert_int_equal(env_begin_write(s.env, &txn), GW_OK);
    assert_int_equal(record_state_get(txn, &before), GW_OK);
    for (unsigned i = 0; i < 2000; i++) {
        size_t at = i < 400 ? i % dump.size : rng_below(&rng, dump.size);
        char bit = (char)(1 << rng_below(&rng, 8));

        dump.data[at] ^= bit;
        assert_int_not_equal(dump_check(buffer_slice(&dump), &header), GW_OK);
        if (i % 50 == 0)
            assert_int_not_equal(dump_install(txn, buffer_slice(&dump)), GW_OK);
        dump.data[at] ^= bit;
    }
    for (unsigned i = 0; i < 500; i++) {
        size_t size = i < 100 ? i : rng_below(&rng, dump.size);
        assert_int_not_equal(dump_check(slice_of(dump.data, size), &header), GW_OK);
    }
    assert_int_equal(record_state_get(txn, &after), GW_OK);
    assert_memory_equal(&before, &after, sizeof before);
    txn_abort(txn);
    buffer_deinit(&dump);
    scratch_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dump_makes_the_same_state_elsewhere),
        cmocka_unit_test(a_damaged_dump_is_refused_and_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
