/* What both ends of the proxy's tests need: real sockets on loopback, and waiting. A thread
 * that has run a loop may see EINTR in blocking calls where libuv (from 1.45) gave it an
 * io_uring. */
#ifndef GW_TESTS_PROXY_TALK_H
#define GW_TESTS_PROXY_TALK_H

#include "base/instant.h"
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define UNUSED __attribute__((unused))
#define WAIT_S 10 /* the longest anything is waited for */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

static void write_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t sent = TEMP_FAILURE_RETRY(send(fd, at, size, MSG_NOSIGNAL));
        if (sent <= 0)
            return;
        at += sent;
        size -= (size_t)sent;
    }
}

static void UNUSED write_text(int fd, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void UNUSED write_text(int fd, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_all(fd, text, (size_t)size);
}

static void write_filler(int fd, size_t size)
{
    char filler[16384];
    memset(filler, 'x', sizeof filler);
    while (size > 0) {
        size_t part = size < sizeof filler ? size : sizeof filler;
        ssize_t sent = TEMP_FAILURE_RETRY(send(fd, filler, part, MSG_NOSIGNAL));
        if (sent <= 0)
            return;
        size -= (size_t)sent;
    }
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &size);
    return ntohs(address.sin_port);
}

/* Polls a condition. */
#define eventually(condition)                                         \
    do {                                                              \
        uint64_t until_ms_ = instant_monotonic_ms() + 1000u * WAIT_S; \
        while (!(condition) && instant_monotonic_ms() < until_ms_)    \
            usleep(1000);                                             \
        assert_true(condition);                                       \
    } while (0)

#endif
