/* Messages in: decoded, judged, filtered, then the core's.
 *
 * What a message says about itself the codec has checked. Here is what depends on
 * our state: first what libraft would assert, and so end the process (a peer must
 * not be able to do that), then the guards that look at what comes in. */
#include "raft/replica_inner.h"

#include "base/plant.h"

/* What libraft would assert, and so end the process, about what a peer says. */
static bool is_plausible(const struct replica *replica, uint64_t from,
                         const struct wire_message *message)
{
    const struct raft *raft = &replica->raft;
    uint64_t commit = raft_commit_index(raft), term = raft_current_term(raft);

    switch (message->raft.type) {
    case RAFT_APPEND_ENTRIES: {
        const struct raft_append_entries *args = &message->raft.append_entries;
        uint64_t ours = term_at(raft, args->prev_log_index);

        if (args->term == term && raft->state == RAFT_LEADER)
            return false;
        if (args->term < term)
            return true;
        if (args->prev_log_index > 0 && args->prev_log_index <= commit && ours != 0 &&
            ours != args->prev_log_term)
            return false;
        for (unsigned i = 0; i < args->n_entries; i++) {
            uint64_t index = args->prev_log_index + 1 + i;
            if (index > commit)
                break;
            ours = term_at(raft, index);
            if (ours != 0 && ours != args->entries[i].term)
                return false;
        }
        return true;
    }
    case RAFT_INSTALL_SNAPSHOT: {
        const struct raft_install_snapshot *args = &message->raft.install_snapshot;
        uint64_t ours = term_at(raft, args->last_index);

        if (args->term == term && raft->state == RAFT_LEADER)
            return false;
        return args->last_index > commit || ours == 0 || ours == args->last_term;
    }
    case RAFT_REQUEST_VOTE:
        return message->raft.request_vote.candidate_id == from;
    case RAFT_APPEND_ENTRIES_RESULT:
        return message->raft.append_entries_result.term != term ||
               raft->state != RAFT_LEADER || message->round <= replica->round;
    default:
        return true;
    }
}

static void deliver(struct replica *replica, struct peer *peer, struct raft_message *raft)
{
    raft->server_id = peer->id;
    raft->server_address = peer->address;
    replica->recv(&replica->io, raft);
}

/* Guard J: entries [first, first + count) as a message of their own. */
static void deliver_segment(struct replica *replica, struct peer *peer,
                            const struct raft_append_entries *args, unsigned first,
                            unsigned count)
{
    struct raft_message raft = {.type = RAFT_APPEND_ENTRIES, .append_entries = *args};
    struct raft_append_entries *piece = &raft.append_entries;
    size_t size = 1, used = 0;
    char *batch;

    for (unsigned i = 0; i < count; i++)
        size += args->entries[first + i].buf.len;
    batch = raft_malloc(size);
    piece->entries = raft_calloc(count, sizeof *piece->entries);
    if (batch == NULL || piece->entries == NULL) {
        raft_free(batch);
        raft_free(piece->entries);
        return; /* as if lost */
    }
    if (first > 0) {
        piece->prev_log_index += first;
        piece->prev_log_term = args->entries[first - 1].term;
    }
    piece->n_entries = count;
    for (unsigned i = 0; i < count; i++) {
        struct raft_entry *entry = &piece->entries[i];

        *entry = args->entries[first + i];
        memcpy(batch + used, entry->buf.base, entry->buf.len);
        entry->buf.base = batch + used;
        entry->batch = batch;
        used += entry->buf.len;
    }
    if (guard_is_on(replica, GUARD_COMMIT) &&
        filter_commit(piece, raft_commit_index(&replica->raft)))
        guard_hit(replica, GUARD_COMMIT);
    deliver(replica, peer, &raft);
}

static void hear_leader(struct replica *replica)
{
    replica->leader_heard_ms = replica->now_ms;
    replica->is_stall_forgiven = false;
}

/* Guard L: who is not the leader any more learns the term and nothing else. */
static bool answer_stale(struct replica *replica, struct peer *peer, uint64_t term)
{
    uint64_t ours = raft_current_term(&replica->raft);
    struct wire_message message = {.raft.type = RAFT_APPEND_ENTRIES_RESULT};

    if (term >= ours || !guard_is_on(replica, GUARD_STALE))
        return false;
    guard_hit(replica, GUARD_STALE);
    filter_stale(&message.raft.append_entries_result, ours);
    send_message(replica, peer->id, &message);
    return true;
}

