/* What must hold, looked at after every event that could break it. */
#include "tests/sim/sim.h"

#include "base/hash.h"
#include "store/meta.h"

#include <stdio.h>
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
                          node->slot, (unsigned long long)index,
                          (unsigned long long)entry.term, (unsigned long long)known->term);
        /* A node learns of a commit from a leader of its own term or of one before. */
        if (known->term == 0 || node->view.term < known->committed_in)
            known->committed_in = node->view.term;
        known->term = entry.term;
        known->hash = hash;
        if (index > sim->highest_committed)
            sim->highest_committed = index;
    }
}

/* Before an entry is applied: each once, and everywhere the same. */
void check_apply(struct sim_node *node, struct txn *txn, uint64_t index, struct slice entry)
{
    struct sim *sim = node->sim;
    struct sim_index *known = index_at(sim, index);
    struct record_state state;
    uint64_t hash = hash_stable_seeded(entry, 1);

    if (record_state_get(txn, &state) == GW_OK && state.applied >= index)
        sim_violation(sim, "n%d applies %llu again, its state is at %llu", node->slot,
                      (unsigned long long)index, (unsigned long long)state.applied);
    if (known->applied != 0 && known->applied != hash)
        sim_violation(sim, "n%d applies at %llu what no other node did", node->slot,
                      (unsigned long long)index);
    known->applied = hash;
}

/* VERDICTS, log time: between two entries never more than 1.01 times real time. When an
 * entry was stamped is not known, but it was after it was proposed and before it was
 * applied. So for any i before j: 1000 log(j) - 1010 applied(j) may not exceed
 * 1000 log(i) - 1010 proposed(i), whose lowest is the floor. */
void check_applied(struct sim_node *node, const struct command_header *header,
                   uint64_t log_now_ms)
{
    struct sim *sim = node->sim;
    int64_t log = (int64_t)log_now_ms * 1000;
    int64_t proposed = log - 1010 * (int64_t)(header->wall_ms % SIM_DAY_MS);
    int64_t applied = log - 1010 * (int64_t)(sim->now_us / 1000 + 2);

    if (sim->has_log_time_floor && applied > sim->log_time_floor)
        sim_violation(sim, "log time runs ahead by %lld ms",
                      (long long)(applied - sim->log_time_floor) / 1000);
    if (!sim->has_log_time_floor || proposed < sim->log_time_floor)
        sim->log_time_floor = proposed;
    sim->has_log_time_floor = true;
}

static uint64_t table_hash(struct txn *txn, enum env_table table)
{
    struct cursor *cursor = NULL;
    uint64_t hash = 0;

    for (enum result result = cursor_open(txn, table, (struct slice){"", 0}, &cursor);
         result == GW_OK; result = cursor_next(cursor)) {
        hash = hash_stable_seeded(cursor_key(cursor), hash);
        hash = hash_stable_seeded(cursor_value(cursor), hash);
    }
    cursor_close(cursor);
    return hash | 1;
}

static void same(struct sim_node *node, uint64_t *known, uint64_t value, const char *what,
                 uint64_t index)
{
    if (*known != 0 && *known != value)
        sim_violation(node->sim, "n%d: %s at index %llu is not that of another node",
                      node->slot, what, (unsigned long long)index);
    *known = value;
}

/* Equal states at equal index. The sessions are not in the digest, and looked at now and
 * then: they are few, but not free. */
static void check_state(struct sim_node *node, struct txn *txn, uint64_t visible)
{
    struct record_state state;

    if (record_state_get(txn, &state) != GW_OK || state.applied != visible)
        return;
    struct sim_index *known = index_at(node->sim, visible);
    uint64_t words[4] = {state.digest, state.revision, state.conf_sequence, state.now_ms};
    same(node, &known->digest, hash_stable(slice_of(words, sizeof words)) | 1, "the state",
         visible);
    if (visible % 8 == 0)
        same(node, &known->sessions, table_hash(txn, ENV_SESSIONS), "the session table",
             visible);
}

/* One configuration for each index that is committed. */
static void check_conf(struct sim_node *node)
{
    const struct replica_view *view = &node->view;
    uint64_t hash = 1;

    if (view->conf_index == 0 || view->conf_index > view->commit || view->server_count == 0)
        return;
    for (unsigned i = 0; i < view->server_count; i++) {
        uint64_t words[2] = {view->servers[i].id, view->servers[i].role};
        hash ^= hash_stable(slice_of(words, sizeof words)); /* in any order */
    }
    same(node, &index_at(node->sim, view->conf_index)->conf, hash | 1, "the configuration",
         view->conf_index);
}

