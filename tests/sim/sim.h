/* A whole cluster in one process, on simulated time, network and disk.
 *
 * The product's own replica, filter, roster, store queue, records, sessions and dumps
 * run unchanged; below them are crash_env.c for LMDB, an event heap for the clock and
 * network.c for the network. What goes wrong is a schedule (schedule.h): drawn from
 * the seed, or read from a file. A schedule replays to the letter (the trace hash says
 * so). One thread; one run per process, as libraft keeps its heap hook in a global.
 *
 *   world.c    time, events, beginning and end      clients.c  what clients do
 *   nodes.c    machines: life, disk, clock          history.c  what they saw, judged
 *   network.c  who hears whom, and when             linear.c   one register, judged
 *   faults.c   what goes wrong                      checks.c   what must hold meanwhile
 *   churn.c    members come, go and change roles    schedule.c faults drawn, read, printed
 *   hunt.c     many runs, shrinking, planted bugs   main.c     the command line */
#ifndef GW_SIM_SIM_H
#define GW_SIM_SIM_H

#include "base/rng.h"
#include "raft/command.h"
#include "raft/fsm.h"
#include "raft/replica.h"
#include "raft/roster.h"
#include "tests/sim/crash_env.h"
#include "tests/sim/history.h"
#include "tests/sim/schedule.h"

#define SIM_CLIENTS 6
/* Wall time is this, whole days of a jump, and the simulation's own milliseconds: so a
 * command says when it was proposed, however far the wall clock jumps. */
#define SIM_DAY_MS  86400000u
#define SIM_WALL_MS (19675ull * SIM_DAY_MS)

struct sim;

enum sim_event_type {
    SIM_TICK,
    SIM_MESSAGE,
    SIM_STEP,      /* the store's disk turns */
    SIM_COMPLETED, /* the store woke the member */
    SIM_DUMP,      /* a dump has been built, or a piece of it read */
    SIM_CLIENT,
    SIM_READ, /* the node `from` may have become able to answer a client's read */
    SIM_OPERATOR,
    SIM_FAULT,     /* `node`: which of the schedule */
    SIM_FAULT_END, /* likewise */
    SIM_RESTART,
    SIM_STOP,   /* a machine is stopped for a while, or taken away */
    SIM_JOINED, /* a machine begins its life with the id of `size` */
    SIM_HEAL,   /* all faults end */
    SIM_QUIET,
    SIM_END
};

struct sim_event {
    uint64_t at_us, order;
    enum sim_event_type type;
    int node, from;
    unsigned epoch; /* of the node when it was made: an older life's events are void */
    char *bytes;    /* owned */
    size_t size;
    uint64_t number; /* MESSAGE: its sender; DUMP: which piece, UINT64_MAX: it is built */
    unsigned life;   /* DUMP: of which of the dumps for that slot */
};

/* A machine. Its Raft id changes when it is wiped and joins anew. */
struct sim_node {
    struct sim *sim;
    int slot;
    uint64_t id; /* Raft's; 0: no member */
    bool is_alive, was_leader, is_stepping, is_woken, is_leaving;
    unsigned epoch;
    struct env *env; /* survives crashes */
    struct store *store;
    struct replica *replica;
    struct fsm fsm;
    struct dump_source *dumps[SCHEDULE_SLOTS + 1]; /* being sent, by slot */
    unsigned dump_lives[SCHEDULE_SLOTS + 1];
    struct replica_view view; /* after the last event */

    /* The disk. */
    uint64_t disk_low_us, disk_high_us, stalled_until_us, step_at_us;
    enum crash_kind dies_by; /* once the env says it is dead */
    int dies_after;          /* having sent a message of this type; 0: none */
    bool is_full;

    /* The clock: `clock_us` at `clock_at_us`, running `drift_ppm` fast or slow. */
    uint64_t clock_us, clock_at_us;
    int drift_ppm;
    int64_t wall_days;
    uint64_t paused_until_us;

    /* As the node's control would know and tell. */
    struct roster roster;
    uint64_t roster_at_ms;
    struct roster_node records[ROSTER_NODES];
    size_t record_count;
    uint64_t records_visible, members_changed_at; /* indices */
    bool are_records_stale;
    uint64_t heard_us[SCHEDULE_SLOTS + 1];
    uint64_t next_sequence; /* of configuration, for the next transaction; 0: ask */
    unsigned in_flight;
    unsigned turns; /* events settled */

    /* What was checked. */
    uint64_t installs, commit_seen, visible_seen, committed_checked, led_term;
};

struct sim_client {
    uint64_t sequence; /* of its session: last used */
    uint64_t expected; /* modRevision its own key must have */
    uint64_t acked;    /* operation last acknowledged on its own key */
    uint64_t asked_at_us, acks_healed;
    size_t operation; /* under way; NO_OPERATION: none */
    int node;
    int reader;          /* who answers the read under way: 0, the leader itself */
    uint64_t read_index; /* what it must have visible for that */
    bool is_waiting;
};

/* What is remembered of an index, whoever reached it first. */
struct sim_index {
    uint64_t term, hash;   /* committed entry; term 0: unknown */
    uint64_t committed_in; /* a leader of this term or of an earlier one committed it */
    uint64_t applied;      /* hash of what was applied */
    uint64_t digest;       /* of the state once applied */
    uint64_t sessions;     /* likewise, of some indices */
    uint64_t conf;         /* hash of the configuration of this index */
};

