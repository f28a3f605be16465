/* Clients: each the only writer of its key, so what an answer must be is known.
 *
 * A write says which revision its key must have. A write applied twice, or one
 * acknowledged and then lost, therefore fails its own precondition the next time:
 * both are seen at once. A write without an answer is sent again under the same
 * sequence, to whatever node leads by then. Reads are barriers: what they name
 * must not be older than any write acknowledged before they were asked for. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_US 1000000
#define PAD_MAX     200

struct asked {
    int client; /* 0: a read */
    uint64_t sequence;
    uint64_t at_least; /* index a read must name */
    unsigned epoch;
};

static struct slice key_of(int client, char out[16])
{
    return slice_of(out, (size_t)snprintf(out, 16, "route/c%d", client));
}

uint64_t client_value(struct sim_node *node, int client)
{
    struct record record;
    struct txn *txn;
    char key[16];
    uint64_t value = 0;

    if (env_begin_read(node->env, &txn) != GW_OK)
        return 0;
    if (record_get(txn, key_of(client, key), &record) == GW_OK && record.value.size >= 8)
        memcpy(&value, record.value.data, 8);
    txn_abort(txn);
    return value;
}

static void find_leader(struct sim *sim, struct sim_client *client)
{
    struct sim_node *node = &sim->nodes[client->node];
    struct replica_view view = {0};

    if (node->is_alive)
        replica_view(node->replica, &view);
    if (node->is_alive && view.state == REPLICA_LEADER)
        return;
    client->node = view.leader != 0 && sim_chance(sim, 800)
                       ? (int)view.leader
                       : (int)sim_between(sim, 1, (uint64_t)sim->node_count);
    for (int i = 1; sim->is_healing && i <= sim->node_count; i++) {
        if (!sim->nodes[i].is_alive)
            continue;
        replica_view(sim->nodes[i].replica, &view);
        if (view.state == REPLICA_LEADER)
            client->node = i;
    }
}

static void read_once(struct sim *sim, struct sim_node *node)
{
    struct asked *asked = calloc(1, sizeof *asked);

    if (asked == NULL)
        abort();
    asked->at_least = sim->acked_index;
    asked->epoch = node->epoch;
    if (replica_barrier(node->replica, sim_now_ms(sim), asked) != GW_OK)
        free(asked);
}

/* The sequence of configuration the next transaction extends; false: unknown
 * until what is in flight has come back. */
static bool next_sequence(struct sim_node *node, uint64_t *ret_sequence)
{
    struct record_state state;
    struct txn *txn;

    if (node->next_sequence == 0) {
        if (node->in_flight > 0)
            return false;
        if (env_begin_read(node->env, &txn) != GW_OK)
            return false;
        if (record_state_get(txn, &state) == GW_OK)
            node->next_sequence = state.conf_sequence + 1;
        txn_abort(txn);
    }
    *ret_sequence = node->next_sequence - 1;
    return node->next_sequence != 0;
}

static void write_once(struct sim *sim, struct sim_node *node, int id)
{
    struct sim_client *client = &sim->clients[id];
    char key[16], client_id[16] = {0}, value[8 + PAD_MAX] = {0};
    uint64_t sequence;
    struct buffer command;

    if (!next_sequence(node, &sequence))
        return;
    client_id[0] = (char)id;
    memcpy(value, &client->sequence, 8);
    struct transaction_item item = {
        .key = key_of(id, key),
        .value = slice_of(value, 8 + sim_between(sim, 0, PAD_MAX)),
        .has_expected = true,
        .expected_mod_revision = client->expected,
    };
    struct transaction transaction = {
        .conf_sequence = sequence, .items = &item, .item_count = 1};
    struct command_header header = {
        .number = COMMAND_TRANSACTION,
        .client = slice_of(client_id, sizeof client_id),
        .sequence = client->sequence,
        .actor = SLICE("sim"),
    };
    buffer_init(&command, 0);
    if (!transaction_encode(&command, &header, &transaction))
        sim_violation(sim, "a transaction does not encode");

    struct asked *asked = calloc(1, sizeof *asked);
    if (asked == NULL)
        abort();
    asked->client = id;
    asked->sequence = client->sequence;
    asked->epoch = node->epoch;
    client->asked_at_us = sim->now_us;
    client->is_waiting = true;
    node->in_flight++;
    node->next_sequence++;
    enum replica_when when =
        sim_chance(sim, 800) ? REPLICA_WHEN_APPLIED : REPLICA_WHEN_VISIBLE;
    if (replica_propose(node->replica, buffer_slice(&command), when, sim_now_ms(sim),
                        1700000000000u + sim_now_ms(sim), asked) != GW_OK) {
        client->is_waiting = false;
        node->in_flight--;
        node->next_sequence = 0;
        free(asked);
    }
    buffer_deinit(&command);
}

void client_turn(struct sim *sim, int id)
{
    struct sim_client *client = &sim->clients[id];

    if (client->is_waiting && sim->now_us - client->asked_at_us < PATIENCE_US)
        return;
    client->is_waiting = false;
    find_leader(sim, client);
    struct sim_node *node = &sim->nodes[client->node];
    if (!node->is_alive)
        return;
    if (sim_chance(sim, 200))
        read_once(sim, node);
    /* Quiet for the last seconds, so that everybody can catch up. */
    bool is_done = client->acked + 1 == client->sequence;
    if (!(sim->is_healing && is_done &&
          sim->now_us > sim->options.seconds * 1000000 + 6000000))
        write_once(sim, node, id);
    node_settle(node);
}

static void write_answered(struct sim *sim, const struct asked *asked,
                           const struct replica_reply *reply)
{
    struct sim_client *client = &sim->clients[asked->client];
    bool is_current = asked->sequence == client->sequence;

    switch (reply->result) {
    case GW_OK:
        if (reply->index > sim->acked_index)
            sim->acked_index = reply->index;
        if (!is_current)
            return;
        sim->counts.acks++;
        client->acked = client->sequence++;
        client->expected = reply->answer.revision;
        client->is_waiting = false;
        return;
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
    default:
        /* A late answer to a sequence that was acknowledged long ago may say anything but
         * OK's opposite. */
        if (is_current)
            sim_violation(sim, "client %d write %llu expecting %llu: %s", asked->client,
                          (unsigned long long)asked->sequence,
                          (unsigned long long)client->expected, result_word(reply->result));
    }
}

void client_reply(struct sim_node *node, void *tag, const struct replica_reply *reply)
{
    struct asked *asked = tag;
    struct sim *sim = node->sim;
    bool is_this_life = asked->epoch == node->epoch;

    if (asked->client != 0) {
        if (is_this_life) {
            node->in_flight--;
            if (reply->result != GW_OK)
                node->next_sequence = 0;
            write_answered(sim, asked, reply);
        }
    } else if (is_this_life && reply->result == GW_OK) {
        sim->counts.reads++;
        if (reply->index < asked->at_least)
            sim_violation(
                sim, "n%d serves a read at %llu, a write at %llu was acknowledged before",
                node->id, (unsigned long long)reply->index,
                (unsigned long long)asked->at_least);
        if (store_visible(node->store) < reply->index)
            sim_violation(sim, "n%d lets a read go at %llu with only %llu visible",
                          node->id, (unsigned long long)reply->index,
                          (unsigned long long)store_visible(node->store));
    }
    free(asked);
}
