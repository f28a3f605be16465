/* Clients: each asks one thing at a time, and again until it is told.
 *
 * A client's own key has one writer, so what an answer must be is known: a write says
 * which revision its key must have, so one applied twice, or acknowledged and then
 * lost, fails its own precondition the next time, and both are seen at once.
 * Registers and multi-key transactions are everybody's; history.c judges them. A
 * write without an answer is sent again under the same sequence of its session, to
 * whatever node leads by then. A read is a barrier, then a look at the node's
 * committed state; it must not be older than any write acknowledged before it was
 * asked for. A third of the reads are a follower's, which asks the leader what it must
 * have visible, and waits for that. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_US 1000000
#define PAD_MAX     200

struct asked {
    int client; /* 0: the operator */
    size_t operation;
    uint64_t sequence;
    uint64_t at_least; /* index that a read must name */
    unsigned epoch;
};

static struct slice own_key(int client, char out[24])
{
    return slice_of(out, (size_t)snprintf(out, 24, "route/c%d", client));
}

static struct slice register_key(unsigned number, char out[24])
{
    return slice_of(out, (size_t)snprintf(out, 24, "route/r%u", number));
}

static struct slice multi_key(unsigned number, char out[24])
{
    return slice_of(out, (size_t)snprintf(out, 24, "route/m%u", number));
}

static uint64_t value_at(struct txn *txn, struct slice key, uint64_t *ret_revision)
{
    struct record record;
    uint64_t value = 0;

    *ret_revision = 0;
    if (record_get(txn, key, &record) == GW_OK && record.value.size >= 8) {
        memcpy(&value, record.value.data, 8);
        *ret_revision = record.mod_revision;
    }
    return value;
}

static void find_leader(struct sim *sim, struct sim_client *client)
{
    struct sim_node *node = &sim->nodes[client->node];
    struct sim_node *leader = sim_leader(sim);

    if (node->is_alive && node->was_leader && sim->now_us >= node->paused_until_us &&
        (sim->is_healing || sim_chance(sim, 900)))
        return;
    /* A deposed leader that does not know it is asked as well. */
    client->node = leader != NULL && (sim->is_healing || sim_chance(sim, 700))
                       ? leader->slot
                       : (int)sim_between(sim, 1, SCHEDULE_SLOTS);
}

/* ---- asking ---- */

static struct asked *asked_new(struct sim_node *node, int client, size_t operation,
                               uint64_t sequence)
{
    struct asked *asked = calloc(1, sizeof *asked);

    if (asked == NULL)
        abort();
    asked->client = client;
    asked->operation = operation;
    asked->sequence = sequence;
    asked->at_least = node->sim->acked_index;
    asked->epoch = node->epoch;
    return asked;
}

bool client_propose(struct sim_node *node, int client, size_t operation, uint64_t sequence,
                    struct slice command)
{
    struct asked *asked = asked_new(node, client, operation, sequence);

    node->in_flight++;
    node->next_sequence += node->next_sequence != 0 && client != 0;
    enum replica_when when = client != 0 && sim_chance(node->sim, 800)
                                 ? REPLICA_WHEN_APPLIED
                                 : REPLICA_WHEN_VISIBLE;
    if (replica_propose(node->replica, command, when, node_now_ms(node), node_wall_ms(node),
                        asked) == GW_OK)
        return true;
    node->in_flight--;
    node->next_sequence = 0;
    free(asked);
    return false;
}

/* The sequence of configuration the next transaction extends; false: unknown
 * until what is in flight has come back. */
static bool next_sequence(struct sim_node *node, uint64_t *ret_sequence)
{
    struct record_state state;
    struct txn *txn;

    if (node->next_sequence == 0) {
        if (node->in_flight > 0 || env_begin_read(node->env, &txn) != GW_OK)
            return false;
        if (record_state_get(txn, &state) == GW_OK)
            node->next_sequence = state.conf_sequence + 1;
        txn_abort(txn);
    }
    *ret_sequence = node->next_sequence - 1;
    return node->next_sequence != 0;
}

