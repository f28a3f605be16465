/* Who hears whom, how late, and how often. Links of the product are ordered and
 * whole; half of the runs keep that order, the others do not. */
#include "tests/sim/sim.h"

#include "raft/wire.h"
#include "raft/wire_dump.h"

#include <stdlib.h>

#define HELD_LIMIT_MS 4000

/* ---- what is held back ---- */

static unsigned what_of(struct slice bytes)
{
    struct wire_message message;

    if (wire_is_dump(bytes) || !wire_decode(bytes, &message))
        return HELD_DUMP;
    unsigned what = (unsigned)message.raft.type;
    if (what == RAFT_REQUEST_VOTE && message.raft.request_vote.pre_vote)
        what = HELD_PRE_VOTE;
    if (what == RAFT_REQUEST_VOTE_RESULT && message.raft.request_vote_result.pre_vote)
        what = HELD_PRE_VOTE_RESULT;
    wire_free(&message);
    return what;
}

/* How late it comes; UINT64_MAX: never. */
static uint64_t held_us(const struct sim *sim, int from, int to, struct slice message)
{
    uint64_t late_us = 0;

    for (size_t i = 0; i < sim->schedule->count; i++) {
        const struct fault *fault = &sim->schedule->faults[i];
        unsigned what = fault->amount % 10;
        if (!sim->active[i] || fault->kind != FAULT_HELD || sim->victims[i] != from ||
            (fault->b != to && fault->b != from) ||
            (what != HELD_ALL && what != what_of(message)))
            continue;
        late_us = fault->amount / 10 % HELD_LIMIT_MS * 1000;
        if (late_us == 0)
            return UINT64_MAX;
    }
    return late_us;
}

static void deliver(struct sim *sim, int from, int to, struct slice message, bool bulk,
                    uint64_t late_us)
{
    const struct sim_link *link = &sim->links[from][to];
    uint64_t low_us = sim->latency_low_us + link->delay_us;
    uint64_t high_us = sim->latency_high_us + link->delay_us + sim->jitter_us;
    struct sim_event event = {.at_us = sim->now_us + sim_between(sim, low_us, high_us),
                              .type = SIM_MESSAGE,
                              .node = to,
                              .from = from,
                              .number = sim->nodes[from].id,
                              .size = message.size,
                              .bytes = malloc(message.size + 1)};

    if (event.bytes == NULL)
        abort();
    if (bulk)
        event.at_us += sim_between(sim, 500, 100000);
    event.at_us += late_us;
    if (sim->is_fifo && sim->jitter_us == 0 && late_us == 0) {
        uint64_t *last_us = &sim->last_arrival_us[from][to][bulk];
        if (event.at_us <= *last_us)
            event.at_us = *last_us + 1;
        *last_us = event.at_us;
    }
    memcpy(event.bytes, message.data, message.size);
    sim_push(sim, event);
}

void network_send(struct sim_node *from, uint64_t to, struct slice message, bool bulk)
{
    struct sim *sim = from->sim;
    struct sim_node *node = sim_node_of(sim, to);
    int copies =
        1 + (sim->duplicate_per_mille > 0 && sim_chance(sim, sim->duplicate_per_mille));

    sim->counts.messages++;
    if (node == NULL || node == from || !node->is_alive || churn_refuses(from, to))
        return;
    const struct sim_link *link = &sim->links[from->slot][node->slot];
    if (link->is_cut || (link->loss_per_mille > 0 && sim_chance(sim, link->loss_per_mille)))
        return;
    uint64_t late_us = sim->held > 0 ? held_us(sim, from->slot, node->slot, message) : 0;
    while (copies-- > 0 && late_us != UINT64_MAX)
        deliver(sim, from->slot, node->slot, message, bulk, late_us);
}

/* When it arrives: whether it does. A link that was cut meanwhile loses what is on it, as
 * does that of a machine which has become another since. */
bool network_passes(struct sim_node *to, int from, uint64_t id)
{
    struct sim *sim = to->sim;

    if (sim->links[from][to->slot].is_cut || id != sim->nodes[from].id ||
        churn_refuses(to, sim->nodes[from].id))
        return false;
    to->heard_us[from] = sim->now_us;
    return true;
}

/* ---- shapes ---- */

static int region_of(const struct sim *sim, int slot)
{
    return (slot - 1) % (int)sim->schedule->regions;
}

static void cut(struct sim *sim, int from, int to)
{
    sim->links[from][to].is_cut = sim->links[from][to].is_cut || from != to;
}

