/* What the upstream is told about where a request came from, when the peer is a
 * trusted proxy. (When it is not: request_test.c.) */
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
             "spec: {bind: \"127.0.0.1:8080\", protocols: [http/1.1], forwarded: both, "
             "trustedProxies: [127.0.0.0/8, 10.0.0.0/8]}\n---\n"
             "apiVersion: gw/v1\nkind: Service\nmetadata: {name: one}\n"
             "spec: {endpoints: [{name: one-1, address: \"127.0.0.1:%u\"}]}\n---\n"
             "apiVersion: gw/v1\nkind: Route\nmetadata: {name: all}\n"
             "spec: {match: {path: {prefix: /}}, service: one, headers: {request: {set: "
             "{x-caller: \"${client.ip}\", x-scheme: \"${scheme}\"}}}}\n",
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

static void a_trusted_proxy_is_believed_and_added_to(void **state)
{
    struct answer answer;
    (void)state;
    ask(gateway.port,
        "GET /head HTTP/1.1\r\nHost: inner\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.7\r\n"
        "X-Forwarded-For: 10.1.2.3\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: "
        "shop.example\r\nX-Forwarded-Port: 443\r\nX-Request-Id: given-1\r\nForwarded: "
        "for=203.0.113.7\r\n\r\n",
        &answer);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(
        answer.body, "\r\nx-forwarded-for: 6.6.6.6, 203.0.113.7, 10.1.2.3, 127.0.0.1\r\n"));
    assert_non_null(strstr(answer.body, "\r\nx-forwarded-proto: https\r\n"));
    assert_non_null(strstr(answer.body, "\r\nx-forwarded-host: shop.example\r\n"));
    assert_non_null(strstr(answer.body, "\r\nx-forwarded-port: 443\r\n"));
    assert_non_null(strstr(answer.body, "\r\nforwarded: for=203.0.113.7, "
                                        "for=127.0.0.1;host=\"inner\";proto=https\r\n"));
    /* The last that is not itself trusted: what stands before it may be invented. */
    assert_non_null(strstr(answer.body, "\r\nx-caller: 203.0.113.7\r\n"));
    assert_non_null(strstr(answer.body, "\r\nx-scheme: https\r\n"));
    assert_non_null(strstr(answer.body, "\r\nx-request-id: given-1\r\n"));
    assert_string_equal(header_of(&answer, "x-request-id"), "given-1");
    answer_free(&answer);
}

static void without_a_word_from_it_the_proxy_is_the_caller(void **state)
{
    struct answer answer;
    char port[64];
    (void)state;
    ask(gateway.port, "GET /head HTTP/1.1\r\nHost: inner\r\n\r\n", &answer);
    assert_non_null(strstr(answer.body, "\r\nx-forwarded-for: 127.0.0.1\r\n"));
    assert_non_null(strstr(answer.body, "\r\nx-caller: 127.0.0.1\r\n"));
    snprintf(port, sizeof port, "\r\nx-forwarded-port: %u\r\n", (unsigned)gateway.port);
    assert_non_null(strstr(answer.body, port));
    answer_free(&answer);
}

static void an_id_that_is_not_sane_is_replaced(void **state)
{
    struct answer answer;
    (void)state;
    ask(gateway.port, "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\"b\r\n\r\n", &answer);
    assert_memory_equal(header_of(&answer, "x-request-id"), "eu-1-", 5);
    answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trusted_proxy_is_believed_and_added_to),
        cmocka_unit_test(without_a_word_from_it_the_proxy_is_the_caller),
        cmocka_unit_test(an_id_that_is_not_sane_is_replaced),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
