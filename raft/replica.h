/* A Raft member without threads, sockets or clocks: libraft behind a small
 * interface {propose, message in, tick, completed, outbox}.
 *
 * All use of libraft stays in this folder. The replica implements struct
 * raft_io over the store's queue, keeps the outbox gate (nothing is sent before
 * what it promises is durable), sends its own heartbeats, labels snapshots, and
 * passes every message through the filter that masks libraft 0.22.1's known
 * bugs (raft/filter.h). One thread (the member's) or the simulator calls it;
 * callbacks run inside those calls. */
#ifndef GW_RAFT_REPLICA_H
#define GW_RAFT_REPLICA_H

#include "base/rng.h"
#include "store/dump_source.h"
#include "store/store.h"

struct replica;

enum replica_role { REPLICA_STANDBY, REPLICA_VOTER, REPLICA_SPARE };
enum replica_state { REPLICA_FOLLOWER, REPLICA_CANDIDATE, REPLICA_LEADER, REPLICA_HALTED };

/* Bits of replica_options.guards_off: for tests that show what a guard is for. */
enum replica_guard {
    GUARD_COMMIT = 1 << 0,        /* A */
    GUARD_REJECT = 1 << 1,        /* B */
    GUARD_HOLD = 1 << 2,          /* C */
    GUARD_PRE_VOTE = 1 << 3,      /* D */
    GUARD_HEARTBEAT = 1 << 4,     /* E: own heartbeats */
    GUARD_TRANSFER = 1 << 5,      /* F */
    GUARD_MEMBERSHIP = 1 << 6,    /* G */
    GUARD_NEVER_FAIL = 1 << 7,    /* H */
    GUARD_VOTE_KEPT = 1 << 8,     /* I */
    GUARD_LABEL = 1 << 9,         /* snapshot labels */
    GUARD_OUTBOX = 1 << 10,       /* the outbox gate */
    GUARD_CHANGE_FIRST = 1 << 11, /* J: a change comes first in its message */
    GUARD_RESULT = 1 << 12,       /* K: a result says what our log holds */
    GUARD_STALE = 1 << 13,        /* L: an older term is answered without libraft */
    GUARD_ALONE = 1 << 14,        /* M: the only voter leads in a term of its own */
    GUARD_COVERED = 1 << 15,      /* N: entries that were trimmed are passed over */
    GUARD_ANY_ROLE = 1 << 16,     /* O: who is asked for a vote gives it, voter or not */
    GUARD_DEMOTION = 1 << 17,     /* P: who loses its vote hears so once it is committed */
};
#define GUARD_COUNT 18

/* When a proposal that was carried out is answered. One that was refused is answered once
 * what it was refused by is visible. */
enum replica_when {
    REPLICA_WHEN_VISIBLE, /* whoever reads the store next sees it */
    REPLICA_WHEN_APPLIED  /* as soon as the answer is known: a barrier comes before reading
                           */
};

/* A proposal's end, or a read barrier's. */
struct replica_reply {
    enum result result; /* GW_OK; the command's own refusal; GW_NOT_LEADER: surely not done;
                           GW_UNKNOWN_OUTCOME: may still happen */
    uint64_t index;
    struct store_answer answer; /* borrowed during the call */
};
typedef void (*replica_reply_fn)(void *owner, void *tag, const struct replica_reply *reply);

struct replica_options {
    uint64_t id;
    struct store *store; /* borrowed, loaded by replica_open */
    uint64_t now_ms;
    unsigned heartbeat_ms, election_ms;
    uint64_t snapshot_threshold; /* entries between snapshots; 8,192 */
    unsigned snapshot_trailing;  /* entries kept behind one; 1,024 */
    uint64_t snapshot_bytes;     /* of log between snapshots; 16 MiB */
    uint64_t trailing_bytes;     /* of log kept behind one, one entry at least; 8 MiB */
    unsigned
        transfer_ms; /* a dump that does not get on so long is given up; 0: 30 elections */
    struct rng rng;
    unsigned guards_off;
    /* The owner calls replica_flush after whatever it does, before it waits: so what is
     * said to a peer meanwhile goes together. Else everything goes at once. */
    bool gathers;
    void *owner;
    /* Hands a message to the link; `message` is borrowed. `bulk`: not on the consensus
     * connection. */
    void (*send)(void *owner, uint64_t to, struct slice message, bool bulk);
    /* A proposal or barrier ended. */
    replica_reply_fn reply;
    /* Leader, term, role or configuration changed. */
    void (*changed)(void *owner);
    /* A lagging peer needs a dump: make it off-thread (store/dump_source.h), then call
     * replica_dump_ready. */
    void (*dump_wanted)(void *owner, uint64_t to);
    /* A piece of it: read it off-thread, then call replica_dump_piece. One at a time. */
    void (*dump_read)(void *owner, uint64_t to, uint64_t number);
    /* It is not needed any more; nothing shall come of what is under way for it. */
    void (*dump_over)(void *owner, uint64_t to);
};

