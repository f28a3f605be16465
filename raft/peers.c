/* At most MEMBER_PEERS peers, found by walking the array: there are seven
 * voters and a few more nodes, and a frame costs far more than the walk.
 *
 * Every node sends its status to every other, once a second and on change, so
 * that any of them can say what it last knew when there is no leader to ask. */
#include "raft/peers.h"

#include "base/hash.h"
#include "base/instant.h"
#include "base/log.h"

#include <unistd.h>

#define STRANGERS_MAX    128
#define BACKOFF_FIRST_MS 50
#define BACKOFF_MAX_MS   1000
#define HIGHER_WAITS_MS  300
#define STATUS_EVERY_MS  1000
#define FRESH_MS         1000
#define JOINS_PER_SECOND 10
#define TELL_AGAIN_MS    60000

struct peer *peers_find(struct peers *peers, uint64_t id)
{
    for (size_t i = 0; i < MEMBER_PEERS; i++) {
        if (peers->items[i].id == id && id != 0)
            return &peers->items[i];
    }
    return NULL;
}

static struct peer *peer_make(struct peers *peers, uint64_t id)
{
    struct peer *peer = peers_find(peers, id);

    if (peer != NULL)
        return peer;
    for (size_t i = 0; i < MEMBER_PEERS; i++) {
        peer = &peers->items[i];
        if (peer->id != 0)
            continue;
        memset(peer, 0, sizeof *peer);
        buffer_init(&peer->status, 32u << 10);
        peer->id = id;
        for (int class = 0; class < 2; class ++) {
            peer->backoff_ms[class] = BACKOFF_FIRST_MS;
            peer->redial_ms[class] =
                loop_now_ms(peers->loop) + (peers->ours.id < id ? 0 : HIGHER_WAITS_MS);
        }
        return peer;
    }
    return NULL;
}

bool peer_is_connected(const struct peer *peer)
{
    return peer->links[PEER_CONSENSUS] != NULL;
}

uint64_t peer_seen_ms(const struct peer *peer)
{
    uint64_t seen_ms = peer->seen_ms;

    for (int class = 0; class < 2; class ++) {
        const struct link *link = peer->links[class];
        if (link != NULL && link->heard_ms > seen_ms)
            seen_ms = link->heard_ms;
    }
    return seen_ms;
}

static bool sends_status(struct peers *peers, struct link *link)
{
    return peers->status.size > 0 && link_send(link, PEER_STATUS, slice_of("", 0),
                                               buffer_slice(&peers->status)) == GW_OK;
}

static uint64_t dialler(const struct link *link)
{
    return link->is_dialled ? link->ours.id : link->theirs.id;
}

/* Whether `standing` is kept when `link` arrives. A silent one is not: its peer
 * has most likely restarted and knows nothing of it. */
static bool prefers_standing(const struct link *standing, const struct link *link,
                             uint64_t now_ms)
{
    return dialler(standing) < dialler(link) && now_ms - standing->heard_ms < FRESH_MS;
}

static unsigned cuts_of(const struct peers *peers, uint64_t id)
{
    return fault_cuts_of(peers->cuts, peers->cut_count, id, instant_monotonic_ms());
}

static enum result on_hello(struct link *link, const struct hello *hello, void *owner,
                            struct error *err)
{
    struct peers *peers = owner;
    struct peer *peer = peers_find(peers, hello->id);
    enum peer_class class = hello->class;

    if (peers->has_nodes && (peer == NULL || !peer->is_known) &&
        hello->id <= peers->nodes_visible) {
        peers->counters.links_refused++;
        return error_set(err, GW_FORBIDDEN, "node %llu was removed from the cluster",
                         (unsigned long long)hello->id);
    }
    if (cuts_of(peers, hello->id) != 0)
        return error_set(err, GW_CLOSED, "cut by a fault point");
    if (peer == NULL)
        peer = peer_make(peers, hello->id);
    if (peer == NULL)
        return error_set(err, GW_LIMIT, "more than %d peers", MEMBER_PEERS);

    struct link *standing = peer->links[class];
    if (standing != NULL && prefers_standing(standing, link, loop_now_ms(peers->loop)))
        return error_set(err, GW_CONFLICT, "a link stands already");
    if (standing != NULL)
        link_close(standing, GW_CLOSED, "replaced by a newer link");

