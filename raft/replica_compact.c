/* The log and what is in flight, bounded by bytes.
 *
 * libraft knows thresholds in entries: a snapshot every 8,192, 1,024 kept behind it,
 * 4,096 on their way to a follower. At 8 MiB an entry that is no bound at all. So the
 * thresholds it looks at move with the bytes: one entry when the log has grown by
 * `snapshot_bytes` since the last snapshot, as many kept as fit `trailing_bytes`, a window
 * of as many as fit INFLIGHT_BYTES.
 *
 * The price: a follower that falls behind by more bytes than are kept gets a dump where
 * it might have got entries. */
#include "raft/replica_inner.h"

static bool is_long(const struct replica *replica, uint64_t applied)
{
    return log_bytes_between(&replica->log_bytes, replica->label.index, applied) >=
           replica->options.snapshot_bytes;
}

void compact_mind(struct replica *replica, uint64_t applied)
{
    uint64_t threshold = replica->options.snapshot_threshold;

    raft_set_snapshot_threshold(&replica->raft,
                                is_long(replica, applied) ? 1 : (unsigned)threshold);
}

void compact_begin(struct replica *replica)
{
    uint64_t index = raft_commit_index(&replica->raft);
    unsigned most = replica->options.snapshot_trailing;
    unsigned kept =
        log_bytes_fit(&replica->log_bytes, index, replica->options.trailing_bytes, most);

    if (index - replica->label.index < replica->options.snapshot_threshold)
        replica->counters.compacted_by_bytes++;
    /* One at least: none would make it an install. */
    raft_set_snapshot_trailing(&replica->raft, kept > 0 ? kept : 1);
}

void compact_window(struct replica *replica)
{
    unsigned fit = log_bytes_fit(&replica->log_bytes, replica->log_bytes.next - 1,
                                 INFLIGHT_BYTES, INFLIGHT_LIMIT);

    raft_set_max_inflight_entries(&replica->raft, fit > 0 ? fit : 1);
}
