/* Each seed draws its own mix: about half of the kinds, so that what one kind hides
 * another run shows [Groce et al., "Swarm Testing", 2012]. */
#include "tests/sim/schedule.h"

#include "base/rng.h"
#include "base/slice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_MS 1500

/* How often, against the others, and for how long. */
static const struct {
    const char *name;
    unsigned weight, low_ms, high_ms;
} kinds[FAULT_KINDS] = {
    [FAULT_CRASH] = {"crash", 8, 20, 3000},
    [FAULT_POWER] = {"power", 8, 20, 3000},
    [FAULT_POWER_LATE] = {"power-late", 4, 20, 3000},
    [FAULT_CRASH_AT_DISK] = {"crash-at-disk", 10, 20, 2000},
    [FAULT_CRASH_AFTER_SEND] = {"crash-after-send", 8, 20, 1500},
    [FAULT_CRASH_MANY] = {"crash-many", 5, 20, 1500},
    [FAULT_ROLLING] = {"rolling-restart", 2, 4000, 8000},
    [FAULT_ISOLATE] = {"isolate", 6, 200, 4000},
    [FAULT_ISOLATE_LEADER] = {"isolate-leader", 8, 200, 4000},
    [FAULT_HALVES] = {"halves", 6, 200, 4000},
    [FAULT_ONE_WAY] = {"one-way", 5, 200, 4000},
    [FAULT_DEAF] = {"deaf", 4, 200, 3000},
    [FAULT_MUTE] = {"mute", 4, 200, 3000},
    [FAULT_RING] = {"ring", 3, 500, 4000},
    [FAULT_BRIDGE] = {"bridge", 3, 500, 4000},
    [FAULT_REGION_CUT] = {"region-cut", 3, 300, 4000},
    [FAULT_REGION_FAR] = {"region-far", 4, 500, 6000},
    [FAULT_LOSS] = {"loss", 6, 500, 6000},
    [FAULT_FLAKY] = {"flaky", 4, 500, 5000},
    [FAULT_DUPLICATE] = {"duplicate", 5, 500, 8000},
    [FAULT_REORDER] = {"reorder", 6, 500, 8000},
    [FAULT_SLOW_NET] = {"slow-net", 4, 500, 6000},
    [FAULT_SLOW_DISK] = {"slow-disk", 6, 500, 6000},
    [FAULT_STALLED_DISK] = {"stalled-disk", 4, 200, 3000},
    [FAULT_FULL_DISK] = {"full-disk", 3, 200, 3000},
    [FAULT_FAILING_DISK] = {"failing-disk", 3, 200, 2000},
    [FAULT_DRIFT] = {"drift", 5, 1000, 20000},
    [FAULT_WALL_JUMP] = {"wall-jump", 3, 500, 10000},
    [FAULT_PAUSE] = {"pause", 7, 50, 2500},
    [FAULT_ANSWERS_LOST] = {"answers-lost", 5, 500, 8000},
    [FAULT_HELD] = {"held", 6, 100, 2000},
    [FAULT_TRANSFER] = {"transfer", 6, 0, 0},
    [FAULT_JOIN] = {"join", 5, 0, 0},
    [FAULT_REMOVE] = {"remove", 3, 0, 0},
    [FAULT_STANDBY] = {"standby", 4, 0, 0},
    [FAULT_VOTER] = {"voter", 5, 0, 0},
    [FAULT_REPLACE] = {"replace", 3, 0, 0},
};

const char *fault_name(enum fault_kind kind)
{
    return kinds[kind].name;
}

static void add(struct schedule *schedule, const struct fault *fault)
{
    if ((schedule->count & (schedule->count - 1)) == 0) {
        schedule->faults =
            realloc(schedule->faults, (2 * schedule->count + 1) * sizeof *fault);
        if (schedule->faults == NULL)
            abort();
    }
    schedule->faults[schedule->count++] = *fault;
}

static enum fault_kind pick(struct rng *rng, const unsigned *weights, unsigned total)
{
    uint64_t at = rng_below(rng, total);
    unsigned kind = 0;

    while (at >= weights[kind])
        at -= weights[kind++];
    return (enum fault_kind)kind;
}

void schedule_draw(uint64_t seed, uint64_t seconds, struct schedule *ret_schedule)
{
    static const unsigned founders[] = {3, 3, 3, 3, 5, 5, 5, 4, 2, 1};
    struct schedule schedule = {.seed = seed, .seconds = seconds};
    unsigned weights[FAULT_KINDS], total = 0;
    struct rng rng;

    rng_init(&rng, seed * 0x9e3779b97f4a7c15u + 1);
    schedule.founders = founders[rng_below(&rng, 10)];
    schedule.regions = 1 + (unsigned)rng_below(&rng, 3);
    schedule.region_delay_ms = (unsigned)rng_below(&rng, 40);
    schedule.voters = rng_chance(&rng, 300) ? 5 : 3;
    if (schedule.voters < schedule.founders)
        schedule.voters = 5;
    schedule.is_fifo = rng_chance(&rng, 500);
    schedule.gathers = rng_chance(&rng, 500);
    for (unsigned i = 0; i < FAULT_KINDS; i++) {
        weights[i] = rng_chance(&rng, 500) ? kinds[i].weight : 0;
        total += weights[i];
    }
    if (total == 0)
        total = weights[FAULT_CRASH] = 1;
    uint64_t calm_ms = rng_between(&rng, 400, 2500); /* between faults, at most */
    for (uint64_t at_ms = FIRST_MS; at_ms < seconds * 1000;
         at_ms += rng_between(&rng, 50, calm_ms)) {
        struct fault fault = {.kind = pick(&rng, weights, total), .at_ms = at_ms};
        fault.a = rng_chance(&rng, 300) ? 0 : (int)rng_between(&rng, 1, SCHEDULE_SLOTS);
        fault.b = (int)rng_between(&rng, 1, SCHEDULE_SLOTS);
        fault.amount = rng_below(&rng, 1000000);
        fault.for_ms =
            rng_between(&rng, kinds[fault.kind].low_ms, kinds[fault.kind].high_ms);
        /* Mostly short: what matters happens at the edges. */
        if (rng_chance(&rng, 600))
            fault.for_ms = (fault.for_ms + 3 * kinds[fault.kind].low_ms) / 4;
        add(&schedule, &fault);
    }
    *ret_schedule = schedule;
}

