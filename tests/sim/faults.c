/* What goes wrong, kind by kind: how it begins, and how it ends. What lasts on the
 * network is network.c's. A kind that cannot strike now does not, and is not counted. */
#include "tests/sim/sim.h"

#include <raft.h>

/* The machine a fault means: who leads, or the next one in use from its slot on. */
static struct sim_node *victim(struct sim *sim, int slot)
{
    struct sim_node *leader = sim_leader(sim);

    if (slot == 0)
        return leader;
    for (int i = 0; i < SCHEDULE_SLOTS; i++) {
        struct sim_node *node = &sim->nodes[(slot - 1 + i) % SCHEDULE_SLOTS + 1];
        if (node->id != 0)
            return node;
    }
    return NULL;
}

static bool crash(struct sim_node *node, enum crash_kind kind, uint64_t for_ms)
{
    struct sim *sim = node->sim;

    if (!node->is_alive)
        return false;
    node_crash(node, kind);
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + for_ms * 1000,
                                     .type = SIM_RESTART,
                                     .node = node->slot});
    return true;
}

static bool crash_many(struct sim *sim, const struct fault *fault)
{
    bool any = false;

    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        enum crash_kind kind = fault->amount >> (i + 8) & 1 ? CRASH_POWER : CRASH_PROCESS;
        if (fault->amount >> i & 1)
            any = crash(&sim->nodes[i], kind, fault->for_ms + 37 * (uint64_t)i) || any;
    }
    return any;
}

/* One after the other, with a planned stop: leadership is handed over first. */
static bool roll(struct sim *sim, const struct fault *fault)
{
    uint64_t at_us = sim->now_us;

    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        if (sim->nodes[i].id == 0)
            continue;
        sim_push(sim, (struct sim_event){.at_us = at_us, .type = SIM_STOP, .node = i});
        at_us += fault->for_ms * 1000 / SCHEDULE_SLOTS;
    }
    return true;
}

static bool begin(struct sim *sim, const struct fault *fault, struct sim_node *node)
{
    static const enum crash_kind deaths[] = {CRASH_PROCESS, CRASH_POWER, CRASH_POWER_LATE};
    uint64_t amount = fault->amount;

    switch (fault->kind) {
    case FAULT_CRASH:
        return crash(node, CRASH_PROCESS, fault->for_ms);
    case FAULT_POWER:
        return crash(node, CRASH_POWER, fault->for_ms);
    case FAULT_POWER_LATE:
        return crash(node, CRASH_POWER_LATE, fault->for_ms);
    case FAULT_CRASH_AT_DISK:
        if (!node->is_alive)
            return false;
        node->dies_by = deaths[fault->b % 3];
        crash_env_die_at(node->env, 1 + (unsigned)(amount % 40));
        return true;
    case FAULT_CRASH_AFTER_SEND:
        if (!node->is_alive)
            return false;
        node->dies_by = deaths[fault->b % 3];
        node->dies_after =
            amount % 2 == 0 ? RAFT_REQUEST_VOTE_RESULT : RAFT_APPEND_ENTRIES_RESULT;
        return true;
    case FAULT_CRASH_MANY:
        return crash_many(sim, fault);
    case FAULT_ROLLING:
        return roll(sim, fault);
    case FAULT_SLOW_DISK:
        node->disk_low_us = 200 + amount % 20000;
        node->disk_high_us = node->disk_low_us + 100 + amount % 300000;
        return true;
    case FAULT_STALLED_DISK:
        node->stalled_until_us = sim->now_us + fault->for_ms * 1000;
        return true;
    case FAULT_FULL_DISK:
        node->is_full = true;
        crash_env_fill(node->env, true);
        return true;
    case FAULT_FAILING_DISK:
        if (!node->is_alive)
            return false;
        crash_env_fail_at(node->env, 1 + (unsigned)(amount % 20));
        return true;
    case FAULT_DRIFT:
        node_drift(node, (int)(amount % 6001) - 3000);
        return true;
    case FAULT_WALL_JUMP:
        node->wall_days = (int64_t)(amount % 21) - 10;
        return true;
    case FAULT_PAUSE:
        node->paused_until_us = sim->now_us + fault->for_ms * 1000;
        return node->is_alive;
    case FAULT_TRANSFER:
        node = sim_leader(sim);
        if (node == NULL)
            return false;
        enum result result =
            replica_transfer(node->replica, amount % 2 == 0 ? 0 : sim->nodes[fault->b].id);
        node_settle(node);
        return result == GW_OK;
    case FAULT_JOIN:
    case FAULT_REMOVE:
    case FAULT_STANDBY:
    case FAULT_VOTER:
    case FAULT_REPLACE:
        return churn_wish(sim, fault->kind,
                          fault->kind == FAULT_JOIN ? fault->b : node->slot);
    case FAULT_ISOLATE_LEADER:
        return node == sim_leader(sim);
    case FAULT_REGION_CUT:
    case FAULT_REGION_FAR:
        return sim->schedule->regions > 1;
    default:
        return true;
    }
}

void fault_begin(struct sim *sim, size_t index)
{
    const struct fault *fault = &sim->schedule->faults[index];
    struct sim_node *node = victim(sim, fault->kind == FAULT_ISOLATE_LEADER ? 0 : fault->a);

    if (node == NULL && (node = victim(sim, fault->b)) == NULL)
        return;
    if (!begin(sim, fault, node))
        return;
    sim_say(sim, "-- %s n%d %d %llu for %llu ms", fault_name(fault->kind), node->slot,
            fault->b, (unsigned long long)fault->amount, (unsigned long long)fault->for_ms);
    sim->counts.faults[fault->kind]++;
    sim->active[index] = true;
    sim->victims[index] = node->slot;
    network_shape(sim);
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + fault->for_ms * 1000,
                                     .type = SIM_FAULT_END,
                                     .node = (int)index});
}

void fault_end(struct sim *sim, size_t index)
{
    const struct fault *fault = &sim->schedule->faults[index];
    struct sim_node *node = &sim->nodes[sim->victims[index]];

    if (!sim->active[index])
        return;
    sim->active[index] = false;
    switch (fault->kind) {
    case FAULT_SLOW_DISK:
        node->disk_low_us = 100;
        node->disk_high_us = 1000;
        break;
    case FAULT_FULL_DISK:
        node->is_full = false;
        crash_env_fill(node->env, false);
        break;
    case FAULT_DRIFT:
        node_drift(node, 0);
        break;
    case FAULT_WALL_JUMP:
        node->wall_days = 0;
        break;
    default:
        network_shape(sim);
        break;
    }
}

void fault_end_all(struct sim *sim)
{
    for (size_t i = 0; i < sim->schedule->count; i++)
        fault_end(sim, i);
    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        struct sim_node *node = &sim->nodes[i];
        /* What was to come from the disk will not. */
        crash_env_die_at(node->env, 0);
        crash_env_fail_at(node->env, 0);
        node->stalled_until_us = node->paused_until_us = 0;
        node->dies_after = 0;
    }
    network_shape(sim);
}
