/* A state to be dumped: records, a session, a history of one. */
#ifndef GW_TESTS_UNIT_STORE_STATE_H
#define GW_TESTS_UNIT_STORE_STATE_H

#include "tests/unit/store/scratch.h"

#include "store/history.h"
#include "store/meta.h"
#include "store/records.h"

static inline void make_state(struct env *env, unsigned records)
{
    struct txn *txn;
    struct record_state state = {
        .applied = 40, .revision = 39, .conf_sequence = 12, .now_ms = 5};
    struct store_entry entry = {.term = 2, .type = STORE_COMMAND, .bytes = {"x", 1}};
    struct buffer scratch;
    char key[32];
    static char value[3000];

    buffer_init(&scratch, 0);
    assert_int_equal(env_begin_write(env, &txn), GW_OK);
    for (unsigned i = 0; i < records; i++) {
        snprintf(key, sizeof key, "route/%u", i);
        assert_int_equal(
            record_put(txn, slice_from_string(key), slice_of(value, sizeof value), i + 1),
            GW_OK);
    }
    put_text(txn, ENV_SESSIONS, "csession", "answer");
    assert_int_equal(history_append(txn, 39, SLICE("entry")), GW_OK);
    assert_int_equal(meta_entry_put(txn, 40, &entry, &scratch), GW_OK);
    assert_int_equal(txn_put_at(txn, ENV_CONF, 1, SLICE("conf")), GW_OK);
    assert_int_equal(record_state_put(txn, &state), GW_OK);
    assert_int_equal(txn_commit(txn), GW_OK);
    buffer_deinit(&scratch);
}

#endif
