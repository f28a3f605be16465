/* Requests and their answers through a worker: framing, order, forwarding,
 * refusals. */
#include "cast.h"

static struct origin origin;
static struct gateway gateway;

static int set_up(void **state)
{
    static char yaml[8192];
    (void)state;
    origin_start(&origin, "one");
    snprintf(
        yaml, sizeof yaml,
        "apiVersion: gw/v1\nkind: Listener\nmetadata: {name: http}\n"
        "spec:\n  bind: \"127.0.0.1:8080\"\n  protocols: [http/1.1]\n"
        "  limits: {bodyBytes: 1MiB, headerBytes: 8KiB, targetBytes: 1KiB, "
        "headerCount: 20, connections: 50}\n---\n"
        "apiVersion: gw/v1\nkind: Service\nmetadata: {name: one}\n"
        "spec: {endpoints: [{name: one-1, address: \"127.0.0.1:%u\"}]}\n---\n"
        "apiVersion: gw/v1\nkind: Service\nmetadata: {name: empty}\n"
        "spec: {endpoints: [{name: none, address: \"127.0.0.1:%u\", weight: 0}]}\n---\n"
        "apiVersion: gw/v1\nkind: Route\nmetadata: {name: all}\n"
        "spec: {match: {hosts: [a.example], path: {prefix: /}}, service: one}\n---\n"
        "apiVersion: gw/v1\nkind: Route\nmetadata: {name: gone}\n"
        "spec: {match: {hosts: [empty.example]}, service: empty}\n---\n"
        "apiVersion: gw/v1\nkind: Route\nmetadata: {name: say}\n"
        "spec: {match: {hosts: [say.example], path: {exact: /hello}, methods: [GET, "
        "POST]}, respond: {status: 201, headers: {x-said: \"${path}\"}, body: {inline: "
        "hi}}}\n---\n"
        "apiVersion: gw/v1\nkind: Route\nmetadata: {name: go}\n"
        "spec: {match: {hosts: [go.example]}, redirect: {scheme: https, status: "
        "302}}\n---\n"
        "apiVersion: gw/v1\nkind: Route\nmetadata: {name: change}\n"
        "spec:\n  match: {hosts: [change.example], path: {prefix: /api}}\n"
        "  service: one\n  rewrite: {prefix: /head, host: inner.example}\n"
        "  headers:\n    request: {set: {x-set: \"${client.ip}\"}, add: {x-add: b}, "
        "remove: [x-gone]}\n"
        "    response: {set: {x-served-by: \"${node}\", x-upstream: hidden}, remove: "
        "[x-hop]}\n",
        (unsigned)origin.port, (unsigned)origin.port);
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

static void a_request_is_relayed_with_its_answer(void **state)
{
    struct answer answer;
    (void)state;
    ask(gateway.port, GET("/hello?a=1"), &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "one");
    assert_string_equal(header_of(&answer, "x-upstream"), "one");
    assert_non_null(header_of(&answer, "date"));
    assert_memory_equal(header_of(&answer, "x-request-id"), "eu-1-", 5);
    assert_null(header_of(&answer, "x-hop"));
    answer_free(&answer);
}

static void the_upstream_sees_who_asked_and_no_hop_by_hop_headers(void **state)
{
    struct answer answer;
    (void)state;
    ask(gateway.port,
        "GET /head/a%2D//b/../c?x=%41 HTTP/1.1\r\nHost: A.example\r\nConnection: "
        "keep-alive, "
        "X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\n"
        "X-Forwarded-For: 6.6.6.6\r\nX_Forwarded_Proto: https\r\nX-Request-Id: mine\r\n"
        "Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nProxy-Connection: x\r\n"
        "X-Kept: yes\r\n\r\n",
        &answer);
    assert_int_equal(answer.status, 200);
    assert_memory_equal(answer.body, "GET /head/a-/c?x=%41 HTTP/1.1\r\n", 31);
    assert_non_null(strstr(answer.body, "\r\nhost: A.example\r\n"));
    assert_non_null(strstr(answer.body, "\r\nx-forwarded-for: 127.0.0.1\r\n"));
    assert_non_null(strstr(answer.body, "\r\nx-forwarded-proto: http\r\n"));
    assert_non_null(strstr(answer.body, "\r\nx-forwarded-host: A.example\r\n"));
    assert_non_null(strstr(answer.body, "\r\nX-Kept: yes\r\n"));
    assert_non_null(strstr(answer.body, "\r\nx-request-id: eu-1-"));
    assert_null(strcasestr(answer.body, "6.6.6.6"));
    assert_null(strcasestr(answer.body, "private"));
    assert_null(strcasestr(answer.body, "keep-alive"));
    assert_null(strcasestr(answer.body, "\r\nte:"));
    assert_null(strcasestr(answer.body, "x_forwarded"));
    assert_null(strcasestr(answer.body, "mine"));
    answer_free(&answer);
}

static void rewrite_and_header_changes_are_made(void **state)
{
    struct answer answer;
    (void)state;
    ask(gateway.port,
        "GET /api/x?q HTTP/1.1\r\nHost: change.example\r\nX-Set: a\r\nX-Add: a\r\n"
        "X-Gone: a\r\n\r\n",
        &answer);
    assert_int_equal(answer.status, 200);
    assert_ptr_equal(
        strstr(answer.body, "GET /head/x?q HTTP/1.1\r\nhost: inner.example\r\n"),
        answer.body);
    assert_non_null(strstr(answer.body, "\r\nx-set: 127.0.0.1\r\n"));
    assert_non_null(strstr(answer.body, "\r\nX-Add: a\r\n"));
    assert_non_null(strstr(answer.body, "\r\nx-add: b\r\n"));
    assert_null(strcasestr(answer.body, "x-gone"));
    assert_string_equal(header_of(&answer, "x-served-by"), "eu-1");
    assert_string_equal(header_of(&answer, "x-upstream"), "hidden");
    answer_free(&answer);
}

static void a_connection_is_kept_and_used_again(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    write_all(visitor.fd, GET("/a"), strlen(GET("/a")));
    visitor_read(&visitor, false, &answer);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    unsigned before = origin.connections;
    for (int i = 0; i < 20; i++) {
        write_all(visitor.fd, GET("/a"), strlen(GET("/a")));
        visitor_read(&visitor, false, &answer);
        assert_int_equal(answer.status, 200);
        assert_null(header_of(&answer, "connection"));
        answer_free(&answer);
    }
    assert_int_equal(origin.connections, before);
    visitor_close(&visitor);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct visitor visitor;
    struct answer answer;
    static char burst[40000];
    size_t size = 0;
    (void)state;
    for (int i = 1; i <= 300; i++)
        size += (size_t)snprintf(burst + size, sizeof burst - size,
                                 "%s /%s/%d HTTP/1.1\r\nHost: a.example\r\n\r\n",
                                 i % 10 == 0 ? "HEAD" : "GET",
                                 i % 3 == 0 ? "chunks" : "size", i);
    visitor_open(&visitor, gateway.port);
    write_all(visitor.fd, burst, size);
    for (int i = 1; i <= 300; i++) {
        visitor_read(&visitor, i % 10 == 0, &answer);
        assert_int_equal(answer.status, 200);
        assert_int_equal(answer.body_size, i % 10 == 0 ? 0 : i);
        answer_free(&answer);
    }
    visitor_close(&visitor);
}

static void a_request_that_drips_in_is_answered(void **state)
{
    struct visitor visitor;
    struct answer answer;
    const char *request = "POST /echo HTTP/1.1\r\nHost: a.example\r\nContent-Length: "
                          "5\r\n\r\nhelloGET /size/3 HTTP/1.1\r\nHost: a.example\r\n\r\n";
    (void)state;
    visitor_open(&visitor, gateway.port);
    for (const char *at = request; *at != '\0'; at++) {
        write_all(visitor.fd, at, 1);
        if (at - request < 200)
            usleep(200); /* so that pieces arrive apart; nothing depends on it */
    }
    visitor_read(&visitor, false, &answer);
    assert_string_equal(answer.body, "hello");
    answer_free(&answer);
    visitor_read(&visitor, false, &answer);
    assert_string_equal(answer.body, "xxx");
    answer_free(&answer);
    visitor_close(&visitor);
}

static void bodies_of_both_framings_pass(void **state)
{
    struct answer answer;
    (void)state;
    ask(gateway.port,
        "POST /echo HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n",
        &answer);
    assert_string_equal(answer.body, "abcde");
    answer_free(&answer);
    ask(gateway.port, "PUT /head HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n",
        &answer);
    assert_non_null(strstr(answer.body, "\r\ncontent-length: 0\r\n"));
    answer_free(&answer);
    ask(gateway.port, GET("/chunks/100000"), &answer);
    assert_int_equal(answer.body_size, 100000);
    assert_non_null(header_of(&answer, "transfer-encoding"));
    assert_null(header_of(&answer, "x-trailer"));
    answer_free(&answer);
    ask(gateway.port, GET("/close/70000"), &answer);
    assert_int_equal(answer.body_size, 70000);
    assert_non_null(header_of(&answer, "transfer-encoding"));
    answer_free(&answer);
    ask(gateway.port, GET("/drip"), &answer);
    assert_string_equal(answer.body, "drip");
    answer_free(&answer);
}

static void a_1_0_client_gets_its_body_ended_by_the_close(void **state)
{
    struct answer answer;
    (void)state;
    ask(gateway.port, "GET /chunks/5000 HTTP/1.0\r\nHost: a.example\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    assert_null(header_of(&answer, "transfer-encoding"));
    assert_string_equal(header_of(&answer, "connection"), "close");
    assert_int_equal(answer.body_size, 5000);
    answer_free(&answer);
    ask(gateway.port,
        "GET /size/10 HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n",
        &answer);
    assert_string_equal(header_of(&answer, "connection"), "keep-alive");
    answer_free(&answer);
}

static void head_and_bodiless_statuses_keep_the_connection_in_step(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    write_text(visitor.fd,
               "HEAD /size/77 HTTP/1.1\r\nHost: a.example\r\n\r\n"
               "GET /status/204 HTTP/1.1\r\nHost: a.example\r\n\r\n"
               "GET /status/304 HTTP/1.1\r\nHost: a.example\r\n\r\n"
               "GET /size/2 HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    visitor_read(&visitor, true, &answer);
    assert_string_equal(header_of(&answer, "content-length"), "77");
    answer_free(&answer);
    visitor_read(&visitor, false, &answer);
    assert_int_equal(answer.status, 204);
    assert_null(header_of(&answer, "content-length"));
    answer_free(&answer);
    visitor_read(&visitor, false, &answer);
    assert_int_equal(answer.status, 304);
    answer_free(&answer);
    visitor_read(&visitor, false, &answer);
    assert_string_equal(answer.body, "xx");
    assert_string_equal(header_of(&answer, "connection"), "close");
    answer_free(&answer);
    assert_true(visitor_is_closed(&visitor));
    visitor_close(&visitor);
}

static void expect_is_answered_before_the_body(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    write_text(visitor.fd, "POST /echo HTTP/1.1\r\nHost: a.example\r\nContent-Length: "
                           "4\r\nExpect: 100-continue\r\n\r\n");
    visitor_read(&visitor, false, &answer);
    assert_int_equal(answer.status, 100);
    answer_free(&answer);
    write_text(visitor.fd, "body");
    visitor_read(&visitor, false, &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "body");
    answer_free(&answer);
    write_text(visitor.fd,
               "POST /echo HTTP/1.1\r\nHost: unknown.example\r\nContent-Length: "
               "4\r\nExpect: 100-continue\r\n\r\n");
    visitor_read(&visitor, false, &answer);
    assert_int_equal(answer.status, 404);
    assert_string_equal(header_of(&answer, "connection"), "close");
    answer_free(&answer);
    visitor_close(&visitor);
}

static void bad_requests_get_400_and_a_closed_connection(void **state)
{
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\nHost: a.example\n\n",
        "GET / HTTP/1.1\r\nHost: a.example\r\nX : 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.example\r\nX: 1\r\n folded\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nTransfer-Encoding: "
        "chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nContent-Length: "
        "1\r\n\r\na",
        "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: +1\r\n\r\na",
        "GET /a%00b HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /a%2fb HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /a%zz HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0x5\r\nhello\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhelloX\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "nonsense\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct visitor visitor;
        struct answer answer;
        visitor_open(&visitor, gateway.port);
        write_all(visitor.fd, bad[i], strlen(bad[i]));
        visitor_read(&visitor, false, &answer);
        if (answer.status != 400)
            print_error("case %zu: %d\n", i, answer.status);
        assert_int_equal(answer.status, 400);
        assert_string_equal(header_of(&answer, "gw-reason"), "bad_request");
        assert_string_equal(header_of(&answer, "connection"), "close");
        assert_non_null(strstr(answer.body, "\"reason\":\"bad_request\""));
        assert_true(visitor_is_closed(&visitor));
        answer_free(&answer);
        visitor_close(&visitor);
    }
}

static void over_a_limit_there_is_a_word_for_it(void **state)
{
    static char request[20000];
    struct answer answer;
    (void)state;
    snprintf(request, sizeof request, "GET /%01500d HTTP/1.1\r\nHost: a.example\r\n\r\n",
             1);
    ask(gateway.port, request, &answer);
    assert_int_equal(answer.status, 414);
    assert_string_equal(header_of(&answer, "gw-reason"), "target_too_long");
    answer_free(&answer);
    snprintf(request, sizeof request,
             "GET / HTTP/1.1\r\nHost: a.example\r\nX: %010000d\r\n\r\n", 1);
    ask(gateway.port, request, &answer);
    assert_int_equal(answer.status, 431);
    assert_string_equal(header_of(&answer, "gw-reason"), "header_too_large");
    answer_free(&answer);
    size_t size =
        (size_t)snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: a.example\r\n");
    for (int i = 0; i < 30; i++)
        size += (size_t)snprintf(request + size, sizeof request - size, "X-%d: 1\r\n", i);
    snprintf(request + size, sizeof request - size, "\r\n");
    assert_int_equal(ask_status(gateway.port, request), 431);
    ask(gateway.port,
        "POST /echo HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1048577\r\n\r\n",
        &answer);
    assert_int_equal(answer.status, 413);
    assert_string_equal(header_of(&answer, "gw-reason"), "body_too_large");
    answer_free(&answer);
}

static void a_chunked_body_over_the_limit_gets_413(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    write_text(visitor.fd, "POST /echo HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: "
                           "chunked\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        write_text(visitor.fd, "10000\r\n");
        write_filler(visitor.fd, 65536);
        write_text(visitor.fd, "\r\n");
    }
    visitor_read(&visitor, false, &answer);
    assert_int_equal(answer.status, 413);
    answer_free(&answer);
    visitor_close(&visitor);
}

static void what_no_route_takes_gets_404_or_405(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    write_text(visitor.fd, "GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n"
                           "POST / HTTP/1.1\r\nHost: nobody.example\r\nContent-Length: "
                           "3\r\n\r\nabc"
                           "DELETE /hello HTTP/1.1\r\nHost: say.example\r\n\r\n");
    for (int i = 0; i < 2; i++) {
        visitor_read(&visitor, false, &answer);
        assert_int_equal(answer.status, 404);
        assert_string_equal(header_of(&answer, "content-type"), "application/problem+json");
        assert_string_equal(header_of(&answer, "gw-reason"), "no_route");
        const char *id = header_of(&answer, "x-request-id");
        char expected[256];
        snprintf(expected, sizeof expected, "\"requestId\":\"%s\"", id);
        assert_non_null(strstr(answer.body, expected));
        answer_free(&answer);
    }
    visitor_read(&visitor, false, &answer);
    assert_int_equal(answer.status, 405);
    assert_non_null(strstr(header_of(&answer, "allow"), "GET"));
    assert_non_null(strstr(header_of(&answer, "allow"), "POST"));
    answer_free(&answer);
    visitor_close(&visitor);
    assert_true(
        gateway_metric(&gateway,
                       "gw_http_errors_total{route=\"_none\",reason=\"no_route\"}") >= 2);
}

static void a_service_without_endpoints_gets_503(void **state)
{
    struct answer answer;
    (void)state;
    ask(gateway.port, "GET / HTTP/1.1\r\nHost: empty.example\r\n\r\n", &answer);
    assert_int_equal(answer.status, 503);
    assert_string_equal(header_of(&answer, "gw-reason"), "no_endpoint");
    answer_free(&answer);
}

static void respond_and_redirect_answer_without_an_upstream(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    write_text(visitor.fd,
               "POST /hello HTTP/1.1\r\nHost: say.example\r\nContent-Length: 3\r\n\r\nabc"
               "GET /x?y=1 HTTP/1.1\r\nHost: go.example\r\n\r\n");
    visitor_read(&visitor, false, &answer);
    assert_int_equal(answer.status, 201);
    assert_string_equal(answer.body, "hi");
    assert_string_equal(header_of(&answer, "x-said"), "/hello");
    answer_free(&answer);
    visitor_read(&visitor, false, &answer);
    assert_int_equal(answer.status, 302);
    assert_string_equal(header_of(&answer, "location"), "https://go.example/x?y=1");
    answer_free(&answer);
    visitor_close(&visitor);
}

static void what_an_upstream_does_wrong_is_named(void **state)
{
    static const struct {
        const char *request, *reason;
    } cases[] = {
        {"POST /bad HTTP/1.1\r\nHost: a.example\r\n\r\n", "upstream_invalid"},
        {"POST /two-lengths HTTP/1.1\r\nHost: a.example\r\n\r\n", "upstream_invalid"},
        {"POST /bad-chunk HTTP/1.1\r\nHost: a.example\r\n\r\n", "upstream_invalid"},
        {"POST /reset HTTP/1.1\r\nHost: a.example\r\n\r\n", "upstream_reset"},
    };
    struct answer answer;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask(gateway.port, cases[i].request, &answer);
        assert_int_equal(answer.status, 502);
        assert_string_equal(header_of(&answer, "gw-reason"), cases[i].reason);
        answer_free(&answer);
    }
    ask(gateway.port, GET("/short"), &answer);
    assert_int_equal(answer.status, 200);
    assert_true(answer.is_torn);
    answer_free(&answer);
}

static void bytes_behind_an_answer_never_become_the_next(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    for (int i = 0; i < 5; i++) {
        write_all(visitor.fd, GET("/extra"), strlen(GET("/extra")));
        visitor_read(&visitor, false, &answer);
        assert_string_equal(answer.body, "ok");
        answer_free(&answer);
        write_all(visitor.fd, GET("/size/5"), strlen(GET("/size/5")));
        visitor_read(&visitor, false, &answer);
        assert_string_equal(answer.body, "xxxxx");
        answer_free(&answer);
    }
    visitor_close(&visitor);
}

static void an_answer_before_the_body_ends_the_connection(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    write_text(
        visitor.fd,
        "POST /early HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\nabc");
    visitor_read(&visitor, false, &answer);
    assert_int_equal(answer.status, 403);
    answer_free(&answer);
    assert_true(visitor_is_closed(&visitor));
    visitor_close(&visitor);
}

static void half_a_close_still_gets_the_answer(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    write_text(visitor.fd, GET("/slow/50"));
    shutdown(visitor.fd, SHUT_WR);
    visitor_read(&visitor, false, &answer);
    assert_string_equal(answer.body, "slow");
    answer_free(&answer);
    assert_true(visitor_is_closed(&visitor));
    visitor_close(&visitor);
}

static void above_the_limit_of_connections_the_answer_is_503(void **state)
{
    int fds[50];
    struct answer answer;
    (void)state;
    for (int i = 0; i < 50; i++)
        fds[i] = dial(gateway.port);
    eventually(gateway_metric(&gateway, "gw_connections_active{listener=\"http\",protocol="
                                        "\"http/1.1\"}") >= 50);
    ask(gateway.port, "", &answer);
    assert_int_equal(answer.status, 503);
    assert_string_equal(header_of(&answer, "gw-reason"), "overloaded");
    answer_free(&answer);
    for (int i = 0; i < 50; i++)
        close(fds[i]);
    eventually(gateway_metric(&gateway, "gw_connections_active{listener=\"http\",protocol="
                                        "\"http/1.1\"}") < 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_relayed_with_its_answer),
        cmocka_unit_test(the_upstream_sees_who_asked_and_no_hop_by_hop_headers),
        cmocka_unit_test(rewrite_and_header_changes_are_made),
        cmocka_unit_test(a_connection_is_kept_and_used_again),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_request_that_drips_in_is_answered),
        cmocka_unit_test(bodies_of_both_framings_pass),
        cmocka_unit_test(a_1_0_client_gets_its_body_ended_by_the_close),
        cmocka_unit_test(head_and_bodiless_statuses_keep_the_connection_in_step),
        cmocka_unit_test(expect_is_answered_before_the_body),
        cmocka_unit_test(bad_requests_get_400_and_a_closed_connection),
        cmocka_unit_test(over_a_limit_there_is_a_word_for_it),
        cmocka_unit_test(a_chunked_body_over_the_limit_gets_413),
        cmocka_unit_test(what_no_route_takes_gets_404_or_405),
        cmocka_unit_test(a_service_without_endpoints_gets_503),
        cmocka_unit_test(respond_and_redirect_answer_without_an_upstream),
        cmocka_unit_test(what_an_upstream_does_wrong_is_named),
        cmocka_unit_test(bytes_behind_an_answer_never_become_the_next),
        cmocka_unit_test(an_answer_before_the_body_ends_the_connection),
        cmocka_unit_test(half_a_close_still_gets_the_answer),
        cmocka_unit_test(above_the_limit_of_connections_the_answer_is_503),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
