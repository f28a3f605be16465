/* Runs in processes, two or more at a time, and what to do about one that fails.
 *
 * Shrinking takes faults away, half of them at first, then ever fewer at a time, and
 * keeps what still fails [Zeller, "Yesterday, my program worked", 1999]. What is left
 * is printed as a schedule, which replays by itself. */
#include "tests/sim/hunt.h"

#include "base/instant.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX     16
#define SHRINK_MS    90000
#define OUTPUT_SHOWN 6000

struct job {
    pid_t pid;                /* 0: free */
    struct schedule schedule; /* owned */
    int output;
};

/* Where a child leaves what it counted. */
static struct sim_counts *shared;

static struct sim_counts *shared_at(unsigned slot)
{
    if (shared == NULL) {
        shared = mmap(NULL, JOBS_MAX * sizeof *shared, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED) {
            perror("sim");
            exit(2);
        }
    }
    return &shared[slot];
}

static void start(struct job *job, unsigned slot, const struct schedule *schedule,
                  bool is_loud)
{
    struct sim_counts *counts = shared_at(slot);

    fflush(stdout);
    *counts = (struct sim_counts){0};
    job->schedule = *schedule;
    job->output = memfd_create("sim", MFD_CLOEXEC);
    job->pid = job->output < 0 ? -1 : fork();
    if (job->pid < 0) {
        perror("sim");
        exit(2);
    }
    if (job->pid > 0)
        return;
    dup2(job->output, 1);
    dup2(job->output, 2);
    int violations = sim_run(schedule, is_loud, counts);
    fflush(stdout);
    _Exit(violations == 0 ? 0 : 1);
}

static void show(struct job *job, int status)
{
    char text[OUTPUT_SHOWN + 1];
    ssize_t size = pread(job->output, text, OUTPUT_SHOWN, 0);

    text[size > 0 ? size : 0] = '\0';
    fputs(text, stdout);
    if (WIFSIGNALED(status))
        printf("seed %llu ended by signal %d\n", (unsigned long long)job->schedule.seed,
               WTERMSIG(status));
}

static bool is_pass(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool hunt_passes(const struct schedule *schedule, bool is_loud)
{
    struct job job;
    int status;

    start(&job, JOBS_MAX - 1, schedule, false);
    waitpid(job.pid, &status, 0);
    if (is_loud && !is_pass(status))
        show(&job, status);
    close(job.output);
    return is_pass(status);
}

/* ---- shrinking ---- */

/* Takes away `size` faults at a time where the rest still fails. */
static bool drop_pieces(struct schedule *schedule, size_t size, uint64_t deadline_ms)
{
    struct fault *rest = malloc((schedule->count + 1) * sizeof *rest);
    bool any = false;

    if (rest == NULL)
        abort();
    for (size_t at = schedule->count; at > 0 && instant_monotonic_ms() < deadline_ms;) {
        size_t from = at > size ? at - size : 0;
        struct schedule less = *schedule;

        /* From the end: what comes late did not make what came before. */
        memcpy(rest, schedule->faults, from * sizeof *rest);
        memcpy(rest + from, schedule->faults + at, (schedule->count - at) * sizeof *rest);
        less.faults = rest;
        less.count = schedule->count - (at - from);
        at = from;
        if (hunt_passes(&less, false))
            continue;
        memcpy(schedule->faults, rest, less.count * sizeof *rest);
        schedule->count = less.count;
        any = true;
    }
    free(rest);
    return any;
}

void hunt_shrink(struct schedule *schedule)
{
    uint64_t deadline_ms = instant_monotonic_ms() + SHRINK_MS;
    size_t size = (schedule->count + 1) / 2;

    while (size > 0 && instant_monotonic_ms() < deadline_ms) {
        bool any = drop_pieces(schedule, size, deadline_ms);
        if (!any || size > schedule->count)
            size = size > 1 || !any ? size / 2 : 1;
    }
    /* And end it soon after the last. */
    struct schedule shorter = *schedule;
    uint64_t last_ms = 0;
    for (size_t i = 0; i < schedule->count; i++) {
        uint64_t end_ms = schedule->faults[i].at_ms + schedule->faults[i].for_ms;
        last_ms = end_ms > last_ms ? end_ms : last_ms;
    }
    shorter.seconds = last_ms / 1000 + 2;
    if (shorter.seconds < schedule->seconds && !hunt_passes(&shorter, false))
        schedule->seconds = shorter.seconds;
}

static void report(const struct hunt *hunt, struct job *job, int status)
{
    char path[4096];
    uint64_t seed = job->schedule.seed;

    show(job, status);
    hunt_shrink(&job->schedule);
    printf("# the shortest schedule known that fails, of seed %llu:\n",
           (unsigned long long)seed);
    schedule_print(&job->schedule, stdout);
    if (hunt->save_dir != NULL) {
        snprintf(path, sizeof path, "%s/seed-%llu.txt", hunt->save_dir,
                 (unsigned long long)seed);
        FILE *file = fopen(path, "w");
        if (file != NULL) {
            schedule_print(&job->schedule, file);
            fclose(file);
            printf("# kept as %s\n", path);
        }
    }
    printf("replay: sim --seed %llu --verbose\n", (unsigned long long)seed);
    fflush(stdout);
}

/* ---- seeds ---- */

static void add_counts(struct sim_counts *sum, const struct sim_counts *more)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)more;

    _Static_assert(sizeof *sum % sizeof *to == 0, "counts are numbers");
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
}

