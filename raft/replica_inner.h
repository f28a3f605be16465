/* What the rooms of the replica share. Private to raft/replica*.c.
 *
 *   replica.c        the public face: time, completions, leadership, views
 *   replica_propose.c proposals and their answers
 *   replica_receive.c messages in
 *   replica_io.c     struct raft_io and raft_fsm over the store's queue
 *   replica_compact.c the log and what is in flight, bounded by bytes
 *   replica_send.c   messages out: outbox, heartbeats
 *   replica_dump.c   dumps out, piece by piece
 *   replica_stage.c  dumps in, piece by piece
 *   replica_gather.c small messages that go together
 *   replica_read.c   linearizable reads by rounds of heartbeats
 *   replica_change.c membership and leadership transfer
 *   replica_alone.c  the only voter's terms */
#ifndef GW_RAFT_REPLICA_INNER_H
#define GW_RAFT_REPLICA_INNER_H

#include "raft/conf.h"
#include "raft/filter.h"
#include "raft/log_bytes.h"
#include "raft/replica.h"
#include "raft/wire.h"
#include "raft/wire_dump.h"

#include <raft.h>

#define MESSAGE_BYTES   (1u << 20) /* an AppendEntries is cut above this */
#define BULK_BYTES      (64u << 10)
#define COMMAND_BYTES   (8u << 20)
#define PROPOSALS_LIMIT 8192
#define PROPOSALS_BYTES (64u << 20) /* of those that were not answered yet */
#define OUTBOX_BYTES    (8u << 20)  /* behind the gate; more is dropped */
#define INFLIGHT_BYTES  (4u << 20)  /* of entries, to one peer */
#define INFLIGHT_LIMIT  4096        /* entries */
#define PEERS_LIMIT     64
#define MARKER_SIZE     8 /* what libraft has instead of a snapshot's data: a dump's id */

/* libraft's, not in its header. The first is called by its uv backend only. */
void LegacyFireCompletedRequests(struct raft *r);
raft_term TrailTermOf(const struct raft_trail *t, raft_index index); /* asserts index > 0 */

/* The term of the entry at `index`; 0: not in the log (any more). */
static inline uint64_t term_at(const struct raft *raft, uint64_t index)
{
    return index == 0 ? 0 : TrailTermOf(&raft->trail, index);
}

struct io_job {
    struct store_job job; /* first */
    struct list_link outstanding;
    struct raft_io_append *append;
    struct raft_io_snapshot_put *put;
    raft_io_append_cb append_cb;
    raft_io_snapshot_put_cb put_cb;
    struct store_entry *entries;    /* owned; bytes borrowed from libraft */
    struct raft_configuration conf; /* snapshot's */
    bool is_take;
    uint64_t asked_ms;
    uint64_t from; /* STAGE: who sent it */
};

struct outgoing {
    struct list_link link;
    uint64_t sequence; /* may go once this is durable */
    uint64_t to;
    bool bulk;
    struct buffer bytes;
};

/* What goes to a peer with the next replica_flush. Never both. */
struct gathered {
    bool has_append, has_result;
    struct raft_append_entries append; /* `entries` is NULL: they are encoded */
    struct buffer entries;
    uint64_t last_term; /* of the last entry, or prev_log_term */
    struct raft_append_entries_result result;
    uint64_t result_round;
};

#define DUMP_WINDOW 8 /* pieces on their way to a peer */

/* A dump on its way to a peer. */
struct dump_out {
    bool is_asked, is_ready; /* the owner shall make it, has made it */
    bool is_reading;         /* the owner reads piece `next` */
    bool is_pushing;         /* in push_on */
    bool is_installing;      /* all is there, and libraft's message went out */
    bool was_installed;      /* … once at least */
    struct dump_about about;
    uint64_t acked, next;      /* pieces [acked, next) are on their way */
    size_t sizes[DUMP_WINDOW]; /* of those, by number */
    uint64_t got_on_ms;        /* the receiver got further */
    uint64_t said_ms;          /* either side said something */
    uint64_t back_ms;          /* last gone back */
    uint64_t wait_ms;          /* the receiver has no room: not before then */
};