void check_node(struct sim_node *node)
{
    struct sim *sim = node->sim;
    const struct replica_view *view = &node->view;
    struct txn *txn;

    if (view->commit < node->commit_seen)
        sim_violation(sim, "n%d commit index went back from %llu to %llu", node->slot,
                      (unsigned long long)node->commit_seen,
                      (unsigned long long)view->commit);
    if (view->commit != node->commit_seen)
        check_conf(node);
    node->commit_seen = view->commit;
    uint64_t visible = store_visible(node->store);
    if (visible < node->visible_seen)
        sim_violation(sim, "n%d visible went back from %llu to %llu", node->slot,
                      (unsigned long long)node->visible_seen, (unsigned long long)visible);
    bool has_moved = visible != node->visible_seen || node->committed_checked < visible;
    node->visible_seen = visible;
    if (!has_moved || env_begin_read(node->env, &txn) != GW_OK)
        return;
    check_committed(node, txn, visible);
    check_state(node, txn, visible);
    txn_abort(txn);
}

/* Whether the machine has the entry even if all power is lost now. */
static bool is_durable_at(struct sim_node *node, uint64_t index, uint64_t applied)
{
    struct record_state state;
    struct store_entry entry;
    struct txn *txn;

    crash_env_begin_durable(node->env, &txn);
    bool is_there =
        (entry_at(txn, index, &entry) && hash_stable_seeded(entry.bytes, 1) == applied) ||
        (record_state_get(txn, &state) == GW_OK && state.applied >= index);
    txn_abort(txn);
    return is_there;
}

/* What is acknowledged is on the disks of a majority. */
void check_acked(struct sim_node *node, uint64_t index)
{
    struct sim *sim = node->sim;
    struct replica_view view;
    unsigned voters = 0, durable = 0;

    replica_view(node->replica, &view);
    /* Under a later configuration the majority may be another one. */
    if (view.conf_index >= index || sim->now_us < sim->wiped_until_us)
        return;
    for (unsigned i = 0; i < view.server_count; i++) {
        struct sim_node *peer = sim_node_of(sim, view.servers[i].id);
        if (view.servers[i].role != REPLICA_VOTER)
            continue;
        voters++;
        durable +=
            peer != NULL && is_durable_at(peer, index, index_at(sim, index)->applied);
    }
    if (durable < voters / 2 + 1)
        sim_violation(sim, "n%d acknowledges %llu, which %u of %u voters have on disk",
                      node->slot, (unsigned long long)index, durable, voters);
}

/* The only voter of a configuration leads before its disk has the term; where the term
 * is lost with the power, nobody has heard of it, and it may be led again. */
void check_boot(struct sim_node *node)
{
    struct sim *sim = node->sim;
    uint64_t term = 0, vote;
    struct txn *txn;

    if (env_begin_read(node->env, &txn) != GW_OK)
        return;
    if (meta_vote_get(txn, &term, &vote) == GW_OK) {
        for (term++; term < sim->leader_capacity; term++) {
            if (sim->leaders[term].id == node->id && sim->leaders[term].is_alone)
                sim->leaders[term].id = 0;
        }
    }
    txn_abort(txn);
}

static bool is_alone(const struct replica_view *view)
{
    unsigned voters = 0;

    for (unsigned i = 0; i < view->server_count; i++)
        voters += view->servers[i].role == REPLICA_VOTER;
    return voters == 1;
}

/* One life of one node leads a term, and it has all that is committed. */
void check_leader(struct sim_node *node)
{
    struct sim *sim = node->sim;
    const struct replica_view *view = &node->view;

    if (view->term >= sim->leader_capacity) {
        size_t old = sim->leader_capacity;
        sim->leader_capacity = view->term * 2 + 64;
        sim->leaders = realloc(sim->leaders, sim->leader_capacity * sizeof *sim->leaders);
        if (sim->leaders == NULL)
            abort();
        memset(sim->leaders + old, 0, (sim->leader_capacity - old) * sizeof *sim->leaders);
    }
    struct sim_reign *reign = &sim->leaders[view->term];
    if (reign->id != 0 && reign->id != node->id)
        sim_violation(sim, "id %llu and id %llu both lead term %llu",
                      (unsigned long long)reign->id, (unsigned long long)node->id,
                      (unsigned long long)view->term);
    else if (reign->id != 0 && reign->epoch != node->epoch)
        sim_violation(sim, "n%d leads term %llu again after a restart", node->slot,
                      (unsigned long long)view->term);
    *reign = (struct sim_reign){node->id, node->epoch, is_alone(view)};
    /* A node may learn late that it was elected, and then later terms owe it nothing:
     * neither their own entries nor the older ones that only they committed (Raft §5.4.2).
     */
    uint64_t owed = sim->highest_committed;
    while (owed > 0 && index_at(sim, owed)->committed_in >= view->term)
        owed--;
    if (view->last < owed)
        sim_violation(sim, "leader n%d has the log to %llu, committed is %llu", node->slot,
                      (unsigned long long)view->last, (unsigned long long)owed);
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
                              a->slot, b->slot, (unsigned long long)index);
                break;
            }
            continue;
        }
        agreed = true;
        if (entry_hash(&of_a) != entry_hash(&of_b)) {
            sim_violation(sim, "n%d and n%d hold different entries of one term at %llu",
                          a->slot, b->slot, (unsigned long long)index);
            break;
        }
    }
    txn_abort(x);
    txn_abort(y);
}

