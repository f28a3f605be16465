/* The corpus of raw requests, bad_input.txt, against a real gateway.
 *
 * Every case is sent twice, in one piece and byte by byte, since framing that is
 * refused whole must be refused in pieces. The origin is one thread that reads
 * all there is on every connection before it answers anything, and the loopback
 * delivers at once: when the request behind a case is answered, whatever the case
 * let through has been read. So what the upstream saw is compared, not guessed. */
#include "cast.h"

#include <ctype.h>
#include <poll.h>

#define TEXT_MAX    ((size_t)256 << 10)
#define CLIENTS_MAX 32
#define DRIP_MAX    2000u /* larger ones go in pieces of this many bytes */

/* ---- what the upstream saw ---- */

struct spy_client {
    int fd;
    char *data;
    size_t size;
};

struct spy {
    int listen_fd, wake_fd;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock;
    struct spy_client clients[CLIENTS_MAX];
    char *seen; /* of whole requests, in the form of the corpus */
    size_t seen_size;
    bool has_unfinished; /* bytes that were no whole request when a connection ended */
    _Atomic bool is_over;
};

static struct spy spy;

static void seen_add(const char *data, size_t size)
{
    assert_true(spy.seen_size + size < TEXT_MAX);
    memcpy(spy.seen + spy.seen_size, data, size);
    spy.seen_size += size;
    spy.seen[spy.seen_size] = '\0';
}

static void seen_line(const char *mark, const char *data, size_t size)
{
    seen_add(mark, strlen(mark));
    seen_add(data, size);
    seen_add("\n", 1);
}

static bool is_usual(const char *line, size_t size)
{
    static const char *const usual[] = {"x-forwarded-", "x-request-id:"};
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (size > strlen(usual[i]) && strncasecmp(line, usual[i], strlen(usual[i])) == 0)
            return true;
    return size == 15 && memcmp(line, "host: a.example", 15) == 0;
}

/* Takes one whole request off the front, as a plain reader of HTTP/1.1 would;
 * 0: it is not all there. */
static size_t spy_request(const char *data, size_t size)
{
    static char body[TEXT_MAX];
    const char *end = size == 0 ? NULL : memmem(data, size, "\r\n\r\n", 4);
    size_t body_size = 0, used, left = 0;
    const char *trailers = NULL, *trailers_end = NULL;
    bool is_chunked = false;
    if (end == NULL)
        return 0;
    used = (size_t)(end - data) + 4;
    char *head = strndup(data, used);
    char *length = strcasestr(head, "\r\ncontent-length: ");
    if (length != NULL)
        left = strtoul(length + 18, NULL, 10);
    is_chunked = strcasestr(head, "\r\ntransfer-encoding: chunked\r\n") != NULL;
    free(head);
    if (is_chunked) {
        for (;;) {
            const char *line =
                used >= size ? NULL : memmem(data + used, size - used, "\r\n", 2);
            if (line == NULL)
                return 0;
            size_t chunk = strtoul(data + used, NULL, 16);
            used = (size_t)(line - data) + 2;
            if (chunk == 0)
                break;
            if (size < used + chunk + 2)
                return 0;
            memcpy(body + body_size, data + used, chunk);
            body_size += chunk;
            used += chunk + 2;
        }
        /* The trailers: lines up to the empty one. */
        trailers = data + used;
        for (;;) {
            const char *line =
                used >= size ? NULL : memmem(data + used, size - used, "\r\n", 2);
            if (line == NULL)
                return 0;
            bool is_last = line == data + used;
            trailers_end = data + used;
            used = (size_t)(line - data) + 2;
            if (is_last)
                break;
        }
    } else {
        if (size < used + left)
            return 0;
        memcpy(body, data + used, left);
        body_size = left;
        used += left;
    }
    for (const char *at = data; at < end;) {
        const char *line_end = memmem(at, (size_t)(end - at) + 2, "\r\n", 2);
        if (at == data || !is_usual(at, (size_t)(line_end - at)))
            seen_line("", at, (size_t)(line_end - at));
        at = line_end + 2;
    }
    if (body_size > 0)
        seen_line("=", body, body_size);
    for (const char *at = trailers; at < trailers_end;) {
        const char *line_end = memmem(at, (size_t)(trailers_end - at), "\r\n", 2);
        seen_line("+", at, (size_t)(line_end - at));
        at = line_end + 2;
    }
    return used;
}

