/* Membership and the transfer of leadership: one change at a time, and only when
 * that is safe.
 *
 * Three rules beyond libraft's own: every voter holds the last change (guard G:
 * a voter that lacks it may refuse a vote it should give), but for those that have
 * said nothing for ABSENT_ELECTIONS, or a dead one could never be replaced; something of
 * this term is committed (else two leaders can each commit a change the other does not know
 * [Ongaro, "bug in single-server membership changes", 2015]); and libraft's raft_add and
 * raft_remove assert what they should check, so it is checked here. */
#include "raft/replica_inner.h"

#include <stdio.h>

#define ABSENT_ELECTIONS 5

static void change_done(struct raft_change *request, int status)
{
    struct replica *replica = request->data;

    (void)status; /* who asked looks at the configuration */
    replica->is_changing = false;
}

static void transfer_done(struct raft_transfer *request)
{
    struct replica *replica = request->data;

    replica->is_transferring = false;
}

static void barrier_done(struct raft_barrier *request, int status)
{
    struct replica *replica = request->data;

    (void)status;
    replica->is_barrier_pending = false;
}

static bool voters_have_last(struct replica *replica)
{
    const struct raft *raft = &replica->raft;
    uint64_t matches[CONF_SERVERS_LIMIT];
    unsigned count = 0;

    for (unsigned i = 0; i < raft->configuration.n && count < CONF_SERVERS_LIMIT; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];
        const struct peer *peer = peer_of(replica, server->id);
        raft_index match = 0;

        if (server->role != RAFT_VOTER || server->id == raft->id)
            continue;
        if (peer != NULL && replica->now_ms - peer->heard_ms >
                                (uint64_t)ABSENT_ELECTIONS * replica->options.election_ms)
            continue;
        raft_match_index(raft, server->id, &match);
        matches[count++] = match;
    }
    return filter_may_change(matches, count, raft->configuration_committed_index);
}

static enum result may_change(struct replica *replica)
{
    struct raft *raft = &replica->raft;

    if (replica->is_halted)
        return GW_HALTED;
    if (!is_leading(replica) || raft_transferee(raft) != 0)
        return GW_NOT_LEADER;
    if (replica->is_changing || raft->legacy.change != NULL || !replica->is_ready ||
        raft->configuration_uncommitted_index != 0 || raft->leader_state.promotee_id != 0)
        return GW_AGAIN;
    if (term_at(raft, raft_commit_index(raft)) != raft_current_term(raft)) {
        if (!replica->is_barrier_pending) {
            replica->barrier.data = replica;
            replica->is_barrier_pending = true;
            if (raft_barrier(raft, &replica->barrier, barrier_done) != 0)
                replica->is_barrier_pending = false;
            replica_after(replica);
        }
        return GW_AGAIN;
    }
    if (!voters_have_last(replica)) {
        if (!guard_is_on(replica, GUARD_MEMBERSHIP))
            return GW_OK;
        guard_hit(replica, GUARD_MEMBERSHIP);
        return GW_AGAIN;
    }
    return GW_OK;
}

static enum result begun(struct replica *replica, int rv)
{
    if (rv != 0) {
        replica->is_changing = false;
        replica->raft.legacy.change = NULL; /* raft_assign leaves it behind */
    }
    replica_after(replica);
    switch (rv) {
    case 0:
        return GW_OK;
    case RAFT_NOTLEADER:
        return GW_NOT_LEADER;
    case RAFT_CANTCHANGE:
        return GW_AGAIN;
    case RAFT_BADID:
    case RAFT_NOTFOUND:
        return GW_NOT_FOUND;
    case RAFT_NOMEM:
        return GW_NO_MEMORY;
    default:
        return GW_FAILED;
    }
}

enum result replica_add(struct replica *replica, uint64_t id)
{
    enum result result = may_change(replica);
    char address[24];

