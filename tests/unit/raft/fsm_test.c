/* The state machine: exactly once, log time, garbage. */
#include "tests/unit/raft/machine.h"

#include "raft/node_record.h"

/* --- exactly once --- */

static struct command_header session(const char *client, uint64_t sequence,
                                     uint64_t stamp_ms)
{
    return (struct command_header){
        .client = slice_of(client, 16), .sequence = sequence, .stamp_ms = stamp_ms};
}

static void a_repeated_command_is_answered_and_not_run_again(void **state)
{
    struct machine m;
    struct transaction_item one = {.key = SLICE("route/a"), .value = SLICE("1")};
    struct transaction_item two = {.key = SLICE("route/a"), .value = SLICE("2")};
    struct command_header first = session("client-number-01", 1, 10);
    struct command_header second = session("client-number-01", 2, 10);

    (void)state;
    m_init(&m);
    assert_int_equal(m_change(&m, &one, 1, ANY_REVISION, &first), GW_OK);
    uint64_t revision = m.answer.revision;
    assert_int_equal(m_change(&m, &two, 1, ANY_REVISION, &second), GW_OK);
    /* A retry of the second, by then with another sequence to extend. */
    assert_int_equal(m_change(&m, &one, 1, ANY_REVISION, &second), GW_OK);
    assert_true(m_has(&m, "route/a", "2"));
    assert_false(m.answer.configuration);
    assert_int_equal(m.answer.revision, revision + 1);
    /* What came before the last is known to be done, but not what it said. */
    assert_int_equal(m_change(&m, &one, 1, ANY_REVISION, &first), GW_SESSION_EXPIRED);
    m_deinit(&m);
}

static void a_refusal_is_remembered_but_try_again_is_not(void **state)
{
    struct machine m;
    struct buffer command;
    struct transaction_item item = {.key = SLICE("route/a"),
                                    .value = SLICE("1"),
                                    .has_expected = true,
                                    .expected_mod_revision = 77};
    struct command_header header = session("client-number-02", 1, 10);

    (void)state;
    m_init(&m);
    buffer_init(&command, 0);
    transaction_encode(
        &command, &header,
        &(struct transaction){.conf_sequence = 5, .items = &item, .item_count = 1});
    assert_int_equal(m_apply(&m, &command), GW_AGAIN);
    assert_int_equal(m_change(&m, &item, 1, ANY_REVISION, &header), GW_PRECONDITION);
    item.has_expected = false;
    assert_int_equal(m_change(&m, &item, 1, ANY_REVISION, &header), GW_PRECONDITION);
    assert_int_equal(m.detail.key_count, 1); /* with its detail */
    m_deinit(&m);
}

static void an_unknown_session_runs_nothing_but_its_first(void **state)
{
    struct machine m;
    struct transaction_item item = {.key = SLICE("route/a"), .value = SLICE("1")};
    struct command_header header = session("client-number-03", 2, 10);

    (void)state;
    m_init(&m);
    assert_int_equal(m_change(&m, &item, 1, ANY_REVISION, &header), GW_SESSION_EXPIRED);
    assert_false(m_has(&m, "route/a", "1"));
    m_deinit(&m);
}

static void a_session_ends_after_ten_minutes_of_log_time(void **state)
{
    struct machine m;
    struct transaction_item item = {.key = SLICE("route/a"), .value = SLICE("1")};
    struct command_header first = session("client-number-04", 1, 1000);
    struct command_header early =
        session("client-number-04", 2, 1000 + SESSION_LIFETIME_MS - 1);
    struct command_header late =
        session("client-number-04", 3, 1000 + 2 * SESSION_LIFETIME_MS);

    (void)state;
    m_init(&m);
    assert_int_equal(m_change(&m, &item, 1, ANY_REVISION, &first), GW_OK);
    assert_int_equal(m_change(&m, &item, 1, ANY_REVISION, &early), GW_OK);
    assert_int_equal(m_change(&m, &item, 1, ANY_REVISION, &late), GW_SESSION_EXPIRED);
    m_deinit(&m);
}

static void there_are_ten_thousand_sessions_at_most(void **state)
{
    struct machine m;
    struct buffer command;
    char client[17];
    uint64_t rows;

    (void)state;
    m_init(&m);
    for (unsigned i = 0; i < SESSION_LIMIT + 100; i++) {
        snprintf(client, sizeof client, "client-%09u", i);
        struct command_header header = session(client, 1, 1000 + i / 100);
        struct token_record token = {.id = slice_of(client, 16),
                                     .hash =
                                         slice_of("0123456789abcdef0123456789abcdef", 32),
                                     .role = SLICE("auto")};
        buffer_init(&command, 0);
        token_put_encode(&command, &header, &token);
        assert_int_equal(m_apply(&m, &command), GW_OK);
    }
    assert_int_equal(txn_count(m.txn, ENV_SESSIONS, &rows), GW_OK);
    assert_int_equal(rows, 2 * SESSION_LIMIT);
    m_deinit(&m);
}

/* --- log time --- */

static void log_time_never_goes_back(void **state)
{
    struct machine m;
    struct buffer command;

    (void)state;
    m_init(&m);
    static const uint64_t stamps[] = {50, 20, 70, 60}, expected[] = {50, 50, 70, 70};
    for (unsigned i = 0; i < 4; i++) {
        buffer_init(&command, 0);
        tick_encode(&command, &(struct command_header){.stamp_ms = stamps[i]});
        assert_int_equal(m_apply(&m, &command), GW_OK);
        assert_int_equal(m_state(&m).now_ms, expected[i]);
        assert_int_equal(m.answer.now_ms, expected[i]);
    }
    assert_int_equal(m_state(&m).revision, 0);
    m_deinit(&m);
}

static void garbage_is_answered_alike_everywhere(void **state)
{
    struct machine m;
    struct rng rng;
    char bytes[64];

    (void)state;
    m_init(&m);
    rng_init(&rng, 9);
    for (unsigned i = 0; i < 5000; i++) {
        struct buffer command;

        buffer_init(&command, 0);
        size_t size = rng_below(&rng, sizeof bytes);
        for (size_t k = 0; k < size; k++)
            bytes[k] = (char)rng_next(&rng);
        if (i % 2 == 0)
            command_begin(&command, &(struct command_header){
                                        .number = 1 + (uint32_t)rng_below(&rng, 8)});
        buffer_append(&command, bytes, size);
        enum result result = m_apply(&m, &command);
        assert_true(result == GW_MALFORMED || (result == GW_OK && size == 0) ||
                    result == GW_NOT_FOUND);
        assert_int_equal(m_state(&m).applied, m.index);
    }
    m_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeated_command_is_answered_and_not_run_again),
        cmocka_unit_test(a_refusal_is_remembered_but_try_again_is_not),
        cmocka_unit_test(an_unknown_session_runs_nothing_but_its_first),
        cmocka_unit_test(a_session_ends_after_ten_minutes_of_log_time),
        cmocka_unit_test(there_are_ten_thousand_sessions_at_most),
        cmocka_unit_test(log_time_never_goes_back),
        cmocka_unit_test(garbage_is_answered_alike_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
