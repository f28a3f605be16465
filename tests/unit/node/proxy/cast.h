/* The cast of the proxy's tests: an origin with manners and bad manners, a client
 * that reads answers byte by byte, and a worker serving what a YAML text says.
 * All real sockets on loopback; threads of the test process. A thread that has run a
 * loop may see EINTR in blocking calls where libuv (from 1.45) gave it an io_uring. */
#ifndef GW_TESTS_PROXY_CAST_H
#define GW_TESTS_PROXY_CAST_H

#include "base/instant.h"
#include "base/list.h"
#include "model/source.h"
#include "net/listener.h"
#include "node/board/board.h"
#include "node/proxy/worker.h"
#include "tests/unit/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
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

/* ---- the origin ---- */

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

static uint16_t port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &size);
    return ntohs(address.sin_port);
}

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

/* Polls a condition. */
#define eventually(condition)                                         \
    do {                                                              \
        uint64_t until_ms_ = instant_monotonic_ms() + 1000u * WAIT_S; \
        while (!(condition) && instant_monotonic_ms() < until_ms_)    \
            usleep(1000);                                             \
        assert_true(condition);                                       \
    } while (0)

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

/* ---- the gateway ---- */

struct gateway {
    struct board *board;
    struct metrics *metrics;
    struct worker *worker;
    uint16_t port;
    uv_loop_t loop; /* of the control side, run by hand */
    struct mailbox control;
    uint64_t serves; /* revision said last */
    bool drained;
};

static void gateway_mail(struct mail *mail, void *owner)
{
    struct gateway *gateway = owner;
    struct worker_mail *from = container_of(mail, struct worker_mail, mail);
    if (from->type == WORKER_SERVES)
        gateway->serves = from->revision;
    else
        gateway->drained = true;
    free(from);
}

/* Compiles; fails the test with the problems found. */
static struct snapshot *gateway_compile(struct gateway *gateway, const char *yaml,
                                        uint64_t revision)
{
    struct buffer shown;
    struct source source;
    struct problems problems;
    struct change change;
    struct catalog empty, catalog;
    struct snapshot *snapshot = NULL;
    struct error err = ERROR_NONE;
    size_t changed;

    buffer_init(&shown, 0);
    source_init(&source);
    problems_init(&problems);
    change_init(&change);
    catalog_init(&empty);
    source_add(&source, SLICE("test.yaml"), slice_from_string(yaml), &problems);
    source_decode(&source, &change, &problems);
    bool ok = change_validate(&change, &empty, NULL, 0, 0, SLICE("test"), &catalog,
                              &changed, &problems) &&
              !problems_failed(&problems);
    if (!ok) {
        source_print(&source, &problems, &shown);
        print_error("%.*s\n", SLICE_ARG(buffer_slice(&shown)));
    } else {
        const struct compile_options options = {.revision = revision,
                                                .node_name = SLICE("eu-1"),
                                                .node_region = SLICE("eu"),
                                                .board = gateway->board};
        ok = snapshot_compile(&catalog, &options, &snapshot, &err) == GW_OK;
        if (!ok)
            print_error("%s\n", err.text);
    }
    catalog_deinit(&catalog);
    catalog_deinit(&empty);
    change_deinit(&change);
    problems_deinit(&problems);
    source_deinit(&source);
    buffer_deinit(&shown);
    assert_true(ok);
    return snapshot;
}

static void gateway_wait_serves(struct gateway *gateway, uint64_t revision)
{
    uint64_t until_ms = instant_monotonic_ms() + 1000u * WAIT_S;
    while (gateway->serves != revision && instant_monotonic_ms() < until_ms) {
        uv_run(&gateway->loop, UV_RUN_NOWAIT);
        usleep(500);
    }
    assert_int_equal(gateway->serves, revision);
}

static void UNUSED gateway_publish(struct gateway *gateway, const char *yaml,
                                   uint64_t revision)
{
    worker_publish(gateway->worker, gateway_compile(gateway, yaml, revision), NULL, 0);
    gateway_wait_serves(gateway, revision);
}

