/* The links between the lab's regions: pairs of TAP devices, each end in a network
 * namespace of its own, between which frames pass with a delay, jitter, loss and a
 * rate. Stands in for the kernel's netem, which many kernels do not have, so that a
 * fault means the same on every machine.
 *
 *   link SETTINGS STATE NS_A/IF_A/NS_B/IF_B...
 *
 * SETTINGS is read at the start and on SIGHUP. Its first line is a number, which is
 * then written into STATE: what it asks for is in force. Each further line is
 *
 *   LINK ab|ba DELAY_US JITTER_US LOSS_PPM RATE_BPS
 *
 * where LINK counts from 0 in the order of the arguments; a direction that is not
 * named has no fault. Order is kept under jitter, since a TCP connection that sees
 * its segments overtake each other measures itself rather than the link.
 *
 * The price: every frame is copied through this one process, about 400 Mbit/s. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define LINKS_MAX  32
#define FRAME_MAX  2048
#define QUEUE_MAX  8192 /* frames waiting in one direction; what comes then is lost */
#define TAG_TIMER  0
#define TAG_SIGNAL 1
#define TAG_ENDS   2

struct frame {
    struct frame *next;
    uint64_t due_ns;
    size_t size;
    unsigned char bytes[];
};

/* One way over a link. Frames leave in the order in which they came, so a list will do. */
struct way {
    uint64_t delay_ns, jitter_ns, rate_bps;
    uint32_t loss_ppm;
    uint64_t free_ns, last_due_ns;
    struct frame *first, **end;
    unsigned waiting;
    int from, to;
};

static struct way ways[2 * LINKS_MAX];
static unsigned way_count;
static const char *settings_path, *state_path;
static uint64_t chance = 88172645463325252u;

static void die(const char *what)
{
    fprintf(stderr, "link: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t draw(void)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance;
}

/* Opens a TAP device inside a namespace and comes back. */
static int tap_open(const char *namespace, const char *name)
{
    char path[128];
    struct ifreq request = {0};
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    snprintf(path, sizeof path, "/run/netns/%s", namespace);
    int there = open(path, O_RDONLY | O_CLOEXEC);
    if (home < 0 || there < 0 || setns(there, CLONE_NEWNET) != 0)
        die(path);
    int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap < 0)
        die("/dev/net/tun");
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
    if (ioctl(tap, TUNSETIFF, &request) != 0)
        die(name);
    if (setns(home, CLONE_NEWNET) != 0)
        die("go back to the first namespace");
    close(home);
    close(there);
    return tap;
}

static void settings_read(void)
{
    FILE *file = fopen(settings_path, "re");
    char line[256], direction[4], scratch[512];
    unsigned long long number, delay_us, jitter_us, rate_bps;
    unsigned link, loss_ppm;

    if (file == NULL || fgets(line, sizeof line, file) == NULL ||
        sscanf(line, "%llu", &number) != 1) /* NOLINT(cert-err34-c): a test's own file */
        die(settings_path);
    for (unsigned i = 0; i < way_count; i++)
        ways[i].delay_ns = ways[i].jitter_ns = ways[i].rate_bps = ways[i].loss_ppm = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%u %3s %llu %llu %u %llu", &link, direction,
                   &delay_us, /* NOLINT */
                   &jitter_us, &loss_ppm, &rate_bps) != 6 ||
            link * 2 + 1 >= way_count) {
            fprintf(stderr, "link: no sense in: %s", line);
            continue;
        }
        struct way *way = &ways[link * 2 + (strcmp(direction, "ba") == 0)];
        way->delay_ns = delay_us * 1000;
        way->jitter_ns = jitter_us * 1000;
        way->loss_ppm = loss_ppm;
        way->rate_bps = rate_bps;
        way->free_ns = 0;
    }
    fclose(file);

    snprintf(scratch, sizeof scratch, "%s.new", state_path);
    file = fopen(scratch, "we");
    if (file == NULL || fprintf(file, "%llu\n", number) < 0 || fclose(file) != 0 ||
        rename(scratch, state_path) != 0)
        die(state_path);
}

static void deliver(struct way *way, const unsigned char *bytes, size_t size)
{
    /* A full queue of the device is a full queue of a router: the frame is lost. */
    if (write(way->to, bytes, size) < 0 && errno != EAGAIN && errno != EIO)
        die("write to a link");
}

