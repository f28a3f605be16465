/* How long after a write is answered each node shows it.
 *
 *   visible WRITER [--rate N] [--seconds S] -- ADMIN,PROXY[,NETNS]...
 *
 * WRITER and ADMIN are paths of admin sockets, PROXY is HOST:PORT, reached in the network
 * namespace NETNS. N times a second, 100 at most, the route `probe` gets a new target; from
 * its answer on, which comes when a majority has it, every node is asked again and again:
 *
 *   visible  the stale read of its admin API tells the revision, or a later one
 *   served   its proxy redirects to the new target
 *
 * Prints a line of JSON a node, and one of the last node to follow (`all`), in ms from the
 * answer; a node that shows it before the client has the answer counts as 0. Exit 1 when
 * something was not seen within 5 s, or not answered. One thread, poll. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NODES_MAX   16
#define PROBES_MAX  100000
#define PATIENCE_US 5000000
#define LOOK_US     300 /* between two questions on one connection */
#define RATE_MAX    100

struct look { /* one connection that is asked for one thing */
    int fd;
    bool is_admin, is_asked, is_done;
    uint64_t next_us;
    size_t size;
    char in[16384];
};

struct samples {
    uint32_t *us;
    size_t count;
};

struct node {
    struct look looks[2];
    struct samples samples[2];
    const char *name;
};

static struct node nodes[NODES_MAX];
static unsigned node_count;
static struct samples all[2];
static unsigned rate = 1, seconds = 5;

static void die(const char *what)
{
    fprintf(stderr, "visible: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void sleep_until(uint64_t at_us)
{
    uint64_t now = now_us();

    if (at_us > now)
        usleep((useconds_t)(at_us - now));
}

/* ---- connections ---- */

static int dial_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        die(path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die(path);
    return fd;
}

/* A socket belongs to the namespace it was made in, whoever uses it. */
static int dial_proxy(const char *target, const char *netns)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64];
    const char *colon = strrchr(target, ':');
    int one = 1, home = -1;

    if (colon == NULL || (size_t)(colon - target) >= sizeof host) {
        errno = EINVAL;
        die(target);
    }
    memcpy(host, target, (size_t)(colon - target));
    host[colon - target] = '\0';
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        errno = EINVAL;
        die(target);
    }
    if (netns != NULL) {
        int there = open(netns, O_RDONLY | O_CLOEXEC);
        home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (there < 0 || home < 0 || setns(there, CLONE_NEWNET) != 0)
            die(netns);
        close(there);
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die(target);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (home >= 0) {
        if (setns(home, CLONE_NEWNET) != 0)
            die("setns");
        close(home);
    }
    return fd;
}

static void send_all(int fd, const char *text, size_t size)
{
    if (send(fd, text, size, MSG_NOSIGNAL) != (ssize_t)size)
        die("send");
}

/* Reads on; whether the answer is whole. Answers are small and have a length. */
static bool read_on(int fd, char *in, size_t room, size_t *size)
{
    ssize_t got = recv(fd, in + *size, room - 1 - *size, 0);

    if (got <= 0) {
        if (got == 0)
            errno = ECONNRESET;
        die("answer");
    }
    *size += (size_t)got;
    in[*size] = '\0';
    char *end = strstr(in, "\r\n\r\n");
    if (end == NULL)
        return false;
    char *length = strcasestr(in, "\r\ncontent-length:");
    size_t body = length == NULL || length > end ? 0 : strtoul(length + 17, NULL, 10);
    return *size >= (size_t)(end + 4 - in) + body;
}

/* ---- one probe ---- */

