/* Writes for benchmarks: the same client for the product's admin API and for etcd's
 * JSON gateway, one small value a write, over keep-alive connections that each have one
 * write under way.
 *
 *   writes gw|etcd HOST:PORT|unix:PATH[,...] [--connections N] [--seconds S] [--warm S]
 *          [--keys N] [--first N] [--count N] [--rate N] [--bytes N]
 *
 * gw    PUT /v1/resources/policy/bench-K, whose spec is 100 bytes of JSON, or N
 * etcd  POST /v3/kv/put, whose value is as many
 *
 * K is drawn from N keys, or with --count counted up from --first, each once. Every
 * value differs, since a write that changes nothing costs no agreement. With --rate the
 * writes begin on a schedule of so many a second, and a late answer makes those behind it
 * late too: latency counts from the schedule. Prints one line of JSON; exit 1 when a
 * write failed. One thread, epoll. */
#include "base/rng.h"
#include "pki/base64.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define VALUE_MIN       64
#define VALUE_MAX       4096
#define REQUEST_MAX     (VALUE_MAX * 3 / 2 + 1024) /* in base64 */

struct connection {
    int fd;
    bool is_busy;
    uint64_t begun_us;
    size_t size;
    char in[16384];
};

static struct {
    bool is_etcd;
    const char *target;
    unsigned connections;
    uint64_t seconds, warm, keys, first, count, rate, bytes;
} options = {.connections = 1, .bytes = 100, .keys = 1000, .seconds = 5, .warm = 1};

