/* Members come and go: an operator with one wish at a time, whose commands are a
 * session's like any client's, and the roster on whoever leads, asked as the member
 * of the product asks it. Machines join by a token, and are refused at every link
 * once their record is gone. */
#include "tests/sim/sim.h"

#include "raft/conf.h"
#include "raft/node_record.h"

#include <stdio.h>
#include <stdlib.h>

#define ROSTER_MS   100
#define FRESH_US    1500000
#define PATIENCE_US 1200000
#define WISH_US     15000000 /* who cannot lose its vote by then stays */
#define TOKEN       SLICE("token")

static const char secret_hash[TOKEN_HASH_SIZE] = "a hash";

/* ---- records ---- */

static enum roster_wish wish_of(struct slice role)
{
    return slice_equal(role, SLICE("voter"))     ? ROSTER_VOTER
           : slice_equal(role, SLICE("standby")) ? ROSTER_STANDBY
           : slice_equal(role, SLICE("witness")) ? ROSTER_WITNESS
                                                 : ROSTER_AUTO;
}

static bool gather(void *owner, struct slice key, const struct record *record)
{
    struct sim_node *node = owner;
    struct node_record member;

    (void)key;
    if (node->record_count == ROSTER_NODES || !node_record_unpack(record->value, &member)) {
        sim_violation(node->sim, "n%d has a node record too much, or one that is none",
                      node->slot);
        return false;
    }
    node->records[node->record_count++] =
        (struct roster_node){.id = member.id,
                             .wish = wish_of(member.role),
                             .region = (unsigned char)member.region.data[0]};
    return true;
}

static void learn_records(struct sim_node *node)
{
    uint64_t visible = store_visible(node->store);
    bool is_news = node->members_changed_at > node->records_visible &&
                   node->members_changed_at <= visible;
    struct txn *txn;

    if (!(is_news || node->are_records_stale) || env_begin_read(node->env, &txn) != GW_OK)
        return;
    node->are_records_stale = false;
    node->records_visible = visible;
    node->record_count = 0;
    record_walk(txn, NODE_PREFIX, gather, node);
    txn_abort(txn);
}

static const struct roster_node *record_of(const struct sim_node *node, uint64_t id)
{
    for (size_t i = 0; i < node->record_count; i++) {
        if (node->records[i].id == id)
            return &node->records[i];
    }
    return NULL;
}

/* As at every link of the product: who has no record, and is none this node may not
 * have heard of yet. */
bool churn_refuses(struct sim_node *node, uint64_t id)
{
    return node->record_count > 0 && id <= node->records_visible &&
           record_of(node, id) == NULL;
}

/* ---- the roster ---- */

static bool is_reachable(const struct sim_node *node, uint64_t id)
{
    const struct sim_node *peer = sim_node_of(node->sim, id);

    return id == node->id ||
           (peer != NULL && node->heard_us[peer->slot] + FRESH_US > node->sim->now_us);
}

static enum result make(struct sim_node *node, const struct roster_change *change)
{
    switch (change->step) {
    case ROSTER_ADD:
        return replica_add(node->replica, change->id);
    case ROSTER_ASSIGN:
        return replica_assign(node->replica, change->id, change->role);
    case ROSTER_REMOVE:
        return replica_remove(node->replica, change->id);
    case ROSTER_TRANSFER:
        return replica_transfer(node->replica, change->id);
    case ROSTER_NOTHING:
        break;
    }
    return GW_AGAIN;
}

void churn_tick(struct sim_node *node)
{
    const struct roster_options options = {.voters = node->sim->schedule->voters,
                                           .stable_ms = 800,
                                           .grow_ms = 300,
                                           .lag = 40,
                                           .replace_ms = 2500};
    uint64_t now_ms = node_now_ms(node);

    learn_records(node);
    if (now_ms - node->roster_at_ms < ROSTER_MS)
        return;
    node->roster_at_ms = now_ms;
    replica_view(node->replica, &node->view);
    if (node->view.state != REPLICA_LEADER) {
        roster_reset(&node->roster);
        return;
    }
    for (size_t i = 0; i < node->record_count; i++)
        node->records[i].reachable = is_reachable(node, node->records[i].id);
    struct roster_change change = roster_next(&node->roster, &options, &node->view,
                                              node->records, node->record_count, now_ms);
    if (make(node, &change) != GW_OK)
        return;
    node->sim->counts.changes++;
    sim_say(node->sim, "n%d changes members: step %d id %llu role %d", node->slot,
            change.step, (unsigned long long)change.id, change.role);
}