    if (peer->dialling[class] == link)
        peer->dialling[class] = NULL;
    list_remove(&link->member_link);
    if (!link->is_dialled)
        peers->stranger_count--;
    peer->links[class] = link;
    peer->backoff_ms[class] = BACKOFF_FIRST_MS;
    if (peer->address[0] == '\0' && hello->address[0] != '\0')
        memcpy(peer->address, hello->address, sizeof peer->address);
    peers->counters.links_opened++;
    log_event(LOG_DEBUG, "peers", "link open", LOG_U64("peer", peer->id),
              LOG_U64("class", class));
    if (class == PEER_BULK)
        sends_status(peers, link);
    peers->events->on_link(peers->owner, peer->id, class, true);
    return GW_OK;
}

static bool read_id(struct slice *body, uint64_t *ret_id)
{
    uint64_t id = 0;

    if (body->size < 8)
        return false;
    for (int i = 0; i < 8; i++)
        id = id << 8 | (uint8_t)body->data[i];
    *ret_id = id;
    *body = slice_from(*body, 8);
    return true;
}

static void write_id(uint64_t id, char out[8])
{
    for (int i = 0; i < 8; i++)
        out[i] = (char)(id >> (56 - 8 * i));
}

static void take_status(struct peers *peers, struct peer *peer, struct slice status)
{
    bool is_same = slice_equal(buffer_slice(&peer->status), status);

    if (is_same)
        return;
    buffer_reset(&peer->status);
    buffer_append_slice(&peer->status, status);
    peers->events->on_status(peers->owner, peer->id);
}

/* A joiner's only frame. Rated, as anybody who can reach the port may send one. */
static enum result take_join(struct peers *peers, struct link *link, struct slice body)
{
    uint64_t now_ms = loop_now_ms(peers->loop);

    if (now_ms - peers->join_refilled_ms >= 1000) {
        peers->join_tokens = JOINS_PER_SECOND;
        peers->join_refilled_ms = now_ms;
    }
    if (peers->join_tokens == 0) {
        peers->counters.links_refused++;
        link_close(link, GW_LIMIT, "too many join requests");
        return GW_CLOSED;
    }
    peers->join_tokens--;
    peers->counters.joins++;
    link->peer_id = ++peers->join_next;
    peers->events->on_join(peers->owner, link->peer_id, body);
    return GW_OK;
}

static enum result on_frame(struct link *link, uint8_t type, struct slice body, void *owner)
{
    struct peers *peers = owner;
    uint64_t id;

    peers->counters.frames_in++;
    peers->counters.bytes_in += FRAME_HEAD_SIZE + body.size;
    if (link->is_join) {
        if (type == PEER_JOIN && link->peer_id == 0)
            return take_join(peers, link, body);
        return GW_MALFORMED;
    }
    struct peer *peer = peers_find(peers, link->peer_id);
    if (peer == NULL || peer->links[link->ours.class] != link)
        return GW_CLOSED;

    switch ((enum peer_frame)type) {
    case PEER_RAFT:
        return peers->events->on_message(peers->owner, peer->id, body);
    case PEER_FORWARD:
        if (!read_id(&body, &id))
            return GW_MALFORMED;
        peers->counters.forwards_in++;
        peers->events->on_forward(peers->owner, peer->id, id, body);
        return GW_OK;
    case PEER_REPLY:
        if (!read_id(&body, &id))
            return GW_MALFORMED;
        peers->events->on_reply(peers->owner, peer->id, id, body);
        return GW_OK;
    case PEER_STATUS:
        take_status(peers, peer, body);
        return GW_OK;
    case PEER_HELLO:
    case PEER_PING:
    case PEER_JOIN:
        break;
    }
    return GW_MALFORMED;
}

static void schedule_redial(struct peers *peers, struct peer *peer, int class)
{
    uint32_t backoff = peer->backoff_ms[class];

    peer->redial_ms[class] =
        loop_now_ms(peers->loop) + backoff / 2 + rng_below(&peers->rng, backoff / 2 + 1);
    if (peers->ours.id > peer->id)
        peer->redial_ms[class] += HIGHER_WAITS_MS;
    peer->backoff_ms[class] = backoff * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : backoff * 2;
}

