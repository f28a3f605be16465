/* A sample upstream: echoes what it was asked, with knobs for trouble.
 *
 *   upstream --listen HOST:PORT [--name N] [--latency MS] [--error-rate 0..1]
 *            [--hang-rate 0..1] [--size BYTES]
 *
 * Each request may turn the same knobs by its query: latency=MS status=N size=N
 * hang=1 chunked=1 close=1 reset=1 echo=1. /healthz answers 200 "ok" at once and
 * knows no trouble. By default the answer tells the request as JSON; with a size
 * it is that many bytes, with echo=1 it is the request's body. The head carries
 * `x-upstream: NAME`.
 *
 * One thread, one libuv loop, one request at a time per connection. It is
 * for demos, tests and benchmarks: it takes what a sane client sends and closes
 * the connection on anything else. Needs libuv only. */
#include "examples/upstream/request.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define HEAD_LIMIT ((size_t)64 << 10)

struct connection {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    unsigned handles_open;
    struct text in;   /* not yet taken in */
    struct text head; /* of the request being answered */
    struct text body; /* kept for echo */
    struct text out;
    struct request request;
    bool in_body, answering, closing, at_end;
};

static struct {
    const char *name;
    struct knobs knobs;
    char read_buffer[64 << 10];
    char filler[64 << 10];
} server = {.name = "upstream"};

static void connection_run(struct connection *connection);

/* ---- connections ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    if (--connection->handles_open > 0)
        return;
    free(connection->in.data);
    free(connection->head.data);
    free(connection->body.data);
    free(connection->out.data);
    free(connection);
}

static void connection_close(struct connection *connection)
{
    if (connection->closing)
        return;
    connection->closing = true;
    uv_close((uv_handle_t *)&connection->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&connection->timer, on_handle_closed);
}

static void on_reset(uv_handle_t *handle)
{
    on_handle_closed(handle);
}

/* Ends with RST instead of FIN. */
static void connection_reset(struct connection *connection)
{
    if (connection->closing)
        return;
    connection->closing = true;
    if (uv_tcp_close_reset(&connection->tcp, on_reset) != 0)
        uv_close((uv_handle_t *)&connection->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&connection->timer, on_handle_closed);
}

static void request_done(struct connection *connection)
{
    bool keep_alive = connection->request.keep_alive && !connection->request.close;
    connection->answering = false;
    connection->body.size = 0;
    if (!keep_alive || connection->at_end) {
        connection_close(connection);
        return;
    }
    if (connection->body.capacity > (256 << 10)) {
        free(connection->body.data);
        connection->body = (struct text){0};
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct connection *connection = write->data;
    if (connection->closing)
        return;
    if (status != 0) {
        connection_close(connection);
        return;
    }
    request_done(connection);
    if (!connection->closing)
        connection_run(connection);
}

/* ---- answers ---- */

static const char *reason_of(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 204:
        return "No Content";
    case 304:
        return "Not Modified";
    case 404:
        return "Not Found";
    case 500:
        return "Internal Server Error";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    default:
        return "Status";
    }
}

static void tell_request(struct connection *connection, struct text *body)
{
    struct request *request = &connection->request;
    struct span name, value;
    bool is_first = true;

    text_string(body, "{\"name\":");
    text_json(body, (struct span){server.name, strlen(server.name)});
    text_string(body, ",\"method\":");
    text_json(body, request->method);
    text_string(body, ",\"path\":");
    text_json(body, request->target);
    text_string(body, ",\"headers\":{");
    for (size_t at = head_first_header(&connection->head);
         next_header(&connection->head, &at, &name, &value);) {
        char lower[256];
        size_t size = name.size < sizeof lower ? name.size : sizeof lower;
        for (size_t i = 0; i < size; i++)
            lower[i] = (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] + 32
                                                                         : name.data[i]);
        if (!is_first)
            text_string(body, ",");
        is_first = false;
        text_json(body, (struct span){lower, size});
        text_string(body, ":");
        text_json(body, value);
    }
    text_string(body, "},\"bodySize\":");
    text_number(body, request->body_size);
    text_string(body, "}\n");
}

static void add_filler(struct text *out, uint64_t size)
{
    while (size > 0) {
        size_t part = size < sizeof server.filler ? (size_t)size : sizeof server.filler;
        text_add(out, server.filler, part);
        size -= part;
    }
}

static void add_chunked(struct text *out, const char *data, size_t size)
{
    while (size > 0) {
        size_t part = size < 8192 ? size : 8192;
        char line[24];
        text_add(out, line, (size_t)snprintf(line, sizeof line, "%zx\r\n", part));
        text_add(out, data, part);
        text_string(out, "\r\n");
        data += part;
        size -= part;
    }
    text_string(out, "0\r\n\r\n");
}

