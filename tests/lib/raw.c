/* Sends stdin as it is over one connection and prints what comes back.
 *
 *   raw HOST:PORT [LIMIT_MS]
 *
 * Exits 0 when the other side closed, 1 when it had not by the limit (5 s), 2 when
 * there was no connection. Its own side stays open until then, since half-closing
 * would tell the other side something. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char *colon = argc > 1 ? strrchr(argv[1], ':') : NULL;
    uint64_t deadline_ms = now_ms() + (argc > 2 ? strtoull(argv[2], NULL, 10) : 5000);
    static char out[1 << 20], in[65536];
    size_t size = 0, sent = 0;
    ssize_t got;

    if (colon == NULL) {
        fprintf(stderr, "usage: raw HOST:PORT [LIMIT_MS] <BYTES\n");
        return 2;
    }
    while (size < sizeof out && (got = read(0, out + size, sizeof out - size)) > 0)
        size += (size_t)got;
    *colon = '\0';
    address.sin_port = htons((uint16_t)atoi(colon + 1));
    inet_pton(AF_INET, argv[1], &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return 2;
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        uint64_t at_ms = now_ms();
        if (sent < size)
            wait.events |= POLLOUT;
        if (at_ms >= deadline_ms || poll(&wait, 1, (int)(deadline_ms - at_ms)) == 0)
            return 1;
        if (wait.revents & POLLOUT) {
            got = send(fd, out + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            sent = got < 0 ? size
                           : sent + (size_t)got; /* refused: what is left to read counts */
        }
        if (wait.revents & (POLLIN | POLLHUP | POLLERR)) {
            got = recv(fd, in, sizeof in, MSG_DONTWAIT);
            if (got <= 0)
                return 0;
            fwrite(in, 1, (size_t)got, stdout);
            fflush(stdout);
        }
    }
}
