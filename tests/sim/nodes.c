/* Machines: a replica and a store over an env that can crash, their disk and clock. */
#include "tests/sim/sim.h"

#include "raft/replica_inner.h"
#include "raft/wire.h"
#include "store/dump_source.h"

#include <stdio.h>
#include <stdlib.h>

#define TICK_US      20000
#define HEARTBEAT_MS 60
#define ELECTION_MS  300
#define RETRY_US     300000 /* a process that could not start is started again */

/* ---- the clock ---- */

static uint64_t local_us(const struct sim_node *node)
{
    int64_t passed_us = (int64_t)(node->sim->now_us - node->clock_at_us);

    return node->clock_us + (uint64_t)(passed_us + passed_us * node->drift_ppm / 1000000);
}

uint64_t node_now_ms(const struct sim_node *node)
{
    return local_us(node) / 1000 + 1;
}

uint64_t node_wall_ms(const struct sim_node *node)
{
    return SIM_WALL_MS + (uint64_t)(node->wall_days * (int64_t)SIM_DAY_MS) +
           node->sim->now_us / 1000;
}

void node_drift(struct sim_node *node, int ppm)
{
    node->clock_us = local_us(node);
    node->clock_at_us = node->sim->now_us;
    node->drift_ppm = ppm;
}

/* ---- what the replica and the store ask for ---- */

/* It has promised something, and is no more: at once, but outside of the replica's call. */
static void die_after(struct sim_node *node, struct slice message)
{
    struct wire_message sent;

    if (!wire_decode(message, &sent))
        return;
    bool is_promise = sent.raft.type == RAFT_REQUEST_VOTE_RESULT
                          ? sent.raft.request_vote_result.vote_granted &&
                                !sent.raft.request_vote_result.pre_vote
                          : sent.raft.type == RAFT_APPEND_ENTRIES_RESULT &&
                                sent.raft.append_entries_result.rejected == 0;
    if (is_promise && (int)sent.raft.type == node->dies_after) {
        node->dies_after = 0;
        sim_push(node->sim, (struct sim_event){.at_us = node->sim->now_us,
                                               .type = SIM_STOP,
                                               .node = node->slot,
                                               .from = 3});
    }
    wire_free(&sent);
}

static void on_send(void *owner, uint64_t to, struct slice message, bool bulk)
{
    struct sim_node *node = owner;

    network_send(node, to, message, bulk);
    if (node->dies_after != 0)
        die_after(node, message);
}

static void on_reply(void *owner, void *tag, const struct replica_reply *reply)
{
    client_reply(owner, tag, reply);
}

static void on_changed(void *owner)
{
    (void)owner; /* node_settle looks for itself */
}

/* Making a dump and reading its pieces take a while; the pieces are small, so that even
 * a little state is several of them. */
static void on_dump_wanted(void *owner, uint64_t to)
{
    struct sim_node *node = owner, *peer = sim_node_of(node->sim, to);
    struct sim *sim = node->sim;
    struct dump_source_options options = {
        .env = node->env, .chunk_bytes = 20000, .piece_bytes = 15000};
    struct error err;

    if (peer == NULL)
        return;
    dump_source_close(node->dumps[peer->slot]); /* of who was in that slot before */
    if (dump_source_open(&options, &node->dumps[peer->slot], &err) != GW_OK)
        sim_violation(sim, "n%d cannot build a dump: %s", node->slot, err.text);
    sim->counts.dumps++;
    node->dump_lives[peer->slot]++;
    sim_say(sim, "n%d builds a dump for n%d", node->slot, peer->slot);
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + sim_between(sim, 500, 20000),
                                     .type = SIM_DUMP,
                                     .node = node->slot,
                                     .from = peer->slot,
                                     .epoch = node->epoch,
                                     .number = UINT64_MAX,
                                     .life = node->dump_lives[peer->slot]});
}

static void on_dump_read(void *owner, uint64_t to, uint64_t number)
{
    struct sim_node *node = owner, *peer = sim_node_of(node->sim, to);

    if (peer == NULL)
        return; /* gone: the transfer is given up some time */
    sim_push(node->sim, (struct sim_event){.at_us = node->sim->now_us +
                                                    sim_between(node->sim, 50, 2000),
                                           .type = SIM_DUMP,
                                           .node = node->slot,
                                           .from = peer->slot,
                                           .epoch = node->epoch,
                                           .number = number,
                                           .life = node->dump_lives[peer->slot]});
}

/* Also for who has gone from the cluster meanwhile: by its slot as it was then. */
static void on_dump_over(void *owner, uint64_t to)
{
    struct sim_node *node = owner, *peer = sim_node_of(node->sim, to);

    if (peer == NULL)
        return;
    dump_source_close(node->dumps[peer->slot]);
    node->dumps[peer->slot] = NULL;
}