/* The Listener of the YAML is named "http". */
static void gateway_start(struct gateway *gateway, const char *yaml)
{
    struct error err = ERROR_NONE;
    memset(gateway, 0, sizeof *gateway);
    signal(SIGPIPE, SIG_IGN);
    gateway->board = board_new();
    gateway->metrics = metrics_new(10000);
    uv_loop_init(&gateway->loop);
    assert_int_equal(
        mailbox_open(&gateway->control, &gateway->loop, gateway_mail, gateway, &err),
        GW_OK);
    const struct worker_options options = {.number = 0,
                                           .metrics = gateway->metrics,
                                           .control = &gateway->control,
                                           .node_name = SLICE("eu-1")};
    assert_int_equal(worker_start(&options, &gateway->worker, &err), GW_OK);
    struct worker_socket socket = {.listener = "http"};
    assert_int_equal(listener_open_fd(SLICE("127.0.0.1:0"), &socket.fd, &err), GW_OK);
    gateway->port = port_of(socket.fd);
    worker_publish(gateway->worker, gateway_compile(gateway, yaml, 1), &socket, 1);
    gateway_wait_serves(gateway, 1);
}

static void gateway_stop(struct gateway *gateway)
{
    worker_stop(gateway->worker);
    mailbox_close(&gateway->control, NULL);
    uv_run(&gateway->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&gateway->loop), 0);
    metrics_free(gateway->metrics);
    board_free(gateway->board);
}

/* The value of a series, by the start of its line; 0 when there is none. */
static double UNUSED gateway_metric(struct gateway *gateway, const char *series)
{
    struct buffer out;
    double value = 0;
    buffer_init(&out, 0);
    metrics_render(gateway->metrics, &out);
    buffer_append_byte(&out, '\0');
    size_t size = strlen(series);
    for (char *line = out.data; line != NULL;
         line = strchr(line, '\n') == NULL ? NULL : strchr(line, '\n') + 1)
        if (strncmp(line, series, size) == 0 && line[size] == ' ')
            value = strtod(line + size, NULL);
    buffer_deinit(&out);
    return value;
}

/* ---- the client ---- */

struct visitor {
    int fd;
    char *buffer;
    size_t size, capacity;
};

struct answer {
    int status; /* 0: the connection ended instead */
    char head[16384];
    char *body; /* owned; NUL-terminated */
    size_t body_size;
    bool is_torn; /* ended before its body did */
    char trailers[1024];
};

static int dial(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval limit = {.tv_sec = WAIT_S};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (!connect_whole(fd, (struct sockaddr *)&address, sizeof address)) {
        close(fd);
        return -1;
    }
    return fd;
}

static void visitor_open(struct visitor *visitor, uint16_t port)
{
    memset(visitor, 0, sizeof *visitor);
    visitor->fd = dial(port);
    assert_true(visitor->fd >= 0);
    visitor->capacity = 65536;
    visitor->buffer = malloc(visitor->capacity + 1);
}

static void visitor_close(struct visitor *visitor)
{
    close(visitor->fd);
    free(visitor->buffer);
}

static bool visitor_fill(struct visitor *visitor)
{
    if (visitor->size == visitor->capacity) {
        visitor->capacity *= 2;
        visitor->buffer = realloc(visitor->buffer, visitor->capacity + 1);
    }
    ssize_t got = TEMP_FAILURE_RETRY(recv(visitor->fd, visitor->buffer + visitor->size,
                                          visitor->capacity - visitor->size, 0));
    if (got <= 0)
        return false;
    visitor->size += (size_t)got;
    return true;
}

static void visitor_drop(struct visitor *visitor, size_t size)
{
    memmove(visitor->buffer, visitor->buffer + size, visitor->size - size);
    visitor->size -= size;
}

/* The value of a header, in a place of this thread; NULL if there is none. */
static UNUSED const char *header_of(const struct answer *answer, const char *name)
{
    static _Thread_local char value[4096];
    char pattern[128];
    snprintf(pattern, sizeof pattern, "\r\n%s: ", name);
    const char *at = strcasestr(answer->head, pattern);
    if (at == NULL)
        return NULL;
    at += strlen(pattern);
    size_t size = strcspn(at, "\r");
    memcpy(value, at, size);
    value[size] = '\0';
    return value;
}

static void answer_append(struct answer *answer, const char *data, size_t size)
{
    answer->body = realloc(answer->body, answer->body_size + size + 1);
    memcpy(answer->body + answer->body_size, data, size);
    answer->body_size += size;
    answer->body[answer->body_size] = '\0';
}

static void answer_free(struct answer *answer)
{
    free(answer->body);
    answer->body = NULL;
}

