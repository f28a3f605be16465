/* Runs seeds, a process each, on as many cores as asked for. See tests/README.md. */
#include "tests/sim/sim.h"

#include "base/instant.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX 16

struct job {
    pid_t pid;
    uint64_t seed;
    int output; /* what the child printed */
};

static const struct {
    const char *name;
    unsigned guard;
} plants[] = {
    {"A: commit index may go back", GUARD_COMMIT},
    {"B: a stale rejection moves next below match", GUARD_REJECT},
    {"C: a dump is let in while a snapshot is taken", GUARD_HOLD},
    {"label: snapshots named by the state, not by the core", GUARD_LABEL},
};

static struct job start(const struct sim_options *options, uint64_t seed)
{
    int ends[2];
    struct job job = {.seed = seed};

    fflush(stdout);
    if (pipe(ends) != 0 || (job.pid = fork()) < 0) {
        perror("sim");
        exit(2);
    }
    if (job.pid == 0) {
        struct sim_options own = *options;
        own.seed = seed;
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        int violations = sim_run(&own);
        fflush(stdout);
        _Exit(violations == 0 ? 0 : 1);
    }
    close(ends[1]);
    job.output = ends[0];
    return job;
}

/* Reads what it printed to the end, then its status; prints if it failed. */
static bool finish(struct job *job, bool is_loud)
{
    char text[65536];
    size_t size = 0;
    ssize_t got;
    int status;

    while ((got = read(job->output, text + size, sizeof text - 1 - size)) > 0 &&
           size < sizeof text - 2)
        size += (size_t)got;
    close(job->output);
    text[size] = '\0';
    waitpid(job->pid, &status, 0);
    bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!passed && is_loud) {
        fputs(text, stdout);
        if (WIFSIGNALED(status))
            printf("seed %llu ended by signal %d\n", (unsigned long long)job->seed,
                   WTERMSIG(status));
        printf("replay: sim --seed %llu --verbose\n", (unsigned long long)job->seed);
    }
    job->pid = 0;
    return passed;
}

/* The number of failed seeds among first … first+count-1; stops early when asked. */
static uint64_t run_seeds(const struct sim_options *options, uint64_t first, uint64_t count,
                          unsigned jobs, uint64_t deadline_ms, bool stop_at_failure,
                          bool is_loud, uint64_t *ret_run, uint64_t *ret_failed_seed)
{
    struct job running[JOBS_MAX] = {0};
    uint64_t failed = 0, started = 0, done = 0;

    while (done < count) {
        bool may_start = started < count &&
                         (deadline_ms == 0 || instant_monotonic_ms() < deadline_ms) &&
                         !(stop_at_failure && failed > 0);
        if (!may_start && started == done)
            break;
        struct job *slot = &running[started % jobs];
        if (may_start && slot->pid == 0) {
            *slot = start(options, first + started++);
            if (started - done < jobs)
                continue;
        }
        struct job *oldest = &running[done % jobs];
        if (!finish(oldest, is_loud)) {
            failed++;
            *ret_failed_seed = oldest->seed;
        }
        done++;
    }
    *ret_run = done;
    return failed;
}

static int run_plants(struct sim_options options, uint64_t count, unsigned jobs)
{
    int missed = 0;

    for (size_t i = 0; i < sizeof plants / sizeof plants[0]; i++) {
        uint64_t ran, seed = 0;
        options.guards_off = plants[i].guard;
        uint64_t failed = run_seeds(&options, 1, count, jobs, 0, true, false, &ran, &seed);
        if (failed > 0) {
            printf("ok planted bug %s: found by seed %llu\n", plants[i].name,
                   (unsigned long long)seed);
        } else {
            printf("not ok planted bug %s: not found in %llu seeds\n", plants[i].name,
                   (unsigned long long)count);
            missed++;
        }
    }
    return missed;
}

static uint64_t number(const char *text)
{
    uint64_t value;

    if (text == NULL || !slice_parse_u64(slice_from_string(text), &value)) {
        fprintf(stderr, "sim: '%s' is no number\n", text != NULL ? text : "");
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    struct sim_options options = {.seconds = 60};
    uint64_t first = 1, count = 500, minutes = 0, ran = 0, failed_seed = 0;
    unsigned jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    bool with_plants = false, one = false;

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--verbose") == 0)
            options.verbose = true;
        else if (strcmp(argv[i], "--plants") == 0)
            with_plants = true;
        else if (strcmp(argv[i], "--majority") == 0)
            options.majority_only = true;
        else if (strcmp(argv[i], "--seed") == 0)
            first = number(value), one = true, i++;
        else if (strcmp(argv[i], "--first") == 0)
            first = number(value), i++;
        else if (strcmp(argv[i], "--seeds") == 0)
            count = number(value), i++;
        else if (strcmp(argv[i], "--seconds") == 0)
            options.seconds = number(value), i++;
        else if (strcmp(argv[i], "--minutes") == 0)
            minutes = number(value), i++;
        else if (strcmp(argv[i], "--jobs") == 0)
            jobs = (unsigned)number(value), i++;
        else if (strcmp(argv[i], "--guards-off") == 0)
            options.guards_off = (unsigned)number(value), i++;
        else {
            fprintf(stderr,
                    "usage: sim [--seed N | --first N --seeds N | --minutes N] [--seconds "
                    "N] [--jobs N]\n"
                    "           [--plants] [--majority] [--guards-off MASK] [--verbose]\n");
            return 2;
        }
    }
    if (one) {
        options.seed = first;
        return sim_run(&options) == 0 ? 0 : 1;
    }
    jobs = jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : jobs;
    uint64_t deadline_ms = 0;
    if (minutes > 0) {
        deadline_ms = instant_monotonic_ms() + minutes * 60000;
        count = UINT64_MAX / 2;
    }
    uint64_t failed = run_seeds(&options, first, count, jobs, deadline_ms, false, true,
                                &ran, &failed_seed);
    /* Then the same with each guard off: a search that finds nothing proves nothing else.
     */
    uint64_t planted = 0, missed = 0;
    if (with_plants) {
        planted = sizeof plants / sizeof plants[0];
        missed = (uint64_t)run_plants(options, minutes > 0 ? 500 : count, jobs);
    }
    printf("SIM seeds %llu simulated-hours %.2f violations %llu\n", (unsigned long long)ran,
           (double)(ran * (options.seconds + 12)) / 3600, (unsigned long long)failed);
    printf("%llu passed, %llu failed, 0 skipped\n",
           (unsigned long long)(ran - failed + planted - missed),
           (unsigned long long)(failed + missed));
    return failed + missed == 0 ? 0 : 1;
}
