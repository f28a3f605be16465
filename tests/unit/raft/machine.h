/* A state machine with a store under it, for its unit tests: commands go in as entries. */
#ifndef GW_TESTS_UNIT_RAFT_MACHINE_H
#define GW_TESTS_UNIT_RAFT_MACHINE_H

#include "tests/unit/store/scratch.h"

#include "raft/fsm.h"

struct machine {
    struct scratch s;
    struct txn *txn;
    struct fsm fsm;
    uint64_t index;
    struct store_answer answer;
    struct command_detail detail;
    char *bytes;
};

static inline void m_init(struct machine *m)
{
    memset(m, 0, sizeof *m);
    scratch_init(&m->s);
    scratch_open(&m->s, 1u << 30);
    m->fsm = (struct fsm){cluster_commands, cluster_command_count};
    m->index = 10;
    assert_int_equal(env_begin_write(m->s.env, &m->txn), GW_OK);
}

static inline void m_deinit(struct machine *m)
{
    free(m->bytes);
    txn_abort(m->txn);
    scratch_deinit(&m->s);
}

/* Applies an encoded command as the next entry; frees it. */
static inline enum result m_apply(struct machine *m, struct buffer *command)
{
    free(m->bytes);
    m->bytes = NULL;
    assert_false(command->failed);
    assert_int_equal(
        fsm_apply(&m->fsm, m->txn, ++m->index, buffer_slice(command), &m->answer), GW_OK);
    buffer_deinit(command);
    m->bytes = (char *)(uintptr_t)m->answer.detail.data;
    assert_true(command_detail_unpack(m->answer.detail, &m->detail));
    return m->answer.result;
}

static inline struct record_state m_state(struct machine *m)
{
    struct record_state state;

    assert_int_equal(record_state_get(m->txn, &state), GW_OK);
    return state;
}

#define ANY_REVISION UINT64_MAX

static inline enum result m_change(struct machine *m, const struct transaction_item *items,
                                   size_t count, uint64_t if_revision,
                                   const struct command_header *header)
{
    struct buffer command;
    struct transaction transaction = {.conf_sequence = m_state(m).conf_sequence,
                                      .has_if_revision = if_revision != ANY_REVISION,
                                      .if_revision = if_revision,
                                      .items = items,
                                      .item_count = count};

    buffer_init(&command, 0);
    assert_true(transaction_encode(&command, header, &transaction));
    return m_apply(m, &command);
}

static const struct command_header plain = {.stamp_ms = 100, .actor = {"ann", 3}};

static inline enum result m_put(struct machine *m, const char *key, const char *value)
{
    struct transaction_item item = {.key = slice_from_string(key),
                                    .value = slice_from_string(value)};

    return m_change(m, &item, 1, ANY_REVISION, &plain);
}

static inline bool m_has(struct machine *m, const char *key, const char *value)
{
    struct record record;

    return record_get(m->txn, slice_from_string(key), &record) == GW_OK &&
           slice_equal(record.value, slice_from_string(value));
}

#endif
