/* The raft section of the Cluster resource, as the member shall keep it: read at
 * the start and again with every revision; each node obeys as soon as it sees it. */
#include "base/log.h"
#include "node/control/room.h"

struct member_shape shape_wanted(const struct control *control)
{
    static const unsigned voters[] = {7, 1, 3, 5, 7};
    const struct cluster_spec *cluster =
        control->visible == NULL ? NULL : catalog_cluster(&control->visible->catalog);
    struct member_shape shape = {.roster = {.voters = 7,
                                            .stable_ms = 10000,
                                            .grow_ms = 500,
                                            .lag = 250,
                                            .replace_ms = 10000}};

    if (cluster == NULL)
        return shape;
    shape.pace.is_wan = cluster->raft.profile == PROFILE_WAN;
    if (cluster->raft.heartbeat_ms != GW_ABSENT)
        shape.pace.heartbeat_ms = (unsigned)cluster->raft.heartbeat_ms;
    if (cluster->raft.election_timeout_ms != GW_ABSENT)
        shape.pace.election_ms = (unsigned)cluster->raft.election_timeout_ms;
    if (cluster->raft.voters >= 0 && cluster->raft.voters < 5)
        shape.roster.voters = voters[cluster->raft.voters];
    shape.roster.replace_ms = cluster->raft.replace_after_ms;
    return shape;
}

static bool is_same(const struct member_shape *a, const struct member_shape *b)
{
    return a->pace.is_wan == b->pace.is_wan &&
           a->pace.heartbeat_ms == b->pace.heartbeat_ms &&
           a->pace.election_ms == b->pace.election_ms &&
           a->roster.voters == b->roster.voters &&
           a->roster.replace_ms == b->roster.replace_ms;
}

void shape_follow(struct control *control)
{
    struct member_shape shape = shape_wanted(control);

    if (control->member == NULL || is_same(&shape, &control->shape))
        return;
    control->shape = shape;
    member_shape_set(control->member, &shape);
}
