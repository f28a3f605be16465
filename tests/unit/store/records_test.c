/* Records, the digest over them, and the history of their changes. */
#include "tests/unit/store/scratch.h"

#include "store/history.h"
#include "store/records.h"

static void the_digest_does_not_depend_on_order(void **state)
{
    struct scratch a, b;
    struct txn *txn;
    struct record_state one, two;
    char key[32];

    (void)state;
    scratch_init(&a);
    scratch_init(&b);
    scratch_open(&a, 0);
    scratch_open(&b, 0);
    assert_int_equal(env_begin_write(a.env, &txn), GW_OK);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "route/%u", i);
        assert_int_equal(record_put(txn, slice_from_string(key), SLICE("v"), 7), GW_OK);
    }
    assert_int_equal(record_put(txn, SLICE("gone"), SLICE("v"), 7), GW_OK);
    assert_int_equal(record_delete(txn, SLICE("gone"), 8), GW_OK);
    assert_int_equal(record_state_get(txn, &one), GW_OK);
    assert_int_equal(txn_commit(txn), GW_OK);
    assert_int_equal(env_begin_write(b.env, &txn), GW_OK);
    for (unsigned i = 100; i-- > 0;) {
        snprintf(key, sizeof key, "route/%u", i);
        assert_int_equal(record_put(txn, slice_from_string(key), SLICE("v"), 7), GW_OK);
    }
    assert_int_equal(record_state_get(txn, &two), GW_OK);
    assert_true(one.digest == two.digest && one.digest != 0);
    assert_int_equal(record_put(txn, SLICE("route/5"), SLICE("w"), 9), GW_OK);
    assert_int_equal(record_state_get(txn, &two), GW_OK);
    assert_true(one.digest != two.digest);
    txn_abort(txn);
    scratch_deinit(&a);
    scratch_deinit(&b);
}

static void a_record_knows_when_it_was_made_and_changed(void **state)
{
    struct scratch s;
    struct txn *txn;
    struct record record;

    (void)state;
    scratch_init(&s);
    scratch_open(&s, 0);
    assert_int_equal(env_begin_write(s.env, &txn), GW_OK);
    assert_int_equal(record_put(txn, SLICE("k"), SLICE("1"), 5), GW_OK);
    assert_int_equal(record_put(txn, SLICE("k"), SLICE("2"), 8), GW_OK);
    assert_int_equal(record_get(txn, SLICE("k"), &record), GW_OK);
    assert_int_equal(record.create_revision, 5);
    assert_int_equal(record.mod_revision, 8);
    txn_abort(txn);
    scratch_deinit(&s);
}

static void the_history_keeps_the_last_thousand(void **state)
{
    struct scratch s;
    struct txn *txn;
    struct buffer entry;
    uint64_t oldest, count, revision;

    (void)state;
    scratch_init(&s);
    scratch_open(&s, 0);
    assert_int_equal(env_begin_write(s.env, &txn), GW_OK);
    for (uint64_t i = 1; i <= 1200; i++) {
        buffer_init(&entry, 0);
        history_pack_header(&entry, FORMAT_NEWEST,
                            &(struct history_header){.item_count = 1});
        history_pack_item(
            &entry, FORMAT_NEWEST,
            &(struct history_item){.key = i == 700 ? SLICE("gone") : SLICE("other"),
                                   .action = HISTORY_DELETED});
        assert_int_equal(history_append(txn, i * 2, buffer_slice(&entry)), GW_OK);
        buffer_deinit(&entry);
    }
    assert_int_equal(history_oldest(txn, &oldest), GW_OK);
    assert_int_equal(oldest, 402);
    assert_int_equal(txn_count(txn, ENV_HISTORY, &count), GW_OK);
    assert_int_equal(count, 1000);
    assert_int_equal(record_last_change(txn, SLICE("gone"), &revision), GW_OK);
    assert_int_equal(revision, 1400);
    assert_int_equal(record_last_change(txn, SLICE("never"), &revision), GW_OK);
    assert_int_equal(revision, 0);
    txn_abort(txn);
    scratch_deinit(&s);
}

static void the_history_keeps_64_mib(void **state)
{
    struct scratch s;
    struct txn *txn;
    static char large[1u << 20];
    uint64_t count;

    (void)state;
    scratch_init(&s);
    scratch_open(&s, 1u << 30);
    for (uint64_t i = 1; i <= 80; i++) {
        assert_int_equal(env_begin_write(s.env, &txn), GW_OK);
        assert_int_equal(history_append(txn, i, slice_of(large, sizeof large)), GW_OK);
        assert_int_equal(txn_count(txn, ENV_HISTORY, &count), GW_OK);
        assert_int_equal(txn_commit(txn), GW_OK);
    }
    assert_int_equal(count, 64);
    scratch_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_does_not_depend_on_order),
        cmocka_unit_test(a_record_knows_when_it_was_made_and_changed),
        cmocka_unit_test(the_history_keeps_the_last_thousand),
        cmocka_unit_test(the_history_keeps_64_mib),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
