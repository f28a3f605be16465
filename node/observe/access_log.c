/* One ring per worker, one thread for all.
 *
 * The thread sleeps until a worker finds its ring empty and says so; then it rests
 * for a moment, so that lines gather, and writes what there is. The order that
 * keeps a line from being slept over: a worker stores its head, then looks at the
 * tail; the thread stores the tail, then looks at the head. One of the two sees the
 * other.
 *
 * To a pipe or a terminal it writes only what fits at once (PIPE_BUF), after poll
 * has said so: whoever reads slowly delays this thread, and then the rings fill. */
#include "node/observe/access_log.h"

#include "base/instant.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RING_BYTES  ((uint64_t)1 << 20)
#define REST_MS     20u
#define CHECK_MS    1000u /* between looks at whether the file is still there */
#define STALL_MS    100u
#define LAST_MS     1000u /* for a reader that takes nothing, at the end */
#define COMPLAIN_MS 10000u
#define PATH_SIZE   4096u
#define PADDING     '\0' /* to the ring's edge, which no line goes over */

struct ring {
    _Alignas(64) _Atomic uint64_t head; /* the writer's; bytes so far */
    _Atomic uint64_t lost;              /* both sides'; rarely */
    _Alignas(64) _Atomic uint64_t tail; /* the thread's */
    char *bytes;
};

struct access_log {
    struct ring *rings;
    unsigned ring_count;
    int wake_fd;
    pthread_t thread;
    atomic_bool is_over;
    uint64_t over_ms; /* the thread's: when it was told */

    pthread_mutex_t lock; /* over what follows */
    char wanted[PATH_SIZE];
    unsigned wanted_number;

    /* The thread's. */
    char path[PATH_SIZE]; /* empty: standard output */
    unsigned number;
    int fd;         /* -1: not open */
    bool takes_all; /* a file: no need to ask, nor to write in pieces */
    bool is_torn;   /* the last line is not whole */
    uint64_t checked_ms, complained_ms;
};

/* ---- where to ---- */

static void complain(struct access_log *log, const char *what, int error)
{
    uint64_t now_ms = instant_monotonic_ms();
    if (log->complained_ms != 0 && now_ms - log->complained_ms < COMPLAIN_MS)
        return;
    log->complained_ms = now_ms;
    log_event(LOG_ERROR, "access_log", what,
              LOG_STR("to", log->path[0] == '\0' ? "stdout" : log->path),
              LOG_STR("why", strerror(error)));
}

static void leave_target(struct access_log *log)
{
    if (log->fd > STDOUT_FILENO)
        close(log->fd);
    log->fd = -1;
    log->is_torn = false;
}

static void open_target(struct access_log *log)
{
    struct stat stat;
    log->fd =
        log->path[0] == '\0'
            ? STDOUT_FILENO
            : open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (log->fd < 0) {
        complain(log, "access log not opened", errno);
        return;
    }
    log->takes_all = fstat(log->fd, &stat) == 0 && S_ISREG(stat.st_mode);
}

/* Whether the file has gone its way, as with a rotation. */
static bool is_moved(const struct access_log *log)
{
    struct stat here, there;
    return log->fd > STDOUT_FILENO && fstat(log->fd, &here) == 0 &&
           (stat(log->path, &there) != 0 || here.st_ino != there.st_ino ||
            here.st_dev != there.st_dev);
}

static void find_target(struct access_log *log)
{
    uint64_t now_ms = instant_monotonic_ms();
    pthread_mutex_lock(&log->lock);
    if (log->number != log->wanted_number) {
        leave_target(log);
        memcpy(log->path, log->wanted, sizeof log->path);
        log->number = log->wanted_number;
        log->checked_ms = log->complained_ms = 0;
    }
    pthread_mutex_unlock(&log->lock);
    if (log->checked_ms != 0 && now_ms - log->checked_ms < CHECK_MS)
        return;
    log->checked_ms = now_ms;
    if (is_moved(log))
        leave_target(log);
    if (log->fd < 0)
        open_target(log);
}

/* ---- writing ---- */

/* False: nobody takes it, and the time is over. */
static bool wait_room(struct access_log *log)
{
    while (!log->takes_all) {
        struct pollfd poll_fd = {.fd = log->fd, .events = POLLOUT};
        if (poll(&poll_fd, 1, STALL_MS) > 0)
            return true;
        if (!atomic_load(&log->is_over))
            continue;
        uint64_t now_ms = instant_monotonic_ms();
        if (log->over_ms == 0)
            log->over_ms = now_ms;
        if (now_ms - log->over_ms >= LAST_MS)
            return false;
    }
    return true;
}

static size_t count_lines(struct slice bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes.size; i++)
        count += bytes.data[i] == '\n';
    return count;
}

/* As many bytes as go in one write: whole lines. */
static size_t piece_of(const struct access_log *log, struct slice bytes)
{
    if (log->takes_all || bytes.size <= ACCESS_LOG_LINE_MAX)
        return bytes.size;
    size_t size = ACCESS_LOG_LINE_MAX;
    while (size > 0 && bytes.data[size - 1] != '\n')
        size--;
    return size;
}

