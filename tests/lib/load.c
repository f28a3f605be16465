/* Load for stories: keep-alive requests over a few connections to one gateway,
 * until a signal ends it; then one line on stdout says how it went:
 *   {"requests":N,"failures":N,"maxMs":N,"p99Ms":N,"firstFailure":"..."}
 * A failure is whatever a user would notice: no connection, a reset, a time-out,
 * a status of 400 or more, or an answer of another route.
 *
 *   load HOST:PORT HOSTNAME PATH [CONNECTIONS [PAUSE_US [MARK [COUNT]]]]
 * PAUSE_US between requests of a connection; MARK must stand in every answer;
 * with COUNT it ends by itself after so many requests. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BUCKETS 10001 /* of a millisecond */

static struct sockaddr_in address;
static char request[2048];
static const char *mark;
static unsigned pause_us;
static atomic_bool stopping;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t requests, failures, max_ms, wanted, buckets[BUCKETS];
static char first_failure[200];

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void record(uint64_t started_us, const char *failure)
{
    uint64_t ms = (now_us() - started_us) / 1000;

    pthread_mutex_lock(&lock);
    if (++requests == wanted) { /* as if the signal had come */
        atomic_store(&stopping, true);
        kill(getpid(), SIGTERM);
    }
    buckets[ms < BUCKETS ? ms : BUCKETS - 1]++;
    if (ms > max_ms)
        max_ms = ms;
    if (failure != NULL && failures++ == 0)
        snprintf(first_failure, sizeof first_failure, "%s", failure);
    pthread_mutex_unlock(&lock);
}

static int dial(void)
{
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* One exchange; NULL when all was well. *ret_open: the connection may be used again. */
static const char *exchange(int fd, bool *ret_open, char *why, size_t why_size)
{
    char in[65536];
    size_t size = 0, want = 0;

    *ret_open = false;
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
        snprintf(why, why_size, "send: %s", strerror(errno));
        return why;
    }
    while (want == 0 || size < want) {
        ssize_t got = recv(fd, in + size, sizeof in - 1 - size, 0);
        if (got <= 0) {
            snprintf(why, why_size, "recv: %s", got == 0 ? "closed" : strerror(errno));
            return why;
        }
        size += (size_t)got;
        in[size] = '\0';
        char *end = strstr(in, "\r\n\r\n");
        if (end == NULL || want != 0)
            continue;
        char *length = strcasestr(in, "\r\ncontent-length:");
        if (length == NULL || length > end) {
            snprintf(why, why_size, "no content-length: %.60s", in);
            return why;
        }
        want = (size_t)(end - in) + 4 + strtoul(length + 17, NULL, 10);
        if (want >= sizeof in)
            return "answer too large";
    }
    char *close_header = strcasestr(in, "\r\nconnection: close");
    *ret_open = close_header == NULL;
    if (atoi(in + 9) >= 400) {
        char *reason = strcasestr(in, "gw-reason:");
        snprintf(why, why_size, "status %.3s %.40s", in + 9, reason != NULL ? reason : "");
        why[strcspn(why, "\r\n")] = '\0';
        return why;
    }
    return mark != NULL && strstr(in, mark) == NULL ? "another answer" : NULL;
}

static void *run(void *unused)
{
    char why[160];
    int fd = -1;

    (void)unused;
    while (!atomic_load(&stopping)) {
        uint64_t started_us = now_us();
        bool is_open = false;
        const char *failure = NULL;
        if (fd < 0 && (fd = dial()) < 0) {
            snprintf(why, sizeof why, "connect: %s", strerror(errno));
            failure = why;
        }
        if (fd >= 0)
            failure = exchange(fd, &is_open, why, sizeof why);
        record(started_us, failure);
        if (fd >= 0 && !is_open) {
            close(fd);
            fd = -1;
        }
        if (pause_us > 0 || failure != NULL)
            usleep(failure != NULL ? 10000 : pause_us);
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

int main(int argc, char **argv)
{
    int connections = argc > 4 ? atoi(argv[4]) : 4, signal_number;
    char host[64], *colon;
    pthread_t threads[256];
    sigset_t set;

    if (argc < 4 || (colon = strrchr(argv[1], ':')) == NULL || colon - argv[1] >= 64 ||
        connections < 1 || connections > 256) {
        fprintf(stderr, "usage: load HOST:PORT HOSTNAME PATH [CONNECTIONS [PAUSE_US [MARK "
                        "[COUNT]]]]\n");
        return 2;
    }
    pause_us = argc > 5 ? (unsigned)atoi(argv[5]) : 0;
    mark = argc > 6 && argv[6][0] != '\0' ? argv[6] : NULL;
    wanted = argc > 7 ? strtoull(argv[7], NULL, 10) : 0;
    memcpy(host, argv[1], (size_t)(colon - argv[1]));
    host[colon - argv[1]] = '\0';
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)atoi(colon + 1));
    inet_pton(AF_INET, host, &address.sin_addr);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nhost: %s\r\n\r\n", argv[3],
             argv[2]);

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < connections; i++)
        pthread_create(&threads[i], NULL, run, NULL);
    sigwait(&set, &signal_number);
    atomic_store(&stopping, true);
    for (int i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);

    uint64_t seen = 0, p99 = 0;
    while (p99 < BUCKETS - 1 && (seen += buckets[p99]) * 100 < requests * 99)
        p99++;
    printf("{\"requests\":%llu,\"failures\":%llu,\"maxMs\":%llu,\"p99Ms\":%llu,"
           "\"firstFailure\":\"%s\"}\n",
           (unsigned long long)requests, (unsigned long long)failures,
           (unsigned long long)max_ms, (unsigned long long)p99, first_failure);
    return 0;
}
