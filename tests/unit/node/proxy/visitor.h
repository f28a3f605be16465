/* A client that reads answers byte by byte. */
#ifndef GW_TESTS_PROXY_VISITOR_H
#define GW_TESTS_PROXY_VISITOR_H

#include "tests/unit/connect.h"
#include "tests/unit/node/proxy/talk.h"

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

#endif
