/* A node's own words, said again: its frames in another order, or once more. TLS lets
 * nobody else replay them, so this is a member with a valid certificate. Node 1 is the one
 * that listens; node 2 is a link without anything behind it. */
#include "raft/peers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/unit/net/cast.h"

static struct cast cast;
static uv_loop_t uv;
static struct loop loop;
static struct peers peers;      /* node 1 */
static struct link *visitor;    /* node 2 */
static bool is_closed, is_said; /* the visitor's link; its hello was answered */
static bool is_first_closed;    /* one that the visitor had before */
static char where[ADDRESS_TEXT_SIZE];
static struct hello theirs;
static EVP_PKEY *key;
static X509 *certificate;

/* What node 1 made of it. */
static size_t messages, statuses, forwards, joins;

/* ---- node 1's owner ---- */

static enum result on_message(void *owner, uint64_t from, struct slice message)
{
    (void)owner;
    assert_int_equal(from, 2);
    assert_true(slice_equal(message, SLICE("message")));
    messages++;
    return GW_OK;
}

static void on_forward(void *owner, uint64_t from, uint64_t id, struct slice payload)
{
    (void)owner, (void)from, (void)id, (void)payload;
    forwards++;
}

static void on_reply(void *owner, uint64_t from, uint64_t id, struct slice payload)
{
    (void)owner, (void)from, (void)id, (void)payload;
}

static void on_status(void *owner, uint64_t from)
{
    (void)owner, (void)from;
    statuses++;
}

static void on_join(void *owner, uint64_t id, struct slice request)
{
    (void)owner, (void)id, (void)request;
    joins++;
}

static void on_link(void *owner, uint64_t peer, enum peer_class class, bool up)
{
    (void)owner, (void)peer, (void)class, (void)up;
}

static const struct peers_events events = {on_message, on_forward, on_reply,
                                           on_status,  on_join,    on_link};

/* ---- node 2 ---- */

static enum result on_hello(struct link *link, const struct hello *hello, void *owner,
                            struct error *err)
{
    (void)link, (void)hello, (void)owner, (void)err;
    is_said = true;
    return GW_OK;
}

static enum result on_frame(struct link *link, uint8_t type, struct slice body, void *owner)
{
    (void)link, (void)type, (void)body, (void)owner;
    return GW_OK;
}

static void on_closed(struct link *link, const struct error *why, void *owner)
{
    (void)why, (void)owner;
    if (link != visitor) {
        is_first_closed = true;
        return;
    }
    visitor = NULL;
    is_closed = true;
}

static const struct link_events visitor_events = {on_hello, on_frame, on_closed};

static struct hello hello_of(uint64_t id)
{
    struct hello hello = {
        .protocol = PEER_PROTOCOL, .format = 2, .stored = 2, .epoch = 1, .id = id};

    memcpy(hello.cluster_id, cast.cluster_id, sizeof hello.cluster_id);
    snprintf(hello.name, sizeof hello.name, "node-%u", (unsigned)id);
    return hello;
}

static struct tls_self self_of(X509 *own, EVP_PKEY *own_key)
{
    return (struct tls_self){
        .certificate = own, .key = own_key, .ca = cast.ca, .cluster_id = cast.cluster_id};
}

static int set_up(void **state)
{
    struct tls_context *server, *client;
    struct tls_self self = self_of(cast.node, cast.node_key);
    struct hello ours = hello_of(1);
    struct error err;

    (void)state;
    messages = statuses = forwards = joins = 0;
    is_closed = is_said = is_first_closed = false;
    theirs = hello_of(2);
    uv_loop_init(&uv);
    assert_int_equal(loop_open(&loop, &uv, &err), GW_OK);
    assert_int_equal(tls_context_peer_server(&self, &server, &err), GW_OK);
    assert_int_equal(tls_context_peer_client(&self, &client, &err), GW_OK);
    assert_int_equal(peers_open(&peers, &loop, cast_listen(where), server, client, &ours,
                                &events, NULL, &err),
                     GW_OK);
    tls_context_unref(server);
    tls_context_unref(client);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (visitor != NULL)
        link_close(visitor, GW_CLOSED, "the test is over");
    peers_close(&peers);
    cast_until(&uv, visitor == NULL && peers_is_closed(&peers));
    loop_close(&loop, NULL, NULL);
    while (uv_loop_close(&uv) != 0)
        uv_run(&uv, UV_RUN_ONCE);
    peers_deinit(&peers);
    return 0;
}

