/* struct raft_io over the store's queue.
 *
 * Every call pushes a job and returns; nothing waits for a disk, and nothing but
 * running out of memory fails: libraft cannot undo what it did before a call
 * that fails (guard H). The core's snapshot is a label: libraft gets an 8-byte
 * marker where it expects the state: the id of a dump that went ahead of its message
 * (replica_dump.c) and is staged here (replica_stage.c). */
#include "raft/replica_inner.h"

#include "base/plant.h"

#include <assert.h>
#include <stdlib.h>

static struct replica *replica_of(struct raft_io *io)
{
    return io->impl;
}

struct io_job *io_job_new(struct replica *replica, enum store_job_type type)
{
    struct io_job *job = calloc(1, sizeof *job);

    /* Out of memory is not survivable here: the core has already moved on. */
    if (job == NULL)
        abort();
    job->job.type = type;
    job->job.owner = job;
    job->asked_ms = replica->now_ms;
    raft_configuration_init(&job->conf);
    list_append(&replica->jobs, &job->outstanding);
    return job;
}

static void job_free(struct io_job *job)
{
    list_remove(&job->outstanding);
    raft_configuration_close(&job->conf);
    free((void *)(uintptr_t)job->job.label.conf.data);
    free((void *)(uintptr_t)job->job.bytes.data);
    free((void *)(uintptr_t)job->job.answer.detail.data);
    free(job->entries);
    free(job);
}

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
    (void)io;
    (void)id;
    (void)address;
    return 0;
}

static void io_close(struct raft_io *io, raft_io_close_cb done)
{
    io_cancel_all(replica_of(io));
    done(io);
}

static bool marker_new(struct raft_buffer **ret_buffers)
{
    struct raft_buffer *buffers = raft_malloc(sizeof *buffers);

    if (buffers == NULL)
        return false;
    buffers->base = raft_calloc(1, MARKER_SIZE);
    buffers->len = MARKER_SIZE;
    *ret_buffers = buffers;
    return buffers->base != NULL;
}

static struct raft_snapshot *snapshot_new(const struct label *label)
{
    struct raft_snapshot *snapshot = raft_calloc(1, sizeof *snapshot);

    if (snapshot == NULL || !conf_copy(&snapshot->configuration, &label->conf) ||
        !marker_new(&snapshot->bufs))
        abort();
    snapshot->index = label->index;
    snapshot->term = label->term;
    snapshot->configuration_index = label->conf_index;
    snapshot->n_bufs = 1;
    return snapshot;
}

static int io_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                   struct raft_snapshot **snapshot, raft_index *start_index,
                   struct raft_entry *entries[], size_t *n_entries)
{
    struct replica *replica = replica_of(io);
    struct store_boot boot;

    if (store_load(replica->options.store, &boot, &replica->boot_error) != GW_OK)
        return RAFT_IOERR;
    *snapshot = NULL;
    *entries = NULL;
    if (boot.label.index > 0) {
        if (!conf_decode(boot.label.conf, &replica->label.conf)) {
            error_set(
                &replica->boot_error, GW_DAMAGED,
                "the stored Raft configuration is malformed; remove this data directory "
                "and join again");
            store_boot_free(&boot);
            return RAFT_CORRUPT;
        }
        replica->label.index = boot.label.index;
        replica->label.term = boot.label.term;
        replica->label.conf_index = boot.label.conf_index;
        *snapshot = snapshot_new(&replica->label);
    }
    if (boot.entry_count > 0) {
        *entries = raft_calloc(boot.entry_count, sizeof **entries);
        if (*entries == NULL)
            abort();
    }
    log_bytes_restart(&replica->log_bytes, boot.first);
    for (size_t i = 0; i < boot.entry_count; i++) {
        struct raft_entry *entry = &(*entries)[i];
        struct slice bytes = boot.entries[i].bytes;

        if (boot.entries[i].type == STORE_CHANGE && !conf_is_sound(bytes)) {
            error_set(
                &replica->boot_error, GW_DAMAGED,
                "log entry %llu is no Raft configuration; remove this data directory and "
                "join again",
                (unsigned long long)boot.first + i);
            return RAFT_CORRUPT; /* the process ends: nothing to give back */
        }
        entry->term = boot.entries[i].term;
        entry->type = (enum raft_entry_type)boot.entries[i].type;
        entry->buf.len = bytes.size;
        entry->buf.base = raft_malloc(bytes.size + 1);
        if (entry->buf.base == NULL)
            abort();
        memcpy(entry->buf.base, bytes.data, bytes.size);
        log_bytes_append(&replica->log_bytes, bytes.size);
    }
    replica->term = boot.term;
    replica->vote = boot.vote;
    alone_at_start(replica, &boot);
    *term = replica->term;
    *voted_for = replica->vote;
    *start_index = boot.first;
    *n_entries = boot.entry_count;
    replica->log_next = boot.first + boot.entry_count;
    replica->applied_asked = replica->applied_done = boot.applied;
    replica->log_now_ms = boot.now_ms;
    stage_boot(replica, &boot.staging);
    store_boot_free(&boot);
    return 0;
}

