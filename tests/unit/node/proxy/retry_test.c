/* Attempts: which endpoint, how long, how often, and what a client sees of it. */
#include "cast.h"

static struct origin one, two;
static struct gateway gateway;

static const char *yaml_of(uint16_t first, uint16_t second, const char *policy)
{
    static char yaml[4096];
    snprintf(yaml, sizeof yaml,
             "apiVersion: gw/v1\nkind: Listener\nmetadata: {name: http}\n"
             "spec: {bind: \"127.0.0.1:8080\", protocols: [http/1.1]}\n---\n"
             "apiVersion: gw/v1\nkind: Service\nmetadata: {name: pair}\n"
             "spec:\n  connectTimeout: 300ms\n  endpoints:\n"
             "    - {name: first, address: \"127.0.0.1:%u\"}\n"
             "    - {name: second, address: \"127.0.0.1:%u\"}\n---\n"
             "apiVersion: gw/v1\nkind: Route\nmetadata: {name: all}\n"
             "spec:\n  match: {path: {prefix: /}}\n  service: pair\n%s",
             (unsigned)first, (unsigned)second, policy);
    return yaml;
}

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

static void a_refused_connection_is_retried_elsewhere_for_any_method(void **state)
{
    struct answer answer;
    (void)state;
    gateway_start(&gateway, yaml_of(dead_port(), two.port, ""));
    for (int i = 0; i < 20; i++) {
        ask(gateway.port,
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", &answer);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer.body, "hello");
        answer_free(&answer);
    }
    gateway_stop(&gateway);
}

static void with_no_endpoint_alive_the_answer_is_upstream_connect(void **state)
{
    struct answer answer;
    (void)state;
    gateway_start(&gateway, yaml_of(dead_port(), dead_port(), ""));
    ask(gateway.port, GET("/"), &answer);
    assert_int_equal(answer.status, 502);
    assert_string_equal(header_of(&answer, "gw-reason"), "upstream_connect");
    answer_free(&answer);
    gateway_stop(&gateway);
}

static void a_reset_before_the_answer_is_retried_for_idempotent_methods(void **state)
{
    struct answer answer;
    (void)state;
    gateway_start(&gateway, yaml_of(one.port, two.port, ""));
    unsigned before = one.requests + two.requests;
    ask(gateway.port, GET("/reset"), &answer);
    assert_int_equal(answer.status, 502);
    assert_string_equal(header_of(&answer, "gw-reason"), "upstream_reset");
    answer_free(&answer);
    /* Once more, elsewhere; and that was all. */
    assert_int_equal(one.requests + two.requests, before + 2);
    assert_true(one.requests > 0 && two.requests > 0);
    ask(gateway.port, "POST /reset HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    assert_int_equal(answer.status, 502);
    answer_free(&answer);
    assert_int_equal(one.requests + two.requests, before + 3);
    gateway_stop(&gateway);
}

static void statuses_are_retried_as_the_policy_says(void **state)
{
    struct answer answer;
    (void)state;
    gateway_start(&gateway, yaml_of(one.port, two.port,
                                    "  retry: {max: 2, when: [503], backoff: 1ms}\n"));
    unsigned before = one.requests + two.requests;
    ask(gateway.port, GET("/status/503"), &answer);
    /* The last answer is the client's: it is the best there is. */
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer.body, "body");
    assert_null(header_of(&answer, "gw-reason"));
    answer_free(&answer);
    assert_int_equal(one.requests + two.requests, before + 3);
    /* Told to come back after the deadline: not at all. */
    ask(gateway.port, GET("/later"), &answer);
    assert_int_equal(answer.status, 503);
    answer_free(&answer);
    assert_int_equal(one.requests + two.requests, before + 4);
    ask(gateway.port, GET("/status/500"), &answer);
    assert_int_equal(answer.status, 500);
    answer_free(&answer);
    assert_int_equal(one.requests + two.requests, before + 5);
    gateway_stop(&gateway);
}

static void each_try_and_the_whole_have_a_timeout(void **state)
{
    struct answer answer;
    (void)state;
    gateway_start(
        &gateway,
        yaml_of(one.port, two.port,
                "  timeout: 2s\n  retry: {max: 1, when: [timeout], perTry: 300ms, "
                "backoff: 1ms}\n"));
    unsigned before = one.requests + two.requests;
    uint64_t began_ms = instant_monotonic_ms();
    ask(gateway.port, GET("/hang"), &answer);
    assert_int_equal(answer.status, 504);
    assert_string_equal(header_of(&answer, "gw-reason"), "upstream_timeout");
    answer_free(&answer);
    assert_in_range(instant_monotonic_ms() - began_ms, 600, 1990);
    eventually(one.requests + two.requests == before + 2);

    gateway_publish(&gateway, yaml_of(one.port, two.port, "  timeout: 100ms\n"), 2);
    ask(gateway.port, GET("/hang"), &answer);
    assert_int_equal(answer.status, 504);
    assert_string_equal(header_of(&answer, "gw-reason"), "upstream_timeout");
    answer_free(&answer);
    /* A client that does not finish its body. */
    ask(gateway.port, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
        &answer);
    assert_int_equal(answer.status, 504);
    assert_string_equal(header_of(&answer, "gw-reason"), "request_timeout");
    answer_free(&answer);
    gateway_stop(&gateway);
}

static void a_body_is_sent_again_whole_or_not_at_all(void **state)
{
    static char request[80000];
    struct answer answer;
    (void)state;
    gateway_start(&gateway, yaml_of(one.port, two.port,
                                    "  retry: {max: 1, when: [503], backoff: 1ms}\n"));
    unsigned before = one.requests + two.requests;
    int head =
        snprintf(request, sizeof request,
                 "PUT /status/503 HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
    memset(request + head, 'y', 60000);
    request[head + 60000] = '\0';
    ask(gateway.port, request, &answer);
    assert_int_equal(answer.status, 503);
    answer_free(&answer);
    assert_int_equal(one.requests + two.requests, before + 2);
    head = snprintf(request, sizeof request,
                    "PUT /status/503 HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n");
    memset(request + head, 'y', 70000);
    request[head + 70000] = '\0';
    ask(gateway.port, request, &answer);
    assert_int_equal(answer.status, 503);
    answer_free(&answer);
    assert_int_equal(one.requests + two.requests, before + 3);
    gateway_stop(&gateway);
}

static void a_kept_connection_that_died_is_replaced_once(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    gateway_start(&gateway, plain_yaml(one.port));
    visitor_open(&visitor, gateway.port);
    for (int i = 0; i < 10; i++) {
        /* The origin closes after this without saying so. */
        write_all(visitor.fd, GET("/bye"), strlen(GET("/bye")));
        visitor_read(&visitor, false, &answer);
        assert_string_equal(answer.body, "bye");
        answer_free(&answer);
        /* The second request on a connection is never answered, only on a fresh one. */
        write_all(visitor.fd, GET("/size/1"), strlen(GET("/size/1")));
        visitor_read(&visitor, false, &answer);
        assert_int_equal(answer.status, 200);
        answer_free(&answer);
        write_all(visitor.fd, GET("/second-dies"), strlen(GET("/second-dies")));
        visitor_read(&visitor, false, &answer);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer.body, "first");
        answer_free(&answer);
    }
    assert_true(gateway_metric(&gateway,
                               "gw_retries_total{service=\"one\",result=\"stale\"}") >= 10);
    /* What is not idempotent is not sent twice. */
    write_all(visitor.fd, GET("/size/1"), strlen(GET("/size/1")));
    visitor_read(&visitor, false, &answer);
    answer_free(&answer);
    write_text(visitor.fd, "POST /second-dies HTTP/1.1\r\nHost: a\r\n\r\n");
    visitor_read(&visitor, false, &answer);
    assert_int_equal(answer.status, 502);
    answer_free(&answer);
    visitor_close(&visitor);
    gateway_stop(&gateway);
}

static void a_client_that_goes_away_frees_the_upstream(void **state)
{
    struct visitor visitor;
    (void)state;
    gateway_start(&gateway, plain_yaml(one.port));
    one.gone = false;
    visitor_open(&visitor, gateway.port);
    write_all(visitor.fd, GET("/endless"), strlen(GET("/endless")));
    eventually(one.written > 0);
    visitor_close(&visitor);
    eventually(one.gone);
    eventually(gateway_metric(&gateway,
                              "gw_http_errors_total{route=\"all\",reason=\"client_"
                              "closed\"}") == 1);
    gateway_stop(&gateway);
}

static void a_name_is_resolved_and_its_address_kept(void **state)
{
    char yaml[2048];
    struct answer answer;
    (void)state;
    snprintf(yaml, sizeof yaml, "%s", plain_yaml(one.port));
    char *address = strstr(yaml, "\"127.0.0.1:");
    address = strstr(address + 1, "\"127.0.0.1:");
    memcpy(address, "\"localhost:", 11);
    gateway_start(&gateway, yaml);
    for (int i = 0; i < 3; i++) {
        ask(gateway.port, GET("/size/1"), &answer);
        assert_int_equal(answer.status, 200);
        answer_free(&answer);
    }
    gateway_stop(&gateway);
}

static void a_split_goes_by_header_and_by_weight(void **state)
{
    char yaml[4096];
    struct answer answer;
    unsigned new_count = 0;
    (void)state;
    snprintf(yaml, sizeof yaml,
             "apiVersion: gw/v1\nkind: Listener\nmetadata: {name: http}\n"
             "spec: {bind: \"127.0.0.1:8080\", protocols: [http/1.1]}\n---\n"
             "apiVersion: gw/v1\nkind: Service\nmetadata: {name: old}\n"
             "spec: {endpoints: [{name: o, address: \"127.0.0.1:%u\"}]}\n---\n"
             "apiVersion: gw/v1\nkind: Service\nmetadata: {name: new}\n"
             "spec: {endpoints: [{name: n, address: \"127.0.0.1:%u\"}]}\n---\n"
             "apiVersion: gw/v1\nkind: Route\nmetadata: {name: all}\n"
             "spec:\n  match: {path: {prefix: /}}\n  split:\n"
             "    - {service: old, weight: 80}\n"
             "    - {service: new, weight: 20, when: {header: x-canary, exact: \"1\"}}\n",
             (unsigned)one.port, (unsigned)two.port);
    gateway_start(&gateway, yaml);
    for (int i = 0; i < 20; i++) {
        ask(gateway.port, "GET / HTTP/1.1\r\nHost: a\r\nX-Canary: 1\r\n\r\n", &answer);
        assert_string_equal(answer.body, "two");
        answer_free(&answer);
    }
    struct visitor visitor;
    visitor_open(&visitor, gateway.port);
    for (int i = 0; i < 500; i++) {
        write_all(visitor.fd, GET("/"), strlen(GET("/")));
        visitor_read(&visitor, false, &answer);
        new_count += strcmp(answer.body, "two") == 0;
        answer_free(&answer);
    }
    visitor_close(&visitor);
    assert_in_range(new_count, 50, 160); /* 100 expected; 5 sigma are 45 */
    gateway_stop(&gateway);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_connection_is_retried_elsewhere_for_any_method),
        cmocka_unit_test(with_no_endpoint_alive_the_answer_is_upstream_connect),
        cmocka_unit_test(a_reset_before_the_answer_is_retried_for_idempotent_methods),
        cmocka_unit_test(statuses_are_retried_as_the_policy_says),
        cmocka_unit_test(each_try_and_the_whole_have_a_timeout),
        cmocka_unit_test(a_body_is_sent_again_whole_or_not_at_all),
        cmocka_unit_test(a_kept_connection_that_died_is_replaced_once),
        cmocka_unit_test(a_client_that_goes_away_frees_the_upstream),
        cmocka_unit_test(a_name_is_resolved_and_its_address_kept),
        cmocka_unit_test(a_split_goes_by_header_and_by_weight),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
