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

#define TRAILING_STRETCH 3

#define TRAILING_STRETCH 3

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

/* The last entry that the log may go without, for a peer that is sent a dump, or was and
 * has not caught up since; 0: it may go without any. The one that the peer has last is not
 * among them: entries are sent with the term of the one before. */
static uint64_t needs_from(const struct replica *replica, struct peer *peer)
{
    raft_index match;

    if (peer->transfer != 0)
        return peer->transfer - 1;
    if (peer->caught_up == 0)
        return 0;
    if (raft_match_index(&replica->raft, peer->id, &match) != 0 ||
        match >= peer->caught_up) {
        peer->caught_up = 0;
        return 0;
    }
    return match > 0 ? match - 1 : 0;
}

/* Without what came behind it, a dump is followed by another one. So that is kept too,
 * within bounds: on a slow link with many writes a dump may never be new enough, and
 * memory comes first. */
static unsigned kept_for_dumps(const struct replica *replica, uint64_t index)
{
    uint64_t bytes = TRAILING_STRETCH * replica->options.trailing_bytes;
    uint64_t kept = 0;

    for (unsigned i = 0; is_leading(replica) && i < replica->peer_count; i++) {
        uint64_t from = needs_from(replica, replica->peers[i]);

        if (from != 0 && from < index && index - from > kept &&
            log_bytes_between(&replica->log_bytes, from, index) <= bytes)
            kept = index - from;
    }
    return (unsigned)kept;
}

void compact_begin(struct replica *replica)
{
    uint64_t index = raft_commit_index(&replica->raft);
    unsigned kept =
        log_bytes_fit(&replica->log_bytes, index, replica->options.trailing_bytes,
                      replica->options.snapshot_trailing);
    unsigned for_dumps = kept_for_dumps(replica, index);

    if (kept < for_dumps)
        kept = for_dumps;
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
