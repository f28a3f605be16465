/* Bugs planted on purpose: a search that finds nothing proves nothing, unless it finds
 * these. Guards are taken away by the replica's own option. */
#include "tests/sim/hunt.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned guards_off;
    uint64_t plants;
    bool is_lying;
} plants[] = {
    {"commit-back", .guards_off = GUARD_COMMIT},
    {"stale-rejection", .guards_off = GUARD_REJECT},
    /* Not GUARD_HOLD: pieces of a dump and snapshots pass through one queue of the store,
     * so by chance they do not meet. tests/unit/raft/replica_dump_test.c makes them. */
    {"label-by-state", .guards_off = GUARD_LABEL},
    {"pre-vote-deadlock", .guards_off = GUARD_PRE_VOTE},
    {"change-too-early", .guards_off = GUARD_MEMBERSHIP},
    {"vote-lost-in-term", .guards_off = GUARD_VOTE_KEPT},
    {"send-before-outbox", .guards_off = GUARD_OUTBOX},
    {"change-behind-others", .guards_off = GUARD_CHANGE_FIRST},
    {"result-unset", .guards_off = GUARD_RESULT | GUARD_STALE},
    {"lone-voter-twice", .guards_off = GUARD_ALONE},
    {"trimmed-again", .guards_off = GUARD_COVERED},
    {"standby-refuses", .guards_off = GUARD_ANY_ROLE},
    {"told-of-demotion", .guards_off = GUARD_DEMOTION},
    {"lying-disk", .is_lying = true},
};
#define PLANT_COUNT (sizeof plants / sizeof plants[0])

bool plant_apply(const char *name, struct schedule *schedule)
{
    for (size_t i = 0; i < PLANT_COUNT; i++) {
        if (strcmp(plants[i].name, name) != 0)
            continue;
        schedule->guards_off |= plants[i].guards_off;
        schedule->plants |= plants[i].plants;
        schedule->is_lying = schedule->is_lying || plants[i].is_lying;
        return true;
    }
    return false;
}

unsigned hunt_plants(uint64_t seeds, uint64_t seconds, unsigned jobs, const char *only,
                     unsigned *ret_run)
{
    unsigned missed = 0;

    *ret_run = 0;
    for (size_t i = 0; i < PLANT_COUNT; i++) {
        struct hunt hunt = {.first = 1,
                            .count = seeds,
                            .seconds = seconds,
                            .jobs = jobs,
                            .guards_off = plants[i].guards_off,
                            .plants = plants[i].plants,
                            .is_lying = plants[i].is_lying,
                            .stops_at_failure = true};
        if (only != NULL && strcmp(only, plants[i].name) != 0)
            continue;
        ++*ret_run;
        hunt_seeds(&hunt);
        if (hunt.failed > 0) {
            printf("ok planted bug %s: found by seed %llu\n", plants[i].name,
                   (unsigned long long)hunt.failed_seed);
        } else {
            printf("not ok planted bug %s: not found in %llu seeds\n", plants[i].name,
                   (unsigned long long)seeds);
            missed++;
        }
        fflush(stdout);
    }
    return missed;
}