void check_logs(struct sim *sim)
{
    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        for (int j = i + 1; j <= SCHEDULE_SLOTS; j++) {
            if (sim->nodes[i].id != 0 && sim->nodes[j].id != 0)
                check_pair(sim, &sim->nodes[i], &sim->nodes[j]);
        }
    }
}

/* ---- at the end ---- */

void check_quiet(struct sim *sim)
{
    const struct sim_node *leader = sim_leader(sim);

    if (leader == NULL)
        return;
    sim->quiet_last = leader->view.last;
    sim->quiet_term = leader->view.term;
}

static uint64_t digest_of(struct txn *txn)
{
    struct cursor *cursor = NULL;
    uint64_t digest = 0;

    for (enum result result = cursor_open(txn, ENV_RECORDS, (struct slice){"", 0}, &cursor);
         result == GW_OK; result = cursor_next(cursor))
        digest += record_digest_of(cursor_key(cursor), cursor_value(cursor));
    cursor_close(cursor);
    return digest;
}

struct contents {
    uint64_t records, history, sessions;
};

static struct contents contents_of(struct sim_node *node)
{
    struct contents contents = {0};
    struct record_state state;
    struct txn *txn;

    if (env_begin_read(node->env, &txn) != GW_OK)
        return contents;
    contents.records = table_hash(txn, ENV_RECORDS);
    contents.history = table_hash(txn, ENV_HISTORY);
    contents.sessions = table_hash(txn, ENV_SESSIONS);
    if (record_state_get(txn, &state) != GW_OK || state.digest != digest_of(txn))
        sim_violation(node->sim, "n%d: the digest is not that of its records", node->slot);
    txn_abort(txn);
    return contents;
}

static void check_equal(struct sim_node *leader, struct sim_node *node)
{
    struct sim *sim = node->sim;
    struct contents a = contents_of(leader), b = contents_of(node);

    replica_view(node->replica, &node->view);
    if (node->view.visible != leader->view.commit)
        sim_violation(sim, "n%d shows %llu, the leader committed %llu", node->slot,
                      (unsigned long long)node->view.visible,
                      (unsigned long long)leader->view.commit);
    else if (a.records != b.records || a.history != b.history || a.sessions != b.sessions)
        sim_violation(sim, "n%d differs from the leader in its%s%s%s", node->slot,
                      a.records != b.records ? " records" : "",
                      a.history != b.history ? " history" : "",
                      a.sessions != b.sessions ? " sessions" : "");
}

/* Who has a record is a member, and nobody else is. */
static void check_members(struct sim *sim, const struct sim_node *leader)
{
    unsigned members = 0;

    for (unsigned i = 0; i < leader->view.server_count; i++) {
        const struct replica_server *server = &leader->view.servers[i];
        bool has_record = false;
        for (size_t k = 0; k < leader->record_count; k++)
            has_record = has_record || leader->records[k].id == server->id;
        members += has_record && server->role != REPLICA_SPARE;
    }
    if (members != leader->record_count || members != leader->view.server_count)
        sim_violation(sim, "of %zu nodes with a record %u are members, of %u in all",
                      leader->record_count, members, leader->view.server_count);
}

static void say_nodes(struct sim *sim)
{
    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        const struct sim_node *node = &sim->nodes[i];
        const struct replica_view *view = &node->view;
        char servers[512] = "";
        int size = 0;
        if (!node->is_alive)
            continue;
        for (unsigned k = 0; k < view->server_count && size < 480; k++)
            size += snprintf(servers + size, sizeof servers - (size_t)size, " %llu%s",
                             (unsigned long long)view->servers[k].id,
                             view->servers[k].role == REPLICA_VOTER     ? ""
                             : view->servers[k].role == REPLICA_STANDBY ? " (by)"
                                                                        : " (spare)");
        sim_say(sim, "n%d id %llu state %d term %llu last %llu commit %llu conf %llu:%s", i,
                (unsigned long long)node->id, view->state, (unsigned long long)view->term,
                (unsigned long long)view->last, (unsigned long long)view->commit,
                (unsigned long long)view->conf_index, servers);
    }
}

void check_end(struct sim *sim)
{
    struct sim_node *leader = sim_leader(sim);

    say_nodes(sim);
    if (leader == NULL) {
        sim_violation(sim, "no leader although all faults ended");
        return;
    }
    replica_view(leader->replica, &leader->view);
    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        if (sim->nodes[i].is_alive)
            check_equal(leader, &sim->nodes[i]);
    }
    check_members(sim, leader);
    if (leader->view.term != sim->quiet_term)
        sim_violation(sim, "an election although nothing is wrong: term %llu, then %llu",
                      (unsigned long long)sim->quiet_term,
                      (unsigned long long)leader->view.term);
    else if (leader->view.last != sim->quiet_last)
        sim_violation(sim, "an idle cluster appends: index %llu, then %llu",
                      (unsigned long long)sim->quiet_last,
                      (unsigned long long)leader->view.last);
}