static void spy_end(struct spy_client *client)
{
    spy.has_unfinished |= client->size > 0;
    close(client->fd);
    free(client->data);
    *client = (struct spy_client){.fd = -1};
}

static void spy_read(struct spy_client *client)
{
    for (;;) {
        client->data = realloc(client->data, client->size + 65536);
        ssize_t got = recv(client->fd, client->data + client->size, 65536, MSG_DONTWAIT);
        if (got > 0) {
            client->size += (size_t)got;
            continue;
        }
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            spy_end(client);
        return;
    }
}

static void *spy_run(void *argument)
{
    (void)argument;
    while (!spy.is_over) {
        struct pollfd polls[CLIENTS_MAX + 2] = {{.fd = spy.listen_fd, .events = POLLIN},
                                                {.fd = spy.wake_fd, .events = POLLIN}};
        for (unsigned i = 0; i < CLIENTS_MAX; i++)
            polls[i + 2] = (struct pollfd){.fd = spy.clients[i].fd, .events = POLLIN};
        poll(polls, CLIENTS_MAX + 2, -1);
        pthread_mutex_lock(&spy.lock);
        for (int fd; (fd = accept4(spy.listen_fd, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
            unsigned i = 0;
            while (i < CLIENTS_MAX && spy.clients[i].fd >= 0)
                i++;
            assert_true(i < CLIENTS_MAX);
            spy.clients[i].fd = fd;
        }
        for (unsigned i = 0; i < CLIENTS_MAX; i++)
            if (spy.clients[i].fd >= 0)
                spy_read(&spy.clients[i]);
        for (unsigned i = 0; i < CLIENTS_MAX; i++) {
            struct spy_client *client = &spy.clients[i];
            size_t used;
            while (client->fd >= 0 && client->size > 0 &&
                   (used = spy_request(client->data, client->size)) > 0) {
                bool is_head = client->size > 4 && memcmp(client->data, "HEAD", 4) == 0;
                memmove(client->data, client->data + used, client->size - used);
                client->size -= used;
                write_text(client->fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n%s",
                           is_head ? "" : "ok");
            }
        }
        pthread_mutex_unlock(&spy.lock);
    }
    return NULL;
}

/* ---- the corpus ---- */

struct bad_case {
    char name[160];
    int statuses[8];
    unsigned status_count;
    bool is_closed, is_half;
    char *send;
    size_t send_size;
    char *want; /* of the upstream */
    size_t want_size;
    bool may_be_unfinished;
};

static char *put(char *at, const char *data, size_t size)
{
    memcpy(at, data, size);
    return at + size;
}

/* {NAME} and {TEXT*N}. */
static size_t expand(const char *from, size_t size, char *out)
{
    static const struct {
        const char *name, *text;
    } names[] = {
        {"GET", "GET / HTTP/1.1\\r\\nHost: a.example"},
        {"POST", "POST / HTTP/1.1\\r\\nHost: a.example"},
        {"TE", "Transfer-Encoding: chunked"},
        {"NEXT", "GET /smuggled HTTP/1.1\\r\\nHost: a.example\\r\\n\\r\\n"},
    };
    char *at = out;
    for (const char *c = from, *end = from + size; c < end;) {
        const char *close = *c == '{' ? memchr(c, '}', (size_t)(end - c)) : NULL;
        if (close == NULL) {
            *at++ = *c++;
            continue;
        }
        const char *star = memrchr(c, '*', (size_t)(close - c));
        if (star != NULL) {
            for (unsigned long n = strtoul(star + 1, NULL, 10); n > 0; n--)
                at = put(at, c + 1, (size_t)(star - c) - 1);
        } else {
            size_t length = (size_t)(close - c) - 1, i = 0;
            while (i < 4 && (strlen(names[i].name) != length ||
                             memcmp(names[i].name, c + 1, length) != 0))
                i++;
            assert_true(i < 4);
            at = put(at, names[i].text, strlen(names[i].text));
        }
        c = close + 1;
    }
    return (size_t)(at - out);
}

static size_t unescape(const char *from, size_t size, char *out)
{
    char *at = out;
    for (const char *c = from, *end = from + size; c < end; c++) {
        if (*c != '\\') {
            *at++ = *c;
            continue;
        }
        char digits[3] = {0};
        c++;
        switch (*c) {
        case 'r':
            *at++ = '\r';
            break;
        case 'n':
            *at++ = '\n';
            break;
        case 't':
            *at++ = '\t';
            break;
        case 'x':
            digits[0] = c[1];
            digits[1] = c[2];
            *at++ = (char)strtoul(digits, NULL, 16);
            c += 2;
            break;
        default:
            *at++ = *c;
            break;
        }
    }
    return (size_t)(at - out);
}

static void append(char **text, size_t *size, const char *line, bool has_end,
                   const char *end)
{
    static char expanded[TEXT_MAX], raw[TEXT_MAX];
    size_t length = expand(line, strlen(line), expanded);
    length = unescape(expanded, length, raw);
    if (has_end)
        length = (size_t)(put(raw + length, end, strlen(end)) - raw);
    *text = realloc(*text, *size + length + 1);
    memcpy(*text + *size, raw, length);
    *size += length;
    (*text)[*size] = '\0';
}

static void read_title(struct bad_case *one, char *line)
{
    char *section = strtok(line, "|"), *name = strtok(NULL, "|");
    snprintf(one->name, sizeof one->name, "RFC %s%s", section, name);
    for (char *word = strtok(strtok(NULL, "|"), " "); word != NULL;
         word = strtok(NULL, " ")) {
        if (isdigit((unsigned char)word[0]))
            one->statuses[one->status_count++] = atoi(word);
        else if (strcmp(word, "close") == 0)
            one->is_closed = true;
        else if (strcmp(word, "half") == 0)
            one->is_half = true;
        else
            assert_true(strcmp(word, "open") == 0 || strcmp(word, "none") == 0);
    }
}

/* The next case; false at the end of the file. */
static bool read_case(FILE *file, struct bad_case *one)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    memset(one, 0, sizeof *one);
    append(&one->want, &one->want_size, "", false, "");
    append(&one->send, &one->send_size, "", false, "");
    while ((size = getline(&line, &room, file)) > 0) {
        if (line[size - 1] == '\n')
            line[--size] = '\0';
        if (line[0] == '#' || (size == 0 && one->name[0] == '\0'))
            continue;
        if (size == 0)
            break;
        if (strncmp(line, ">-", 2) == 0)
            append(&one->send, &one->send_size, line + (size > 2 ? 3 : 2), false, "");
        else if (line[0] == '>')
            append(&one->send, &one->send_size, line + (size > 1 ? 2 : 1), true, "\r\n");
        else if (strcmp(line, "< unfinished") == 0)
            one->may_be_unfinished = true;
        else if (line[0] == '<')
            append(&one->want, &one->want_size, line + 2, true, "\n");
        else
            read_title(one, line);
    }
    free(line);
    return one->name[0] != '\0';
}

/* ---- the run ---- */

static struct gateway gateway;
static unsigned failures;

static void fail_case(const struct bad_case *one, bool dripped, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void fail_case(const struct bad_case *one, bool dripped, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    print_error("%s%s: %s\n", one->name, dripped ? "(dripped)" : "", text);
    failures++;
}

static void send_case(const struct bad_case *one, int fd, bool dripped)
{
    if (!dripped) {
        write_all(fd, one->send, one->send_size);
    } else {
        size_t piece = one->send_size > DRIP_MAX ? DRIP_MAX : 1;
        for (size_t at = 0; at < one->send_size; at += piece)
            write_all(fd, one->send + at,
                      piece < one->send_size - at ? piece : one->send_size - at);
    }
    if (one->is_half)
        shutdown(fd, SHUT_WR);
}

/* A request that must be answered; behind it all is known. */
static bool ask_last(struct visitor *visitor)
{
    struct answer answer;
    write_text(visitor->fd, "GET /last HTTP/1.1\r\nHost: a.example\r\n\r\n");
    visitor_read(visitor, false, &answer);
    bool is_right = answer.status == 200 && answer.body_size == 2;
    answer_free(&answer);
    return is_right;
}

static void check_seen(const struct bad_case *one, bool dripped)
{
    static const char last[] = "GET /last HTTP/1.1\n";
    pthread_mutex_lock(&spy.lock);
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        spy.has_unfinished |= spy.clients[i].fd >= 0 && spy.clients[i].size > 0;
    size_t size = spy.seen_size - (sizeof last - 1);
    if (spy.seen_size < sizeof last - 1 ||
        memcmp(spy.seen + size, last, sizeof last - 1) != 0)
        fail_case(one, dripped, "the last request is not the last: '%s'", spy.seen);
    else if (size != one->want_size || memcmp(spy.seen, one->want, size) != 0)
        fail_case(one, dripped, "the upstream saw '%.*s' instead of '%s'", (int)size,
                  spy.seen, one->want);
    if (spy.has_unfinished && !one->may_be_unfinished)
        fail_case(one, dripped, "the upstream saw part of a request");
    spy.seen_size = 0;
    spy.has_unfinished = false;
    pthread_mutex_unlock(&spy.lock);
}

static void run_case(const struct bad_case *one, bool dripped)
{
    struct visitor visitor, other;
    visitor_open(&visitor, gateway.port);
    int yes = 1;
    setsockopt(visitor.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    send_case(one, visitor.fd, dripped);
    for (unsigned i = 0; i < one->status_count; i++) {
        struct answer answer;
        visitor_read(&visitor, false, &answer);
        if (answer.status != one->statuses[i])
            fail_case(one, dripped, "%d instead of %d", answer.status, one->statuses[i]);
        if (answer.status >= 400 && header_of(&answer, "gw-reason") == NULL &&
            answer.status != 403)
            fail_case(one, dripped, "no reason");
        answer_free(&answer);
    }
    if (!one->is_closed) {
        if (!ask_last(&visitor))
            fail_case(one, dripped, "the connection is of no more use");
    } else {
        if (!visitor_is_closed(&visitor))
            fail_case(one, dripped, "more than was to be answered: '%.*s'",
                      (int)visitor.size, visitor.buffer);
        visitor_open(&other, gateway.port);
        if (!ask_last(&other))
            fail_case(one, dripped, "the gateway answers no more");
        visitor_close(&other);
    }
    check_seen(one, dripped);
    visitor_close(&visitor);
}

static void every_raw_request_gets_its_answer_and_no_more_reaches_the_upstream(void **state)
{
    char path[1024];
    unsigned count = 0;
    struct bad_case one;
    (void)state;
    snprintf(path, sizeof path, "%s", __FILE__);
    snprintf(strrchr(path, '/'), 20, "/bad_input.txt");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (; read_case(file, &one); count++) {
        for (int dripped = 0; dripped < 2; dripped++)
            run_case(&one, dripped != 0);
        free(one.send);
        free(one.want);
    }
    free(one.send);
    free(one.want);
    fclose(file);
    print_message("%u raw requests, each whole and dripped in; %u wrong\n", count,
                  failures);
    assert_true(count >= 150);
    assert_int_equal(failures, 0);
}

static int set_up(void **state)
{
    static char yaml[4096];
    struct error err;
    int pipe_fds[2];
    (void)state;
    spy.seen = calloc(1, TEXT_MAX);
    pthread_mutex_init(&spy.lock, NULL);
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        spy.clients[i].fd = -1;
    assert_int_equal(listener_open_fd(SLICE("127.0.0.1:0"), &spy.listen_fd, &err), GW_OK);
    spy.port = port_of(spy.listen_fd);
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    spy.wake_fd = pipe_fds[0];
    *state = (void *)(intptr_t)pipe_fds[1];
    pthread_create(&spy.thread, NULL, spy_run, NULL);
    snprintf(yaml, sizeof yaml,
             "%s---\napiVersion: gw/v1\nkind: Route\nmetadata: {name: admin}\n"
             "spec: {match: {path: {prefix: /admin}}, respond: {status: 403}}\n",
             plain_yaml(spy.port));
    gateway_start(&gateway, yaml);
    return 0;
}

static int tear_down(void **state)
{
    gateway_stop(&gateway);
    spy.is_over = true;
    close((int)(intptr_t)*state);
    pthread_join(spy.thread, NULL);
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        if (spy.clients[i].fd >= 0)
            spy_end(&spy.clients[i]);
    close(spy.listen_fd);
    close(spy.wake_fd);
    free(spy.seen);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(
        every_raw_request_gets_its_answer_and_no_more_reaches_the_upstream)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
