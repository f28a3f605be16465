/* A little cluster in one process for unit tests: replicas on real LMDB in
 * temporary directories, stepped by hand on simulated time, messages in a queue
 * that tests may drop or look at. One thread. */
#ifndef GW_TESTS_UNIT_RAFT_CLUSTER_H
#define GW_TESTS_UNIT_RAFT_CLUSTER_H

#include "raft/command.h"
#include "raft/conf.h"
#include "raft/fsm.h"
#include "raft/replica.h"
#include "raft/wire.h"
#include "store/dump.h"
#include "store/meta.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define NODES 5

struct envelope {
    struct list_link link;
    uint64_t from, to, due_ms;
    char *bytes;
    size_t size;
};

struct cluster_node {
    uint64_t id;
    char dir[64];
    struct env *env;
    struct store *store;
    struct replica *replica;
    bool is_up, is_cut; /* cut: its messages are lost, both ways */
    bool is_stalled;    /* its disk takes its time */
    struct fsm fsm;
    unsigned replies;
    enum result last_result;
    uint64_t last_index, last_number;
    struct store_answer last_answer;
    unsigned dumps_wanted;
    struct dump_source *dumps[NODES + 1]; /* by peer */
    size_t chunk_bytes, piece_bytes;      /* of dumps; 0: the product's */
    uint64_t spare_bytes;                 /* of the disk, that a dump leaves; 0: a little */
    unsigned guards_off;
    uint64_t map_size; /* 0: plenty */
    uint64_t snapshot_threshold;
    unsigned snapshot_trailing;
    uint64_t snapshot_bytes, trailing_bytes;
};

struct cluster {
    uint64_t now_ms;
    unsigned count;
    struct cluster_node nodes[NODES + 1]; /* [id] */
    struct list_link mail;
    /* A test's own look at each message; false drops it. */
    bool (*inspect)(struct cluster *cluster, const struct envelope *envelope);
    /* A test's own look at an answer to what it asked with a tag; may be NULL. */
    void (*answered)(void *tag, const struct replica_reply *reply);
    bool gathers; /* messages of one step go together */
    enum replica_when when;
    unsigned linger_us; /* of their stores */
    struct rng rng;
};

static struct cluster *the_cluster;

static inline void cluster_send(void *owner, uint64_t to, struct slice message, bool bulk)
{
    struct cluster_node *node = owner;
    struct envelope *envelope = calloc(1, sizeof *envelope);

    (void)bulk;
    envelope->from = node->id;
    envelope->to = to;
    envelope->due_ms = the_cluster->now_ms + 1;
    envelope->size = message.size;
    envelope->bytes = malloc(message.size);
    memcpy(envelope->bytes, message.data, message.size);
    list_append(&the_cluster->mail, &envelope->link);
}

static inline void cluster_reply(void *owner, void *tag, const struct replica_reply *reply)
{
    struct cluster_node *node = owner;
    struct command_detail detail = {0};

    if (tag != NULL && the_cluster->answered != NULL)
        the_cluster->answered(tag, reply);
    node->replies++;
    node->last_result = reply->result;
    node->last_index = reply->index;
    node->last_answer = reply->answer;
    node->last_answer.detail = (struct slice){"", 0};
    if (command_detail_unpack(reply->answer.detail, &detail))
        node->last_number = detail.number;
}

/* Dumps are made at once, and read as they are asked for. */
static inline void cluster_dump(void *owner, uint64_t to)
{
    struct cluster_node *node = owner;
    struct dump_source_options options = {.env = node->env,
                                          .chunk_bytes = node->chunk_bytes,
                                          .piece_bytes = node->piece_bytes};
    struct dump_about about;
    struct error err;

    node->dumps_wanted++;
    assert_int_equal(dump_source_open(&options, &node->dumps[to], &err), GW_OK);
    about = dump_source_about(node->dumps[to]);
    replica_dump_ready(node->replica, to, &about);
}