static size_t items_of(struct sim *sim, int id, const struct operation *operation,
                       struct slice value, struct transaction_item *items, char keys[][24])
{
    size_t count = 0;

    switch (operation->kind) {
    case OPERATION_OWN:
        items[0] = (struct transaction_item){
            .key = own_key(id, keys[0]),
            .value = value,
            .has_expected = true,
            .expected_mod_revision = sim->clients[id].expected,
        };
        return 1;
    case OPERATION_MULTI_WRITE:
        for (unsigned k = 0; k < HISTORY_KEYS; k++) {
            if (operation->keys >> k & 1)
                items[count++] =
                    (struct transaction_item){.key = multi_key(k, keys[k]), .value = value};
        }
        return count;
    default:
        items[0] = (struct transaction_item){
            .key = register_key(operation->keys, keys[0]),
            .value = value,
            .has_expected = operation->kind == OPERATION_CAS,
            .expected_mod_revision = operation->expected_revision,
        };
        return 1;
    }
}

static void send_write(struct sim *sim, struct sim_node *node, int id)
{
    struct sim_client *client = &sim->clients[id];
    const struct operation *operation = &sim->history.items[client->operation];
    struct transaction_item items[HISTORY_KEYS];
    char keys[HISTORY_KEYS][24], session[16] = {0}, value[8 + PAD_MAX] = {0};
    uint64_t own = client->operation + 1, sequence;
    struct buffer command;

    if (!next_sequence(node, &sequence))
        return;
    session[0] = (char)id;
    memcpy(value, &own, 8);
    /* The same bytes each time it is sent. */
    struct slice bytes = slice_of(value, 8 + own * 37 % PAD_MAX);
    struct transaction transaction = {.conf_sequence = sequence, .items = items};
    transaction.item_count = items_of(sim, id, operation, bytes, items, keys);
    struct command_header header = {
        .number = COMMAND_TRANSACTION,
        .client = slice_of(session, sizeof session),
        .sequence = operation->sequence,
        .actor = SLICE("sim"),
    };
    buffer_init(&command, 0);
    if (!transaction_encode(&command, &header, &transaction))
        sim_violation(sim, "a transaction does not encode");
    client->asked_at_us = sim->now_us;
    client->is_waiting = true;
    if (!client_propose(node, id, client->operation, operation->sequence,
                        buffer_slice(&command)))
        client->is_waiting = false;
    buffer_deinit(&command);
}

static void send_read(struct sim *sim, struct sim_node *node, int id)
{
    struct sim_client *client = &sim->clients[id];
    struct asked *asked = asked_new(node, id, client->operation, 0);

    client->asked_at_us = sim->now_us;
    client->is_waiting = true;
    client->reader = sim_chance(sim, 330) ? (int)sim_between(sim, 1, SCHEDULE_SLOTS) : 0;
    if (replica_barrier(node->replica, node_now_ms(node), asked) == GW_OK)
        return;
    free(asked);
    client->is_waiting = false;
    sim->history.items[client->operation].end = OPERATION_VOID;
    client->operation = NO_OPERATION;
}

/* What a compare-and-set compares with: what this node shows, maybe long past. */
static void look_before(struct sim_node *node, struct operation *operation)
{
    struct txn *txn;
    char key[24];

    if (env_begin_read(node->env, &txn) != GW_OK)
        return;
    operation->expected =
        value_at(txn, register_key(operation->keys, key), &operation->expected_revision);
    txn_abort(txn);
}

static void think(struct sim *sim, struct sim_node *node, int id)
{
    struct sim_client *client = &sim->clients[id];
    uint64_t choice = sim_between(sim, 0, 99);
    struct operation operation = {.client = id,
                                  .asked_us = sim->now_us,
                                  .known = sim->acked_index,
                                  .kind = choice < 40   ? OPERATION_OWN
                                          : choice < 55 ? OPERATION_READ
                                          : choice < 68 ? OPERATION_WRITE
                                          : choice < 82 ? OPERATION_CAS
                                          : choice < 90 ? OPERATION_MULTI_READ
                                                        : OPERATION_MULTI_WRITE};

    if (operation.kind == OPERATION_MULTI_WRITE)
        operation.keys = 1 + (unsigned)sim_between(sim, 0, (1u << HISTORY_KEYS) - 2);
    else
        operation.keys = (unsigned)sim_between(sim, 0, HISTORY_REGISTERS - 1);
    if (operation.kind == OPERATION_CAS)
        look_before(node, &operation);
    if (operation.kind != OPERATION_READ && operation.kind != OPERATION_MULTI_READ)
        operation.sequence = ++client->sequence;
    client->operation = history_begin(&sim->history, &operation);
}

