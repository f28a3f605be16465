/* Changes of the configuration: all or nothing, preconditions, what history says. */
#include "tests/unit/raft/machine.h"

static void a_transaction_changes_all_or_nothing(void **state)
{
    struct machine m;
    struct transaction_item items[] = {
        {.key = SLICE("route/a"), .value = SLICE("1")},
        {.key = SLICE("route/b"),
         .value = SLICE("2"),
         .has_expected = true,
         .expected_mod_revision = 99},
    };

    (void)state;
    m_init(&m);
    assert_int_equal(m_change(&m, items, 2, ANY_REVISION, &plain), GW_PRECONDITION);
    assert_int_equal(m.detail.key_count, 1);
    assert_true(slice_equal(m.detail.keys[0], SLICE("route/b")));
    assert_false(m_has(&m, "route/a", "1"));
    assert_int_equal(m_state(&m).revision, 0);
    items[1].expected_mod_revision = 0; /* must be absent: it is */
    assert_int_equal(m_change(&m, items, 2, ANY_REVISION, &plain), GW_OK);
    assert_true(m_has(&m, "route/a", "1") && m_has(&m, "route/b", "2"));
    assert_int_equal(m_state(&m).revision, m.index);
    assert_true(m.answer.configuration);
    assert_int_equal(m_state(&m).conf_sequence, 1);
    m_deinit(&m);
}

static void a_change_to_what_is_there_already_moves_nothing(void **state)
{
    struct machine m;
    uint64_t revision;

    (void)state;
    m_init(&m);
    assert_int_equal(m_put(&m, "route/a", "1"), GW_OK);
    revision = m_state(&m).revision;
    assert_int_equal(m_put(&m, "route/a", "1"), GW_OK);
    assert_false(m.answer.configuration);
    assert_int_equal(m_state(&m).revision, revision);
    assert_int_equal(m_state(&m).applied, m.index);
    m_deinit(&m);
}

static void a_change_that_extends_another_sequence_is_tried_again(void **state)
{
    struct machine m;
    struct buffer command;
    struct transaction_item item = {.key = SLICE("route/a"), .value = SLICE("1")};

    (void)state;
    m_init(&m);
    buffer_init(&command, 0);
    assert_true(transaction_encode(
        &command, &plain,
        &(struct transaction){.conf_sequence = 7, .items = &item, .item_count = 1}));
    assert_int_equal(m_apply(&m, &command), GW_AGAIN);
    assert_false(m_has(&m, "route/a", "1"));
    m_deinit(&m);
}

static void if_revision_fails_for_a_key_changed_or_deleted_since(void **state)
{
    struct machine m;
    uint64_t before;
    struct transaction_item gone = {.key = SLICE("route/b"), .is_delete = true};
    struct transaction_item both[] = {{.key = SLICE("route/a"), .value = SLICE("9")},
                                      {.key = SLICE("route/b"), .value = SLICE("9")}};

    (void)state;
    m_init(&m);
    assert_int_equal(m_put(&m, "route/a", "1"), GW_OK);
    assert_int_equal(m_put(&m, "route/b", "1"), GW_OK);
    before = m_state(&m).revision;
    assert_int_equal(m_change(&m, &gone, 1, before, &plain), GW_OK);
    assert_int_equal(m_change(&m, both, 2, before, &plain), GW_CONFLICT);
    assert_int_equal(m.detail.key_count, 1);
    assert_true(slice_equal(m.detail.keys[0], SLICE("route/b"))); /* a tombstone counts */
    assert_int_equal(m_put(&m, "route/a", "2"), GW_OK);
    assert_int_equal(m_change(&m, both, 2, before, &plain), GW_CONFLICT);
    assert_int_equal(m.detail.key_count, 2);
    assert_int_equal(m_change(&m, both, 2, m_state(&m).revision, &plain), GW_OK);
    m_deinit(&m);
}

