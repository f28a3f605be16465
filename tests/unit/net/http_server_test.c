/* The HTTP server of the control side: what comes back for what is sent, in raw
 * bytes; answers late, out of order, in pieces, and clients that go away. */
#include "net/http_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/net/cast.h"

#include <stdio.h>

#define WAITING_MAX 32

struct client {
    struct stream *stream;
    struct buffer got;
    bool opened;
    bool ended;
    bool failed;
    bool closed;
};

static uv_loop_t loop;
static struct http_server *server;
static struct http_server_config config;
static struct client client;
static struct cast cast;
static char where[ADDRESS_TEXT_SIZE];
static bool server_closed;

/* What the handler saw last, and calls to /later that wait. */
static char seen_path[256];
static char seen_query[64];
static char seen_body[256];
static char seen_field[64];
static char seen_admin[64];
static enum stream_transport seen_transport;
static unsigned seen_count;
static struct http_call *waiting[WAITING_MAX];
static unsigned waiting_count;
static unsigned gone_count;
static unsigned drain_count;

static void on_gone(struct http_call *call)
{
    assert_true(call->is_gone);
    gone_count++;
}

static void on_call_drain(struct http_call *call)
{
    (void)call;
    drain_count++;
}

static void copy(char *out, size_t size, struct slice s)
{
    snprintf(out, size, "%.*s", SLICE_ARG(s));
}

static void handle(struct http_call *call, void *owner)
{
    const struct http_field fields[] = {{SLICE("content-type"), SLICE("text/plain")},
                                        {SLICE("Bad"), SLICE("a\r\nInjected: b")}};
    assert_ptr_equal(owner, &server);
    seen_count++;
    copy(seen_path, sizeof seen_path, call->path);
    copy(seen_query, sizeof seen_query, call->query);
    copy(seen_body, sizeof seen_body, call->body);
    copy(seen_field, sizeof seen_field, http_call_field(call, SLICE("x-TEST")));
    snprintf(seen_admin, sizeof seen_admin, "%s", call->identity->name);
    seen_transport = call->transport;
    if (slice_equal(call->path, SLICE("/later"))) {
        assert_true(waiting_count < WAITING_MAX);
        call->on_gone = on_gone;
        call->on_drain = on_call_drain;
        waiting[waiting_count++] = call;
        return;
    }
    if (slice_equal(call->path, SLICE("/error"))) {
        struct error err;
        error_set(&err, GW_NO_QUORUM, "only %d of 3 \"answer\"", 1);
        http_server_reply_error(call, &err);
        return;
    }
    http_server_reply(call, 200, fields, 2, call->path);
}

static void on_open(struct stream *stream, void *owner)
{
    (void)stream;
    ((struct client *)owner)->opened = true;
}

static void on_data(struct stream *stream, struct slice data, void *owner)
{
    (void)stream;
    assert_true(buffer_append_slice(&((struct client *)owner)->got, data));
}

static void on_end(struct stream *stream, void *owner)
{
    (void)stream;
    ((struct client *)owner)->ended = true;
}

static void on_error(struct stream *stream, const struct error *err, void *owner)
{
    (void)stream, (void)err;
    ((struct client *)owner)->failed = true;
}

static void on_closed(void *owner)
{
    ((struct client *)owner)->closed = true;
}

static void on_server_closed(void *owner)
{
    (void)owner;
    server_closed = true;
}

static const struct stream_events events = {on_open, on_data, on_end, on_error, NULL};

static int begin(void **state)
{
    (void)state;
    uv_loop_init(&loop);
    server = NULL;
    server_closed = false;
    seen_count = waiting_count = gone_count = drain_count = 0;
    config = (struct http_server_config){.handler = handle,
                                         .owner = &server,
                                         .body_limit = 1000,
                                         .server_name = "test",
                                         .pipeline_limit = 4};
    return 0;
}

static void serve(struct tls_context *tls)
{
    struct error err;
    int fd = cast_listen(where);
    assert_int_equal(http_server_open(&loop, &config, &server, &err), GW_OK);
    assert_int_equal(http_server_listen(server, fd, tls, &err), GW_OK);
    tls_context_unref(tls);
}

static void dial(struct client *c, struct tls_context *tls)
{
    struct stream_options options = {.tls = tls};
    struct error err;
    *c = (struct client){0};
    buffer_init(&c->got, 0);
    assert_int_equal(stream_connect(&loop, slice_from_string(where), &options, &events, c,
                                    &c->stream, &err),
                     GW_OK);
    cast_until(&loop, c->opened || c->failed);
    tls_context_unref(tls);
}

