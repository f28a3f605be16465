/* The public face: opening, time, messages in, completions, proposals, views.
 *
 * Every call does its part, then replica_after: completed requests are fired,
 * a new leader gets ready, readers get on, followers hear of a commit, replies
 * go out. Replies are sent from there only, never from inside libraft.
 *
 * A new leader is *ready* once everything logged before it led is applied here;
 * only then does it know log time and give stamps (VERDICTS: log time). */
#include "raft/replica_inner.h"

#include "raft/command.h"
#include "store/dump.h"

#include <stdio.h>
#include <stdlib.h>

/* --- heap: libraft logs 8 uninitialised bytes per barrier; so all is cleared --- */

static void *heap_malloc(void *data, size_t size)
{
    (void)data;
    return calloc(1, size > 0 ? size : 1);
}

static void heap_free(void *data, void *pointer)
{
    (void)data;
    free(pointer);
}

static void *heap_calloc(void *data, size_t count, size_t size)
{
    (void)data;
    return calloc(count > 0 ? count : 1, size > 0 ? size : 1);
}

static void *heap_realloc(void *data, void *pointer, size_t size)
{
    (void)data;
    return realloc(pointer, size > 0 ? size : 1);
}

static void *heap_aligned_alloc(void *data, size_t alignment, size_t size)
{
    void *pointer =
        aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);

    (void)data;
    if (pointer != NULL)
        memset(pointer, 0, size);
    return pointer;
}

static void heap_aligned_free(void *data, size_t alignment, void *pointer)
{
    (void)data;
    (void)alignment;
    free(pointer);
}

static struct raft_heap heap = {
    .malloc = heap_malloc,
    .free = heap_free,
    .calloc = heap_calloc,
    .realloc = heap_realloc,
    .aligned_alloc = heap_aligned_alloc,
    .aligned_free = heap_aligned_free,
};

/* --- helpers --- */

bool guard_is_on(const struct replica *replica, enum replica_guard guard)
{
    return (replica->options.guards_off & (unsigned)guard) == 0;
}

void guard_hit(struct replica *replica, enum replica_guard guard)
{
    replica->counters.guard_hits[__builtin_ctz((unsigned)guard)]++;
}

bool is_leading(const struct replica *replica)
{
    return !replica->is_halted && replica->raft.state == RAFT_LEADER;
}

struct peer *peer_of(struct replica *replica, uint64_t id)
{
    struct peer *peer;

    for (unsigned i = 0; i < replica->peer_count; i++)
        if (replica->peers[i]->id == id)
            return replica->peers[i];
    if (id == 0 || replica->peer_count == PEERS_LIMIT)
        return NULL;
    peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return NULL;
    peer->id = id;
    peer->is_up = true; /* until a link says otherwise */
    snprintf(peer->address, sizeof peer->address, "%llu", (unsigned long long)id);
    replica->peers[replica->peer_count++] = peer;
    return peer;
}

/* Forgets a peer that is in no configuration any more. */
static void forget_strangers(struct replica *replica)
{
    for (unsigned i = 0; i < replica->peer_count;) {
        struct peer *peer = replica->peers[i];

        if (replica->peer_count < PEERS_LIMIT / 2 ||
            conf_find(&replica->raft.configuration, peer->id) != NULL) {
            i++;
            continue;
        }
        peer_end_transfer(peer);
        free(peer);
        replica->peers[i] = replica->peers[--replica->peer_count];
    }
}

static void set_now(struct replica *replica, uint64_t now_ms)
{
    /* libraft asserts that time does not go back. */
    if (now_ms > replica->now_ms)
        replica->now_ms = now_ms;
}

static uint64_t leader_of(const struct replica *replica)
{
    const struct raft *raft = &replica->raft;

    if (replica->is_halted)
        return 0;
    if (raft->state == RAFT_LEADER)
        return raft->id;
    return raft->state == RAFT_FOLLOWER ? raft->follower_state.current_leader.id : 0;
}

