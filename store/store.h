/* The store thread's queue: what Raft wants written, in order, in group commits.
 *
 * The member pushes jobs and never waits for a disk. One step takes the queue,
 * runs it in order inside one write transaction and commits; jobs come back
 * completed, with the highest sequence that is durable. Nothing may be sent to
 * a peer before what it promises is durable: that gate is the replica's, on
 * store_durable().
 *
 * APPLY jobs run the state machine inside the write transaction: the state and
 * the applied index are one commit. They come back when run, before that commit. An
 * apply-only batch stays open for a while, so that state rides on the next append:
 * `linger_us` where it changed the configuration, else `lazy_us`; not at all when
 * somebody waits for it to be visible.
 * Order, pipelining and why: notes in docs/ARCHITECTURE.md, "A write".
 *
 * Threads: push, take_completed, durable, visible: the member's. step: the store
 * thread's (or the simulator's only thread). */
#ifndef GW_STORE_STORE_H
#define GW_STORE_STORE_H

#include "base/buffer.h"
#include "base/list.h"
#include "store/env.h"
#include "store/staging.h"

/* What libraft calls an entry of type 1, 2, 3: named here so that the store needs
 * no libraft. */
enum store_entry_type { STORE_COMMAND = 1, STORE_BARRIER = 2, STORE_CHANGE = 3 };

enum store_job_type {
    STORE_APPEND,   /* log entries */
    STORE_TRUNCATE, /* drop the log from `index` on */
    STORE_VOTE,     /* term and vote */
    STORE_APPLY,    /* one committed entry → state machine */
    STORE_SNAPSHOT, /* take: record the label, trim the log to `trailing` before it */
    STORE_STAGE,    /* a piece of a dump that is being received; id 0: drop what there is */
    STORE_INSTALL   /* replace the state by the staged dump, clear the log */
};

struct store_entry { /* one log entry, as stored */
    uint64_t term;
    uint8_t type; /* libraft's: command, barrier, change */
    struct slice bytes;
};

/* What a snapshot is called: Raft's view of it. */
struct store_label {
    uint64_t index, term, conf_index;
    struct slice conf; /* encoded configuration, as in ENV_CONF */
};

/* What applying an entry answered. Deterministic: the same on every node. */
struct store_answer {
    enum result result;
    uint64_t revision;   /* after this entry */
    bool configuration;  /* moved the revision */
    uint64_t now_ms;     /* log time after this entry */
    struct slice detail; /* owned by the job: encoded by the command, see raft/command.h */
};

struct store_job {
    struct list_link link;
    enum store_job_type type;
    uint64_t sequence; /* by store_push */
    uint64_t index;    /* first index, index to truncate from, index applied */
    uint64_t term, vote;
    const struct store_entry *entries; /* APPEND: borrowed until completed */
    unsigned entry_count;
    struct slice bytes; /* APPLY: entry, STAGE: piece; owned by whoever pushed */
    unsigned trailing;
    struct store_label label;
    struct staging_piece piece; /* STAGE (but for its bytes), INSTALL: the id */
    uint64_t rest_bytes;    /* STAGE: what is still to come of the dump, this included */
    struct staging staging; /* STAGE, out: what is there now */
    enum staging_outcome outcome; /* STAGE, out */
    struct store_answer answer;   /* APPLY, out */
    enum result result;           /* out: GW_OK, GW_IO … : then the store is halted */
    void *owner;                  /* the pusher's */
};

/* Runs one committed command inside the open write transaction, filling the
 * answer (detail: malloc'd, or empty). Never fails on business grounds; a
 * result other than GW_OK is a disk error and halts the store. */
typedef enum result (*store_apply_fn)(void *owner, struct txn *txn, uint64_t index,
                                      struct slice entry, struct store_answer *answer);

struct store_options {
    struct env *env; /* borrowed */
    store_apply_fn apply;
    void *owner;
    void (*wake)(void *owner);  /* store thread: jobs completed, or visible moved */
    unsigned lazy_us;           /* how long an apply-only batch may stay open; 5,000 */
    unsigned linger_us;         /* and how long once it changed the configuration */
    uint64_t stage_spare_bytes; /* of the disk, that a dump leaves free; 64 MiB */
    /* The pusher calls store_kick once it has pushed what it has: the store's thread wakes
     * for all of it, not for the first, which it would commit alone. */
    bool is_kicked;
};

struct store;

enum result store_open(const struct store_options *options, struct store **ret_store,
                       struct error *err);
void store_close(struct store *store);
/* Starts and ends the thread that steps. The simulator never calls these.
 * store_stop commits what is open and makes it durable. */
enum result store_start(struct store *store, struct error *err);
void store_stop(struct store *store);
/* Gives back every job that was not completed, unexecuted or not yet durable.
 * Only when no thread steps; the open transaction is dropped. */
void store_cancel(struct store *store, struct list_link *ret_jobs);

/* A fault point, any thread: until `until_ms` of the monotonic clock the store's thread
 * waits so long before each batch. It ends by itself, and with store_stop. */
void store_slow(struct store *store, uint64_t delay_ms, uint64_t until_ms);
void store_push(struct store *store, struct store_job *job);
/* The pusher's thread. */
void store_kick(struct store *store);
/* Asks that what was applied is committed now rather than lazily. */
void store_want_visible(struct store *store);
/* Runs one batch. Returns false when there was nothing to do. *ret_next_us:
 * when to step again at the latest even without a push (UINT64_MAX: never). */
bool store_step(struct store *store, uint64_t now_us, uint64_t *ret_next_us);
/* Completed jobs, in order; APPLY jobs are given back at once when run. */
void store_take_completed(struct store *store, struct list_link *ret_jobs);
uint64_t store_durable(const struct store *store); /* sequence */
/* The last index, and the revision, committed to the env: what readers see. */
uint64_t store_visible(const struct store *store);
uint64_t store_revision(const struct store *store);
/* Any thread: the digest of the state as of a visible index among the last DIGESTS_KEPT. */
bool store_digest_at(struct store *store, uint64_t index, uint64_t *ret_digest);
/* An I/O error happened: nothing more is written, jobs complete with GW_HALTED. */
bool store_is_halted(const struct store *store);
/* Why: GW_DISK_LOW, once there is room a store opened over the same env goes on
 * (env_prove); GW_IO or another: for good. GW_OK: it is not. */
enum result store_halt_cause(const struct store *store);

/* What a start finds: term, vote, label (from max(snapshot, applied)), the log. */
struct store_boot {
    uint64_t term, vote;
    struct store_label label; /* index 0: none */
    uint64_t first;           /* index of entries[0] */
    struct store_entry *entries;
    size_t entry_count;
    uint64_t applied, revision;
    uint64_t now_ms; /* log time of the state */
    struct staging staging;
};
/* Everything in the boot is owned by the caller: store_boot_free. */
enum result store_load(struct store *store, struct store_boot *ret_boot, struct error *err);
void store_boot_free(struct store_boot *boot);

/* The first configuration and entries of a new cluster, in one synced
 * transaction (cluster init): `conf` becomes entry 1, `entries` 2 and up, all of
 * term 1. GW_CONFLICT if there is a log already. */
enum result store_bootstrap(struct env *env, struct slice conf,
                            const struct store_entry *entries, size_t count,
                            struct error *err);

#endif