/* ---- the operator ---- */

/* All voters of the leader's configuration are machines with their disk, there are three
 * of them or more, and it is not being changed; so one may be missed. A disk that is
 * lost during a change can be one too many: the only node that has a change which takes
 * its vote stands for no election, and its log is too long to vote for another. */
bool churn_may_lose(struct sim *sim, const struct sim_node *node)
{
    const struct sim_node *leader = sim_leader(sim);
    unsigned voters = 0;

    if (leader == NULL || sim->now_us < sim->wiped_until_us ||
        leader->view.conf_index > leader->view.commit)
        return false;
    for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
        if (sim->nodes[i].is_leaving)
            return false;
    }
    for (unsigned i = 0; i < leader->view.server_count; i++) {
        const struct replica_server *server = &leader->view.servers[i];
        const struct sim_node *peer = sim_node_of(sim, server->id);
        if (server->role != REPLICA_VOTER)
            continue;
        if (peer == NULL || record_of(leader, server->id) == NULL)
            return false;
        voters++;
    }
    return voters >= 3 && leader->record_count >= 3 && node->id != 0;
}

/* The operator takes a machine away once it is no member any more. */
bool churn_may_leave(struct sim *sim, const struct sim_node *node)
{
    const struct sim_node *leader = sim_leader(sim);

    if (leader == NULL || leader == node || leader->view.conf_index > leader->view.commit)
        return false;
    for (unsigned i = 0; i < leader->view.server_count; i++) {
        if (leader->view.servers[i].id == node->id)
            return false;
    }
    return true;
}

bool churn_wish(struct sim *sim, enum fault_kind kind, int slot)
{
    struct sim_node *node = &sim->nodes[slot];
    bool is_join = kind == FAULT_JOIN;

    if (sim->operator.has_wish ||(node->id != 0) == is_join || node->is_leaving)
        return false;
    if (kind == FAULT_REPLACE && !churn_may_lose(sim, node))
        return false;
    sim->operator.has_wish = true;
    sim->operator.is_waiting = sim->operator.is_giving_up_vote = false;
    sim->operator.until_us = sim->now_us + WISH_US;
    sim->operator.kind =(int) kind;
    sim->operator.slot = slot;
    sim->operator.id = node->id;
    sim->operator.sequence++;
    sim->operator.is_giving_up_vote = kind == FAULT_REMOVE;
    if (kind == FAULT_REPLACE)
        node_wipe(node); /* its disk is gone, so it must come back as another */
    return true;
}

static struct node_record record_for(int slot, uint64_t id, char text[2][24])
{
    static const char *const regions[] = {"a", "b", "c", "d", "e", "f", "g"};

    snprintf(text[0], 24, "n%d", slot);
    snprintf(text[1], 24, "n%d:7000", slot);
    return (struct node_record){.id = id,
                                .name = slice_from_string(text[0]),
                                .region = slice_from_string(regions[slot - 1]),
                                .peer = slice_from_string(text[1]),
                                .role = SLICE("auto"),
                                .joined_ms = SIM_WALL_MS};
}

void churn_founding(int slot, struct buffer *out)
{
    const struct command_header header = {.number = slot == 1 ? COMMAND_CLUSTER_CREATE
                                                              : COMMAND_NODE_JOIN,
                                          .wall_ms = SIM_WALL_MS,
                                          .actor = SLICE("sim")};
    const struct cluster_record cluster = {
        .id = SLICE("cluster"), .name = SLICE("sim"), .epoch = 1};
    const struct ca_record ca = {.certificate = SLICE("none"), .sealed_key = SLICE("none")};
    const struct token_record token = {.id = TOKEN,
                                       .hash = slice_of(secret_hash, sizeof secret_hash),
                                       .role = SLICE("auto"),
                                       .uses_left = 1000000};
    char text[2][24];
    struct node_record node = record_for(slot, slot == 1, text);

    if (slot == 1 ? !cluster_create_encode(out, &header, &cluster, &ca, &node, &token)
                  : !node_join_encode(out, &header, TOKEN, token.hash, &node))
        abort();
}

static bool encode_wish(struct sim *sim, const struct command_header *base,
                        struct buffer *out)
{
    struct command_header header = *base;
    char text[2][24];
    struct node_record record = record_for(sim->operator.slot, sim->operator.id, text);

