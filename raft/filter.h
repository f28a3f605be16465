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
 *   L  an AppendEntries or a dump of an older term is answered without libraft, whose
 *      answer is K's, and says success for a dump or where prev is 0: a leader that
 *      was deposed and elected again since would take the eight bytes for our match
 *   M  the only voter leads in a term of its own: libraft lets it lead the term it
 *      finds, at a start the one that it led before (raft/replica_alone.c)
 *   N  committed entries that our log has trimmed are passed over: libraft rejects
 *      what comes behind them, so that the leader goes back entry by entry, and
 *      where prev is 0 appends them behind the end, which it then asserts it did not
 *   O  who is asked for a vote gives it, though it knows itself as a stand-by: a voter
 *      that lacks the change that made it one would refuse for ever, and where its
 *      vote is needed, as one of two, nobody would lead again. The votes that count
 *      are those of the candidate's configuration [Ongaro's thesis, §4.1]
 *   P  a change that takes a vote is withheld from who loses it until it is committed.
 *      libraft's stand-bys stand for no election, be the change only theirs; so where
 *      the leader lost it with its power, the only log that is long enough to lead
 *      never would, and no other gets its vote [against the thesis, §4.2.2]
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
/* L. The answer to a message of an older term: our term, and no news besides. */
void filter_stale(struct raft_append_entries_result *ret_result, uint64_t term);
/* M. Whether `id` is the only voter. */
bool filter_alone(const struct raft_configuration *conf, uint64_t id);
/* N. How many of the first entries to pass over; then prev is the entry at `commit`, whose
 * term is `commit_term` (0: not known). `has_prev`: our log has the entry at prev, or,
 * where prev is 0, the first one. False: as it came. */
bool filter_covered(struct raft_append_entries *args, uint64_t commit, uint64_t commit_term,
                    bool has_prev, unsigned *ret_skip);

/* P. Cuts off what is at `change` and above; false: nothing is to be sent. */
bool filter_withhold(struct raft_append_entries *args, uint64_t change);

#endif
