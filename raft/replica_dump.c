/* Dumps out: piece by piece, no more on the way than a window, from where the other side
 * is.
 *
 * libraft asks for an InstallSnapshot; what goes out at first is the dump, by messages of
 * our own on the bulk link (raft/wire_dump.h). The owner makes it and reads it off this
 * thread, one piece at a time. The receiver says how far it is; what it did not get, after
 * a while or when it says so, is sent again from there, whether a message or a link was
 * lost or the receiver restarted. Once it has all, libraft's message follows with the
 * dump's name, on the consensus link, and libraft takes over.
 *
 * Meanwhile libraft's impatience is kept from both (guard F). A transfer that does not get
 * on for `transfer_ms` is given up; libraft asks anew when it hears of the peer.
 *
 * The price of going back to the first loss: up to a window is sent twice. */
#include "raft/replica_inner.h"

#include "raft/wire_dump.h"

#include <stdlib.h>

#define WINDOW_BYTES (2u << 20)

static uint64_t retry_ms(const struct replica *replica)
{
    return 3ull * replica->options.election_ms;
}

void dump_end(struct replica *replica, struct peer *peer, bool is_done)
{
    bool was_asked = peer->dump.is_asked;

    if (peer->transfer != 0 && !is_done)
        replica->counters.dump_aborts++;
    if (peer->transfer != 0)
        peer->caught_up = is_done ? raft_last_index(&replica->raft) : 0;
    peer->transfer = 0;
    peer->dump = (struct dump_out){0};
    free((void *)(uintptr_t)peer->install_conf.data);
    peer->install_conf = (struct slice){NULL, 0};
    if (was_asked && replica->options.dump_over != NULL)
        replica->options.dump_over(replica->options.owner, peer->id);
}

void dump_ask(struct replica *replica, struct peer *peer,
              const struct raft_install_snapshot *args)
{
    if (guard_is_on(replica, GUARD_TRANSFER) && peer->transfer != 0) {
        guard_hit(replica, GUARD_TRANSFER);
        return;
    }
    if (!peer->is_up)
        return;
    dump_end(replica, peer, false);
    peer->install_conf = conf_encode(&args->conf);
    if (peer->install_conf.data == NULL)
        return;
    peer->transfer = args->last_index;
    peer->install_term = args->term;
    peer->install_last_term = args->last_term;
    peer->install_conf_index = args->conf_index;
    peer->dump.got_on_ms = peer->dump.said_ms = replica->now_ms;
    if (!replica->is_open)
        return;
    peer->dump.is_asked = true;
    replica->options.dump_wanted(replica->options.owner, peer->id);
}

/* Whose term has passed sends nothing more. */
static bool is_current(struct replica *replica, struct peer *peer)
{
    return !replica->is_halted && is_leading(replica) &&
           raft_current_term(&replica->raft) == peer->install_term;
}

/* libraft's own message, as it asked for it. */
static void send_install(struct replica *replica, struct peer *peer)
{
    struct wire_message message = {.raft.type = RAFT_INSTALL_SNAPSHOT,
                                   .dump = peer->dump.about.id};
    struct raft_install_snapshot *args = &message.raft.install_snapshot;

    if (!conf_decode(peer->install_conf, &args->conf))
        return;
    args->term = peer->install_term;
    args->last_index = peer->transfer;
    args->last_term = peer->install_last_term;
    args->conf_index = peer->install_conf_index;
    if (!peer->dump.was_installed)
        replica->counters.dumps_sent++;
    peer->dump.is_installing = peer->dump.was_installed = true;
    peer->dump.said_ms = replica->now_ms;
    send_message(replica, peer->id, &message);
    raft_configuration_close(&args->conf);
}

static bool has_window(const struct dump_out *dump)
{
    size_t bytes = 0;

    if (dump->next - dump->acked >= DUMP_WINDOW)
        return false;
    for (uint64_t i = dump->acked; i < dump->next; i++)
        bytes += dump->sizes[i % DUMP_WINDOW];
    return bytes < WINDOW_BYTES;
}

/* Reads and sends what the window takes. A piece may come while we ask for it. */
static void push_on(struct replica *replica, struct peer *peer)
{
    struct dump_out *dump = &peer->dump;

    if (dump->is_pushing)
        return;
    dump->is_pushing = true;
    while (dump->is_ready && !dump->is_reading && peer->is_up &&
           replica->now_ms >= dump->wait_ms && dump->next < dump->about.count &&
           has_window(dump)) {
        dump->is_reading = true;
        replica->options.dump_read(replica->options.owner, peer->id, dump->next);
    }
    dump->is_pushing = false;
    if (dump->is_ready && !dump->is_installing && peer->is_up &&
        dump->acked == dump->about.count)
        send_install(replica, peer);
}

