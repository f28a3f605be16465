/* Many runs, a process each: over seeds, over kept schedules, over planted bugs. */
#ifndef GW_SIM_HUNT_H
#define GW_SIM_HUNT_H

#include "tests/sim/sim.h"

struct hunt {
    uint64_t first, count, seconds, deadline_ms; /* of instant_monotonic_ms; 0: none */
    unsigned jobs, guards_off;
    const char *plant;
    bool is_lying;
    bool stops_at_failure, is_loud; /* loud: failures are printed, shrunk and saved */
    const char *save_dir;           /* or NULL */

    /* What came of it. */
    uint64_t run, failed, failed_seed;
    struct sim_counts counts;
};

void hunt_seeds(struct hunt *hunt);
void hunt_print_counts(const struct sim_counts *counts);
/* Runs one schedule in a process of its own. */
bool hunt_passes(const struct schedule *schedule, bool is_loud);
/* Takes away what it fails without, for up to 90 s. */
void hunt_shrink(struct schedule *schedule);
/* Every *.txt of a directory: each must pass, and find the bug that it names.
 * Returns how many did not; *ret_run: how many there were. */
unsigned hunt_schedules(const char *dir, unsigned *ret_run);
/* Each planted bug: the seeds it takes to find it. Returns how many were missed. */
unsigned hunt_plants(uint64_t seeds, uint64_t seconds, unsigned jobs, const char *only,
                     unsigned *ret_run);
/* Plants it; false: there is no such bug. */
bool plant_apply(const char *name, struct schedule *schedule);
/* A kept schedule has found it. */
void plant_shown(const char *name);
/* After the kept schedules: how many bugs that are theirs to find none of them has found;
 * and how many guards have no bug here at all. */
unsigned plants_unshown(void);

#endif