struct sim_reign {
    uint64_t id; /* 0: nobody's */
    unsigned epoch;
    bool is_alone;
};

struct sim_link {
    bool is_cut;
    unsigned loss_per_mille;
    uint64_t delay_us;
};

struct sim {
    const struct schedule *schedule;
    bool is_loud;
    struct rng rng;
    uint64_t now_us, events, trace;
    struct sim_event *heap;
    size_t heap_count, heap_capacity;
    uint64_t heap_order;

    struct sim_node nodes[SCHEDULE_SLOTS + 1];
    struct sim_link links[SCHEDULE_SLOTS + 1][SCHEDULE_SLOTS + 1]; /* from, to */
    uint64_t last_arrival_us[SCHEDULE_SLOTS + 1][SCHEDULE_SLOTS + 1][2];
    unsigned duplicate_per_mille, answers_lost_per_mille;
    unsigned held; /* faults that hold messages back */
    uint64_t latency_low_us, latency_high_us, jitter_us;
    bool is_fifo, is_healing, is_quiet;
    bool *active; /* by fault of the schedule */
    int *victims; /* likewise: the machine it chose */

    struct sim_client clients[SIM_CLIENTS + 1];
    struct history history;
    uint64_t acked_index;    /* highest index of an acknowledged write */
    uint64_t wiped_until_us; /* a lost disk is missed for a while */

    struct { /* one wish at a time */
        bool has_wish, is_waiting, is_giving_up_vote;
        int kind, slot;
        uint64_t id; /* of the machine's last life */
        uint64_t sequence, asked_at_us, until_us;
    } operator;

    struct sim_index *indices;
    size_t index_capacity;
    uint64_t highest_committed;
    struct sim_reign *leaders; /* by term */
    size_t leader_capacity;
    int64_t log_time_floor; /* checks.c */
    bool has_log_time_floor;
    uint64_t quiet_last, quiet_term;

    int violations;
    struct sim_counts {
        uint64_t events, acks, reads, crashes, elections, dumps, messages, snapshots,
            installs, changes, undecided, follower_reads, faults[FAULT_KINDS],
            guard_hits[GUARD_COUNT];
    } counts;
};

/* world.c: time and events */
void sim_push(struct sim *sim, struct sim_event event);
uint64_t sim_between(struct sim *sim, uint64_t low, uint64_t high);
bool sim_chance(struct sim *sim, unsigned per_mille);
void sim_violation(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_say(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct sim_node *sim_leader(struct sim *sim); /* of the highest term; or NULL */
struct sim_node *sim_node_of(struct sim *sim, uint64_t id); /* or NULL */
/* Runs one schedule; the number of violations. Prints what it saw. */
int sim_run(const struct schedule *schedule, bool is_loud, struct sim_counts *ret_counts);

/* nodes.c: life, disk, clock */
bool node_boot(struct sim_node *node);
void node_crash(struct sim_node *node, enum crash_kind kind);
void node_wipe(struct sim_node *node);
void node_event(struct sim_node *node, struct sim_event *event);
/* After anything was done to a replica: what follows from it. */
void node_settle(struct sim_node *node);
uint64_t node_now_ms(const struct sim_node *node);
uint64_t node_wall_ms(const struct sim_node *node);
void node_drift(struct sim_node *node, int ppm);

/* network.c */
void network_send(struct sim_node *from, uint64_t to, struct slice message, bool bulk);
/* Anew, from the faults that last. */
void network_shape(struct sim *sim);
bool network_passes(struct sim_node *to, int from, uint64_t id);

/* churn.c */
void churn_tick(struct sim_node *node);
void churn_turn(struct sim *sim);
void churn_reply(struct sim_node *node, uint64_t sequence,
                 const struct replica_reply *reply);
/* Whether a machine may go for good now without the cluster losing its quorum. */
bool churn_may_lose(struct sim *sim, const struct sim_node *node);
bool churn_may_leave(struct sim *sim, const struct sim_node *node);
/* False: not now. */
bool churn_wish(struct sim *sim, enum fault_kind kind, int slot);
bool churn_refuses(struct sim_node *node, uint64_t id);
/* The commands that a founder's log begins with, one for each of `count` machines. */
void churn_founding(int slot, struct buffer *out);

/* clients.c */
void client_turn(struct sim *sim, int client);
void client_read(struct sim *sim, int client, int slot, size_t operation);
void client_reply(struct sim_node *node, void *tag, const struct replica_reply *reply);
/* A session's command at a node; false when refused at once. `operation` is
 * NO_OPERATION for the operator's. */
bool client_propose(struct sim_node *node, int client, size_t operation, uint64_t sequence,
                    struct slice command);
void client_check_end(struct sim *sim);

/* faults.c */
void fault_begin(struct sim *sim, size_t index);
void fault_end(struct sim *sim, size_t index);
void fault_end_all(struct sim *sim);

/* checks.c */
void check_apply(struct sim_node *node, struct txn *txn, uint64_t index,
                 struct slice entry);
void check_applied(struct sim_node *node, const struct command_header *header,
                   uint64_t log_now_ms);
void check_boot(struct sim_node *node);
void check_node(struct sim_node *node);
void check_leader(struct sim_node *node);
void check_acked(struct sim_node *node, uint64_t index);
void check_logs(struct sim *sim);
void check_quiet(struct sim *sim);
void check_end(struct sim *sim);

#endif
