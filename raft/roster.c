/* One pass over the nodes per call, at most ROSTER_NODES of them, so nothing
 * here is worth an index. The price of one change at a time: growing from one
 * voter to three takes two rounds, with two voters in between. */
#include "raft/roster.h"

void roster_reset(struct roster *roster)
{
    roster->count = 0;
}

static const struct replica_server *server_of(const struct replica_view *view, uint64_t id)
{
    for (unsigned i = 0; i < view->server_count; i++) {
        if (view->servers[i].id == id)
            return &view->servers[i];
    }
    return NULL;
}

static const struct roster_node *node_of(const struct roster_node *nodes, size_t count,
                                         uint64_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (nodes[i].id == id)
            return &nodes[i];
    }
    return NULL;
}

/* Remembers since when a node has been caught up; returns that, or 0. */
static uint64_t caught_up_since(struct roster *roster, uint64_t id, bool is_caught_up,
                                uint64_t now_ms)
{
    for (size_t i = 0; i < roster->count; i++) {
        if (roster->caught_up[i].id != id)
            continue;
        if (!is_caught_up)
            roster->caught_up[i].since_ms = 0;
        else if (roster->caught_up[i].since_ms == 0)
            roster->caught_up[i].since_ms = now_ms;
        return roster->caught_up[i].since_ms;
    }
    if (!is_caught_up || roster->count == ROSTER_NODES)
        return 0;
    roster->caught_up[roster->count].id = id;
    roster->caught_up[roster->count].since_ms = now_ms;
    roster->count++;
    return now_ms;
}

static bool wants_vote(const struct roster_node *node)
{
    return node->wish != ROSTER_STANDBY;
}

static unsigned voters_in_region(const struct replica_view *view,
                                 const struct roster_node *nodes, size_t count,
                                 uint64_t region)
{
    unsigned n = 0;

    for (unsigned i = 0; i < view->server_count; i++) {
        const struct roster_node *node = node_of(nodes, count, view->servers[i].id);
        if (view->servers[i].role == REPLICA_VOTER && node != NULL &&
            node->region == region)
            n++;
    }
    return n;
}

/* The stand-by to promote: caught up for long enough, asked for by name before
 * automatic, then from the region with the fewest voters, then the oldest. */
static const struct roster_node *
best_standby(struct roster *roster, const struct roster_options *options,
             const struct replica_view *view, const struct roster_node *nodes, size_t count,
             uint64_t stable_ms, uint64_t now_ms, unsigned *ret_ready)
{
    const struct roster_node *best = NULL;
    unsigned best_region = 0;

    *ret_ready = 0;
    for (size_t i = 0; i < count; i++) {
        const struct roster_node *node = &nodes[i];
        const struct replica_server *server = server_of(view, node->id);
        bool is_standby =
            server != NULL && server->role == REPLICA_STANDBY && wants_vote(node);
        bool is_near = is_standby && node->reachable &&
                       server->match + options->lag >= view->last && server->match > 0;
        uint64_t since = caught_up_since(roster, node->id, is_near, now_ms);

        if (since == 0 || now_ms - since < stable_ms)
            continue;
        (*ret_ready)++;
        unsigned region = voters_in_region(view, nodes, count, node->region);
        bool is_named = node->wish != ROSTER_AUTO;
        bool best_named = best != NULL && best->wish != ROSTER_AUTO;
        if (best == NULL || is_named > best_named ||
            (is_named == best_named && region < best_region)) {
            best = node;
            best_region = region;
        }
    }
    return best;
}

static unsigned largest_odd(unsigned n)
{
    return n == 0 ? 0 : n - (n % 2 == 0);
}

struct roster_change roster_next(struct roster *roster,
                                 const struct roster_options *options,
                                 const struct replica_view *view,
                                 const struct roster_node *nodes, size_t node_count,
                                 uint64_t now_ms)
{
    struct roster_change change = {ROSTER_NOTHING, 0, REPLICA_STANDBY};
    unsigned voters = 0;

    if (view->state != REPLICA_LEADER || node_count == 0)
        return change;

    for (unsigned i = 0; i < view->server_count; i++)
        voters += view->servers[i].role == REPLICA_VOTER;

    /* Newcomers first: they carry no vote, so adding one is always safe. */
    for (size_t i = 0; i < node_count; i++) {
        const struct replica_server *server = server_of(view, nodes[i].id);
        if (server == NULL)
            return (struct roster_change){ROSTER_ADD, nodes[i].id, REPLICA_SPARE};
        if (server->role == REPLICA_SPARE)
            return (struct roster_change){ROSTER_ASSIGN, nodes[i].id, REPLICA_STANDBY};
    }

    unsigned willing = 0;
    for (size_t i = 0; i < node_count; i++)
        willing += wants_vote(&nodes[i]);
    unsigned target = largest_odd(willing < options->voters ? willing : options->voters);

    unsigned ready;
    const struct roster_node *best =
        best_standby(roster, options, view, nodes, node_count,
                     voters < 3 ? options->grow_ms : options->stable_ms, now_ms, &ready);
    /* Leaving an odd number needs the stand-by after this one to be ready too. */
    bool is_way_on = voters % 2 == 0 || voters + ready >= voters + 2;
    if (voters < target && best != NULL && is_way_on)
        return (struct roster_change){ROSTER_ASSIGN, best->id, REPLICA_VOTER};

    /* Then who should not be there. The last voter stays whatever is wished. */
    for (unsigned i = 0; i < view->server_count; i++) {
        const struct replica_server *server = &view->servers[i];
        const struct roster_node *node = node_of(nodes, node_count, server->id);
        bool is_voter = server->role == REPLICA_VOTER;
        if (is_voter && voters <= 1)
            continue;
        if (node == NULL && server->id != view->leader)
            return (struct roster_change){ROSTER_REMOVE, server->id, server->role};
        if (node != NULL && is_voter && node->wish == ROSTER_STANDBY &&
            server->id != view->leader)
            return (struct roster_change){ROSTER_ASSIGN, server->id, REPLICA_STANDBY};
    }
    return change;
}