/* A sentence is logged when it is new, and again once a minute. */
static bool is_news(struct peers *peers, const struct error *why)
{
    uint64_t hash = hash_stable(slice_from_string(why->text));
    uint64_t now_ms = loop_now_ms(peers->loop);
    size_t oldest = 0;

    for (size_t i = 0; i < PEERS_TOLD; i++) {
        if (peers->told[i].hash == hash && now_ms - peers->told[i].at_ms < TELL_AGAIN_MS &&
            peers->told[i].at_ms != 0)
            return false;
        if (peers->told[i].at_ms < peers->told[oldest].at_ms)
            oldest = i;
    }
    peers->told[oldest].hash = hash;
    peers->told[oldest].at_ms = now_ms;
    return true;
}

/* A peer worth telling a person about once, not at every retry. */
static bool is_loud(const struct error *why)
{
    return why->code == GW_FORBIDDEN || why->code == GW_FOREIGN || why->code == GW_NEWER ||
           why->code == GW_MALFORMED || why->code == GW_UNAUTHORISED;
}

static void on_closed(struct link *link, const struct error *why, void *owner)
{
    struct peers *peers = owner;
    struct peer *peer = link->is_join ? NULL : peers_find(peers, link->peer_id);
    int class = link->ours.class;

    peers->link_count--;
    if (list_is_linked(&link->member_link)) {
        list_remove(&link->member_link);
        if (!link->is_dialled)
            peers->stranger_count--;
    }
    /* Who came by and said nothing that holds: no TLS of ours, or silence. */
    bool is_stranger = !link->is_dialled && link->theirs.id == 0;
    if (why->code == GW_MALFORMED)
        peers->counters.malformed++;
    else if (is_loud(why) || (is_stranger && why->code != GW_CLOSED))
        peers->counters.links_refused++;
    if (is_loud(why) && is_news(peers, why))
        log_event(LOG_WARN, "peers", "link refused", LOG_U64("peer", link->peer_id),
                  LOG_STR("why", why->text));
    if (peer == NULL)
        return;
    if (peer->dialling[class] == link) {
        peer->dialling[class] = NULL;
        schedule_redial(peers, peer, class);
    }
    if (peer->links[class] == link) {
        peer->links[class] = NULL;
        if (link->heard_ms > peer->seen_ms)
            peer->seen_ms = link->heard_ms;
        schedule_redial(peers, peer, class);
        log_event(LOG_INFO, "peers", "link closed", LOG_U64("peer", peer->id),
                  LOG_U64("class", class), LOG_STR("why", why->text));
        if (!peers->is_closing)
            peers->events->on_link(peers->owner, peer->id, (enum peer_class) class, false);
    }
}

static const struct link_events link_events = {
    .on_hello = on_hello,
    .on_frame = on_frame,
    .on_closed = on_closed,
};

/* Closing takes a turn of the loop or two, so there may be some on their way out already.
 */
static void evict_stranger(struct peers *peers)
{
    list_each (&peers->strangers, item) {
        struct link *link = container_of(item, struct link, member_link);
        if (link->is_closing)
            continue;
        peers->counters.links_refused++;
        link_close(link, GW_LIMIT, "too many connections without a hello");
        return;
    }
}

static void on_accepted(struct listener *listener, int fd, void *owner)
{
    struct peers *peers = owner;
    struct link *link;
    struct error err = ERROR_NONE;

    (void)listener;
    /* The one that has waited longest gives way: a peer that comes now says hello at once.
     */
    if (peers->stranger_count >= STRANGERS_MAX)
        evict_stranger(peers);
    if (peers->stranger_count >= 2 * STRANGERS_MAX) {
        peers->counters.links_refused++;
        close(fd);
        return;
    }
    if (link_accept(peers->loop, fd, peers->server, &peers->ours, &link_events, peers,
                    &link, &err) != GW_OK)
        return;
    peers->link_count++;
    peers->stranger_count++;
    list_append(&peers->strangers, &link->member_link);
}

enum result peers_open(struct peers *peers, struct loop *loop, int fd,
                       struct tls_context *server, struct tls_context *client,
                       const struct hello *ours, const struct peers_events *events,
                       void *owner, struct error *err)
{
    memset(peers, 0, sizeof *peers);
    peers->loop = loop;
    peers->server = tls_context_ref(server);
    peers->client = tls_context_ref(client);
    peers->ours = *ours;
    peers->events = events;
    peers->owner = owner;
    rng_init_random(&peers->rng);
    list_init(&peers->strangers);
    buffer_init(&peers->status, 32u << 10);
    return listener_open(&peers->listener, loop->uv, fd, on_accepted, peers, err);
}

