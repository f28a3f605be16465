/* What a route does besides passing a call on: other origins, closed for work, a way
 * out when the service is gone, copies for a second service. */
#include "cast.h"

#include "node/proxy/core.h"

#include <zlib.h>

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

/* Service nobody has no endpoint that takes calls. */
static const char *yaml_of(const char *route)
{
    static char yaml[4096];
    snprintf(yaml, sizeof yaml,
             "apiVersion: gw/v1\nkind: Listener\nmetadata: {name: http}\n"
             "spec: {bind: \"127.0.0.1:8080\", protocols: [http/1.1]}\n---\n"
             "apiVersion: gw/v1\nkind: Service\nmetadata: {name: first}\n"
             "spec: {endpoints: [{name: a, address: \"127.0.0.1:%u\"}]}\n---\n"
             "apiVersion: gw/v1\nkind: Service\nmetadata: {name: second}\n"
             "spec: {endpoints: [{name: a, address: \"127.0.0.1:%u\"}]}\n---\n"
             "apiVersion: gw/v1\nkind: Service\nmetadata: {name: nobody}\n"
             "spec: {endpoints: [{name: a, address: \"127.0.0.1:%u\", weight: 0}]}\n---\n"
             "apiVersion: gw/v1\nkind: Route\nmetadata: {name: all}\n"
             "spec:\n  match: {path: {prefix: /}, methods: [GET, HEAD, POST, PUT]}\n%s",
             (unsigned)one.port, (unsigned)two.port, (unsigned)one.port, route);
    return yaml;
}

static void assert_header(const struct answer *answer, const char *name, const char *value)
{
    const char *got = header_of(answer, name);
    if (value == NULL) {
        assert_null(got);
        return;
    }
    assert_non_null(got);
    assert_string_equal(got, value);
}

/* ---- CORS ---- */

#define PREFLIGHT(origin)                               \
    "OPTIONS /x HTTP/1.1\r\nHost: a\r\nOrigin: " origin \
    "\r\nAccess-Control-Request-Method: PUT\r\n\r\n"

static void a_preflight_is_answered_for_the_call_it_asks_for(void **state)
{
    struct answer answer;
    (void)state;
    gateway_start(&gateway,
                  yaml_of("  service: first\n"
                          "  cors: {origins: [\"https://shop.example\"], methods: [GET, "
                          "PUT], headers: [x-a, x-b], credentials: true, maxAge: 5m}\n"));
    unsigned before = one.requests;
    ask(gateway.port, PREFLIGHT("https://shop.example"), &answer);
    assert_int_equal(answer.status, 204);
    assert_header(&answer, "access-control-allow-origin", "https://shop.example");
    assert_header(&answer, "access-control-allow-credentials", "true");
    assert_header(&answer, "access-control-allow-methods", "GET, PUT");
    assert_header(&answer, "access-control-allow-headers", "x-a, x-b");
    assert_header(&answer, "access-control-max-age", "300");
    assert_header(&answer, "vary", "origin");
    answer_free(&answer);
    ask(gateway.port, PREFLIGHT("https://other.example"), &answer);
    assert_int_equal(answer.status, 204);
    assert_header(&answer, "access-control-allow-origin", NULL);
    assert_header(&answer, "access-control-allow-methods", NULL);
    answer_free(&answer);
    assert_int_equal(one.requests, before);
    /* No preflight: the route takes no OPTIONS. */
    assert_int_equal(
        ask_status(
            gateway.port,
            "OPTIONS /x HTTP/1.1\r\nHost: a\r\nOrigin: https://shop.example\r\n\r\n"),
        405);
    gateway_stop(&gateway);
}