    if (result != GW_OK)
        return result;
    if (id == 0)
        return GW_INVALID;
    if (conf_find(&replica->raft.configuration, id) != NULL)
        return GW_CONFLICT;
    if (replica->raft.configuration.n >= CONF_SERVERS_LIMIT)
        return GW_LIMIT;
    snprintf(address, sizeof address, "%llu", (unsigned long long)id);
    replica->change.data = replica;
    replica->is_changing = true;
    return begun(replica,
                 raft_add(&replica->raft, &replica->change, id, address, change_done));
}

static bool is_last_voter(const struct replica *replica, const struct raft_server *server)
{
    return server->role == RAFT_VOTER && conf_voters(&replica->raft.configuration) == 1;
}

enum result replica_assign(struct replica *replica, uint64_t id, enum replica_role role)
{
    enum result result = may_change(replica);
    static const int roles[] = {[REPLICA_STANDBY] = RAFT_STANDBY,
                                [REPLICA_VOTER] = RAFT_VOTER,
                                [REPLICA_SPARE] = RAFT_SPARE};
    const struct raft_server *server;

    if (result != GW_OK)
        return result;
    server = conf_find(&replica->raft.configuration, id);
    if (server == NULL)
        return GW_NOT_FOUND;
    if (server->role == roles[role])
        return GW_CONFLICT;
    if (is_last_voter(replica, server))
        return GW_INVALID;
    replica->change.data = replica;
    replica->is_changing = true;
    return begun(replica, raft_assign(&replica->raft, &replica->change, id, roles[role],
                                      change_done));
}

enum result replica_remove(struct replica *replica, uint64_t id)
{
    enum result result = may_change(replica);
    const struct raft_server *server;

    if (result != GW_OK)
        return result;
    server = conf_find(&replica->raft.configuration, id);
    if (server == NULL)
        return GW_NOT_FOUND;
    if (is_last_voter(replica, server))
        return GW_INVALID;
    replica->change.data = replica;
    replica->is_changing = true;
    return begun(replica, raft_remove(&replica->raft, &replica->change, id, change_done));
}

/* The voter that has most of the log and answered last. */
static uint64_t best_successor(struct replica *replica)
{
    const struct raft *raft = &replica->raft;
    uint64_t best = 0, best_match = 0, best_heard = 0;

    for (unsigned i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];
        struct peer *peer = peer_of(replica, server->id);
        raft_index match = 0;

        if (server->role != RAFT_VOTER || server->id == raft->id || peer == NULL ||
            !peer->is_up || raft_match_index(raft, server->id, &match) != 0)
            continue;
        if (best == 0 || match > best_match ||
            (match == best_match && peer->heard_ms > best_heard)) {
            best = server->id;
            best_match = match;
            best_heard = peer->heard_ms;
        }
    }
    return best;
}

enum result replica_transfer(struct replica *replica, uint64_t id)
{
    const struct raft_server *server;
    int rv;

    if (replica->is_halted)
        return GW_HALTED;
    if (!is_leading(replica))
        return GW_NOT_LEADER;
    if (replica->is_transferring || raft_transferee(&replica->raft) != 0 ||
        replica->raft.transfer != NULL)
        return GW_AGAIN;
    if (id == 0)
        id = best_successor(replica);
    server = conf_find(&replica->raft.configuration, id);
    if (server == NULL)
        return GW_NOT_FOUND;
    if (id == replica->raft.id)
        return GW_CONFLICT;
    if (server->role != RAFT_VOTER)
        return GW_INVALID;
    replica->transfer.data = replica;
    replica->is_transferring = true;
    rv = raft_transfer(&replica->raft, &replica->transfer, id, transfer_done);
    if (rv != 0)
        replica->is_transferring = false;
    else
        replica->counters.transfers++;
    replica_after(replica);
    return rv == 0 ? GW_OK : rv == RAFT_NOTLEADER ? GW_NOT_LEADER : GW_NOT_FOUND;
}
