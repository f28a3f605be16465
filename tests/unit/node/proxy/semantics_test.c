/* The finer points of HTTP/1.1 on the way through: interim answers, expectations,
 * trailers, half-closed and impatient peers. */
#include "cast.h"

static struct origin origin;
static struct gateway gateway;

static int set_up(void **state)
{
    static char yaml[4096];
    (void)state;
    origin_start(&origin, "one");
    snprintf(yaml, sizeof yaml,
             "%s---\napiVersion: gw/v1\nkind: Route\nmetadata: {name: clean}\n"
             "spec: {match: {path: {prefix: /echo/trailers/clean}}, service: one, "
             "headers: {request: {remove: [x-secret]}}}\n---\n"
             "apiVersion: gw/v1\nkind: Route\nmetadata: {name: none}\n"
             "spec: {match: {path: {prefix: /none}}, respond: {status: 204}}\n---\n"
             "apiVersion: gw/v1\nkind: Route\nmetadata: {name: dead}\n"
             "spec: {match: {path: {prefix: /dead}}, service: dead}\n---\n"
             "apiVersion: gw/v1\nkind: Service\nmetadata: {name: dead}\n"
             "spec: {endpoints: [{name: dead-1, address: \"127.0.0.1:%u\"}]}\n",
             plain_yaml(origin.port), (unsigned)dead_port());
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

static int next_status(struct visitor *visitor, struct answer *answer)
{
    visitor_read(visitor, false, answer);
    int status = answer->status;
    return status;
}

static void hints_are_relayed_and_an_unasked_100_is_not(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    write_text(visitor.fd, GET("/interim"));
    assert_int_equal(next_status(&visitor, &answer), 103);
    assert_string_equal(header_of(&answer, "link"), "<a>");
    answer_free(&answer);
    assert_int_equal(next_status(&visitor, &answer), 200);
    assert_string_equal(answer.body, "ok");
    answer_free(&answer);
    write_text(visitor.fd, "GET /interim HTTP/1.0\r\nHost: a.example\r\n\r\n");
    assert_int_equal(next_status(&visitor, &answer), 200); /* 1.0 knows none */
    answer_free(&answer);
    visitor_close(&visitor);
}

static void an_upstream_that_says_nothing_but_hints_is_given_up(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    write_text(visitor.fd, GET("/hints"));
    int status;
    while ((status = next_status(&visitor, &answer)) == 103)
        answer_free(&answer);
    assert_int_equal(status, 502);
    assert_string_equal(header_of(&answer, "gw-reason"), "upstream_invalid");
    answer_free(&answer);
    visitor_close(&visitor);
}

#define EXPECT(path)                                                     \
    "POST " path " HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n" \
    "Expect: 100-continue\r\n\r\n"

static void the_upstream_is_asked_before_the_body_comes(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    for (int i = 0; i < 3; i++) { /* on a new connection and on kept ones */
        write_text(visitor.fd, EXPECT("/echo"));
        assert_int_equal(next_status(&visitor, &answer), 100);
        answer_free(&answer);
        write_text(visitor.fd, "body");
        assert_int_equal(next_status(&visitor, &answer), 200);
        assert_string_equal(answer.body, "body");
        answer_free(&answer);
    }
    /* One that does not wait gets no 100. */
    write_text(visitor.fd, EXPECT("/echo") "body");
    assert_int_equal(next_status(&visitor, &answer), 200);
    answer_free(&answer);
    visitor_close(&visitor);
}

static void a_refusal_comes_instead_of_100(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    write_text(visitor.fd, EXPECT("/refuse"));
    assert_int_equal(next_status(&visitor, &answer), 403);
    assert_string_equal(header_of(&answer, "connection"), "close");
    answer_free(&answer);
    assert_true(visitor_is_closed(&visitor));
    visitor_close(&visitor);
    /* The same where there is nobody to ask. */
    visitor_open(&visitor, gateway.port);
    write_text(visitor.fd, EXPECT("/dead"));
    assert_int_equal(next_status(&visitor, &answer), 502);
    assert_string_equal(header_of(&answer, "connection"), "close");
    answer_free(&answer);
    visitor_close(&visitor);
}

static void an_early_answer_reaches_a_client_that_still_sends(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    write_text(
        visitor.fd,
        "POST /early HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\n");
    write_filler(visitor.fd, 1000);
    assert_int_equal(next_status(&visitor, &answer), 403);
    assert_string_equal(answer.body, "no");
    answer_free(&answer);
    write_filler(visitor.fd, 999000); /* goes on as if nothing were: no reset */
    visitor_close(&visitor);
}

static void trailers_of_an_answer_reach_who_wants_them(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    for (int i = 0; i < 3; i++) {
        write_text(visitor.fd, "GET /chunks/5000 HTTP/1.1\r\nHost: a.example\r\n"
                               "TE: trailers\r\nConnection: TE\r\n\r\n");
        assert_int_equal(next_status(&visitor, &answer), 200);
        assert_int_equal(answer.body_size, 5000);
        assert_string_equal(answer.trailers, "X-Trailer: late\r\n");
        answer_free(&answer);
        write_text(visitor.fd, GET("/chunks/5000"));
        assert_int_equal(next_status(&visitor, &answer), 200);
        assert_string_equal(answer.trailers, "");
        answer_free(&answer);
    }
    visitor_close(&visitor);
}

static void trailers_of_a_request_reach_the_upstream_but_what_is_removed(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    for (int i = 0; i < 2; i++) {
        const char *path = i == 0 ? "/echo/trailers" : "/echo/trailers/clean";
        write_text(visitor.fd,
                   "POST %s HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n"
                   "Trailer: x-sum\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 1\r\nX-Secret: "
                   "2\r\nContent-Length: 3\r\n\r\n",
                   path);
        assert_int_equal(next_status(&visitor, &answer), 200);
        assert_string_equal(answer.body,
                            i == 0 ? "body+X-Sum: 1+X-Secret: 2" : "body+X-Sum: 1");
        answer_free(&answer);
    }
    visitor_close(&visitor);
}

static void a_client_that_ended_its_side_gets_all_answers(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    visitor_open(&visitor, gateway.port);
    write_text(visitor.fd, GET("/slow/50") GET("/size/3") GET("/slow/20"));
    shutdown(visitor.fd, SHUT_WR);
    assert_int_equal(next_status(&visitor, &answer), 200);
    assert_string_equal(answer.body, "slow");
    answer_free(&answer);
    assert_int_equal(next_status(&visitor, &answer), 200);
    answer_free(&answer);
    assert_int_equal(next_status(&visitor, &answer), 200);
    answer_free(&answer);
    assert_true(visitor_is_closed(&visitor));
    visitor_close(&visitor);
}

static void options_of_the_server_are_the_gateway_s(void **state)
{
    struct answer answer;
    unsigned requests = origin.requests;
    (void)state;
    ask(gateway.port, "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n", &answer);
    assert_int_equal(answer.status, 204);
    assert_string_equal(header_of(&answer, "allow"),
                        "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS");
    assert_null(header_of(&answer, "content-length"));
    answer_free(&answer);
    assert_int_equal(origin.requests, requests);
    ask(gateway.port, GET("/none"), &answer);
    assert_int_equal(answer.status, 204);
    assert_null(header_of(&answer, "content-length"));
    answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hints_are_relayed_and_an_unasked_100_is_not),
        cmocka_unit_test(an_upstream_that_says_nothing_but_hints_is_given_up),
        cmocka_unit_test(the_upstream_is_asked_before_the_body_comes),
        cmocka_unit_test(a_refusal_comes_instead_of_100),
        cmocka_unit_test(an_early_answer_reaches_a_client_that_still_sends),
        cmocka_unit_test(trailers_of_an_answer_reach_who_wants_them),
        cmocka_unit_test(trailers_of_a_request_reach_the_upstream_but_what_is_removed),
        cmocka_unit_test(a_client_that_ended_its_side_gets_all_answers),
        cmocka_unit_test(options_of_the_server_are_the_gateway_s),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
