/* Large bodies both ways: all bytes, in order, and no more of them in memory than
 * the sockets' own buffers and one read. */
#include "cast.h"

static struct origin origin;
static struct gateway gateway;

static int set_up(void **state)
{
    static char yaml[2048];
    (void)state;
    origin_start(&origin, "one");
    snprintf(yaml, sizeof yaml,
             "apiVersion: gw/v1\nkind: Listener\nmetadata: {name: http}\n"
             "spec:\n  bind: \"127.0.0.1:8080\"\n  protocols: [http/1.1]\n"
             "  limits: {bodyBytes: 1GiB, writeStall: 2s, headerTimeout: 300ms, idle: "
             "300ms}\n---\n"
             "apiVersion: gw/v1\nkind: Service\nmetadata: {name: one}\n"
             "spec: {endpoints: [{name: one-1, address: \"127.0.0.1:%u\"}]}\n---\n"
             "apiVersion: gw/v1\nkind: Route\nmetadata: {name: all}\n"
             "spec: {match: {path: {prefix: /}}, service: one, timeout: 60s}\n",
             (unsigned)origin.port);
    gateway_start(&gateway, yaml);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gateway_stop(&gateway);
    origin_stop(&origin);
    return 0;
}

/* Bytes that tell their place. */
static void fill(char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (char)('a' + (i / 7 + i / 1009 + i) % 26);
}

static void *send_body(void *argument)
{
    struct {
        int fd;
        const char *data;
        size_t size;
        bool is_chunked;
    } *job = argument;
    if (!job->is_chunked) {
        write_all(job->fd, job->data, job->size);
        return NULL;
    }
    size_t chunk = 1;
    for (size_t at = 0; at < job->size;) {
        size_t part = chunk < job->size - at ? chunk : job->size - at;
        write_text(job->fd, "%zx\r\n", part);
        write_all(job->fd, job->data + at, part);
        write_text(job->fd, "\r\n");
        at += part;
        chunk = chunk * 3 % 50021 + 1;
    }
    write_text(job->fd, "0\r\n\r\n");
    return NULL;
}

static void echo(size_t size, bool is_chunked)
{
    struct visitor visitor;
    struct answer answer;
    pthread_t thread;
    char *data = malloc(size);
    fill(data, size);
    visitor_open(&visitor, gateway.port);
    if (is_chunked)
        write_text(visitor.fd,
                   "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    else
        write_text(visitor.fd,
                   "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", size);
    struct {
        int fd;
        const char *data;
        size_t size;
        bool is_chunked;
    } job = {visitor.fd, data, size, is_chunked};
    pthread_create(&thread, NULL, send_body, &job);
    visitor_read(&visitor, false, &answer);
    pthread_join(thread, NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body_size, size);
    assert_memory_equal(answer.body, data, size);
    answer_free(&answer);
    free(data);
    visitor_close(&visitor);
}

static void bodies_of_all_sizes_come_back_as_they_went(void **state)
{
    static const size_t sizes[] = {1,     4095,  4096,   16384,   65535,
                                   65536, 65537, 200000, 3000000, 15000000};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        echo(sizes[i], false);
        echo(sizes[i], true);
    }
}

static void many_small_chunks_arrive_in_order(void **state)
{
    struct visitor visitor;
    struct answer answer;
    static char all[200000];
    size_t size = 0;
    (void)state;
    visitor_open(&visitor, gateway.port);
    size += (size_t)snprintf(all, sizeof all,
                             "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                             "chunked\r\n\r\n");
    for (int i = 0; i < 20000; i++)
        size +=
            (size_t)snprintf(all + size, sizeof all - size, "1\r\n%c\r\n", 'a' + i % 26);
    size += (size_t)snprintf(all + size, sizeof all - size, "0\r\n\r\n");
    write_all(visitor.fd, all, size);
    visitor_read(&visitor, false, &answer);
    assert_int_equal(answer.body_size, 20000);
    for (int i = 0; i < 20000; i++)
        assert_int_equal(answer.body[i], 'a' + i % 26);
    answer_free(&answer);
    visitor_close(&visitor);
}

static void a_reader_that_stops_stops_the_upstream(void **state)
{
    struct visitor visitor;
    (void)state;
    origin.written = 0;
    origin.gone = false;
    visitor_open(&visitor, gateway.port);
    write_all(visitor.fd, GET("/endless"), strlen(GET("/endless")));
    /* Nothing is read: the socket buffers fill, and that is all that is taken. */
    eventually(origin.gone); /* by the write stall */
    assert_true(origin.written < 64u << 20);
    assert_true(origin.written > 0);
    visitor_close(&visitor);
    eventually(
        gateway_metric(&gateway,
                       "gw_http_errors_total{route=\"all\",reason=\"client_closed\"}") > 0);
}

static void a_slow_reader_gets_everything(void **state)
{
    struct visitor visitor;
    char piece[20000];
    size_t got = 0;
    (void)state;
    visitor_open(&visitor, gateway.port);
    write_all(visitor.fd, GET("/size/8000000"), strlen(GET("/size/8000000")));
    while (got < 8000000) {
        ssize_t size = TEMP_FAILURE_RETRY(recv(visitor.fd, piece, sizeof piece, 0));
        assert_true(size > 0);
        got += (size_t)size;
        if (got % 7 == 0)
            usleep(1000);
    }
    visitor_close(&visitor);
}

static void silence_in_a_head_or_between_requests_ends_the_connection(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    write_text(visitor.fd, "GET / HTTP/1.1\r\nHost: ");
    assert_true(visitor_is_closed(&visitor));
    visitor_close(&visitor);
    visitor_open(&visitor, gateway.port);
    write_all(visitor.fd, GET("/"), strlen(GET("/")));
    visitor_read(&visitor, false, &answer);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    assert_true(visitor_is_closed(&visitor));
    visitor_close(&visitor);
    visitor_open(&visitor, gateway.port);
    assert_true(visitor_is_closed(&visitor));
    visitor_close(&visitor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_of_all_sizes_come_back_as_they_went),
        cmocka_unit_test(many_small_chunks_arrive_in_order),
        cmocka_unit_test(a_reader_that_stops_stops_the_upstream),
        cmocka_unit_test(a_slow_reader_gets_everything),
        cmocka_unit_test(silence_in_a_head_or_between_requests_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
