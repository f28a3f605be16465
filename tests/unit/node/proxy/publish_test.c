/* Publishing under load, Listeners that come and go, draining, and memory: what
 * changes about a worker while it serves. */
#include "cast.h"
#include "node/observe/access_log.h"

static struct origin one, two;
static struct gateway gateway;

/* Counts what the process takes from the heap while `is_counting`. */
static _Atomic bool is_counting;
static _Atomic unsigned allocations;

#if !IS_SANITIZED
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    if (is_counting)
        allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    if (is_counting)
        allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    if (is_counting)
        allocations++;
    return __libc_realloc(memory, size);
}
#endif

static int set_up(void **state)
{
    (void)state;
    origin_start(&one, "one");
    origin_start(&two, "two");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    origin_stop(&one);
    origin_stop(&two);
    return 0;
}

struct load {
    uint16_t port;
    pthread_t thread;
    _Atomic bool stop;
    _Atomic unsigned good, bad, ones, twos;
};

static void *load_run(void *argument)
{
    struct load *load = argument;
    struct visitor visitor;
    visitor_open(&visitor, load->port);
    while (!load->stop) {
        struct answer answer;
        write_all(visitor.fd, GET("/"), strlen(GET("/")));
        visitor_read(&visitor, false, &answer);
        if (answer.status == 200)
            load->good++;
        else
            load->bad++;
        load->ones += strcmp(answer.body, "one") == 0;
        load->twos += strcmp(answer.body, "two") == 0;
        answer_free(&answer);
        if (answer.status == 0)
            break;
    }
    visitor_close(&visitor);
    return NULL;
}

/* Every client has met both, and something went wrong or enough went well. */
static bool saw_enough(struct load *loads, int count)
{
    unsigned good = 0;
    bool is_over = true;

    for (int i = 0; i < count; i++) {
        if (loads[i].bad > 0)
            return true;
        is_over &= loads[i].ones > 0 && loads[i].twos > 0;
        good += loads[i].good;
    }
    return is_over && good > 100;
}

static void a_publish_under_load_fails_no_request(void **state)
{
    enum { LOADS = 4, PATIENCE = 20000 }; /* publishes, of 3 ms and more each */
    struct load loads[LOADS];
    uint64_t revision;
    (void)state;
    gateway_start(&gateway, plain_yaml(one.port));
    for (int i = 0; i < LOADS; i++) {
        loads[i] = (struct load){.port = gateway.port};
        pthread_create(&loads[i].thread, NULL, load_run, &loads[i]);
    }
    for (revision = 2; revision < 60 || !saw_enough(loads, LOADS); revision++) {
        assert_true(revision < PATIENCE);
        gateway_publish(&gateway, plain_yaml(revision % 2 == 0 ? two.port : one.port),
                        revision);
        usleep(3000);
    }
    unsigned good = 0;
    for (int i = 0; i < LOADS; i++) {
        loads[i].stop = true;
        pthread_join(loads[i].thread, NULL);
        assert_int_equal(loads[i].bad, 0);
        assert_true(loads[i].ones > 0 && loads[i].twos > 0);
        good += loads[i].good;
    }
    assert_true(good > 100);
    gateway_stop(&gateway);
}

static void an_older_revision_is_not_gone_back_to(void **state)
{
    struct answer answer;
    (void)state;
    gateway_start(&gateway, plain_yaml(one.port));
    gateway_publish(&gateway, plain_yaml(two.port), 5);
    worker_publish(gateway.worker, gateway_compile(&gateway, plain_yaml(one.port), 3), NULL,
                   0);
    gateway_publish(&gateway, plain_yaml(two.port), 6);
    ask(gateway.port, GET("/"), &answer);
    assert_string_equal(answer.body, "two");
    answer_free(&answer);
    gateway_stop(&gateway);
}

