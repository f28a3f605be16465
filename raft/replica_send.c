/* Messages out.
 *
 * The outbox gate: `set_term` and `set_vote` are queued writes, so a message may
 * rest on a vote that the disk does not have. It waits, in order, until the
 * store says so; the loop itself never waits.
 *
 * Own heartbeats keep idle pipelines in PIPELINE and tell followers of a commit
 * at once (guard E); they carry the round number of reads. */
#include "raft/replica_inner.h"

#include <stdlib.h>

void send_bytes(struct replica *replica, uint64_t to, struct slice bytes, bool bulk)
{
    struct outgoing *out;
    bool is_gated = store_durable(replica->options.store) < replica->gate;

    if (!replica->is_open || replica->is_closing || replica->is_halted)
        return; /* as good as lost on the way */
    if (guard_is_on(replica, GUARD_OUTBOX) &&
        (is_gated || !list_is_empty(&replica->outbox))) {
        if (replica->outbox_bytes + bytes.size > OUTBOX_BYTES) {
            replica->counters.dropped++;
            return; /* as good as lost on the way, too */
        }
        out = calloc(1, sizeof *out);
        if (out == NULL)
            return;
        buffer_init(&out->bytes, 0);
        if (!buffer_append_slice(&out->bytes, bytes)) {
            buffer_deinit(&out->bytes);
            free(out);
            return;
        }
        out->sequence = replica->gate;
        out->to = to;
        out->bulk = bulk;
        replica->outbox_bytes += bytes.size;
        list_append(&replica->outbox, &out->link);
        replica->counters.gated++;
        guard_hit(replica, GUARD_OUTBOX);
        return;
    }
    replica->counters.messages_out++;
    replica->options.send(replica->options.owner, to, bytes, bulk);
}

void send_open_gate(struct replica *replica)
{
    struct list_link *link;

    while ((link = list_take_first(&replica->outbox)) != NULL) {
        struct outgoing *out = container_of(link, struct outgoing, link);

        if (out->sequence > store_durable(replica->options.store)) {
            list_prepend(&replica->outbox, link);
            return;
        }
        if (!replica->is_halted && !replica->is_closing) {
            replica->counters.messages_out++;
            replica->options.send(replica->options.owner, out->to,
                                  buffer_slice(&out->bytes), out->bulk);
        }
        replica->outbox_bytes -= out->bytes.size;
        buffer_deinit(&out->bytes);
        free(out);
    }
}

void send_close(struct replica *replica)
{
    struct list_link *link;

    for (unsigned i = 0; i < replica->peer_count; i++)
        gather_drop(replica->peers[i]);
    while ((link = list_take_first(&replica->outbox)) != NULL) {
        struct outgoing *out = container_of(link, struct outgoing, link);
        buffer_deinit(&out->bytes);
        free(out);
    }
}

void send_message(struct replica *replica, uint64_t to, const struct wire_message *message)
{
    struct peer *peer = peer_of(replica, to);
    struct buffer bytes;

    if (peer != NULL)
        gather_flush(replica, peer); /* in the order in which libraft said it */
    buffer_init(&bytes, 0);
    if (wire_encode(&bytes, message))
        send_bytes(replica, to, buffer_slice(&bytes), bytes.size > BULK_BYTES);
    buffer_deinit(&bytes);
}

/* libraft puts up to its whole in-flight window into one message. Cut, each piece
 * is a valid AppendEntries of its own. What goes beyond the bytes that may be in flight
 * is left out: libraft sends it again once the follower said how far it got. */
static void send_append(struct replica *replica, uint64_t to,
                        const struct raft_append_entries *args)
{
    struct wire_message message = {.raft.type = RAFT_APPEND_ENTRIES,
                                   .round = replica->round};
    struct raft_append_entries *piece = &message.raft.append_entries;
    unsigned sent = 0;
    uint64_t total = 0;

    do {
        size_t bytes = 0;
        unsigned count = 0;

        if (total >= INFLIGHT_BYTES) {
            replica->counters.dropped++;
            return;
        }
        while (sent + count < args->n_entries) {
            size_t size = args->entries[sent + count].buf.len + 32;
            if (count > 0 && bytes + size > MESSAGE_BYTES)
                break;
            bytes += size;
            count++;
        }
        *piece = *args;
        if (sent > 0) {
            piece->prev_log_index += sent;
            piece->prev_log_term = args->entries[sent - 1].term;
        }
        piece->entries = count > 0 ? &args->entries[sent] : NULL;
        piece->n_entries = count;
        send_message(replica, to, &message);
        sent += count;
        total += bytes;
    } while (sent < args->n_entries);
}

