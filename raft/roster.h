/* Who should be what: the leader's view of membership, as a pure function.
 *
 * Compares the node records with Raft's configuration and names the next
 * single change, if any: the caller makes it and asks again once the voters
 * hold it (guard G is the replica's). What it keeps, in this order:
 *
 *   the quorum    no change after which the voters that are there would be fewer
 *                 than a majority
 *   the number    an odd one, as many as there are nodes that would vote, at most
 *                 `voters`; promotion comes before removal
 *   the living    a voter unseen for replace_ms gives way to a stand-by that is
 *                 caught up; without one it stays
 *   the wishes    who asked to vote votes before who is automatic
 *   the spread    voters stand in as many regions as possible
 *
 * Only the leader asks; the caller keeps `struct roster` between calls and
 * clears it when leadership changes. */
#ifndef GW_RAFT_ROSTER_H
#define GW_RAFT_ROSTER_H

#include "raft/replica.h"

#define ROSTER_NODES 32

enum roster_wish { ROSTER_AUTO, ROSTER_VOTER, ROSTER_STANDBY, ROSTER_WITNESS };

/* A node as its record and its link describe it. */
struct roster_node {
    uint64_t id;
    enum roster_wish wish;
    uint64_t region; /* hash of its name: voters are spread over regions */
    bool reachable;  /* now; the leader itself is */
};

struct roster_options {
    unsigned voters;     /* at most this many: 1, 3, 5, 7 */
    uint64_t stable_ms;  /* caught up and reachable for so long before promotion; 10,000 */
    uint64_t grow_ms;    /* instead, while there are fewer than three voters; 500 */
    uint64_t lag;        /* entries behind that still count as caught up; 250 */
    uint64_t replace_ms; /* a voter unseen for so long gives way; 10,000 */
};

struct roster {
    struct {
        uint64_t id;
        uint64_t caught_up_ms; /* since when it has been; 0: is not */
        uint64_t seen_ms;      /* when it was last reachable, or first asked about */
    } nodes[ROSTER_NODES];
    size_t count;
};

enum roster_step {
    ROSTER_NOTHING,
    ROSTER_ADD,
    ROSTER_ASSIGN,
    ROSTER_REMOVE,
    ROSTER_TRANSFER /* leadership to `id`: this leader is to be changed next, by that one */
};

struct roster_change {
    enum roster_step step;
    uint64_t id;
    enum replica_role role;
};

void roster_reset(struct roster *roster);
/* `now_ms` is above 0 and never goes back. */
struct roster_change roster_next(struct roster *roster,
                                 const struct roster_options *options,
                                 const struct replica_view *view,
                                 const struct roster_node *nodes, size_t node_count,
                                 uint64_t now_ms);

#endif
