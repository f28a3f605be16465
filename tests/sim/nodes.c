/* Nodes: a replica and a store over an env that can crash, their disk and the
 * network between them. */
#include "tests/sim/sim.h"

#include "store/dump.h"

#include <stdio.h>
#include <stdlib.h>

#define TICK_US      20000
#define HEARTBEAT_MS 60
#define ELECTION_MS  300

void network_send(struct sim *sim, int from, int to, struct slice message,
                  uint64_t extra_us)
{
    int copies = 1 + sim_chance(sim, sim->duplicate_per_mille);

    sim->counts.messages++;
    if (to < 1 || to > sim->node_count || sim->cut[from][to] ||
        sim_chance(sim, sim->drop_per_mille))
        return;
    while (copies-- > 0) {
        struct sim_event event = {
            .at_us = sim->now_us +
                     sim_between(sim, sim->latency_low_us, sim->latency_high_us) + extra_us,
            .type = SIM_MESSAGE,
            .node = to,
            .from = from,
            .bytes = malloc(message.size + 1),
            .size = message.size,
        };
        if (event.bytes == NULL)
            abort();
        memcpy(event.bytes, message.data, message.size);
        sim_push(sim, event);
    }
}

/* ---- what the replica and the store ask for ---- */

static void on_send(void *owner, uint64_t to, struct slice message, bool bulk)
{
    struct sim_node *node = owner;

    network_send(node->sim, node->id, (int)to, message,
                 bulk ? sim_between(node->sim, 1000, 400000) : 0);
}

static void on_reply(void *owner, void *tag, const struct replica_reply *reply)
{
    client_reply(owner, tag, reply);
}

static void on_changed(void *owner)
{
    (void)owner; /* node_settle looks for itself */
}

static void on_dump_wanted(void *owner, uint64_t to)
{
    struct sim_node *node = owner;
    struct sim *sim = node->sim;
    struct buffer dump;

    buffer_init(&dump, 0);
    if (dump_build(node->env, &dump) != GW_OK)
        sim_violation(sim, "n%d cannot build a dump", node->id);
    sim->counts.dumps++;
    sim_say(sim, "n%d builds a dump for n%d", node->id, (int)to);
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + sim_between(sim, 500, 20000),
                                     .type = SIM_DUMP,
                                     .node = node->id,
                                     .from = (int)to,
                                     .epoch = node->epoch,
                                     .size = dump.size,
                                     .bytes = dump.data});
}

static enum result on_apply(void *owner, struct txn *txn, uint64_t index,
                            struct slice entry, struct store_answer *answer)
{
    struct sim_node *node = owner;

    return fsm_apply(&node->fsm, txn, index, entry, answer);
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
                                .node = node->id,
                                .epoch = node->epoch});
}

/* ---- life ---- */

void node_boot(struct sim_node *node)
{
    struct sim *sim = node->sim;
    struct error err = ERROR_NONE;
    struct store_options store = {.env = node->env,
                                  .apply = on_apply,
                                  .wake = on_wake,
                                  .owner = node,
                                  .lazy_us = 5000,
                                  .linger_us = 500};
    struct replica_options replica = {
        .id = (uint64_t)node->id,
        .now_ms = sim_now_ms(sim),
        .heartbeat_ms = HEARTBEAT_MS,
        .election_ms = ELECTION_MS,
        .snapshot_threshold = 40,
        .snapshot_trailing = 12,
        .transfer_ms = 3000,
        .guards_off = sim->options.guards_off,
        .gathers = sim->options.seed % 2 == 1,
        .owner = node,
        .send = on_send,
        .reply = on_reply,
        .changed = on_changed,
        .dump_wanted = on_dump_wanted,
    };

    node->is_alive = true;
    node->epoch++;
    node->was_leader = node->is_stepping = node->is_woken = false;
    node->next_sequence = 0;
    node->in_flight = 0;
    node->commit_seen = 0;
    rng_init(&replica.rng, rng_next(&sim->rng));
    if (store_open(&store, &node->store, &err) != GW_OK) {
        sim_violation(sim, "n%d cannot open its store: %s", node->id, err.text);
        _Exit(1);
    }
    replica.store = node->store;
    if (replica_open(&replica, &node->replica, &err) != GW_OK) {
        sim_violation(sim, "n%d cannot start: %s", node->id, err.text);
        _Exit(1);
    }
    node->visible_seen = store_visible(node->store);
    for (int i = 1; i <= sim->node_count; i++) {
        if (i == node->id)
            continue;
        replica_link(node->replica, (uint64_t)i, true);
        if (sim->nodes[i].is_alive)
            replica_link(sim->nodes[i].replica, (uint64_t)node->id, true);
    }
    sim_say(sim, "n%d up, visible %llu", node->id, (unsigned long long)node->visible_seen);
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + sim_between(sim, 0, TICK_US),
                                     .type = SIM_TICK,
                                     .node = node->id,
                                     .epoch = node->epoch});
    node_settle(node);
}