static uint64_t conf_index_of(const struct raft *raft)
{
    return raft->configuration_uncommitted_index != 0
               ? raft->configuration_uncommitted_index
               : raft->configuration_committed_index;
}

/* --- proposals --- */

static void proposal_end(struct replica *replica, struct proposal *proposal,
                         enum result result)
{
    proposal->reply.result = result;
    list_remove(&proposal->link);
    list_append(&replica->ended, &proposal->link);
}

static void proposal_done(struct raft_apply *request, int status, void *result)
{
    struct proposal *proposal = request->data;

    (void)result;
    proposal->is_held = false;
    if (proposal->is_replied) {
        list_remove(&proposal->link);
        free(proposal);
        return;
    }
    if (status == 0)
        proposal->is_committed = true; /* the answer comes with the APPLY job */
    else
        proposal_end(proposal->replica, proposal, GW_UNKNOWN_OUTCOME);
}

static void submit(struct replica *replica, struct proposal *proposal)
{
    uint64_t stamp = replica->stamp_base_ms + (replica->now_ms - replica->stamp_at_ms);
    struct raft_buffer buffer = {.base = raft_malloc(proposal->size),
                                 .len = proposal->size};
    int rv = RAFT_NOMEM;

    list_remove(&proposal->link);
    list_append(&replica->submitted, &proposal->link);
    if (buffer.base != NULL) {
        memcpy(buffer.base, proposal->command, proposal->size);
        command_stamp(buffer.base, buffer.len, stamp, proposal->wall_ms);
        proposal->request.data = proposal;
        rv = raft_apply(&replica->raft, &proposal->request, &buffer, 1, proposal_done);
    }
    free(proposal->command);
    proposal->command = NULL;
    if (rv != 0) {
        raft_free(buffer.base);
        proposal_end(replica, proposal,
                     rv == RAFT_NOTLEADER ? GW_NOT_LEADER
                     : rv == RAFT_NOMEM   ? GW_NO_MEMORY
                                          : GW_UNKNOWN_OUTCOME);
        return;
    }
    proposal->is_held = true;
    proposal->index = proposal->request.index;
}

enum result replica_propose(struct replica *replica, struct slice command, uint64_t now_ms,
                            uint64_t wall_ms, void *tag)
{
    struct command_header header;
    struct slice body;
    struct proposal *proposal;

    if (replica->is_halted)
        return GW_HALTED;
    set_now(replica, now_ms);
    if (!is_leading(replica) || raft_transferee(&replica->raft) != 0)
        return GW_NOT_LEADER;
    if (replica->now_ms - read_quorum_heard(replica) > 2ull * replica->options.election_ms)
        return GW_NO_QUORUM;
    if (command.size > COMMAND_BYTES)
        return GW_TOO_LARGE;
    if (!command_decode(command, &header, &body))
        return GW_MALFORMED;
    if (replica->proposal_count >= PROPOSALS_LIMIT)
        return GW_LIMIT;
    proposal = calloc(1, sizeof *proposal);
    if (proposal == NULL || (proposal->command = malloc(command.size)) == NULL) {
        free(proposal);
        return GW_NO_MEMORY;
    }
    memcpy(proposal->command, command.data, command.size);
    proposal->size = command.size;
    proposal->replica = replica;
    proposal->tag = tag;
    proposal->wall_ms = wall_ms;
    list_append(&replica->waiting, &proposal->link);
    replica->proposal_count++;
    replica->counters.proposals++;
    replica_after(replica);
    return GW_OK;
}

static void fail_waiting(struct replica *replica, enum result result)
{
    list_each (&replica->waiting, link) {
        proposal_end(replica, container_of(link, struct proposal, link), result);
    }
}

static void answer_visible(struct replica *replica)
{
    uint64_t visible = store_visible(replica->options.store);

    list_each (&replica->answered, link) {
        struct proposal *proposal = container_of(link, struct proposal, link);

        if (proposal->index > visible) {
            store_want_visible(replica->options.store);
            return;
        }
        list_remove(link);
        list_append(&replica->ended, link);
    }
}

