/* Streams on loopback: TLS of every kind of certificate, back-pressure, closing at
 * every moment. One listener, one accepted stream, one that connects. */
#include "net/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/net/cast.h"

#include <stdio.h>

struct end {
    struct stream *stream;
    bool opened;
    bool ended;
    bool failed;
    bool drained;
    bool closed;
    bool echo;
    bool pause_on_data;
    bool close_on_open;
    bool close_on_data;
    struct error err;
    size_t received;
    uint64_t sum;
};

static struct cast cast;
static struct cast other; /* another cluster */
static uv_loop_t loop;
static struct listener listener;
static bool listener_closed;
static char where[ADDRESS_TEXT_SIZE];
static struct end server;
static struct end client;
static struct stream_options server_options;

static void on_closed(void *owner)
{
    ((struct end *)owner)->closed = true;
    ((struct end *)owner)->stream = NULL;
}

static void on_open(struct stream *stream, void *owner)
{
    struct end *end = owner;
    end->opened = true;
    if (end->close_on_open)
        stream_close(stream, on_closed);
}

static void on_data(struct stream *stream, struct slice data, void *owner)
{
    struct end *end = owner;
    end->received += data.size;
    for (size_t i = 0; i < data.size; i++)
        end->sum = end->sum * 31 + (unsigned char)data.data[i];
    if (end->pause_on_data)
        stream_pause(stream);
    if (end->echo)
        assert_int_equal(stream_write(stream, data), GW_OK);
    if (end->close_on_data)
        stream_close(stream, on_closed);
}

static void on_end(struct stream *stream, void *owner)
{
    (void)stream;
    ((struct end *)owner)->ended = true;
}

static void on_error(struct stream *stream, const struct error *err, void *owner)
{
    struct end *end = owner;
    (void)stream;
    end->failed = true;
    end->err = *err;
}

static void on_drain(struct stream *stream, void *owner)
{
    (void)stream;
    ((struct end *)owner)->drained = true;
}

static const struct stream_events events = {on_open, on_data, on_end, on_error, on_drain};

static void on_accept(struct listener *from, int fd, void *owner)
{
    struct error err;
    (void)from, (void)owner;
    assert_null(server.stream);
    assert_int_equal(
        stream_accept(&loop, fd, &server_options, &events, &server, &server.stream, &err),
        GW_OK);
    assert_false(server.opened);
}

static void on_listener_closed(struct listener *from, void *owner)
{
    (void)from, (void)owner;
    listener_closed = true;
}

static int setup(void **state)
{
    (void)state;
    cast_init(&cast);
    cast_init(&other);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cast_deinit(&cast);
    cast_deinit(&other);
    return 0;
}

static int begin(void **state)
{
    struct error err;
    (void)state;
    uv_loop_init(&loop);
    server = client = (struct end){0};
    server_options = (struct stream_options){0};
    listener_closed = false;
    int fd = cast_listen(where);
    assert_int_equal(listener_open(&listener, &loop, fd, on_accept, NULL, &err), GW_OK);
    return 0;
}

static void close_end(struct end *end)
{
    if (end->stream != NULL) {
        stream_close(end->stream, on_closed);
        cast_until(&loop, end->closed);
    }
}

static int finish(void **state)
{
    (void)state;
    close_end(&client);
    close_end(&server);
    listener_close(&listener, on_listener_closed);
    cast_until(&loop, listener_closed);
    assert_int_equal(uv_loop_close(&loop), 0);
    tls_context_unref(server_options.tls);
    return 0;
}

static void dial(struct tls_context *tls, const struct tls_expect *expect)
{
    struct error err;
    struct stream_options options = {.tls = tls, .expect = expect};
    assert_int_equal(stream_connect(&loop, slice_from_string(where), &options, &events,
                                    &client, &client.stream, &err),
                     GW_OK);
    assert_false(client.opened);
    tls_context_unref(tls);
}

static void serve_peers(void)
{
    struct error err;
    assert_int_equal(
        tls_context_peer_server(&(struct tls_self){.certificate = cast.node,
                                                   .key = cast.node_key,
                                                   .ca = cast.ca,
                                                   .cluster_id = cast.cluster_id},
                                &server_options.tls, &err),
        GW_OK);
}