static uint64_t due_of(struct way *way, size_t size, uint64_t now)
{
    uint64_t due = now;

    if (way->rate_bps != 0) {
        uint64_t start = way->free_ns > now ? way->free_ns : now;
        way->free_ns = start + (uint64_t)size * 8u * 1000000000u / way->rate_bps;
        due = way->free_ns;
    }
    due += way->delay_ns;
    if (way->jitter_ns != 0)
        due += draw() % (way->jitter_ns + 1);
    /* The last one may have had a setting that is over: nothing waits behind that. */
    if (way->first != NULL && due < way->last_due_ns)
        due = way->last_due_ns;
    return due;
}

static void take(struct way *way, const unsigned char *bytes, size_t size)
{
    uint64_t now = now_ns();

    if (way->loss_ppm != 0 && draw() % 1000000u < way->loss_ppm)
        return;
    uint64_t due = due_of(way, size, now);
    if (due <= now && way->first == NULL) {
        deliver(way, bytes, size);
        return;
    }
    struct frame *frame = way->waiting < QUEUE_MAX ? malloc(sizeof *frame + size) : NULL;
    if (frame == NULL)
        return;
    frame->next = NULL;
    frame->due_ns = way->last_due_ns = due;
    frame->size = size;
    memcpy(frame->bytes, bytes, size);
    if (way->first == NULL)
        way->end = &way->first;
    *way->end = frame;
    way->end = &frame->next;
    way->waiting++;
}

/* Sends what is due and sets the timer for what is next. */
static void turn(int timer)
{
    struct itimerspec next = {0};
    uint64_t now = now_ns(), soonest = UINT64_MAX;

    for (unsigned i = 0; i < way_count; i++) {
        struct way *way = &ways[i];
        struct frame *frame;
        while ((frame = way->first) != NULL && frame->due_ns <= now) {
            way->first = frame->next;
            way->waiting--;
            deliver(way, frame->bytes, frame->size);
            free(frame);
        }
        if (way->first != NULL && way->first->due_ns < soonest)
            soonest = way->first->due_ns;
    }
    if (soonest != UINT64_MAX) {
        next.it_value.tv_sec = (time_t)(soonest / 1000000000u);
        next.it_value.tv_nsec = (long)(soonest % 1000000000u);
    }
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &next, NULL);
}

static void drain(struct way *way)
{
    unsigned char bytes[FRAME_MAX];

    for (unsigned i = 0; i < 64; i++) {
        ssize_t got = read(way->from, bytes, sizeof bytes);
        if (got <= 0)
            return;
        take(way, bytes, (size_t)got);
    }
}

static void watch(int epoll, int descriptor, uint32_t tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = tag};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0)
        die("epoll_ctl");
}

static void link_open(int epoll, char *text)
{
    char *part[4], *rest = text;
    int ends[2];

    for (unsigned i = 0; i < 4; i++)
        if ((part[i] = strtok_r(i == 0 ? text : NULL, "/", &rest)) == NULL) {
            fprintf(stderr, "link: want NS_A/IF_A/NS_B/IF_B\n");
            exit(2);
        }
    ends[0] = tap_open(part[0], part[1]);
    ends[1] = tap_open(part[2], part[3]);
    for (unsigned i = 0; i < 2; i++) {
        ways[way_count] = (struct way){.from = ends[i], .to = ends[1 - i]};
        watch(epoll, ends[i], TAG_ENDS + way_count);
        way_count++;
    }
}

int main(int argc, char **argv)
{
    sigset_t signals;

    if (argc < 3 || argc - 3 > LINKS_MAX) {
        fprintf(stderr, "usage: link SETTINGS STATE NS_A/IF_A/NS_B/IF_B...\n");
        return 2;
    }
    settings_path = argv[1];
    state_path = argv[2];
    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int hup = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (hup < 0 || timer < 0 || epoll < 0)
        die("start");
    watch(epoll, timer, TAG_TIMER);
    watch(epoll, hup, TAG_SIGNAL);
    for (int i = 3; i < argc; i++)
        link_open(epoll, argv[i]);
    settings_read();

    for (;;) {
        struct epoll_event events[32];
        int count = epoll_wait(epoll, events, 32, -1);
        if (count < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < count; i++) {
            uint32_t tag = events[i].data.u32;
            struct signalfd_siginfo info;
            uint64_t ticks;
            if (tag >= TAG_ENDS)
                drain(&ways[tag - TAG_ENDS]);
            else if (tag == TAG_TIMER)
                (void)!read(timer, &ticks, sizeof ticks);
            else if (read(hup, &info, sizeof info) == sizeof info)
                settings_read();
        }
        turn(timer);
    }
}