static void reply_all(struct replica *replica)
{
    struct list_link *link;

    if (replica->is_replying)
        return; /* a reply proposed again: the loop below goes on */
    replica->is_replying = true;
    while ((link = list_take_first(&replica->ended)) != NULL) {
        struct proposal *proposal = container_of(link, struct proposal, link);

        replica->proposal_count--;
        replica->options.reply(replica->options.owner, proposal->tag, &proposal->reply);
        free((void *)(uintptr_t)proposal->reply.answer.detail.data);
        free(proposal->command);
        proposal->command = NULL;
        proposal->is_replied = true;
        if (proposal->is_held) /* after a halt: libraft still has the request */
            list_append(&replica->abandoned, &proposal->link);
        else
            free(proposal);
    }
    while ((link = list_take_first(&replica->ended_barriers)) != NULL) {
        struct barrier *barrier = container_of(link, struct barrier, link);
        struct replica_reply reply = {.result = barrier->result, .index = barrier->index};

        replica->options.reply(replica->options.owner, barrier->tag, &reply);
        free(barrier);
    }
    replica->is_replying = false;
}

/* --- leadership --- */

static void begin_leading(struct replica *replica)
{
    replica->is_leader = true;
    replica->is_ready = false;
    replica->election_last = raft_last_index(&replica->raft);
    replica->counters.elections++;
    for (unsigned i = 0; i < replica->peer_count; i++) {
        struct peer *peer = replica->peers[i];
        peer_end_transfer(peer);
        peer->acked_round = 0;
        peer->told_commit = 0;
        /* They have just voted for us, or some of them have. */
        peer->heard_ms = replica->now_ms;
    }
}

static void end_leading(struct replica *replica)
{
    replica->is_leader = replica->is_ready = false;
    for (unsigned i = 0; i < replica->peer_count; i++)
        peer_end_transfer(replica->peers[i]);
    fail_waiting(replica, GW_NOT_LEADER);
    read_fail_all(replica, GW_NOT_LEADER);
}

static void get_ready(struct replica *replica)
{
    uint64_t since = replica->log_now_at_ms;

    if (replica->is_ready || raft_last_applied(&replica->raft) < replica->election_last ||
        replica->applied_done < replica->applied_asked)
        return;
    replica->is_ready = true;
    replica->stamp_base_ms =
        replica->log_now_ms + (since == 0 ? 0 : replica->now_ms - since);
    replica->stamp_at_ms = replica->now_ms;
}

/* A term may end and the next begin, both led by us, inside one step. */
static void follow_leadership(struct replica *replica)
{
    struct raft *raft = &replica->raft;
    bool leads = is_leading(replica);

    if (replica->is_leader && (!leads || raft_current_term(raft) != replica->told_term))
        end_leading(replica);
    if (leads && !replica->is_leader)
        begin_leading(replica);
}

static void tell_changes(struct replica *replica)
{
    const struct raft *raft = &replica->raft;
    int state = replica->is_halted ? -1 : raft->state;
    uint64_t leader = leader_of(replica), conf = conf_index_of(raft);

    if (state == replica->told_state && replica->told_term == raft_current_term(raft) &&
        leader == replica->told_leader && conf == replica->told_conf)
        return;
    replica->told_state = state;
    replica->told_term = raft_current_term(raft);
    replica->told_leader = leader;
    replica->told_conf = conf;
    forget_strangers(replica);
    if (replica->is_open && replica->options.changed != NULL)
        replica->options.changed(replica->options.owner);
}