static void serve_admins(void)
{
    struct error err;
    assert_int_equal(
        tls_context_admin_server(&(struct tls_self){.certificate = cast.node,
                                                    .key = cast.node_key,
                                                    .ca = cast.ca,
                                                    .cluster_id = cast.cluster_id},
                                 &server_options.tls, &err),
        GW_OK);
}

static struct tls_context *peer_client(X509 *certificate, EVP_PKEY *key, X509 *ca)
{
    struct tls_context *tls;
    struct error err;
    assert_int_equal(
        tls_context_peer_client(&(struct tls_self){.certificate = certificate,
                                                   .key = key,
                                                   .ca = ca,
                                                   .cluster_id = cast.cluster_id},
                                &tls, &err),
        GW_OK);
    return tls;
}

static const struct tls_expect expect_node_1 = {.kind = IDENTITY_NODE, .node_id = 1};

static void peers_open_with_both_identities_and_exchange_data(void **state)
{
    struct identity node = {.kind = IDENTITY_NODE, .node_id = 2};
    EVP_PKEY *key;
    X509 *certificate;

    (void)state;
    serve_peers();
    cast_sign(&cast, &node, &key, &certificate);
    dial(peer_client(certificate, key, cast.ca), &expect_node_1);
    cast_until(&loop, client.opened && server.opened);
    assert_int_equal(stream_identity(server.stream)->kind, IDENTITY_NODE);
    assert_int_equal(stream_identity(server.stream)->node_id, 2);
    assert_int_equal(stream_identity(client.stream)->node_id, 1);
    assert_true(slice_equal(stream_protocol(server.stream), SLICE(TLS_PEER)));
    assert_true(slice_equal(stream_protocol(client.stream), SLICE(TLS_PEER)));
    assert_int_equal(stream_transport(client.stream), STREAM_TLS);

    server.echo = true;
    assert_int_equal(stream_write(client.stream, SLICE("hello")), GW_OK);
    cast_until(&loop, client.received == 5);
    stream_end(client.stream);
    cast_until(&loop, server.ended);
    /* The other direction still works. */
    assert_int_equal(stream_write(server.stream, SLICE("rest")), GW_OK);
    cast_until(&loop, client.received == 9);
    assert_int_equal(stream_write(client.stream, SLICE("x")), GW_CLOSED);
    stream_end(server.stream);
    cast_until(&loop, client.ended);
    assert_false(client.failed || server.failed);
    certificate_free(certificate);
    key_free(key);
}

static void refused(const char *server_says)
{
    cast_until(&loop, client.failed && server.failed);
    assert_false(server.opened);
    if (strstr(server.err.text, server_says) == NULL)
        fail_msg("server said: %s", server.err.text);
    assert_int_equal(client.err.code, GW_UNAUTHORISED);
}

static void a_peer_without_a_certificate_is_refused(void **state)
{
    (void)state;
    serve_peers();
    dial(peer_client(NULL, NULL, cast.ca), NULL);
    refused("shows no certificate");
}

static void a_peer_of_another_ca_is_refused(void **state)
{
    (void)state;
    serve_peers();
    dial(peer_client(other.node, other.node_key, cast.ca), NULL);
    refused("certificate is refused");
}

static void a_server_of_another_ca_is_refused(void **state)
{
    (void)state;
    serve_peers();
    dial(peer_client(cast.node, cast.node_key, other.ca), NULL);
    cast_until(&loop, client.failed && server.failed);
    assert_false(client.opened || server.opened);
    assert_non_null(strstr(client.err.text, "certificate is refused"));
}

static void an_admin_is_refused_on_the_peer_port(void **state)
{
    (void)state;
    serve_peers();
    dial(peer_client(cast.admin, cast.admin_key, cast.ca), NULL);
    refused("that of admin 'ann', a node's is needed here");
}

