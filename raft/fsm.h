/* The state machine: a committed entry → the state, inside the store's write
 * transaction.
 *
 * Pure in the sense that matters: the result depends on the entry and on the
 * state before it, never on a clock, on chance or on the node. Called on the
 * store thread only, by way of fsm_apply, which is a store_apply_fn.
 *
 *   struct fsm fsm = {.types = cluster_commands, .type_count = cluster_command_count};
 *   store_open(&(struct store_options){.apply = fsm_apply, .owner = …}) */
#ifndef GW_RAFT_FSM_H
#define GW_RAFT_FSM_H

#include "raft/command.h"

#define SESSION_LIMIT       10000
#define SESSION_LIFETIME_MS 600000 /* of log time */

struct fsm {
    const struct command_type *types; /* borrowed, const */
    size_t type_count;
};

/* `owner` is a struct fsm. See store_apply_fn. */
enum result fsm_apply(void *owner, struct txn *txn, uint64_t index, struct slice entry,
                      struct store_answer *answer);

/* The commands every cluster has: transactions, nodes, tokens, ticks. */
extern const struct command_type cluster_commands[];
extern const size_t cluster_command_count;

#endif