static void go_back(struct replica *replica, struct peer *peer, uint64_t number)
{
    struct dump_out *dump = &peer->dump;

    if (dump->next > number || dump->is_installing)
        replica->counters.dump_resumes++;
    dump->acked = dump->next = number;
    dump->is_installing = false;
    dump->back_ms = dump->said_ms = replica->now_ms;
}

void replica_dump_ready(struct replica *replica, uint64_t to,
                        const struct dump_about *about)
{
    struct peer *peer = peer_of(replica, to);

    if (peer == NULL || !peer->dump.is_asked || peer->dump.is_ready)
        return;
    if (about == NULL || !is_current(replica, peer)) {
        dump_end(replica, peer, false);
        return;
    }
    peer->dump.about = *about;
    peer->dump.is_ready = true;
    peer->dump.got_on_ms = peer->dump.said_ms = replica->now_ms;
    push_on(replica, peer);
}

void replica_dump_piece(struct replica *replica, uint64_t to,
                        const struct dump_piece *piece)
{
    struct peer *peer = peer_of(replica, to);
    struct wire_dump message = {.type = WIRE_DUMP_PIECE};
    struct buffer bytes;

    if (peer == NULL || !peer->dump.is_reading)
        return;
    peer->dump.is_reading = false;
    if (piece == NULL || !is_current(replica, peer)) {
        dump_end(replica, peer, false);
        return;
    }
    if (piece->number == peer->dump.next) { /* not gone back meanwhile */
        message.term = peer->install_term;
        message.id = peer->dump.about.id;
        message.number = piece->number;
        message.count = peer->dump.about.count;
        message.rest_bytes = piece->rest_bytes;
        message.index = peer->transfer;
        message.label_term = peer->install_last_term;
        message.is_cut = piece->is_cut;
        message.bytes = piece->bytes;
        buffer_init(&bytes, 0);
        if (wire_dump_encode(&bytes, &message)) {
            replica->counters.dump_pieces_sent++;
            replica->counters.dump_bytes_sent += piece->bytes.size;
            send_bytes(replica, to, buffer_slice(&bytes), true);
        }
        buffer_deinit(&bytes);
        peer->dump.sizes[piece->number % DUMP_WINDOW] = piece->bytes.size;
        peer->dump.next++;
        peer->dump.said_ms = replica->now_ms;
    }
    push_on(replica, peer);
}

void dump_acked(struct replica *replica, struct peer *peer, const struct wire_dump *ack)
{
    struct dump_out *dump = &peer->dump;

    if (!dump->is_ready || ack->id != dump->about.id || ack->number > dump->about.count ||
        !is_current(replica, peer))
        return;
    dump->said_ms = replica->now_ms;
    if (ack->number > dump->acked) {
        if (dump->next < ack->number) { /* it had more of it already */
            replica->counters.dump_resumes++;
            dump->next = ack->number;
        }
        dump->acked = ack->number;
        dump->got_on_ms = replica->now_ms;
    }
    if (ack->is_full) {
        /* It says so itself; until there is room, it is asked now and then. */
        dump->got_on_ms = replica->now_ms;
        dump->wait_ms = replica->now_ms + retry_ms(replica);
        dump->acked = dump->next = ack->number;
        return;
    }
    /* Each piece behind a loss tells of it: once is enough. Less than it had is what a
     * receiver says that lost power. */
    bool is_lost = ack->number < dump->acked ||
                   (ack->is_lost && (ack->number < dump->next || dump->is_installing));
    if (is_lost && (dump->back_ms == 0 || ack->number != dump->acked ||
                    replica->now_ms - dump->back_ms >= retry_ms(replica) / 4))
        go_back(replica, peer, ack->number);
    push_on(replica, peer);
}

void dump_link_up(struct replica *replica, struct peer *peer)
{
    if (!peer->dump.is_ready)
        return;
    go_back(replica, peer, peer->dump.acked);
    push_on(replica, peer);
}

void dump_tick(struct replica *replica)
{
    for (unsigned i = 0; i < replica->peer_count; i++) {
        struct peer *peer = replica->peers[i];
        struct dump_out *dump = &peer->dump;

        if (peer->transfer == 0)
            continue;
        if (replica->now_ms - dump->got_on_ms > replica->options.transfer_ms) {
            dump_end(replica, peer, false);
            continue;
        }
        if (!dump->is_ready || dump->is_reading)
            continue;
        if (replica->now_ms - dump->said_ms > retry_ms(replica))
            go_back(replica, peer, dump->acked);
        push_on(replica, peer);
    }
}