static void dump_goes_on(struct sim_node *node, const struct sim_event *event)
{
    uint64_t to = node->sim->nodes[event->from].id;
    struct dump_source *source = node->dumps[event->from];
    struct dump_about about;
    struct dump_piece piece;
    struct buffer bytes;
    struct error err;

    if (to == 0 || source == NULL || event->life != node->dump_lives[event->from])
        return;
    if (event->number == UINT64_MAX) {
        about = dump_source_about(source);
        replica_dump_ready(node->replica, to, &about);
        return;
    }
    buffer_init(&bytes, 0);
    if (dump_source_read(source, event->number, &bytes, &piece, &err) != GW_OK)
        sim_violation(node->sim, "n%d cannot read a dump: %s", node->slot, err.text);
    replica_dump_piece(node->replica, to, &piece);
    buffer_deinit(&bytes);
}

static bool changes_members(uint32_t number)
{
    return number == COMMAND_NODE_JOIN || number == COMMAND_NODE_REMOVE ||
           number == COMMAND_NODE_UPDATE || number == COMMAND_CLUSTER_CREATE;
}

static enum result on_apply(void *owner, struct txn *txn, uint64_t index,
                            struct slice entry, struct store_answer *answer)
{
    struct sim_node *node = owner;
    struct command_header header;
    struct slice body;

    check_apply(node, txn, index, entry);
    enum result result = fsm_apply(&node->fsm, txn, index, entry, answer);
    if (result == GW_OK && command_decode(entry, &header, &body)) {
        if (changes_members(header.number))
            node->members_changed_at = index;
        check_applied(node, &header, answer->now_ms);
    }
    return result;
}

static void on_wake(void *owner)
{
    struct sim_node *node = owner;

    if (node->is_woken)
        return;
    node->is_woken = true;
    sim_push(node->sim,
             (struct sim_event){.at_us = node->sim->now_us + sim_between(node->sim, 5, 50),
                                .type = SIM_COMPLETED,
                                .node = node->slot,
                                .epoch = node->epoch});
}

/* ---- life ---- */

static raft_io_recv_cb libraft_recv;

static __attribute__((noinline)) void fill_stack(uint64_t word)
{
    volatile uint64_t words[2048];

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        words[i] = word;
}

/* What libraft leaves unset in an answer is what lay on the stack: here what does harm.
 * That is what no peer can read, or, where guard K lets only what our log has pass, the
 * end of our log. */
static void recv_on_soiled_stack(struct raft_io *io, struct raft_message *message)
{
    struct replica *replica = io->impl;

    fill_stack(guard_is_on(replica, GUARD_RESULT) ? raft_last_index(&replica->raft)
                                                  : UINT64_MAX / 2);
    libraft_recv(io, message);
}

static bool open_member(struct sim_node *node, struct error *err)
{
    const struct schedule *schedule = node->sim->schedule;
    struct store_options store = {.env = node->env,
                                  .apply = on_apply,
                                  .wake = on_wake,
                                  .owner = node,
                                  .lazy_us = 5000,
                                  .linger_us = 500};
    struct replica_options replica = {
        .id = node->id,
        .now_ms = node_now_ms(node),
        .heartbeat_ms = HEARTBEAT_MS,
        .election_ms = ELECTION_MS,
        .snapshot_threshold = 40,
        .snapshot_trailing = 12,
        .transfer_ms = 3000,
        .guards_off = schedule->guards_off,
        .gathers = schedule->gathers,
        .owner = node,
        .send = on_send,
        .reply = on_reply,
        .changed = on_changed,
        .dump_wanted = on_dump_wanted,
        .dump_read = on_dump_read,
        .dump_over = on_dump_over,
    };

    rng_init(&replica.rng, rng_next(&node->sim->rng));
    if (store_open(&store, &node->store, err) != GW_OK)
        return false;
    replica.store = node->store;
    if (replica_open(&replica, &node->replica, err) != GW_OK) {
        store_close(node->store);
        return false;
    }
    if ((schedule->guards_off & (GUARD_RESULT | GUARD_STALE)) != 0) {
        libraft_recv = node->replica->recv;
        node->replica->recv = recv_on_soiled_stack;
    }
    return true;
}

static void link_all(struct sim_node *node)
{
    struct sim *sim = node->sim;

    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        struct sim_node *peer = &sim->nodes[i];
        if (peer == node || peer->id == 0)
            continue;
        replica_link(node->replica, peer->id, peer->is_alive);
        if (peer->is_alive)
            replica_link(peer->replica, node->id, true);
    }
}