static int io_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick,
                    raft_io_recv_cb recv)
{
    struct replica *replica = replica_of(io);

    (void)msecs;
    replica->tick = tick;
    replica->recv = recv;
    return 0;
}

static int io_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
    (void)io;
    (void)conf;
    return RAFT_CANTBOOTSTRAP; /* store_bootstrap does that */
}

static int io_recover(struct raft_io *io, const struct raft_configuration *conf)
{
    (void)io;
    (void)conf;
    return RAFT_INVALID;
}

void io_vote(struct replica *replica, uint64_t term, uint64_t vote)
{
    struct io_job *job = io_job_new(replica, STORE_VOTE);

    replica->term = job->job.term = term;
    replica->vote = job->job.vote = vote;
    store_push(replica->options.store, &job->job);
    replica->gate = job->job.sequence;
}

static int io_set_term(struct raft_io *io, raft_term term)
{
    struct replica *replica = replica_of(io);
    uint64_t vote = filter_vote_after_term(replica->term, replica->vote, term);

    if (vote != 0) {
        if (guard_is_on(replica, GUARD_VOTE_KEPT))
            guard_hit(replica, GUARD_VOTE_KEPT);
        else
            vote = 0;
    }
    io_vote(replica, term, vote);
    return 0;
}

static int io_set_vote(struct raft_io *io, raft_id id)
{
    struct replica *replica = replica_of(io);

    io_vote(replica, replica->term, id);
    return 0;
}

static int io_append(struct raft_io *io, struct raft_io_append *request,
                     const struct raft_entry entries[], unsigned count,
                     raft_io_append_cb done)
{
    struct replica *replica = replica_of(io);
    struct io_job *job = io_job_new(replica, STORE_APPEND);

    job->entries = calloc(count, sizeof *job->entries);
    if (job->entries == NULL)
        abort();
    for (unsigned i = 0; i < count; i++) {
        job->entries[i].term = entries[i].term;
        job->entries[i].type = (uint8_t)entries[i].type;
        job->entries[i].bytes = slice_of(entries[i].buf.base, entries[i].buf.len);
        log_bytes_append(&replica->log_bytes, entries[i].buf.len);
    }
    request->cb = done;
    job->append = request;
    job->append_cb = done;
    job->job.entries = job->entries;
    job->job.entry_count = count;
    job->job.index = replica->log_next;
    replica->log_next += count;
    compact_window(replica);
    store_push(replica->options.store, &job->job);
    return 0;
}

static int io_truncate(struct raft_io *io, raft_index index)
{
    struct replica *replica = replica_of(io);
    struct io_job *job;

    /* libraft truncates before every append: mostly there is nothing there. */
    if (index >= replica->log_next)
        return 0;
    job = io_job_new(replica, STORE_TRUNCATE);
    job->job.index = index;
    replica->log_next = index;
    log_bytes_truncate(&replica->log_bytes, index);
    if (GW_PLANTED("truncation-lost"))
        job->job.index = UINT64_MAX;
    store_push(replica->options.store, &job->job);
    return 0;
}