/* Callbacks run inside calls, never during replica_open. `send` and `dump_*`
 * may run while libraft is at work: from inside those only replica_link,
 * replica_dump_ready, replica_dump_piece, replica_view and replica_counters may be called.
 * `reply` and `changed` may call anything but replica_close. */
enum result replica_open(const struct replica_options *options,
                         struct replica **ret_replica, struct error *err);
/* Ends what is pending: GW_UNKNOWN_OUTCOME or GW_CLOSED. The store's thread must
 * have been stopped: jobs it holds are taken back. */
void replica_close(struct replica *replica);

/* Every heartbeat interval or more often. */
void replica_tick(struct replica *replica, uint64_t now_ms);
/* Other times from now on. */
void replica_times(struct replica *replica, unsigned heartbeat_ms, unsigned election_ms);
/* From a peer whose identity the link has proved. GW_MALFORMED: close the link, count it.
 */
enum result replica_receive(struct replica *replica, uint64_t from, struct slice message,
                            uint64_t now_ms);
/* The store finished jobs (its wake): takes them, answers, opens the gate. */
void replica_completed(struct replica *replica, uint64_t now_ms);
/* What was gathered goes, to the peers and then to our disk: at the end of each turn of the
 * owner's loop. */
void replica_flush(struct replica *replica);
/* The link to a peer went down or came up. */
void replica_link(struct replica *replica, uint64_t peer, bool up);
/* NULL: there will be none. */
void replica_dump_ready(struct replica *replica, uint64_t to,
                        const struct dump_about *about);
void replica_dump_piece(struct replica *replica, uint64_t to,
                        const struct dump_piece *piece);

/* Leader only, else GW_NOT_LEADER at once and no reply; GW_NO_QUORUM when nobody answered
 * for two election timeouts. `command` is an encoded command, envelope and body
 * (raft/command.h), copied; the replica stamps log time. Whenever the reply comes, a
 * majority has the entry on its disks. */
enum result replica_propose(struct replica *replica, struct slice command,
                            enum replica_when when, uint64_t now_ms, uint64_t wall_ms,
                            void *tag);
/* Linearizable read: the reply's index is what a reader must have visible; comes after a
 * quorum confirmed leadership and that index is visible here. Writes nothing: heartbeats
 * carry a round number that answers echo (Raft thesis §6.4). */
enum result replica_barrier(struct replica *replica, uint64_t now_ms, void *tag);

/* Membership, leader only, one at a time: GW_AGAIN while a change is under way, a voter
 * that was heard lately lacks the last one (guard G), or nothing of this term is committed
 * yet (then a barrier is written, so that trying again soon works). GW_OK: begun; `changed`
 * tells the end. GW_NOT_FOUND, GW_CONFLICT (it is so already), GW_LIMIT
 * (CONF_SERVERS_LIMIT), GW_INVALID (the last voter). */
enum result replica_add(struct replica *replica, uint64_t id);
enum result replica_assign(struct replica *replica, uint64_t id, enum replica_role role);
enum result replica_remove(struct replica *replica, uint64_t id);
enum result replica_transfer(struct replica *replica, uint64_t id); /* 0: whoever is best */
/* Stops taking part for the life of the process (an I/O error, or asked). */
void replica_halt(struct replica *replica);

struct replica_server {
    uint64_t id;
    enum replica_role role;
    uint64_t match; /* leader only: log index it has; else 0 */
};
struct replica_view {
    enum replica_state state;
    uint64_t term, leader; /* 0: none known */
    uint64_t last, commit, visible, revision;
    uint64_t log_entries, log_bytes; /* in memory, and on the disk */
    bool
        is_ready; /* leader: knows all its predecessors committed; writes and reads go on */
    uint64_t leader_heard_ms; /* when this node last heard the leader (its own clock) */
    uint64_t quorum_heard_ms; /* leader: when a quorum last answered */
    uint64_t disk_wait_ms;    /* how long the oldest write to the disk has waited */
    unsigned server_count;
    struct replica_server servers[32];
    uint64_t conf_index;
};
void replica_view(const struct replica *replica, struct replica_view *ret_view);

struct replica_counters {        /* all only ever rise */
    uint64_t gathered;           /* messages that went with another */
    uint64_t dropped;            /* messages beyond what may wait for a peer or the disk */
    uint64_t compacted_by_bytes; /* snapshots that the log's bytes asked for */
    uint64_t messages_in, messages_out, malformed, gated, transfers, dumps_sent,
        dumps_installed, dump_pieces_sent, dump_pieces_received, dump_bytes_sent,
        dump_bytes_received, dump_resumes, dump_aborts, dumps_damaged, dumps_refused,
        snapshots_taken, guard_hits[GUARD_COUNT], proposals, elections;
};
const struct replica_counters *replica_counters(const struct replica *replica);

#endif
