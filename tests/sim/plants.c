/* Bugs planted on purpose: a search that finds nothing proves nothing, unless it finds
 * these. Guards are taken away by the replica's own option. */
#include "tests/sim/hunt.h"

#include <stdio.h>
#include <string.h>

/* A bug that chance misses has a schedule of its own, and is found by that alone. Not
 * here: GUARD_HOLD, as pieces of a dump and snapshots pass through one queue of the store.
 */
static const struct {
    const char *name;
    unsigned guards_off;
    bool is_planted; /* by this name in the product's source */
    bool is_lying, has_schedule;
} plants[] = {
    {"early-durable", .is_planted = true},
    {"vote-any-term", .is_planted = true},
    {"vote-any-log", .is_planted = true},
    {"vote-forgotten", .is_planted = true},
    {"dump-without-sessions", .is_planted = true},
    {"dump-without-conf", .is_planted = true},
    {"applied-twice", .is_planted = true},
    {"stale-read", .is_planted = true},
    {"unseen-read", .is_planted = true},
    {"ack-early", .is_planted = true},
    {"truncation-lost", .is_planted = true},
    {"precondition-skipped", .is_planted = true},
    {"session-lost", .is_planted = true},
    {"fast-stamps", .is_planted = true},
    {"lying-disk", .is_lying = true},
    {"send-before-outbox", .guards_off = GUARD_OUTBOX},
    {"label-by-state", .guards_off = GUARD_LABEL},
    {"guard-A-commit-back", .guards_off = GUARD_COMMIT},
    {"guard-B-stale-rejection", .guards_off = GUARD_REJECT},
    {"guard-J-change-behind", .guards_off = GUARD_CHANGE_FIRST},
    {"guard-M-lone-voter", .guards_off = GUARD_ALONE},
    {"guard-P-told-of-demotion", .guards_off = GUARD_DEMOTION, .has_schedule = true},
};
#define PLANT_COUNT (sizeof plants / sizeof plants[0])

bool plant_apply(const char *name, struct schedule *schedule)
{
    for (size_t i = 0; i < PLANT_COUNT; i++) {
        if (strcmp(plants[i].name, name) != 0)
            continue;
        schedule->guards_off |= plants[i].guards_off;
        if (plants[i].is_planted)
            schedule->plant = plants[i].name;
        schedule->is_lying = schedule->is_lying || plants[i].is_lying;
        return true;
    }
    return false;
}

/* A seed that fails anyway has found nothing. */
static bool passes_without(uint64_t seed, uint64_t seconds)
{
    struct schedule schedule;

    schedule_draw(seed, seconds, &schedule);
    bool is_pass = hunt_passes(&schedule, false);
    schedule_free(&schedule);
    return is_pass;
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
                            .plant = plants[i].is_planted ? plants[i].name : NULL,
                            .is_lying = plants[i].is_lying,
                            .stops_at_failure = true};
        if (only != NULL ? strcmp(only, plants[i].name) != 0 : plants[i].has_schedule)
            continue;
        ++*ret_run;
        hunt_seeds(&hunt);
        if (hunt.failed > 0 && !passes_without(hunt.failed_seed, seconds)) {
            printf("not ok planted bug %s: seed %llu fails without it as well\n",
                   plants[i].name, (unsigned long long)hunt.failed_seed);
            missed++;
        } else if (hunt.failed > 0) {
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