static struct connection connections[CONNECTIONS_MAX];
static struct rng rng;
static uint64_t sent, failures, started_us, measure_us, end_us;
static uint32_t *latencies;
static size_t latency_count, latency_room;
static char first_failure[200];

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void die(const char *what)
{
    fprintf(stderr, "writes: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- connections ---- */

static int dial(const char *target)
{
    int fd, one = 1;

    if (strncmp(target, "unix:", 5) == 0) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        if (strlen(target + 5) >= sizeof address.sun_path) {
            errno = ENAMETOOLONG;
            die(target);
        }
        memcpy(address.sun_path, target + 5, strlen(target + 5));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
            die(target);
    } else {
        struct sockaddr_in address = {.sin_family = AF_INET};
        const char *colon = strrchr(target, ':');
        char host[64] = "";
        if (colon != NULL && colon - target < (long)sizeof host)
            memcpy(host, target, (size_t)(colon - target));
        if (colon == NULL || inet_pton(AF_INET, host, &address.sin_addr) != 1) {
            errno = EINVAL;
            die(target);
        }
        address.sin_port = htons((uint16_t)atoi(colon + 1));
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
            die(target);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* ---- requests ---- */

/* `size` characters, never the same twice. */
static void make_value(char *out, size_t size)
{
    static uint64_t number;
    char head[24];
    size_t head_size =
        (size_t)snprintf(head, sizeof head, "%llu-", (unsigned long long)++number);

    for (size_t i = 0; i < size; i++)
        out[i] = (char)('a' + rng_next(&rng) % 26);
    memcpy(out, head, head_size < size ? head_size : size);
}

static size_t make_gw(char *out, size_t room, unsigned long long key)
{
    static const char before[] = "{\"headers\":{\"response\":{\"set\":{\"x-bench\":\"",
                      after[] = "\"}}}}";
    char value[VALUE_MAX + 1] = "", body[REQUEST_MAX];
    int size;

    make_value(value, options.bytes - (sizeof before - 1) - (sizeof after - 1));
    size = snprintf(body, sizeof body,
                    "{\"apiVersion\":\"gw/v1\",\"kind\":\"Policy\",\"metadata\":{\"name\":"
                    "\"bench-%llu\"},\"spec\":%s%s%s}",
                    key, before, value, after);
    size = snprintf(out, room,
                    "PUT /v1/resources/policy/bench-%llu HTTP/1.1\r\nhost: bench\r\n"
                    "content-type: application/json\r\ncontent-length: %d\r\n\r\n%s",
                    key, size, body);
    return (size_t)size;
}

static size_t make_etcd(char *out, size_t room, unsigned long long key)
{
    char name[32], value[VALUE_MAX];
    struct buffer body;
    int size = snprintf(name, sizeof name, "bench-%llu", key);

    make_value(value, options.bytes);
    buffer_init(&body, 0);
    buffer_append_slice(&body, SLICE("{\"key\":\""));
    base64_encode(&body, slice_of(name, (size_t)size));
    buffer_append_slice(&body, SLICE("\",\"value\":\""));
    base64_encode(&body, slice_of(value, options.bytes));
    buffer_append_slice(&body, SLICE("\"}"));
    size = snprintf(out, room,
                    "POST /v3/kv/put HTTP/1.1\r\nhost: bench\r\n"
                    "content-type: application/json\r\ncontent-length: %zu\r\n\r\n%.*s",
                    body.size, SLICE_ARG(buffer_slice(&body)));
    buffer_deinit(&body);
    return (size_t)size;
}

/* Requests are far smaller than a socket's buffer, so one send takes all of it. */
static void send_write(struct connection *connection, uint64_t begun_us)
{
    char out[REQUEST_MAX];
    uint64_t key = options.count > 0 ? options.first + sent : rng_below(&rng, options.keys);
    size_t size =
        options.is_etcd ? make_etcd(out, sizeof out, key) : make_gw(out, sizeof out, key);

    if (send(connection->fd, out, size, MSG_NOSIGNAL) != (ssize_t)size)
        die("send");
    connection->begun_us = begun_us;
    connection->is_busy = true;
    connection->size = 0;
    sent++;
}

/* ---- answers ---- */

/* Whether the answer is whole; *ret_status and *ret_body only then. */
static bool answer_is_whole(struct connection *connection, int *ret_status,
                            const char **ret_body)
{
    connection->in[connection->size] = '\0';
    char *end = strstr(connection->in, "\r\n\r\n");
    if (end == NULL)
        return false;
    const char *body = end + 4;
    size_t body_size = connection->size - (size_t)(body - connection->in);
    const char *length = strcasestr(connection->in, "\r\ncontent-length:");

    if (length != NULL && length < end) {
        if (body_size < strtoul(length + 17, NULL, 10))
            return false;
    } else if (body_size < 5 || memcmp(body + body_size - 5, "0\r\n\r\n", 5) != 0) {
        return false; /* chunked */
    }
    *ret_status = atoi(connection->in + 9);
    *ret_body = body;
    return true;
}

static void record(uint64_t begun_us, uint64_t ended_us, int status, const char *body)
{
    if (status >= 300 && failures++ == 0) {
        snprintf(first_failure, sizeof first_failure, "%d %.150s", status, body);
        for (char *c = first_failure; *c != '\0'; c++) {
            if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
                *c = '\'';
        }
    }
    if (status >= 300 || begun_us < measure_us || ended_us > end_us)
        return;
    if (latency_count == latency_room) {
        latency_room = latency_room == 0 ? 1 << 16 : latency_room * 2;
        latencies = realloc(latencies, latency_room * sizeof *latencies);
        if (latencies == NULL)
            die("remember latencies");
    }
    latencies[latency_count++] = (uint32_t)(ended_us - begun_us);
}

static void receive(struct connection *connection)
{
    int status;
    const char *body;
    ssize_t got = recv(connection->fd, connection->in + connection->size,
                       sizeof connection->in - 1 - connection->size, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        if (got == 0)
            errno = ECONNRESET;
        die("answer");
    }
    connection->size += (size_t)got;
    if (!answer_is_whole(connection, &status, &body))
        return;
    connection->is_busy = false;
    record(connection->begun_us, now_us(), status, body);
}

/* ---- the run ---- */

/* When write number `sent` shall begin. */
static uint64_t due_us(uint64_t now)
{
    return options.rate == 0 ? now : started_us + sent * 1000000 / options.rate;
}

static bool is_over(uint64_t now)
{
    return options.count > 0 ? sent >= options.count : now >= end_us;
}

/* Gives idle connections what is due; how long until more is, in ms (-1: an answer first).
 */
static int send_due(void)
{
    for (unsigned i = 0; i < options.connections; i++) {
        uint64_t now = now_us(), due = due_us(now);
        if (connections[i].is_busy)
            continue;
        if (is_over(now))
            return -1;
        if (due > now)
            return (int)((due - now) / 1000);
        send_write(&connections[i], due);
    }
    return -1;
}

static unsigned busy_count(void)
{
    unsigned busy = 0;

    for (unsigned i = 0; i < options.connections; i++)
        busy += connections[i].is_busy;
    return busy;
}

static void run(void)
{
    struct epoll_event events[64];
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    char *targets[8], *rest = NULL, *list = strdup(options.target);
    unsigned target_count = 0;

    for (char *t = strtok_r(list, ",", &rest); t != NULL && target_count < 8;
         t = strtok_r(NULL, ",", &rest))
        targets[target_count++] = t;
    if (target_count == 0)
        die("no target");
    for (unsigned i = 0; i < options.connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        connections[i].fd = dial(targets[i % target_count]);
        if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, connections[i].fd, &event) != 0)
            die("epoll");
    }
    free(list);

    started_us = now_us();
    measure_us = options.count > 0 ? started_us : started_us + options.warm * 1000000;
    end_us = options.count > 0 ? UINT64_MAX : measure_us + options.seconds * 1000000;
    for (;;) {
        int wait_ms = send_due();
        if (busy_count() == 0 && is_over(now_us()))
            break;
        int ready = epoll_wait(poll_fd, events, 64, wait_ms);
        for (int i = 0; i < ready; i++)
            receive(events[i].data.ptr);
    }
    if (options.count > 0)
        end_us = now_us();
    close(poll_fd);
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static double percentile_ms(unsigned per_mille)
{
    if (latency_count == 0)
        return 0;
    size_t at = latency_count * per_mille / 1000;
    return latencies[at < latency_count ? at : latency_count - 1] / 1000.0;
}

static void print(void)
{
    double seconds = (double)(end_us - measure_us) / 1e6;

    if (latency_count > 0)
        qsort(latencies, latency_count, sizeof *latencies, compare);
    printf("{\"writes\":%zu,\"failures\":%llu,\"seconds\":%.3f,\"perSecond\":%.1f,"
           "\"p50Ms\":%.3f,\"p99Ms\":%.3f,\"maxMs\":%.3f,\"firstFailure\":\"%s\"}\n",
           latency_count, (unsigned long long)failures, seconds,
           (double)latency_count / seconds, percentile_ms(500), percentile_ms(990),
           percentile_ms(1000), first_failure);
}

static bool take_options(int argc, char **argv)
{
    if (argc < 3 || argc % 2 == 0)
        return false;
    options.is_etcd = strcmp(argv[1], "etcd") == 0;
    if (!options.is_etcd && strcmp(argv[1], "gw") != 0)
        return false;
    options.target = argv[2];
    for (int i = 3; i + 1 < argc; i += 2) {
        char *end;
        unsigned long long number = strtoull(argv[i + 1], &end, 10);
        if (*end != '\0')
            return false;
        if (strcmp(argv[i], "--connections") == 0)
            options.connections = (unsigned)number;
        else if (strcmp(argv[i], "--seconds") == 0)
            options.seconds = number;
        else if (strcmp(argv[i], "--warm") == 0)
            options.warm = number;
        else if (strcmp(argv[i], "--keys") == 0)
            options.keys = number;
        else if (strcmp(argv[i], "--first") == 0)
            options.first = number;
        else if (strcmp(argv[i], "--count") == 0)
            options.count = number;
        else if (strcmp(argv[i], "--rate") == 0)
            options.rate = number;
        else if (strcmp(argv[i], "--bytes") == 0)
            options.bytes = number;
        else
            return false;
    }
    return options.connections >= 1 && options.connections <= CONNECTIONS_MAX &&
           options.keys >= 1 && options.seconds >= 1 && options.bytes >= VALUE_MIN &&
           options.bytes <= VALUE_MAX;
}

int main(int argc, char **argv)
{
    if (!take_options(argc, argv)) {
        fprintf(stderr, "usage: writes gw|etcd HOST:PORT|unix:PATH[,...] [--connections N] "
                        "[--seconds S] [--warm S] [--keys N] [--first N] [--count N] "
                        "[--rate N] [--bytes N]\n");
        return 2;
    }
    rng_init_random(&rng);
    run();
    print();
    return failures != 0;
}
