/* What goes wrong: crashes with and without power, partitions of several shapes,
 * slow and lossy networks, slow and failing disks, leadership handed about. */
#include "tests/sim/sim.h"

void fault_heal(struct sim *sim)
{
    memset(sim->cut, 0, sizeof sim->cut);
    sim->drop_per_mille = sim->duplicate_per_mille = 0;
    sim->latency_low_us = 200;
    sim->latency_high_us = 3000;
    for (int i = 1; i <= sim->node_count; i++) {
        crash_env_break(sim->nodes[i].env, false);
        sim->nodes[i].disk_low_us = 200;
        sim->nodes[i].disk_high_us = 2000;
    }
}

static void crash(struct sim *sim, int id, uint64_t low_us, uint64_t high_us)
{
    if (!sim->nodes[id].is_alive)
        return;
    node_crash(&sim->nodes[id], sim_chance(sim, 500));
    sim_push(sim,
             (struct sim_event){.at_us = sim->now_us + sim_between(sim, low_us, high_us),
                                .type = SIM_RESTART,
                                .node = id});
}

static void isolate(struct sim *sim, int id)
{
    for (int i = 1; i <= sim->node_count; i++)
        sim->cut[id][i] = sim->cut[i][id] = i != id;
}

static void halves(struct sim *sim)
{
    unsigned side = (unsigned)sim_between(sim, 1, (1u << sim->node_count) - 2) << 1;

    for (int i = 1; i <= sim->node_count; i++) {
        for (int j = 1; j <= sim->node_count; j++)
            sim->cut[i][j] = (side >> i & 1) != (side >> j & 1);
    }
}

static void break_disk(struct sim *sim, int id)
{
    /* The member must halt and never acknowledge again; a restart mends it. */
    if (!sim->nodes[id].is_alive)
        return;
    sim_say(sim, "n%d disk fails", id);
    crash_env_break(sim->nodes[id].env, true);
}

void fault_strike(struct sim *sim)
{
    int a = (int)sim_between(sim, 1, (uint64_t)sim->node_count);
    int b = (int)sim_between(sim, 1, (uint64_t)sim->node_count);

    for (int i = 1; i <= sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->is_alive && store_is_halted(node->store) && sim_chance(sim, 400))
            crash(sim, i, 50000, 1000000);
    }
    switch (sim_between(sim, 0, 13)) {
    case 0:
    case 1:
        crash(sim, a, 50000, 3000000);
        break;
    case 2:
        for (int i = 1; i <= sim->node_count; i++) {
            if (sim_chance(sim, 700))
                crash(sim, i, 20000, 1500000);
        }
        break;
    case 3:
    case 4:
        isolate(sim, a);
        break;
    case 5:
        halves(sim);
        break;
    case 6:
        sim->cut[a][b] = a != b; /* one way */
        break;
    case 7:
        sim->drop_per_mille = (unsigned)sim_between(sim, 0, 250);
        sim->duplicate_per_mille = (unsigned)sim_between(sim, 0, 100);
        sim->latency_low_us = sim_between(sim, 100, 30000);
        sim->latency_high_us = sim->latency_low_us + sim_between(sim, 100, 150000);
        break;
    case 8:
        sim->nodes[a].disk_low_us = sim_between(sim, 100, 20000);
        sim->nodes[a].disk_high_us =
            sim->nodes[a].disk_low_us + sim_between(sim, 100, 400000);
        break;
    case 9:
        for (int i = 1; i <= sim->node_count; i++) {
            if (sim->nodes[i].is_alive && sim->nodes[i].was_leader) {
                replica_transfer(sim->nodes[i].replica, 0);
                node_settle(&sim->nodes[i]);
            }
        }
        break;
    case 10:
        if (sim_chance(sim, 300))
            break_disk(sim, a);
        break;
    default:
        fault_heal(sim);
    }
}