struct peer {
    uint64_t id;
    char address[24];
    bool is_up;
    uint64_t transfer; /* label index of the dump under way, or 0 */
    struct dump_out dump;
    uint64_t
        caught_up; /* after a dump: once it has this index it is one like others; or 0 */
    uint64_t install_term, install_last_term, install_conf_index;
    struct slice install_conf; /* owned */
    uint64_t acked_round, heard_ms;
    uint64_t told_commit; /* highest commit index that our own heartbeats carried to it */
    struct gathered gathered;
};

struct proposal {
    struct list_link link;
    struct replica *replica;
    struct raft_apply request;
    void *tag;
    enum replica_when when;
    char *command; /* while waiting; owned */
    size_t size;
    uint64_t wall_ms;
    uint64_t index;
    bool is_committed; /* libraft says so; only then does an APPLY of index answer it */
    bool is_held;      /* libraft has `request` and will call back, or be closed, first */
    bool is_replied;   /* only waits for libraft to let go */
    struct replica_reply reply;
};

struct barrier {
    struct list_link link;
    void *tag;
    uint64_t round; /* 0: not asked yet */
    uint64_t index;
    enum result result;
};

struct label { /* the core's own snapshot */
    uint64_t index, term, conf_index;
    struct raft_configuration conf;
};

struct replica {
    struct replica_options options;
    struct raft raft;
    struct raft_io io;
    struct raft_fsm fsm;
    char address[24];
    raft_io_tick_cb tick;
    raft_io_recv_cb recv;
    struct error boot_error;
    bool is_open, is_closing, is_halted;

    uint64_t now_ms, last_tick_ms, last_heartbeat_ms;
    uint64_t last_turn_ms; /* when the owner last turned */
    bool is_stall_forgiven;
    uint64_t term, vote; /* as last asked of the store */
    uint64_t log_next;   /* index of the next entry appended */
    struct log_bytes log_bytes;
    uint64_t gate; /* nothing is sent before this sequence is durable */
    struct label label;
    unsigned puts_in_flight;
    bool has_held;
    struct wire_message held; /* InstallSnapshot */
    uint64_t held_from;
    unsigned installs_in_flight;       /* of puts_in_flight */
    struct staging staged;             /* the dump being received, as committed … */
    uint64_t staging_id, staging_next; /* … and as asked of the store */
    unsigned staging_pending;
    struct wire_dump ahead[DUMP_WINDOW]; /* came before its turn, by number; owns bytes */
    struct list_link jobs;               /* io_job.outstanding */
    struct list_link outbox;             /* outgoing */
    size_t outbox_bytes;
    struct peer *peers[PEERS_LIMIT];
    unsigned peer_count;

    struct list_link waiting;   /* proposals: until the leader is ready */
    struct list_link abandoned; /* proposals replied to that libraft still holds */
    struct list_link submitted; /* in index order */
    struct list_link answered;  /* until visible */
    struct list_link ended;     /* to be replied to */
    size_t proposal_count, proposal_bytes;
    struct list_link barriers, ended_barriers;
    bool is_replying;

    uint64_t applied_asked,
        applied_done;         /* last command pushed to, and back from, the store */
    bool is_leader, is_ready; /* ready: everything before this term is applied */
    uint64_t election_last;   /* last index when elected */
    uint64_t log_now_ms;      /* the state machine's log time … */
    uint64_t log_now_at_ms;   /* … and when it got there; 0: before this start */
    uint64_t stamp_base_ms, stamp_at_ms;

    uint64_t round, confirmed_round;
    uint64_t seen_term, seen_from, seen_round; /* as a follower */

    struct raft_change change;
    bool is_changing;
    struct raft_transfer transfer;
    bool is_transferring;
    struct raft_barrier barrier;
    bool is_barrier_pending;

    /* What `changed` was last told. */
    int told_state;
    uint64_t told_term, told_leader, told_conf;
    uint64_t leader_heard_ms;
    struct replica_counters counters;
};

bool guard_is_on(const struct replica *replica, enum replica_guard guard);
void guard_hit(struct replica *replica, enum replica_guard guard);
struct peer *peer_of(struct replica *replica, uint64_t id);
bool is_leading(const struct replica *replica);
/* After anything that may have moved the core. */
void replica_after(struct replica *replica);