static struct tls_context *admin_client(X509 *certificate, EVP_PKEY *key)
{
    struct tls_context *tls;
    struct error err;
    assert_int_equal(
        tls_context_admin_client(&(struct tls_self){.certificate = certificate,
                                                    .key = key,
                                                    .ca = cast.ca,
                                                    .cluster_id = cast.cluster_id},
                                 &tls, &err),
        GW_OK);
    return tls;
}

static void a_node_is_refused_on_the_admin_port(void **state)
{
    (void)state;
    serve_admins();
    dial(admin_client(cast.node, cast.node_key), NULL);
    refused("that of node 1, an admin's is needed here");
}

static void an_admin_is_served_on_the_admin_port(void **state)
{
    struct tls_expect expect = {.kind = IDENTITY_NODE, .hostname = "localhost"};
    (void)state;
    serve_admins();
    dial(admin_client(cast.admin, cast.admin_key), &expect);
    cast_until(&loop, client.opened && server.opened);
    assert_string_equal(stream_identity(server.stream)->name, "ann");
}

static void a_certificate_of_the_same_ca_but_another_cluster_is_refused(void **state)
{
    struct identity node = {.kind = IDENTITY_NODE, .node_id = 2};
    struct cast restored = cast;
    EVP_PKEY *key;
    X509 *certificate;

    (void)state;
    serve_peers();
    identity_make_cluster_id(restored.cluster_id);
    cast_sign(&restored, &node, &key, &certificate);
    dial(peer_client(certificate, key, cast.ca), NULL);
    refused("the certificate is of cluster");
    certificate_free(certificate);
    key_free(key);
}

static void another_node_than_expected_is_refused(void **state)
{
    struct tls_expect expect = {.kind = IDENTITY_NODE, .node_id = 9};
    (void)state;
    serve_peers();
    dial(peer_client(cast.node, cast.node_key, cast.ca), &expect);
    cast_until(&loop, client.failed && server.failed);
    assert_false(client.opened);
    assert_non_null(strstr(client.err.text, "that of node 1, not of node 9"));
}

static void a_wrong_host_name_is_refused(void **state)
{
    struct tls_expect expect = {.hostname = "elsewhere.example"};
    (void)state;
    serve_admins();
    dial(admin_client(cast.admin, cast.admin_key), &expect);
    cast_until(&loop, client.failed && server.failed);
    assert_non_null(strstr(client.err.text, "hostname mismatch"));
}

static struct tls_context *join_client(X509 *pinned)
{
    struct tls_context *tls;
    struct error err;
    uint8_t pin[CERTIFICATE_SHA256_SIZE];
    certificate_sha256(pinned, pin);
    assert_int_equal(tls_context_join_client(pin, &tls, &err), GW_OK);
    return tls;
}

static void a_joiner_is_served_by_its_pin_without_a_certificate(void **state)
{
    struct tls_expect expect = {.kind = IDENTITY_NODE};
    (void)state;
    serve_peers();
    dial(join_client(cast.ca), &expect);
    cast_until(&loop, client.opened && server.opened);
    assert_true(slice_equal(stream_protocol(server.stream), SLICE(TLS_JOIN)));
    assert_int_equal(stream_identity(server.stream)->kind, IDENTITY_NONE);
    assert_string_equal(stream_identity(client.stream)->cluster_id, cast.cluster_id);
    assert_int_equal(stream_write(client.stream, SLICE("hello")), GW_OK);
    cast_until(&loop, server.received == 5);
}

static void a_joiner_with_another_pin_refuses_the_server(void **state)
{
    (void)state;
    serve_peers();
    dial(join_client(other.ca), NULL);
    cast_until(&loop, client.failed && server.failed);
    assert_false(client.opened || server.opened);
    assert_non_null(strstr(client.err.text, "not of the cluster that made the token"));
}

static void a_client_that_names_no_served_protocol_is_refused(void **state)
{
    struct tls_config config = {.ca = cast.ca, .protocols = {{.name = "h2"}}};
    struct tls_context *tls;
    struct error err;

    (void)state;
    serve_peers();
    assert_int_equal(tls_context_client(&config, &tls, &err), GW_OK);
    dial(tls, NULL);
    refused("no protocol that is served");
    close_end(&client);
    close_end(&server);

    client = server = (struct end){0};
    config.protocols[0].name = NULL;
    assert_int_equal(tls_context_client(&config, &tls, &err), GW_OK);
    dial(tls, NULL);
    refused("names no protocol");
}