static int io_snapshot_put(struct raft_io *io, unsigned trailing,
                           struct raft_io_snapshot_put *request,
                           const struct raft_snapshot *snapshot,
                           raft_io_snapshot_put_cb done)
{
    struct replica *replica = replica_of(io);
    bool is_take = trailing > 0;
    struct io_job *job = io_job_new(replica, is_take ? STORE_SNAPSHOT : STORE_INSTALL);

    request->cb = done;
    job->put = request;
    job->put_cb = done;
    job->is_take = is_take;
    job->job.trailing = trailing;
    job->job.label.index = snapshot->index;
    job->job.label.term = snapshot->term;
    job->job.label.conf_index = snapshot->configuration_index;
    job->job.label.conf = conf_encode(&snapshot->configuration);
    if (job->job.label.conf.data == NULL ||
        !conf_copy(&job->conf, &snapshot->configuration))
        abort();
    if (is_take) {
        replica->counters.snapshots_taken++;
    } else {
        memcpy(&job->job.piece.id, snapshot->bufs[0].base, MARKER_SIZE);
        replica->installs_in_flight++;
        replica->log_next = snapshot->index + 1;
        log_bytes_restart(&replica->log_bytes, replica->log_next);
    }
    replica->puts_in_flight++;
    store_push(replica->options.store, &job->job);
    return 0;
}

static int io_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                           raft_io_snapshot_get_cb done)
{
    struct replica *replica = replica_of(io);
    struct label now;
    uint64_t index = replica->applied_done;
    uint64_t term = term_at(&replica->raft, index);

    request->cb = done;
    if (guard_is_on(replica, GUARD_LABEL) || index <= replica->label.index || term == 0) {
        done(request, snapshot_new(&replica->label), 0);
        return 0;
    }
    /* Without the guard: what the store holds, as a plain raft_io would say. */
    now = (struct label){index, term, replica->raft.configuration_committed_index,
                         replica->raft.configuration_committed};
    done(request, snapshot_new(&now), 0);
    return 0;
}

static raft_time io_time(struct raft_io *io)
{
    return replica_of(io)->now_ms;
}

static int io_random(struct raft_io *io, int min, int max)
{
    struct replica *replica = replica_of(io);

    if (max <= min)
        return min;
    return min + (int)rng_below(&replica->options.rng, (uint64_t)max - (uint64_t)min);
}

/* --- the state machine, as libraft sees it --- */

static int fsm_push(struct raft_fsm *fsm, const struct raft_buffer *buffer, void **result)
{
    struct replica *replica = fsm->data;
    struct io_job *job = io_job_new(replica, STORE_APPLY);
    char *copy = malloc(buffer->len + 1);

    if (copy == NULL)
        abort();
    /* The entry may be trimmed from libraft's log before the store gets to it. */
    memcpy(copy, buffer->base, buffer->len);
    *result = NULL;
    job->job.bytes = slice_of(copy, buffer->len);
    job->job.index = raft_last_applied(&replica->raft) + 1;
    replica->applied_asked = job->job.index;
    compact_mind(replica, job->job.index);
    store_push(replica->options.store, &job->job);
    return 0;
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *buffers[],
                        unsigned *count)
{
    if (!marker_new(buffers))
        abort();
    compact_begin(fsm->data);
    *count = 1;
    return 0;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buffer)
{
    (void)fsm;
    raft_free(buffer->base);
    return 0;
}

