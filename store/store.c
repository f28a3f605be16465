/* The queue and its group commits.
 *
 * One step takes what is queued, runs it in order inside one write transaction,
 * and commits when somebody needs it: an append, a truncation, a vote or an
 * install at once; applied state after `linger_us` or `lazy_us`, or when a reader waits.
 *
 * Commits are pipelined. With MDB_NOMETASYNC a commit flushes the data, then
 * writes the meta page unflushed; the next commit's flush carries it. So what
 * transaction N promised completes after commit N+1, or after a sync when the
 * queue is empty. Two flushes per lone write, one under load.
 *
 * The price: an answer of APPLY goes out before this node's own disk has it. It
 * is committed by a quorum's disks, and this one runs it again after a crash. */
#include "store/digests.h"
#include "store/dump.h"
#include "store/meta.h"
#include "store/records.h"

#include "base/instant.h"
#include "base/plant.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct store {
    struct store_options options;

    pthread_mutex_t lock; /* queue, completed, sequence, want_visible, stopping */
    pthread_cond_t pushed;
    struct list_link queue, completed;
    uint64_t sequence;
    bool want_visible, stopping;
    bool is_running; /* a thread steps */
    bool has_pushed; /* since the last kick; the pusher's own */
    pthread_t thread;

    /* The stepping thread's own. */
    struct txn *txn; /* open write transaction, or NULL */
    uint64_t commit_by_us;
    bool needs_durable;     /* something in txn waits for the disk */
    bool commit_wanted;     /* somebody waits for txn to be visible */
    bool is_awaited;        /* txn changed the configuration: wanted soon, not at once */
    bool has_news;          /* since the last wake */
    bool is_unsynced;       /* held waits for a sync or the next commit */
    struct list_link batch; /* run in txn, not committed */
    struct list_link held;  /* committed, not durable */
    uint64_t run_sequence;  /* last job run */
    uint64_t held_sequence; /* last job in held's transaction */
    uint64_t applied, revision;
    struct buffer scratch;
    struct digests digests;

    /* Written by the stepping thread, read by any. */
    _Atomic uint64_t durable, visible, visible_revision;
    _Atomic bool is_halted;
    _Atomic enum result halt_cause;                /* before is_halted */
    _Atomic uint64_t slow_delay_ms, slow_until_ms; /* store_slow; 0: not slow */
};

enum result store_open(const struct store_options *options, struct store **ret_store,
                       struct error *err)
{
    struct store *store = calloc(1, sizeof *store);
    struct txn *txn;
    struct record_state state;
    pthread_condattr_t attributes;

    if (store == NULL)
        return error_set(err, GW_NO_MEMORY, "open store");
    store->options = *options;
    if (store->options.lazy_us == 0)
        store->options.lazy_us = 5000;
    if (store->options.stage_spare_bytes == 0)
        store->options.stage_spare_bytes = 64u << 20;
    pthread_mutex_init(&store->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&store->pushed, &attributes);
    pthread_condattr_destroy(&attributes);
    list_init(&store->queue);
    list_init(&store->completed);
    list_init(&store->batch);
    list_init(&store->held);
    buffer_init(&store->scratch, 0);
    digests_init(&store->digests);

