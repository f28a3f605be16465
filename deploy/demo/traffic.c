/* The smallest HTTP client that tells a good answer from a bad one: a connection per
 * request, read to its end. Slow on purpose; it shows that requests are answered, not how
 * fast. */
#include "deploy/demo/traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { PAUSE_MS = 50, LIMIT_MS = 2000 };

int traffic_once(int port, const char *host, const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval limit = {.tv_sec = LIMIT_MS / 1000};
    char request[512], answer[4096], scrap[4096];
    int status = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t used = 0;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        status = errno == ECONNREFUSED ? -1 : 0;
        goto done;
    }
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: quorumgate-demo\r\n"
                          "Connection: close\r\n\r\n",
                          path, host);
    if (length < 0 || (size_t)length >= sizeof request ||
        send(fd, request, (size_t)length, MSG_NOSIGNAL) != length)
        goto done;
    for (;;) {
        bool fits = used + 1 < sizeof answer;
        ssize_t got = fits ? recv(fd, answer + used, sizeof answer - 1 - used, 0)
                           : recv(fd, scrap, sizeof scrap, 0);
        if (got < 0)
            goto done; /* reset, or too late: no whole answer */
        if (got == 0)
            break;
        if (fits)
            used += (size_t)got;
    }
    answer[used] = '\0';
    if (strncmp(answer, "HTTP/1.", 7) == 0 && strlen(answer) > 12)
        status = atoi(answer + 9);

done:
    close(fd);
    return status;
}

static void *run(void *argument)
{
    struct traffic *traffic = argument;

    while (!atomic_load_explicit(&traffic->stop, memory_order_relaxed)) {
        int status = traffic_once(traffic->port, traffic->host, traffic->path);
        atomic_ulong *counter = &traffic->failed;
        if (status >= 200 && status < 300)
            counter = &traffic->answered;
        else if (status < 0)
            counter = &traffic->refused;
        atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
        poll(NULL, 0, PAUSE_MS);
    }
    return NULL;
}

bool traffic_start(struct traffic *traffic)
{
    /* Signals are blocked in the main thread before any thread starts, and threads inherit
     * that. */
    traffic->started = pthread_create(&traffic->thread, NULL, run, traffic) == 0;
    return traffic->started;
}

void traffic_stop(struct traffic *traffic)
{
    if (!traffic->started)
        return;
    atomic_store_explicit(&traffic->stop, true, memory_order_relaxed);
    pthread_join(traffic->thread, NULL);
    traffic->started = false;
}
