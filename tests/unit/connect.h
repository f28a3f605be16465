/* A blocking connect that a signal, or the io_uring of a libuv loop that this thread has
 * run, cannot cut short: interrupted, it goes on by itself, and only its end is waited
 * for (connect(2), EINTR). */
#ifndef GW_TESTS_CONNECT_H
#define GW_TESTS_CONNECT_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

static inline bool connect_whole(int fd, const struct sockaddr *address, socklen_t size)
{
    struct pollfd item = {.fd = fd, .events = POLLOUT};
    int failure = 0;
    socklen_t failure_size = sizeof failure;

    if (connect(fd, address, size) == 0)
        return true;
    if (errno != EINTR || TEMP_FAILURE_RETRY(poll(&item, 1, 10000)) != 1)
        return false;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &failure_size) == 0 &&
           failure == 0;
}

#endif
