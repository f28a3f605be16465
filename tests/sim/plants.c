/* Bugs planted on purpose: a search that finds nothing proves nothing, unless it finds
 * these. Guards are taken away by the replica's own option. */
#include "tests/sim/hunt.h"

#include <stdio.h>
#include <string.h>

/* A bug that chance misses, or finds too seldom, has schedules of its own, and is found by
 * those alone. What shows only where another guard is off too names that one. Two bugs of
 * libraft do no harm that is looked for here: without guards E and F it is only slower.
 * Without I a vote is lost between two jobs of the store, which takes them at once here.
 * Unit tests show these (tests/README.md).
 */
enum shown { BY_SEEDS, BY_SCHEDULE, BY_UNIT_TEST };

static const struct {
    const char *name;
    unsigned guards_off;
    enum shown shown;
    bool is_planted; /* by this name in the product's source */
    bool is_lying;
} plants[] = {
    {"early-durable", .is_planted = true},
    {"vote-any-term", .is_planted = true, .shown = BY_SCHEDULE},
    {"vote-any-log", .is_planted = true},
    {"vote-forgotten", .is_planted = true},
    {"dump-without-sessions", .is_planted = true},
    {"dump-without-conf", .is_planted = true},
    {"applied-twice", .is_planted = true},
    {"stale-read", .is_planted = true, .shown = BY_SCHEDULE},
    {"unseen-read", .is_planted = true},
    {"ack-early", .is_planted = true},
    {"truncation-lost", .is_planted = true},
    {"precondition-skipped", .is_planted = true},
    {"session-lost", .is_planted = true},
    {"fast-stamps", .is_planted = true},
    {"lying-disk", .is_lying = true},
    {"send-before-outbox", GUARD_OUTBOX},
    {"label-by-state", GUARD_LABEL},
    {"guard-A-commit-back", GUARD_COMMIT},
    {"guard-B-stale-rejection", GUARD_REJECT},
    {"guard-C-dump-during-snapshot", GUARD_HOLD, BY_SCHEDULE},
    {"guard-D-pre-vote-refused", GUARD_PRE_VOTE, BY_SCHEDULE},
    {"guard-E-no-heartbeats", GUARD_HEARTBEAT, BY_UNIT_TEST},
    {"guard-F-two-dumps", GUARD_TRANSFER, BY_UNIT_TEST},
    {"guard-G-voter-behind", GUARD_MEMBERSHIP, BY_SCHEDULE}, /* beside O */
    {"guard-H-failing-send", GUARD_NEVER_FAIL},
    {"guard-I-vote-cleared", GUARD_VOTE_KEPT, BY_UNIT_TEST},
    {"guard-J-change-behind", GUARD_CHANGE_FIRST},
    {"guard-K-unset-answer", GUARD_RESULT, BY_SCHEDULE}, /* beside L */
    {"guard-L-stale-answer", GUARD_STALE, BY_SCHEDULE},
    {"guard-M-lone-voter", GUARD_ALONE},
    {"guard-N-behind-the-log", GUARD_COVERED, BY_SCHEDULE},
    {"guard-O-standby-refuses", GUARD_ANY_ROLE, BY_SCHEDULE},
    {"guard-P-told-of-demotion", GUARD_DEMOTION, BY_SCHEDULE},
};
#define PLANT_COUNT (sizeof plants / sizeof plants[0])

static bool is_shown[PLANT_COUNT];

void plant_shown(const char *name)
{
    for (size_t i = 0; i < PLANT_COUNT; i++) {
        if (strcmp(plants[i].name, name) == 0)
            is_shown[i] = true;
    }
}

unsigned plants_unshown(void)
{
    unsigned missed = 0, guards = 0;

    for (size_t i = 0; i < PLANT_COUNT; i++) {
        guards |= plants[i].guards_off;
        if (plants[i].shown != BY_SCHEDULE || is_shown[i])
            continue;
        printf("not ok planted bug %s: no schedule finds it\n", plants[i].name);
        missed++;
    }
    for (unsigned i = 0; i < GUARD_COUNT; i++) {
        if (guards >> i & 1)
            continue;
        printf("not ok planted bug of guard %u: there is none\n", i);
        missed++;
    }
    return missed;
}

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
        if (only != NULL ? strcmp(only, plants[i].name) != 0 : plants[i].shown != BY_SEEDS)
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
