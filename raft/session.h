/* Exactly once: what each client's last command answered.
 *
 * A client is 16 bytes, its commands are numbered from 1. At most SESSION_LIMIT
 * clients, each for SESSION_LIFETIME_MS of log time; the next entry clears what
 * is over. Store thread, inside the write transaction. */
#ifndef GW_RAFT_SESSION_H
#define GW_RAFT_SESSION_H

#include "raft/fsm.h"

enum session_verdict {
    SESSION_RUN,     /* not seen: apply it, then session_record */
    SESSION_REPEAT,  /* answered before: the answer was filled in */
    SESSION_EXPIRED, /* may have been answered before, nobody knows any more */
};

/* Drops what is too old or too much. A bounded piece of work per entry. */
enum result session_expire(struct txn *txn, uint64_t now_ms);
/* `answer->detail` is malloc'd. */
enum result session_check(struct txn *txn, struct slice client, uint64_t sequence,
                          uint64_t now_ms, enum session_verdict *ret_verdict,
                          struct store_answer *answer);
/* Whether any of its commands was answered, of late. For who only reads: any thread. */
enum result session_is_known(struct txn *txn, struct slice client, bool *ret_is_known);
enum result session_record(struct txn *txn, struct slice client, uint64_t sequence,
                           uint64_t now_ms, const struct store_answer *answer);

#endif
