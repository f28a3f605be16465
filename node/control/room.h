/* What the rooms of control share: its state, on the loop's thread only. */
#ifndef GW_NODE_ROOM_H
#define GW_NODE_ROOM_H

#include "net/http_server.h"
#include "node/control/control.h"
#include "node/control/disk.h"
#include "node/control/nodes.h"
#include "node/control/proposer.h"
#include "node/control/watch.h"
#include "pki/seal.h"
#include "raft/member.h"
#include "raft/sameness.h"
#include "store/meta.h"

#define CONTROL_BODY_MAX   (16u << 20)
#define CONTROL_BODIES_MAX (64u << 20) /* of requests in work, in all */
/* For a leader, an index; then no_quorum. gwctl says so within 3 s, also on a busy machine.
 */
#define CONTROL_WAIT_MS       2000
#define CONTROL_LONG_WAIT_MS  10000 /* for a large change at a leader that is there */
#define CONTROL_LARGE_BODY    (256u << 10)
#define CONTROL_LISTENERS_MAX 64
#define CONTROL_WORKERS_MAX   256
#define CONTROL_REDIAL_MS     2000 /* a busy listener is tried again so often */

struct control;
struct credentials;
struct schedule;
struct upkeep;

/* A call to the member and what to do when it comes back. Freed by the callee. */
struct control_call;
typedef void (*control_call_fn)(struct control_call *call);
struct control_call {
    struct member_call member;
    struct control *control;
    control_call_fn done;
    void *owner;
};

enum listener_state { LISTENER_OPEN, LISTENER_FAILED };
struct listener_entry {
    char name[64];
    char bind[80];
    enum listener_state state;
    char why[256];
};

/* apply.c: writes that were answered in this turn of the loop and are not logged yet. */
struct control_applied {
    char actor[256];
    uint64_t writes, objects;
    uint64_t since, revision; /* of the first and the last */
};

/* publish.c: what is compiled and handed to the workers. */
struct publish {
    struct mailbox bin; /* snapshots that nobody serves from any more */
    struct job job;
    struct compile_options options; /* of the job */
    char region[64], zone[64];      /* what they name */
    struct edition *compiling;      /* NULL: nothing under way */
    struct snapshot *fresh;         /* the job's result */
    struct error err;
    struct snapshot *current;         /* published */
    bool has_wanted;                  /* newer than compiling: once more */
    uint64_t began_us, rest_until_us; /* of the compile: the next waits until then */
    uv_timer_t rest;
    bool is_resting;
    uint64_t skipped; /* revisions that a newer one came before */
    uint64_t worker_served[CONTROL_WORKERS_MAX];
    bool worker_has[CONTROL_WORKERS_MAX];
    uint64_t served; /* by all workers */
    bool is_served;  /* anything at all */
    struct listener_entry listeners[CONTROL_LISTENERS_MAX];
    size_t listener_count;
    uint64_t failures; /* compiles that failed */
    char failure[256]; /* of the newest, empty when the newest stood */
};

struct control {
    uv_loop_t *loop;
    struct control_options options;
    struct control_side side;
    bool has_side;
    struct seal_key key;       /* the cluster's: keyring.h */
    struct seal_key other_key; /* the next or the last one, while it is rotated */
    bool has_other_key;

    struct env *env;
    struct meta_epoch epoch; /* of this directory */
    struct member *member;   /* NULL: not yet, or between two lives */
    struct mailbox mailbox;
    struct member_view *view; /* the newest, owned; NULL before the first */
    uint64_t visible_index, visible_revision;

    struct edition *visible; /* owned; NULL only before the first read */
    struct job reader;
    struct edition *read; /* the job's result */
    struct error read_err;
    bool is_reading, read_again, read_index;

    struct disk disk;
    struct nodes nodes;
    struct member_shape shape; /* as the member was told */
    char region[64], zone[64];
    struct board *board;
    struct publish publish;
    struct proposer proposer;
    uint64_t proposer_term;

    struct http_server *admin, *status;
    struct list_link waiting;  /* struct wait: for an index to be visible here */
    struct list_link laggards; /* struct request: for others to serve */
    struct list_link requests; /* struct request, all of them */
    size_t request_count, body_bytes;
    uint64_t requests_total, requests_refused, writes_total, forwards_total;
    uint64_t joins_refused;
    struct list_link backup_streams; /* snapshots on their way to a client */
    unsigned backup_stream_count;
    struct watches watches;
    struct sameness sameness; /* of this node's state and the others' */
    uint64_t quarantine_refused;
    struct schedule *schedule; /* of backups; NULL: none */
    struct credentials *credentials;
    struct upkeep *upkeep;

