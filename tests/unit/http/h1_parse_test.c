/* The head parser by a table: each input in one piece, byte by byte in memory that
 * moves, and cut in two at every place, must get the same answer. */
#include "http/h1_parse.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEADERS 20

static const struct h1_limits limits = {.head_bytes = 2048, .target_bytes = 512};

struct row {
    struct slice input;
    enum h1_result result;
};
#define ROW(text, result)                \
    {                                    \
        {text, sizeof(text) - 1}, result \
    }
/* A whole GET with these header lines beside Host; a POST likewise. */
#define GET(lines, result)  ROW("GET / HTTP/1.1\r\nHost: a\r\n" lines "\r\n", result)
#define POST(lines, result) ROW("POST / HTTP/1.1\r\nHost: a\r\n" lines "\r\n", result)
#define LINE(line, result)  ROW(line "\r\nHost: a\r\n\r\n", result)
#define HOST(lines, result) ROW("GET / HTTP/1.1\r\n" lines "\r\n", result)

static const struct row request_rows[] = {
    GET("", H1_DONE),
    /* Content-Length with Transfer-Encoding, either order. */
    POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", H1_BAD),
    POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", H1_BAD),
    /* Transfer-Encoding other than exactly chunked. */
    POST("Transfer-Encoding: chunked\r\n", H1_DONE),
    POST("Transfer-Encoding: ChunKed\r\n", H1_DONE),
    POST("transfer-encoding:chunked \t\r\n", H1_DONE),
    POST("Transfer-Encoding: xchunked\r\n", H1_NOT_IMPLEMENTED),
    POST("Transfer-Encoding: identity\r\n", H1_NOT_IMPLEMENTED),
    POST("Transfer-Encoding: gzip\r\n", H1_NOT_IMPLEMENTED),
    POST("Transfer-Encoding: chunked,identity\r\n", H1_BAD),
    POST("Transfer-Encoding: cow,chunked\r\n", H1_BAD),
    POST("Transfer-Encoding: cow, chunked\r\n", H1_BAD),
    POST("Transfer-Encoding: chunked, chunked\r\n", H1_BAD),
    POST("Transfer-Encoding: \"chunked\"\r\n", H1_BAD),
    POST("Transfer-Encoding: chunked;q=1\r\n", H1_BAD),
    POST("Transfer-Encoding: \vchunked\r\n", H1_BAD),
    POST("Transfer-Encoding: chunked\v\r\n", H1_BAD),
    POST("Transfer-Encoding: \fchunked\r\n", H1_BAD),
    POST("Transfer-Encoding: chunked\f\r\n", H1_BAD),
    POST("Transfer-Encoding: chunked\0\r\n", H1_BAD),
    POST("Transfer-Encoding: \xa0"
         "chunked\r\n",
         H1_BAD),
    POST("Transfer-Encoding: \x85"
         "chunked\r\n",
         H1_BAD),
    POST("Transfer-Encoding: chun\xe2\x84\xaa"
         "ed\r\n",
         H1_BAD), /* U+212A */
    POST("Transfer-Encoding: ,chunked\r\n", H1_BAD),
    POST("Transfer-Encoding: chunked,\r\n", H1_BAD),
    POST("Transfer-Encoding:\r\n", H1_BAD),
    POST("Transfer-Encoding: \r\n", H1_BAD),
    POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", H1_BAD),
    POST("Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n", H1_BAD),
    POST("Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", H1_BAD),
    POST("X: y\r\n Transfer-Encoding: chunked\r\n", H1_BAD),
    ROW("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", H1_BAD),
    /* Content-Length. */
    POST("Content-Length: 5\r\n", H1_DONE),
    POST("Content-Length: 0\r\n", H1_DONE),
    POST("Content-Length: 5\r\nContent-Length: 6\r\n", H1_BAD),
    POST("Content-Length: 5\r\nContent-Length: 5\r\n", H1_BAD),
    POST("Content-Length: 5, 6\r\n", H1_BAD),
    POST("Content-Length: 5, 5\r\n", H1_BAD),
    POST("Content-Length: 5,\r\n", H1_BAD),
    POST("Content-Length: +5\r\n", H1_BAD),
    POST("Content-Length: -5\r\n", H1_BAD),
    POST("Content-Length: 0x5\r\n", H1_BAD),
    POST("Content-Length: 5a\r\n", H1_BAD),
    POST("Content-Length: 5.0\r\n", H1_BAD),
    POST("Content-Length: 1_0\r\n", H1_BAD),
    POST("Content-Length: 5e0\r\n", H1_BAD),
    POST("Content-Length: \"5\"\r\n", H1_BAD),
    POST("Content-Length: 5 5\r\n", H1_BAD),
    POST("Content-Length:\r\n", H1_BAD),
    POST("Content-Length: \v5\r\n", H1_BAD),
    POST("Content-Length: \xa0"
         "5\r\n",
         H1_BAD),
    POST("Content-Length: 18446744073709551621\r\n", H1_BAD), /* 2^64 + 5 */
    POST("Content-Length: 9223372036854775808\r\n", H1_BAD),  /* 2^63 */
    POST("Content-Length: 9223372036854775807\r\n", H1_DONE),
    POST("Content-Length:\r\nContent-Length: 5\r\n", H1_BAD), /* CVE-2023-40225 */
    POST("Content-Length: 5\r\nContent-Length:\r\n", H1_BAD),
    /* Field lines. */
    GET("X : y\r\n", H1_BAD),
    GET("X\t: y\r\n", H1_BAD),
    GET("X\r\n", H1_BAD),
    GET(": y\r\n", H1_BAD),
    GET("X(: y\r\n", H1_BAD),
    GET("X\x80: y\r\n", H1_BAD),
    GET("X Y: z\r\n", H1_BAD),
    GET("\"X\": z\r\n", H1_BAD),
    GET("X!#$%&'*+-.^_`|~09: z\r\n", H1_DONE),
    GET("X: y\r\n folded\r\n", H1_BAD),
    GET("X: y\r\n\tfolded\r\n", H1_BAD),
    GET("X: y\r\n \r\n", H1_BAD),
    ROW("GET / HTTP/1.1\r\n Host: a\r\n\r\n", H1_BAD),
    ROW("GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n", H1_BAD),
    GET("X:\r\n", H1_DONE),
    GET("X:y\r\n", H1_DONE),
    GET("X: a b\tc\xff\r\n", H1_DONE),
    /* NUL, bare CR, other controls, anywhere. */
    GET("X: y\0z\r\n", H1_BAD),
    GET("X\0: y\r\n", H1_BAD),
    GET("X: y\rz\r\n", H1_BAD),
    GET("X:\rTransfer-Encoding: chunked\r\n", H1_BAD),
    GET("X: y\r\r\n", H1_BAD),
    GET("X: y\x7fz\r\n", H1_BAD),
    GET("X: y\x1bz\r\n", H1_BAD),
    GET("X: abcdefghijklm\x01nopqrstuvwxyz\r\n", H1_BAD),
    LINE("GET /\0 HTTP/1.1", H1_BAD),
    LINE("GET /\r HTTP/1.1", H1_BAD),
    LINE("G\0T / HTTP/1.1", H1_BAD),
    /* Bare LF ends a line. */
    ROW("GET / HTTP/1.1\nHost: a\r\n\r\n", H1_BAD),
    ROW("GET / HTTP/1.1\nHost: a\n\n", H1_BAD),
    ROW("GET / HTTP/1.1\r\nHost: a\n\r\n", H1_BAD),
    ROW("GET / HTTP/1.1\r\nHost: a\r\n\n", H1_BAD),
    ROW("GET / HTTP/1.1\r\nHost: a\r\n\rX", H1_BAD),
    ROW("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", H1_BAD),
    /* Host. */
    HOST("", H1_BAD),
    HOST("Host:\r\n", H1_BAD),
    HOST("Host: a\r\nHost: a\r\n", H1_BAD),
    HOST("Host: a\r\nHost: b\r\n", H1_BAD),
    HOST("Host: a/b\r\n", H1_BAD),
    HOST("Host: a b\r\n", H1_BAD),
    HOST("Host: a@b\r\n", H1_BAD),
    HOST("Host: a, b\r\n", H1_BAD),
    HOST("Host: a,b\r\n", H1_BAD),
    HOST("Host: a:\r\n", H1_BAD),
    HOST("Host: a:x\r\n", H1_BAD),
    HOST("Host: a:0\r\n", H1_BAD),
    HOST("Host: a:65536\r\n", H1_BAD),
    HOST("Host: a:1:2\r\n", H1_BAD),
    HOST("Host: a:+1\r\n", H1_BAD),
    HOST("Host: a#b\r\n", H1_BAD),
    HOST("Host: a?b\r\n", H1_BAD),
    HOST("Host: a\r\n b\r\n", H1_BAD),
    HOST("Host: a%2eb\r\n", H1_BAD),
    HOST("Host: \xc3\xbc\r\n", H1_BAD),
    HOST("Host: [::1\r\n", H1_BAD),
    HOST("Host: [::1]x\r\n", H1_BAD),
    HOST("Host: [::1%25lo]\r\n", H1_BAD),
    HOST("Host: http://a\r\n", H1_BAD),
    HOST("Host: a.example:65535\r\n", H1_DONE),
    HOST("Host: 127.0.0.1:80\r\n", H1_DONE),
    HOST("Host: [::1]:80\r\n", H1_DONE),
    ROW("GET / HTTP/1.0\r\n\r\n", H1_DONE),
    ROW("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", H1_BAD),
    /* Targets. */
    LINE("GET http://a/x HTTP/1.1", H1_DONE),
    LINE("GET HTTP://A:80/x HTTP/1.1", H1_DONE),
    LINE("GET https://a:443/x HTTP/1.1", H1_DONE),
    LINE("GET http://a?x HTTP/1.1", H1_DONE),
    LINE("GET http://b/x HTTP/1.1", H1_BAD),
    LINE("GET http://a:81/x HTTP/1.1", H1_BAD),
    LINE("GET http://u@a/x HTTP/1.1", H1_BAD),
    LINE("GET http:///x HTTP/1.1", H1_BAD),
    LINE("GET ftp://a/x HTTP/1.1", H1_BAD),
    LINE("GET http:a HTTP/1.1", H1_BAD),
    LINE("GET a:80 HTTP/1.1", H1_BAD),
    LINE("GET a HTTP/1.1", H1_BAD),
    LINE("GET * HTTP/1.1", H1_BAD),
    LINE("OPTIONS * HTTP/1.1", H1_DONE),
    LINE("OPTIONS *x HTTP/1.1", H1_BAD),
    LINE("CONNECT a:80 HTTP/1.1", H1_CONNECT),
    LINE("CONNECT / HTTP/1.1", H1_CONNECT),
    LINE("GET /a#b HTTP/1.1", H1_BAD),
    LINE("GET /\xc3\xbc HTTP/1.1", H1_BAD),
    LINE("GET /a b HTTP/1.1", H1_BAD),
    LINE("GET /a\tb HTTP/1.1", H1_BAD),
    LINE("GET //evil.example/x HTTP/1.1", H1_DONE),
    LINE("GET /0123456789abcdef\x7f HTTP/1.1", H1_BAD),
    /* Start lines. */
    LINE("GET  / HTTP/1.1", H1_BAD),
    LINE("GET /  HTTP/1.1", H1_BAD),
    LINE("GET / HTTP/1.1 ", H1_BAD),
    LINE(" GET / HTTP/1.1", H1_BAD),
    LINE("GET\t/\tHTTP/1.1", H1_BAD),
    LINE("GET", H1_BAD),
    LINE("GET /", H1_BAD), /* 0.9 */
    LINE("GET / ", H1_BAD),
    LINE("G(T / HTTP/1.1", H1_BAD),
    LINE("get / HTTP/1.1", H1_DONE), /* a method of its own */
    LINE("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1", H1_DONE),
    LINE("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1", H1_NOT_IMPLEMENTED),
    LINE("GET / HTTP/2.0", H1_VERSION),
    LINE("GET / HTTP/1.2", H1_VERSION),
    LINE("GET / HTTP/0.9", H1_VERSION),
    LINE("GET / HTTP/1.32", H1_BAD),
    LINE("GET / http/1.1", H1_BAD),
    LINE("GET / HTTP/1.", H1_BAD),
    LINE("GET / HTTP/11", H1_BAD),
    LINE("GET / HTTPS/1.1", H1_BAD),
    LINE("GET / HTTP /1.1", H1_BAD),
    LINE("GET / HTTP/+1.1", H1_BAD),
    ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", H1_VERSION),
    ROW("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", H1_DONE),
    ROW("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", H1_BAD),
    ROW("\x16\x03\x01\x02", H1_BAD), /* TLS */
    ROW("GET / HTTP/1.1\r\nHost: a\r\n", H1_MORE),
    ROW("", H1_MORE),
    /* Connection. */
    GET("Connection: close, \"x\"\r\n", H1_BAD),
    GET("Connection: a b\r\n", H1_BAD),
    GET("Connection: ,, close ,\r\n", H1_DONE),
};

