/* A whole cluster in one process, on simulated time, network and disk.
 *
 * The product's own replica, filter, store queue, records, sessions and dumps run
 * unchanged; below them are crash_env.c for LMDB, an event heap for the clock and
 * a table of delays for the network. Everything is drawn from one seed, so a seed
 * replays to the letter (the trace hash says so). One thread; one seed per process,
 * as libraft keeps its heap hook in a global. */
#ifndef GW_SIM_SIM_H
#define GW_SIM_SIM_H

#include "base/rng.h"
#include "raft/command.h"
#include "raft/fsm.h"
#include "raft/replica.h"
#include "tests/sim/crash_env.h"

#define SIM_NODES   5
#define SIM_CLIENTS 8

struct sim;

struct sim_options {
    uint64_t seed, seconds;
    unsigned guards_off;
    bool verbose;
    bool majority_only; /* at the end only a bare majority comes back */
};

enum sim_event_type {
    SIM_TICK,
    SIM_MESSAGE,
    SIM_STEP,      /* the store's disk turns */
    SIM_COMPLETED, /* the store woke the member */
    SIM_DUMP,      /* a dump has been built */
    SIM_CLIENT,
    SIM_FAULT,
    SIM_RESTART,
    SIM_END
};

struct sim_event {
    uint64_t at_us, order;
    enum sim_event_type type;
    int node, from;
    unsigned epoch; /* of the node when it was made: an older life's events are void */
    char *bytes;    /* owned */
    size_t size;
};

struct sim_node {
    struct sim *sim;
    int id;
    bool is_alive, was_leader, is_stepping, is_woken;
    unsigned epoch;
    struct env *env; /* survives crashes */
    struct store *store;
    struct replica *replica;
    struct fsm fsm;
    uint64_t disk_low_us, disk_high_us;
    uint64_t step_at_us;
    uint64_t
        next_sequence; /* of the next transaction this node proposes; 0: ask the state */
    unsigned in_flight;
    unsigned turns; /* events settled */
    uint64_t commit_seen, visible_seen, committed_checked;
};

struct sim_client {
    uint64_t sequence; /* of the write under way or next */
    uint64_t expected; /* modRevision its key must have */
    uint64_t acked;    /* sequence last acknowledged */
    uint64_t asked_at_us;
    int node;
    bool is_waiting;
};

/* What is remembered of an index, whoever reached it first. */
struct sim_index {
    uint64_t term, hash; /* committed entry; term 0: unknown */
    uint64_t digest;     /* of the state once applied */
    bool has_digest;
};

struct sim {
    struct sim_options options;
    struct rng rng;
    uint64_t now_us, end_us, events, trace;
    struct sim_event *heap;
    size_t heap_count, heap_capacity;
    uint64_t heap_order;

    int node_count;
    struct sim_node nodes[SIM_NODES + 1];
    bool cut[SIM_NODES + 1][SIM_NODES + 1]; /* from, to */
    unsigned drop_per_mille, duplicate_per_mille;
    uint64_t latency_low_us, latency_high_us;
    bool is_healing;
    unsigned stays_down; /* bits of nodes */

    struct sim_client clients[SIM_CLIENTS + 1];
    uint64_t acked_index; /* highest index of an acknowledged write */

    struct sim_index *indices;
    size_t index_capacity;
    uint64_t highest_committed;
    uint64_t *leaders; /* by term: node id */
    size_t leader_capacity;

    int violations;
    struct {
        uint64_t acks, reads, crashes, elections, dumps, messages, snapshots, installs;
        uint64_t guard_hits[11];
    } counts;
};

/* world.c: time and events */
void sim_push(struct sim *sim, struct sim_event event);
bool sim_pop(struct sim *sim, struct sim_event *ret_event);
uint64_t sim_between(struct sim *sim, uint64_t low, uint64_t high);
bool sim_chance(struct sim *sim, unsigned per_mille);
void sim_violation(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_say(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Runs one seed; the number of violations. */
int sim_run(const struct sim_options *options);

/* nodes.c: life, disk, network */
void node_boot(struct sim_node *node);
void node_crash(struct sim_node *node, bool power);
void node_event(struct sim_node *node, struct sim_event *event);
/* After anything was done to a replica: what follows from it. */
void node_settle(struct sim_node *node);
uint64_t sim_now_ms(const struct sim *sim);
void network_send(struct sim *sim, int from, int to, struct slice message,
                  uint64_t extra_us);

/* clients.c */
void client_turn(struct sim *sim, int client);
void client_reply(struct sim_node *node, void *tag, const struct replica_reply *reply);
/* Reads the writer's value of a client's key in a node's committed state; 0: none. */
uint64_t client_value(struct sim_node *node, int client);

/* faults.c */
void fault_strike(struct sim *sim);
void fault_heal(struct sim *sim);

/* checks.c */
void check_node(struct sim_node *node);
void check_leader(struct sim_node *node);
void check_logs(struct sim *sim);
void check_end(struct sim *sim);

#endif