void client_turn(struct sim *sim, int id)
{
    struct sim_client *client = &sim->clients[id];

    if (client->is_waiting && sim->now_us - client->asked_at_us < PATIENCE_US)
        return;
    client->is_waiting = false;
    if (client->operation != NO_OPERATION &&
        sim->history.items[client->operation].sequence == 0) {
        sim->history.items[client->operation].end = OPERATION_VOID;
        client->operation = NO_OPERATION; /* a read that nobody answered */
    }
    find_leader(sim, client);
    struct sim_node *node = &sim->nodes[client->node];
    if (!node->is_alive || sim->now_us < node->paused_until_us ||
        (sim->is_quiet && client->operation == NO_OPERATION))
        return;
    if (client->operation == NO_OPERATION)
        think(sim, node, id);
    if (sim->history.items[client->operation].sequence == 0)
        send_read(sim, node, id);
    else
        send_write(sim, node, id);
    node_settle(node);
}

/* ---- answers ---- */

static void write_answered(struct sim_node *node, const struct asked *asked,
                           const struct replica_reply *reply)
{
    struct sim *sim = node->sim;
    struct sim_client *client = &sim->clients[asked->client];
    bool is_current = client->operation == asked->operation;
    struct operation *operation = &sim->history.items[asked->operation];

    switch (reply->result) {
    case GW_OK:
        check_acked(node, reply->index);
        if (reply->answer.revision > sim->acked_index)
            sim->acked_index = reply->answer.revision;
        if (!is_current)
            return;
        sim->counts.acks++;
        client->acks_healed += sim->is_healing;
        if (operation->kind == OPERATION_OWN) {
            client->acked = client->operation + 1;
            client->expected = reply->answer.revision;
        }
        operation->end = OPERATION_DONE;
        operation->revision = reply->answer.revision;
        break;
    case GW_AGAIN: /* the sequence of configuration had moved: nothing was done */
    case GW_NOT_LEADER:
    case GW_NO_QUORUM:
    case GW_UNKNOWN_OUTCOME:
    case GW_CLOSED:
    case GW_HALTED:
    case GW_LIMIT:
        if (is_current)
            client->is_waiting = false;
        return;
    case GW_PRECONDITION:
        if (is_current && operation->kind == OPERATION_CAS) {
            operation->end = OPERATION_FAILED;
            break;
        }
        /* fall through */
    default:
        /* A late answer to what was answered long ago may say anything. */
        if (is_current)
            sim_violation(sim, "client %d operation %zu expecting %llu: %s", asked->client,
                          asked->operation, (unsigned long long)client->expected,
                          result_word(reply->result));
        return;
    }
    operation->answered_us = sim->now_us;
    client->operation = NO_OPERATION;
    client->is_waiting = false;
}

static void look(struct sim_node *node, struct operation *operation)
{
    struct record_state state;
    struct txn *txn;
    uint64_t revision;
    char key[24];

    if (env_begin_read(node->env, &txn) != GW_OK)
        return;
    if (operation->kind == OPERATION_READ)
        operation->value = value_at(txn, register_key(operation->keys, key), &revision);
    for (unsigned k = 0; operation->kind == OPERATION_MULTI_READ && k < HISTORY_KEYS; k++)
        operation->seen[k] = value_at(txn, multi_key(k, key), &revision);
    if (record_state_get(txn, &state) == GW_OK)
        operation->revision = state.revision;
    txn_abort(txn);
}