static void answer(struct connection *connection)
{
    struct request *request = &connection->request;
    struct text *out = &connection->out;
    struct text body = {0};
    unsigned status = request->status;
    bool has_body = !request->is_head && status != 204 && status != 304 && status >= 200;
    uint64_t size;
    const char *type = "application/octet-stream";

    if (request->reset) {
        connection_reset(connection);
        return;
    }
    if (request->health) {
        text_string(&body, "ok\n");
        type = "text/plain";
    } else if (request->echo) {
        text_add(&body, connection->body.data, connection->body.size);
    } else if (!request->has_size || request->chunked) {
        if (request->has_size)
            add_filler(&body, request->size);
        else {
            tell_request(connection, &body);
            type = "application/json";
        }
    }
    size = request->has_size && !request->chunked && !request->health && !request->echo
               ? request->size
               : body.size;

    out->size = 0;
    text_string(out, "HTTP/1.1 ");
    text_number(out, status);
    text_string(out, " ");
    text_string(out, reason_of(status));
    text_string(out, "\r\nx-upstream: ");
    text_string(out, server.name);
    text_string(out, "\r\ncontent-type: ");
    text_string(out, type);
    if (status != 204 && status != 304 && status >= 200) {
        if (request->chunked && !request->is_http10) {
            text_string(out, "\r\ntransfer-encoding: chunked");
        } else {
            text_string(out, "\r\ncontent-length: ");
            text_number(out, size);
        }
    }
    if (!request->keep_alive || request->close)
        text_string(out, "\r\nconnection: close");
    text_string(out, "\r\n\r\n");
    if (has_body) {
        if (request->chunked && !request->is_http10)
            add_chunked(out, body.data, body.size);
        else if (body.size > 0)
            text_add(out, body.data, body.size);
        else
            add_filler(out, size);
    }
    free(body.data);

    uv_buf_t buf = uv_buf_init(out->data, (unsigned)out->size);
    int written = uv_try_write((uv_stream_t *)&connection->tcp, &buf, 1);
    if (written == UV_EAGAIN)
        written = 0;
    if (written < 0) {
        connection_close(connection);
        return;
    }
    if ((size_t)written == out->size) {
        request_done(connection);
        return;
    }
    buf = uv_buf_init(out->data + written, (unsigned)(out->size - (size_t)written));
    connection->write.data = connection;
    if (uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &buf, 1,
                 on_written) != 0)
        connection_close(connection);
}

static void on_latency(uv_timer_t *timer)
{
    struct connection *connection = timer->data;
    answer(connection);
    if (!connection->closing && !connection->answering)
        connection_run(connection);
}

static void request_ready(struct connection *connection)
{
    struct request *request = &connection->request;
    connection->in_body = false;
    connection->answering = true;
    if (request->hang)
        return; /* until the client goes away */
    if (request->latency_ms > 0) {
        uv_update_time(connection->timer.loop);
        uv_timer_start(&connection->timer, on_latency, request->latency_ms, 0);
        return;
    }
    answer(connection);
}

/* Serves what stands in connection->in, as far as it goes. */
static void connection_run(struct connection *connection)
{
    while (!connection->closing && !connection->answering) {
        struct text *in = &connection->in;
        if (!connection->in_body) {
            if (in->size == 0)
                return;
            char *end = memmem(in->data, in->size, "\r\n\r\n", 4);
            if (end == NULL) {
                if (in->size > HEAD_LIMIT)
                    connection_close(connection);
                return;
            }
            size_t size = (size_t)(end - in->data) + 4;
            bool wants_continue;
            connection->head.size = 0;
            text_add(&connection->head, in->data, size);
            text_drop(in, size);
            if (!read_head(&connection->request, &connection->head, &server.knobs,
                           &wants_continue)) {
                connection_close(connection);
                return;
            }
            connection->in_body = true;
            if (wants_continue && connection->request.body != BODY_NONE) {
                static char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
                uv_buf_t buf = uv_buf_init(go_on, sizeof go_on - 1);
                uv_try_write((uv_stream_t *)&connection->tcp, &buf, 1);
            }
        }
        if (connection->request.body != BODY_NONE) {
            size_t used =
                read_body(&connection->request, &connection->body, in->data, in->size);
            if (used == SIZE_MAX) {
                connection_close(connection);
                return;
            }
            text_drop(in, used);
            if (connection->request.body != BODY_NONE)
                return;
        }
        request_ready(connection);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle, (void)suggested;
    *buf = uv_buf_init(server.read_buffer, sizeof server.read_buffer);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct connection *connection = stream->data;
    if (size == 0 || connection->closing)
        return;
    if (size < 0) {
        /* A client that is done sending still gets the answer under way. */
        connection->at_end = true;
        if (size != UV_EOF || !connection->answering || connection->request.hang)
            connection_close(connection);
        return;
    }
    text_add(&connection->in, buf->base, (size_t)size);
    connection_run(connection);
}

static void on_connection(uv_stream_t *listener, int status)
{
    if (status != 0)
        return;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return;
    uv_tcp_init(listener->loop, &connection->tcp);
    uv_timer_init(listener->loop, &connection->timer);
    connection->tcp.data = connection->timer.data = connection;
    connection->handles_open = 2;
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp) != 0 ||
        uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read) != 0) {
        connection_close(connection);
        return;
    }
    uv_tcp_nodelay(&connection->tcp, 1);
}