static inline void cluster_dump_read(void *owner, uint64_t to, uint64_t number)
{
    struct cluster_node *node = owner;
    struct dump_piece piece;
    struct buffer bytes;
    struct error err;

    buffer_init(&bytes, 0);
    assert_int_equal(dump_source_read(node->dumps[to], number, &bytes, &piece, &err),
                     GW_OK);
    replica_dump_piece(node->replica, to, &piece);
    buffer_deinit(&bytes);
}

static inline void cluster_dump_over(void *owner, uint64_t to)
{
    struct cluster_node *node = owner;

    dump_source_close(node->dumps[to]);
    node->dumps[to] = NULL;
}

static inline void node_open(struct cluster *cluster, uint64_t id)
{
    struct cluster_node *node = &cluster->nodes[id];
    struct error err;
    struct replica_options options = {.id = id,
                                      .now_ms = cluster->now_ms,
                                      .heartbeat_ms = 50,
                                      .election_ms = 300,
                                      .snapshot_threshold = node->snapshot_threshold,
                                      .snapshot_trailing = node->snapshot_trailing,
                                      .snapshot_bytes = node->snapshot_bytes,
                                      .trailing_bytes = node->trailing_bytes,
                                      .transfer_ms = 3000,
                                      .guards_off = node->guards_off,
                                      .gathers = cluster->gathers,
                                      .owner = node,
                                      .send = cluster_send,
                                      .reply = cluster_reply,
                                      .dump_wanted = cluster_dump,
                                      .dump_read = cluster_dump_read,
                                      .dump_over = cluster_dump_over};

    node->fsm = (struct fsm){cluster_commands, cluster_command_count};
    if (env_open(&(struct env_options){.dir = node->dir,
                                       .create = true,
                                       .map_size_bytes =
                                           node->map_size != 0 ? node->map_size : 1u << 28},
                 &node->env, &err) != GW_OK)
        fail_msg("%s", err.text);
    if (store_open(&(struct store_options){.env = node->env,
                                           .apply = fsm_apply,
                                           .owner = &node->fsm,
                                           .lazy_us = 5000,
                                           .linger_us = cluster->linger_us,
                                           .stage_spare_bytes = node->spare_bytes != 0
                                                                    ? node->spare_bytes
                                                                    : 4096},
                   &node->store, &err) != GW_OK)
        fail_msg("%s", err.text);
    options.store = node->store;
    rng_init(&options.rng, id * 7919 + cluster->now_ms);
    if (replica_open(&options, &node->replica, &err) != GW_OK)
        fail_msg("%s", err.text);
    node->is_up = true;
}

static inline void node_close(struct cluster *cluster, uint64_t id)
{
    struct cluster_node *node = &cluster->nodes[id];

    if (!node->is_up)
        return;
    node->is_up = false;
    replica_close(node->replica);
    store_close(node->store);
    env_close(node->env);
    node->replica = NULL;
    node->store = NULL;
    node->env = NULL;
}

static inline void node_bootstrap(struct cluster *cluster, uint64_t id, unsigned voters)
{
    struct cluster_node *node = &cluster->nodes[id];
    struct raft_configuration conf;
    struct error err;
    struct env *env;
    char address[24];

    raft_configuration_init(&conf);
    for (unsigned i = 1; i <= voters; i++) {
        snprintf(address, sizeof address, "%u", i);
        assert_int_equal(raft_configuration_add(&conf, i, address, RAFT_VOTER), 0);
    }
    struct slice bytes = conf_encode(&conf);
    raft_configuration_close(&conf);
    if (env_open(&(struct env_options){.dir = node->dir,
                                       .create = true,
                                       .map_size_bytes = 1u << 28},
                 &env, &err) != GW_OK)
        fail_msg("%s", err.text);
    assert_int_equal(store_bootstrap(env, bytes, NULL, 0, &err), GW_OK);
    env_close(env);
    free((void *)(uintptr_t)bytes.data);
}