static struct http_header headers[HEADERS];
static struct http_message message;
static struct h1_parse parse;

static enum h1_result parse_any(struct slice data, int method)
{
    return method < 0 ? h1_parse_request(&parse, &message, data, &limits)
                      : h1_parse_response(&parse, &message, data, &limits,
                                          (enum http_method)method);
}

/* What a message says, as text, so that two can be compared. */
static char *describe(void)
{
    static char texts[2][16384];
    static int turn;
    char *text = texts[turn ^= 1];
    int n = snprintf(
        text, 4096, "%u %u [%.*s] [%.*s] [%.*s] [%.*s] %zu %u [%.*s] %u %u %d%d%d%d%d %llu",
        message.method, message.target_form, SLICE_ARG(message.method_name),
        SLICE_ARG(message.target), SLICE_ARG(message.path), SLICE_ARG(message.query),
        message.head_size, message.status, SLICE_ARG(message.reason), message.minor,
        message.framing, message.has_length, message.keep_alive, message.upgrade,
        message.expect_continue, message.te_trailers,
        (unsigned long long)message.content_length);
    for (size_t i = 0; i < message.header_count; i++)
        n += snprintf(text + n, sizeof texts[0] - (size_t)n, "\n%.*s=%.*s %u %u",
                      SLICE_ARG(message.headers[i].name),
                      SLICE_ARG(message.headers[i].value), message.headers[i].id,
                      message.headers[i].flags);
    return text;
}

