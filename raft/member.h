/* The member thread: a replica, its store thread, its peer links, its clock.
 *
 * One libuv loop of its own, so heartbeats queue behind nothing: not a disk,
 * not a compile, not an admin listing. Everybody else talks to it by the
 * thread-safe calls below; answers and news come as mail. Each such mail begins
 * with struct member_mail, whose type says what it is. */
#ifndef GW_RAFT_MEMBER_H
#define GW_RAFT_MEMBER_H

#include "base/buffer.h"
#include "net/mailbox.h"
#include "raft/command.h"
#include "raft/fault.h"
#include "raft/pace.h"
#include "raft/replica.h"
#include "raft/roster.h"

#define MEMBER_PEERS   32
#define MEMBER_ADDRESS 272
#define MEMBER_WAIT_MS 3000
#define MEMBER_PAYLOAD                                                \
    (20u << 20) /* bytes of a forwarded request or its reply, at most \
                 */

struct member;
struct tls_context;

enum member_mail_type {
    MEMBER_MAIL_CALL,      /* struct member_call, come back */
    MEMBER_MAIL_VIEW,      /* struct member_view: on change and once a second */
    MEMBER_MAIL_FORWARDED, /* struct member_forwarded: answer it once */
    MEMBER_MAIL_VISIBLE    /* struct member_visible: more is committed to the env */
};
struct member_mail {
    struct mail mail;
    enum member_mail_type type;
};

enum member_call_type {
    MEMBER_PROPOSE, /* payload: encoded command → result, index, revision, reply = answer's
                       detail */
    MEMBER_BARRIER, /* → index that a linearizable reader must have visible (leader only) */
    MEMBER_FORWARD,  /* payload to the leader (`to` 0), or to node `to` → reply */
    MEMBER_TRANSFER, /* leadership to `to`, 0: whoever is best */
    MEMBER_HALT      /* stop taking part for the life of the process */
};

/* Results:
 *  PROPOSE  GW_OK or what the command answered (then index, revision, reply are set);
 * GW_NOT_LEADER: surely not done; GW_NO_QUORUM; GW_UNKNOWN_OUTCOME: may still happen.
 *  FORWARD  GW_OK: reply holds the other side's answer; GW_NO_QUORUM: no leader or no way
 * to it for timeout_ms, surely not done; GW_AGAIN: this node leads, do it here;
 * GW_UNKNOWN_OUTCOME: the link broke or time ran out with the request on its way. */
struct member_call {
    struct member_mail head;
    enum member_call_type type;
    struct mailbox *reply_to;
    uint64_t to;
    uint64_t timeout_ms;    /* 0: MEMBER_WAIT_MS */
    enum replica_when when; /* PROPOSE: REPLICA_WHEN_VISIBLE, unless set */
    struct buffer payload;  /* owned */
    enum result result;
    uint64_t index, revision;
    struct buffer reply; /* owned */
    void *owner;         /* the caller's */
};
void member_call_init(struct member_call *call, enum member_call_type type,
                      struct mailbox *reply_to);
void member_call_deinit(struct member_call *call);

struct member_peer {
    uint64_t id;
    bool connected;      /* its consensus link is open */
    uint64_t seen_ms;    /* instant_monotonic_ms of the last frame; 0: never */
    struct slice status; /* its last status, owned by the view; empty: none yet */
};

struct member_counters { /* all only ever rise */
    uint64_t frames_in, frames_out, bytes_in, bytes_out, malformed, links_opened,
        links_refused, dropped_over_limit, forwards_in, forwards_out, joins;
};

struct member_view { /* heap; the receiver frees it */
    struct member_mail head;
    uint64_t at_ms;         /* instant_monotonic_ms */
    uint64_t life;          /* as the options say */
    enum result halt_cause; /* GW_OK: it is not; GW_DISK_LOW: for want of room */
    struct replica_view replica;
    struct replica_counters replica_counters;
    struct member_counters counters;
    unsigned peer_count;
    struct member_peer peers[MEMBER_PEERS];
};
void member_view_free(struct member_view *view);

