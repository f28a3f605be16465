/* A link is a stream with frames on it. Before the hello only a hello is taken
 * and 10 s are given; after it, silence of 3 s ends the link, so that a peer
 * behind a dead path is known as such long before TCP would say so. The price
 * is a ping every half second on an otherwise silent link.
 *
 * Raft messages are dropped, not queued, beyond 4 MiB waiting (a larger one goes alone):
 * the protocol resends what is lost, and memory stays bounded when a peer stops
 * reading. */
#include "raft/link.h"

#include "raft/fault.h"

#include <stdlib.h>
#include <unistd.h>

static void on_stream_closed(void *owner)
{
    struct link *link = owner;

    link->events->on_closed(link, &link->why, link->owner);
    frame_reader_deinit(&link->reader);
    frame_writer_deinit(&link->writer);
    free(link);
}

void link_close(struct link *link, enum result code, const char *why)
{
    if (link->is_closing)
        return;
    link->is_closing = true;
    link->is_ready = false;
    if (link->why.code == GW_OK)
        error_set(&link->why, code, "%s", why);
    loop_stop_timer(link->loop, &link->silence);
    stream_close(link->stream, on_stream_closed);
}

static void say_hello(struct link *link)
{
    struct buffer body;

    buffer_init(&body, 4096);
    if (!hello_encode(&link->ours, &body) ||
        link_send(link, PEER_HELLO, slice_of("", 0), buffer_slice(&body)) != GW_OK)
        link_close(link, GW_FAILED, "hello could not be sent");
    buffer_deinit(&body);
}

static enum result take_hello(struct link *link, struct slice body)
{
    struct error err = ERROR_NONE;

    if (hello_decode(body, &link->theirs, &err) != GW_OK ||
        hello_check(&link->ours, &link->theirs, stream_identity(link->stream), &err) !=
            GW_OK)
        goto refuse;
    if (link->is_dialled && link->theirs.id != link->peer_id) {
        error_set(&err, GW_FORBIDDEN, "node %llu answered where node %llu was expected",
                  (unsigned long long)link->theirs.id, (unsigned long long)link->peer_id);
        goto refuse;
    }
    if (link->is_dialled && link->theirs.class != link->ours.class) {
        error_set(&err, GW_MALFORMED, "hello answered for another class");
        goto refuse;
    }
    link->peer_id = link->theirs.id;
    link->ours.class = link->theirs.class;
    link->reader.limits =
        link->ours.class == PEER_CONSENSUS ? &peer_limits_consensus : &peer_limits_bulk;
    if (!link->is_dialled)
        say_hello(link);
    if (link->is_closing)
        return GW_CLOSED;
    link->is_ready = true;
    if (link->events->on_hello(link, &link->theirs, link->owner, &err) == GW_OK)
        return link->is_closing ? GW_CLOSED : GW_OK;

refuse:
    /* Whoever proved to be a node, if not one of these, learns from our hello why. */
    if (!link->is_dialled && !link->is_closing &&
        (err.code == GW_FOREIGN || err.code == GW_NEWER)) {
        link->ours.class = link->theirs.class;
        say_hello(link);
    }
    link->why = err;
    return err.code;
}

static enum result on_frame(uint8_t type, struct slice body, void *owner)
{
    struct link *link = owner;

    if (link->is_closing)
        return GW_CLOSED;
    if (!link->is_ready && !link->is_join) {
        if (type != PEER_HELLO)
            return GW_MALFORMED;
        return take_hello(link, body);
    }
    if (type == PEER_PING || (link->mutes & FAULT_IN) != 0)
        return GW_OK;
    if (type == PEER_HELLO)
        return GW_MALFORMED;
    enum result result = link->events->on_frame(link, type, body, link->owner);
    return link->is_closing ? GW_CLOSED : result;
}

static void on_open(struct stream *stream, void *owner)
{
    struct link *link = owner;

    link->heard_ms = loop_now_ms(link->loop);
    if (slice_equal(stream_protocol(stream), SLICE(TLS_JOIN))) {
        link->is_join = true;
        link->reader.limits = &peer_limits_join;
    } else if (link->is_dialled) {
        say_hello(link);
    }
}

static void on_data(struct stream *stream, struct slice data, void *owner)
{
    struct link *link = owner;
    struct error err = ERROR_NONE;

    (void)stream;
    if ((link->mutes & FAULT_IN) == 0)
        link->heard_ms = loop_now_ms(link->loop);
    link->bytes_in += data.size;
    link->in_reader = true;
    enum result result = frame_reader_push(&link->reader, data, on_frame, link, &err);
    link->in_reader = false;
    if (result == GW_OK || link->is_closing)
        return;
    link_close(link, result, err.text[0] != '\0' ? err.text : result_text(result));
}

static void on_end(struct stream *stream, void *owner)
{
    (void)stream;
    link_close(owner, GW_CLOSED, "closed by the peer");
}

static void on_error(struct stream *stream, const struct error *err, void *owner)
{
    (void)stream;
    link_close(owner, err->code, err->text);
}

static const struct stream_events stream_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_end = on_end,
    .on_error = on_error,
};

/* Before the hello time counts from the start, not from the last byte: who drips bytes
 * holds no place for longer than who sends none. A joiner gets time for its answer. */
