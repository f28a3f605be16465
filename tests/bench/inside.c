/* Agreement without HTTP, TLS or sockets: three replicas in one process, each with its
 * store thread on LMDB in a directory of its own. One thread drives the three of them and
 * hands their messages over.
 *
 *   inside DIR CONCURRENCY SECONDS
 *
 * CONCURRENCY proposals are under way at the leader, each one value of 100 bytes under one
 * of 1,000 keys. Prints one line of JSON, as writes.c does. What it leaves out against a
 * cluster of nodes is JSON, checks of the configuration, TLS and what other threads do. */
#include "base/instant.h"
#include "base/rng.h"
#include "raft/command.h"
#include "raft/conf.h"
#include "raft/fsm.h"
#include "raft/replica.h"
#include "store/records.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define NODES      3
#define VALUE_SIZE 100
#define KEYS       1000
#define TICK_MS    10
#define ROOM       (1u << 22)

struct envelope {
    struct list_link link;
    uint64_t from, to;
    size_t size;
    char bytes[];
};

struct node {
    uint64_t id;
    struct env *env;
    struct store *store;
    struct replica *replica;
    struct fsm fsm;
};

static struct node nodes[NODES + 1];
static struct list_link mail;
static struct rng rng;
static int bell;
static uint64_t sequence, failures, measure_us, end_us, under_way;
static uint32_t *latencies;
static size_t latency_count;

static void die(const char *what, const struct error *err)
{
    fprintf(stderr, "inside: %s: %s\n", what, err == NULL ? "failed" : err->text);
    exit(1);
}

static uint64_t now_ms(void)
{
    return instant_monotonic_ms();
}

/* ---- three replicas ---- */

static void on_send(void *owner, uint64_t to, struct slice message, bool bulk)
{
    struct node *node = owner;
    struct envelope *envelope = malloc(sizeof *envelope + message.size);

    (void)bulk;
    if (envelope == NULL)
        die("send", NULL);
    envelope->from = node->id;
    envelope->to = to;
    envelope->size = message.size;
    memcpy(envelope->bytes, message.data, message.size);
    list_append(&mail, &envelope->link);
}

static void on_dump_wanted(void *owner, uint64_t to)
{
    (void)owner;
    (void)to; /* nobody lags here */
}

static void on_reply(void *owner, void *tag, const struct replica_reply *reply)
{
    uint64_t *begun_us = tag, now = instant_monotonic_us();

    (void)owner;
    under_way--;
    if (reply->result != GW_OK) {
        failures++;
        sequence = 0; /* found out again once nothing is under way */
    } else if (*begun_us >= measure_us && now <= end_us && latency_count < ROOM) {
        latencies[latency_count++] = (uint32_t)(now - *begun_us);
    }
    free(begun_us);
}

/* Store threads. */
static void on_wake(void *owner)
{
    uint64_t one = 1;

    (void)owner;
    if (write(bell, &one, sizeof one) != sizeof one)
        die("wake", NULL);
}

static void open_node(struct node *node, const char *dir)
{
    struct raft_configuration conf;
    struct error err = ERROR_NONE;
    char path[4096];

    node->fsm = (struct fsm){cluster_commands, cluster_command_count};
    snprintf(path, sizeof path, "%s/%llu", dir, (unsigned long long)node->id);
    if (env_open(&(struct env_options){.dir = path, .create = true}, &node->env, &err) !=
        GW_OK)
        die("open", &err);
    raft_configuration_init(&conf);
    for (raft_id id = 1; id <= NODES; id++) {
        char address[16];
        snprintf(address, sizeof address, "%llu", (unsigned long long)id);
        if (raft_configuration_add(&conf, id, address, RAFT_VOTER) != 0)
            die("found", NULL);
    }
    struct slice bytes = conf_encode(&conf);
    raft_configuration_close(&conf);
    if (store_bootstrap(node->env, bytes, NULL, 0, &err) != GW_OK)
        die("found", &err);
    free((void *)(uintptr_t)bytes.data);

    const struct store_options store = {.env = node->env,
                                        .apply = fsm_apply,
                                        .owner = &node->fsm,
                                        .wake = on_wake,
                                        .lazy_us = 5000,
                                        .linger_us = 500,
                                        .is_kicked = true};
    if (store_open(&store, &node->store, &err) != GW_OK)
        die("open", &err);
    struct replica_options options = {.id = node->id,
                                      .store = node->store,
                                      .now_ms = now_ms(),
                                      .heartbeat_ms = 50,
                                      .election_ms = 300,
                                      .gathers = true,
                                      .owner = node,
                                      .send = on_send,
                                      .reply = on_reply,
                                      .dump_wanted = on_dump_wanted};
    rng_init_random(&options.rng);
    if (replica_open(&options, &node->replica, &err) != GW_OK ||
        store_start(node->store, &err) != GW_OK)
        die("open", &err);
}

static void close_node(struct node *node)
{
    store_stop(node->store);
    replica_close(node->replica);
    store_close(node->store);
    env_close(node->env);
}

static struct node *leader(void)
{
    for (unsigned i = 1; i <= NODES; i++) {
        struct replica_view view;
        replica_view(nodes[i].replica, &view);
        if (view.state == REPLICA_LEADER && view.is_ready)
            return &nodes[i];
    }
    return NULL;
}