    switch (sim->operator.kind) {
    case FAULT_JOIN:
    case FAULT_REPLACE:
        header.number = COMMAND_NODE_JOIN;
        return node_join_encode(out, &header, TOKEN,
                                slice_of(secret_hash, sizeof secret_hash), &record);
    case FAULT_REMOVE:
        if (sim->operator.is_giving_up_vote)
            break;
        header.number = COMMAND_NODE_REMOVE;
        return node_remove_encode(out, &header, sim->operator.id);
    default:
        break;
    }
    header.number = COMMAND_NODE_UPDATE;
    record.role = sim->operator.kind == FAULT_VOTER ? SLICE("voter") : SLICE("standby");
    return node_update_encode(out, &header, &record);
}

/* A member is removed once it has no vote any more, as the product's control does it: so
 * nobody refuses whom a quorum may need. */
static bool has_vote(const struct sim_node *leader, uint64_t id)
{
    for (unsigned i = 0; i < leader->view.server_count; i++) {
        if (leader->view.servers[i].id == id)
            return leader->view.servers[i].role == REPLICA_VOTER ||
                   leader->view.conf_index > leader->view.commit;
    }
    return false;
}

/* False: it is not the time to ask. */
static bool is_timely(struct sim *sim, const struct sim_node *leader)
{
    if (!sim->operator.has_wish || leader == NULL)
        return false;
    if (sim->operator.kind != FAULT_REMOVE || sim->operator.is_giving_up_vote ||
        sim->nodes[sim->operator.slot].is_leaving)
        return true;
    if (!has_vote(leader, sim->operator.id)) {
        sim->nodes[sim->operator.slot].is_leaving = true;
        return true;
    }
    sim->operator.has_wish = sim->now_us<sim->operator.until_us;
    return false;
}

void churn_turn(struct sim *sim)
{
    struct sim_node *leader = sim_leader(sim);
    struct command_header header = {
        .sequence = sim->operator.sequence,
        .client = SLICE("operator-of-all!"),
        .actor = SLICE("sim"),
    };
    struct buffer command;

    if (!is_timely(sim, leader) ||
        (sim->operator.is_waiting && sim->now_us - sim->operator.asked_at_us<PATIENCE_US))
        return;
    buffer_init(&command, 0);
    if (!encode_wish(sim, &header, &command))
        abort();
    sim->operator.is_waiting = true;
    sim->operator.asked_at_us = sim->now_us;
    if (!client_propose(leader, 0, NO_OPERATION, sim->operator.sequence,
                        buffer_slice(&command)))
        sim->operator.is_waiting = false;
    buffer_deinit(&command);
    node_settle(leader);
}

void churn_reply(struct sim_node *node, uint64_t sequence,
                 const struct replica_reply *reply)
{
    struct sim *sim = node->sim;
    struct sim_node *about = &sim->nodes[sim->operator.slot];

    if (!sim->operator.has_wish || sequence != sim->operator.sequence)
        return;
    sim->operator.is_waiting = false;
    switch (reply->result) {
    case GW_OK:
        break;
    case GW_AGAIN:
    case GW_NOT_LEADER:
    case GW_NO_QUORUM:
    case GW_UNKNOWN_OUTCOME:
    case GW_CLOSED:
    case GW_HALTED:
    case GW_LIMIT:
        return;
    default:
        sim_violation(sim, "the operator's %s of n%d: %s",
                      fault_name((enum fault_kind)sim->operator.kind), about->slot,
                      result_word(reply->result));
        return;
    }
    if (sim->operator.is_giving_up_vote) {
        sim->operator.is_giving_up_vote = false;
        sim->operator.sequence++;
        return;
    }
    sim->operator.has_wish = false;
    sim_say(sim, "the operator's %s of n%d is done",
            fault_name((enum fault_kind)sim->operator.kind), about->slot);
    if (sim->operator.kind == FAULT_REMOVE)
        sim_push(sim,
                 (struct sim_event){.at_us = sim->now_us + sim_between(sim, 0, 2000000),
                                    .type = SIM_STOP,
                                    .node = about->slot,
                                    .from = 2});
    struct command_detail detail;
    if (sim->operator.kind != FAULT_JOIN && sim->operator.kind != FAULT_REPLACE)
        return;
    if (!command_detail_unpack(reply->answer.detail, &detail) || detail.number == 0)
        sim_violation(sim, "n%d joined and was not told its id", about->slot);
    /* Its life begins outside of the replica's call. */
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + 1000,
                                     .type = SIM_JOINED,
                                     .node = about->slot,
                                     .size = detail.number});
}