/* Feeds data in pieces of `step` bytes, each time in fresh memory of exact size. */
static enum h1_result parse_in_pieces(struct slice data, size_t first, size_t step,
                                      int method, char **ret_memory)
{
    enum h1_result result = H1_MORE;
    char *memory = NULL;
    h1_parse_init(&parse, &message, headers, HEADERS);
    for (size_t size = first; result == H1_MORE && size <= data.size; size += step) {
        char *next = malloc(size + 1);
        memcpy(next, data.data, size);
        result = parse_any(slice_of(next, size), method);
        free(memory);
        memory = next;
    }
    *ret_memory = memory;
    return result;
}

static void check(struct slice input, enum h1_result wanted, int method)
{
    char *memory;
    h1_parse_init(&parse, &message, headers, HEADERS);
    enum h1_result result = parse_any(input, method);
    if (result != wanted)
        print_error("input '%.*s' gave %d, wanted %d\n", SLICE_ARG(input), result, wanted);
    assert_int_equal(result, wanted);
    char *whole = describe();

    assert_int_equal(parse_in_pieces(input, 0, 1, method, &memory), wanted);
    if (wanted == H1_DONE)
        assert_string_equal(describe(), whole);
    free(memory);
    for (size_t cut = 0; cut < input.size && wanted == H1_DONE && input.size < 200; cut++) {
        assert_int_equal(parse_in_pieces(input, cut, input.size - cut, method, &memory),
                         wanted);
        assert_string_equal(describe(), whole);
        free(memory);
    }
}

