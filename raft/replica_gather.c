/* Small messages that go together.
 *
 * libraft sends an AppendEntries per follower for every proposal, and a follower a
 * result for every one of them. Where the owner says when (replica_flush, once a turn
 * of its loop), what follows on each other becomes one message: entries that
 * continue those gathered, and of results, which say how far the log reaches, the
 * last. To the other side it looks as if all proposals had come at once, or as if
 * earlier results had been lost. The commit index and the round of reads are those
 * of the moment it goes. */
#include "raft/replica_inner.h"

/* All of it stays on the consensus link. */
#define GATHER_BYTES   (BULK_BYTES - 4096)
#define GATHER_ENTRIES 4096

void gather_drop(struct peer *peer)
{
    struct gathered *gathered = &peer->gathered;

    buffer_deinit(&gathered->entries);
    gathered->has_append = gathered->has_result = false;
}

static void flush_append(struct replica *replica, struct peer *peer)
{
    struct gathered *gathered = &peer->gathered;
    struct raft_append_entries *append = &gathered->append;
    struct raft *raft = &replica->raft;
    struct buffer bytes;

    gathered->has_append = false;
    if (is_leading(replica) && raft_current_term(raft) == append->term) {
        raft_index commit = raft_commit_index(raft), match;
        if (commit > append->leader_commit)
            append->leader_commit = commit;
        if (raft_match_index(raft, peer->id, &match) == 0 &&
            (commit < match ? commit : match) > peer->told_commit)
            peer->told_commit = commit < match ? commit : match;
    }
    buffer_init(&bytes, 0);
    if (!gathered->entries.failed && wire_encode_append(&bytes, append, replica->round,
                                                        buffer_slice(&gathered->entries)))
        send_bytes(replica, peer->id, buffer_slice(&bytes), false);
    buffer_deinit(&bytes);
    buffer_reset(&gathered->entries);
}

static void flush_result(struct replica *replica, struct peer *peer)
{
    struct gathered *gathered = &peer->gathered;
    struct wire_message message = {.raft.type = RAFT_APPEND_ENTRIES_RESULT,
                                   .raft.append_entries_result = gathered->result,
                                   .round = gathered->result_round};
    struct buffer bytes;

    gathered->has_result = false;
    buffer_init(&bytes, 0);
    if (wire_encode(&bytes, &message))
        send_bytes(replica, peer->id, buffer_slice(&bytes), false);
    buffer_deinit(&bytes);
}

void gather_flush(struct replica *replica, struct peer *peer)
{
    if (peer->gathered.has_append)
        flush_append(replica, peer);
    if (peer->gathered.has_result)
        flush_result(replica, peer);
}

void replica_flush(struct replica *replica)
{
    for (unsigned i = 0; i < replica->peer_count; i++)
        gather_flush(replica, replica->peers[i]);
    store_kick(replica->options.store);
}

static bool continues(const struct gathered *gathered,
                      const struct raft_append_entries *args, size_t size)
{
    const struct raft_append_entries *append = &gathered->append;

    return append->term == args->term &&
           append->prev_log_index + append->n_entries == args->prev_log_index &&
           gathered->last_term == args->prev_log_term &&
           append->n_entries + args->n_entries <= GATHER_ENTRIES &&
           gathered->entries.size + size <= GATHER_BYTES;
}

bool gather_append(struct replica *replica, struct peer *peer,
                   const struct raft_append_entries *args)
{
    struct gathered *gathered = &peer->gathered;
    size_t size = 0;

    if (!replica->options.gathers || args->n_entries == 0 ||
        args->n_entries > GATHER_ENTRIES)
        return false;
    for (unsigned i = 0; i < args->n_entries; i++)
        size += args->entries[i].buf.len + 32;
    if (size > GATHER_BYTES)
        return false;
    if (gathered->has_result || (gathered->has_append && !continues(gathered, args, size)))
        gather_flush(replica, peer);
    if (gathered->has_append) {
        replica->counters.gathered++;
    } else {
        gathered->has_append = true;
        gathered->append = *args;
        gathered->append.entries = NULL;
        gathered->append.n_entries = 0;
    }
    for (unsigned i = 0; i < args->n_entries; i++)
        wire_encode_entry(&gathered->entries, &args->entries[i]);
    gathered->append.n_entries += args->n_entries;
    gathered->append.leader_commit = args->leader_commit;
    gathered->last_term = args->entries[args->n_entries - 1].term;
    return true;
}

bool gather_result(struct replica *replica, struct peer *peer,
                   const struct raft_append_entries_result *result, uint64_t round)
{
    struct gathered *gathered = &peer->gathered;

    if (!replica->options.gathers || result->rejected != 0)
        return false;
    if (gathered->has_append ||
        (gathered->has_result &&
         (gathered->result.term != result->term ||
          gathered->result.last_log_index > result->last_log_index)))
        gather_flush(replica, peer);
    if (gathered->has_result)
        replica->counters.gathered++;
    if (!gathered->has_result || round > gathered->result_round)
        gathered->result_round = round;
    gathered->has_result = true;
    gathered->result = *result;
    return true;
}