static void answers_may_be_read_by_allowed_origins(void **state)
{
    struct answer answer;
    (void)state;
    gateway_start(&gateway,
                  yaml_of("  service: first\n  cors: {origins: [\"https://shop.example\"], "
                          "expose: [x-upstream]}\n"));
    ask(gateway.port, "GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://shop.example\r\n\r\n",
        &answer);
    assert_int_equal(answer.status, 200);
    assert_header(&answer, "access-control-allow-origin", "https://shop.example");
    assert_header(&answer, "access-control-expose-headers", "x-upstream");
    assert_header(&answer, "access-control-allow-credentials", NULL);
    assert_header(&answer, "vary", "origin");
    answer_free(&answer);
    ask(gateway.port, "GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://other.example\r\n\r\n",
        &answer);
    assert_int_equal(answer.status, 200);
    assert_header(&answer, "access-control-allow-origin", NULL);
    assert_header(&answer, "access-control-expose-headers", NULL);
    assert_header(&answer, "vary", "origin");
    answer_free(&answer);
    gateway_publish(&gateway, yaml_of("  service: first\n  cors: {origins: [\"*\"]}\n"), 2);
    ask(gateway.port, GET("/"), &answer);
    assert_header(&answer, "access-control-allow-origin", "*");
    assert_header(&answer, "vary", NULL);
    answer_free(&answer);
    /* A problem may be read too. */
    gateway_publish(&gateway, yaml_of("  service: nobody\n  cors: {origins: [\"*\"]}\n"),
                    3);
    ask(gateway.port, GET("/"), &answer);
    assert_int_equal(answer.status, 503);
    assert_header(&answer, "access-control-allow-origin", "*");
    answer_free(&answer);
    gateway_stop(&gateway);
}

/* ---- maintenance ---- */

static void a_closed_route_says_when_to_come_back(void **state)
{
    struct answer answer;
    (void)state;
    gateway_start(&gateway,
                  yaml_of("  service: first\n  maintenance: {enabled: true, retryAfter: "
                          "90s, allow: [10.0.0.0/8]}\n"
                          "  headers: {response: {set: {x-route: \"${route}\"}}}\n"));
    unsigned before = one.requests;
    ask(gateway.port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        &answer);
    assert_int_equal(answer.status, 503);
    assert_header(&answer, "gw-reason", "maintenance");
    assert_header(&answer, "retry-after", "90");
    assert_header(&answer, "x-route", "all");
    answer_free(&answer);
    assert_int_equal(one.requests, before);
    gateway_publish(&gateway,
                    yaml_of("  service: first\n  maintenance: {enabled: true, allow: "
                            "[127.0.0.0/8]}\n"),
                    2);
    assert_int_equal(ask_status(gateway.port, GET("/")), 200);
    gateway_publish(&gateway,
                    yaml_of("  service: first\n  maintenance: {enabled: false}\n"), 3);
    assert_int_equal(ask_status(gateway.port, GET("/")), 200);
    gateway_stop(&gateway);
}

/* ---- fallback ---- */

static void another_service_helps_out(void **state)
{
    struct answer answer;
    (void)state;
    gateway_start(&gateway, yaml_of("  service: nobody\n  fallback: {service: second}\n"));
    ask(gateway.port, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "hello");
    assert_header(&answer, "x-upstream", "two");
    answer_free(&answer);
    /* Once: there is no way out of the way out. */
    gateway_publish(&gateway, yaml_of("  service: nobody\n  fallback: {service: nobody}\n"),
                    2);
    ask(gateway.port, GET("/"), &answer);
    assert_int_equal(answer.status, 503);
    assert_header(&answer, "gw-reason", "no_endpoint");
    answer_free(&answer);
    gateway_stop(&gateway);
}

static void a_route_has_an_answer_of_its_own(void **state)
{
    struct answer answer;
    (void)state;
    gateway_start(&gateway, yaml_of("  service: nobody\n"
                                    "  fallback: {respond: {status: 200, headers: "
                                    "{x-host: \"${host}\", x-plain: yes-it-is}, "
                                    "body: {inline: \"sorry\"}}}\n"));
    ask(gateway.port, GET("/"), &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "sorry");
    assert_header(&answer, "x-host", "a.example");
    assert_header(&answer, "x-plain", "yes-it-is");
    assert_header(&answer, "gw-reason", "no_endpoint");
    answer_free(&answer);
    eventually(gateway_metric(&gateway, "gw_http_errors_total{route=\"all\",reason=\"no_"
                                        "endpoint\"}") == 1);
    gateway_stop(&gateway);
}