/* Dials as node 2, through TLS; the link says its hello by itself. */
static void dial(enum peer_class class)
{
    struct tls_self self = self_of(certificate, key);
    struct tls_context *tls;
    struct error err;

    theirs.class = class;
    is_closed = is_said = false;
    assert_int_equal(tls_context_peer_client(&self, &tls, &err), GW_OK);
    assert_int_equal(link_dial(&loop, slice_from_string(where), 1, tls, &theirs,
                               &visitor_events, NULL, &visitor, &err),
                     GW_OK);
    tls_context_unref(tls);
}

static void open_link(enum peer_class class)
{
    dial(class);
    cast_until(&uv, is_said);
}

static void say(enum peer_frame type, struct slice body)
{
    assert_int_equal(link_send(visitor, type, slice_of("", 0), body), GW_OK);
}

static void say_hello_again(void)
{
    struct buffer body;

    buffer_init(&body, 4096);
    assert_true(hello_encode(&theirs, &body));
    say(PEER_HELLO, buffer_slice(&body));
    buffer_deinit(&body);
}

static bool is_linked(void)
{
    struct peer *peer = peers_find(&peers, 2);

    return peer != NULL &&
           (peer->links[PEER_CONSENSUS] != NULL || peer->links[PEER_BULK] != NULL);
}

/* ---- stories ---- */

static void a_second_hello_ends_the_link(void **state)
{
    (void)state;
    for (int class = 0; class < 2; class ++) {
        uint64_t before = peers.counters.malformed;
        open_link((enum peer_class) class);
        say_hello_again();
        cast_until(&uv, is_closed && !is_linked());
        assert_int_equal(peers.counters.malformed, before + 1);
    }
}

static void what_follows_a_second_hello_is_not_heard(void **state)
{
    (void)state;
    open_link(PEER_CONSENSUS);
    say(PEER_RAFT, SLICE("message"));
    say_hello_again();
    say(PEER_STATUS, SLICE("status"));
    say(PEER_RAFT, SLICE("message"));
    cast_until(&uv, is_closed && !is_linked());
    assert_int_equal(messages, 1);
    assert_int_equal(statuses, 0);
    assert_int_equal(peers.counters.malformed, 1);
}

static void on_raw_open(struct stream *stream, void *owner)
{
    (void)stream, (void)owner;
    is_said = true;
}

static void on_raw_data(struct stream *stream, struct slice data, void *owner)
{
    (void)stream, (void)data, (void)owner;
}

static void on_raw_end(struct stream *stream, void *owner)
{
    (void)stream, (void)owner;
    is_closed = true;
}

static void on_raw_error(struct stream *stream, const struct error *err, void *owner)
{
    (void)stream, (void)err, (void)owner;
    is_closed = true;
}

static void on_raw_closed(void *owner)
{
    *(bool *)owner = true;
}

static const struct stream_events raw_events = {.on_open = on_raw_open,
                                                .on_data = on_raw_data,
                                                .on_end = on_raw_end,
                                                .on_error = on_raw_error};