static void hang_up(struct client *c)
{
    stream_close(c->stream, on_closed);
    cast_until(&loop, c->closed);
    buffer_deinit(&c->got);
    c->stream = NULL;
}

static void start(void)
{
    serve(NULL);
    dial(&client, NULL);
}

static int finish(void **state)
{
    (void)state;
    if (client.stream != NULL)
        hang_up(&client);
    http_server_close(server, on_server_closed, NULL);
    cast_until(&loop, server_closed);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

static void say(const char *text)
{
    assert_int_equal(stream_write(client.stream, slice_from_string(text)), GW_OK);
}

static bool has(const char *text)
{
    return slice_find(buffer_slice(&client.got), slice_from_string(text)) != SIZE_MAX;
}

static unsigned times(const char *text)
{
    struct slice rest = buffer_slice(&client.got);
    unsigned count = 0;
    for (size_t at; (at = slice_find(rest, slice_from_string(text))) != SIZE_MAX; count++)
        rest = slice_from(rest, at + 1);
    return count;
}

static void a_request_comes_whole_and_is_answered(void **state)
{
    (void)state;
    start();
    say("POST /v1/apply?dryRun=a%20b&x HTTP/1.1\r\nHost: h\r\nX-Test: yes\r\n"
        "Content-Length: 5\r\n\r\nhello");
    cast_until(&loop, has("/v1/apply"));
    assert_string_equal(seen_path, "/v1/apply");
    assert_string_equal(seen_query, "dryRun=a%20b&x");
    assert_string_equal(seen_body, "hello");
    assert_string_equal(seen_field, "yes");
    assert_int_equal(seen_transport, STREAM_PLAIN);
    assert_true(has("HTTP/1.1 200 OK\r\n"));
    assert_true(has("content-length: 9\r\n"));
    assert_true(has("server: test\r\n"));
    assert_true(has("date: "));
    assert_true(has("\r\n\r\n/v1/apply"));
    assert_false(has("Injected"));
    assert_false(has("connection:"));
    /* Kept alive. */
    say("GET /again HTTP/1.1\r\nHost: h\r\n\r\n");
    cast_until(&loop, has("/again"));
    assert_int_equal(http_server_counts(server)->requests, 2);
    assert_int_equal(http_server_counts(server)->connections, 1);
}

static void a_request_in_single_bytes_is_the_same(void **state)
{
    static const char text[] =
        "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        "GET /next HTTP/1.1\r\nHost: h\r\n\r\n";
    (void)state;
    start();
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        assert_int_equal(stream_write(client.stream, slice_of(text + i, 1)), GW_OK);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    cast_until(&loop, has("/next"));
    assert_int_equal(seen_count, 2);
    assert_int_equal(times("HTTP/1.1 200 OK"), 2);
}

static void a_chunked_body_is_joined(void **state)
{
    (void)state;
    start();
    say("POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    cast_until(&loop, has("/p"));
    assert_string_equal(seen_body, "abcde");
}

static void pipelined_answers_keep_the_order_of_the_requests(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < 3; i++)
        say("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    say("GET /now HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    cast_until(&loop, seen_count == 4);
    http_server_reply(waiting[2], 200, NULL, 0, SLICE("third"));
    http_server_reply(waiting[1], 200, NULL, 0, SLICE("second"));
    for (int i = 0; i < 5; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(client.got.size, 0);
    http_server_reply(waiting[0], 200, NULL, 0, SLICE("first"));
    cast_until(&loop, client.ended);
    struct slice got = buffer_slice(&client.got);
    size_t first = slice_find(got, SLICE("first"));
    size_t second = slice_find(got, SLICE("second"));
    size_t third = slice_find(got, SLICE("third"));
    size_t now = slice_find(got, SLICE("/now"));
    assert_true(first < second && second < third && third < now && now != SIZE_MAX);
    assert_int_equal(times("connection: close"), 1);
}

static void no_more_than_the_limit_of_calls_wait_in_line(void **state)
{
    (void)state;
    start();
    for (int i = 0; i < 10; i++)
        say("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    cast_until(&loop, waiting_count == 4);
    for (int i = 0; i < 10; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(waiting_count, 4);
    for (unsigned i = 0; i < 10; i++) {
        cast_until(&loop, waiting_count > i);
        http_server_reply(waiting[i], 200, NULL, 0, SLICE("x"));
    }
    cast_until(&loop, times("HTTP/1.1 200 OK") == 10);
}

static void head_has_no_body(void **state)
{
    (void)state;
    start();
    say("HEAD /secret HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    cast_until(&loop, has("/next"));
    assert_true(has("content-length: 7\r\n"));
    assert_false(has("/secret"));
}

static void errors_are_problem_documents(void **state)
{
    (void)state;
    start();
    say("GET /error HTTP/1.1\r\nHost: h\r\n\r\n");
    cast_until(&loop, has("}"));
    assert_true(has("HTTP/1.1 503 "));
    assert_true(has("content-type: application/problem+json\r\n"));
    assert_true(has("\"code\":\"no_quorum\""));
    assert_true(has("\"detail\":\"only 1 of 3 \\\"answer\\\"\""));
}

static void check_refused(const char *text, const char *status)
{
    dial(&client, NULL);
    say(text);
    cast_until(&loop, client.ended);
    if (!has(status))
        fail_msg("for %s: %.*s", text, SLICE_ARG(buffer_slice(&client.got)));
    assert_true(has("connection: close\r\n"));
    assert_int_equal(times("\r\n\r\n"), 1);
    hang_up(&client);
}

static void malformed_requests_are_answered_and_the_connection_closed(void **state)
{
    (void)state;
    serve(NULL);
    check_refused("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ");
    check_refused("GET / HTTP/1.1\nHost: h\n\n", "HTTP/1.1 400 ");
    check_refused("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
                  "Transfer-Encoding: chunked\r\n\r\nx",
                  "HTTP/1.1 400 ");
    check_refused("GET / HTTP/2.0\r\nHost: h\r\n\r\n", "HTTP/1.1 505 ");
    check_refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n",
                  "HTTP/1.1 413 ");
    check_refused("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                  "HTTP/1.1 400 ");
    assert_int_equal(seen_count, 0);
    assert_int_equal(http_server_counts(server)->requests_malformed, 6);
}

static void a_body_or_a_head_over_the_limit_is_refused(void **state)
{
    char text[40000];
    int size;

    (void)state;
    serve(NULL);
    size =
        snprintf(text, sizeof text,
                 "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n");
    memset(text + size, 'x', 1001);
    text[size + 1001] = '\0';
    check_refused(text, "HTTP/1.1 413 ");
    dial(&client, NULL);
    say(text);
    cast_until(&loop, client.ended);
    assert_true(has("{\"type\":\"urn:quorumgate:too_large\",\"title\":"));
    assert_true(has("\"status\":413,\"code\":\"too_large\",\"detail\":"));
    assert_true(has("\"errors\":[],\"revision\":null,\"changed\":[]}"));
    hang_up(&client);
    size = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
    memset(text + size, 'x', 35000);
    text[size + 35000] = '\0';
    check_refused(text, "HTTP/1.1 431 ");
}

static void expect_continue_is_answered_before_the_body(void **state)
{
    (void)state;
    start();
    say("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    cast_until(&loop, has("HTTP/1.1 100 Continue\r\n\r\n"));
    assert_int_equal(seen_count, 0);
    say("ok");
    cast_until(&loop, has("HTTP/1.1 200 OK"));
    assert_string_equal(seen_body, "ok");
}

static void answers_in_pieces_are_chunked(void **state)
{
    (void)state;
    start();
    say("GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    cast_until(&loop, seen_count == 2);
    http_server_reply_begin(waiting[0], 200, NULL, 0);
    assert_int_equal(http_server_reply_write(waiting[0], SLICE("data: 1\n\n")), GW_OK);
    cast_until(&loop, has("9\r\ndata: 1\n\n\r\n"));
    assert_true(has("transfer-encoding: chunked\r\n"));
    assert_false(has("/next"));
    assert_int_equal(http_server_reply_write(waiting[0], SLICE("x")), GW_OK);
    http_server_reply_end(waiting[0]);
    cast_until(&loop, has("/next"));
    assert_true(has("1\r\nx\r\n0\r\n\r\nHTTP/1.1 200 OK"));
}

static void to_http_1_0_the_end_of_the_connection_ends_the_answer(void **state)
{
    (void)state;
    start();
    say("GET /later HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    cast_until(&loop, seen_count == 1);
    http_server_reply_begin(waiting[0], 200, NULL, 0);
    assert_int_equal(http_server_reply_write(waiting[0], SLICE("piece")), GW_OK);
    http_server_reply_end(waiting[0]);
    cast_until(&loop, client.ended);
    assert_true(has("\r\n\r\npiece"));
    assert_false(has("chunked"));
}

static void a_slow_reader_stops_the_pieces_at_a_limit(void **state)
{
    static char piece[100000];
    unsigned sent = 0;

    (void)state;
    start();
    say("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    cast_until(&loop, seen_count == 1);
    stream_pause(client.stream);
    http_server_reply_begin(waiting[0], 200, NULL, 0);
    enum result result = GW_OK;
    for (; sent < 1000 && result == GW_OK; sent++) {
        result = http_server_reply_write(waiting[0], slice_of(piece, sizeof piece));
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(result, GW_LIMIT);
    assert_true(http_server_reply_queued(waiting[0]) <= 1100000);
    stream_resume(client.stream);
    cast_until(&loop, drain_count > 0);
    assert_int_equal(http_server_reply_write(waiting[0], SLICE("end")), GW_OK);
    http_server_reply_end(waiting[0]);
    cast_until(&loop, has("end\r\n0\r\n\r\n"));
    assert_true(client.got.size > (size_t)(sent - 1) * sizeof piece);
}

static void big_answers_reach_a_slow_client_whole(void **state)
{
    size_t size = 20000000;
    char *body = calloc(1, size);

    (void)state;
    start();
    say("GET /later HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    cast_until(&loop, seen_count == 1);
    http_server_reply(waiting[0], 200, NULL, 0, slice_of(body, size));
    cast_until(&loop, client.ended);
    assert_true(client.got.size > size);
    free(body);
}

static void a_client_that_goes_away_is_told_and_answering_is_harmless(void **state)
{
    (void)state;
    start();
    say("GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    cast_until(&loop, waiting_count == 2);
    http_server_reply_begin(waiting[0], 200, NULL, 0);
    hang_up(&client);
    cast_until(&loop, gone_count == 2);
    assert_int_equal(http_server_reply_write(waiting[0], SLICE("x")), GW_CLOSED);
    assert_int_equal(http_server_reply_queued(waiting[0]), 0);
    http_server_reply_end(waiting[0]);
    http_server_reply(waiting[1], 200, NULL, 0, SLICE("x"));
    cast_until(&loop, http_server_counts(server)->connections_open == 0);
}

static void a_client_that_ends_its_side_still_gets_its_answer(void **state)
{
    (void)state;
    start();
    say("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    stream_end(client.stream);
    cast_until(&loop, waiting_count == 1);
    for (int i = 0; i < 5; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    http_server_reply(waiting[0], 200, NULL, 0, SLICE("answer"));
    cast_until(&loop, client.ended);
    assert_true(has("answer"));
}

static void a_head_that_never_ends_times_out_with_408(void **state)
{
    (void)state;
    config.header_timeout_ms = 30;
    start();
    say("GET / HTTP/1.1\r\n");
    cast_until(&loop, client.ended);
    assert_true(has("HTTP/1.1 408 "));
    hang_up(&client);
    dial(&client, NULL);
    say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc");
    cast_until(&loop, client.ended);
    assert_true(has("HTTP/1.1 408 "));
    assert_int_equal(http_server_counts(server)->timeouts, 2);
    assert_int_equal(seen_count, 0);
}

static void an_idle_connection_is_closed_in_silence(void **state)
{
    (void)state;
    config.idle_timeout_ms = 30;
    start();
    say("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    cast_until(&loop, client.ended);
    assert_int_equal(times("HTTP/1.1"), 1);
}

static void connections_over_the_limit_are_closed_and_counted(void **state)
{
    struct client second;
    (void)state;
    config.connection_limit = 1;
    start();
    dial(&second, NULL);
    cast_until(&loop, second.ended || second.failed);
    assert_int_equal(http_server_counts(server)->connections_refused, 1);
    hang_up(&second);
    say("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    cast_until(&loop, has("/a"));
}

static void draining_finishes_what_was_begun(void **state)
{
    struct client idle;
    (void)state;
    start();
    dial(&idle, NULL);
    say("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    cast_until(&loop,
               waiting_count == 1 && http_server_counts(server)->connections_open == 2);
    http_server_drain(server);
    cast_until(&loop, idle.ended);
    hang_up(&idle);
    http_server_reply(waiting[0], 200, NULL, 0, SLICE("last"));
    cast_until(&loop, client.ended);
    assert_true(has("connection: close\r\n"));
    assert_true(has("last"));
}

static void closing_waits_for_the_calls_that_are_out(void **state)
{
    (void)state;
    start();
    say("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    cast_until(&loop, waiting_count == 1);
    http_server_close(server, on_server_closed, NULL);
    assert_int_equal(gone_count, 1);
    cast_until(&loop, client.ended || client.failed);
    for (int i = 0; i < 5; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_false(server_closed);
    http_server_reply(waiting[0], 200, NULL, 0, SLICE("late"));
    assert_true(server_closed);
    server_closed = false;
    /* For the end of the test: another one. */
    serve(NULL);
}

static void over_tls_the_admin_is_known(void **state)
{
    struct tls_context *tls;
    struct error err;

    (void)state;
    cast_init(&cast);
    assert_int_equal(
        tls_context_admin_server(&(struct tls_self){.certificate = cast.node,
                                                    .key = cast.node_key,
                                                    .ca = cast.ca,
                                                    .cluster_id = cast.cluster_id},
                                 &tls, &err),
        GW_OK);
    serve(tls);
    assert_int_equal(
        tls_context_admin_client(&(struct tls_self){.certificate = cast.admin,
                                                    .key = cast.admin_key,
                                                    .ca = cast.ca,
                                                    .cluster_id = cast.cluster_id},
                                 &tls, &err),
        GW_OK);
    dial(&client, tls);
    say("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    cast_until(&loop, has("/b"));
    assert_string_equal(seen_admin, "ann");
    assert_int_equal(seen_transport, STREAM_TLS);
    hang_up(&client);

    assert_int_equal(
        tls_context_admin_client(&(struct tls_self){.certificate = NULL,
                                                    .key = NULL,
                                                    .ca = cast.ca,
                                                    .cluster_id = cast.cluster_id},
                                 &tls, &err),
        GW_OK);
    dial(&client, tls);
    cast_until(&loop, http_server_counts(server)->handshakes_failed == 1);
    assert_int_equal(seen_count, 2);
    cast_deinit(&cast);
}

static void the_query_is_taken_apart(void **state)
{
    struct http_call call = {
        .query = SLICE("dryRun&selector=app%3Dshop,tier!=a+b&bad=%zz&n=%00")};
    char out[32];

    (void)state;
    assert_true(http_call_query(&call, SLICE("dryRun"), out, sizeof out));
    assert_string_equal(out, "");
    assert_true(http_call_query(&call, SLICE("selector"), out, sizeof out));
    assert_string_equal(out, "app=shop,tier!=a+b");
    assert_false(http_call_query(&call, SLICE("selector"), out, 5));
    assert_false(http_call_query(&call, SLICE("bad"), out, sizeof out));
    assert_false(http_call_query(&call, SLICE("n"), out, sizeof out));
    assert_false(http_call_query(&call, SLICE("run"), out, sizeof out));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_request_comes_whole_and_is_answered),
        CASE(a_request_in_single_bytes_is_the_same),
        CASE(a_chunked_body_is_joined),
        CASE(pipelined_answers_keep_the_order_of_the_requests),
        CASE(no_more_than_the_limit_of_calls_wait_in_line),
        CASE(head_has_no_body),
        CASE(errors_are_problem_documents),
        CASE(malformed_requests_are_answered_and_the_connection_closed),
        CASE(a_body_or_a_head_over_the_limit_is_refused),
        CASE(expect_continue_is_answered_before_the_body),
        CASE(answers_in_pieces_are_chunked),
        CASE(to_http_1_0_the_end_of_the_connection_ends_the_answer),
        CASE(a_slow_reader_stops_the_pieces_at_a_limit),
        CASE(big_answers_reach_a_slow_client_whole),
        CASE(a_client_that_goes_away_is_told_and_answering_is_harmless),
        CASE(a_client_that_ends_its_side_still_gets_its_answer),
        CASE(a_head_that_never_ends_times_out_with_408),
        CASE(an_idle_connection_is_closed_in_silence),
        CASE(connections_over_the_limit_are_closed_and_counted),
        CASE(draining_finishes_what_was_begun),
        CASE(closing_waits_for_the_calls_that_are_out),
        CASE(over_tls_the_admin_is_known),
        cmocka_unit_test(the_query_is_taken_apart),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
