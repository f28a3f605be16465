/* The command line. See tests/README.md. */
#include "tests/sim/hunt.h"

#include "base/instant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTLE_S 12 /* world.c: what a run takes beyond its seconds */

struct wishes {
    struct hunt hunt;
    uint64_t minutes, plant_seeds;
    bool has_seed, is_verbose, with_plants, is_printed, is_shrunk;
    const char *file, *schedules, *plant, *only;
};

static const char usage[] =
    "usage: sim [--seed N | --first N --seeds N | --minutes N] [--seconds N] [--jobs N]\n"
    "           [--schedules DIR] [--plants | --plants-only NAME] [--plant-seeds N]\n"
    "           [--save DIR]\n"
    "       sim --seed N | --schedule FILE [--verbose] [--plant NAME]\n"
    "           [--print | --shrink] [--guards-off MASK]\n";

static uint64_t number(const char *text)
{
    uint64_t value;

    if (text == NULL || !slice_parse_u64(slice_from_string(text), &value)) {
        fprintf(stderr, "sim: '%s' is no number\n%s", text != NULL ? text : "", usage);
        exit(2);
    }
    return value;
}

/* Options that take no value; false: none of them. */
static bool parse_flag(struct wishes *wishes, const char *option)
{
    if (strcmp(option, "--verbose") == 0)
        wishes->is_verbose = true;
    else if (strcmp(option, "--plants") == 0)
        wishes->with_plants = true;
    else if (strcmp(option, "--print") == 0)
        wishes->is_printed = true;
    else if (strcmp(option, "--shrink") == 0)
        wishes->is_shrunk = true;
    else
        return false;
    return true;
}

static bool parse_value(struct wishes *wishes, const char *option, const char *value)
{
    if (strcmp(option, "--seed") == 0)
        wishes->hunt.first = number(value), wishes->has_seed = true;
    else if (strcmp(option, "--first") == 0)
        wishes->hunt.first = number(value);
    else if (strcmp(option, "--seeds") == 0)
        wishes->hunt.count = number(value);
    else if (strcmp(option, "--seconds") == 0)
        wishes->hunt.seconds = number(value);
    else if (strcmp(option, "--minutes") == 0)
        wishes->minutes = number(value);
    else if (strcmp(option, "--jobs") == 0)
        wishes->hunt.jobs = (unsigned)number(value);
    else if (strcmp(option, "--guards-off") == 0)
        wishes->hunt.guards_off = (unsigned)number(value);
    else if (strcmp(option, "--plant-seeds") == 0)
        wishes->plant_seeds = number(value);
    else if (value == NULL)
        return false;
    else if (strcmp(option, "--schedule") == 0)
        wishes->file = value;
    else if (strcmp(option, "--schedules") == 0)
        wishes->schedules = value;
    else if (strcmp(option, "--plant") == 0)
        wishes->plant = value;
    else if (strcmp(option, "--plants-only") == 0)
        wishes->only = value, wishes->with_plants = true;
    else if (strcmp(option, "--save") == 0)
        wishes->hunt.save_dir = value;
    else
        return false;
    return true;
}

/* One run in this process: what it says is the answer. */
static int run_one(const struct wishes *wishes)
{
    struct schedule schedule;
    struct sim_counts counts;
    struct error err = ERROR_NONE;
    struct schedule_aim aim;

    if (wishes->file == NULL) {
        schedule_draw(wishes->hunt.first, wishes->hunt.seconds, &schedule);
    } else if (schedule_read(wishes->file, &schedule, &aim, &err) != GW_OK) {
        fprintf(stderr, "sim: %s\n", err.text);
        return 2;
    }
    schedule.guards_off = wishes->hunt.guards_off;
    if (wishes->plant != NULL && !plant_apply(wishes->plant, &schedule)) {
        fprintf(stderr, "sim: there is no planted bug '%s'\n", wishes->plant);
        return 2;
    }
    if (wishes->is_shrunk)
        hunt_shrink(&schedule);
    if (wishes->is_printed || wishes->is_shrunk) {
        schedule_print(&schedule, stdout);
        return 0;
    }
    int violations = sim_run(&schedule, wishes->is_verbose, &counts);
    hunt_print_counts(&counts);
    schedule_free(&schedule);
    return violations == 0 ? 0 : 1;
}

static int run_all(struct wishes *wishes)
{
    struct hunt *hunt = &wishes->hunt;
    unsigned kept = 0, kept_failed = 0, planted = 0, missed = 0;

    if (wishes->schedules != NULL)
        kept_failed = hunt_schedules(wishes->schedules, &kept);
    if (wishes->minutes > 0) {
        hunt->deadline_ms = instant_monotonic_ms() + wishes->minutes * 60000;
        hunt->count = UINT64_MAX / 2;
    }
    hunt->is_loud = true;
    if (wishes->only == NULL)
        hunt_seeds(hunt);
    if (wishes->with_plants && wishes->schedules != NULL && wishes->only == NULL)
        missed = plants_unshown();
    if (wishes->with_plants)
        missed += hunt_plants(wishes->plant_seeds, hunt->seconds, hunt->jobs, wishes->only,
                              &planted);
    hunt_print_counts(&hunt->counts);
    printf("SIM seeds %llu simulated-hours %.2f violations %llu\n",
           (unsigned long long)hunt->run,
           (double)(hunt->run * (hunt->seconds + SETTLE_S)) / 3600,
           (unsigned long long)(hunt->failed + kept_failed));
    printf("%llu passed, %llu failed, 0 skipped\n",
           (unsigned long long)(hunt->run - hunt->failed + kept - kept_failed + planted -
                                missed),
           (unsigned long long)(hunt->failed + kept_failed + missed));
    return hunt->failed + kept_failed + missed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct wishes wishes = {
        .hunt = {.first = 1,
                 .count = 500,
                 .seconds = 60,
                 .jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN)},
        .plant_seeds = 1000,
    };

    for (int i = 1; i < argc; i++) {
        if (parse_flag(&wishes, argv[i]))
            continue;
        if (!parse_value(&wishes, argv[i], i + 1 < argc ? argv[i + 1] : NULL)) {
            fputs(usage, stderr);
            return 2;
        }
        i++;
    }
    return wishes.has_seed || wishes.file != NULL ? run_one(&wishes) : run_all(&wishes);
}