static void requests_get_the_answer_of_the_table_however_they_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof request_rows / sizeof *request_rows; i++)
        check(request_rows[i].input, request_rows[i].result, -1);
}

#define RESPONSE(lines, result) ROW("HTTP/1.1 200 OK\r\n" lines "\r\n", result)

static const struct row response_rows[] = {
    RESPONSE("", H1_DONE),
    RESPONSE("Content-Length: 5\r\n", H1_DONE),
    RESPONSE("Content-Length: 5\r\nContent-Length: 5\r\n", H1_BAD),
    RESPONSE("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", H1_BAD),
    RESPONSE("Transfer-Encoding: chunked\r\n", H1_DONE),
    RESPONSE("Transfer-Encoding: gzip, chunked\r\n", H1_BAD),
    RESPONSE("Transfer-Encoding: gzip\r\n", H1_NOT_IMPLEMENTED),
    RESPONSE("X: y\r\n z\r\n", H1_BAD),
    RESPONSE("X : y\r\n", H1_BAD),
    RESPONSE("X: y\n", H1_BAD),
    ROW("HTTP/1.1 200\r\n\r\n", H1_DONE),
    ROW("HTTP/1.1 200 \r\n\r\n", H1_DONE),
    ROW("HTTP/1.1 200 gr\xc3\xbc\xc3\x9f\r\n\r\n", H1_DONE),
    ROW("HTTP/1.1 200 a\rb\r\n\r\n", H1_BAD),
    ROW("HTTP/1.1 200 a\0b\r\n\r\n", H1_BAD),
    ROW("HTTP/1.1 200 OK\n\r\n", H1_BAD),
    ROW("HTTP/1.1 20 OK\r\n\r\n", H1_BAD),
    ROW("HTTP/1.1 2000 OK\r\n\r\n", H1_BAD),
    ROW("HTTP/1.1 099 OK\r\n\r\n", H1_BAD),
    ROW("HTTP/1.1 600 OK\r\n\r\n", H1_BAD),
    ROW("HTTP/1.1 +20 OK\r\n\r\n", H1_BAD),
    ROW("HTTP/1.1  200 OK\r\n\r\n", H1_BAD),
    ROW("HTTP/2.0 200 OK\r\n\r\n", H1_VERSION),
    ROW("ICY 200 OK\r\n\r\n", H1_BAD),
    ROW("\r\nHTTP/1.1 200 OK\r\n\r\n", H1_BAD),
    ROW("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", H1_BAD),
    ROW("HTTP/1.1 100 Continue\r\n\r\n", H1_DONE),
    ROW("HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n", H1_BAD),
    ROW("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", H1_DONE),
    ROW("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", H1_BAD),
    ROW("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", H1_BAD),
    ROW("HTTP/1.1 200 OK\r\n", H1_MORE),
    ROW("HTTP/1.1 20", H1_MORE),
};