static inline void cluster_init(struct cluster *cluster, unsigned count)
{
    memset(cluster, 0, sizeof *cluster);
    the_cluster = cluster;
    cluster->now_ms = 1000;
    cluster->count = count;
    list_init(&cluster->mail);
    rng_init(&cluster->rng, 42);
    for (unsigned i = 1; i <= NODES; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        node->id = i;
        snprintf(node->dir, sizeof node->dir, "/dev/shm/gw-unit-raft-XXXXXX");
        if (i <= count && mkdtemp(node->dir) == NULL) {
            snprintf(node->dir, sizeof node->dir, "/tmp/gw-unit-raft-XXXXXX");
            assert_non_null(mkdtemp(node->dir));
        }
    }
}

static inline void cluster_open(struct cluster *cluster)
{
    for (unsigned i = 1; i <= cluster->count; i++) {
        node_bootstrap(cluster, i, cluster->count);
        node_open(cluster, i);
    }
}

static inline void cluster_deinit(struct cluster *cluster)
{
    struct list_link *link;

    for (unsigned i = 1; i <= cluster->count; i++) {
        char command[128];

        node_close(cluster, i);
        snprintf(command, sizeof command, "rm -rf %s", cluster->nodes[i].dir);
        assert_int_equal(system(command), 0);
    }
    while ((link = list_take_first(&cluster->mail)) != NULL) {
        struct envelope *envelope = container_of(link, struct envelope, link);
        free(envelope->bytes);
        free(envelope);
    }
}

static inline void cluster_step_stores(struct cluster *cluster)
{
    for (unsigned i = 1; i <= cluster->count; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        uint64_t next;

        if (node->is_up && !node->is_stalled &&
            store_step(node->store, cluster->now_ms * 1000, &next))
            replica_completed(node->replica, cluster->now_ms);
    }
}

/* One millisecond. */
static inline void cluster_step(struct cluster *cluster)
{
    struct list_link due;

    cluster->now_ms++;
    list_init(&due);
    list_each (&cluster->mail, link) {
        if (container_of(link, struct envelope, link)->due_ms <= cluster->now_ms) {
            list_remove(link);
            list_append(&due, link);
        }
    }
    struct list_link *link;
    while ((link = list_take_first(&due)) != NULL) {
        struct envelope *envelope = container_of(link, struct envelope, link);
        struct cluster_node *from = &cluster->nodes[envelope->from];
        struct cluster_node *to = &cluster->nodes[envelope->to <= NODES ? envelope->to : 0];

        if (to->is_up && !to->is_cut && !from->is_cut &&
            (cluster->inspect == NULL || cluster->inspect(cluster, envelope)))
            assert_int_equal(replica_receive(to->replica, envelope->from,
                                             slice_of(envelope->bytes, envelope->size),
                                             cluster->now_ms),
                             GW_OK);
        free(envelope->bytes);
        free(envelope);
    }
    for (unsigned i = 1; i <= cluster->count; i++)
        if (cluster->nodes[i].is_up)
            replica_tick(cluster->nodes[i].replica, cluster->now_ms);
    cluster_step_stores(cluster);
    for (unsigned i = 1; i <= cluster->count; i++)
        if (cluster->nodes[i].is_up)
            replica_flush(cluster->nodes[i].replica);
}

static inline void cluster_run(struct cluster *cluster, unsigned ms)
{
    while (ms-- > 0)
        cluster_step(cluster);
}

static inline struct replica_view view_of(const struct cluster_node *node)
{
    struct replica_view view;

    replica_view(node->replica, &view);
    return view;
}

/* The id of a ready leader; fails after ten simulated seconds. */
static inline uint64_t cluster_leader(struct cluster *cluster)
{
    for (unsigned ms = 0; ms < 10000; ms++) {
        for (unsigned i = 1; i <= cluster->count; i++) {
            struct cluster_node *node = &cluster->nodes[i];
            if (node->is_up && !node->is_cut) {
                struct replica_view view = view_of(node);
                if (view.state == REPLICA_LEADER && view.is_ready)
                    return i;
            }
        }
        cluster_step(cluster);
    }
    fail_msg("no leader within 10 s");
    return 0;
}