void replica_after(struct replica *replica)
{
    struct raft *raft = &replica->raft;

    if (replica->is_closing || !replica->is_open)
        return;
    if (!replica->is_halted) {
        LegacyFireCompletedRequests(raft);
        follow_leadership(replica);
        if (replica->is_leader) {
            get_ready(replica);
            while (replica->is_ready && !list_is_empty(&replica->waiting))
                submit(replica, container_of(replica->waiting.next, struct proposal, link));
            LegacyFireCompletedRequests(raft);
            read_progress(replica);
            if (guard_is_on(replica, GUARD_HEARTBEAT))
                send_news(replica);
        }
    }
    answer_visible(replica);
    tell_changes(replica);
    reply_all(replica);
}

/* --- messages in --- */

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

static void receive_append(struct replica *replica, struct peer *peer,
                           struct wire_message *message)
{
    struct raft_append_entries *args = &message->raft.append_entries;
    unsigned first_segment;

    if (args->term >= raft_current_term(&replica->raft)) {
        if (replica->seen_term != args->term || replica->seen_from != peer->id)
            replica->seen_round = 0;
        replica->seen_term = args->term;
        replica->seen_from = peer->id;
        if (message->round > replica->seen_round)
            replica->seen_round = message->round;
        replica->leader_heard_ms = replica->now_ms;
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
                peer_end_transfer(peer);
        }
    }
    deliver(replica, peer, &message->raft);
}

/* The core takes the data with the message. */
static enum result receive_install(struct replica *replica, struct peer *peer,
                                   struct wire_message *message)
{
    struct raft_install_snapshot *args = &message->raft.install_snapshot;
    struct dump_header header;

    if (args->data.base == NULL) {
        if (dump_check(message->dump, &header) != GW_OK ||
            header.label.index < args->last_index || !conf_is_sound(header.label.conf) ||
            (header.label.index == args->last_index &&
             header.label.term != args->last_term))
            return GW_MALFORMED;
        args->data.base = raft_malloc(message->dump.size);
        if (args->data.base == NULL)
            return GW_NO_MEMORY;
        memcpy(args->data.base, message->dump.data, message->dump.size);
        args->data.len = message->dump.size;
        message->dump = (struct slice){"", 0};
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
        replica->leader_heard_ms = replica->now_ms;
    deliver(replica, peer, &message->raft);
    return GW_OK;
}

/* What was held may come in now; it is as stale as a slow network makes it, so it
 * is judged again. */
static void release_held(struct replica *replica)
{
    struct wire_message message;
    struct peer *peer;

    if (!replica->has_held || replica->puts_in_flight > 0)
        return;
    message = replica->held;
    replica->has_held = false;
    peer = peer_of(replica, replica->held_from);
    if (peer == NULL || !is_plausible(replica, peer->id, &message) ||
        receive_install(replica, peer, &message) != GW_OK)
        wire_free(&message);
}

enum result replica_receive(struct replica *replica, uint64_t from, struct slice bytes,
                            uint64_t now_ms)
{
    struct wire_message message;
    struct peer *peer = peer_of(replica, from);
    enum result result = GW_OK;

    if (replica->is_halted)
        return GW_OK;
    set_now(replica, now_ms);
    replica->counters.messages_in++;
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
    default:
        deliver(replica, peer, &message.raft);
        break;
    }
    replica_after(replica);
    return result;
}

/* --- time and the store --- */

void replica_tick(struct replica *replica, uint64_t now_ms)
{
    unsigned own = replica->options.heartbeat_ms < 40 ? replica->options.heartbeat_ms : 40;

    if (replica->is_halted)
        return;
    set_now(replica, now_ms);
    send_expire_transfers(replica);
    if (replica->now_ms - replica->last_tick_ms >= replica->options.heartbeat_ms) {
        replica->last_tick_ms = replica->now_ms;
        if (is_leading(replica))
            read_before_heartbeats(replica); /* libraft's carry the round too */
        replica->tick(&replica->io);
        LegacyFireCompletedRequests(&replica->raft);
        follow_leadership(replica);
    }
    if (is_leading(replica) && guard_is_on(replica, GUARD_HEARTBEAT) &&
        replica->now_ms - replica->last_heartbeat_ms >= own) {
        read_before_heartbeats(replica);
        send_heartbeats(replica);
    }
    replica_after(replica);
}