/* ---- start and end ---- */

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

static int usage(void)
{
    fprintf(
        stderr,
        "usage: upstream --listen HOST:PORT [--name N] [--latency MS] [--error-rate 0..1]\n"
        "                [--hang-rate 0..1] [--size BYTES]\n"
        "per request: "
        "?latency=MS&status=N&size=N&hang=1&chunked=1&close=1&reset=1&echo=1\n");
    return 2;
}

/* "127.0.0.1:9001", "[::1]:9001", ":9001". */
static bool parse_listen(const char *text, struct sockaddr_storage *ret)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof host)
        return false;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    char *end;
    long port = strtol(colon + 1, &end, 10);
    if (*end != '\0' || end == colon + 1 || port < 0 || port > 65535)
        return false;
    size_t size = strlen(host);
    if (size > 1 && host[0] == '[' && host[size - 1] == ']') {
        host[size - 1] = '\0';
        return uv_ip6_addr(host + 1, (int)port, (struct sockaddr_in6 *)ret) == 0;
    }
    if (size == 0)
        return uv_ip4_addr("0.0.0.0", (int)port, (struct sockaddr_in *)ret) == 0;
    if (strcmp(host, "localhost") == 0)
        return uv_ip4_addr("127.0.0.1", (int)port, (struct sockaddr_in *)ret) == 0;
    return uv_ip4_addr(host, (int)port, (struct sockaddr_in *)ret) == 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"name", required_argument, NULL, 'n'},
        {"latency", required_argument, NULL, 't'},
        {"error-rate", required_argument, NULL, 'e'},
        {"hang-rate", required_argument, NULL, 'g'},
        {"size", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct sockaddr_storage address;
    const char *listen_on = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'l':
            listen_on = optarg;
            break;
        case 'n':
            server.name = optarg;
            break;
        case 't':
            server.knobs.latency_ms = strtoull(optarg, NULL, 10);
            break;
        case 'e':
            server.knobs.error_rate = strtod(optarg, NULL);
            break;
        case 'g':
            server.knobs.hang_rate = strtod(optarg, NULL);
            break;
        case 's':
            server.knobs.size = strtoull(optarg, NULL, 10);
            server.knobs.has_size = true;
            break;
        case 'h':
            usage();
            return 0;
        default:
            return usage();
        }
    }
    if (listen_on == NULL || optind < argc || strpbrk(server.name, "\r\n") != NULL ||
        server.knobs.size > ECHO_LIMIT)
        return usage();
    if (!parse_listen(listen_on, &address)) {
        fprintf(stderr, "upstream: '%s' is no address: numbers only, as 127.0.0.1:9001\n",
                listen_on);
        return 2;
    }
    memset(server.filler, 'x', sizeof server.filler);
    signal(SIGPIPE, SIG_IGN);
    srandom((unsigned)uv_hrtime());

    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    uv_signal_t terminate, interrupt;
    uv_tcp_init(loop, &listener);
    int rc = uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&listener, 1024, on_connection);
    if (rc != 0) {
        fprintf(stderr, "upstream: cannot listen on '%s': %s\n", listen_on,
                uv_strerror(rc));
        return 1;
    }
    struct sockaddr_storage bound;
    int size = sizeof bound;
    if (uv_tcp_getsockname(&listener, (struct sockaddr *)&bound, &size) == 0) {
        /* The port may have been 0. In both families it stands in the same place. */
        const struct sockaddr_in *ip4 = (const struct sockaddr_in *)&bound;
        printf("upstream %s listens on port %u\n", server.name,
               (unsigned)(ip4->sin_port >> 8 | (ip4->sin_port & 0xff) << 8));
        fflush(stdout);
    }
    uv_signal_init(loop, &terminate);
    uv_signal_init(loop, &interrupt);
    uv_signal_start(&terminate, on_signal, SIGTERM);
    uv_signal_start(&interrupt, on_signal, SIGINT);
    uv_run(loop, UV_RUN_DEFAULT);
    return 0; /* the kernel closes what is open */
}
