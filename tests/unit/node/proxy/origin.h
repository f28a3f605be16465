/* An origin with manners and bad manners: what it answers, the path says. Threads of the
 * test process. */
#ifndef GW_TESTS_PROXY_ORIGIN_H
#define GW_TESTS_PROXY_ORIGIN_H

#include "tests/unit/node/proxy/talk.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>

struct origin {
    int listen_fd;
    uint16_t port;
    pthread_t thread;
    _Atomic unsigned connections, requests, open;
    _Atomic unsigned reading; /* connections in a handler */
    _Atomic uint64_t written; /* bytes of /endless taken by the socket */
    _Atomic bool gone;        /* a connection of /hang or /endless ended */
    const char *name;
};

struct origin_visit {
    struct origin *origin;
    int fd;
};

static void reset_connection(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void answer_with(struct origin *origin, int fd, bool is_head, const char *data,
                        size_t size)
{
    char head[256];
    int head_size = snprintf(head, sizeof head,
                             "HTTP/1.1 200 OK\r\nx-upstream: %s\r\nContent-Length: %zu\r\n"
                             "Connection: x-hop\r\nX-Hop: secret\r\n\r\n",
                             origin->name, size);
    write_all(fd, head, (size_t)head_size);
    if (!is_head)
        write_all(fd, data, size);
}

/* One answer. False: the connection ends. */
static bool origin_answer(struct origin *origin, int fd, const char *head, const char *path,
                          const char *body, size_t body_size, unsigned nth)
{
    bool is_head = strncmp(head, "HEAD", 4) == 0;
    char text[64];
    unsigned long number = 0;
    const char *slash = strrchr(path, '/');
    if (slash != NULL)
        number = strtoul(slash + 1, NULL, 10);

    if (strncmp(path, "/head", 5) == 0) {
        answer_with(origin, fd, is_head, head, strlen(head));
    } else if (strncmp(path, "/echo", 5) == 0) {
        answer_with(origin, fd, is_head, body, body_size);
    } else if (strncmp(path, "/count", 6) == 0) {
        snprintf(text, sizeof text, "%zu", body_size);
        answer_with(origin, fd, is_head, text, strlen(text));
    } else if (strncmp(path, "/size/", 6) == 0) {
        write_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: %lu\r\n\r\n", number);
        if (!is_head)
            write_filler(fd, number);
    } else if (strncmp(path, "/chunks/", 8) == 0) {
        write_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (unsigned long left = is_head ? 0 : number; left > 0;) {
            unsigned long part = left < 1000 ? left : 1000;
            write_text(fd, "%lx\r\n", part);
            write_filler(fd, part);
            write_text(fd, "\r\n");
            left -= part;
        }
        if (!is_head)
            write_text(fd, "0\r\nX-Trailer: late\r\nSet-Cookie: a=b\r\n\r\n");
    } else if (strncmp(path, "/text/", 6) == 0) {
        write_text(fd,
                   "HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\n"
                   "ETag: \"v1\"\r\nAccept-Ranges: bytes\r\nContent-Length: %lu\r\n\r\n",
                   number);
        if (!is_head)
            write_filler(fd, number);
    } else if (strncmp(path, "/text-close/", 12) == 0) {
        write_text(fd, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n");
        write_filler(fd, number);
        return false;
    } else if (strcmp(path, "/events") == 0) {
        write_text(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        while (read(fd, text, sizeof text) > 0)
            ;
        return false;
    } else if (strcmp(path, "/packed") == 0) {
        write_text(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                       "Content-Encoding: gzip\r\nContent-Length: 6\r\n\r\npacked");
    } else if (strncmp(path, "/close/", 7) == 0) {
        write_text(fd, "HTTP/1.0 200 OK\r\n\r\n");
        write_filler(fd, number);
        return false;
    } else if (strcmp(path, "/short") == 0) {
        write_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
        return false;
    } else if (strcmp(path, "/bad-chunk") == 0) {
        write_text(
            fd,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n");
        return false;
    } else if (strcmp(path, "/bad") == 0) {
        write_text(fd, "HELLO WORLD\r\n\r\n");
    } else if (strcmp(path, "/two-lengths") == 0) {
        write_text(fd,
                   "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab");
    } else if (strcmp(path, "/interim") == 0) {
        write_text(fd, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: "
                       "<a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    } else if (strncmp(path, "/tunnel/", 8) == 0) {
        bool asks = strcasestr(head, "\r\nupgrade: ") != NULL;
        char bytes[16384];
        if (!asks && strcmp(path, "/tunnel/unasked") != 0) {
            write_text(fd, "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n");
            return true;
        }
        write_text(fd,
                   "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                   "Upgrade: %s\r\n\r\nhello",
                   strcmp(path, "/tunnel/other") == 0   ? "other"
                   : strcasestr(head, "chat/2") != NULL ? "chat/2"
                                                        : "websocket");
        if (strcmp(path, "/tunnel/end") == 0)
            return false;
        ssize_t got;
        while ((got = read(fd, bytes, sizeof bytes)) > 0)
            write_all(fd, bytes, (size_t)got);
        write_text(fd, "bye");
        return false;
    } else if (strcmp(path, "/hints") == 0) {
        while (send(fd, "HTTP/1.1 103 Early Hints\r\n\r\n", 28, MSG_NOSIGNAL) > 0)
            usleep(200);
        return false;
    } else if (strncmp(path, "/status/", 8) == 0) {
        write_text(fd, "HTTP/1.1 %lu Because\r\n%s\r\n", number,
                   number == 204 ? "" : "Content-Length: 4\r\n");
        if (number != 204 && number != 304)
            write_text(fd, "body");
    } else if (strcmp(path, "/later") == 0) {
        write_text(fd,
                   "HTTP/1.1 503 Busy\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n");
    } else if (strcmp(path, "/hang") == 0) {
        while (read(fd, text, sizeof text) > 0)
            ;
        origin->gone = true;
        return false;
    } else if (strcmp(path, "/endless") == 0) {
        char filler[16384];
        memset(filler, 'x', sizeof filler);
        write_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        ssize_t sent;
        while ((sent = send(fd, filler, sizeof filler, MSG_NOSIGNAL)) > 0)
            origin->written += (uint64_t)sent;
        origin->gone = true;
        return false;
    } else if (strncmp(path, "/slow/", 6) == 0) {
        usleep((useconds_t)number * 1000);
        answer_with(origin, fd, is_head, "slow", 4);
    } else if (strcmp(path, "/drip") == 0) {
        const char *drip =
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Slow: yes\r\n\r\ndrip";
        for (const char *at = drip; *at != '\0'; at++) {
            write_all(fd, at, 1);
            usleep(500);
        }
    } else if (strcmp(path, "/reset") == 0) {
        reset_connection(fd);
        return false;
    } else if (strcmp(path, "/bye") == 0) {
        answer_with(origin, fd, is_head, "bye", 3);
        return false;
    } else if (strcmp(path, "/second-dies") == 0) {
        if (nth > 1)
            return false;
        answer_with(origin, fd, is_head, "first", 5);
    } else if (strcmp(path, "/extra") == 0) {
        write_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"
                       "Content-Length: 6\r\n\r\npoison");
        usleep(20000);
    } else {
        answer_with(origin, fd, is_head, origin->name, strlen(origin->name));
    }
    return true;
}

/* Reads on; false at the end. */
static bool origin_fill(int fd, char *buffer, size_t *size, size_t capacity)
{
    ssize_t got = read(fd, buffer + *size, capacity - *size);
    if (got <= 0)
        return false;
    *size += (size_t)got;
    return true;
}

#define ORIGIN_BUFFER ((size_t)24 << 20)

static void origin_serve(struct origin *origin, int fd, char *buffer)
{
    size_t size = 0;
    for (unsigned nth = 1;; nth++) {
        char *end;
        while ((end = size == 0 ? NULL : memmem(buffer, size, "\r\n\r\n", 4)) == NULL)
            if (!origin_fill(fd, buffer, &size, ORIGIN_BUFFER))
                return;
        size_t head_size = (size_t)(end - buffer) + 4;
        char *head = strndup(buffer, head_size);
        char path[1024] = "";
        sscanf(head, "%*s %1023[^ ?]", path);
        char *length = strcasestr(head, "\r\ncontent-length:");
        bool is_chunked = strcasestr(head, "\r\ntransfer-encoding: chunked") != NULL;
        size_t body_size = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
        char *body = buffer + head_size;
        size_t used = head_size + body_size;
        bool goes_on = true;
        origin->requests++;
        bool expects = strcasestr(head, "\r\nexpect: 100-continue\r\n") != NULL;
        if (expects && strcmp(path, "/refuse") != 0)
            write_text(fd, "HTTP/1.1 100 Continue\r\n\r\n");
        if (expects && strcmp(path, "/refuse") == 0) {
            write_text(fd, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
            goes_on = false;
        } else if (strcmp(path, "/early") == 0) {
            write_text(fd, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
            while (read(fd, buffer, 65536) > 0)
                ;
            goes_on = false;
        } else if (is_chunked) {
            /* Chunks become one body in place. */
            size_t at = head_size, filled = 0;
            for (;;) {
                char *line;
                while ((line = at >= size
                                   ? NULL
                                   : memmem(buffer + at, size - at, "\r\n", 2)) == NULL &&
                       goes_on)
                    goes_on = origin_fill(fd, buffer, &size, ORIGIN_BUFFER);
                if (!goes_on)
                    break;
                size_t chunk = strtoul(buffer + at, NULL, 16);
                at = (size_t)(line - buffer) + 2;
                while (size < at + (chunk == 0 ? 0 : chunk + 2) && goes_on)
                    goes_on = origin_fill(fd, buffer, &size, ORIGIN_BUFFER);
                if (!goes_on)
                    break;
                memmove(body + filled, buffer + at, chunk);
                filled += chunk;
                at += chunk + 2;
                if (chunk == 0)
                    break;
            }
            /* Trailers are passed over, or are the body's last bytes, behind a '+' each. */
            at -= 2;
            while (goes_on) {
                char *line;
                while ((line = at >= size
                                   ? NULL
                                   : memmem(buffer + at, size - at, "\r\n", 2)) == NULL &&
                       goes_on)
                    goes_on = origin_fill(fd, buffer, &size, ORIGIN_BUFFER);
                if (!goes_on || line == buffer + at)
                    break;
                size_t line_size = (size_t)(line - buffer) - at;
                if (strncmp(path, "/echo/trailers", 14) == 0) {
                    body[filled++] = '+';
                    memmove(body + filled, buffer + at, line_size);
                    filled += line_size;
                }
                at += line_size + 2;
            }
            at += 2;
            body_size = filled;
            used = at;
        } else {
            while (size < used && goes_on)
                goes_on = origin_fill(fd, buffer, &size, ORIGIN_BUFFER);
        }
        if (goes_on)
            goes_on = origin_answer(origin, fd, head, path, body, body_size, nth);
        free(head);
        if (!goes_on)
            return;
        memmove(buffer, buffer + used, size - used);
        size -= used;
    }
}

/* Large buffers are dear to make under sanitizers: kept for the next visit. */
static struct {
    pthread_mutex_t lock;
    char *free[64];
    unsigned count;
} origin_buffers = {.lock = PTHREAD_MUTEX_INITIALIZER};

static char *origin_buffer_take(void)
{
    char *buffer = NULL;
    pthread_mutex_lock(&origin_buffers.lock);
    if (origin_buffers.count > 0)
        buffer = origin_buffers.free[--origin_buffers.count];
    pthread_mutex_unlock(&origin_buffers.lock);
    return buffer != NULL ? buffer : malloc(ORIGIN_BUFFER);
}

static void origin_buffer_give(char *buffer)
{
    pthread_mutex_lock(&origin_buffers.lock);
    if (origin_buffers.count < 64) {
        origin_buffers.free[origin_buffers.count++] = buffer;
        buffer = NULL;
    }
    pthread_mutex_unlock(&origin_buffers.lock);
    free(buffer);
}

static void *origin_visit(void *argument)
{
    struct origin_visit *visit = argument;
    char *buffer = origin_buffer_take();
    origin_serve(visit->origin, visit->fd, buffer);
    origin_buffer_give(buffer);
    close(visit->fd);
    visit->origin->open--;
    free(visit);
    return NULL;
}

static void *origin_run(void *argument)
{
    struct origin *origin = argument;
    for (;;) {
        int fd = accept(origin->listen_fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct origin_visit *visit = malloc(sizeof *visit);
        *visit = (struct origin_visit){origin, fd};
        origin->connections++;
        origin->open++;
        pthread_t thread;
        pthread_create(&thread, NULL, origin_visit, visit);
        pthread_detach(thread);
    }
}

static void UNUSED origin_start(struct origin *origin, const char *name)
{
    struct error err;
    memset(origin, 0, sizeof *origin);
    origin->name = name;
    assert_int_equal(listener_open_fd(SLICE("127.0.0.1:0"), &origin->listen_fd, &err),
                     GW_OK);
    origin->port = port_of(origin->listen_fd);
    fcntl(origin->listen_fd, F_SETFL, 0); /* its accept waits */
    pthread_create(&origin->thread, NULL, origin_run, origin);
}

static void UNUSED origin_stop(struct origin *origin)
{
    shutdown(origin->listen_fd, SHUT_RDWR);
    pthread_join(origin->thread, NULL);
    close(origin->listen_fd);
    eventually(origin->open == 0);
}

/* A port where nobody listens. */
static uint16_t UNUSED dead_port(void)
{
    struct error err;
    int fd;
    assert_int_equal(listener_open_fd(SLICE("127.0.0.1:0"), &fd, &err), GW_OK);
    uint16_t port = port_of(fd);
    close(fd);
    return port;
}

#endif