/* The rest of an older link's frames, without the hello that they came after. */
static void frames_of_an_older_link_are_nothing_on_a_new_one(void **state)
{
    struct tls_self self = self_of(certificate, key);
    struct tls_expect expect = {.kind = IDENTITY_NODE, .node_id = 1};
    struct stream_options options = {.expect = &expect};
    struct frame_writer writer;
    struct stream *stream;
    bool is_gone = false;
    struct error err;

    (void)state;
    assert_int_equal(tls_context_peer_client(&self, &options.tls, &err), GW_OK);
    assert_int_equal(stream_connect(&uv, slice_from_string(where), &options, &raw_events,
                                    &is_gone, &stream, &err),
                     GW_OK);
    tls_context_unref(options.tls);
    cast_until(&uv, is_said);
    frame_writer_init(&writer, stream, 0);
    buffer_append_slice(frame_begin(&writer, PEER_RAFT), SLICE("message"));
    assert_int_equal(frame_end(&writer), GW_OK);
    cast_until(&uv, is_closed && peers.link_count == 0);
    assert_int_equal(messages, 0);
    assert_null(peers_find(&peers, 2));
    assert_int_equal(peers.counters.malformed, 1);
    stream_close(stream, on_raw_closed);
    cast_until(&uv, is_gone);
    frame_writer_deinit(&writer);
}

/* A status is what it was; a message is Raft's to bear, which takes any of them any
 * number of times (replica_receive_test.c; the simulator doubles them all the time). */
static void what_is_said_twice_is_as_good_as_once(void **state)
{
    (void)state;
    open_link(PEER_CONSENSUS);
    for (int i = 0; i < 2; i++) {
        say(PEER_STATUS, SLICE("status"));
        say(PEER_RAFT, SLICE("message"));
    }
    cast_until(&uv, messages == 2);
    assert_int_equal(statuses, 1);
    assert_true(is_linked());
    assert_false(is_closed);
    assert_int_equal(peers.counters.malformed, 0);
}

/* The whole of it again, on a link of its own: that one takes the place of the first. */
static void a_link_once_more_leaves_one(void **state)
{
    (void)state;
    open_link(PEER_CONSENSUS);
    struct link *first = visitor;
    open_link(PEER_CONSENSUS);
    assert_ptr_not_equal(first, visitor);
    say(PEER_RAFT, SLICE("message"));
    cast_until(&uv, messages == 1 && is_first_closed && peers.link_count == 1);
    assert_true(is_linked());
    assert_false(is_closed);
}

/* A forward of the bulk link, on the one for consensus. */
static void a_frame_on_the_other_link_ends_it(void **state)
{
    (void)state;
    open_link(PEER_CONSENSUS);
    say(PEER_FORWARD, SLICE("12345678payload"));
    cast_until(&uv, is_closed && !is_linked());
    assert_int_equal(forwards, 0);
    assert_int_equal(peers.counters.malformed, 1);
}

/* A joiner has one frame: its answer is all there is after it. */
static void a_join_is_asked_for_once(void **state)
{
    struct tls_context *tls;
    struct error err;
    uint8_t pin[CERTIFICATE_SHA256_SIZE];

    (void)state;
    certificate_sha256(cast.ca, pin);
    assert_int_equal(tls_context_join_client(pin, &tls, &err), GW_OK);
    assert_int_equal(link_dial(&loop, slice_from_string(where), 1, tls, &theirs,
                               &visitor_events, NULL, &visitor, &err),
                     GW_OK);
    tls_context_unref(tls);
    cast_until(&uv, visitor->is_join);
    say(PEER_JOIN, SLICE("request"));
    cast_until(&uv, joins == 1);
    say(PEER_JOIN, SLICE("request"));
    cast_until(&uv, is_closed);
    assert_int_equal(joins, 1);
    assert_int_equal(peers.counters.malformed, 1);
}

static int cast_up(void **state)
{
    struct identity node = {.kind = IDENTITY_NODE, .node_id = 2};

    (void)state;
    cast_init(&cast);
    cast_sign(&cast, &node, &key, &certificate);
    return 0;
}

static int cast_down(void **state)
{
    (void)state;
    certificate_free(certificate);
    key_free(key);
    cast_deinit(&cast);
    return 0;
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_second_hello_ends_the_link),
        STORY(what_follows_a_second_hello_is_not_heard),
        STORY(frames_of_an_older_link_are_nothing_on_a_new_one),
        STORY(what_is_said_twice_is_as_good_as_once),
        STORY(a_link_once_more_leaves_one),
        STORY(a_frame_on_the_other_link_ends_it),
        STORY(a_join_is_asked_for_once),
    };
    return cmocka_run_group_tests(tests, cast_up, cast_down);
}