struct member_forwarded { /* heap; goes back by member_answer, once, always */
    struct member_mail head;
    uint64_t from; /* node id; 0: a joiner, who has none yet */
    uint64_t id;
    uint64_t life;         /* as the options say: no other member can answer it */
    struct buffer payload; /* owned */
};
/* Thread-safe. Takes `forwarded`; the reply is copied. */
void member_answer(struct member *member, struct member_forwarded *forwarded,
                   struct slice reply);

struct member_visible { /* heap, freed by free() */
    struct member_mail head;
    uint64_t index, revision;
};

/* The raft section of the Cluster resource. */
struct member_shape {
    struct pace_options pace;
    struct roster_options roster;
};

/* A member that a recovery left behind: spoken to now and then, so that both sides say
 * whose epoch is which. */
struct member_former {
    uint64_t id;
    char address[MEMBER_ADDRESS];
};

struct member_options {
    uint64_t id;
    const char *cluster_id, *name;            /* copied */
    uint64_t epoch;                           /* of `cluster recover` */
    uint64_t format;                          /* that is stored */
    const char *lineage;                      /* copied */
    const char *peer_listen, *peer_advertise; /* "127.0.0.1:7000"; copied */
    struct tls_context *server, *client;      /* of the peer port; shared */
    const char *data_dir; /* where dumps for peers stand while they are sent; copied */
    struct env *env;      /* borrowed; the member opens the store over it */
    const struct member_former *formers; /* copied, MEMBER_PEERS at most */
    size_t former_count;
    const struct command_type *commands;
    size_t command_count; /* the FSM's table; ends with number 0 */
    struct member_shape shape;
    bool is_disk_low;
    uint64_t life;           /* the owner's: views and forwarded requests carry it */
    struct mailbox *control; /* news, and forwarded requests */
};

/* Opens the store, loads the replica, binds the peer port: errors name what to do. */
enum result member_open(const struct member_options *options, struct member **ret_member,
                        struct error *err);
/* Starts the member's and the store's threads. */
enum result member_start(struct member *member, struct error *err);
/* Ends both threads; calls under way come back with GW_CLOSED. Frees. NULL is fine. */
void member_close(struct member *member);

/* Thread-safe. Takes the call until it comes back as mail to its mailbox. */
void member_post(struct member *member, struct member_call *call);
/* Thread-safe: what this node's status frames say from now on (copied, ≤ 16 KiB); sent to
 * every peer at once when it changed, and every second. */
void member_status_set(struct member *member, struct slice status);

/* Thread-safe: links that are opened from now on use these (shared); those that stand
 * stay as they are. */
void member_credentials_set(struct member *member, struct tls_context *server,
                            struct tls_context *client);
/* Thread-safe: this node is about to end. It hands leadership over, again and again until
 * it leads no more, and stands back in elections. */
void member_stopping(struct member *member);
/* Thread-safe: the disk has little room: this node is slow to stand for election, and
 * hands leadership over to `heir`, a voter that has more; 0: there is none. */
void member_disk_low_set(struct member *member, bool is_low, uint64_t heir);
/* Thread-safe: this node's state is wrong, or right again. While it is wrong the member
 * votes and keeps the log, and does not lead. */
void member_quarantine_set(struct member *member, bool is_quarantined);
/* Thread-safe: store_digest_at. */
bool member_digest_at(struct member *member, uint64_t index, uint64_t *ret_digest);
/* Thread-safe: what is broken from now on, instead of what was; copied. */
void member_faults_set(struct member *member, const struct fault_orders *orders);
/* Thread-safe: from now on these times and this shape. */
void member_shape_set(struct member *member, const struct member_shape *shape);
/* Thread-safe: the node records and the stored format, as of `visible`; copied. Links are
 * dialled and the roster is kept by them; a peer that is not among them although `visible`
 * has reached its id was removed, and is refused. */
struct member_node {
    uint64_t id;
    char address[MEMBER_ADDRESS]; /* "host:port" */
    enum roster_wish wish;
    uint64_t region; /* hash of its name */
};
void member_nodes_set(struct member *member, const struct member_node *nodes, size_t count,
                      uint64_t visible, uint64_t format);
/* Thread-safe, relaxed: for /livez: instant_monotonic_ms of the loop's last turn. */
uint64_t member_turned_ms(const struct member *member);

#endif
