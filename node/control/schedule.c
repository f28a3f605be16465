/* What there is already is asked of the directory, not remembered: a node that starts
 * often neither backs up at every start nor never. The directory is not made when it
 * is missing: most likely a mount is, and its place is the wrong disk. */
#include "node/control/schedule.h"

#include "base/instant.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NAMES_MAX  20000
#define STAMP_SIZE 16 /* 20260102T030405Z */
#define SUFFIX     ".gwsnap"
#define PATH_BYTES 4600

struct schedule {
    struct control *control;
    const char *dir; /* borrowed */
    uint64_t every_ms, keep;
    uint64_t due_ms; /* monotonic */
    bool is_busy;
    struct backup_write write;
    char part[PATH_BYTES];
    struct schedule_counts counts;
};

/* ---- names ---- */

static void stamp_of(uint64_t wall_ms, char *out)
{
    struct instant_civil civil;

    instant_civil(wall_ms, &civil);
    snprintf(out, STAMP_SIZE + 1, "%04u%02u%02uT%02u%02u%02uZ", (unsigned)civil.year,
             civil.month, civil.day, civil.hour, civil.minute, civil.second);
}

static bool stamp_parse(struct slice text, uint64_t *ret_wall_ms)
{
    char spaced[32];

    if (text.size != STAMP_SIZE)
        return false;
    const char *t = text.data;
    snprintf(spaced, sizeof spaced, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", t, t + 4, t + 6,
             t + 9, t + 11, t + 13);
    return t[8] == 'T' && t[15] == 'Z' &&
           instant_parse(slice_from_string(spaced), ret_wall_ms);
}

