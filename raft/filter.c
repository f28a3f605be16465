/* Each guard in a few lines, with the library's mistake beside it. */
#include "raft/filter.h"

#include "raft/conf.h"

#include <string.h>

bool filter_commit(struct raft_append_entries *args, uint64_t commit)
{
    uint64_t last = args->prev_log_index + args->n_entries;

    /* replicationAppend sets commit = min(leader_commit, last of this message),
     * without comparing with what it had. */
    if (last >= commit || args->leader_commit <= commit)
        return false;
    args->leader_commit = commit;
    return true;
}

bool filter_reject(struct raft_append_entries_result *result, uint64_t match)
{
    /* progressMaybeDecrement in PROBE believes any rejection. What matched once
     * matches for ever. */
    if (result->rejected == 0)
        return false;
    if (result->rejected <= match) {
        result->rejected = 0;
        result->last_log_index = 0;
        return true;
    }
    if (result->last_log_index < match) {
        result->last_log_index = match;
        return true;
    }
    return false;
}

bool filter_must_hold(unsigned puts_in_flight)
{
    /* takeSnapshotCb asserts that the log still holds the snapshot's index, then
     * reads snapshot_pending after clearing it. */
    return puts_in_flight > 0;
}

bool filter_pre_vote(struct raft_request_vote_result *result, uint64_t term)
{
    /* The refusal echoes the candidate's term: the one with the longest log but a
     * lower term would never learn that it must raise it. */
    if (!result->pre_vote || result->vote_granted || result->term >= term)
        return false;
    result->term = term;
    return true;
}

bool filter_heartbeat(struct raft_append_entries *args, uint64_t term, uint64_t match,
                      uint64_t match_term, uint64_t commit)
{
    if (match == 0 || match_term == 0)
        return false;
    memset(args, 0, sizeof *args);
    args->term = term;
    args->prev_log_index = match;
    args->prev_log_term = match_term;
    args->leader_commit = commit < match ? commit : match;
    return true;
}

bool filter_transfer(struct raft_append_entries_result *result, uint64_t transfer,
                     bool *ret_done)
{
    *ret_done = result->rejected == 0 && result->last_log_index >= transfer;
    if (result->rejected == 0)
        return false;
    result->rejected = 0;
    result->last_log_index = 0;
    return true;
}

bool filter_may_change(const uint64_t *matches, unsigned count, uint64_t last_change)
{
    for (unsigned i = 0; i < count; i++)
        if (matches[i] < last_change)
            return false;
    return true;
}

uint64_t filter_vote_after_term(uint64_t old_term, uint64_t old_vote, uint64_t new_term)
{
    return new_term == old_term ? old_vote : 0;
}

unsigned filter_segment(const struct raft_entry *entries, unsigned first, unsigned count)
{
    unsigned next = first + 1;

    while (next < count && entries[next].type != RAFT_CHANGE)
        next++;
    return next - first;
}

bool filter_result(struct raft_append_entries_result *result, uint64_t last)
{
    if (result->last_log_index <= last)
        return false;
    result->last_log_index = 0;
    return true;
}

void filter_stale(struct raft_append_entries_result *ret_result, uint64_t term)
{
    memset(ret_result, 0, sizeof *ret_result);
    ret_result->term = term;
}

bool filter_alone(const struct raft_configuration *conf, uint64_t id)
{
    const struct raft_server *server = conf_find(conf, id);

    return server != NULL && server->role == RAFT_VOTER && conf_voters(conf) == 1;
}

bool filter_covered(struct raft_append_entries *args, uint64_t commit, uint64_t commit_term,
                    bool has_prev, unsigned *ret_skip)
{
    uint64_t below;

    if (has_prev || commit_term == 0 || args->prev_log_index >= commit)
        return false;
    /* Who leads this term has every committed entry, and the same. */
    below = commit - args->prev_log_index;
    *ret_skip = below < args->n_entries ? (unsigned)below : args->n_entries;
    args->prev_log_index = commit;
    args->prev_log_term = commit_term;
    return true;
}

bool filter_withhold(struct raft_append_entries *args, uint64_t change)
{
    if (args->prev_log_index >= change)
        return false;
    if (args->n_entries > change - 1 - args->prev_log_index)
        args->n_entries = (unsigned)(change - 1 - args->prev_log_index);
    return true;
}
