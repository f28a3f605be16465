/* Upgrades: what becomes a tunnel and what does not, both ways, with back-pressure,
 * ends on either side, and silence. */
#include "cast.h"

static struct origin origin;
static struct gateway gateway;

static int set_up(void **state)
{
    static char yaml[4096];
    (void)state;
    origin_start(&origin, "one");
    snprintf(yaml, sizeof yaml,
             "apiVersion: gw/v1\nkind: Listener\nmetadata: {name: http}\n"
             "spec: {bind: \"127.0.0.1:8080\", protocols: [http/1.1]}\n---\n"
             "apiVersion: gw/v1\nkind: Service\nmetadata: {name: one}\n"
             "spec: {endpoints: [{name: one-1, address: \"127.0.0.1:%u\"}]}\n---\n"
             "apiVersion: gw/v1\nkind: Route\nmetadata: {name: all}\n"
             "spec: {match: {path: {prefix: /}}, service: one, timeout: 400ms}\n---\n"
             "apiVersion: gw/v1\nkind: Route\nmetadata: {name: chat}\n"
             "spec: {match: {hosts: [chat.example]}, service: one, upgrades: [chat], "
             "idle: 300ms}\n---\n"
             "apiVersion: gw/v1\nkind: Route\nmetadata: {name: none}\n"
             "spec: {match: {hosts: [none.example]}, service: one, upgrades: []}\n",
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

#define UPGRADE(path, host, protocol)                                    \
    "GET " path " HTTP/1.1\r\nHost: " host "\r\nConnection: Upgrade\r\n" \
    "Upgrade: " protocol "\r\n\r\n"

static void open_tunnel(struct visitor *visitor, const char *request)
{
    struct answer answer;
    visitor_open(visitor, gateway.port);
    write_all(visitor->fd, request, strlen(request));
    visitor_read(visitor, false, &answer);
    assert_int_equal(answer.status, 101);
    assert_string_equal(header_of(&answer, "connection"), "upgrade");
    assert_non_null(header_of(&answer, "upgrade"));
    assert_non_null(header_of(&answer, "x-request-id"));
    assert_null(header_of(&answer, "content-length"));
    answer_free(&answer);
}

static void expect_bytes(struct visitor *visitor, const char *text)
{
    size_t size = strlen(text);
    while (visitor->size < size)
        assert_true(visitor_fill(visitor));
    assert_memory_equal(visitor->buffer, text, size);
    visitor_drop(visitor, size);
}

static void bytes_go_both_ways_until_both_sides_ended(void **state)
{
    struct visitor visitor;
    (void)state;
    open_tunnel(&visitor, UPGRADE("/tunnel/echo", "a.example", "websocket"));
    expect_bytes(&visitor, "hello"); /* said right behind the 101 */
    write_text(visitor.fd, "one");
    expect_bytes(&visitor, "one");
    eventually(gateway_metric(&gateway, "gw_tunnels_active{route=\"all\"}") == 1);
    usleep(500000); /* longer than the route's timeout: a tunnel has none */
    write_text(visitor.fd, "two");
    expect_bytes(&visitor, "two");
    shutdown(visitor.fd, SHUT_WR);
    expect_bytes(&visitor, "bye"); /* the origin saw the end, and still speaks */
    assert_true(visitor_is_closed(&visitor));
    visitor_close(&visitor);
    eventually(gateway_metric(&gateway, "gw_tunnels_active{route=\"all\"}") == 0);
    assert_true(gateway_metric(
                    &gateway,
                    "gw_http_requests_total{route=\"all\",method=\"GET\",code=\"101\"}") >=
                1);
}

static void bytes_sent_ahead_wait_for_the_101(void **state)
{
    struct visitor visitor;
    (void)state;
    open_tunnel(&visitor, UPGRADE("/tunnel/echo", "a.example", "websocket") "ahead");
    expect_bytes(&visitor, "hello");
    expect_bytes(&visitor, "ahead");
    visitor_close(&visitor);
}

static void megabytes_pass_while_either_side_is_slow(void **state)
{
    struct visitor visitor;
    static char data[1 << 20];
    size_t got = 0;
    (void)state;
    open_tunnel(&visitor, UPGRADE("/tunnel/echo", "a.example", "websocket"));
    expect_bytes(&visitor, "hello");
    /* Nothing is read here for a while, so the echo stops, and then this side. */
    fcntl(visitor.fd, F_SETFL, O_NONBLOCK);
    memset(data, 'y', sizeof data);
    size_t sent = 0;
    uint64_t stuck_ms = instant_monotonic_ms();
    while (instant_monotonic_ms() - stuck_ms < 200) {
        ssize_t n = send(visitor.fd, data, sizeof data, MSG_NOSIGNAL);
        if (n > 0) {
            sent += (size_t)n;
            stuck_ms = instant_monotonic_ms();
        }
    }
    assert_true(sent > 0 && sent < (size_t)64 << 20); /* the sockets' buffers, no more */
    fcntl(visitor.fd, F_SETFL, 0);
    while (got < sent) {
        ssize_t n = recv(visitor.fd, data, sizeof data, 0);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++)
            assert_true(data[i] == 'y');
        got += (size_t)n;
    }
    visitor_close(&visitor);
}

static void an_upstream_that_ends_first_is_passed_on(void **state)
{
    struct visitor visitor;
    (void)state;
    open_tunnel(&visitor, UPGRADE("/tunnel/end", "a.example", "websocket"));
    expect_bytes(&visitor, "hello");
    assert_true(visitor_is_closed(&visitor));
    visitor_close(&visitor);
    eventually(gateway_metric(&gateway, "gw_tunnels_active{route=\"all\"}") == 0);
}

static void silence_ends_a_tunnel(void **state)
{
    struct visitor visitor;
    (void)state;
    open_tunnel(&visitor, UPGRADE("/tunnel/echo", "chat.example", "chat/2"));
    expect_bytes(&visitor, "hello");
    for (int i = 0; i < 3; i++) { /* what speaks is not silent */
        usleep(150000);
        write_text(visitor.fd, "x");
        expect_bytes(&visitor, "x");
    }
    uint64_t begun_ms = instant_monotonic_ms();
    assert_true(visitor_is_closed(&visitor));
    uint64_t took_ms = instant_monotonic_ms() - begun_ms;
    assert_true(took_ms >= 250 && took_ms < 5000);
    visitor_close(&visitor);
}

static void what_the_route_does_not_name_is_an_ordinary_request(void **state)
{
    static const char *const requests[] = {
        UPGRADE("/tunnel/echo", "none.example", "websocket"),
        UPGRADE("/tunnel/echo", "chat.example", "websocket"),
        UPGRADE("/tunnel/echo", "a.example", "h2c"),
        UPGRADE("/tunnel/echo", "a.example", "web socket"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct visitor visitor;
        struct answer answer;
        visitor_open(&visitor, gateway.port);
        write_all(visitor.fd, requests[i], strlen(requests[i]));
        visitor_read(&visitor, false, &answer);
        assert_int_equal(answer.status, 426);
        answer_free(&answer);
        write_text(visitor.fd, GET("/size/3")); /* still HTTP */
        visitor_read(&visitor, false, &answer);
        assert_int_equal(answer.status, 200);
        answer_free(&answer);
        visitor_close(&visitor);
    }
}

static void a_101_that_nobody_asked_for_is_invalid(void **state)
{
    struct answer answer;
    (void)state;
    ask(gateway.port, GET("/tunnel/unasked"), &answer);
    assert_int_equal(answer.status, 502);
    answer_free(&answer);
    ask(gateway.port, UPGRADE("/tunnel/other", "a.example", "websocket"), &answer);
    assert_int_equal(answer.status, 502);
    assert_string_equal(header_of(&answer, "gw-reason"), "upstream_invalid");
    answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_both_ways_until_both_sides_ended),
        cmocka_unit_test(bytes_sent_ahead_wait_for_the_101),
        cmocka_unit_test(megabytes_pass_while_either_side_is_slow),
        cmocka_unit_test(an_upstream_that_ends_first_is_passed_on),
        cmocka_unit_test(silence_ends_a_tunnel),
        cmocka_unit_test(what_the_route_does_not_name_is_an_ordinary_request),
        cmocka_unit_test(a_101_that_nobody_asked_for_is_invalid),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
