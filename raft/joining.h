/* Who may join, as far as the state says: the token, and whether there is room.
 *
 * The state machine asks before it adds a node. The leader asks before it proposes: whoever
 * can reach the peer port may knock, and a refusal must not cost a log entry and a session
 * that somebody else's would give way to. */
#ifndef GW_RAFT_JOINING_H
#define GW_RAFT_JOINING_H

#include "raft/node_record.h"
#include "store/env.h"

struct joining_wish {
    struct slice token, hash; /* TOKEN_HASH_SIZE */
    uint64_t wall_ms;
    bool replaces; /* takes the place of a node that is counted */
};

/* Any thread, within a transaction. GW_OK: *ret_code is GW_OK and the token was read, or it
 * says what is refused and *ret_why, a constant, why. `token` borrows from the transaction.
 */
enum result joining_check(struct txn *txn, const struct joining_wish *wish,
                          struct token_record *ret_token, enum result *ret_code,
                          const char **ret_why);

#endif