    enum result result = env_begin_read(options->env, &txn);
    if (result == GW_OK) {
        result = record_state_get(txn, &state);
        txn_abort(txn);
    }
    if (result != GW_OK) {
        store_close(store);
        return error_set(err, result, "open store: the state is unreadable: %s",
                         result_text(result));
    }
    store->applied = state.applied;
    store->revision = state.revision;
    digests_reset(&store->digests, state.applied, state.digest);
    atomic_store(&store->visible, state.applied);
    atomic_store(&store->visible_revision, state.revision);
    *ret_store = store;
    return GW_OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    store_stop(store);
    txn_abort(store->txn);
    buffer_deinit(&store->scratch);
    digests_deinit(&store->digests);
    pthread_cond_destroy(&store->pushed);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

void store_push(struct store *store, struct store_job *job)
{
    pthread_mutex_lock(&store->lock);
    job->sequence = ++store->sequence;
    job->result = GW_OK;
    list_append(&store->queue, &job->link);
    if (store->options.is_kicked)
        store->has_pushed = true;
    else
        pthread_cond_signal(&store->pushed);
    pthread_mutex_unlock(&store->lock);
}

void store_kick(struct store *store)
{
    if (!store->has_pushed)
        return;
    store->has_pushed = false;
    pthread_mutex_lock(&store->lock);
    pthread_cond_signal(&store->pushed);
    pthread_mutex_unlock(&store->lock);
}

void store_want_visible(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store->want_visible = true;
    pthread_cond_signal(&store->pushed);
    pthread_mutex_unlock(&store->lock);
}

void store_take_completed(struct store *store, struct list_link *ret_jobs)
{
    pthread_mutex_lock(&store->lock);
    list_move_all(ret_jobs, &store->completed);
    pthread_mutex_unlock(&store->lock);
}

uint64_t store_durable(const struct store *store)
{
    return atomic_load(&store->durable);
}

uint64_t store_visible(const struct store *store)
{
    return atomic_load(&store->visible);
}

uint64_t store_revision(const struct store *store)
{
    return atomic_load(&store->visible_revision);
}

bool store_digest_at(struct store *store, uint64_t index, uint64_t *ret_digest)
{
    return index <= store_visible(store) && digests_at(&store->digests, index, ret_digest);
}

bool store_is_halted(const struct store *store)
{
    return atomic_load(&store->is_halted);
}

enum result store_halt_cause(const struct store *store)
{
    return store_is_halted(store) ? atomic_load(&store->halt_cause) : GW_OK;
}

enum result store_load(struct store *store, struct store_boot *ret_boot, struct error *err)
{
    struct txn *txn;
    uint64_t last;
    enum result result = env_begin_read(store->options.env, &txn);

    if (result != GW_OK)
        return error_set(err, result, "load: %s", result_text(result));
    result = store_boot_read(txn, ret_boot, err);
    txn_abort(txn);
    if (result != GW_OK)
        return result;

    last = ret_boot->first + ret_boot->entry_count - 1;
    if (ret_boot->entry_count > 0 && last < ret_boot->label.index) {
        result = env_begin_write(store->options.env, &txn);
        if (result == GW_OK) {
            result = txn_end(txn, txn_clear(txn, ENV_LOG));
        }
        if (result == GW_OK)
            result = env_sync(store->options.env);
        for (size_t i = 0; i < ret_boot->entry_count; i++)
            free((void *)(uintptr_t)ret_boot->entries[i].bytes.data);
        ret_boot->entry_count = 0;
        ret_boot->first = ret_boot->label.index + 1;
        if (result != GW_OK) {
            store_boot_free(ret_boot);
            return error_set(err, result, "drop the log below the state: %s",
                             result_text(result));
        }
    }
    return GW_OK;
}

/* --- running jobs --- */

static enum result run_append(struct store *store, struct store_job *job)
{
    enum result result = GW_OK;

    for (unsigned i = 0; result == GW_OK && i < job->entry_count; i++)
        result =
            meta_entry_put(store->txn, job->index + i, &job->entries[i], &store->scratch);
    /* One huge entry must not pin its size for ever. */
    if (store->scratch.capacity > (1u << 20)) {
        buffer_deinit(&store->scratch);
        buffer_init(&store->scratch, 0);
    }
    return result;
}

static enum result run_apply(struct store *store, struct store_job *job)
{
    enum result result;
    uint64_t digest;

    job->answer = (struct store_answer){.result = GW_OK, .revision = store->revision};
    if (job->index <= store->applied && !GW_PLANTED("applied-twice"))
        return GW_OK; /* in the state already: a dump reached further */
    result = store->options.apply(store->options.owner, store->txn, job->index, job->bytes,
                                  &job->answer);
    if (result == GW_OK)
        result = record_digest(store->txn, &digest);
    if (result != GW_OK)
        return result;
    digests_add(&store->digests, job->index, digest);
    store->applied = job->index;
    store->revision = job->answer.revision;
    if (job->answer.configuration)
        store->is_awaited = true;
    return GW_OK;
}

static enum result run_snapshot(struct store *store, struct store_job *job)
{
    struct store_label label;
    enum result result = meta_label_get(store->txn, &label);