void peers_close(struct peers *peers)
{
    peers->is_closing = true;
    listener_close(&peers->listener, NULL);
    list_each (&peers->strangers, link)
        link_close(container_of(link, struct link, member_link), GW_CLOSED,
                   "this node stops");
    for (size_t i = 0; i < MEMBER_PEERS; i++) {
        for (int class = 0; class < 2; class ++) {
            if (peers->items[i].links[class] != NULL)
                link_close(peers->items[i].links[class], GW_CLOSED, "this node stops");
            if (peers->items[i].dialling[class] != NULL)
                link_close(peers->items[i].dialling[class], GW_CLOSED, "this node stops");
        }
    }
}

bool peers_is_closed(const struct peers *peers)
{
    return peers->link_count == 0;
}

void peers_deinit(struct peers *peers)
{
    for (size_t i = 0; i < MEMBER_PEERS; i++) {
        if (peers->items[i].id != 0)
            buffer_deinit(&peers->items[i].status);
    }
    buffer_deinit(&peers->status);
    tls_context_unref(peers->server);
    tls_context_unref(peers->client);
}

static void dial(struct peers *peers, struct peer *peer, int class)
{
    struct hello ours = peers->ours;
    struct error err = ERROR_NONE;
    struct link *link;

    ours.class = (enum peer_class) class;
    if (link_dial(peers->loop, slice_from_string(peer->address), peer->id, peers->client,
                  &ours, &link_events, peers, &link, &err) != GW_OK) {
        schedule_redial(peers, peer, class);
        return;
    }
    peers->link_count++;
    peer->dialling[class] = link;
}

void peers_greet(struct peers *peers, uint64_t id, const char *address)
{
    struct hello ours = peers->ours;
    struct error err = ERROR_NONE;
    struct link *link;

    if (peers->is_closing)
        return;
    ours.class = PEER_CONSENSUS;
    if (link_dial(peers->loop, slice_from_string(address), id, peers->client, &ours,
                  &link_events, peers, &link, &err) != GW_OK)
        return;
    peers->link_count++;
    list_append(&peers->strangers, &link->member_link);
}

/* Removed from the cluster, and no link is left to say so. */
static bool is_forgotten(const struct peers *peers, const struct peer *peer)
{
    return peers->has_nodes && !peer->is_known && peer->id <= peers->nodes_visible &&
           peer->links[0] == NULL && peer->links[1] == NULL && peer->dialling[0] == NULL &&
           peer->dialling[1] == NULL;
}

void peers_tick(struct peers *peers, uint64_t now_ms)
{
    bool is_status_due = now_ms - peers->status_sent_ms >= STATUS_EVERY_MS;

    if (peers->is_closing)
        return;
    for (size_t i = 0; i < MEMBER_PEERS; i++) {
        struct peer *peer = &peers->items[i];
        if (peer->id == 0 || peer->id == peers->ours.id)
            continue;
        if (is_forgotten(peers, peer)) {
            buffer_deinit(&peer->status);
            peer->id = 0;
            continue;
        }
        unsigned cuts = cuts_of(peers, peer->id);
        for (int class = 0; class < 2; class ++) {
            if (peer->links[class] != NULL)
                peer->links[class]->mutes = cuts;
            else if (cuts == 0 && peer->dialling[class] == NULL &&
                     peer->address[0] != '\0' && now_ms >= peer->redial_ms[class])
                dial(peers, peer, class);
        }
        if (is_status_due && peer->links[PEER_BULK] != NULL)
            sends_status(peers, peer->links[PEER_BULK]);
    }
    if (is_status_due)
        peers->status_sent_ms = now_ms;
}

void peers_cut(struct peers *peers, const struct fault_cut *cuts, size_t count)
{
    memcpy(peers->cuts, cuts, count * sizeof *cuts);
    peers->cut_count = count;
    peers_tick(peers, loop_now_ms(peers->loop));
}