static bool is_voter(const struct raft_configuration *conf, uint64_t id)
{
    const struct raft_server *server = conf_find(conf, id);

    return server != NULL && server->role == RAFT_VOTER;
}

/* Guard P. To libraft it looks as if the rest had been lost on the way. */
static bool may_append(struct replica *replica, const struct peer *peer,
                       struct raft_append_entries *args)
{
    const struct raft *raft = &replica->raft;
    uint64_t change = raft->configuration_uncommitted_index;

    if (change == 0 || !guard_is_on(replica, GUARD_DEMOTION) ||
        args->prev_log_index + args->n_entries < change ||
        is_voter(&raft->configuration, peer->id) ||
        !is_voter(&raft->configuration_committed, peer->id))
        return true;
    guard_hit(replica, GUARD_DEMOTION);
    return filter_withhold(args, change);
}

int send_from_core(struct raft_io *io, struct raft_io_send *request,
                   const struct raft_message *raft, raft_io_send_cb done)
{
    struct replica *replica = io->impl;
    struct peer *peer = peer_of(replica, raft->server_id);
    struct wire_message message = {.raft = *raft};

    request->cb = done;
    if (peer == NULL || (!guard_is_on(replica, GUARD_NEVER_FAIL) && !peer->is_up))
        return RAFT_NOCONNECTION;
    switch (raft->type) {
    case RAFT_INSTALL_SNAPSHOT:
        dump_ask(replica, peer, &raft->install_snapshot);
        break;
    case RAFT_APPEND_ENTRIES:
        if (may_append(replica, peer, &message.raft.append_entries) &&
            !gather_append(replica, peer, &message.raft.append_entries))
            send_append(replica, peer->id, &message.raft.append_entries);
        break;
    case RAFT_APPEND_ENTRIES_RESULT:
        if (replica->seen_term == raft->append_entries_result.term &&
            replica->seen_from == peer->id)
            message.round = replica->seen_round;
        if (guard_is_on(replica, GUARD_RESULT) &&
            filter_result(&message.raft.append_entries_result,
                          raft_last_index(&replica->raft)))
            guard_hit(replica, GUARD_RESULT);
        if (!gather_result(replica, peer, &message.raft.append_entries_result,
                           message.round))
            send_message(replica, peer->id, &message);
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        if (guard_is_on(replica, GUARD_PRE_VOTE) &&
            filter_pre_vote(&message.raft.request_vote_result, replica->term))
            guard_hit(replica, GUARD_PRE_VOTE);
        send_message(replica, peer->id, &message);
        break;
    default:
        send_message(replica, peer->id, &message);
        break;
    }
    /* At once: nothing is kept of the message, and libraft lets go of its entries. */
    done(request, 0);
    return 0;
}

static void send_heartbeat(struct replica *replica, struct peer *peer, uint64_t match)
{
    struct raft *raft = &replica->raft;
    uint64_t commit = raft_commit_index(raft);
    struct wire_message message = {.raft.type = RAFT_APPEND_ENTRIES,
                                   .round = replica->round};

    if (!filter_heartbeat(&message.raft.append_entries, raft_current_term(raft), match,
                          term_at(raft, match), commit))
        return;
    peer->told_commit = message.raft.append_entries.leader_commit;
    guard_hit(replica, GUARD_HEARTBEAT);
    send_message(replica, peer->id, &message);
}

/* With `only_news`, to those alone that can take in a commit they were not told. */
static void heartbeat_peers(struct replica *replica, bool only_news)
{
    struct raft *raft = &replica->raft;
    uint64_t commit = raft_commit_index(raft);

    if (!list_is_empty(&replica->outbox))
        return; /* what waits there will do */
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];
        struct peer *peer = peer_of(replica, server->id);
        raft_index match;

        if (server->id == raft->id || peer == NULL || peer->transfer != 0 ||
            raft_match_index(raft, server->id, &match) != 0 ||
            (only_news && (commit < match ? commit : match) <= peer->told_commit))
            continue;
        send_heartbeat(replica, peer, match);
    }
}

void send_heartbeats(struct replica *replica)
{
    replica->last_heartbeat_ms = replica->now_ms;
    heartbeat_peers(replica, false);
}

void send_news(struct replica *replica)
{
    struct raft *raft = &replica->raft;

    /* Unless entries behind the commit are on their way, and carry it. Where messages
     * are gathered, those that are about to come count too: what was applied lingers for
     * them in our store, and the news with it. */
    if (raft_commit_index(raft) != raft_last_index(raft) ||
        (replica->options.gathers &&
         store_visible(replica->options.store) < replica->applied_asked))
        return;
    heartbeat_peers(replica, true);
}