/* ---- mirror ---- */

static void a_copy_goes_to_the_mirror(void **state)
{
    struct answer answer;
    (void)state;
    gateway_start(&gateway, yaml_of("  service: first\n  mirror: {service: second}\n"));
    unsigned before = two.requests;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(ask_status(gateway.port, GET("/")), 200);
    eventually(two.requests == before + 10);
    ask(gateway.port,
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        &answer);
    assert_string_equal(answer.body, "hello world");
    assert_header(&answer, "x-upstream", "one");
    answer_free(&answer);
    ask(gateway.port, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        &answer);
    assert_string_equal(answer.body, "hello");
    answer_free(&answer);
    eventually(two.requests == before + 12);
    eventually(gateway_metric(&gateway,
                              "gw_upstream_requests_total{service=\"second\","
                              "endpoint=\"a\",region=\"\",outcome=\"success\"}") == 12);
    gateway_stop(&gateway);
}

static void whatever_the_mirror_does_the_client_is_served(void **state)
{
    static const char *const paths[] = {
        "/hang", "/reset",       "/bad",        "/short",   "/close/9",    "/bad-chunk",
        "/drip", "/chunks/5000", "/status/500", "/interim", "/size/300000"};
    struct visitor visitor;
    struct answer answer;
    (void)state;
    gateway_start(&gateway, yaml_of("  service: first\n  timeout: 400ms\n"
                                    "  mirror: {service: second}\n"));
    /* The same path goes to both: what breaks is asked of both, and only the copy is
     * looked at here. */
    for (unsigned i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        unsigned before = two.requests;
        visitor_open(&visitor, gateway.port);
        write_text(visitor.fd, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);
        visitor_read(&visitor, false, &answer);
        answer_free(&answer);
        visitor_close(&visitor);
        eventually(two.requests > before);
    }
    assert_int_equal(ask_status(gateway.port, GET("/")), 200);
    eventually(gateway_metric(&gateway,
                              "gw_upstream_requests_total{service=\"second\","
                              "endpoint=\"a\",region=\"\",outcome=\"timeout\"}") == 1);
    gateway_stop(&gateway);
}

