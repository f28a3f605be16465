/* For tests: transactions as a log entry brings them, straight into a store. */
#ifndef GW_TESTS_UNIT_RAFT_TRANSACTION_H
#define GW_TESTS_UNIT_RAFT_TRANSACTION_H

#include "raft/fsm.h"
#include "store/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* Applies one by "ann", as entry `index`; it has to be accepted. */
static inline void transact(struct txn *txn, uint64_t index,
                            const struct transaction_item *items, size_t count,
                            const char *message)
{
    struct fsm fsm = {.types = cluster_commands, .type_count = cluster_command_count};
    const struct command_header header = {
        .number = COMMAND_TRANSACTION, .stamp_ms = 100, .actor = SLICE("ann")};
    struct record_state state;
    struct store_answer answer;
    struct buffer command;

    assert_int_equal(record_state_get(txn, &state), GW_OK);
    const struct transaction transaction = {.conf_sequence = state.conf_sequence,
                                            .items = items,
                                            .item_count = count,
                                            .message = slice_from_string(message)};
    buffer_init(&command, 0);
    assert_true(transaction_encode(&command, &header, &transaction));
    assert_int_equal(fsm_apply(&fsm, txn, index, buffer_slice(&command), &answer), GW_OK);
    assert_int_equal(answer.result, GW_OK);
    buffer_deinit(&command);
    free((void *)(uintptr_t)answer.detail.data);
}

#endif