static void a_server_that_allows_1_2_serves_peers_too(void **state)
{
    struct tls_config config = {
        .certificate = cast.node,
        .key = cast.node_key,
        .ca = cast.ca,
        .protocols = {{TLS_PEER, TLS_CLIENT_REQUIRED, IDENTITY_NODE}},
        .allow_1_2 = true};
    struct error err;
    (void)state;
    /* A server that allows 1.2 speaks 1.3 with a peer: the peer offers nothing else. */
    assert_int_equal(tls_context_server(&config, &server_options.tls, &err), GW_OK);
    dial(peer_client(cast.node, cast.node_key, cast.ca), &expect_node_1);
    cast_until(&loop, client.opened && server.opened);
}

static void plain_text_to_a_tls_port_is_an_error_of_that_stream_alone(void **state)
{
    (void)state;
    serve_peers();
    dial(NULL, NULL);
    cast_until(&loop, client.opened && server.stream != NULL);
    assert_int_equal(stream_write(client.stream, SLICE("GET / HTTP/1.1\r\n\r\n")), GW_OK);
    cast_until(&loop, server.failed);
    assert_false(server.opened);
}

static void big_writes(void)
{
    enum { PIECE = 100000, PIECES = 50 };
    static char piece[PIECE];
    uint64_t sum = 0;

    cast_until(&loop, client.opened && server.opened);
    server.pause_on_data = true;
    for (int i = 0; i < PIECES; i++) {
        for (int b = 0; b < PIECE; b++) {
            piece[b] = (char)(i * 7 + b);
            sum = sum * 31 + (unsigned char)piece[b];
        }
        assert_int_equal(stream_write(client.stream, slice_of(piece, PIECE)), GW_OK);
    }
    /* The receiver stands still, so most of it waits here. */
    cast_until(&loop, server.received > 0);
    for (int i = 0; i < 20; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(server.received <= 65536);
    assert_true(stream_queued_bytes(client.stream) > 0);
    assert_false(client.drained);
    while (stream_write(client.stream, slice_of(piece, PIECE)) == GW_OK)
        sum = 0; /* the sum is not wanted any more */
    assert_int_equal(stream_write(client.stream, slice_of(piece, PIECE)), GW_LIMIT);
    assert_true(stream_queued_bytes(client.stream) < 8u * 1024 * 1024 + PIECE);
    server.pause_on_data = false;
    stream_resume(server.stream);
    cast_until(&loop, client.drained);
    uint64_t sent = stream_sent_bytes(client.stream);
    cast_until(&loop, server.received == sent);
    assert_int_equal(stream_queued_bytes(client.stream), 0);
    assert_int_equal(sent % PIECE, 0);

    /* After the limit the stream goes on, and writes that are taken too. */
    char *taken = malloc(PIECE);
    memset(taken, 1, PIECE);
    assert_int_equal(stream_write_take(client.stream, taken, PIECE), GW_OK);
    stream_end(client.stream);
    cast_until(&loop, server.ended);
    assert_int_equal(server.received, sent + PIECE);
}

static void big_writes_wait_for_a_slow_reader_plain(void **state)
{
    (void)state;
    dial(NULL, NULL);
    big_writes();
}

static void big_writes_wait_for_a_slow_reader_tls(void **state)
{
    (void)state;
    serve_peers();
    dial(peer_client(cast.node, cast.node_key, cast.ca), &expect_node_1);
    big_writes();
}

static void what_was_written_arrives_unchanged(void **state)
{
    static char bytes[3000000];
    uint64_t sum = 0;

    (void)state;
    serve_peers();
    dial(peer_client(cast.node, cast.node_key, cast.ca), &expect_node_1);
    cast_until(&loop, client.opened && server.opened);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(i * 131 >> 3);
        sum = sum * 31 + (unsigned char)bytes[i];
    }
    assert_int_equal(stream_write(client.stream, slice_of(bytes, sizeof bytes)), GW_OK);
    /* Paused at each piece: nothing is lost in between. */
    server.pause_on_data = true;
    while (server.received < sizeof bytes) {
        size_t before = server.received;
        stream_resume(server.stream);
        cast_until(&loop, server.received > before);
    }
    assert_true(server.sum == sum);
}