bool schedule_is_ours(struct slice name, const char *node, uint64_t *ret_made_ms)
{
    const size_t size = strlen(node);
    uint64_t revision;

    if (!slice_starts_with(name, slice_from_string(node)) ||
        !slice_ends_with(name, SLICE(SUFFIX)) || name.size <= size + sizeof SUFFIX)
        return false;
    struct slice rest =
        slice_sub(name, size, name.size - size - (sizeof SUFFIX - 1)); /* -TIME-rREVISION */
    return rest.size > 1 + STAMP_SIZE + 2 && rest.data[0] == '-' &&
           rest.data[1 + STAMP_SIZE] == '-' && rest.data[2 + STAMP_SIZE] == 'r' &&
           stamp_parse(slice_sub(rest, 1, STAMP_SIZE), ret_made_ms) &&
           slice_parse_u64(slice_from(rest, 3 + STAMP_SIZE), &revision);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* This node's, oldest first: the names sort by their time. Each and the array are the
 * caller's to free. */
static size_t list_ours(const char *dir, const char *node, char ***ret_names)
{
    char **names = calloc(NAMES_MAX, sizeof *names);
    struct dirent *entry;
    uint64_t made_ms;
    size_t count = 0;
    DIR *handle = names == NULL ? NULL : opendir(dir);

    while (handle != NULL && count < NAMES_MAX && (entry = readdir(handle)) != NULL) {
        if (schedule_is_ours(slice_from_string(entry->d_name), node, &made_ms) &&
            (names[count] = strdup(entry->d_name)) != NULL)
            count++;
    }
    if (handle != NULL)
        closedir(handle);
    if (names != NULL)
        qsort(names, count, sizeof *names, by_name);
    *ret_names = names;
    return count;
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

/* ---- one backup, on the pool ---- */

static void prune(const struct schedule *schedule)
{
    char **names, path[PATH_BYTES];
    size_t count = list_ours(schedule->dir, schedule->write.node, &names);

    for (size_t i = 0; i + schedule->keep < count; i++) {
        snprintf(path, sizeof path, "%s/%s", schedule->dir, names[i]);
        unlink(path);
    }
    free_names(names, count);
}

static enum result put_in_place(struct schedule *schedule)
{
    struct backup_write *write = &schedule->write;
    char path[PATH_BYTES], stamp[STAMP_SIZE + 1];

    stamp_of(write->made_ms, stamp);
    snprintf(path, sizeof path, "%.4200s/%s-%s-r%llu" SUFFIX, schedule->dir, write->node,
             stamp, (unsigned long long)write->revision);
    int dir = open(schedule->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_there = dir >= 0 && fsync(write->fd) == 0 &&
                    rename(schedule->part, path) == 0 && fsync(dir) == 0;
    if (!is_there)
        error_set(&write->err, GW_IO, "write '%s': %s", path, strerror(errno));
    if (dir >= 0)
        close(dir);
    return write->err.code;
}

static void run(struct job *job)
{
    struct schedule *schedule = job->owner;
    struct backup_write *write = &schedule->write;

    snprintf(schedule->part, sizeof schedule->part, "%.4200s/.%s" SUFFIX ".part",
             schedule->dir, write->node);
    write->fd = open(schedule->part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (write->fd < 0) {
        error_set(&write->err, GW_IO, "write '%s': %s", schedule->part, strerror(errno));
        return;
    }
    backup_write_run(write);
    if (write->err.code == GW_OK)
        put_in_place(schedule);
    if (write->err.code == GW_OK)
        prune(schedule);
    else
        unlink(schedule->part);
    close(write->fd);
}

static void done(struct job *job)
{
    struct schedule *schedule = job->owner;
    const struct backup_write *write = &schedule->write;
    uint64_t wait_ms = schedule->every_ms;

    schedule->is_busy = false;
    if (write->err.code == GW_OK) {
        schedule->counts.done++;
        schedule->counts.last_ms = write->made_ms;
        schedule->counts.last_bytes = write->size;
        log_event(LOG_INFO, "backup", "backup written", LOG_STR("dir", schedule->dir),
                  LOG_U64("revision", write->revision), LOG_U64("bytes", write->size));
    } else {
        schedule->counts.failed++;
        if (wait_ms > SCHEDULE_RETRY_MS)
            wait_ms = SCHEDULE_RETRY_MS;
        log_event(LOG_ERROR, "backup", "backup failed", LOG_STR("why", write->err.text),
                  LOG_U64("again_in_ms", wait_ms));
    }
    schedule->due_ms = control_now_ms(schedule->control) + wait_ms;
}

/* ---- by the clock ---- */

void schedule_tick(struct schedule *schedule, uint64_t now_ms)
{
    if (schedule == NULL || schedule->is_busy || now_ms < schedule->due_ms ||
        schedule->control->is_ending || schedule->control->visible_index == 0)
        return;
    if (schedule->control->sameness.is_quarantined)
        return; /* a backup of a wrong state would push a good one out */
    backup_write_init(&schedule->write, schedule->control);
    schedule->is_busy = true;
    job_start(&schedule->write.job, schedule->control->loop, run, done, schedule);
}

/* When the newest one that is there grows too old. */
static uint64_t first_due(const struct schedule *schedule, uint64_t now_ms,
                          uint64_t wall_ms)
{
    const char *node = schedule->control->options.identity.name;
    char **names;
    size_t count = list_ours(schedule->dir, node, &names);
    uint64_t made_ms = 0;

    if (count > 0)
        schedule_is_ours(slice_from_string(names[count - 1]), node, &made_ms);
    free_names(names, count);
    /* One from the future says nothing: clocks jump. */
    if (made_ms == 0 || made_ms > wall_ms || wall_ms - made_ms >= schedule->every_ms)
        return now_ms;
    return now_ms + schedule->every_ms - (wall_ms - made_ms);
}

enum result schedule_open(struct control *control, struct schedule **ret_schedule,
                          struct error *err)
{
    const struct control_options *options = &control->options;
    struct schedule *schedule;

    *ret_schedule = NULL;
    if (options->backup_dir == NULL || options->backup_every_ms == 0)
        return GW_OK;
    schedule = calloc(1, sizeof *schedule);
    if (schedule == NULL)
        return error_set(err, GW_NO_MEMORY, "open the schedule of backups");
    schedule->control = control;
    schedule->dir = options->backup_dir;
    schedule->every_ms = options->backup_every_ms;
    schedule->keep = options->backup_keep;
    schedule->due_ms = first_due(schedule, control_now_ms(control), instant_wall_ms());
    *ret_schedule = schedule;
    return GW_OK;
}

void schedule_free(struct schedule *schedule)
{
    free(schedule);
}

const struct schedule_counts *schedule_counts(const struct schedule *schedule)
{
    return &schedule->counts;
}