static void what_is_too_large_is_not_copied(void **state)
{
    struct visitor visitor;
    struct answer answer;
    (void)state;
    gateway_start(&gateway, yaml_of("  service: first\n  mirror: {service: second}\n"));
    unsigned before = two.requests;
    visitor_open(&visitor, gateway.port);
    write_text(visitor.fd,
               "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    write_filler(visitor.fd, 100000);
    visitor_read(&visitor, false, &answer);
    assert_string_equal(answer.body, "100000");
    answer_free(&answer);
    visitor_close(&visitor);
    assert_true(gateway_metric(&gateway, "gw_mirrors_dropped_total{service=\"second\"}") ==
                1);
    assert_int_equal(two.requests, before);
    /* Nor where there is nobody. */
    gateway_publish(&gateway, yaml_of("  service: first\n  mirror: {service: nobody}\n"),
                    2);
    assert_int_equal(ask_status(gateway.port, GET("/")), 200);
    assert_true(gateway_metric(&gateway, "gw_mirrors_dropped_total{service=\"nobody\"}") ==
                1);
    gateway_stop(&gateway);
}

static void what_may_become_a_tunnel_is_not_copied(void **state)
{
    (void)state;
    gateway_start(&gateway, yaml_of("  service: first\n  mirror: {service: second}\n"));
    unsigned before = two.requests;
    assert_int_equal(ask_status(gateway.port,
                                "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
                                "Upgrade: websocket\r\n\r\n"),
                     200);
    assert_int_equal(ask_status(gateway.port, GET("/")), 200);
    eventually(two.requests > before);
    assert_int_equal(two.requests, before + 1);
    gateway_stop(&gateway);
}

static void a_share_of_requests_is_copied(void **state)
{
    (void)state;
    gateway_start(&gateway, yaml_of("  service: first\n"
                                    "  mirror: {service: second, share: \"25%\"}\n"));
    unsigned before = two.requests;
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(ask_status(gateway.port, GET("/")), 200);
    /* 50 of 200; 5 standard deviations are 31. */
    eventually(two.requests >= before + 19);
    assert_true(two.requests <= before + 81);
    gateway_stop(&gateway);
}

/* ---- compression ---- */

/* Unpacks the body, as far as it is there. */
static size_t unpacked_size(const struct answer *answer, char *out, size_t capacity)
{
    z_stream stream = {.next_in = (Bytef *)answer->body,
                       .avail_in = (uInt)answer->body_size,
                       .next_out = (Bytef *)out,
                       .avail_out = (uInt)capacity};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    int rc = inflate(&stream, Z_SYNC_FLUSH);
    assert_true(rc == Z_OK || rc == Z_STREAM_END);
    inflateEnd(&stream);
    return capacity - stream.avail_out;
}

static void ask_gzip(const char *method, const char *path, struct answer *answer)
{
    char request[256];
    snprintf(request, sizeof request,
             "%s %s HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br\r\n\r\n", method,
             path);
    ask(gateway.port, request, answer);
}

static void text_is_compressed_for_who_takes_it(void **state)
{
    static char out[1 << 20];
    struct answer answer;
    (void)state;
    gateway_start(&gateway, yaml_of("  service: first\n  compress: {}\n"));
    for (unsigned i = 0; i < 3; i++) { /* the second time with a used stream */
        ask_gzip("GET", "/text/500000", &answer);
        assert_int_equal(answer.status, 200);
        assert_header(&answer, "content-encoding", "gzip");
        assert_header(&answer, "content-length", NULL);
        assert_header(&answer, "vary", "accept-encoding");
        assert_header(&answer, "etag", "W/\"v1\"");
        assert_header(&answer, "accept-ranges", NULL);
        assert_true(answer.body_size < 10000);
        assert_int_equal(unpacked_size(&answer, out, sizeof out), 500000);
        answer_free(&answer);
    }
    ask_gzip("GET", "/text-close/70000", &answer);
    assert_header(&answer, "content-encoding", "gzip");
    assert_int_equal(unpacked_size(&answer, out, sizeof out), 70000);
    answer_free(&answer);
    /* As it is: who does not ask, what is small, of another type, or packed already. */
    ask(gateway.port, GET("/text/5000"), &answer);
    assert_header(&answer, "content-encoding", NULL);
    assert_header(&answer, "vary", "accept-encoding");
    assert_header(&answer, "etag", "\"v1\"");
    assert_int_equal(answer.body_size, 5000);
    answer_free(&answer);
    static const char *const plain[] = {"/text/1000", "/size/5000"};
    for (unsigned i = 0; i < 2; i++) {
        ask_gzip("GET", plain[i], &answer);
        assert_header(&answer, "content-encoding", NULL);
        assert_int_equal(answer.body_size, strtoul(plain[i] + 6, NULL, 10));
        answer_free(&answer);
    }
    ask_gzip("GET", "/packed", &answer);
    assert_header(&answer, "content-encoding", "gzip");
    assert_string_equal(answer.body, "packed");
    answer_free(&answer);
    struct visitor visitor;
    visitor_open(&visitor, gateway.port);
    write_text(visitor.fd,
               "HEAD /text/5000 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
               "GET /text/5000 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    visitor_read(&visitor, true, &answer);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    visitor_read(&visitor, false, &answer);
    assert_header(&answer, "content-encoding", "gzip");
    answer_free(&answer);
    visitor_close(&visitor);
    gateway_stop(&gateway);
}

static void an_event_does_not_wait_for_the_next(void **state)
{
    char out[64];
    struct visitor visitor;
    (void)state;
    gateway_start(&gateway, yaml_of("  service: first\n  compress: {minBytes: 0B}\n"));
    visitor_open(&visitor, gateway.port);
    write_text(visitor.fd,
               "GET /events HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    size_t got = 0;
    while (got < 5) {
        assert_true(visitor_fill(&visitor));
        char *body = memmem(visitor.buffer, visitor.size, "\r\n\r\n", 4);
        char *line =
            body == NULL
                ? NULL
                : memmem(body + 4, visitor.size - (size_t)(body + 4 - visitor.buffer),
                         "\r\n", 2);
        if (line == NULL)
            continue;
        struct answer answer = {.body = line + 2};
        answer.body_size = visitor.size - (size_t)(answer.body - visitor.buffer);
        size_t chunk = strtoul(body + 4, NULL, 16);
        if (answer.body_size < chunk)
            continue;
        answer.body_size = chunk;
        got = unpacked_size(&answer, out, sizeof out);
    }
    assert_memory_equal(out, "first", 5);
    visitor_close(&visitor);
    gateway_stop(&gateway);
}

/* ---- memory ---- */

/* Objects and blocks that the worker has made so far. Looked at while it is quiet. */
static uint64_t made(void)
{
    return gateway.worker->allocated + gateway.worker->blocks.allocated;
}

static void a_warm_worker_makes_nothing_new(void **state)
{
    static const char all[] = "POST /text/20000 HTTP/1.1\r\nHost: a\r\nX-User: u\r\n"
                              "Origin: https://shop.example\r\nAccept-Encoding: gzip\r\n"
                              "Content-Length: 5\r\n\r\nhello";
    struct visitor visitor;
    struct answer answer;
    uint64_t warm = 0;
    (void)state;
    gateway_start(&gateway,
                  yaml_of("  split: [{service: first, weight: 1}]\n  splitBy: cookie\n"
                          "  mirror: {service: second}\n  compress: {}\n"
                          "  bulkhead: {inFlight: 4}\n"
                          "  cors: {origins: [\"https://shop.example\"]}\n"));
    visitor_open(&visitor, gateway.port);
    unsigned before = two.requests;
    for (unsigned i = 1; i <= 300; i++) {
        write_all(visitor.fd, all, sizeof all - 1);
        visitor_read(&visitor, false, &answer);
        assert_int_equal(answer.status, 200);
        assert_header(&answer, "content-encoding", "gzip");
        answer_free(&answer);
        eventually(two.requests == before + i); /* one copy at a time */
        if (i == 100)
            warm = made();
    }
    /* Nothing per request; two copies under way at once may come late. */
    assert_in_range(made() - warm, 0, 10);
    visitor_close(&visitor);
    gateway_stop(&gateway);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_preflight_is_answered_for_the_call_it_asks_for),
        cmocka_unit_test(answers_may_be_read_by_allowed_origins),
        cmocka_unit_test(a_closed_route_says_when_to_come_back),
        cmocka_unit_test(another_service_helps_out),
        cmocka_unit_test(a_route_has_an_answer_of_its_own),
        cmocka_unit_test(a_copy_goes_to_the_mirror),
        cmocka_unit_test(whatever_the_mirror_does_the_client_is_served),
        cmocka_unit_test(what_is_too_large_is_not_copied),
        cmocka_unit_test(what_may_become_a_tunnel_is_not_copied),
        cmocka_unit_test(a_share_of_requests_is_copied),
        cmocka_unit_test(text_is_compressed_for_who_takes_it),
        cmocka_unit_test(an_event_does_not_wait_for_the_next),
        cmocka_unit_test(a_warm_worker_makes_nothing_new),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