/* Guard N. */
static void pass_over(struct replica *replica, struct raft_append_entries *args)
{
    const struct raft *raft = &replica->raft;
    uint64_t commit = raft_commit_index(raft), prev = args->prev_log_index;
    unsigned skip;

    if (!guard_is_on(replica, GUARD_COVERED) ||
        !filter_covered(args, commit, term_at(raft, commit),
                        term_at(raft, prev > 0 ? prev : 1) != 0, &skip))
        return;
    guard_hit(replica, GUARD_COVERED);
    if (skip == 0)
        return;
    args->n_entries -= skip;
    if (args->n_entries > 0) {
        memmove(args->entries, args->entries + skip,
                args->n_entries * sizeof *args->entries);
        return;
    }
    raft_free(args->entries[0].batch);
    raft_free(args->entries);
    args->entries = NULL;
}

static void receive_append(struct replica *replica, struct peer *peer,
                           struct wire_message *message)
{
    struct raft_append_entries *args = &message->raft.append_entries;
    unsigned first_segment;

    if (answer_stale(replica, peer, args->term)) {
        wire_free(message);
        return;
    }
    if (args->term >= raft_current_term(&replica->raft)) {
        if (replica->seen_term != args->term || replica->seen_from != peer->id)
            replica->seen_round = 0;
        replica->seen_term = args->term;
        replica->seen_from = peer->id;
        if (message->round > replica->seen_round)
            replica->seen_round = message->round;
        hear_leader(replica);
        pass_over(replica, args);
    }
    first_segment =
        args->n_entries == 0 ? 0 : filter_segment(args->entries, 0, args->n_entries);
    if (first_segment < args->n_entries && guard_is_on(replica, GUARD_CHANGE_FIRST)) {
        guard_hit(replica, GUARD_CHANGE_FIRST);
        for (unsigned first = 0; first < args->n_entries;) {
            unsigned count = filter_segment(args->entries, first, args->n_entries);
            deliver_segment(replica, peer, args, first, count);
            first += count;
        }
        wire_free(message);
        return;
    }
    if (guard_is_on(replica, GUARD_COMMIT) &&
        filter_commit(args, raft_commit_index(&replica->raft)))
        guard_hit(replica, GUARD_COMMIT);
    deliver(replica, peer, &message->raft);
}

static void receive_result(struct replica *replica, struct peer *peer,
                           struct wire_message *message)
{
    struct raft_append_entries_result *result = &message->raft.append_entries_result;
    raft_index match;

    if (is_leading(replica) && result->term == raft_current_term(&replica->raft)) {
        peer->heard_ms = replica->now_ms;
        if (message->round > peer->acked_round)
            peer->acked_round = message->round;
        if (guard_is_on(replica, GUARD_REJECT) &&
            raft_match_index(&replica->raft, peer->id, &match) == 0 &&
            filter_reject(result, match))
            guard_hit(replica, GUARD_REJECT);
        if (peer->transfer != 0 && guard_is_on(replica, GUARD_TRANSFER)) {
            bool is_done;
            if (filter_transfer(result, peer->transfer, &is_done))
                guard_hit(replica, GUARD_TRANSFER);
            if (is_done)
                dump_end(replica, peer, true);
        }
    }
    deliver(replica, peer, &message->raft);
}

/* The core takes the data with the message: the id of the dump, which is here already
 * unless the core will see that it needs none. */
static enum result receive_install(struct replica *replica, struct peer *peer,
                                   struct wire_message *message)
{
    struct raft_install_snapshot *args = &message->raft.install_snapshot;

    if (answer_stale(replica, peer, args->term)) {
        wire_free(message);
        return GW_OK;
    }
    if (args->data.base == NULL) {
        if (stage_is_wanted(replica, args->last_index, args->last_term)) {
            if (!stage_is_whole(replica, peer, message->dump)) {
                wire_free(message);
                return GW_OK;
            }
            if (replica->staged.index < args->last_index ||
                (replica->staged.index == args->last_index &&
                 replica->staged.term != args->last_term))
                return GW_MALFORMED;
        }
        args->data.base = raft_malloc(MARKER_SIZE);
        if (args->data.base == NULL)
            return GW_NO_MEMORY;
        memcpy(args->data.base, &message->dump, MARKER_SIZE);
        args->data.len = MARKER_SIZE;
    }
    if (guard_is_on(replica, GUARD_HOLD) && filter_must_hold(replica->puts_in_flight)) {
        guard_hit(replica, GUARD_HOLD);
        if (replica->has_held)
            wire_free(&replica->held);
        replica->held = *message;
        replica->held_from = peer->id;
        replica->has_held = true;
        return GW_OK;
    }
    if (args->term >= raft_current_term(&replica->raft))
        hear_leader(replica);
    deliver(replica, peer, &message->raft);
    stage_drop_stale(replica);
    return GW_OK;
}