/* Writes target number `number`; its revision, and when the answer came. */
static uint64_t write_probe(int fd, uint64_t number, uint64_t *ret_answered_us)
{
    char out[1024], body[512], in[16384];
    size_t size = 0;
    int body_size =
        snprintf(body, sizeof body,
                 "{\"apiVersion\":\"gw/v1\",\"kind\":\"Route\",\"metadata\":{\"name\":"
                 "\"probe\"},\"spec\":{\"match\":{\"path\":{\"prefix\":\"/probe\"}},"
                 "\"redirect\":{\"path\":\"/at-%llu.\"}}}",
                 (unsigned long long)number);
    int out_size =
        snprintf(out, sizeof out,
                 "PUT /v1/resources/route/probe HTTP/1.1\r\nhost: bench\r\n"
                 "content-type: application/json\r\ncontent-length: %d\r\n\r\n%s",
                 body_size, body);

    send_all(fd, out, (size_t)out_size);
    while (!read_on(fd, in, sizeof in, &size)) {
    }
    *ret_answered_us = now_us();
    char *revision = strcasestr(in, "\r\ngw-revision:");
    if (strncmp(in + 9, "200", 3) != 0 || revision == NULL) {
        fprintf(stderr, "visible: the write was answered: %.400s\n", in);
        exit(1);
    }
    return strtoull(revision + 14, NULL, 10);
}

static void ask(struct look *look)
{
    static const char admin[] =
        "GET /v1/resources/route/probe?consistency=stale HTTP/1.1\r\n"
        "host: bench\r\n\r\n",
                      proxy[] = "GET /probe HTTP/1.1\r\nhost: bench\r\n\r\n";

    look->size = 0;
    look->is_asked = true;
    if (look->is_admin)
        send_all(look->fd, admin, sizeof admin - 1);
    else
        send_all(look->fd, proxy, sizeof proxy - 1);
}

static bool shows(const struct look *look, uint64_t number, uint64_t revision)
{
    if (look->is_admin) {
        const char *found = strcasestr(look->in, "\r\ngw-revision:");
        return found != NULL && strtoull(found + 14, NULL, 10) >= revision;
    }
    const char *found = strstr(look->in, "/at-");
    return found != NULL && strtoull(found + 4, NULL, 10) >= number;
}

static void note(struct samples *samples, uint64_t us)
{
    if (samples->us == NULL)
        samples->us = calloc(PROBES_MAX, sizeof *samples->us);
    if (samples->us == NULL)
        die("remember samples");
    if (samples->count < PROBES_MAX)
        samples->us[samples->count++] = (uint32_t)us;
}

static unsigned ask_due(struct pollfd *fds, struct look **looks, int *ret_wait_ms)
{
    unsigned count = 0;
    uint64_t now = now_us();

    *ret_wait_ms = 100;
    for (unsigned i = 0; i < node_count; i++) {
        for (unsigned k = 0; k < 2; k++) {
            struct look *look = &nodes[i].looks[k];
            if (look->is_done)
                continue;
            if (!look->is_asked && look->next_us <= now)
                ask(look);
            if (!look->is_asked) {
                *ret_wait_ms = 0; /* due in less than poll can wait */
                continue;
            }
            fds[count] = (struct pollfd){.fd = look->fd, .events = POLLIN};
            looks[count++] = look;
        }
    }
    return count;
}

static void take(struct look *look, uint64_t number, uint64_t revision, uint64_t *ret_seen)
{
    if (!read_on(look->fd, look->in, sizeof look->in, &look->size))
        return;
    look->is_asked = false;
    look->next_us = now_us() + LOOK_US;
    look->is_done = shows(look, number, revision);
    if (look->is_done)
        *ret_seen = now_us();
}

