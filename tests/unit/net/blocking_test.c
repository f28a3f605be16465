/* The blocking connection against the HTTP server on a thread of its own. */
#include "net/blocking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/net/cast.h"

#include "net/http_server.h"
#include "net/mailbox.h"

#include <pthread.h>
#include <stdio.h>

static struct cast cast;
static struct http_server *server;
static uv_loop_t loop;
static struct mailbox box;
static char tls_where[ADDRESS_TEXT_SIZE];
static char plain_where[ADDRESS_TEXT_SIZE];
static char unix_where[100];
static char silent_where[ADDRESS_TEXT_SIZE];
static int silent_fd;

static void handle(struct http_call *call, void *owner)
{
    static char big[300000];
    (void)owner;
    memset(big, 'x', sizeof big);
    http_server_reply(call, 200, NULL, 0, slice_of(big, sizeof big));
}

static void on_stop(struct mail *mail, void *owner)
{
    (void)mail, (void)owner;
    http_server_close(server, NULL, NULL);
    mailbox_close(&box, NULL);
}

static void *run(void *argument)
{
    (void)argument;
    uv_run(&loop, UV_RUN_DEFAULT);
    return NULL;
}

static enum result talk(const char *target, struct tls_context *tls,
                        const struct tls_expect *expect, struct error *err)
{
    static const char request[] = "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    struct blocking *connection;
    char bytes[4096];
    size_t total = 0;
    size_t size = 0;
    uint64_t deadline_ms = instant_monotonic_ms() + 10000;

    if (blocking_connect(slice_from_string(target), tls, expect, 5000, &connection, err) !=
        GW_OK)
        return err->code;
    assert_int_equal(err->code, GW_OK); /* whichever addresses did not answer before */
    enum result result =
        blocking_write(connection, slice_of(request, sizeof request - 1), deadline_ms, err);
    while (result == GW_OK) {
        result = blocking_read(connection, bytes, sizeof bytes, deadline_ms, &size, err);
        if (result != GW_OK || size == 0)
            break;
        total += size;
    }
    if (result == GW_OK)
        assert_true(total > 300000);
    if (result == GW_OK && tls != NULL) {
        X509 *ca = blocking_peer_ca(connection);
        uint8_t a[32];
        uint8_t b[32];
        assert_non_null(ca);
        certificate_sha256(ca, a);
        certificate_sha256(cast.ca, b);
        assert_memory_equal(a, b, 32);
        certificate_free(ca);
        assert_int_equal(blocking_identity(connection)->node_id, 1);
        assert_true(slice_equal(blocking_protocol(connection), SLICE(TLS_HTTP1)));
    }
    blocking_close(connection);
    return result;
}

static void it_talks_plain_unix_and_tls(void **state)
{
    struct tls_context *tls;
    struct tls_expect expect = {.kind = IDENTITY_NODE, .hostname = "127.0.0.1"};
    struct error err;

    (void)state;
    assert_int_equal(talk(plain_where, NULL, NULL, &err), GW_OK);
    assert_int_equal(talk(unix_where, NULL, NULL, &err), GW_OK);
    assert_int_equal(
        tls_context_admin_client(&(struct tls_self){.certificate = cast.admin,
                                                    .key = cast.admin_key,
                                                    .ca = cast.ca,
                                                    .cluster_id = cast.cluster_id},
                                 &tls, &err),
        GW_OK);
    assert_int_equal(talk(tls_where, tls, &expect, &err), GW_OK);
    tls_context_unref(tls);
}

static void refusals_are_sentences(void **state)
{
    struct tls_context *tls;
    struct error err;

    (void)state;
    assert_int_equal(
        tls_context_admin_client(&(struct tls_self){.certificate = cast.node,
                                                    .key = cast.node_key,
                                                    .ca = cast.ca,
                                                    .cluster_id = cast.cluster_id},
                                 &tls, &err),
        GW_OK);
    assert_int_equal(talk(tls_where, tls, NULL, &err), GW_UNAUTHORISED);
    assert_non_null(strstr(err.text, "refuses us"));
    /* TLS to a port that does not speak it. */
    assert_int_not_equal(talk(plain_where, tls, NULL, &err), GW_OK);
    tls_context_unref(tls);
    assert_int_equal(talk("unix:/nowhere/s", NULL, NULL, &err), GW_UNREACHABLE);
    assert_int_equal(talk("127.0.0.1:1", NULL, NULL, &err), GW_UNREACHABLE);
    assert_int_equal(talk("nonsense", NULL, NULL, &err), GW_MALFORMED);
}

static void a_silent_server_times_out(void **state)
{
    struct tls_context *tls;
    struct blocking *connection;
    struct error err;
    char byte;
    size_t size;

    (void)state;
    assert_int_equal(
        tls_context_admin_client(&(struct tls_self){.certificate = cast.admin,
                                                    .key = cast.admin_key,
                                                    .ca = cast.ca,
                                                    .cluster_id = cast.cluster_id},
                                 &tls, &err),
        GW_OK);
    assert_int_equal(
        blocking_connect(slice_from_string(silent_where), tls, NULL, 30, &connection, &err),
        GW_TIMEOUT);
    tls_context_unref(tls);
    assert_int_equal(blocking_connect(slice_from_string(silent_where), NULL, NULL, 5000,
                                      &connection, &err),
                     GW_OK);
    assert_int_equal(
        blocking_read(connection, &byte, 1, instant_monotonic_ms() + 30, &size, &err),
        GW_TIMEOUT);
    blocking_close(connection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_talks_plain_unix_and_tls),
        cmocka_unit_test(refusals_are_sentences),
        cmocka_unit_test(a_silent_server_times_out),
    };
    struct http_server_config config = {.handler = handle};
    struct tls_context *tls;
    struct error err = ERROR_NONE;
    struct mail stop;
    pthread_t thread;
    char directory[] = "/tmp/blocking-test.XXXXXX";
    int fd;

    cast_init(&cast);
    uv_loop_init(&loop);
    if (mkdtemp(directory) == NULL ||
        mailbox_open(&box, &loop, on_stop, NULL, &err) != GW_OK ||
        http_server_open(&loop, &config, &server, &err) != GW_OK ||
        tls_context_admin_server(&(struct tls_self){.certificate = cast.node,
                                                    .key = cast.node_key,
                                                    .ca = cast.ca,
                                                    .cluster_id = cast.cluster_id},
                                 &tls, &err) != GW_OK)
        return 1;
    snprintf(unix_where, sizeof unix_where, "unix:%s/s", directory);
    if (listener_open_unix(unix_where + 5, 0600, &fd, &err) != GW_OK)
        return 1;
    http_server_listen(server, fd, NULL, &err);
    http_server_listen(server, cast_listen(plain_where), NULL, &err);
    http_server_listen(server, cast_listen(tls_where), tls, &err);
    tls_context_unref(tls);
    silent_fd = cast_listen(silent_where);
    pthread_create(&thread, NULL, run, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mailbox_post(&box, &stop);
    pthread_join(thread, NULL);
    uv_loop_close(&loop);
    close(silent_fd);
    unlink(unix_where + 5);
    rmdir(directory);
    cast_deinit(&cast);
    return failed;
}
