/* The guards against libraft 0.22.1's known bugs that can be told from a
 * message and a few numbers. Pure: no libraft state, no clock; each can be tried
 * alone. The letters are those of the study they come from; docs/ARCHITECTURE.md
 * lists all of them.
 *
 *   A  a partial resend must not move the commit index backwards
 *   B  a stale rejection must not push next at or below match
 *   C  no InstallSnapshot while a snapshot is being put
 *   D  a refused pre-vote tells the higher term
 *   E  own heartbeats, so that an idle pipeline stays one (build only)
 *   F  during a transfer: no second dump, and no rejection, reaches the core
 *   G  one membership change at a time, and only when every voter that is heard has
 *      the last
 *   I  setting the same term again keeps the vote
 *   J  a configuration change comes first in its message: libraft records the
 *      index of the message's first new entry as the change's own (replicationAppend)
 *      and would then never see it committed
 *   K  a result says no more than our log holds: libraft answers a deposed leader
 *      with a last_log_index it never set (recvAppendEntries, recvInstallSnapshot),
 *      eight bytes of stack that the peer's codec may refuse, closing the link
 *
 * H (calls that must never fail), the label and the outbox are the replica's. */
#ifndef GW_RAFT_FILTER_H
#define GW_RAFT_FILTER_H

#include <raft.h>

#include <stdbool.h>
#include <stdint.h>

/* A. True if it clamped. */
bool filter_commit(struct raft_append_entries *args, uint64_t commit);
/* B. True if it changed the result. */
bool filter_reject(struct raft_append_entries_result *result, uint64_t match);
/* C. */
bool filter_must_hold(unsigned puts_in_flight);
/* D. Before sending. True if it raised the term. */
bool filter_pre_vote(struct raft_request_vote_result *result, uint64_t term);
/* E. An empty AppendEntries that any follower with `match` accepts; false: none
 * can be made. `match_term` is the term of the leader's entry at match. */
bool filter_heartbeat(struct raft_append_entries *args, uint64_t term, uint64_t match,
                      uint64_t match_term, uint64_t commit);
/* F. On a result from a peer under transfer of a snapshot at `transfer`.
 * *ret_done: the transfer is over. True if it turned a rejection into success. */
bool filter_transfer(struct raft_append_entries_result *result, uint64_t transfer,
                     bool *ret_done);
/* G. `matches` of all voters but the leader. */
bool filter_may_change(const uint64_t *matches, unsigned count, uint64_t last_change);
/* I. The vote after set_term. */
uint64_t filter_vote_after_term(uint64_t old_term, uint64_t old_vote, uint64_t new_term);
/* J. How many entries from `first` go into one message. */
unsigned filter_segment(const struct raft_entry *entries, unsigned first, unsigned count);
/* K. Before sending; `last` is our log's. True if it changed the result. */
bool filter_result(struct raft_append_entries_result *result, uint64_t last);

#endif