static void if_revision_0_takes_only_what_was_never_there(void **state)
{
    struct machine m;
    struct transaction_item put = {.key = SLICE("route/a"), .value = SLICE("1")};
    struct transaction_item gone = {.key = SLICE("route/a"), .is_delete = true};

    (void)state;
    m_init(&m);
    assert_int_equal(m_change(&m, &put, 1, 0, &plain), GW_OK);
    put.value = SLICE("2");
    assert_int_equal(m_change(&m, &put, 1, 0, &plain), GW_CONFLICT);
    assert_true(slice_equal(m.detail.keys[0], SLICE("route/a")));
    assert_int_equal(m_change(&m, &gone, 1, ANY_REVISION, &plain), GW_OK);
    assert_int_equal(m_change(&m, &put, 1, 0, &plain), GW_CONFLICT); /* it was */
    put.key = SLICE("route/b");
    assert_int_equal(m_change(&m, &put, 1, 0, &plain), GW_OK);
    m_deinit(&m);
}

static void reserved_and_repeated_keys_are_refused(void **state)
{
    struct machine m;
    struct transaction_item twice[] = {{.key = SLICE("route/a"), .value = SLICE("1")},
                                       {.key = SLICE("route/a"), .is_delete = true}};

    (void)state;
    m_init(&m);
    assert_int_equal(m_put(&m, "_node/1", "x"), GW_INVALID);
    assert_int_equal(m_change(&m, twice, 2, ANY_REVISION, &plain), GW_INVALID);
    m_deinit(&m);
}

static void the_history_says_what_was_there_before(void **state)
{
    struct machine m;
    struct unpack in;
    struct history_header header;
    struct history_item item;
    struct slice packed;
    struct transaction_item changes[] = {{.key = SLICE("route/a"), .value = SLICE("2")},
                                         {.key = SLICE("route/b"), .value = SLICE("new")}};

    (void)state;
    m_init(&m);
    assert_int_equal(m_put(&m, "route/a", "1"), GW_OK);
    assert_int_equal(m_change(&m, changes, 2, ANY_REVISION, &plain), GW_OK);
    assert_int_equal(history_get(m.txn, m.index, &packed), GW_OK);
    assert_true(history_entry_open(packed, &in, &header));
    assert_int_equal(header.item_count, 2);
    assert_true(slice_equal(header.actor, SLICE("ann")));
    assert_true(history_entry_next(&in, &item));
    assert_int_equal(item.action, HISTORY_CHANGED);
    assert_true(slice_equal(item.old_value, SLICE("1")));
    assert_int_equal(item.old_mod_revision, m.index - 1);
    assert_true(history_entry_next(&in, &item));
    assert_int_equal(item.action, HISTORY_CREATED);
    assert_true(unpack_done(&in));
    m_deinit(&m);
}

static void ten_thousand_routes_go_in_one_transaction(void **state)
{
    struct machine m;
    struct transaction_item *items = calloc(10000, sizeof *items);
    static char keys[10000][20];

    (void)state;
    m_init(&m);
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(keys[i], sizeof keys[i], "route/r%u", i);
        items[i] = (struct transaction_item){.key = slice_from_string(keys[i]),
                                             .value = SLICE("value")};
    }
    assert_int_equal(m_change(&m, items, 10000, ANY_REVISION, &plain), GW_OK);
    assert_true(m_has(&m, "route/r9999", "value"));
    free(items);
    m_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_changes_all_or_nothing),
        cmocka_unit_test(a_change_to_what_is_there_already_moves_nothing),
        cmocka_unit_test(a_change_that_extends_another_sequence_is_tried_again),
        cmocka_unit_test(if_revision_fails_for_a_key_changed_or_deleted_since),
        cmocka_unit_test(if_revision_0_takes_only_what_was_never_there),
        cmocka_unit_test(reserved_and_repeated_keys_are_refused),
        cmocka_unit_test(the_history_says_what_was_there_before),
        cmocka_unit_test(ten_thousand_routes_go_in_one_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