static bool fault_read(const char *line, struct fault *fault)
{
    unsigned long long at_ms, for_ms, amount;
    char name[32];

    if (sscanf(line, "at %llu %31s %d %d %llu for %llu", &at_ms, name, &fault->a, &fault->b,
               &amount, &for_ms) != 6 ||
        fault->a < 0 || fault->a > SCHEDULE_SLOTS || fault->b < 0 ||
        fault->b > SCHEDULE_SLOTS)
        return false;
    fault->at_ms = at_ms;
    fault->for_ms = for_ms;
    fault->amount = amount;
    for (unsigned i = 0; i < FAULT_KINDS; i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            fault->kind = (enum fault_kind)i;
            return true;
        }
    }
    return false;
}

static bool line_read(struct schedule *schedule, const char *line, struct schedule_aim *aim)
{
    unsigned long long value;
    struct fault fault;
    char word[32];

    if (line[0] == '#' || line[0] == '\n')
        return true;
    if (strncmp(line, "at ", 3) == 0) {
        if (!fault_read(line, &fault))
            return false;
        add(schedule, &fault);
        return true;
    }
    if (sscanf(line, "plant %63s", aim->plant) == 1 ||
        sscanf(line, "beside %63s", aim->beside) == 1)
        return true;
    if (sscanf(line, "%31s %llu", word, &value) != 2)
        return false;
    if (strcmp(word, "seed") == 0)
        schedule->seed = value;
    else if (strcmp(word, "seconds") == 0)
        schedule->seconds = value;
    else if (strcmp(word, "founders") == 0 && value >= 1 && value <= SCHEDULE_SLOTS)
        schedule->founders = (unsigned)value;
    else if (strcmp(word, "regions") == 0 && value >= 1 && value <= SCHEDULE_SLOTS)
        schedule->regions = (unsigned)value;
    else if (strcmp(word, "delay") == 0)
        schedule->region_delay_ms = (unsigned)value;
    else if (strcmp(word, "voters") == 0)
        schedule->voters = (unsigned)value;
    else if (strcmp(word, "fifo") == 0)
        schedule->is_fifo = value != 0;
    else if (strcmp(word, "gathers") == 0)
        schedule->gathers = value != 0;
    else if (strcmp(word, "tries") == 0 && value >= 1 && value <= 1000)
        aim->tries = (unsigned)value;
    else
        return false;
    return true;
}

enum result schedule_read(const char *path, struct schedule *ret_schedule,
                          struct schedule_aim *ret_aim, struct error *err)
{
    struct schedule schedule = {.seed = 1,
                                .seconds = 20,
                                .founders = 3,
                                .regions = 1,
                                .voters = 3,
                                .is_fifo = true};
    FILE *file = fopen(path, "r");
    char line[256];
    unsigned number = 0;

    if (file == NULL)
        return error_set(err, GW_IO, "read '%s': %s", path, strerror(errno));
    *ret_aim = (struct schedule_aim){.tries = 1};
    while (fgets(line, sizeof line, file) != NULL) {
        number++;
        if (line_read(&schedule, line, ret_aim))
            continue;
        error_set(err, GW_INVALID, "'%s' line %u is no line of a schedule: %s", path,
                  number, line);
        fclose(file);
        schedule_free(&schedule);
        return err->code;
    }
    fclose(file);
    *ret_schedule = schedule;
    return GW_OK;
}

void schedule_print(const struct schedule *schedule, FILE *out)
{
    fprintf(out,
            "seed %llu\nseconds %llu\nfounders %u\nregions %u\ndelay %u\nvoters %u\n"
            "fifo %d\ngathers %d\n",
            (unsigned long long)schedule->seed, (unsigned long long)schedule->seconds,
            schedule->founders, schedule->regions, schedule->region_delay_ms,
            schedule->voters, schedule->is_fifo, schedule->gathers);
    for (size_t i = 0; i < schedule->count; i++) {
        const struct fault *fault = &schedule->faults[i];
        fprintf(out, "at %llu %s %d %d %llu for %llu\n", (unsigned long long)fault->at_ms,
                fault_name(fault->kind), fault->a, fault->b,
                (unsigned long long)fault->amount, (unsigned long long)fault->for_ms);
    }
}

void schedule_free(struct schedule *schedule)
{
    free(schedule->faults);
    schedule->faults = NULL;
    schedule->count = 0;
}