static void finish(struct hunt *hunt, struct job *job, unsigned slot, int status)
{
    hunt->run++;
    add_counts(&hunt->counts, shared_at(slot));
    if (!is_pass(status)) {
        if (hunt->failed++ == 0 || job->schedule.seed < hunt->failed_seed)
            hunt->failed_seed = job->schedule.seed;
        if (hunt->is_loud)
            report(hunt, job, status);
    }
    close(job->output);
    schedule_free(&job->schedule);
    job->pid = 0;
}

static void wait_one(struct hunt *hunt, struct job *jobs)
{
    int status;
    pid_t pid = wait(&status);

    for (unsigned i = 0; i < hunt->jobs; i++) {
        if (jobs[i].pid == pid && pid > 0) {
            finish(hunt, &jobs[i], i, status);
            return;
        }
    }
}

void hunt_seeds(struct hunt *hunt)
{
    struct job jobs[JOBS_MAX] = {0};
    uint64_t started = 0;

    if (hunt->jobs < 1 || hunt->jobs >= JOBS_MAX)
        hunt->jobs = hunt->jobs < 1 ? 1 : JOBS_MAX - 1;
    while (hunt->run < started ||
           (started < hunt->count &&
            (hunt->deadline_ms == 0 || instant_monotonic_ms() < hunt->deadline_ms) &&
            !(hunt->stops_at_failure && hunt->failed > 0))) {
        bool may_start =
            started < hunt->count && started - hunt->run < hunt->jobs &&
            (hunt->deadline_ms == 0 || instant_monotonic_ms() < hunt->deadline_ms) &&
            !(hunt->stops_at_failure && hunt->failed > 0);
        if (!may_start) {
            wait_one(hunt, jobs);
            continue;
        }
        unsigned slot = 0;
        while (jobs[slot].pid != 0)
            slot++;
        struct schedule schedule;
        schedule_draw(hunt->first + started++, hunt->seconds, &schedule);
        schedule.guards_off = hunt->guards_off;
        schedule.plant = hunt->plant;
        schedule.is_lying = hunt->is_lying;
        start(&jobs[slot], slot, &schedule, false);
    }
}

void hunt_print_counts(const struct sim_counts *counts)
{
    printf("events %llu messages %llu acknowledged %llu reads %llu "
           "by-followers %llu elections %llu crashes "
           "%llu changes %llu snapshots %llu dumps %llu installed %llu undecided %llu\n",
           (unsigned long long)counts->events, (unsigned long long)counts->messages,
           (unsigned long long)counts->acks, (unsigned long long)counts->reads,
           (unsigned long long)counts->follower_reads,
           (unsigned long long)counts->elections, (unsigned long long)counts->crashes,
           (unsigned long long)counts->changes, (unsigned long long)counts->snapshots,
           (unsigned long long)counts->dumps, (unsigned long long)counts->installs,
           (unsigned long long)counts->undecided);
    printf("faults");
    for (unsigned i = 0; i < FAULT_KINDS; i++)
        printf(" %s %llu", fault_name((enum fault_kind)i),
               (unsigned long long)counts->faults[i]);
    printf("\nguards");
    for (unsigned i = 0; i < GUARD_COUNT; i++)
        printf(" %llu", (unsigned long long)counts->guard_hits[i]);
    printf("\n");
}

/* ---- kept schedules ---- */

/* Fails with the bug and passes without it, for the same seed. */
static bool finds(const struct schedule *schedule, const struct schedule_aim *aim)
{
    struct schedule with = *schedule, without = *schedule;

    if (aim->beside[0] != '\0' &&
        !(plant_apply(aim->beside, &with) && plant_apply(aim->beside, &without)))
        return false;
    return plant_apply(aim->plant, &with) && !hunt_passes(&with, false) &&
           hunt_passes(&without, false);
}

static bool try_schedule(const char *path, const char *name)
{
    struct schedule schedule;
    struct error err = ERROR_NONE;
    struct schedule_aim aim;
    bool is_found = false;

    if (schedule_read(path, &schedule, &aim, &err) != GW_OK) {
        printf("not ok schedule %s: %s\n", name, err.text);
        return false;
    }
    bool is_good = hunt_passes(&schedule, true);
    for (unsigned i = 0; i < aim.tries && is_good && !is_found && aim.plant[0] != '\0';
         i++) {
        struct schedule other = schedule;
        other.seed += i;
        is_found = finds(&other, &aim);
        if (is_found)
            printf("ok schedule %s: finds %s, seed %llu\n", name, aim.plant,
                   (unsigned long long)other.seed);
    }
    if (is_found)
        plant_shown(aim.plant);
    else if (is_good && aim.plant[0] != '\0')
        printf("not ok schedule %s: does not find the planted bug '%s' in %u seeds\n", name,
               aim.plant, aim.tries);
    else
        printf("%s schedule %s\n", is_good ? "ok" : "not ok", name);
    schedule_free(&schedule);
    return is_good && (is_found || aim.plant[0] == '\0');
}

static int is_schedule(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);

    return size > 4 && strcmp(entry->d_name + size - 4, ".txt") == 0;
}

unsigned hunt_schedules(const char *dir, unsigned *ret_run)
{
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, is_schedule, alphasort);
    unsigned failed = 0;

    *ret_run = count > 0 ? (unsigned)count : 0;
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name);
        failed += !try_schedule(path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return failed;
}