void replica_completed(struct replica *replica, uint64_t now_ms)
{
    struct list_link jobs, *link;

    set_now(replica, now_ms);
    if (!replica->is_halted && store_is_halted(replica->options.store))
        replica_halt(replica);
    list_init(&jobs);
    if (replica->is_halted)
        return; /* jobs stay where they are until close */
    store_take_completed(replica->options.store, &jobs);
    while ((link = list_take_first(&jobs)) != NULL) {
        struct store_job *job = container_of(link, struct store_job, link);

        if (replica->is_halted)
            continue; /* cancelled at close, by way of `jobs` */
        if (job->result != GW_OK) {
            replica_halt(replica);
            continue;
        }
        io_complete(replica, job->owner);
        LegacyFireCompletedRequests(&replica->raft);
        release_held(replica);
    }
    send_open_gate(replica);
    replica_after(replica);
}

void replica_link(struct replica *replica, uint64_t id, bool up)
{
    struct peer *peer = peer_of(replica, id);

    if (peer == NULL)
        return;
    peer->is_up = up;
    if (!up)
        peer_end_transfer(peer);
}

void replica_halt(struct replica *replica)
{
    if (replica->is_halted)
        return;
    replica->is_halted = true;
    replica->is_leader = replica->is_ready = false;
    send_close(replica);
    fail_waiting(replica, GW_HALTED);
    read_fail_all(replica, GW_HALTED);
    list_each (&replica->submitted, link) {
        proposal_end(replica, container_of(link, struct proposal, link),
                     GW_UNKNOWN_OUTCOME);
    }
    list_each (&replica->answered, link) {
        proposal_end(replica, container_of(link, struct proposal, link),
                     GW_UNKNOWN_OUTCOME);
    }
    replica_after(replica);
}

/* --- views --- */

void replica_view(const struct replica *replica, struct replica_view *ret_view)
{
    const struct raft *raft = &replica->raft;
    struct replica_view view = {0};

    view.state = replica->is_halted              ? REPLICA_HALTED
                 : raft->state == RAFT_LEADER    ? REPLICA_LEADER
                 : raft->state == RAFT_CANDIDATE ? REPLICA_CANDIDATE
                                                 : REPLICA_FOLLOWER;
    view.term = raft_current_term(raft);
    view.leader = leader_of(replica);
    view.last = replica->log_next - 1;
    view.commit = raft_commit_index(raft);
    view.visible = store_visible(replica->options.store);
    /* Barriers and changes are no commands: past them, nothing is left to see. */
    if (view.visible >= replica->applied_asked && raft->last_applied > view.visible)
        view.visible = raft->last_applied;
    view.revision = store_revision(replica->options.store);
    view.is_ready = replica->is_ready;
    view.leader_heard_ms = replica->leader_heard_ms;
    view.quorum_heard_ms = is_leading(replica) ? read_quorum_heard(replica) : 0;
    view.conf_index = conf_index_of(raft);
    for (unsigned i = 0; i < raft->configuration.n && i < CONF_SERVERS_LIMIT; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];
        struct replica_server *out = &view.servers[view.server_count++];
        raft_index match = 0;

        out->id = server->id;
        out->role = server->role == RAFT_VOTER     ? REPLICA_VOTER
                    : server->role == RAFT_STANDBY ? REPLICA_STANDBY
                                                   : REPLICA_SPARE;
        if (is_leading(replica) && raft_match_index(raft, server->id, &match) == 0)
            out->match = match;
    }
    *ret_view = view;
}

const struct replica_counters *replica_counters(const struct replica *replica)
{
    return &replica->counters;
}

/* --- opening and closing --- */

static void no_reply(void *owner, void *tag, const struct replica_reply *reply)
{
    (void)owner;
    (void)tag;
    (void)reply;
}