static void responses_get_the_answer_of_the_table_however_they_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof response_rows / sizeof *response_rows; i++)
        check(response_rows[i].input, response_rows[i].result, HTTP_METHOD_GET);
}

static enum h1_result request(const char *text)
{
    h1_parse_init(&parse, &message, headers, HEADERS);
    return h1_parse_request(&parse, &message, slice_from_string(text), &limits);
}

static void response(const char *text, enum http_method method)
{
    h1_parse_init(&parse, &message, headers, HEADERS);
    assert_int_equal(
        h1_parse_response(&parse, &message, slice_from_string(text), &limits, method),
        H1_DONE);
}

static void assert_slice(struct slice s, const char *text)
{
    if (!slice_equal(s, slice_from_string(text)))
        print_error("'%.*s' is not '%s'\n", SLICE_ARG(s), text);
    assert_true(slice_equal(s, slice_from_string(text)));
}

static void a_request_is_taken_apart(void **state)
{
    (void)state;
    assert_int_equal(
        request("PUT http://Shop.example:80/a/b?c=d HTTP/1.1\r\nhost: shop.EXAMPLE\r\n"
                "X-Custom:  v w \t\r\ncontent-length: 12\r\nExpect: 100-Continue\r\n"
                "X_Forwarded_For: 1.2.3.4\r\nTE: gzip;q=1, trailers\r\n\r\nbody"),
        H1_DONE);
    assert_int_equal(message.method, HTTP_METHOD_PUT);
    assert_int_equal(message.target_form, HTTP_TARGET_ABSOLUTE);
    assert_slice(message.path, "/a/b");
    assert_slice(message.query, "c=d");
    assert_slice(message.host, "shop.EXAMPLE");
    assert_int_equal(message.framing, HTTP_FRAMING_LENGTH);
    assert_int_equal(message.content_length, 12);
    assert_true(message.keep_alive);
    assert_true(message.expect_continue);
    assert_true(message.te_trailers);
    assert_int_equal(message.header_count, 6);
    assert_slice(message_find(&message, SLICE("x-custom"), NULL)->value, "v w");
    assert_int_equal(message.headers[4].flags, HTTP_HEADER_UNDERSCORE);
    assert_slice(message_value(&message, HTTP_HEADER_CONTENT_LENGTH), "12");
    assert_null(message_value(&message, HTTP_HEADER_COOKIE).data);

    assert_int_equal(request("GET /? HTTP/1.1\r\nHost: a\r\n\r\n"), H1_DONE);
    assert_non_null(message.query.data);
    assert_int_equal(message.query.size, 0);
    assert_int_equal(request("GET http://a HTTP/1.0\r\n\r\n"), H1_DONE);
    assert_null(message.query.data);
    assert_slice(message.path, "/");
    assert_slice(message.host, "a");
    assert_int_equal(request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), H1_DONE);
    assert_int_equal(message.target_form, HTTP_TARGET_ASTERISK);
    assert_slice(message.path, "*");
}