void node_crash(struct sim_node *node, bool power)
{
    struct sim *sim = node->sim;

    sim_say(sim, "n%d crashes%s", node->id, power ? ", power lost" : "");
    sim->counts.crashes++;
    node->is_alive = false;
    node->epoch++; /* whatever closing calls back is of no account */
    const struct replica_counters *counters = replica_counters(node->replica);
    sim->counts.snapshots += counters->snapshots_taken;
    sim->counts.installs += counters->dumps_installed;
    for (int i = 0; i < 11; i++)
        sim->counts.guard_hits[i] += counters->guard_hits[i];
    replica_close(node->replica);
    store_close(node->store);
    node->replica = NULL;
    node->store = NULL;
    crash_env_crash(node->env, power ? CRASH_POWER : CRASH_PROCESS);
    for (int i = 1; i <= sim->node_count; i++) {
        if (sim->nodes[i].is_alive)
            replica_link(sim->nodes[i].replica, (uint64_t)node->id, false);
    }
}

/* ---- events ---- */

static void push_step(struct sim_node *node, uint64_t at_us)
{
    node->step_at_us = at_us;
    sim_push(node->sim,
             (struct sim_event){
                 .at_us = at_us, .type = SIM_STEP, .node = node->id, .epoch = node->epoch});
}

/* One turn of the disk at a time: what is pushed meanwhile waits for the next, so a
 * slow disk gathers work however often it is asked. */
static void turn_disk(struct sim_node *node)
{
    if (node->is_stepping)
        return;
    node->is_stepping = true;
    push_step(node, node->sim->now_us +
                        sim_between(node->sim, node->disk_low_us, node->disk_high_us));
}

void node_settle(struct sim_node *node)
{
    struct sim *sim = node->sim;
    struct replica_view view;

    if (!node->is_alive)
        return;
    /* Where it gathers, messages of a few events go together. */
    if (++node->turns % 3 != 0)
        replica_flush(node->replica);
    replica_view(node->replica, &view);
    bool is_leader = view.state == REPLICA_LEADER;
    if (is_leader && !node->was_leader) {
        sim->counts.elections++;
        sim_say(sim, "n%d leads term %llu", node->id, (unsigned long long)view.term);
        node->next_sequence = 0;
        check_leader(node);
    }
    node->was_leader = is_leader;
    check_node(node);
    turn_disk(node);
}

static void step(struct sim_node *node, struct sim_event *event)
{
    uint64_t next_us = UINT64_MAX;

    if (node->step_at_us != event->at_us)
        return; /* overtaken by an earlier turn */
    node->is_stepping = false;
    bool was_halted = store_is_halted(node->store);
    bool did_work = store_step(node->store, node->sim->now_us, &next_us);
    if (!was_halted && store_is_halted(node->store))
        sim_say(node->sim, "n%d store halted", node->id);
    check_node(node);
    if (did_work)
        turn_disk(node);
    else if (next_us != UINT64_MAX)
        push_step(node, next_us > node->sim->now_us ? next_us : node->sim->now_us + 1);
}

void node_event(struct sim_node *node, struct sim_event *event)
{
    struct sim *sim = node->sim;
    struct slice bytes = slice_of(event->bytes, event->size);

    if (!node->is_alive || (event->type != SIM_MESSAGE && event->epoch != node->epoch))
        return;
    switch (event->type) {
    case SIM_TICK:
        replica_tick(node->replica, sim_now_ms(sim));
        event->at_us = sim->now_us + TICK_US;
        sim_push(sim, *event);
        break;
    case SIM_MESSAGE:
        if (sim->cut[event->from][event->node])
            return;
        if (replica_receive(node->replica, (uint64_t)event->from, bytes, sim_now_ms(sim)) !=
            GW_OK)
            sim_violation(sim, "n%d finds a message of n%d malformed", node->id,
                          event->from);
        break;
    case SIM_STEP:
        step(node, event);
        return;
    case SIM_COMPLETED:
        node->is_woken = false;
        replica_completed(node->replica, sim_now_ms(sim));
        break;
    case SIM_DUMP:
        replica_dump_ready(node->replica, (uint64_t)event->from, bytes);
        break;
    default:
        return;
    }
    node_settle(node);
}