    if (result != GW_OK)
        return result;
    /* After an install the recorded label may be ahead of the core's: it must not
     * fall behind the state, whose log is not here. */
    if (label.index < job->label.index) {
        result = meta_label_put(store->txn, &job->label);
        if (result == GW_OK && job->label.conf_index > 1)
            result = txn_delete_range(store->txn, ENV_CONF, 0, job->label.conf_index - 1);
    }
    if (result == GW_OK && job->label.index > job->trailing)
        result = txn_delete_range(store->txn, ENV_LOG, 0, job->label.index - job->trailing);
    return result;
}

/* A dump takes its room twice while it is installed. To run out of it then would halt the
 * member; so it is refused while there still is some. */
static bool has_room(struct store *store, uint64_t rest_bytes)
{
    struct env_usage usage;
    uint64_t wanted = 2 * rest_bytes + store->options.stage_spare_bytes;

    env_usage(store->options.env, &usage);
    return usage.free_disk_bytes >= wanted &&
           usage.map_bytes - usage.used_bytes >= 2 * rest_bytes;
}

static enum result run_stage(struct store *store, struct store_job *job)
{
    enum result result;

    store->commit_wanted = true;
    if (job->piece.id == 0) {
        job->staging = (struct staging){0};
        return staging_clear(store->txn);
    }
    if (!has_room(store, job->rest_bytes)) {
        job->outcome = STAGING_FULL;
        result = staging_get(store->txn, &job->staging);
        return result == GW_DAMAGED ? staging_clear(store->txn) : result;
    }
    job->piece.bytes = job->bytes;
    return staging_put(store->txn, &job->piece, &job->staging, &job->outcome);
}

static enum result run_install(struct store *store, struct store_job *job)
{
    struct staging staging;
    struct record_state state;
    struct store_label label = job->label, recorded;
    struct dump_header staged;
    struct buffer staged_conf, recorded_conf;
    enum result result = staging_get(store->txn, &staging);

    buffer_init(&staged_conf, 0);
    buffer_init(&recorded_conf, 0);
    /* Whoever pushed this has seen it whole. */
    if (result == GW_OK && (staging.id != job->piece.id || !staging.is_whole))
        result = GW_DAMAGED;
    if (result == GW_OK)
        result = staging_header(store->txn, &staged_conf, &staged);
    if (result == GW_OK)
        result = staged.state.applied > store->applied
                     ? staging_install(store->txn, &staging)
                     : staging_clear(store->txn);
    /* What the dump holds may reach further than what the core knows it as, and an
     * earlier dump further still; the start must not go behind the state. */
    if (result == GW_OK)
        result = meta_label_get(store->txn, &recorded);
    if (result == GW_OK && staged.label.index > label.index)
        label = staged.label;
    if (result == GW_OK && recorded.index > label.index) {
        buffer_append_slice(&recorded_conf, recorded.conf); /* borrowed until a write */
        label = recorded;
        label.conf = buffer_slice(&recorded_conf);
    }
    if (GW_PLANTED("dump-without-conf") && result == GW_OK && recorded.conf.size > 0 &&
        buffer_append_slice(&recorded_conf, recorded.conf))
        label.conf = buffer_slice(&recorded_conf);
    if (GW_PLANTED("dump-without-sessions") && result == GW_OK)
        result = txn_clear(store->txn, ENV_SESSIONS);
    if (result == GW_OK)
        result = meta_label_put(store->txn, &label);
    if (result == GW_OK)
        result = txn_clear(store->txn, ENV_LOG);
    if (result == GW_OK)
        result = txn_clear(store->txn, ENV_CONF);
    if (result == GW_OK)
        result = record_state_get(store->txn, &state);
    if (result == GW_OK) {
        if (state.applied > store->applied)
            digests_reset(&store->digests, state.applied, state.digest);
        store->applied = state.applied;
        store->revision = state.revision;
        job->answer.revision = state.revision;
        job->answer.now_ms = state.now_ms;
        job->answer.configuration = true;
    }
    buffer_deinit(&staged_conf);
    buffer_deinit(&recorded_conf);
    return result;
}

static enum result run(struct store *store, struct store_job *job)
{
    switch (job->type) {
    case STORE_APPEND:
        store->needs_durable = true;
        return run_append(store, job);
    case STORE_TRUNCATE: {
        enum result result;
        store->needs_durable = true;
        result = txn_delete_range(store->txn, ENV_LOG, job->index, UINT64_MAX);
        return result == GW_OK
                   ? txn_delete_range(store->txn, ENV_CONF, job->index, UINT64_MAX)
                   : result;
    }
    case STORE_VOTE:
        store->needs_durable = true;
        return meta_vote_put(store->txn, job->term,
                             GW_PLANTED("vote-forgotten") ? 0 : job->vote);
    case STORE_APPLY:
        return run_apply(store, job);
    case STORE_SNAPSHOT:
        return run_snapshot(store, job);
    case STORE_STAGE:
        return run_stage(store, job);
    case STORE_INSTALL:
        store->needs_durable = true;
        return run_install(store, job);
    }
    return GW_FAILED;
}

/* --- completing --- */

static void complete(struct store *store, struct list_link *jobs)
{
    store->has_news |= !list_is_empty(jobs);
    pthread_mutex_lock(&store->lock);
    list_move_all(&store->completed, jobs);
    pthread_mutex_unlock(&store->lock);
}

static void wake(struct store *store)
{
    bool has_news = store->has_news;

    store->has_news = false;
    if (has_news && store->options.wake != NULL)
        store->options.wake(store->options.owner);
}

/* What the last durable commit promised is on disk now. */
static void release_held(struct store *store)
{
    store->is_unsynced = false;
    store->has_news = true;
    if (store->held_sequence > atomic_load(&store->durable))
        atomic_store(&store->durable, store->held_sequence);
    complete(store, &store->held);
}

static void fail_all(struct list_link *jobs, enum result result)
{
    list_each (jobs, link) {
        container_of(link, struct store_job, link)->result = result;
    }
}

/* Nothing more is written or promised. Reading goes on. */
static void halt(struct store *store, enum result cause, struct list_link *jobs)
{
    if (!store_is_halted(store))
        atomic_store(&store->halt_cause, cause);
    atomic_store(&store->is_halted, true);
    store->has_news = true;
    txn_abort(store->txn);
    store->txn = NULL;
    store->is_unsynced = store->needs_durable = false;
    store->commit_wanted = store->is_awaited = false;
    fail_all(&store->held, GW_HALTED);
    fail_all(&store->batch, GW_HALTED);
    fail_all(jobs, GW_HALTED);
    complete(store, &store->held);
    complete(store, &store->batch);
    complete(store, jobs);
}

static enum result commit(struct store *store)
{
    enum result result = txn_commit(store->txn);

