/* Where a caller belongs, seen from outside: keys, cookies, sides of a split; and
 * how many requests may be under way. */
#include "cast.h"

static struct origin one, two;
static struct gateway gateway;

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

/* `service`: more fields of Service pair; `route`: of the Route, its service too. */
static const char *yaml_of(const char *service, const char *route)
{
    static char yaml[4096];
    snprintf(yaml, sizeof yaml,
             "apiVersion: gw/v1\nkind: Listener\nmetadata: {name: http}\n"
             "spec: {bind: \"127.0.0.1:8080\", protocols: [http/1.1]}\n---\n"
             "apiVersion: gw/v1\nkind: Service\nmetadata: {name: first}\n"
             "spec: {endpoints: [{name: a, address: \"127.0.0.1:%u\"}]}\n---\n"
             "apiVersion: gw/v1\nkind: Service\nmetadata: {name: second}\n"
             "spec: {endpoints: [{name: a, address: \"127.0.0.1:%u\"}]}\n---\n"
             "apiVersion: gw/v1\nkind: Service\nmetadata: {name: pair}\n"
             "spec:\n  endpoints:\n"
             "    - {name: first, address: \"127.0.0.1:%u\"}\n"
             "    - {name: second, address: \"127.0.0.1:%u\"}\n%s---\n"
             "apiVersion: gw/v1\nkind: Route\nmetadata: {name: all}\n"
             "spec:\n  match: {path: {prefix: /}}\n%s",
             (unsigned)one.port, (unsigned)two.port, (unsigned)one.port, (unsigned)two.port,
             service, route);
    return yaml;
}

/* Who answers a request with this header line ("" for none): 1 or 2. */
static int who_answers(const char *header, struct answer *answer)
{
    char request[512];
    snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: a\r\n%s%s\r\n", header,
             header[0] == '\0' ? "" : "\r\n");
    ask(gateway.port, request, answer);
    assert_int_equal(answer->status, 200);
    return strcmp(answer->body, "one") == 0 ? 1 : 2;
}

static int who(const char *header)
{
    struct answer answer;
    int number = who_answers(header, &answer);
    answer_free(&answer);
    return number;
}

static void a_key_in_a_header_or_cookie_finds_its_endpoint(void **state)
{
    (void)state;
    static const struct {
        const char *by, *line;
    } ways[] = {{"{by: header, name: x-user}", "X-User: u"},
                {"{by: cookie, name: user}", "Cookie: a=b; user=u"}};
    for (unsigned w = 0; w < 2; w++) {
        char service[128], line[64];
        int seen[3] = {0};
        snprintf(service, sizeof service, "  balance: hash\n  hash: %s\n", ways[w].by);
        gateway_start(&gateway, yaml_of(service, "  service: pair\n"));
        for (int user = 0; user < 16; user++) {
            snprintf(line, sizeof line, "%s%d", ways[w].line, user);
            int number = who(line);
            for (int i = 0; i < 3; i++)
                assert_int_equal(who(line), number);
            seen[number]++;
        }
        assert_true(seen[1] > 0 && seen[2] > 0);
        gateway_stop(&gateway);
    }
}

static void the_caller_s_address_finds_its_endpoint(void **state)
{
    (void)state;
    gateway_start(&gateway,
                  yaml_of("  balance: hash\n  hash: {by: source}\n", "  service: pair\n"));
    int number = who("");
    for (int i = 0; i < 10; i++)
        assert_int_equal(who(""), number);
    gateway_stop(&gateway);
}

static void a_sticky_cookie_brings_the_caller_back(void **state)
{
    struct answer answer;
    char line[128];
    (void)state;
    gateway_start(&gateway, yaml_of("  balance: round-robin\n"
                                    "  sticky: {cookie: gw, ttl: 2h, secure: false}\n",
                                    "  service: pair\n"));
    int number = who_answers("", &answer);
    const char *cookie = header_of(&answer, "set-cookie");
    assert_non_null(cookie);
    assert_non_null(strstr(cookie, "; Path=/; HttpOnly; Max-Age=7200"));
    assert_null(strstr(cookie, "Secure"));
    snprintf(line, sizeof line, "Cookie: %.*s", (int)strcspn(cookie, ";"), cookie);
    answer_free(&answer);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(who_answers(line, &answer), number);
        assert_null(header_of(&answer, "set-cookie"));
        answer_free(&answer);
    }
    /* One that names nobody is replaced. */
    who_answers("Cookie: gw=0123456789abcdef", &answer);
    assert_non_null(header_of(&answer, "set-cookie"));
    answer_free(&answer);
    gateway_stop(&gateway);
}

static void a_split_keeps_a_caller_on_its_side(void **state)
{
    struct answer answer;
    char line[64];
    int seen[3] = {0};
    (void)state;
    gateway_start(&gateway,
                  yaml_of("", "  split: [{service: first, weight: 1}, "
                              "{service: second, weight: 1}]\n  splitBy: cookie\n"));
    for (int caller = 0; caller < 24; caller++) {
        int number = who_answers("", &answer);
        const char *cookie = header_of(&answer, "set-cookie");
        assert_non_null(cookie);
        assert_memory_equal(cookie, "gw-split=", 9);
        snprintf(line, sizeof line, "Cookie: %.25s", cookie);
        answer_free(&answer);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(who_answers(line, &answer), number);
            assert_null(header_of(&answer, "set-cookie"));
            answer_free(&answer);
        }
        seen[number]++;
    }
    assert_true(seen[1] > 3 && seen[2] > 3);
    gateway_stop(&gateway);
}