static void a_listener_that_goes_away_serves_what_it_has_taken(void **state)
{
    struct visitor kept, slow;
    struct answer answer;
    char renamed[2048];
    struct error err;
    (void)state;
    gateway_start(&gateway, plain_yaml(one.port));
    visitor_open(&kept, gateway.port);
    write_all(kept.fd, GET("/"), strlen(GET("/")));
    visitor_read(&kept, false, &answer);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    visitor_open(&slow, gateway.port);
    unsigned before = one.requests;
    write_all(slow.fd, GET("/slow/200"), strlen(GET("/slow/200")));
    eventually(one.requests > before);

    /* The Listener is called otherwise now, and has a socket of its own. */
    snprintf(renamed, sizeof renamed, "%s", plain_yaml(one.port));
    memcpy(strstr(renamed, "{name: http}"), "{name: web} ", 12);
    struct worker_socket socket = {.listener = "web"};
    assert_int_equal(listener_open_fd(SLICE("127.0.0.1:0"), &socket.fd, &err), GW_OK);
    uint16_t port = port_of(socket.fd);
    worker_publish(gateway.worker, gateway_compile(&gateway, renamed, 2), &socket, 1);
    gateway_wait_serves(&gateway, 2);

    visitor_read(&slow, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(header_of(&answer, "connection"), "close");
    answer_free(&answer);
    visitor_close(&slow);
    write_all(kept.fd, GET("/"), strlen(GET("/")));
    visitor_read(&kept, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(header_of(&answer, "connection"), "close");
    answer_free(&answer);
    assert_true(visitor_is_closed(&kept));
    visitor_close(&kept);
    eventually(dial(gateway.port) < 0);
    assert_int_equal(ask_status(port, GET("/")), 200);
    gateway_stop(&gateway);
}

static void draining_says_close_and_ends_when_the_last_client_is_gone(void **state)
{
    struct visitor idle, busy;
    struct answer answer;
    (void)state;
    gateway_start(&gateway, plain_yaml(one.port));
    visitor_open(&idle, gateway.port);
    write_all(idle.fd, GET("/"), strlen(GET("/")));
    visitor_read(&idle, false, &answer);
    answer_free(&answer);
    visitor_open(&busy, gateway.port);
    unsigned before = one.requests;
    write_all(busy.fd, GET("/slow/400"), strlen(GET("/slow/400")));
    eventually(one.requests > before);
    worker_drain(gateway.worker, 100, 10000);
    /* Accepting goes on for the delay, or is over: either way nothing breaks. */
    assert_true(visitor_is_closed(&idle));
    visitor_close(&idle);
    assert_false(gateway.drained);
    visitor_read(&busy, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(header_of(&answer, "connection"), "close");
    answer_free(&answer);
    visitor_close(&busy);
    uint64_t until_ms = instant_monotonic_ms() + 1000u * WAIT_S;
    while (!gateway.drained && instant_monotonic_ms() < until_ms) {
        uv_run(&gateway.loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    assert_true(gateway.drained);
    assert_true(dial(gateway.port) < 0);
    gateway_stop(&gateway);
}

static void a_stop_in_the_middle_of_everything_leaves_nothing(void **state)
{
    struct visitor visitors[8];
    static const char three[] = GET("/size/3") GET("/hang") GET("/size/3");
    static const char *const requests[8] = {
        GET("/hang"),
        GET("/endless"),
        "GET / HT",
        "",
        GET("/"),
        GET("/slow/50"),
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc",
        three};
    (void)state;
    gateway_start(&gateway, plain_yaml(one.port));
    unsigned before = one.requests;
    for (int i = 0; i < 8; i++) {
        visitor_open(&visitors[i], gateway.port);
        write_all(visitors[i].fd, requests[i], strlen(requests[i]));
    }
    eventually(one.requests >= before + 5);
    gateway_stop(&gateway);
    for (int i = 0; i < 8; i++)
        visitor_close(&visitors[i]);
}

static void a_warm_worker_allocates_nothing_per_request(void **state)
{
    static const char *const requests[] = {
        "GET /size/1000 HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n",
        "POST /count HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\n0123456789",
        "GET /nowhere HTTP/1.1\r\nHost: a.example\r\nX: %2e\r\n\r\n",
    };
    static const char static_answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct error err;
    char buffer[8192];
    int listen_fd;
    (void)state;
    if (IS_SANITIZED) {
        skip();
        return;
    }
    /* An origin and a client on this thread, with no heap of their own. */
    assert_int_equal(listener_open_fd(SLICE("127.0.0.1:0"), &listen_fd, &err), GW_OK);
    fcntl(listen_fd, F_SETFL, 0);
    assert_int_equal(access_log_open(1, &gateway_access_log, &err), GW_OK);
    access_log_target(gateway_access_log, SLICE("/dev/null")); /* the lines count, too */
    gateway_start(&gateway, plain_yaml(port_of(listen_fd)));
    int client = dial(gateway.port);
    int upstream = -1;
    for (int round = 0; round < 400; round++) {
        if (round == 100)
            is_counting = true;
        const char *request = requests[round % 3];
        write_all(client, request, strlen(request));
        if (upstream < 0)
            upstream = TEMP_FAILURE_RETRY(accept(listen_fd, NULL, NULL));
        ssize_t size = 0, got;
        bool wants_body = round % 3 == 1;
        while (size < 4 ||
               (wants_body ? memmem(buffer, (size_t)size, "0123456789", 10)
                           : memmem(buffer, (size_t)size, "\r\n\r\n", 4)) == NULL) {
            got = TEMP_FAILURE_RETRY(
                read(upstream, buffer + size, sizeof buffer - (size_t)size));
            if (got <= 0)
                break;
            size += got;
        }
        write_all(upstream, static_answer, sizeof static_answer - 1);
        size = 0;
        while (size < 4 || memcmp(buffer + size - 2, "ok", 2) != 0) {
            got = TEMP_FAILURE_RETRY(
                read(client, buffer + size, sizeof buffer - (size_t)size));
            if (got <= 0)
                break;
            size += got;
        }
        if (size < 12 || memcmp(buffer, "HTTP/1.1 200", 12) != 0) {
            is_counting = false;
            fail_msg("round %d: %.*s", round, (int)size, buffer);
        }
    }
    is_counting = false;
    assert_int_equal(allocations, 0);
    assert_true(gateway_metric(&gateway, "gw_access_log_lines_total") >= 399);
    close(client);
    gateway_stop(&gateway);
    access_log_close(gateway_access_log);
    gateway_access_log = NULL;
    close(upstream);
    close(listen_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_publish_under_load_fails_no_request),
        cmocka_unit_test(an_older_revision_is_not_gone_back_to),
        cmocka_unit_test(a_listener_that_goes_away_serves_what_it_has_taken),
        cmocka_unit_test(draining_says_close_and_ends_when_the_last_client_is_gone),
        cmocka_unit_test(a_stop_in_the_middle_of_everything_leaves_nothing),
        cmocka_unit_test(a_warm_worker_allocates_nothing_per_request),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
