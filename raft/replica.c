/* The public face: opening, time, completions, leadership, views.
 *
 * Every call does its part, then replica_after: completed requests are fired,
 * a new leader gets ready, readers get on, followers hear of a commit, replies
 * go out. Replies are sent from there only, never from inside libraft.
 *
 * A new leader is *ready* once everything logged before it led is applied here;
 * only then does it know log time and give stamps (VERDICTS: log time). */
#include "raft/replica_inner.h"

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
        dump_end(replica, peer, false);
        gather_drop(peer);
        free(peer);
        replica->peers[i] = replica->peers[--replica->peer_count];
    }
}

void replica_set_now(struct replica *replica, uint64_t now_ms)
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

/* --- leadership --- */

static void begin_leading(struct replica *replica)
{
    replica->is_leader = true;
    replica->is_ready = false;
    replica->election_last = raft_last_index(&replica->raft);
    replica->counters.elections++;
    for (unsigned i = 0; i < replica->peer_count; i++) {
        struct peer *peer = replica->peers[i];
        dump_end(replica, peer, false);
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
        dump_end(replica, replica->peers[i], false);
    proposals_fail(replica, GW_NOT_LEADER);
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
                proposals_submit(
                    replica, container_of(replica->waiting.next, struct proposal, link));
            LegacyFireCompletedRequests(raft);
            read_progress(replica);
            if (guard_is_on(replica, GUARD_HEARTBEAT))
                send_news(replica);
        }
    }
    proposals_answer(replica);
    tell_changes(replica);
    proposals_reply(replica);
}

/* --- time and the store --- */

/* A turn that comes late says nothing about the leader: what it sent meanwhile waits
 * unread behind this turn. So the stall does not count as its silence, once; silent
 * after that, it is gone. Without this a node that was stopped, or starved by a busy
 * machine, forgets its leader at every stall. */
static void forgive_stall(struct replica *replica)
{
    struct raft *raft = &replica->raft;
    uint64_t stall_ms = replica->now_ms - replica->last_turn_ms;

    replica->last_turn_ms = replica->now_ms;
    if (stall_ms <= replica->options.heartbeat_ms || replica->is_stall_forgiven ||
        raft->state != RAFT_FOLLOWER || raft->follower_state.current_leader.id == 0)
        return;
    replica->is_stall_forgiven = true;
    raft->election_timer_start += stall_ms;
    if (raft->election_timer_start > replica->now_ms)
        raft->election_timer_start = replica->now_ms;
}

void replica_tick(struct replica *replica, uint64_t now_ms)
{
    unsigned own = replica->options.heartbeat_ms < 40 ? replica->options.heartbeat_ms : 40;

    if (replica->is_halted)
        return;
    replica_set_now(replica, now_ms);
    forgive_stall(replica);
    dump_tick(replica);
    /* A leader sends with it; who follows only looks at its timer, and the finer the
     * sooner a dead leader is noticed. */
    unsigned every = is_leading(replica) ? replica->options.heartbeat_ms : 0;
    if (replica->now_ms - replica->last_tick_ms >= every) {
        replica->last_tick_ms = replica->now_ms;
        if (is_leading(replica))
            read_before_heartbeats(replica); /* libraft's carry the round too */
        alone_before_tick(replica);
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

void replica_times(struct replica *replica, unsigned heartbeat_ms, unsigned election_ms)
{
    replica->options.heartbeat_ms = heartbeat_ms;
    replica->options.election_ms = election_ms;
    if (replica->is_halted)
        return;
    raft_set_heartbeat_timeout(&replica->raft, heartbeat_ms);
    raft_set_election_timeout(&replica->raft, election_ms);
}

void replica_completed(struct replica *replica, uint64_t now_ms)
{
    struct list_link jobs, *link;

    replica_set_now(replica, now_ms);
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
        receive_release_held(replica);
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
    if (up) /* a dump under way goes on from where it was */
        dump_link_up(replica, peer);
}

void replica_halt(struct replica *replica)
{
    if (replica->is_halted)
        return;
    replica->is_halted = true;
    replica->is_leader = replica->is_ready = false;
    send_close(replica);
    proposals_fail(replica, GW_HALTED);
    read_fail_all(replica, GW_HALTED);
    proposals_leave(replica);
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
    view.log_entries = replica->log_bytes.next - replica->log_bytes.first;
    view.log_bytes = log_bytes_between(&replica->log_bytes, 0, UINT64_MAX);
    view.is_ready = replica->is_ready;
    view.leader_heard_ms = replica->leader_heard_ms;
    view.quorum_heard_ms = is_leading(replica) ? read_quorum_heard(replica) : 0;
    if (!list_is_empty(&replica->jobs))
        view.disk_wait_ms =
            replica->now_ms -
            container_of(replica->jobs.next, struct io_job, outstanding)->asked_ms;
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
    if (replica->options.snapshot_bytes == 0)
        replica->options.snapshot_bytes = 16u << 20;
    if (replica->options.trailing_bytes == 0)
        replica->options.trailing_bytes = 8u << 20;
    if (replica->options.transfer_ms == 0)
        replica->options.transfer_ms = 30 * options->election_ms;
    replica->now_ms = options->now_ms;
    replica->last_tick_ms = replica->last_heartbeat_ms = options->now_ms;
    replica->last_turn_ms = options->now_ms;
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
    raft_set_max_inflight_entries(&replica->raft, INFLIGHT_LIMIT);
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
    proposals_fail(replica, GW_NOT_LEADER);
    read_fail_all(replica, GW_CLOSED);
    proposals_leave(replica);
    proposals_reply(replica);
    for (struct list_link *link; (link = list_take_first(&replica->abandoned)) != NULL;)
        free(container_of(link, struct proposal, link));
    send_close(replica);
    if (replica->has_held)
        wire_free(&replica->held);
    raft_configuration_close(&replica->label.conf);
    stage_installed(replica); /* lets go of what it holds */
    log_bytes_deinit(&replica->log_bytes);
    for (unsigned i = 0; i < replica->peer_count; i++) {
        dump_end(replica, replica->peers[i], false);
        free(replica->peers[i]);
    }
    free(replica);
}