/* Between all pairs for which it holds. */
static void cut_sides(struct sim *sim, unsigned side)
{
    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        for (int j = 1; j <= SCHEDULE_SLOTS; j++) {
            if ((side >> i & 1) != (side >> j & 1))
                cut(sim, i, j);
        }
    }
}

/* The machines in use, as a ring: those next to each other hear each other. */
static void cut_ring(struct sim *sim)
{
    int ring[SCHEDULE_SLOTS], count = 0;

    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        if (sim->nodes[i].id != 0)
            ring[count++] = i;
    }
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < count; j++) {
            int apart = (j - i + count) % count;
            if (apart != 1 && apart != count - 1)
                cut(sim, ring[i], ring[j]);
        }
    }
}

static void cut_bridge(struct sim *sim, int bridge, unsigned side)
{
    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        for (int j = 1; j <= SCHEDULE_SLOTS; j++) {
            if (i != bridge && j != bridge && (side >> i & 1) != (side >> j & 1))
                cut(sim, i, j);
        }
    }
}

static void change_all(struct sim *sim, int slot, unsigned loss_per_mille,
                       uint64_t delay_us)
{
    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        for (int j = 1; j <= SCHEDULE_SLOTS; j++) {
            if (slot != 0 && i != slot && j != slot)
                continue;
            sim->links[i][j].loss_per_mille += loss_per_mille;
            sim->links[i][j].delay_us += delay_us;
        }
    }
}

static unsigned region_bits(const struct sim *sim, int slot)
{
    unsigned bits = 0;

    for (int i = 1; i <= SCHEDULE_SLOTS; i++)
        bits |= (unsigned)(region_of(sim, i) == region_of(sim, slot)) << i;
    return bits;
}

static void shape(struct sim *sim, const struct fault *fault, int a)
{
    uint64_t amount = fault->amount;

    switch (fault->kind) {
    case FAULT_ISOLATE:
    case FAULT_ISOLATE_LEADER:
        cut_sides(sim, 1u << a);
        break;
    case FAULT_HALVES:
        cut_sides(sim, (unsigned)amount);
        break;
    case FAULT_ONE_WAY:
        cut(sim, a, fault->b);
        break;
    case FAULT_DEAF:
    case FAULT_MUTE:
        for (int i = 1; i <= SCHEDULE_SLOTS; i++)
            fault->kind == FAULT_DEAF ? cut(sim, i, a) : cut(sim, a, i);
        break;
    case FAULT_RING:
        cut_ring(sim);
        break;
    case FAULT_BRIDGE:
        cut_bridge(sim, a, (unsigned)amount);
        break;
    case FAULT_REGION_CUT:
        cut_sides(sim, region_bits(sim, a));
        break;
    case FAULT_REGION_FAR:
        for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
            for (int j = 1; j <= SCHEDULE_SLOTS; j++) {
                if ((region_of(sim, i) == region_of(sim, a)) !=
                    (region_of(sim, j) == region_of(sim, a)))
                    sim->links[i][j].delay_us += 20000 + amount % 150000;
            }
        }
        break;
    case FAULT_LOSS:
        change_all(sim, 0, (unsigned)(amount % 250), 0);
        break;
    case FAULT_FLAKY:
        change_all(sim, a, 300 + (unsigned)(amount % 500), 0);
        break;
    case FAULT_DUPLICATE:
        sim->duplicate_per_mille = 20 + (unsigned)(amount % 200);
        break;
    case FAULT_REORDER:
        sim->jitter_us = 5000 + amount % 150000;
        break;
    case FAULT_SLOW_NET:
        change_all(sim, 0, 0, amount % 60000);
        break;
    case FAULT_HELD:
        sim->held++;
        break;
    case FAULT_ANSWERS_LOST:
        sim->answers_lost_per_mille = 50 + (unsigned)(amount % 300);
        break;
    default:
        break;
    }
}

void network_shape(struct sim *sim)
{
    memset(sim->links, 0, sizeof sim->links);
    sim->duplicate_per_mille = sim->answers_lost_per_mille = sim->held = 0;
    sim->latency_low_us = 200;
    sim->latency_high_us = 2500;
    sim->jitter_us = 0;
    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        for (int j = 1; j <= SCHEDULE_SLOTS; j++) {
            if (region_of(sim, i) != region_of(sim, j))
                sim->links[i][j].delay_us = sim->schedule->region_delay_ms * 1000;
        }
    }
    for (size_t i = 0; i < sim->schedule->count; i++) {
        if (sim->active[i])
            shape(sim, &sim->schedule->faults[i], sim->victims[i]);
    }
}
