/* What must hold, looked at after every event that could break it. */
#include "tests/sim/sim.h"

#include "base/hash.h"
#include "store/meta.h"

#include <stdlib.h>

static struct sim_index *index_at(struct sim *sim, uint64_t index)
{
    if (index >= sim->index_capacity) {
        size_t old = sim->index_capacity;
        sim->index_capacity = index * 2 + 1024;
        sim->indices = realloc(sim->indices, sim->index_capacity * sizeof *sim->indices);
        if (sim->indices == NULL)
            abort();
        memset(sim->indices + old, 0, (sim->index_capacity - old) * sizeof *sim->indices);
    }
    return &sim->indices[index];
}

static bool entry_at(struct txn *txn, uint64_t index, struct store_entry *ret_entry)
{
    struct slice stored;

    return txn_get_at(txn, ENV_LOG, index, &stored) == GW_OK &&
           meta_entry_parse(stored, ret_entry) == GW_OK;
}

static uint64_t entry_hash(const struct store_entry *entry)
{
    return hash_stable_seeded(entry->bytes, entry->type);
}

/* Committed on this node and in its log: the same entry everywhere, for ever. */
static void check_committed(struct sim_node *node, struct txn *txn, uint64_t upto)
{
    struct sim *sim = node->sim;

    for (; node->committed_checked < upto; node->committed_checked++) {
        uint64_t index = node->committed_checked + 1;
        struct store_entry entry;
        if (!entry_at(txn, index, &entry))
            continue; /* not logged here yet, or trimmed already */
        struct sim_index *known = index_at(sim, index);
        uint64_t hash = entry_hash(&entry);
        if (known->term != 0 && (known->term != entry.term || known->hash != hash))
            sim_violation(sim, "n%d committed %llu of term %llu, another node of term %llu",
                          node->id, (unsigned long long)index,
                          (unsigned long long)entry.term, (unsigned long long)known->term);
        known->term = entry.term;
        known->hash = hash;
        if (index > sim->highest_committed)
            sim->highest_committed = index;
    }
}

void check_node(struct sim_node *node)
{
    struct sim *sim = node->sim;
    struct replica_view view;
    struct record_state state;
    struct txn *txn;

    replica_view(node->replica, &view);
    if (view.commit < node->commit_seen)
        sim_violation(sim, "n%d commit index went back from %llu to %llu", node->id,
                      (unsigned long long)node->commit_seen,
                      (unsigned long long)view.commit);
    node->commit_seen = view.commit;
    uint64_t visible = store_visible(node->store);
    if (visible < node->visible_seen)
        sim_violation(sim, "n%d visible went back from %llu to %llu", node->id,
                      (unsigned long long)node->visible_seen, (unsigned long long)visible);
    bool has_moved = visible != node->visible_seen || node->committed_checked < visible;
    node->visible_seen = visible;
    if (!has_moved || env_begin_read(node->env, &txn) != GW_OK)
        return;
    check_committed(node, txn, visible);
    if (record_state_get(txn, &state) == GW_OK && state.applied == visible) {
        struct sim_index *known = index_at(sim, visible);
        if (known->has_digest && known->digest != state.digest)
            sim_violation(sim, "n%d state differs at index %llu", node->id,
                          (unsigned long long)visible);
        known->has_digest = true;
        known->digest = state.digest;
    }
    txn_abort(txn);
}

void check_leader(struct sim_node *node)
{
    struct sim *sim = node->sim;
    struct replica_view view;

    replica_view(node->replica, &view);
    if (view.term >= sim->leader_capacity) {
        size_t old = sim->leader_capacity;
        sim->leader_capacity = view.term * 2 + 64;
        sim->leaders = realloc(sim->leaders, sim->leader_capacity * sizeof *sim->leaders);
        if (sim->leaders == NULL)
            abort();
        memset(sim->leaders + old, 0, (sim->leader_capacity - old) * sizeof *sim->leaders);
    }
    uint64_t other = sim->leaders[view.term];
    if (other != 0 && other != (uint64_t)node->id)
        sim_violation(sim, "n%d and n%d both lead term %llu", (int)other, node->id,
                      (unsigned long long)view.term);
    sim->leaders[view.term] = (uint64_t)node->id;
    if (view.last < sim->highest_committed)
        sim_violation(sim, "leader n%d has the log to %llu, committed is %llu", node->id,
                      (unsigned long long)view.last,
                      (unsigned long long)sim->highest_committed);
}

/* Two logs that agree on a term at an index agree on everything before it. */
static void check_pair(struct sim *sim, struct sim_node *a, struct sim_node *b)
{
    struct txn *x, *y;
    struct cursor *last;
    uint64_t index = 0;
    bool agreed = false;

    env_begin_read(a->env, &x);
    env_begin_read(b->env, &y);
    if (cursor_open_last(x, ENV_LOG, &last) == GW_OK)
        index = cursor_index(last);
    cursor_close(last);
    for (; index > 0; index--) {
        struct store_entry of_a, of_b;
        if (!entry_at(x, index, &of_a))
            break;
        if (!entry_at(y, index, &of_b)) {
            if (agreed)
                break;
            continue;
        }
        if (of_a.term != of_b.term) {
            if (agreed) {
                sim_violation(sim,
                              "logs of n%d and n%d differ at %llu below where they agree",
                              a->id, b->id, (unsigned long long)index);
                break;
            }
            continue;
        }
        agreed = true;
        if (entry_hash(&of_a) != entry_hash(&of_b)) {
            sim_violation(sim, "n%d and n%d hold different entries of one term at %llu",
                          a->id, b->id, (unsigned long long)index);
            break;
        }
    }
    txn_abort(x);
    txn_abort(y);
}

void check_logs(struct sim *sim)
{
    for (int i = 1; i <= sim->node_count; i++) {
        for (int j = i + 1; j <= sim->node_count; j++)
            check_pair(sim, &sim->nodes[i], &sim->nodes[j]);
    }
}

void check_end(struct sim *sim)
{
    struct sim_node *leader = NULL;
    struct replica_view view;

    for (int i = 1; i <= sim->node_count; i++) {
        if (sim->nodes[i].is_alive && sim->nodes[i].was_leader)
            leader = &sim->nodes[i];
    }
    if (leader == NULL) {
        sim_violation(sim, "no leader although all faults ended");
        for (int i = 1; i <= sim->node_count; i++) {
            if (!sim->nodes[i].is_alive)
                continue;
            replica_view(sim->nodes[i].replica, &view);
            sim_say(sim, "n%d state %d term %llu last %llu commit %llu", i, view.state,
                    (unsigned long long)view.term, (unsigned long long)view.last,
                    (unsigned long long)view.commit);
        }
        return;
    }
    replica_view(leader->replica, &view);
    for (int i = 1; i <= sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (!node->is_alive)
            continue;
        if (store_visible(node->store) != view.commit)
            sim_violation(sim, "n%d shows %llu, the leader committed %llu", i,
                          (unsigned long long)store_visible(node->store),
                          (unsigned long long)view.commit);
        for (int c = 1; c <= SIM_CLIENTS; c++) {
            if (client_value(node, c) < sim->clients[c].acked)
                sim_violation(sim, "n%d lost write %llu of client %d", i,
                              (unsigned long long)sim->clients[c].acked, c);
        }
    }
}