enum result replica_open(const struct replica_options *options,
                         struct replica **ret_replica, struct error *err)
{
    struct replica *replica = calloc(1, sizeof *replica);
    int rv;

    if (replica == NULL)
        return error_set(err, GW_NO_MEMORY, "open the Raft member");
    raft_heap_set(&heap);
    replica->options = *options;
    if (replica->options.reply == NULL)
        replica->options.reply = no_reply;
    if (replica->options.snapshot_threshold == 0)
        replica->options.snapshot_threshold = 8192;
    if (replica->options.snapshot_trailing == 0)
        replica->options.snapshot_trailing = 1024;
    if (replica->options.transfer_ms == 0)
        replica->options.transfer_ms = 30 * options->election_ms;
    replica->now_ms = options->now_ms;
    replica->last_tick_ms = replica->last_heartbeat_ms = options->now_ms;
    replica->boot_error = ERROR_NONE;
    snprintf(replica->address, sizeof replica->address, "%llu",
             (unsigned long long)options->id);
    list_init(&replica->jobs);
    list_init(&replica->outbox);
    list_init(&replica->waiting);
    list_init(&replica->submitted);
    list_init(&replica->abandoned);
    list_init(&replica->answered);
    list_init(&replica->ended);
    list_init(&replica->barriers);
    list_init(&replica->ended_barriers);
    io_bind(replica);

    rv = raft_init(&replica->raft, &replica->io, &replica->fsm, options->id,
                   replica->address);
    if (rv != 0) {
        free(replica);
        return error_set(err, GW_FAILED, "open the Raft member: %s", raft_strerror(rv));
    }
    raft_set_election_timeout(&replica->raft, options->election_ms);
    raft_set_heartbeat_timeout(&replica->raft, options->heartbeat_ms);
    raft_set_install_snapshot_timeout(&replica->raft, replica->options.transfer_ms);
    raft_set_pre_vote(&replica->raft, true);
    raft_set_snapshot_threshold(&replica->raft,
                                (unsigned)replica->options.snapshot_threshold);
    raft_set_snapshot_trailing(&replica->raft, replica->options.snapshot_trailing);
    raft_set_max_inflight_entries(&replica->raft, 4096);
    raft_set_capacity_threshold(&replica->raft, 0);
    rv = raft_start(&replica->raft);
    if (rv != 0) {
        if (replica->boot_error.code == GW_OK)
            error_set(&replica->boot_error, GW_FAILED, "start the Raft member: %s",
                      raft_strerror(rv));
        *err = replica->boot_error;
        replica_close(replica);
        return err->code;
    }
    replica->is_open = true;
    replica->told_state = replica->raft.state;
    replica->told_term = raft_current_term(&replica->raft);
    replica->told_conf = conf_index_of(&replica->raft);
    follow_leadership(replica);
    *ret_replica = replica;
    return GW_OK;
}

void replica_close(struct replica *replica)
{
    if (replica == NULL)
        return;
    replica->is_closing = true;
    raft_close(&replica->raft, NULL);
    fail_waiting(replica, GW_NOT_LEADER);
    read_fail_all(replica, GW_CLOSED);
    list_each (&replica->submitted, link) {
        proposal_end(replica, container_of(link, struct proposal, link),
                     GW_UNKNOWN_OUTCOME);
    }
    list_each (&replica->answered, link) {
        proposal_end(replica, container_of(link, struct proposal, link),
                     GW_UNKNOWN_OUTCOME);
    }
    reply_all(replica);
    for (struct list_link *link; (link = list_take_first(&replica->abandoned)) != NULL;)
        free(container_of(link, struct proposal, link));
    send_close(replica);
    if (replica->has_held)
        wire_free(&replica->held);
    raft_configuration_close(&replica->label.conf);
    for (unsigned i = 0; i < replica->peer_count; i++) {
        peer_end_transfer(replica->peers[i]);
        free(replica->peers[i]);
    }
    free(replica);
}
