/* The doing of what the pure rooms decide: the roster's changes, the pace, and whether
 * this node should lead.
 *
 * The roster is asked ten times a second while this node leads; a change that
 * cannot be made now is simply decided again. The pace is looked at once a second:
 * by the longest round trip to a voter, as the kernel knows it of our links. */
#include "raft/member_inner.h"

#include "base/log.h"

#define ROSTER_MS 100
#define PACE_MS   1000
#define FRESH_MS  1500 /* heard within: reachable; a link is pinged every half second */

static bool is_reachable(struct member *member, uint64_t id, uint64_t now_ms)
{
    struct peer *peer = peers_find(&member->peers, id);

    if (id == member->id)
        return true;
    return peer != NULL && peer_is_connected(peer) &&
           now_ms - peer_seen_ms(peer) < FRESH_MS;
}

static enum result make(struct member *member, const struct roster_change *change)
{
    switch (change->step) {
    case ROSTER_NOTHING:
        break;
    case ROSTER_ADD:
        return replica_add(member->replica, change->id);
    case ROSTER_ASSIGN:
        return replica_assign(member->replica, change->id, change->role);
    case ROSTER_REMOVE:
        return replica_remove(member->replica, change->id);
    case ROSTER_TRANSFER:
        return replica_transfer(member->replica, change->id);
    }
    return GW_AGAIN;
}

static const char *step_name(const struct roster_change *change)
{
    static const char *const roles[] = {"standby", "voter", "spare"};

    return change->step == ROSTER_ADD        ? "add"
           : change->step == ROSTER_REMOVE   ? "remove"
           : change->step == ROSTER_TRANSFER ? "lead"
                                             : roles[change->role];
}

static void keep_roster(struct member *member, const struct replica_view *view,
                        uint64_t now_ms)
{
    struct roster_node nodes[MEMBER_PEERS];

    if (view->state != REPLICA_LEADER) {
        roster_reset(&member->roster);
        return;
    }
    for (size_t i = 0; i < member->node_count; i++) {
        const struct member_node *node = &member->nodes[i];
        nodes[i] =
            (struct roster_node){.id = node->id,
                                 .wish = node->wish,
                                 .region = node->region,
                                 .reachable = is_reachable(member, node->id, now_ms)};
    }
    struct roster_change change = roster_next(&member->roster, &member->shape.roster, view,
                                              nodes, member->node_count, now_ms);
    enum result result = make(member, &change);
    if (result == GW_OK)
        log_event(LOG_INFO, "member", "membership change", LOG_U64("id", change.id),
                  LOG_STR("to", step_name(&change)));
    else if (result != GW_AGAIN)
        log_event(LOG_WARN, "member", "membership change refused", LOG_U64("id", change.id),
                  LOG_STR("to", step_name(&change)), LOG_STR("why", result_text(result)));
}

/* To the voters, or while this node knows none, to nobody. */
static uint64_t longest_round_trip_ms(struct member *member,
                                      const struct replica_view *view)
{
    uint64_t longest_us = 0;

    for (unsigned i = 0; i < view->server_count; i++) {
        struct peer *peer = peers_find(&member->peers, view->servers[i].id);
        if (view->servers[i].role != REPLICA_VOTER || peer == NULL ||
            !peer_is_connected(peer))
            continue;
        uint64_t us = stream_round_trip_us(peer->links[PEER_CONSENSUS]->stream);
        if (us > longest_us)
            longest_us = us;
    }
    return (longest_us + 999) / 1000;
}

static void keep_pace(struct member *member, const struct replica_view *view)
{
    uint64_t round_trip_ms = longest_round_trip_ms(member, view);
    struct pace wanted = pace_of(&member->shape.pace, round_trip_ms);

    /* Cut off from all voters this node has nothing to go by but what was. */
    if ((round_trip_ms == 0 && view->server_count > 1) ||
        !pace_differs(&member->pace, &wanted))
        return;
    log_event(wanted.is_stretched ? LOG_WARN : LOG_INFO, "member",
              wanted.is_stretched
                  ? "the election timeout is too short for the round trip and was "
                    "stretched; set raft.profile: wan in the Cluster resource"
                  : "time of agreement",
              LOG_U64("heartbeat_ms", wanted.heartbeat_ms),
              LOG_U64("election_ms", wanted.election_ms),
              LOG_U64("round_trip_ms", round_trip_ms));
    member->pace = wanted;
}

/* Who is not fit waits longer before it calls an election, and does not lead for long. */
static void keep_fit(struct member *member, const struct replica_view *view,
                     uint64_t now_ms)
{
    bool is_leader = view->state == REPLICA_LEADER;
    const struct fitness_news news = {.is_leader = is_leader,
                                      .is_stopping = member->is_stopping,
                                      .is_quarantined = member->is_quarantined,
                                      .is_disk_low = member->is_disk_low,
                                      .has_heir = member->heir != 0,
                                      .disk_wait_ms = view->disk_wait_ms,
                                      .election_ms = member->pace.election_ms,
                                      .transfers =
                                          replica_counters(member->replica)->transfers};
    struct fitness_advice advice = fitness_next(&member->fitness, &news, now_ms);

    /* A leader steps down by the same timeout: it has no handicap. */
    unsigned election_ms = member->pace.election_ms * (is_leader ? 1 : advice.handicap);
    if (election_ms != member->told_election_ms ||
        member->pace.heartbeat_ms != member->told_heartbeat_ms) {
        member->told_heartbeat_ms = member->pace.heartbeat_ms;
        member->told_election_ms = election_ms;
        replica_times(member->replica, member->pace.heartbeat_ms, election_ms);
    }
    if (!advice.hand_over)
        return;
    enum result result =
        replica_transfer(member->replica, member->is_disk_low ? member->heir : 0);
    log_event(result == GW_OK ? LOG_INFO : LOG_WARN, "member",
              result == GW_OK ? "leadership is handed over"
                              : "leadership cannot be handed over",
              LOG_STR("since", advice.why), LOG_STR("result", result_text(result)),
              LOG_U64("disk_wait_ms", view->disk_wait_ms));
}

void member_shape_tick(struct member *member, uint64_t now_ms)
{
    struct replica_view view;
    bool is_roster_due = now_ms - member->roster_at_ms >= ROSTER_MS;
    bool is_pace_due = member->pace_at_ms == 0 || now_ms - member->pace_at_ms >= PACE_MS;

    if (member->is_halted || (!is_roster_due && !is_pace_due))
        return;
    replica_view(member->replica, &view);
    if (is_pace_due) {
        member->pace_at_ms = now_ms;
        keep_pace(member, &view);
    }
    if (is_roster_due) {
        member->roster_at_ms = now_ms;
        keep_roster(member, &view, now_ms);
        keep_fit(member, &view, now_ms);
    }
}