static void fields_named_by_connection_are_marked_and_framing_is_kept(void **state)
{
    (void)state;
    assert_int_equal(
        request("POST / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1\r\nx-foo: 2\r\n"
                "X-Bar: 3\r\nContent-Length: 4\r\nConnection: X-Forwarded-For , Host,\r\n"
                "Connection: Content-Length,X-FOO\r\nKeep-Alive: 5\r\n\r\n"),
        H1_DONE);
    static const unsigned flags[] = {1, 1, 1, 0, 1, 1, 1, 1};
    for (size_t i = 0; i < message.header_count; i++)
        assert_int_equal(message.headers[i].flags, flags[i]);
    assert_slice(message.host, "a");
    assert_int_equal(message.framing, HTTP_FRAMING_LENGTH);
    assert_int_equal(message.content_length, 4);
}

static void keeping_alive_follows_version_and_connection(void **state)
{
    (void)state;
    request("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n");
    assert_false(message.keep_alive);
    request("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n");
    assert_false(message.keep_alive);
    request("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    assert_false(message.keep_alive);
    request("GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n");
    assert_true(message.keep_alive);
    request(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_true(message.upgrade);
    request("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n");
    assert_false(message.upgrade);
    request(
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_false(message.upgrade);
}

static void responses_are_framed_by_status_and_method(void **state)
{
    (void)state;
    response("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", HTTP_METHOD_GET);
    assert_int_equal(message.framing, HTTP_FRAMING_LENGTH);
    assert_true(message.keep_alive);
    response("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", HTTP_METHOD_HEAD);
    assert_int_equal(message.framing, HTTP_FRAMING_NONE);
    assert_true(message.has_length && message.content_length == 7);
    response("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", HTTP_METHOD_GET);
    assert_int_equal(message.framing, HTTP_FRAMING_NONE);
    assert_true(message.keep_alive);
    response("HTTP/1.1 204 No Content\r\n\r\n", HTTP_METHOD_GET);
    assert_int_equal(message.framing, HTTP_FRAMING_NONE);
    response("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", HTTP_METHOD_POST);
    assert_int_equal(message.framing, HTTP_FRAMING_CHUNKED);
    response("HTTP/1.1 200 Fine thing\r\n\r\n", HTTP_METHOD_GET);
    assert_int_equal(message.framing, HTTP_FRAMING_UNTIL_CLOSE);
    assert_false(message.keep_alive);
    assert_slice(message.reason, "Fine thing");
    response("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", HTTP_METHOD_GET);
    assert_int_equal(message.framing, HTTP_FRAMING_NONE);
    assert_false(message.keep_alive);
    response(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        HTTP_METHOD_GET);
    assert_true(message.upgrade);
    assert_int_equal(message.framing, HTTP_FRAMING_NONE);
}

/* "GET /aaa HTTP/1.1" with a target of `target` bytes and `lines` after Host. */
static struct slice long_request(size_t target, const char *lines)
{
    static char text[8192];
    char path[4096];
    memset(path, 'a', sizeof path);
    path[0] = '/';
    int size = snprintf(text, sizeof text, "GET %.*s HTTP/1.1\r\nHost: a\r\n%s\r\n",
                        (int)target, path, lines);
    return slice_of(text, (size_t)size);
}

static void limits_have_answers_of_their_own(void **state)
{
    char lines[4096];
    (void)state;
    check(long_request(512, ""), H1_DONE, -1);
    check(long_request(513, ""), H1_TARGET_TOO_LONG, -1);
    check(long_request(1500, ""), H1_TARGET_TOO_LONG, -1);
    check(long_request(4000, ""), H1_TARGET_TOO_LONG, -1);
    check(slice_sub(long_request(4000, ""), 0, 1000), H1_TARGET_TOO_LONG, -1);

    /* Host makes one more: 19 others fit. */
    lines[0] = '\0';
    for (int i = 0; i < 19; i++)
        strcat(lines, "a: b\r\n");
    check(long_request(1, lines), H1_DONE, -1);
    strcat(lines, "a: b\r\n");
    check(long_request(1, lines), H1_HEADER_TOO_LARGE, -1);

    /* Exactly the limit of bytes, and one more. */
    for (size_t extra = 0; extra < 2; extra++) {
        size_t size = limits.head_bytes - long_request(1, "a: \r\n").size + extra;
        memset(lines, 'x', sizeof lines);
        memcpy(lines, "a: ", 3);
        memcpy(lines + 3 + size, "\r\n", 3);
        check(long_request(1, lines), extra == 0 ? H1_DONE : H1_HEADER_TOO_LARGE, -1);
    }
    /* Without any line end. */
    memset(lines, 'x', 3000);
    lines[0] = 'a';
    lines[1] = ':';
    lines[3000] = '\0';
    check(long_request(1, lines), H1_HEADER_TOO_LARGE, -1);
}

static void connection_options_are_bounded(void **state)
{
    char lines[1024] = "Connection: ";
    (void)state;
    for (int i = 0; i < 64; i++)
        strcat(lines, "a,");
    strcat(lines, "\r\n");
    check(long_request(1, lines), H1_DONE, -1);
    strcpy(lines + strlen(lines) - 2, "b\r\n");
    check(long_request(1, lines), H1_BAD, -1);
}

static void pipelined_bytes_are_left_alone(void **state)
{
    const char *text =
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
    (void)state;
    assert_int_equal(request(text), H1_DONE);
    assert_slice(message.path, "/1");
    assert_int_equal(request(text + message.head_size), H1_DONE);
    assert_slice(message.path, "/2");
}

static void results_map_to_the_contract(void **state)
{
    (void)state;
    assert_int_equal(h1_result_http_status(H1_BAD), 400);
    assert_string_equal(h1_result_reason(H1_BAD), "bad_request");
    assert_int_equal(h1_result_http_status(H1_CONNECT), 405);
    assert_string_equal(h1_result_reason(H1_CONNECT), "method_not_allowed");
    assert_int_equal(h1_result_http_status(H1_TARGET_TOO_LONG), 414);
    assert_int_equal(h1_result_http_status(H1_HEADER_TOO_LARGE), 431);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_get_the_answer_of_the_table_however_they_come),
        cmocka_unit_test(responses_get_the_answer_of_the_table_however_they_come),
        cmocka_unit_test(a_request_is_taken_apart),
        cmocka_unit_test(fields_named_by_connection_are_marked_and_framing_is_kept),
        cmocka_unit_test(keeping_alive_follows_version_and_connection),
        cmocka_unit_test(responses_are_framed_by_status_and_method),
        cmocka_unit_test(limits_have_answers_of_their_own),
        cmocka_unit_test(connection_options_are_bounded),
        cmocka_unit_test(pipelined_bytes_are_left_alone),
        cmocka_unit_test(results_map_to_the_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