static void gentle_closing_delivers_everything_first(void **state)
{
    static char bytes[2000000];

    (void)state;
    serve_peers();
    dial(peer_client(cast.node, cast.node_key, cast.ca), &expect_node_1);
    cast_until(&loop, client.opened && server.opened);
    assert_int_equal(stream_write(client.stream, slice_of(bytes, sizeof bytes)), GW_OK);
    stream_close_gently(client.stream, 15000, on_closed);
    cast_until(&loop, server.ended);
    assert_int_equal(server.received, sizeof bytes);
    assert_false(client.closed);
    close_end(&server);
    cast_until(&loop, client.closed);
    assert_false(client.failed || client.ended);
}

static void gentle_closing_ends_by_itself_after_the_linger(void **state)
{
    (void)state;
    dial(NULL, NULL);
    cast_until(&loop, client.opened && server.opened);
    stream_close_gently(client.stream, 20, on_closed);
    cast_until(&loop, client.closed && server.ended);
}

static void closing_works_at_every_moment_of_the_handshake(void **state)
{
    (void)state;
    serve_peers();
    for (int turns = 0; turns < 12; turns++) {
        for (int who = 0; who < 2; who++) {
            client = server = (struct end){0};
            dial(peer_client(cast.node, cast.node_key, cast.ca), &expect_node_1);
            for (int i = 0; i < turns; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
            if (who == 0 || server.stream == NULL)
                close_end(&client);
            else
                close_end(&server);
            cast_until(&loop, server.stream != NULL || server.closed);
            if (who == 0 && !server.closed)
                cast_until(&loop, server.failed || server.ended);
            close_end(&client);
            close_end(&server);
        }
    }
}

static void closing_inside_callbacks_ends_all_callbacks(void **state)
{
    (void)state;
    serve_peers();
    client.close_on_open = true;
    dial(peer_client(cast.node, cast.node_key, cast.ca), &expect_node_1);
    cast_until(&loop, client.closed);
    assert_false(client.failed || client.ended);
    cast_until(&loop, server.failed || server.ended);
    close_end(&server);

    client = server = (struct end){0};
    server.close_on_data = true;
    dial(peer_client(cast.node, cast.node_key, cast.ca), &expect_node_1);
    cast_until(&loop, client.opened && server.opened);
    for (int i = 0; i < 4; i++)
        stream_write(client.stream, SLICE("12345"));
    cast_until(&loop, server.closed);
    assert_true(server.received == 5 || server.received == 20);
}

static void a_handshake_that_never_comes_times_out(void **state)
{
    (void)state;
    serve_peers();
    server_options.open_timeout_ms = 30;
    dial(NULL, NULL);
    cast_until(&loop, server.failed);
    assert_int_equal(server.err.code, GW_TIMEOUT);
    assert_false(server.opened);
}

static void connecting_fails_with_a_sentence(void **state)
{
    struct stream_options options = {0};
    struct error err;
    char free_port[ADDRESS_TEXT_SIZE];

    (void)state;
    close(cast_listen(free_port));
    assert_int_equal(stream_connect(&loop, slice_from_string(free_port), &options, &events,
                                    &client, &client.stream, &err),
                     GW_OK);
    cast_until(&loop, client.failed);
    assert_int_equal(client.err.code, GW_UNREACHABLE);
    assert_non_null(strstr(client.err.text, "connection refused"));
    assert_int_equal(stream_write(client.stream, SLICE("x")), GW_CLOSED);
    close_end(&client);

    client = (struct end){0};
    assert_int_equal(stream_connect(&loop, SLICE("unix:/nowhere/admin.sock"), &options,
                                    &events, &client, &client.stream, &err),
                     GW_OK);
    cast_until(&loop, client.failed);
    assert_int_equal(client.err.code, GW_UNREACHABLE);
    close_end(&client);

    client = (struct end){0};
    struct stream *none = NULL;
    assert_int_equal(
        stream_connect(&loop, SLICE("nonsense"), &options, &events, &client, &none, &err),
        GW_MALFORMED);
    assert_null(none);
}

static void a_name_is_looked_up_and_every_address_tried(void **state)
{
    struct stream_options options = {0};
    struct address address;
    struct error err;
    char target[64];

    (void)state;
    /* "localhost" gives ::1 first on many machines; nobody listens there. */
    address_parse(slice_from_string(where), &address, &err);
    snprintf(target, sizeof target, "localhost:%u", address_port(&address));
    assert_int_equal(stream_connect(&loop, slice_from_string(target), &options, &events,
                                    &client, &client.stream, &err),
                     GW_OK);
    assert_int_equal(stream_write(client.stream, SLICE("x")), GW_AGAIN);
    cast_until(&loop, client.opened && server.opened);
    close_end(&client);
    close_end(&server);

    /* And closed while it is being looked up. */
    client = server = (struct end){0};
    assert_int_equal(stream_connect(&loop, slice_from_string(target), &options, &events,
                                    &client, &client.stream, &err),
                     GW_OK);
    close_end(&client);
    assert_false(client.opened || client.failed);
}

static void unix_sockets_carry_streams(void **state)
{
    struct stream_options options = {0};
    struct listener unix_listener;
    struct error err;
    char directory[] = "/tmp/stream-test.XXXXXX";
    char path[64];
    char target[80];
    int fd;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/s", directory);
    snprintf(target, sizeof target, "unix:%s", path);
    assert_int_equal(listener_open_unix(path, 0600, &fd, &err), GW_OK);
    assert_int_equal(listener_open(&unix_listener, &loop, fd, on_accept, NULL, &err),
                     GW_OK);
    assert_int_equal(stream_connect(&loop, slice_from_string(target), &options, &events,
                                    &client, &client.stream, &err),
                     GW_OK);
    cast_until(&loop, client.opened && server.opened);
    assert_int_equal(stream_transport(server.stream), STREAM_UNIX);
    assert_string_equal(stream_peer_text(server.stream), "unix");
    server.echo = true;
    assert_int_equal(stream_write(client.stream, SLICE("hello")), GW_OK);
    cast_until(&loop, client.received == 5);
    listener_close(&unix_listener, on_listener_closed);
    cast_until(&loop, listener_closed);
    listener_closed = false;
    unlink(path);
    rmdir(directory);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(peers_open_with_both_identities_and_exchange_data),
        CASE(a_peer_without_a_certificate_is_refused),
        CASE(a_peer_of_another_ca_is_refused),
        CASE(a_server_of_another_ca_is_refused),
        CASE(an_admin_is_refused_on_the_peer_port),
        CASE(a_node_is_refused_on_the_admin_port),
        CASE(an_admin_is_served_on_the_admin_port),
        CASE(a_certificate_of_the_same_ca_but_another_cluster_is_refused),
        CASE(another_node_than_expected_is_refused),
        CASE(a_wrong_host_name_is_refused),
        CASE(a_joiner_is_served_by_its_pin_without_a_certificate),
        CASE(a_joiner_with_another_pin_refuses_the_server),
        CASE(a_client_that_names_no_served_protocol_is_refused),
        CASE(a_server_that_allows_1_2_serves_peers_too),
        CASE(plain_text_to_a_tls_port_is_an_error_of_that_stream_alone),
        CASE(big_writes_wait_for_a_slow_reader_plain),
        CASE(big_writes_wait_for_a_slow_reader_tls),
        CASE(what_was_written_arrives_unchanged),
        CASE(gentle_closing_delivers_everything_first),
        CASE(gentle_closing_ends_by_itself_after_the_linger),
        CASE(closing_works_at_every_moment_of_the_handshake),
        CASE(closing_inside_callbacks_ends_all_callbacks),
        CASE(a_handshake_that_never_comes_times_out),
        CASE(connecting_fails_with_a_sentence),
        CASE(a_name_is_looked_up_and_every_address_tried),
        CASE(unix_sockets_carry_streams),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
