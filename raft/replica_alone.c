/* Guard M: the only voter leads in a term of its own.
 *
 * libraft makes the only voter leader without an election: at a start in the term
 * that the store holds, at run time in the term in which it followed the leader
 * that gave up its vote. Then a term has two leaders, or one twice, and what the
 * first life of it had sent but not stored meets other entries of the same index
 * and term. So it takes a term like every candidate, a durable one: the vote is
 * queued before anything of the term, and the outbox waits for it. The price is a
 * write to the disk at each start of a lone voter. */
#include "raft/replica_inner.h"

/* The last configuration among what was loaded, committed or not, is the one in use. */
static struct slice last_conf(const struct store_boot *boot)
{
    for (size_t i = boot->entry_count; i > 0; i--) {
        const struct store_entry *entry = &boot->entries[i - 1];
        if (boot->first + i - 1 <= boot->label.conf_index)
            break;
        if (entry->type == STORE_CHANGE)
            return entry->bytes;
    }
    return boot->label.conf;
}

void alone_at_start(struct replica *replica, const struct store_boot *boot)
{
    struct raft_configuration conf;

    if (!conf_decode(last_conf(boot), &conf))
        return; /* a node that knows nothing yet */
    bool is_alone = filter_alone(&conf, replica->options.id);
    raft_configuration_close(&conf);
    if (!is_alone || !guard_is_on(replica, GUARD_ALONE))
        return;
    guard_hit(replica, GUARD_ALONE);
    io_vote(replica, replica->term + 1, replica->options.id);
}

/* As timeoutFollower decides whether to stand, and so to lead at once. */
void alone_before_tick(struct replica *replica)
{
    struct raft *raft = &replica->raft;

    if (raft->state != RAFT_FOLLOWER || !filter_alone(&raft->configuration, raft->id) ||
        raft->snapshot.installing || raft->last_stored < raft_last_index(raft) ||
        replica->now_ms <
            raft->election_timer_start + raft->follower_state.randomized_election_timeout ||
        !guard_is_on(replica, GUARD_ALONE))
        return;
    guard_hit(replica, GUARD_ALONE);
    raft->current_term++;
    raft->voted_for = raft->id;
    raft->follower_state.match = 0; /* of the leader of the term that ends here */
    io_vote(replica, raft->current_term, raft->id);
}

bool alone_may_stand(struct replica *replica)
{
    if (!filter_alone(&replica->raft.configuration, replica->raft.id) ||
        !guard_is_on(replica, GUARD_ALONE))
        return true;
    guard_hit(replica, GUARD_ALONE);
    return false;
}