void io_bind(struct replica *replica)
{
    replica->io = (struct raft_io){
        .version = 2,
        .capacity = UINT16_MAX,
        .impl = replica,
        .init = io_init,
        .close = io_close,
        .load = io_load,
        .start = io_start,
        .bootstrap = io_bootstrap,
        .recover = io_recover,
        .set_term = io_set_term,
        .set_vote = io_set_vote,
        .send = send_from_core,
        .append = io_append,
        .truncate = io_truncate,
        .snapshot_put = io_snapshot_put,
        .snapshot_get = io_snapshot_get,
        .time = io_time,
        .random = io_random,
    };
    replica->fsm = (struct raft_fsm){
        .version = 1,
        .data = replica,
        .apply = fsm_push,
        .snapshot = fsm_snapshot,
        .restore = fsm_restore,
    };
}

/* --- completions --- */

static void note_log_time(struct replica *replica, uint64_t now_ms)
{
    /* An entry that leaves log time where it is says so at its own time, and what is
     * due so much later may not be due the sooner for it: so the count begins anew. */
    if (now_ms < replica->log_now_ms)
        return;
    replica->log_now_ms = now_ms;
    replica->log_now_at_ms = replica->now_ms;
}

static void complete_apply(struct replica *replica, struct io_job *job)
{
    uint64_t index = job->job.index;

    replica->applied_done = index;
    note_log_time(replica, job->job.answer.now_ms);
    list_each (&replica->submitted, link) {
        struct proposal *proposal = container_of(link, struct proposal, link);

        if (proposal->index > index)
            break;
        if (proposal->index != index || !proposal->is_committed)
            continue;
        proposal->reply.result = job->job.answer.result;
        proposal->reply.index = index;
        proposal->reply.answer = job->job.answer;
        job->job.answer.detail = (struct slice){NULL, 0}; /* moved */
        list_remove(link);
        list_append(proposal->when == REPLICA_WHEN_APPLIED &&
                            proposal->reply.result == GW_OK
                        ? &replica->ended
                        : &replica->answered,
                    link);
        break;
    }
}

static void complete_put(struct replica *replica, struct io_job *job)
{
    /* The core's index moves inside the callback; the label must be there first. */
    raft_configuration_close(&replica->label.conf);
    replica->label = (struct label){job->job.label.index, job->job.label.term,
                                    job->job.label.conf_index, job->conf};
    raft_configuration_init(&job->conf);
    replica->puts_in_flight--;
    if (job->is_take) {
        if (job->job.label.index > job->job.trailing)
            log_bytes_trim(&replica->log_bytes, job->job.label.index - job->job.trailing);
    } else {
        uint64_t visible = store_visible(replica->options.store);

        replica->installs_in_flight--;
        stage_installed(replica);
        replica->counters.dumps_installed++;
        note_log_time(replica, job->job.answer.now_ms);
        /* The dump applied what we never were asked to apply; a reader who is told an
         * index below it would miss writes. */
        if (visible > replica->applied_asked)
            replica->applied_asked = replica->applied_done = visible;
    }
    job->put_cb(job->put, 0);
    stage_drop_stale(replica);
}

void io_complete(struct replica *replica, struct io_job *job)
{
    switch (job->job.type) {
    case STORE_APPEND:
        job->append_cb(job->append, 0);
        break;
    case STORE_APPLY:
        complete_apply(replica, job);
        break;
    case STORE_SNAPSHOT:
    case STORE_INSTALL:
        complete_put(replica, job);
        break;
    case STORE_STAGE:
        stage_complete(replica, job);
        break;
    case STORE_TRUNCATE:
    case STORE_VOTE:
        break;
    }
    job_free(job);
}

void io_cancel_all(struct replica *replica)
{
    struct list_link unfinished;

    list_init(&unfinished);
    store_cancel(replica->options.store, &unfinished);
    struct list_link *link;
    while ((link = list_take_first(&replica->jobs)) != NULL) {
        struct io_job *job = container_of(link, struct io_job, outstanding);

        if (job->append_cb != NULL)
            job->append_cb(job->append, RAFT_CANCELED);
        if (job->put_cb != NULL)
            job->put_cb(job->put, RAFT_CANCELED);
        job_free(job);
    }
}