bool node_boot(struct sim_node *node)
{
    struct sim *sim = node->sim;
    struct error err = ERROR_NONE;

    node->epoch++;
    node->was_leader = node->is_stepping = node->is_woken = false;
    node->next_sequence = 0;
    node->in_flight = 0;
    node->dies_after = 0;
    node->commit_seen = node->installs = node->members_changed_at = 0;
    node->are_records_stale = true;
    node->roster_at_ms = 0;
    roster_reset(&node->roster);
    check_boot(node);
    if (!open_member(node, &err)) {
        if (!node->is_full) {
            sim_violation(sim, "n%d cannot start: %s", node->slot, err.text);
            _Exit(1);
        }
        sim_push(sim, (struct sim_event){.at_us = sim->now_us + RETRY_US,
                                         .type = SIM_RESTART,
                                         .node = node->slot});
        return false;
    }
    node->is_alive = true;
    if (sim->schedule->is_lying)
        crash_env_lie(node->env, true);
    node->visible_seen = store_visible(node->store);
    replica_view(node->replica, &node->view);
    link_all(node);
    sim_say(sim, "n%d up, id %llu, visible %llu", node->slot, (unsigned long long)node->id,
            (unsigned long long)node->visible_seen);
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + sim_between(sim, 0, TICK_US),
                                     .type = SIM_TICK,
                                     .node = node->slot,
                                     .epoch = node->epoch});
    node_settle(node);
    return true;
}

static void end_member(struct sim_node *node)
{
    struct sim *sim = node->sim;
    const struct replica_counters *counters = replica_counters(node->replica);

    sim->counts.snapshots += counters->snapshots_taken;
    sim->counts.installs += counters->dumps_installed;
    for (int i = 0; i < GUARD_COUNT; i++)
        sim->counts.guard_hits[i] += counters->guard_hits[i];
    replica_close(node->replica);
    store_close(node->store);
    node->replica = NULL;
    node->store = NULL;
}

void node_crash(struct sim_node *node, enum crash_kind kind)
{
    static const char *const names[] = {"", ", power lost", ", power lost late"};
    struct sim *sim = node->sim;

    if (!node->is_alive)
        return;
    sim_say(sim, "n%d crashes%s", node->slot, names[kind]);
    sim->counts.crashes++;
    node->is_alive = false;
    node->epoch++; /* whatever closing calls back is of no account */
    end_member(node);
    crash_env_crash(node->env, kind);
    /* What was visible may be gone, where no quorum had it. */
    node->visible_seen = 0;
    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        if (sim->nodes[i].is_alive)
            replica_link(sim->nodes[i].replica, node->id, false);
    }
}

/* The disk is lost, or the machine was taken away. Its id never comes back. */
void node_wipe(struct sim_node *node)
{
    node_crash(node, CRASH_PROCESS);
    crash_env_free(node->env);
    node->env = crash_env_new();
    crash_env_fill(node->env, node->is_full);
    node->id = 0;
    node->is_leaving = false;
    node->committed_checked = node->led_term = 0;
    node->record_count = 0;
    node->sim->wiped_until_us = node->sim->now_us + 5000000;
}

/* ---- the disk ---- */

static void push_step(struct sim_node *node, uint64_t at_us)
{
    node->step_at_us = at_us;
    sim_push(node->sim, (struct sim_event){.at_us = at_us,
                                           .type = SIM_STEP,
                                           .node = node->slot,
                                           .epoch = node->epoch});
}

/* One turn of the disk at a time: what is pushed meanwhile waits for the next, so a
 * slow disk gathers work however often it is asked. */
static void turn_disk(struct sim_node *node)
{
    struct sim *sim = node->sim;

    if (node->is_stepping)
        return;
    node->is_stepping = true;
    uint64_t at_us = sim->now_us + sim_between(sim, node->disk_low_us, node->disk_high_us);
    push_step(node, at_us > node->stalled_until_us ? at_us : node->stalled_until_us);
}

static void restart_soon(struct sim_node *node)
{
    struct sim *sim = node->sim;

    sim_push(sim, (struct sim_event){.at_us = sim->now_us + sim_between(sim, 50000, 800000),
                                     .type = SIM_RESTART,
                                     .node = node->slot});
}

