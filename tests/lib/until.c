/* How long a change takes to be served everywhere, on one clock and without the
 * cost of a process per look.
 *
 *   until [-l LIMIT_MS] HOSTNAME PATH STATUS HOST:PORT... -- COMMAND...
 *
 * Connects to every gateway, runs COMMAND, and from then on asks each for PATH in
 * turn over its kept connection, a round every half millisecond, until each has
 * answered STATUS. Prints {"ms":M,"afterExitMs":A,"commandMs":C,"exit":E}: M from
 * the start of COMMAND until the last gateway served it; A from the end of COMMAND
 * (negative: served before it ended). Exits 0 when all serve and COMMAND did 0;
 * 1 past the limit (10 s), 3 when COMMAND failed. A gateway that is not up yet is
 * dialled again. COMMAND's stdout goes to stderr. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GATEWAYS_MAX 16

struct gateway {
    struct sockaddr_in address;
    int fd; /* -1: not connected */
    bool done;
};

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void gateway_dial(struct gateway *gateway)
{
    struct timeval patience = {.tv_sec = 2};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&gateway->address, sizeof gateway->address) != 0) {
        close(fd);
        fd = -1;
    }
    gateway->fd = fd;
}

/* The status of one exchange; 0 when there was none. */
static int gateway_ask(struct gateway *gateway, const char *request)
{
    char in[65536], *end = NULL;
    size_t size = 0, want = 0;

    if (gateway->fd < 0)
        gateway_dial(gateway);
    if (gateway->fd < 0)
        return 0;
    if (send(gateway->fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        goto lost;
    while (end == NULL || size < want) {
        ssize_t got = recv(gateway->fd, in + size, sizeof in - 1 - size, 0);
        if (got <= 0)
            goto lost;
        size += (size_t)got;
        in[size] = '\0';
        end = strstr(in, "\r\n\r\n");
        char *length = end == NULL ? NULL : strcasestr(in, "\r\ncontent-length:");
        want = end == NULL ? 0 : (size_t)(end - in) + 4;
        if (length != NULL && length < end)
            want += strtoul(length + 17, NULL, 10);
    }
    if (strcasestr(in, "\r\nconnection: close") != NULL) {
        close(gateway->fd);
        gateway->fd = -1;
    }
    return atoi(in + 9);

lost:
    close(gateway->fd);
    gateway->fd = -1;
    return 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: until [-l LIMIT_MS] HOSTNAME PATH STATUS HOST:PORT... -- "
                    "COMMAND...\n");
    return 2;
}

int main(int argc, char **argv)
{
    static struct gateway gateways[GATEWAYS_MAX];
    unsigned long long limit_ms = 10000;
    int count = 0, at = 1, status = 0;
    uint64_t exited_us = 0, served_us = 0;
    char request[2048];

    if (argc > 2 && strcmp(argv[1], "-l") == 0) {
        limit_ms = strtoull(argv[2], NULL, 10);
        at = 3;
    }
    if (argc < at + 6)
        return usage();
    int wanted = atoi(argv[at + 2]);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nhost: %s\r\n\r\n", argv[at + 1],
             argv[at]);
    for (at += 3; at < argc && strcmp(argv[at], "--") != 0; at++) {
        struct gateway *gateway = &gateways[count];
        char *colon = strrchr(argv[at], ':');
        if (colon == NULL || count == GATEWAYS_MAX)
            return usage();
        *colon = '\0';
        gateway->address.sin_family = AF_INET;
        gateway->address.sin_port = htons((uint16_t)atoi(colon + 1));
        inet_pton(AF_INET, argv[at], &gateway->address.sin_addr);
        gateway_dial(gateway);
        count++;
    }
    if (at + 1 >= argc || count == 0)
        return usage();

    uint64_t started_us = now_us();
    pid_t child = fork();
    if (child == 0) {
        dup2(2, 1);
        execvp(argv[at + 1], argv + at + 1);
        _exit(127);
    }
    int left = count;
    while (left > 0 || exited_us == 0) {
        for (int i = 0; i < count; i++) {
            if (!gateways[i].done && gateway_ask(&gateways[i], request) == wanted) {
                gateways[i].done = true;
                served_us = now_us();
                left--;
            }
        }
        if (exited_us == 0 && waitpid(child, &status, WNOHANG) == child)
            exited_us = now_us();
        if (now_us() - started_us > limit_ms * 1000)
            break;
        usleep(500);
    }
    int exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    if (left == 0 && exited_us != 0)
        printf("{\"ms\":%.1f,\"afterExitMs\":%.1f,\"commandMs\":%.1f,\"exit\":%d}\n",
               (double)(served_us - started_us) / 1000,
               ((double)served_us - (double)exited_us) / 1000,
               (double)(exited_us - started_us) / 1000, exit_code);
    else
        printf("{\"ms\":null,\"left\":%d,\"exit\":%d}\n", left,
               exited_us == 0 ? -1 : exit_code);
    if (exited_us != 0 && exit_code != 0)
        return 3;
    return left == 0 && exited_us != 0 ? 0 : 1;
}