/* Returns how many lines were lost. */
static uint64_t write_out(struct access_log *log, struct slice bytes)
{
    bool is_within = false; /* a line, of which a part is written: a disk that fills up */
    while (bytes.size > 0) {
        if (log->fd < 0 || !wait_room(log))
            break;
        if (log->is_torn) {
            if (write(log->fd, "\n", 1) != 1)
                break;
            log->is_torn = false;
        }
        ssize_t written = write(log->fd, bytes.data, piece_of(log, bytes));
        if (written < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (written <= 0) {
            complain(log, "access log not written", errno);
            log->is_torn = is_within;
            break;
        }
        is_within = bytes.data[written - 1] != '\n';
        bytes = slice_from(bytes, (size_t)written);
    }
    return count_lines(bytes);
}

/* What is there now, and no more: the others have their turn. */
static void drain(struct access_log *log, struct ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint64_t head = atomic_load(&ring->head);
    while (head != tail) {
        uint64_t at = tail % RING_BYTES;
        uint64_t size = head - tail < RING_BYTES - at ? head - tail : RING_BYTES - at;
        struct slice lines = slice_of(ring->bytes + at, (size_t)size);
        while (lines.size > 0 && lines.data[lines.size - 1] == PADDING)
            lines.size--;
        uint64_t lost = write_out(log, lines);
        if (lost > 0)
            atomic_fetch_add(&ring->lost, lost);
        tail += size;
        atomic_store(&ring->tail, tail);
    }
}

static bool is_empty(struct access_log *log)
{
    for (unsigned i = 0; i < log->ring_count; i++)
        if (atomic_load(&log->rings[i].head) != atomic_load(&log->rings[i].tail))
            return false;
    return true;
}

static void *run(void *argument)
{
    static const struct timespec rest = {.tv_nsec = REST_MS * 1000000l};
    struct access_log *log = argument;
    for (;;) {
        bool is_over = atomic_load(&log->is_over);
        if (!is_empty(log))
            find_target(log);
        for (unsigned i = 0; i < log->ring_count; i++)
            drain(log, &log->rings[i]);
        if (is_over)
            return NULL;
        struct pollfd poll_fd = {.fd = log->wake_fd, .events = POLLIN};
        uint64_t count;
        if (is_empty(log))
            poll(&poll_fd, 1, -1);
        ssize_t got = read(log->wake_fd, &count, sizeof count); /* does not wait */
        (void)got;
        if (!atomic_load(&log->is_over))
            nanosleep(&rest, NULL);
    }
}

/* ---- any thread ---- */

static void wake(struct access_log *log)
{
    uint64_t one = 1;
    ssize_t written = write(log->wake_fd, &one, sizeof one);
    (void)written; /* a full counter is awake */
}

static void log_free(struct access_log *log)
{
    for (unsigned i = 0; log->rings != NULL && i < log->ring_count; i++)
        free(log->rings[i].bytes);
    free(log->rings);
    if (log->wake_fd >= 0)
        close(log->wake_fd);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

enum result access_log_open(unsigned writers, struct access_log **ret_log,
                            struct error *err)
{
    struct access_log *log = calloc(1, sizeof *log);
    sigset_t all, before;
    if (log == NULL)
        return error_set(err, GW_NO_MEMORY, "open the access log");
    pthread_mutex_init(&log->lock, NULL);
    log->fd = -1;
    log->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    log->ring_count = writers;
    log->rings = aligned_alloc(64, writers * sizeof *log->rings);
    if (log->wake_fd < 0 || log->rings == NULL)
        goto fail;
    memset(log->rings, 0, writers * sizeof *log->rings);
    for (unsigned i = 0; i < writers; i++)
        if ((log->rings[i].bytes = malloc(RING_BYTES)) == NULL)
            goto fail;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&log->thread, NULL, run, log);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        goto fail;
    *ret_log = log;
    return GW_OK;

fail:
    log_free(log);
    return error_set(err, GW_NO_MEMORY, "open the access log");
}

void access_log_close(struct access_log *log)
{
    if (log == NULL)
        return;
    atomic_store(&log->is_over, true);
    wake(log);
    pthread_join(log->thread, NULL);
    leave_target(log);
    log_free(log);
}

void access_log_target(struct access_log *log, struct slice file)
{
    if (file.size >= PATH_SIZE)
        return;
    pthread_mutex_lock(&log->lock);
    if (!slice_equal(slice_from_string(log->wanted), file)) {
        memset(log->wanted, 0, sizeof log->wanted);
        if (file.size > 0)
            memcpy(log->wanted, file.data, file.size);
        log->wanted_number++;
    }
    pthread_mutex_unlock(&log->lock);
}

bool access_log_put(struct access_log *log, unsigned writer, struct slice line)
{
    struct ring *ring = &log->rings[writer];
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    uint64_t at = head % RING_BYTES;
    uint64_t padding = line.size > RING_BYTES - at ? RING_BYTES - at : 0;
    if (line.size > ACCESS_LOG_LINE_MAX ||
        padding + line.size > RING_BYTES - (head - tail)) {
        atomic_fetch_add(&ring->lost, 1);
        return false;
    }
    memset(ring->bytes + at, PADDING, padding);
    memcpy(ring->bytes + (at + padding) % RING_BYTES, line.data, line.size);
    atomic_store(&ring->head, head + padding + line.size);
    if (atomic_load(&ring->tail) == head)
        wake(log);
    return true;
}

uint64_t access_log_take_lost(struct access_log *log, unsigned writer)
{
    struct ring *ring = &log->rings[writer];
    if (atomic_load_explicit(&ring->lost, memory_order_relaxed) == 0)
        return 0;
    return atomic_exchange(&ring->lost, 0);
}