    struct faults faults; /* fault points, as far as they concern this node */
    bool has_holes, is_tidying_faults;

    uv_timer_t second; /* housekeeping */
    uv_timer_t drain_timer;
    uv_idle_t proposing;  /* while writes wait for the next turn */
    uv_prepare_t telling; /* while `applied` has something */
    struct control_applied applied;
    uv_signal_t term, interrupt, hangup;
    struct rng rng;
    uint64_t started_ms;
    unsigned drained_workers;
    uint64_t drain_until_ms;
    bool is_started, is_draining, is_ending, is_halted, is_announced, is_removed;
    bool has_told_record; /* the node's own record is as gwd.yaml says */
    bool is_telling;
    struct error end; /* why the loop ends */
};

/* control.c */
bool control_is_leader(const struct control *control);
uint64_t control_leader(const struct control *control); /* 0: none */
uint64_t control_now_ms(const struct control *control);
/* Posts; `done` runs with the call, which it frees by control_call_free. False: no memory.
 */
bool control_call(struct control *control, enum member_call_type type, struct slice payload,
                  uint64_t to, uint64_t timeout_ms, control_call_fn done, void *owner);
void control_call_free(struct control_call *call);
/* member_answer, also while the member is gone. */
void control_answer(struct control *control, struct member_forwarded *forwarded,
                    struct slice reply);
/* This node's record; NULL before it is visible here. */
const struct node_entry *control_self(const struct control *control);
/* Opens the member and starts it, with what is known by now. */
enum result control_start_member(struct control *control, struct error *err);
/* Ends the loop. */
void control_end(struct control *control, enum result result, const char *why);
/* `region` is to be found in the node's own settings, else its record. */
void control_place(struct control *control);

/* news.c: what came from the member; owner: the control. */
void news_deliver(struct mail *mail, void *owner);
/* hooks.c: makes the proposer. */
void hooks_init(struct control *control);

/* drain.c */
void drain_finish(struct control *control); /* all workers have drained */
void drain_on_signal(uv_signal_t *handle, int number);
void drain_on_hangup(uv_signal_t *handle, int number);

/* self.c */
/* How old what this node knows may be: since when it has not heard of a leader. */
uint64_t control_lag_ms(const struct control *control);
void control_status_send(struct control *control);
/* Is it fit for traffic? Reasons go, one a line, to `why` (may be NULL). */
bool control_is_ready(const struct control *control, struct buffer *why);
/* Says so once when this node is no member any more. */
void self_notice_removal(struct control *control);
/* Proposes this node's record where gwd.yaml says other than it. */
void self_tell_record(struct control *control);

/* shape.c */
struct member_shape shape_wanted(const struct control *control);
/* Tells the member when the visible configuration says other than before. */
void shape_follow(struct control *control);

/* catalog_source.c */
void catalog_source_refresh(struct control *control);

/* publish.c */
enum result publish_open(struct control *control, struct error *err);
void publish_close_bin(struct control *control);
void publish_start(struct control *control); /* the newest edition, if it is newer */
void publish_again(struct control *control); /* the same, since binds or place changed */
/* A witness votes and stores; it serves nobody. */
bool publish_is_witness(const struct control *control);
void publish_retry_listeners(struct control *control);
void publish_close(struct control *control);
/* Compiles in place, for the start. */
/* All workers serve another revision. */
void control_served(struct control *control);
enum result publish_first(struct control *control, struct error *err);

/* admin.c, status.c */
enum result admin_open(struct control *control, struct error *err);
enum result status_open(struct control *control, struct error *err);
/* gauges.c */
void gauges_update(struct control *control);

/* laggards.c: requests that wait for others to serve what they changed. */
void laggards_check(struct control *control);

/* backup.c: ends answers that nobody reads. */
void backup_tick(struct control *control, uint64_t now_ms);

/* forward.c: another node's request, or a joiner's. */
void forward_arrived(struct control *control, struct member_forwarded *forwarded);
/* join.c */
void join_arrived(struct control *control, struct member_forwarded *forwarded);

#endif