static void read_chunks(struct visitor *visitor, struct answer *answer)
{
    for (;;) {
        char *end;
        while ((end = visitor->size == 0
                          ? NULL
                          : memmem(visitor->buffer, visitor->size, "\r\n", 2)) == NULL)
            if (!visitor_fill(visitor)) {
                answer->is_torn = true;
                return;
            }
        size_t size = strtoul(visitor->buffer, NULL, 16);
        visitor_drop(visitor, (size_t)(end - visitor->buffer) + 2);
        while (size > 0 && visitor->size < size + 2)
            if (!visitor_fill(visitor)) {
                answer->is_torn = true;
                return;
            }
        if (size > 0) {
            answer_append(answer, visitor->buffer, size);
            visitor_drop(visitor, size + 2);
            continue;
        }
        /* Trailers, up to the empty line. */
        while ((end = visitor->size < 2 ? NULL
                                        : memmem(visitor->buffer, visitor->size, "\r\n",
                                                 2)) != visitor->buffer) {
            if (end == NULL) {
                if (!visitor_fill(visitor)) {
                    answer->is_torn = true;
                    return;
                }
                continue;
            }
            strncat(answer->trailers, visitor->buffer, (size_t)(end - visitor->buffer) + 2);
            visitor_drop(visitor, (size_t)(end - visitor->buffer) + 2);
        }
        visitor_drop(visitor, 2);
        return;
    }
}

/* Reads one answer. `is_head`: it has no body. */
static void visitor_read(struct visitor *visitor, bool is_head, struct answer *answer)
{
    char *end;
    memset(answer, 0, sizeof *answer);
    answer->body = calloc(1, 1);
    while ((end = visitor->size == 0
                      ? NULL
                      : memmem(visitor->buffer, visitor->size, "\r\n\r\n", 4)) == NULL)
        if (!visitor_fill(visitor))
            return;
    size_t head_size = (size_t)(end - visitor->buffer) + 4;
    assert_true(head_size < sizeof answer->head);
    memcpy(answer->head, visitor->buffer, head_size);
    visitor_drop(visitor, head_size);
    sscanf(answer->head, "HTTP/1.%*d %d", &answer->status);
    if (is_head || answer->status == 204 || answer->status == 304 || answer->status < 200)
        return;
    const char *length = header_of(answer, "content-length");
    if (length != NULL) {
        size_t size = strtoul(length, NULL, 10);
        while (visitor->size < size)
            if (!visitor_fill(visitor)) {
                answer->is_torn = true;
                return;
            }
        answer_append(answer, visitor->buffer, size);
        visitor_drop(visitor, size);
    } else if (header_of(answer, "transfer-encoding") != NULL) {
        read_chunks(visitor, answer);
    } else {
        while (visitor_fill(visitor))
            ;
        answer_append(answer, visitor->buffer, visitor->size);
        visitor->size = 0;
    }
}

/* Whether the other side has ended the connection. */
static bool UNUSED visitor_is_closed(struct visitor *visitor)
{
    return visitor->size == 0 && !visitor_fill(visitor);
}

/* One request on a connection of its own. */
static void UNUSED ask(uint16_t port, const char *request, struct answer *answer)
{
    struct visitor visitor;
    visitor_open(&visitor, port);
    write_all(visitor.fd, request, strlen(request));
    visitor_read(&visitor, strncmp(request, "HEAD", 4) == 0, answer);
    visitor_close(&visitor);
}

static int UNUSED ask_status(uint16_t port, const char *request)
{
    struct answer answer;
    ask(port, request, &answer);
    answer_free(&answer);
    return answer.status;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a.example\r\n\r\n"

/* A Listener, one Service of one endpoint, a Route for everything. */
static UNUSED const char *plain_yaml(uint16_t port)
{
    static char yaml[2048];
    snprintf(yaml, sizeof yaml,
             "apiVersion: gw/v1\nkind: Listener\nmetadata: {name: http}\n"
             "spec: {bind: \"127.0.0.1:8080\", protocols: [http/1.1]}\n---\n"
             "apiVersion: gw/v1\nkind: Service\nmetadata: {name: one}\n"
             "spec: {endpoints: [{name: one-1, address: \"127.0.0.1:%u\"}]}\n---\n"
             "apiVersion: gw/v1\nkind: Route\nmetadata: {name: all}\n"
             "spec: {match: {path: {prefix: /}}, service: one}\n",
             (unsigned)port);
    return yaml;
}

#endif