static void step(struct sim_node *node, struct sim_event *event)
{
    struct sim *sim = node->sim;
    uint64_t next_us = UINT64_MAX;

    if (node->step_at_us != event->at_us)
        return; /* overtaken by an earlier turn */
    node->is_stepping = false;
    bool was_halted = store_is_halted(node->store);
    bool did_work = store_step(node->store, sim->now_us, &next_us);
    if (crash_env_is_dead(node->env)) {
        node_crash(node, node->dies_by);
        restart_soon(node);
        return;
    }
    if (!was_halted && store_is_halted(node->store)) {
        sim_say(sim, "n%d store halted", node->slot);
        restart_soon(node); /* the process is to be started again */
    }
    check_node(node);
    if (did_work)
        turn_disk(node);
    else if (next_us != UINT64_MAX)
        push_step(node, next_us > sim->now_us ? next_us : sim->now_us + 1);
}

/* ---- events ---- */

void node_settle(struct sim_node *node)
{
    struct sim *sim = node->sim;

    if (!node->is_alive)
        return;
    /* Where it gathers, messages of a few events go together. */
    if (++node->turns % 3 != 0)
        replica_flush(node->replica);
    replica_view(node->replica, &node->view);
    uint64_t installs = replica_counters(node->replica)->dumps_installed;
    node->are_records_stale = node->are_records_stale || installs != node->installs;
    node->installs = installs;
    bool is_leader = node->view.state == REPLICA_LEADER;
    if (is_leader && (!node->was_leader || node->led_term != node->view.term)) {
        sim->counts.elections++;
        sim_say(sim, "n%d leads term %llu", node->slot,
                (unsigned long long)node->view.term);
        node->next_sequence = 0;
        node->led_term = node->view.term;
        check_leader(node);
    }
    node->was_leader = is_leader;
    check_node(node);
    turn_disk(node);
}

/* Halted it only waits for its end. */
static void restart(struct sim_node *node)
{
    if (node->is_alive && store_is_halted(node->store))
        node_crash(node, CRASH_PROCESS);
    if (!node->is_alive && node->id != 0)
        node_boot(node);
}

static void stop(struct sim_node *node, int stage)
{
    struct sim *sim = node->sim;

    if (stage == 2) {
        if (churn_may_leave(sim, node))
            node_wipe(node);
        else
            sim_push(sim, (struct sim_event){.at_us = sim->now_us + 300000,
                                             .type = SIM_STOP,
                                             .node = node->slot,
                                             .from = 2});
        return;
    }
    if (!node->is_alive)
        return;
    if (stage == 3) {
        node_crash(node, node->dies_by);
        sim_push(sim,
                 (struct sim_event){.at_us = sim->now_us + sim_between(sim, 1000, 60000),
                                    .type = SIM_RESTART,
                                    .node = node->slot});
        return;
    }
    if (stage == 0 && node->was_leader) {
        replica_transfer(node->replica, 0);
        node_settle(node);
        sim_push(sim, (struct sim_event){.at_us = sim->now_us + 300000,
                                         .type = SIM_STOP,
                                         .node = node->slot,
                                         .from = 1});
        return;
    }
    node_crash(node, CRASH_PROCESS);
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + 150000,
                                     .type = SIM_RESTART,
                                     .node = node->slot});
}

void node_event(struct sim_node *node, struct sim_event *event)
{
    struct sim *sim = node->sim;
    struct slice bytes = slice_of(event->bytes, event->size);

    switch (event->type) {
    case SIM_RESTART:
        restart(node);
        return;
    case SIM_STOP:
        stop(node, event->from);
        return;
    case SIM_JOINED:
        node->id = event->size;
        node_boot(node);
        return;
    default:
        break;
    }
    if (!node->is_alive || (event->type != SIM_MESSAGE && event->epoch != node->epoch))
        return;
    if (sim->now_us < node->paused_until_us) {
        if (event->type == SIM_STEP)
            node->step_at_us = node->paused_until_us;
        event->at_us = node->paused_until_us;
        sim_push(sim, *event);
        event->bytes = NULL;
        return;
    }
    uint64_t now_ms = node_now_ms(node);
    switch (event->type) {
    case SIM_TICK:
        replica_tick(node->replica, now_ms);
        churn_tick(node);
        event->at_us = sim->now_us + TICK_US;
        sim_push(sim, *event);
        break;
    case SIM_MESSAGE:
        if (!network_passes(node, event->from, event->number))
            return;
        if (replica_receive(node->replica, sim->nodes[event->from].id, bytes, now_ms) !=
            GW_OK)
            sim_violation(sim, "n%d finds a message of n%d malformed", node->slot,
                          event->from);
        break;
    case SIM_STEP:
        step(node, event);
        return;
    case SIM_COMPLETED:
        node->is_woken = false;
        replica_completed(node->replica, now_ms);
        break;
    case SIM_DUMP:
        dump_goes_on(node, event);
        break;
    default:
        return;
    }
    node_settle(node);
}