void peers_status(struct peers *peers, struct slice status)
{
    if (slice_equal(buffer_slice(&peers->status), status))
        return;
    buffer_reset(&peers->status);
    buffer_append_slice(&peers->status, status);
    peers->status_sent_ms = 0; /* the next tick would do, but news goes at once */
    peers_tick(peers, loop_now_ms(peers->loop));
}

void peers_credentials(struct peers *peers, struct tls_context *server,
                       struct tls_context *client)
{
    if (peers->is_closing)
        return;
    tls_context_unref(peers->server);
    tls_context_unref(peers->client);
    peers->server = tls_context_ref(server);
    peers->client = tls_context_ref(client);
}

static void forget(struct peers *peers, struct peer *peer)
{
    for (int class = 0; class < 2; class ++) {
        if (peer->links[class] != NULL)
            link_close(peer->links[class], GW_FORBIDDEN, "the node was removed");
        if (peer->dialling[class] != NULL)
            link_close(peer->dialling[class], GW_FORBIDDEN, "the node was removed");
    }
    peer->address[0] = '\0';
    (void)peers;
}

void peers_nodes(struct peers *peers, const struct member_node *nodes, size_t count,
                 uint64_t visible)
{
    for (size_t i = 0; i < MEMBER_PEERS; i++)
        peers->items[i].is_known = false;
    for (size_t i = 0; i < count; i++) {
        if (nodes[i].id == peers->ours.id)
            continue;
        struct peer *peer = peer_make(peers, nodes[i].id);
        if (peer == NULL)
            continue;
        peer->is_known = true;
        if (strcmp(peer->address, nodes[i].address) != 0) {
            memcpy(peer->address, nodes[i].address, sizeof peer->address);
            peer->redial_ms[0] = peer->redial_ms[1] = 0;
        }
    }
    peers->has_nodes = count > 0;
    peers->nodes_visible = visible;
    for (size_t i = 0; i < MEMBER_PEERS; i++) {
        struct peer *peer = &peers->items[i];
        if (peer->id != 0 && !peer->is_known && peer->id <= visible && peers->has_nodes)
            forget(peers, peer);
    }
    peers_tick(peers, loop_now_ms(peers->loop));
}

static enum result send_on(struct peers *peers, struct link *link, enum peer_frame type,
                           struct slice head, struct slice body)
{
    enum result result = link == NULL ? GW_UNREACHABLE : link_send(link, type, head, body);

    if (result == GW_OK) {
        peers->counters.frames_out++;
        peers->counters.bytes_out += FRAME_HEAD_SIZE + head.size + body.size;
    } else if (result == GW_LIMIT) {
        peers->counters.dropped_over_limit++;
    }
    return result;
}

void peers_send(struct peers *peers, uint64_t to, struct slice message, bool bulk)
{
    struct peer *peer = peers_find(peers, to);

    if (peer == NULL)
        return;
    const struct link *consensus = peer->links[PEER_CONSENSUS];
    size_t waiting = consensus == NULL ? 0 : link_queued_bytes(consensus);
    enum peer_class class = link_class_for(message.size, bulk, waiting);
    send_on(peers, peer->links[class], PEER_RAFT, slice_of("", 0), message);
}

enum result peers_forward(struct peers *peers, uint64_t to, uint64_t id,
                          struct slice payload)
{
    struct peer *peer = peers_find(peers, to);
    char head[8];

    if (peer == NULL || peer->links[PEER_BULK] == NULL)
        return GW_UNREACHABLE;
    write_id(id, head);
    peers->counters.forwards_out++;
    return send_on(peers, peer->links[PEER_BULK], PEER_FORWARD, slice_of(head, sizeof head),
                   payload);
}

void peers_reply(struct peers *peers, uint64_t to, uint64_t id, struct slice payload)
{
    struct peer *peer = peers_find(peers, to);
    char head[8];

    write_id(id, head);
    if (peer != NULL)
        send_on(peers, peer->links[PEER_BULK], PEER_REPLY, slice_of(head, sizeof head),
                payload);
}

void peers_join_answer(struct peers *peers, uint64_t id, struct slice answer)
{
    list_each (&peers->strangers, item) {
        struct link *link = container_of(item, struct link, member_link);
        if (link->is_join && link->peer_id == id) {
            send_on(peers, link, PEER_JOIN, slice_of("", 0), answer);
            return;
        }
    }
}