static inline uint64_t conf_sequence_of(struct cluster_node *node)
{
    struct record_state state;
    struct txn *txn;

    assert_int_equal(env_begin_read(node->env, &txn), GW_OK);
    assert_int_equal(record_state_get(txn, &state), GW_OK);
    txn_abort(txn);
    return state.conf_sequence;
}

static inline struct record_state state_of(struct cluster_node *node)
{
    struct record_state state;
    struct txn *txn;

    assert_int_equal(env_begin_read(node->env, &txn), GW_OK);
    assert_int_equal(record_state_get(txn, &state), GW_OK);
    txn_abort(txn);
    return state;
}

static inline enum result propose_put(struct cluster *cluster, uint64_t id, const char *key,
                                      const char *value)
{
    struct cluster_node *node = &cluster->nodes[id];
    struct transaction_item item = {.key = slice_from_string(key),
                                    .value = slice_from_string(value)};
    struct transaction transaction = {
        .conf_sequence = conf_sequence_of(node), .items = &item, .item_count = 1};
    struct command_header header = {.actor = SLICE("test")};
    struct buffer command;
    enum result result;

    buffer_init(&command, 0);
    assert_true(transaction_encode(&command, &header, &transaction));
    result = replica_propose(node->replica, buffer_slice(&command), cluster->when,
                             cluster->now_ms, 1700000000000ull + cluster->now_ms, NULL);
    buffer_deinit(&command);
    return result;
}

/* Proposes at the leader and waits for the answer. */
static inline enum result cluster_put(struct cluster *cluster, const char *key,
                                      const char *value)
{
    uint64_t leader = cluster_leader(cluster);
    struct cluster_node *node = &cluster->nodes[leader];
    unsigned replies = node->replies;
    enum result result = propose_put(cluster, leader, key, value);

    if (result != GW_OK)
        return result;
    for (unsigned ms = 0; ms < 5000 && node->replies == replies; ms++)
        cluster_step(cluster);
    assert_int_equal(node->replies, replies + 1);
    return node->last_result;
}

/* Sends to node `to` as if from `from`. */
static inline void inject(struct cluster *c, uint64_t from, uint64_t to,
                          const struct wire_message *message)
{
    struct buffer bytes;

    buffer_init(&bytes, 0);
    assert_true(wire_encode(&bytes, message));
    assert_int_equal(
        replica_receive(c->nodes[to].replica, from, buffer_slice(&bytes), c->now_ms),
        GW_OK);
    buffer_deinit(&bytes);
}

static inline bool node_has(struct cluster_node *node, const char *key, const char *value)
{
    struct record record;
    struct txn *txn;

    assert_int_equal(env_begin_read(node->env, &txn), GW_OK);
    bool has = record_get(txn, slice_from_string(key), &record) == GW_OK &&
               slice_equal(record.value, slice_from_string(value));
    txn_abort(txn);
    return has;
}

/* All nodes that are up have applied as much, with the same digest. */
static inline bool cluster_is_even(struct cluster *cluster)
{
    struct record_state first = {0};
    bool has_first = false;

    for (unsigned i = 1; i <= cluster->count; i++) {
        if (!cluster->nodes[i].is_up || cluster->nodes[i].is_cut)
            continue;
        struct record_state state = state_of(&cluster->nodes[i]);
        if (has_first && (state.applied != first.applied || state.digest != first.digest))
            return false;
        first = state;
        has_first = true;
    }
    return true;
}

static inline void cluster_settle(struct cluster *cluster)
{
    for (unsigned ms = 0; ms < 20000; ms++) {
        if (ms > 100 && cluster_is_even(cluster))
            return;
        cluster_step(cluster);
    }
    fail_msg("nodes differ after 20 s");
}

#endif