static void probe(int writer, uint64_t number)
{
    uint64_t answered, seen[NODES_MAX][2], last[2] = {0};
    uint64_t revision = write_probe(writer, number, &answered);
    struct pollfd fds[NODES_MAX * 2];
    struct look *looks[NODES_MAX * 2];
    unsigned left = node_count * 2;

    for (unsigned i = 0; i < node_count; i++)
        for (unsigned k = 0; k < 2; k++)
            nodes[i].looks[k].is_done = false;
    while (left > 0) {
        int wait_ms;
        unsigned count = ask_due(fds, looks, &wait_ms);

        if (now_us() - answered > PATIENCE_US) {
            fprintf(stderr, "visible: revision %llu is not everywhere after 5 s\n",
                    (unsigned long long)revision);
            exit(1);
        }
        if (poll(fds, count, wait_ms) < 0 && errno != EINTR)
            die("poll");
        for (unsigned i = 0; i < count; i++) {
            if (fds[i].revents == 0)
                continue;
            for (unsigned n = 0; n < node_count; n++) {
                if (looks[i] == &nodes[n].looks[0] || looks[i] == &nodes[n].looks[1])
                    take(looks[i], number, revision, &seen[n][looks[i] - nodes[n].looks]);
            }
            left -= looks[i]->is_done;
        }
    }
    for (unsigned k = 0; k < 2; k++) {
        for (unsigned i = 0; i < node_count; i++) {
            uint64_t us = seen[i][k] - answered;
            note(&nodes[i].samples[k], us);
            if (us > last[k])
                last[k] = us;
        }
        note(&all[k], last[k]);
    }
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static double at_ms(const struct samples *samples, unsigned per_mille)
{
    size_t at = samples->count * per_mille / 1000;
    return samples->count == 0
               ? 0
               : samples->us[at < samples->count ? at : samples->count - 1] / 1000.0;
}

static void print(const char *name, struct samples samples[2])
{
    for (unsigned k = 0; k < 2; k++)
        qsort(samples[k].us, samples[k].count, sizeof *samples[k].us, compare);
    printf("{\"node\":\"%s\",\"probes\":%zu,\"visibleP50Ms\":%.2f,\"visibleP99Ms\":%.2f,"
           "\"visibleMaxMs\":%.2f,\"servedP50Ms\":%.2f,\"servedP99Ms\":%.2f,"
           "\"servedMaxMs\":%.2f}\n",
           name, samples[0].count, at_ms(&samples[0], 500), at_ms(&samples[0], 990),
           at_ms(&samples[0], 1000), at_ms(&samples[1], 500), at_ms(&samples[1], 990),
           at_ms(&samples[1], 1000));
}

static void add_node(char *text)
{
    struct node *node = &nodes[node_count];
    char *rest = NULL;
    char *admin = strtok_r(text, ",", &rest), *proxy = strtok_r(NULL, ",", &rest),
         *netns = strtok_r(NULL, ",", &rest);

    if (admin == NULL || proxy == NULL || node_count == NODES_MAX) {
        errno = EINVAL;
        die(text);
    }
    node->name = proxy;
    node->looks[0].fd = dial_unix(admin);
    node->looks[0].is_admin = true;
    node->looks[1].fd = dial_proxy(proxy, netns);
    node_count++;
}

int main(int argc, char **argv)
{
    int i = 2;

    for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
        unsigned number = (unsigned)strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--rate") == 0)
            rate = number;
        else if (strcmp(argv[i], "--seconds") == 0)
            seconds = number;
        else
            break;
    }
    if (i + 1 >= argc || strcmp(argv[i], "--") != 0 || rate < 1 || rate > RATE_MAX ||
        seconds < 1) {
        fprintf(stderr, "usage: visible WRITER [--rate N] [--seconds S] -- "
                        "ADMIN,PROXY[,NETNS]...\n");
        return 2;
    }
    int writer = dial_unix(argv[1]);
    while (++i < argc)
        add_node(argv[i]);

    uint64_t first = now_us(), started = first;
    for (uint64_t number = 1; now_us() - started < seconds * 1000000ull; number++) {
        probe(writer, first + number); /* of this run, and later than any before */
        sleep_until(started + number * 1000000 / rate);
    }
    for (unsigned n = 0; n < node_count; n++)
        print(nodes[n].name, nodes[n].samples);
    print("all", all);
    return 0;
}