    store->txn = NULL;
    if (result != GW_OK)
        return result;
    store->has_news |= store_visible(store) != store->applied;
    atomic_store(&store->visible_revision, store->revision);
    atomic_store(&store->visible, store->applied);
    /* This commit's flush carried the previous one's meta page. */
    if (store->is_unsynced)
        release_held(store);
    if (store->needs_durable) {
        list_move_all(&store->held, &store->batch);
        store->held_sequence = store->run_sequence;
        store->is_unsynced = true;
        if (GW_PLANTED("early-durable"))
            release_held(store);
    } else {
        complete(store, &store->batch);
    }
    store->needs_durable = store->commit_wanted = store->is_awaited = false;
    return GW_OK;
}

/* Whether the open transaction is committed in this step. */
static bool is_commit_due(const struct store *store, uint64_t now_us, bool has_more)
{
    if (store->txn == NULL)
        return false;
    if (store->needs_durable || now_us >= store->commit_by_us)
        return true;
    if (has_more)
        return false; /* what comes is soon run, and goes along */
    /* Where a flush is due anyway, it may as well be a commit's. */
    return store->commit_wanted || (store->is_awaited && store->is_unsynced);
}

bool store_step(struct store *store, uint64_t now_us, uint64_t *ret_next_us)
{
    struct list_link jobs, early;
    enum result result = GW_OK;
    bool had_jobs, has_more, is_idle;

    list_init(&jobs);
    list_init(&early);
    *ret_next_us = UINT64_MAX;
    pthread_mutex_lock(&store->lock);
    list_move_all(&jobs, &store->queue);
    if (store->want_visible && store->txn != NULL)
        store->commit_wanted = true;
    bool want = store->want_visible;
    store->want_visible = false;
    pthread_mutex_unlock(&store->lock);
    had_jobs = !list_is_empty(&jobs);
    is_idle = !had_jobs && store->txn == NULL && !store->is_unsynced;

    if (store_is_halted(store)) {
        if (had_jobs) {
            halt(store, GW_HALTED, &jobs);
            wake(store);
        }
        return had_jobs;
    }
    if (is_idle)
        return false;

    if (had_jobs && store->txn == NULL) {
        result = env_begin_write(store->options.env, &store->txn);
        store->commit_by_us = now_us + store->options.lazy_us;
        if (want)
            store->commit_wanted = true;
    }
    while (result == GW_OK) {
        struct list_link *link = list_take_first(&jobs);
        struct store_job *job;

        if (link == NULL)
            break;
        job = container_of(link, struct store_job, link);
        result = run(store, job);
        store->run_sequence = job->sequence;
        job->result = result;
        list_append(result == GW_OK && job->type == STORE_APPLY ? &early : &store->batch,
                    link);
    }
    if (store->is_awaited && store->commit_by_us > now_us + store->options.linger_us)
        store->commit_by_us = now_us + store->options.linger_us;
    complete(store, &early);
    wake(store); /* whoever waits for an answer need not wait for the commit */
    if (result != GW_OK) {
        halt(store, result, &jobs);
        wake(store);
        return true;
    }

    pthread_mutex_lock(&store->lock);
    has_more = !list_is_empty(&store->queue);
    pthread_mutex_unlock(&store->lock);

    if (is_commit_due(store, now_us, has_more))
        result = commit(store);
    else if (store->is_unsynced && !has_more) {
        /* Nothing to pipeline with: flush the last meta page now. */
        result = env_sync(store->options.env);
        if (result == GW_OK)
            release_held(store);
    }
    if (result != GW_OK)
        halt(store, result, &jobs);
    if (store->is_unsynced || has_more)
        *ret_next_us = now_us;
    else if (store->txn != NULL)
        *ret_next_us = store->commit_wanted ? now_us : store->commit_by_us;
    wake(store);
    return true;
}

/* --- the thread --- */

void store_slow(struct store *store, uint64_t delay_ms, uint64_t until_ms)
{
    atomic_store(&store->slow_delay_ms, delay_ms);
    atomic_store(&store->slow_until_ms, until_ms);
}

static bool is_stopping(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    bool stopping = store->stopping;
    pthread_mutex_unlock(&store->lock);
    return stopping;
}

/* Looks again every few milliseconds, so that neither the end of the fault nor that of
 * the node waits for the delay. */
static void be_slow(struct store *store)
{
    uint64_t begun_ms = instant_monotonic_ms(), now_ms = begun_ms;

    while (now_ms < atomic_load(&store->slow_until_ms) &&
           now_ms - begun_ms < atomic_load(&store->slow_delay_ms) && !is_stopping(store)) {
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        now_ms = instant_monotonic_ms();
    }
}

static void *store_main(void *owner)
{
    struct store *store = owner;

    for (;;) {
        uint64_t next_us = UINT64_MAX;

        if (atomic_load(&store->slow_until_ms) != 0)
            be_slow(store);

        store_step(store, instant_monotonic_us(), &next_us);
        pthread_mutex_lock(&store->lock);
        while (list_is_empty(&store->queue) && !store->stopping && !store->want_visible) {
            if (next_us == UINT64_MAX) {
                pthread_cond_wait(&store->pushed, &store->lock);
            } else {
                struct timespec until = {.tv_sec = (time_t)(next_us / 1000000),
                                         .tv_nsec = (long)(next_us % 1000000) * 1000};
                if (instant_monotonic_us() >= next_us ||
                    pthread_cond_timedwait(&store->pushed, &store->lock, &until) != 0)
                    break;
            }
        }
        /* A wish with nothing open is granted already. */
        if (store->want_visible && store->txn == NULL && list_is_empty(&store->queue))
            store->want_visible = false;
        bool stopping = store->stopping && list_is_empty(&store->queue);
        pthread_mutex_unlock(&store->lock);
        if (stopping && store->txn == NULL && !store->is_unsynced)
            return NULL;
        if (stopping)
            store->commit_wanted = true;
    }
}

enum result store_start(struct store *store, struct error *err)
{
    int rc = pthread_create(&store->thread, NULL, store_main, store);

    if (rc != 0)
        return error_set(err, GW_FAILED, "start the store thread: %s", strerror(rc));
    store->is_running = true;
    return GW_OK;
}

void store_stop(struct store *store)
{
    if (!store->is_running)
        return;
    pthread_mutex_lock(&store->lock);
    store->stopping = true;
    pthread_cond_signal(&store->pushed);
    pthread_mutex_unlock(&store->lock);
    pthread_join(store->thread, NULL);
    store->is_running = false;
    store->stopping = false;
}

void store_cancel(struct store *store, struct list_link *ret_jobs)
{
    txn_abort(store->txn);
    store->txn = NULL;
    list_move_all(ret_jobs, &store->completed);
    list_move_all(ret_jobs, &store->held);
    list_move_all(ret_jobs, &store->batch);
    list_move_all(ret_jobs, &store->queue);
    store->is_unsynced = store->needs_durable = false;
    store->commit_wanted = store->is_awaited = false;
}