static void a_split_by_address_has_one_side_for_one_address(void **state)
{
    (void)state;
    gateway_start(&gateway,
                  yaml_of("", "  split: [{service: first, weight: 1}, "
                              "{service: second, weight: 1}]\n  splitBy: client-ip\n"));
    int number = who("");
    for (int i = 0; i < 10; i++)
        assert_int_equal(who(""), number);
    gateway_stop(&gateway);
}

static void who_is_named_goes_to_the_canary(void **state)
{
    (void)state;
    gateway_start(&gateway,
                  yaml_of("", "  split:\n    - {service: first, weight: 1}\n"
                              "    - {service: second, weight: 0, when: {header: "
                              "x-canary}}\n"
                              "    - {service: second, weight: 0, when: {cookie: ring, "
                              "exact: beta}}\n"));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(who(""), 1);
        assert_int_equal(who("X-Canary: 1"), 2);
        assert_int_equal(who("Cookie: ring=beta"), 2);
        assert_int_equal(who("Cookie: ring=stable"), 1);
    }
    gateway_stop(&gateway);
}

/* ---- bulkheads ---- */

static void send_get(struct visitor *visitor, const char *path)
{
    visitor_open(visitor, gateway.port);
    write_text(visitor->fd, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
}

static int read_status(struct visitor *visitor, const char **ret_reason)
{
    static char reason[64];
    struct answer answer;
    visitor_read(visitor, false, &answer);
    const char *word = header_of(&answer, "gw-reason");
    snprintf(reason, sizeof reason, "%s", word == NULL ? "" : word);
    if (ret_reason != NULL)
        *ret_reason = reason;
    answer_free(&answer);
    visitor_close(visitor);
    return answer.status;
}

static void check_bulkhead(const char *service, const char *route)
{
    struct visitor first, second;
    const char *reason;
    gateway_start(&gateway, yaml_of(service, route));
    unsigned before = one.requests + two.requests;

    /* One place, one that waits, and no more. */
    send_get(&first, "/slow/300");
    eventually(one.requests + two.requests == before + 1);
    send_get(&second, "/");
    struct visitor third;
    eventually((send_get(&third, "/"), read_status(&third, &reason) == 503));
    assert_string_equal(reason, "bulkhead_full");
    assert_int_equal(read_status(&first, NULL), 200);
    assert_int_equal(read_status(&second, NULL), 200);

    /* Who waits too long is told so; who goes away makes room. */
    send_get(&first, "/slow/4000");
    eventually(one.requests + two.requests == before + 3);
    send_get(&second, "/");
    eventually((send_get(&third, "/"), read_status(&third, &reason) == 503));
    assert_int_equal(read_status(&second, &reason), 504);
    assert_string_equal(reason, "queue_timeout");
    send_get(&second, "/");
    reset_connection(first.fd); /* a mere end of sending would leave it there */
    visitor_close(&first);
    assert_int_equal(read_status(&second, NULL), 200);
    gateway_stop(&gateway);
}

static void a_service_has_so_many_requests_at_once(void **state)
{
    (void)state;
    check_bulkhead("  bulkhead: {inFlight: 1, queue: 1, wait: 1500ms}\n",
                   "  service: pair\n");
}

static void a_route_has_so_many_requests_at_once(void **state)
{
    (void)state;
    check_bulkhead("", "  service: pair\n"
                       "  bulkhead: {inFlight: 1, queue: 1, wait: 1500ms}\n");
}

static void a_tunnel_is_sticky_and_takes_no_place(void **state)
{
    struct visitor tunnel;
    struct answer answer;
    (void)state;
    gateway_start(&gateway, yaml_of("  bulkhead: {inFlight: 1, queue: 0}\n"
                                    "  sticky: {cookie: gw}\n",
                                    "  service: pair\n"));
    visitor_open(&tunnel, gateway.port);
    write_text(tunnel.fd, "GET /tunnel/echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
                          "Upgrade: websocket\r\n\r\n");
    visitor_read(&tunnel, false, &answer);
    assert_int_equal(answer.status, 101);
    assert_non_null(header_of(&answer, "set-cookie"));
    answer_free(&answer);
    assert_int_equal(ask_status(gateway.port, GET("/")), 200);
    visitor_close(&tunnel);
    gateway_stop(&gateway);
}

static void an_endpoint_without_a_connection_left_is_passed_over(void **state)
{
    struct visitor first, second, third;
    const char *reason;
    (void)state;
    gateway_start(&gateway, yaml_of("  pool: {connections: 1}\n", "  service: pair\n"));
    unsigned before = one.requests + two.requests;
    send_get(&first, "/slow/1000");
    send_get(&second, "/slow/1000");
    eventually(one.requests + two.requests == before + 2);
    send_get(&third, "/");
    assert_int_equal(read_status(&third, &reason), 503);
    assert_string_equal(reason, "overloaded");
    assert_int_equal(read_status(&first, NULL), 200);
    assert_int_equal(read_status(&second, NULL), 200);
    gateway_stop(&gateway);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_in_a_header_or_cookie_finds_its_endpoint),
        cmocka_unit_test(the_caller_s_address_finds_its_endpoint),
        cmocka_unit_test(a_sticky_cookie_brings_the_caller_back),
        cmocka_unit_test(a_split_keeps_a_caller_on_its_side),
        cmocka_unit_test(a_split_by_address_has_one_side_for_one_address),
        cmocka_unit_test(who_is_named_goes_to_the_canary),
        cmocka_unit_test(a_service_has_so_many_requests_at_once),
        cmocka_unit_test(a_route_has_so_many_requests_at_once),
        cmocka_unit_test(a_tunnel_is_sticky_and_takes_no_place),
        cmocka_unit_test(an_endpoint_without_a_connection_left_is_passed_over),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