static bool has_run_out(const struct link *link, uint64_t now_ms)
{
    uint64_t since_ms = link->is_ready ? link->heard_ms : link->opened_ms;
    uint64_t patience_ms = link->is_ready  ? LINK_SILENCE_MS
                           : link->is_join ? LINK_JOIN_MS
                                           : LINK_HELLO_MS;

    return now_ms > since_ms && now_ms - since_ms > patience_ms;
}

/* Pings when nothing was said for a while, ends the link when its time is over. */
static void on_silence(struct wheel_timer *timer, uint64_t now_ms)
{
    struct link *link = container_of(timer, struct link, silence);

    if (has_run_out(link, now_ms)) {
        link_close(link, GW_TIMEOUT, link->is_ready ? "nothing heard" : "no hello in time");
        return;
    }
    if (link->is_ready && now_ms - link->said_ms >= LINK_PING_MS)
        link_send(link, PEER_PING, slice_of("", 0), slice_of("", 0));
    if (!link->is_closing)
        loop_start_timer(link->loop, &link->silence, LINK_PING_MS / 2);
}

static struct link *link_new(struct loop *loop, const struct hello *ours,
                             const struct link_events *events, void *owner)
{
    struct link *link = calloc(1, sizeof *link);

    if (link == NULL)
        return NULL;
    link->loop = loop;
    link->ours = *ours;
    link->events = events;
    link->owner = owner;
    link->silence.fire = on_silence;
    link->opened_ms = link->heard_ms = link->said_ms = loop_now_ms(loop);
    frame_reader_init(&link->reader, &peer_limits_consensus);
    return link;
}

static enum result start(struct link *link, enum result result, struct link **ret_link)
{
    if (result != GW_OK) {
        frame_reader_deinit(&link->reader);
        free(link);
        return result;
    }
    frame_writer_init(&link->writer, link->stream, 0);
    loop_start_timer(link->loop, &link->silence, LINK_PING_MS / 2);
    *ret_link = link;
    return GW_OK;
}

/* What bounds Raft's messages is LINK_QUEUE_BYTES in link_send; forwarded requests and
 * their answers are up to 20 MiB each. */
#define WRITE_LIMIT ((size_t)96 << 20)

enum result link_accept(struct loop *loop, int fd, struct tls_context *tls,
                        const struct hello *ours, const struct link_events *events,
                        void *owner, struct link **ret_link, struct error *err)
{
    struct link *link = link_new(loop, ours, events, owner);
    struct stream_options options = {.tls = tls, .write_limit = WRITE_LIMIT};

    if (link == NULL) {
        close(fd);
        return error_set(err, GW_NO_MEMORY, "accept a peer");
    }
    return start(
        link,
        stream_accept(loop->uv, fd, &options, &stream_events, link, &link->stream, err),
        ret_link);
}

enum result link_dial(struct loop *loop, struct slice address, uint64_t peer_id,
                      struct tls_context *tls, const struct hello *ours,
                      const struct link_events *events, void *owner, struct link **ret_link,
                      struct error *err)
{
    struct link *link = link_new(loop, ours, events, owner);
    struct tls_expect expect = {.kind = IDENTITY_NODE, .node_id = peer_id};
    struct stream_options options = {
        .tls = tls, .expect = &expect, .open_timeout_ms = 5000, .write_limit = WRITE_LIMIT};

    if (link == NULL)
        return error_set(err, GW_NO_MEMORY, "dial node %llu", (unsigned long long)peer_id);
    link->is_dialled = true;
    link->peer_id = peer_id;
    return start(link,
                 stream_connect(loop->uv, address, &options, &stream_events, link,
                                &link->stream, err),
                 ret_link);
}

/* Entries that go the other way overtake those that wait, and may be refused for it: then
 * they are sent again. That costs a round trip, where a late heartbeat costs an election.
 */
enum peer_class link_class_for(size_t message_bytes, bool is_bulk, size_t waiting_bytes)
{
    if (is_bulk || message_bytes > PEER_CONSENSUS_BYTES)
        return PEER_BULK;
    return message_bytes > LINK_SMALL_BYTES && waiting_bytes > LINK_CONSENSUS_QUEUE
               ? PEER_BULK
               : PEER_CONSENSUS;
}

size_t link_queued_bytes(const struct link *link)
{
    return stream_queued_bytes(link->stream) + frame_writer_pending(&link->writer);
}

enum result link_send(struct link *link, enum peer_frame type, struct slice head,
                      struct slice body)
{
    if (link->is_closing)
        return GW_CLOSED;
    /* The hello of each kind of link goes before it is ready; nothing else does. */
    if (!link->is_ready && !link->is_join && type != PEER_HELLO)
        return GW_CLOSED;
    if ((link->mutes & FAULT_OUT) != 0)
        return GW_OK;
    size_t queued = link_queued_bytes(link);
    if (type == PEER_RAFT && queued > 0 &&
        queued + head.size + body.size > LINK_QUEUE_BYTES)
        return GW_LIMIT;

    struct buffer *out = frame_begin(&link->writer, (uint8_t)type);
    buffer_append_slice(out, head);
    buffer_append_slice(out, body);
    enum result result = frame_end(&link->writer);
    if (result != GW_OK)
        return result;
    link->said_ms = loop_now_ms(link->loop);
    link->bytes_out += FRAME_HEAD_SIZE + head.size + body.size;
    return GW_OK;
}
