/* Whether this node should lead, as a pure function of what happened to it.
 *
 * A leader whose disk stalls still sends heartbeats, so nobody would ever depose it,
 * and a member that is elected again and again only to lose it again serves nobody.
 * So a leader hands over when its disk has not answered for FITNESS_STALL_MS, when it
 * is about to stop, when its state is found to be wrong, when its disk is low and another
 * has room, or when it has lost leadership FITNESS_LOSSES times within FITNESS_WINDOW_MS;
 * and is shy for a while: its elections come later than those of others, which never keeps
 * it from leading where it is the only one who can. */
#ifndef GW_RAFT_FITNESS_H
#define GW_RAFT_FITNESS_H

#include <stdbool.h>
#include <stdint.h>

#define FITNESS_LOSSES      3
#define FITNESS_WINDOW_MS   60000
#define FITNESS_SHY_MS      60000
#define FITNESS_STALL_MS    2000 /* or four elections, where that is longer */
#define FITNESS_PATIENCE_MS 5000 /* between two attempts to hand over */
#define FITNESS_LOW_MS      2000 /* the same with a low disk */
#define FITNESS_MUST_MS     500  /* the same if it must */
#define FITNESS_HANDICAP    3    /* elections that a shy one waits */

struct fitness {
    uint64_t lost_ms[FITNESS_LOSSES]; /* the last times; 0: never */
    uint64_t shy_until_ms;
    uint64_t handed_ms; /* the last attempt; 0: never */
    uint64_t transfers;
    bool was_leader, is_giving_up;
};

struct fitness_news {
    bool is_leader;
    bool is_stopping;      /* asked to end */
    bool is_quarantined;   /* its state is not that of the others */
    bool is_disk_low;      /* with less room than a leader needs */
    bool has_heir;         /* another voter has that room, as far as is known */
    uint64_t disk_wait_ms; /* how long the oldest write to the disk has waited */
    unsigned election_ms;
    uint64_t transfers; /* begun so far: leadership given away is no loss */
};

struct fitness_advice {
    bool hand_over;    /* now, to the heir of a low disk, else to whoever is best */
    unsigned handicap; /* election timeouts are to be so many times as long; 1: as usual */
    const char *why;   /* of hand_over */
};

/* Every 100 ms or so. `now_ms` is above 0 and never goes back. */
struct fitness_advice fitness_next(struct fitness *fitness, const struct fitness_news *news,
                                   uint64_t now_ms);

#endif
