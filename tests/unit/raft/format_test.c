/* The stored format: what waits for it, how it rises, whom it keeps out. */
#include "tests/unit/store/scratch.h"

#include "raft/fsm.h"
#include "raft/system.h"
#include "store/dump.h"
#include "store/history.h"
#include "store/meta.h"

struct machine {
    struct scratch s;
    struct txn *txn;
    struct fsm fsm;
    uint64_t index;
    enum result outcome; /* of fsm_apply itself */
};

static const struct command_header plain = {.stamp_ms = 100, .actor = {"ann", 3}};

static void m_init(struct machine *m)
{
    memset(m, 0, sizeof *m);
    scratch_init(&m->s);
    scratch_open(&m->s, 1u << 28);
    m->fsm = (struct fsm){cluster_commands, cluster_command_count};
    assert_int_equal(env_begin_write(m->s.env, &m->txn), GW_OK);
}

static void m_deinit(struct machine *m)
{
    txn_abort(m->txn);
    scratch_deinit(&m->s);
}

/* Frees the command. */
static enum result m_apply(struct machine *m, struct buffer *command)
{
    struct store_answer answer = {0};

    assert_false(command->failed);
    m->outcome = fsm_apply(&m->fsm, m->txn, ++m->index, buffer_slice(command), &answer);
    free((void *)(uintptr_t)answer.detail.data);
    buffer_deinit(command);
    return answer.result;
}

static enum result m_system(struct machine *m)
{
    const struct system_item item = {.key = SLICE("_keys"), .value = SLICE("x")};
    struct buffer command;

    buffer_init(&command, 0);
    assert_true(system_encode(&command, &plain, &item, 1));
    return m_apply(m, &command);
}

static enum result m_format(struct machine *m, uint64_t format)
{
    struct buffer command;

    buffer_init(&command, 0);
    assert_true(format_encode(&command, &plain, format));
    return m_apply(m, &command);
}

static enum result m_put(struct machine *m, const char *value, const char *message)
{
    const struct transaction_item item = {.key = SLICE("route/a"),
                                          .value = slice_from_string(value)};
    struct transaction transaction = {
        .items = &item, .item_count = 1, .message = slice_from_string(message)};
    struct record_state state;
    struct buffer command;

    assert_int_equal(record_state_get(m->txn, &state), GW_OK);
    transaction.conf_sequence = state.conf_sequence;
    buffer_init(&command, 0);
    assert_true(transaction_encode(&command, &plain, &transaction));
    return m_apply(m, &command);
}

static uint64_t m_stored(struct machine *m)
{
    uint64_t format = 0;

    assert_int_equal(format_get(m->txn, &format), GW_OK);
    return format;
}

/* The newest entry of the history: its message, and what it says of the creation. */
static uint64_t m_history(struct machine *m, char *ret_message)
{
    struct history_header header;
    struct history_item item;
    struct slice packed;
    struct unpack in;

    assert_int_equal(history_get(m->txn, m->index, &packed), GW_OK);
    assert_true(history_entry_open(packed, &in, &header));
    assert_true(history_entry_next(&in, &item));
    assert_true(unpack_done(&in));
    sprintf(ret_message, "%.*s", SLICE_ARG(header.message));
    return item.old_create_revision;
}

static void what_is_new_waits_for_the_format(void **state)
{
    struct machine m;
    char message[64];

    (void)state;
    m_init(&m);
    assert_int_equal(m_stored(&m), 1);
    assert_int_equal(m_system(&m), GW_MALFORMED);
    assert_int_equal(m_put(&m, "one", "why"), GW_MALFORMED);
    assert_int_equal(m_put(&m, "one", ""), GW_OK);
    assert_int_equal(m_put(&m, "two", ""), GW_OK);
    assert_int_equal(m_history(&m, message), 0);

    assert_int_equal(m_format(&m, 2), GW_OK);
    assert_int_equal(m_stored(&m), 2);
    assert_int_equal(m_system(&m), GW_OK);
    assert_int_equal(m_put(&m, "three", "why"), GW_OK);
    assert_int_equal(m_history(&m, message), 3); /* created by the third entry */
    assert_string_equal(message, "why");
    m_deinit(&m);
}

static void it_only_rises(void **state)
{
    struct machine m;

    (void)state;
    m_init(&m);
    assert_int_equal(m_format(&m, 2), GW_OK);
    assert_int_equal(m_format(&m, 1), GW_OK);
    assert_int_equal(m_format(&m, 2), GW_OK);
    assert_int_equal(m_stored(&m), 2);
    m_deinit(&m);
}

static void who_cannot_follow_halts(void **state)
{
    struct machine m;

    (void)state;
    m_init(&m);
    m_format(&m, FORMAT_NEWEST + 1);
    assert_int_equal(m.outcome, GW_DAMAGED);
    assert_int_equal(m_stored(&m), 1);
    m_deinit(&m);
}

static enum result reopen(struct machine *m, struct error *err)
{
    const struct env_options options = {.dir = m->s.dir};

    scratch_close(&m->s);
    return env_open(&options, &m->s.env, err);
}

static void a_directory_keeps_older_programs_out(void **state)
{
    struct machine m;
    struct error err = ERROR_NONE;
    struct slice value;

    (void)state;
    m_init(&m);
    assert_int_equal(m_format(&m, 2), GW_OK);
    assert_int_equal(txn_get(m.txn, ENV_META, SLICE("format"), &value), GW_OK);
    assert_true(slice_equal(value, SLICE("2")));
    assert_int_equal(txn_commit(m.txn), GW_OK);
    assert_int_equal(reopen(&m, &err), GW_OK);

    assert_int_equal(env_begin_write(m.s.env, &m.txn), GW_OK);
    assert_int_equal(txn_put(m.txn, ENV_META, SLICE("format"), SLICE("3")), GW_OK);
    assert_int_equal(txn_commit(m.txn), GW_OK);
    assert_int_equal(reopen(&m, &err), GW_NEWER);
    assert_non_null(strstr(err.text, "format 3"));
    m.txn = NULL;
    m.s.env = NULL;
    m_deinit(&m);
}

static void a_dump_brings_its_format_along(void **state)
{
    struct machine from, to;
    struct buffer dump;
    struct slice value;

    (void)state;
    m_init(&from);
    m_init(&to);
    buffer_init(&dump, 0);
    assert_int_equal(m_format(&from, 2), GW_OK);
    assert_int_equal(
        meta_label_put(from.txn, &(struct store_label){.index = from.index, .term = 1}),
        GW_OK);
    assert_int_equal(txn_commit(from.txn), GW_OK);
    from.txn = NULL;
    assert_int_equal(dump_build(from.s.env, &dump), GW_OK);
    assert_int_equal(dump_install(to.txn, buffer_slice(&dump)), GW_OK);
    assert_int_equal(m_stored(&to), 2);
    assert_int_equal(txn_get(to.txn, ENV_META, SLICE("format"), &value), GW_OK);
    assert_true(slice_equal(value, SLICE("2")));
    buffer_deinit(&dump);
    m_deinit(&from);
    m_deinit(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_new_waits_for_the_format),
        cmocka_unit_test(it_only_rises),
        cmocka_unit_test(who_cannot_follow_halts),
        cmocka_unit_test(a_directory_keeps_older_programs_out),
        cmocka_unit_test(a_dump_brings_its_format_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