static void deliver(void)
{
    struct list_link *link;

    while ((link = list_take_first(&mail)) != NULL) {
        struct envelope *envelope = container_of(link, struct envelope, link);
        if (envelope->to >= 1 && envelope->to <= NODES)
            replica_receive(nodes[envelope->to].replica, envelope->from,
                            slice_of(envelope->bytes, envelope->size), now_ms());
        free(envelope);
    }
}

static void turn(void)
{
    static uint64_t ticked_ms;
    struct pollfd poll_bell = {.fd = bell, .events = POLLIN};
    uint64_t count;

    if (poll(&poll_bell, 1, TICK_MS) > 0 && read(bell, &count, sizeof count) < 0)
        die("wait", NULL);
    for (unsigned i = 1; i <= NODES; i++)
        replica_completed(nodes[i].replica, now_ms());
    if (now_ms() - ticked_ms >= TICK_MS) {
        ticked_ms = now_ms();
        for (unsigned i = 1; i <= NODES; i++)
            replica_tick(nodes[i].replica, ticked_ms);
    }
}

static void flush(void)
{
    do {
        for (unsigned i = 1; i <= NODES; i++)
            replica_flush(nodes[i].replica);
        deliver();
    } while (!list_is_empty(&mail));
    for (unsigned i = 1; i <= NODES; i++)
        replica_flush(nodes[i].replica);
}

/* ---- writes ---- */

/* The configuration sequence that the next transaction extends. */
static bool find_sequence(const struct node *node)
{
    struct record_state state = {0};
    struct txn *txn;

    if (under_way > 0 || env_begin_read(node->env, &txn) != GW_OK)
        return false;
    if (record_state_get(txn, &state) == GW_OK)
        sequence = state.conf_sequence + 1;
    txn_abort(txn);
    return sequence != 0;
}

static bool propose(const struct node *node)
{
    char key[32], value[VALUE_SIZE];
    struct buffer command;

    if (sequence == 0 && !find_sequence(node))
        return false;
    for (size_t i = 0; i < sizeof value; i++)
        value[i] = (char)('a' + rng_next(&rng) % 26);
    int size = snprintf(key, sizeof key, "policy/bench-%llu",
                        (unsigned long long)rng_below(&rng, KEYS));
    struct transaction_item item = {.key = slice_of(key, (size_t)size),
                                    .value = slice_of(value, sizeof value)};
    const struct transaction transaction = {
        .conf_sequence = sequence - 1, .items = &item, .item_count = 1};
    const struct command_header header = {.number = COMMAND_TRANSACTION,
                                          .actor = SLICE("bench")};
    uint64_t *begun_us = malloc(sizeof *begun_us);

    buffer_init(&command, 0);
    if (begun_us == NULL || !transaction_encode(&command, &header, &transaction))
        die("encode", NULL);
    *begun_us = instant_monotonic_us();
    enum result result =
        replica_propose(node->replica, buffer_slice(&command), REPLICA_WHEN_APPLIED,
                        now_ms(), instant_wall_ms(), begun_us);
    buffer_deinit(&command);
    if (result != GW_OK) {
        free(begun_us);
        return false;
    }
    sequence++;
    under_way++;
    return true;
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static double percentile_ms(unsigned per_mille)
{
    size_t at = latency_count * per_mille / 1000;
    return latency_count == 0
               ? 0
               : latencies[at < latency_count ? at : latency_count - 1] / 1000.0;
}

int main(int argc, char **argv)
{
    uint64_t concurrency, seconds;

    if (argc != 4 || !slice_parse_u64(slice_from_string(argv[2]), &concurrency) ||
        !slice_parse_u64(slice_from_string(argv[3]), &seconds) || concurrency == 0 ||
        seconds == 0) {
        fprintf(stderr, "usage: inside DIR CONCURRENCY SECONDS\n");
        return 2;
    }
    rng_init_random(&rng);
    list_init(&mail);
    bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    latencies = malloc(ROOM * sizeof *latencies);
    if (bell < 0 || latencies == NULL)
        die("begin", NULL);
    for (unsigned i = 1; i <= NODES; i++) {
        nodes[i].id = i;
        open_node(&nodes[i], argv[1]);
    }
    measure_us = UINT64_MAX;
    for (uint64_t until_ms = now_ms() + 10000; leader() == NULL;) {
        turn();
        flush();
        if (now_ms() > until_ms)
            die("elect a leader within 10 s", NULL);
    }
    measure_us = instant_monotonic_us() + 500000;
    end_us = measure_us + seconds * 1000000;
    while (instant_monotonic_us() < end_us) {
        struct node *node = leader();
        while (node != NULL && under_way < concurrency && propose(node)) {
        }
        flush();
        turn();
        flush();
    }
    end_us = 0; /* what is still under way is not counted */
    for (uint64_t until_ms = now_ms() + 3000; under_way > 0 && now_ms() < until_ms;) {
        turn();
        flush();
    }
    for (unsigned i = 1; i <= NODES; i++)
        close_node(&nodes[i]);
    qsort(latencies, latency_count, sizeof *latencies, compare);
    printf("{\"writes\":%zu,\"failures\":%llu,\"seconds\":%llu,\"perSecond\":%.1f,"
           "\"p50Ms\":%.3f,\"p99Ms\":%.3f,\"maxMs\":%.3f}\n",
           latency_count, (unsigned long long)failures, (unsigned long long)seconds,
           (double)latency_count / (double)seconds, percentile_ms(500), percentile_ms(990),
           percentile_ms(1000));
    return failures != 0;
}