static void look_later(struct sim *sim, int id)
{
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + sim_between(sim, 500, 5000),
                                     .type = SIM_READ,
                                     .node = id,
                                     .from = sim->clients[id].reader,
                                     .size = sim->clients[id].operation});
}

/* At a follower: as soon as it shows what the leader named; it may never. */
void client_read(struct sim *sim, int id, int slot, size_t place)
{
    struct sim_client *client = &sim->clients[id];
    struct sim_node *node = &sim->nodes[slot];

    if (client->operation != place || !client->is_waiting)
        return; /* it has lost its patience */
    if (!node->is_alive || sim->now_us < node->paused_until_us ||
        store_visible(node->store) < client->read_index) {
        look_later(sim, id);
        return;
    }
    struct operation *operation = &sim->history.items[place];
    look(node, operation);
    operation->end = OPERATION_DONE;
    operation->answered_us = sim->now_us;
    client->operation = NO_OPERATION;
    client->is_waiting = false;
    sim->counts.follower_reads++;
}

static void read_answered(struct sim_node *node, const struct asked *asked,
                          const struct replica_reply *reply)
{
    struct sim *sim = node->sim;
    struct sim_client *client = &sim->clients[asked->client];
    struct operation *operation = &sim->history.items[asked->operation];
    bool is_current = client->operation == asked->operation;

    if (reply->result == GW_OK) {
        sim->counts.reads++;
        if (reply->index < asked->at_least)
            sim_violation(
                sim, "n%d serves a read at %llu, a write at %llu was acknowledged before",
                node->slot, (unsigned long long)reply->index,
                (unsigned long long)asked->at_least);
        if (store_visible(node->store) < reply->index)
            sim_violation(sim, "n%d lets a read go at %llu with only %llu visible",
                          node->slot, (unsigned long long)reply->index,
                          (unsigned long long)store_visible(node->store));
    }
    if (!is_current)
        return;
    if (reply->result == GW_OK && client->reader != 0) {
        client->read_index = reply->index;
        look_later(sim, asked->client);
        return;
    }
    operation->end = OPERATION_VOID;
    if (reply->result == GW_OK) {
        look(node, operation);
        operation->end = OPERATION_DONE;
        operation->answered_us = sim->now_us;
    }
    client->operation = NO_OPERATION;
    client->is_waiting = false;
}

void client_reply(struct sim_node *node, void *tag, const struct replica_reply *reply)
{
    struct asked *asked = tag;
    struct sim *sim = node->sim;

    if (asked->epoch == node->epoch) {
        bool is_read = asked->sequence == 0;
        bool is_lost =
            sim->answers_lost_per_mille > 0 && sim_chance(sim, sim->answers_lost_per_mille);
        if (!is_read) {
            node->in_flight--;
            if (reply->result != GW_OK)
                node->next_sequence = 0;
        }
        if (is_lost && !is_read && reply->result == GW_OK)
            check_acked(node, reply->index);
        else if (is_lost)
            ;
        else if (asked->client == 0)
            churn_reply(node, asked->sequence, reply);
        else if (is_read)
            read_answered(node, asked, reply);
        else
            write_answered(node, asked, reply);
    }
    free(asked);
}

void client_check_end(struct sim *sim)
{
    const char *why = history_judge(&sim->history, &sim->counts.undecided);

    if (why != NULL)
        sim_violation(sim, "%s", why);
    for (int c = 1; c <= SIM_CLIENTS; c++) {
        if (sim->clients[c].acks_healed == 0)
            sim_violation(sim, "no write of client %d succeeds although all faults ended",
                          c);
        for (int i = 1; i <= SCHEDULE_SLOTS; i++) {
            struct sim_node *node = &sim->nodes[i];
            struct txn *txn;
            uint64_t revision;
            char key[24];
            if (!node->is_alive || env_begin_read(node->env, &txn) != GW_OK)
                continue;
            if (value_at(txn, own_key(c, key), &revision) < sim->clients[c].acked)
                sim_violation(sim, "n%d lost write %llu of client %d", i,
                              (unsigned long long)sim->clients[c].acked, c);
            txn_abort(txn);
        }
    }
}
