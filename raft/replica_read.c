/* Linearizable reads without a log write (Raft thesis §6.4).
 *
 * A reader must see every write that was acknowledged before it asked. The
 * leader notes the last command committed, then makes sure it still leads: a
 * round of heartbeats with a new number, echoed in the answers. An echo of round
 * r in this term says: when r arrived, that voter had not voted in a later term.
 * A majority of those means that no later leader had committed anything when the
 * reader asked. Before that, the leader must have committed everything its
 * predecessors did: it is *ready*.
 *
 * One round at a time: readers that come while one is under way share the next.
 * The price: a reader waits for up to two round trips. */
#include "raft/replica_inner.h"

#include "base/plant.h"

#include <stdlib.h>

/* The greatest number that a majority of voters has reached, counting ourselves
 * with `own`. */
static uint64_t quorum_of(const struct replica *replica, bool of_rounds, uint64_t own)
{
    const struct raft_configuration *conf = &replica->raft.configuration;
    uint64_t values[CONF_SERVERS_LIMIT];
    unsigned count = 0;

    for (unsigned i = 0; i < conf->n && count < CONF_SERVERS_LIMIT; i++) {
        uint64_t value = 0;

        if (conf->servers[i].role != RAFT_VOTER)
            continue;
        if (conf->servers[i].id == replica->raft.id) {
            value = own;
        } else {
            for (unsigned k = 0; k < replica->peer_count; k++)
                if (replica->peers[k]->id == conf->servers[i].id)
                    value = of_rounds ? replica->peers[k]->acked_round
                                      : replica->peers[k]->heard_ms;
        }
        /* Insertion, greatest first: there are few voters. */
        unsigned at = count++;
        for (; at > 0 && values[at - 1] < value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
    return count == 0 ? 0 : values[count / 2];
}

uint64_t read_quorum_heard(const struct replica *replica)
{
    return quorum_of(replica, false, replica->now_ms);
}

/* Readers that have no round yet get the next one. */
static bool start_round(struct replica *replica)
{
    bool has_new = false;

    list_each (&replica->barriers, link) {
        struct barrier *barrier = container_of(link, struct barrier, link);

        if (barrier->round != 0)
            continue;
        if (!has_new)
            replica->round++;
        has_new = true;
        barrier->round = replica->round;
        barrier->index = replica->applied_asked;
    }
    return has_new;
}

void read_before_heartbeats(struct replica *replica)
{
    if (replica->is_ready)
        start_round(replica);
}

void read_progress(struct replica *replica)
{
    uint64_t visible = store_visible(replica->options.store);

    if (list_is_empty(&replica->barriers) || !replica->is_ready)
        return;
    replica->confirmed_round = quorum_of(replica, true, replica->round);
    if (replica->confirmed_round >= replica->round && start_round(replica)) {
        send_heartbeats(replica);
        replica->confirmed_round = quorum_of(replica, true, replica->round);
    }
    list_each (&replica->barriers, link) {
        struct barrier *barrier = container_of(link, struct barrier, link);

        if ((barrier->round == 0 || barrier->round > replica->confirmed_round) &&
            !GW_PLANTED("stale-read"))
            continue;
        if (visible >= barrier->index || GW_PLANTED("unseen-read")) {
            barrier->result = GW_OK;
            list_remove(link);
            list_append(&replica->ended_barriers, link);
        } else {
            store_want_visible(replica->options.store);
        }
    }
}

void read_fail_all(struct replica *replica, enum result result)
{
    list_each (&replica->barriers, link) {
        container_of(link, struct barrier, link)->result = result;
    }
    list_move_all(&replica->ended_barriers, &replica->barriers);
}

enum result replica_barrier(struct replica *replica, uint64_t now_ms, void *tag)
{
    struct barrier *barrier;

    if (replica->is_halted)
        return GW_HALTED;
    if (now_ms > replica->now_ms)
        replica->now_ms = now_ms;
    if (!is_leading(replica))
        return GW_NOT_LEADER;
    if (replica->now_ms - read_quorum_heard(replica) > 2ull * replica->options.election_ms)
        return GW_NO_QUORUM;
    barrier = calloc(1, sizeof *barrier);
    if (barrier == NULL)
        return GW_NO_MEMORY;
    barrier->tag = tag;
    list_append(&replica->barriers, &barrier->link);
    if (GW_PLANTED("stale-read"))
        barrier->index = replica->applied_asked;
    replica_after(replica);
    return GW_OK;
}