void replica_set_now(struct replica *replica, uint64_t now_ms);

/* replica_receive.c: what was held back may come in. */
void receive_release_held(struct replica *replica);

/* replica_propose.c */
/* Hands one that waited to libraft. */
void proposals_submit(struct replica *replica, struct proposal *proposal);
/* Those that wait end so. */
void proposals_fail(struct replica *replica, enum result result);
/* Those that the core has: they may yet come true. */
void proposals_leave(struct replica *replica);
void proposals_answer(struct replica *replica);
void proposals_reply(struct replica *replica);

/* replica_compact.c: before libraft looks whether to take a snapshot, and before it takes
 * one. */
void compact_mind(struct replica *replica, uint64_t applied);
void compact_begin(struct replica *replica);
/* After an append: how much of the log's end may be on its way to a peer. */
void compact_window(struct replica *replica);

/* replica_io.c */
void io_bind(struct replica *replica);
struct io_job *io_job_new(struct replica *replica, enum store_job_type type);
void io_complete(struct replica *replica, struct io_job *job);
void io_cancel_all(struct replica *replica);
/* Queued; nothing is sent before it is durable. */
void io_vote(struct replica *replica, uint64_t term, uint64_t vote);

/* replica_alone.c: guard M. Once term and vote are loaded, before libraft starts. */
void alone_at_start(struct replica *replica, const struct store_boot *boot);
void alone_before_tick(struct replica *replica);
/* On a TimeoutNow: false, it must not reach libraft. The own timer does the same, soon. */
bool alone_may_stand(struct replica *replica);

/* replica_gather.c: what need not go at once, where the owner flushes. False: send it. */
bool gather_append(struct replica *replica, struct peer *peer,
                   const struct raft_append_entries *args);
bool gather_result(struct replica *replica, struct peer *peer,
                   const struct raft_append_entries_result *result, uint64_t round);
void gather_flush(struct replica *replica, struct peer *peer);
void gather_drop(struct peer *peer);

/* replica_send.c */
/* Past the gate, or into the outbox. */
void send_bytes(struct replica *replica, uint64_t to, struct slice bytes, bool bulk);
int send_from_core(struct raft_io *io, struct raft_io_send *request,
                   const struct raft_message *message, raft_io_send_cb done);
void send_message(struct replica *replica, uint64_t to, const struct wire_message *message);
void send_open_gate(struct replica *replica);
void send_heartbeats(struct replica *replica);
/* Tells followers of a commit at once. */
void send_news(struct replica *replica);
void send_close(struct replica *replica);

/* replica_dump.c */
/* What send_from_core does with an InstallSnapshot. */
void dump_ask(struct replica *replica, struct peer *peer,
              const struct raft_install_snapshot *args);
void dump_acked(struct replica *replica, struct peer *peer, const struct wire_dump *ack);
void dump_link_up(struct replica *replica, struct peer *peer);
void dump_tick(struct replica *replica);
/* Also where there is none. */
void dump_end(struct replica *replica, struct peer *peer, bool is_done);

/* replica_stage.c */
/* GW_MALFORMED */
enum result stage_receive(struct replica *replica, struct peer *peer,
                          const struct wire_dump *piece);
void stage_complete(struct replica *replica, struct io_job *job);
/* Whether libraft would install a snapshot of this label. */
bool stage_is_wanted(const struct replica *replica, uint64_t index, uint64_t term);
/* If not, the sender is told how far it is. */
bool stage_is_whole(struct replica *replica, struct peer *peer, uint64_t id);
void stage_boot(struct replica *replica, const struct staging *staging);
/* Of a state that we have reached without it. */
void stage_drop_stale(struct replica *replica);
void stage_installed(struct replica *replica);

/* replica_read.c */
void read_progress(struct replica *replica);
/* A leader's quorum: when it last answered. */
uint64_t read_quorum_heard(const struct replica *replica);
void read_fail_all(struct replica *replica, enum result result);
void read_before_heartbeats(struct replica *replica);

#endif