/* What was held may come in now; it is as stale as a slow network makes it, so it
 * is judged again. */
void receive_release_held(struct replica *replica)
{
    struct wire_message message;
    struct peer *peer;

    if (!replica->has_held || replica->puts_in_flight > 0)
        return;
    message = replica->held;
    replica->has_held = false;
    raft_free(message.raft.install_snapshot.data.base); /* to be looked for again */
    message.raft.install_snapshot.data.base = NULL;
    peer = peer_of(replica, replica->held_from);
    if (peer == NULL || !is_plausible(replica, peer->id, &message) ||
        receive_install(replica, peer, &message) != GW_OK)
        wire_free(&message);
}

/* Guard O. libraft looks at the role while it takes the message in, and at no other
 * time between; and a stand-by never forgets a leader that is gone, as a voter does when
 * it stands for election. */
static void receive_request(struct replica *replica, struct peer *peer,
                            struct raft_message *message)
{
    struct raft_configuration *conf = &replica->raft.configuration;
    struct raft_server *own = NULL;
    int role = RAFT_VOTER;

    for (unsigned i = 0; i < conf->n; i++) {
        if (conf->servers[i].id == replica->raft.id)
            own = &conf->servers[i];
    }
    if (own != NULL && own->role != RAFT_VOTER && guard_is_on(replica, GUARD_ANY_ROLE)) {
        struct raft *raft = &replica->raft;
        guard_hit(replica, GUARD_ANY_ROLE);
        role = own->role;
        own->role = RAFT_VOTER;
        if (raft->state == RAFT_FOLLOWER &&
            replica->now_ms - replica->leader_heard_ms > replica->options.election_ms)
            raft->follower_state.current_leader.id = 0;
    }
    if (GW_PLANTED("vote-any-log"))
        message->request_vote.last_log_term = UINT64_MAX;
    deliver(replica, peer, message);
    if (role != RAFT_VOTER)
        own->role = role;
}

static enum result receive_dump(struct replica *replica, struct peer *peer,
                                struct slice bytes)
{
    struct wire_dump message;

    if (!wire_dump_decode(bytes, &message))
        return GW_MALFORMED;
    if (peer == NULL || peer->id == replica->raft.id)
        return GW_OK;
    if (message.type == WIRE_DUMP_PIECE)
        return stage_receive(replica, peer, &message);
    dump_acked(replica, peer, &message);
    return GW_OK;
}

enum result replica_receive(struct replica *replica, uint64_t from, struct slice bytes,
                            uint64_t now_ms)
{
    struct wire_message message;
    struct peer *peer = peer_of(replica, from);
    enum result result = GW_OK;

    if (replica->is_halted)
        return GW_OK;
    replica_set_now(replica, now_ms);
    replica->counters.messages_in++;
    if (wire_is_dump(bytes)) {
        result = receive_dump(replica, peer, bytes);
        if (result != GW_OK)
            replica->counters.malformed++;
        replica_after(replica);
        return result;
    }
    if (!wire_decode(bytes, &message)) {
        replica->counters.malformed++;
        return GW_MALFORMED;
    }
    if (peer == NULL || from == replica->raft.id) {
        wire_free(&message);
        return GW_OK;
    }
    if (!is_plausible(replica, from, &message)) {
        wire_free(&message);
        replica->counters.malformed++;
        return GW_MALFORMED;
    }
    switch (message.raft.type) {
    case RAFT_APPEND_ENTRIES:
        receive_append(replica, peer, &message);
        break;
    case RAFT_APPEND_ENTRIES_RESULT:
        receive_result(replica, peer, &message);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        result = receive_install(replica, peer, &message);
        if (result != GW_OK)
            wire_free(&message);
        if (result == GW_MALFORMED)
            replica->counters.malformed++;
        else
            result = GW_OK;
        break;
    case RAFT_TIMEOUT_NOW:
        if (alone_may_stand(replica))
            deliver(replica, peer, &message.raft);
        break;
    case RAFT_REQUEST_VOTE:
        receive_request(replica, peer, &message.raft);
        break;
    default:
        if (GW_PLANTED("vote-any-term") && message.raft.type == RAFT_REQUEST_VOTE_RESULT)
            message.raft.request_vote_result.term = raft_current_term(&replica->raft);
        deliver(replica, peer, &message.raft);
        break;
    }
    replica_after(replica);
    return result;
}
