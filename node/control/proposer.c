/* Three lists, and a write moves only forward through them: queue → in flight →
 * done; `again` gathers those of a broken run, in order, and is put back before
 * the queue. A write without effect is not proposed, but stands in the line of
 * those in flight, since it is true only if those before it become true.
 *
 * Before the first check of a term a barrier is passed, so that a new leader
 * never refuses or skips a write for want of entries it has not applied yet. */
#include "node/control/proposer.h"

static void pump(struct proposer *proposer);

void proposer_init(struct proposer *proposer, const struct proposer_hooks *hooks)
{
    memset(proposer, 0, sizeof *proposer);
    proposer->hooks = *hooks;
    list_init(&proposer->queue);
    list_init(&proposer->in_flight);
    list_init(&proposer->again);
    list_init(&proposer->checking);
    member_call_init(&proposer->barrier, MEMBER_BARRIER, hooks->mailbox);
}

void proposer_deinit(struct proposer *proposer)
{
    if (proposer == NULL)
        return;
    edition_unref(proposer->tentative);
    proposer->tentative = NULL;
    member_call_deinit(&proposer->barrier);
}

static struct write *first_of(struct list_link *list)
{
    return list_is_empty(list) ? NULL : container_of(list->next, struct write, link);
}

static void finish(struct proposer *proposer, struct write *write, enum result result)
{
    (void)proposer;
    write->result = result;
    if (result != GW_OK && write->err.text[0] == '\0')
        error_set(&write->err, result, "%s", result_text(result));
    write->err.code = result;
    write->done(write);
}

static void rebuild(struct proposer *proposer, uint64_t index)
{
    proposer->is_rebuilding = true;
    if (index > proposer->rebuild_index)
        proposer->rebuild_index = index;
}

/* Once more, after those that came before it. */
static void retry(struct proposer *proposer, struct write *write)
{
    proposer->counters_again++;
    if (++write->tries >= PROPOSER_TRIES) {
        error_set(&write->err, GW_AGAIN,
                  "the configuration changed %u times while this change was checked",
                  write->tries);
        finish(proposer, write, GW_AGAIN);
        return;
    }
    proposer->queued++;
    list_append(&proposer->again, &write->link);
}

/* Before all that wait. */
static void check_next(struct proposer *proposer, struct write *write)
{
    proposer->queued++;
    list_prepend(&proposer->queue, &write->link);
}

static void post_propose(struct proposer *proposer, struct write *write)
{
    member_call_init(&write->call, MEMBER_PROPOSE, proposer->hooks.mailbox);
    /* Whoever repeats an answered write shall find its session in the store. */
    write->call.when = write->has_client ? REPLICA_WHEN_VISIBLE : REPLICA_WHEN_APPLIED;
    buffer_deinit(&write->call.payload);
    write->call.payload = write->command;
    buffer_init(&write->command, 0);
    write->is_call_out = true;
    write->call.owner = write;
    list_append(&proposer->in_flight, &write->link);
    proposer->hooks.post(proposer->hooks.owner, &write->call);
}

/* Writes without effect, refusals among them, at the head of the line have nothing left to
 * wait for but proof that this node still leads: a barrier. */
static void settle_noops(struct proposer *proposer)
{
    for (;;) {
        struct write *write = first_of(&proposer->in_flight);
        if (write == NULL || !write->is_noop || write->is_call_out)
            return;
        if (proposer->is_rebuilding) {
            list_remove(&write->link);
            retry(proposer, write);
            continue;
        }
        member_call_init(&write->call, MEMBER_BARRIER, proposer->hooks.mailbox);
        write->call.owner = write;
        write->is_call_out = true;
        proposer->hooks.post(proposer->hooks.owner, &write->call);
        return;
    }
}

/* On the loop or on the pool. */
static void check_batch(struct proposer *proposer)
{
    list_each (&proposer->checking, link) {
        struct write *write = container_of(link, struct write, link);
        if (write->has_client && !write->dry_run && proposer->hooks.session_answer != NULL)
            write->is_session_known =
                proposer->hooks.session_answer(proposer->hooks.owner, write);
        write_check(write, proposer->tentative);
    }
}

static void check_run(struct job *job)
{
    check_batch(job->owner);
}

/* A refusal that tells of the state is an answer like that of a read: not from what is
 * in flight and may come to nothing, nor from a node that no longer leads. */
static bool tells_of_state(const struct write *write)
{
    switch (write->result) {
    case GW_PRECONDITION:
    case GW_NOT_FOUND:
    case GW_CONFLICT:
        return true;
    case GW_INVALID:
    case GW_TOO_LARGE:
        return write->rests_on_state;
    default:
        return false;
    }
}

static void wait_in_line(struct proposer *proposer, struct write *write)
{
    write->is_noop = true;
    list_append(&proposer->in_flight, &write->link);
    settle_noops(proposer);
}

static void take_checked(struct proposer *proposer, struct write *write)
{
    if (write->is_session_known) {
        finish(proposer, write, write->result);
    } else if (proposer->is_rebuilding && write->is_on_tentative) {
        retry(proposer, write);
    } else if (write->result == GW_AGAIN && write->is_on_tentative &&
               write->needs_visible) {
        check_next(proposer, write);
    } else if (!write->dry_run && tells_of_state(write)) {
        wait_in_line(proposer, write);
    } else if (write->result != GW_OK || write->dry_run) {
        write->revision = write->base_revision;
        finish(proposer, write, write->result);
    } else if (write->changed_count == 0) {
        wait_in_line(proposer, write);
    } else {
        post_propose(proposer, write);
    }
}

static void take_batch_checked(struct proposer *proposer)
{
    struct list_link *link;

    /* Whoever is answered may come with the next write: it waits for the whole batch. */
    while ((link = list_take_first(&proposer->checking)) != NULL)
        take_checked(proposer, container_of(link, struct write, link));
    proposer->is_checking = false;
    if (proposer->tentative->is_broken)
        rebuild(proposer, 0);
}

static void check_done(struct job *job)
{
    struct proposer *proposer = job->owner;

    take_batch_checked(proposer);
    pump(proposer);
}

static void drop_tentative(struct proposer *proposer)
{
    edition_unref(proposer->tentative);
    proposer->tentative = NULL;
}

/* What is in flight has no revisions yet that such a write could name: it is checked
 * against what is visible, as the first of its batch. */
static bool names_revisions(const struct write *write)
{
    return write->has_if_match || write->has_if_revision || write->needs_visible;
}

/* Sees to it that there is a tentative edition for the head of the queue. False: wait. */
static bool make_base(struct proposer *proposer, const struct write *write)
{
    struct edition *visible = proposer->hooks.visible(proposer->hooks.owner);

    if (visible == NULL)
        return false;
    if (proposer->is_rebuilding) {
        if (!list_is_empty(&proposer->in_flight) ||
            visible->applied < proposer->rebuild_index)
            return false;
        proposer->is_rebuilding = false;
        proposer->rebuild_index = 0;
        drop_tentative(proposer);
    }
    if (proposer->tentative != NULL && list_is_empty(&proposer->in_flight) &&
        visible->conf_sequence >= proposer->tentative->conf_sequence)
        drop_tentative(proposer);
    if (proposer->tentative == NULL)
        proposer->tentative = edition_tentative(visible);
    if (proposer->tentative == NULL)
        return false; /* no memory: with the next news of what is visible */
    return !proposer->tentative->is_tentative || !names_revisions(write);
}

static void ask_barrier(struct proposer *proposer)
{
    if (proposer->is_barrier_out)
        return;
    proposer->is_barrier_out = true;
    member_call_deinit(&proposer->barrier);
    member_call_init(&proposer->barrier, MEMBER_BARRIER, proposer->hooks.mailbox);
    proposer->hooks.post(proposer->hooks.owner, &proposer->barrier);
}

/* From the queue: what can be checked in one go. */
static size_t take_batch(struct proposer *proposer)
{
    size_t count = 0, bytes = 0;

    list_each (&proposer->queue, link) {
        struct write *write = container_of(link, struct write, link);
        if (count > 0 &&
            (count == PROPOSER_BATCH || bytes + write->body.size > PROPOSER_BATCH_BYTES ||
             names_revisions(write)))
            break;
        list_remove(link);
        list_append(&proposer->checking, link);
        proposer->queued--;
        count++;
        bytes += write->body.size;
        write_reset(write);
        write->wall_ms = proposer->hooks.wall_ms(proposer->hooks.owner);
        proposer->hooks.regions(proposer->hooks.owner, write);
    }
    return bytes;
}

/* Whether checking the batch takes less than going to the pool and coming back: small
 * bodies, and no walk over many resources. */
static bool is_quick(struct proposer *proposer, size_t bytes)
{
    const struct catalog *catalog = &proposer->tentative->catalog;
    size_t count = 0;

    for (int kind = 0; kind < KIND_COUNT; kind++)
        count += catalog_count(catalog, (enum kind)kind);
    if (bytes > PROPOSER_QUICK_BYTES)
        return false;
    if (count <= PROPOSER_QUICK_WALK)
        return true;
    if (!catalog->is_indexed)
        return false;
    list_each (&proposer->checking, link) {
        const struct write *write = container_of(link, struct write, link);
        if (write->type == WRITE_APPLY || write->kind == KIND_REGION)
            return false;
    }
    return true;
}

static void pump(struct proposer *proposer)
{
    while (!proposer->is_checking) {
        if (proposer->is_rebuilding && list_is_empty(&proposer->in_flight)) {
            /* Those of the broken run go first, as they were. */
            list_move_all(&proposer->again, &proposer->queue);
            list_move_all(&proposer->queue, &proposer->again);
        }
        struct write *write = first_of(&proposer->queue);
        if (write == NULL)
            return;
        if (!proposer->is_ready) {
            ask_barrier(proposer);
            return;
        }
        if (!make_base(proposer, write))
            return;
        proposer->is_checking = true;
        size_t bytes = take_batch(proposer);
        if (is_quick(proposer, bytes)) {
            check_batch(proposer);
            take_batch_checked(proposer);
        } else {
            job_start(&proposer->job, proposer->hooks.loop, check_run, check_done,
                      proposer);
        }
    }
}

void proposer_turn(struct proposer *proposer)
{
    pump(proposer);
}

void proposer_submit(struct proposer *proposer, struct write *write)
{
    if (proposer->queued >= PROPOSER_QUEUE) {
        error_set(&write->err, GW_LIMIT, "%d writes wait already: try again later",
                  PROPOSER_QUEUE);
        finish(proposer, write, GW_LIMIT);
        return;
    }
    proposer->queued++;
    list_append(&proposer->queue, &write->link);
    if (proposer->hooks.soon != NULL)
        proposer->hooks.soon(proposer->hooks.owner);
    else
        pump(proposer);
}

static void fail_queue(struct proposer *proposer, enum result result)
{
    struct list_link failed;
    struct list_link *link;

    list_init(&failed);
    list_move_all(&failed, &proposer->again);
    list_move_all(&failed, &proposer->queue);
    proposer->queued = 0;
    while ((link = list_take_first(&failed)) != NULL)
        finish(proposer, container_of(link, struct write, link), result);
}

static void barrier_came(struct proposer *proposer)
{
    proposer->is_barrier_out = false;
    if (proposer->barrier.result == GW_OK) {
        proposer->is_ready = true;
        rebuild(proposer, proposer->barrier.index);
        pump(proposer);
        return;
    }
    fail_queue(proposer, proposer->barrier.result);
}

/* A repeat that was checked while its first try was in flight found nothing left to do, or
 * its own doing in the way: the answer is that of the first try. */
static bool is_answered_by_now(struct proposer *proposer, struct write *write)
{
    return write->is_noop && write->has_client && proposer->hooks.session_answer != NULL &&
           proposer->hooks.session_answer(proposer->hooks.owner, write);
}

static void proposal_came(struct proposer *proposer, struct write *write)
{
    struct member_call *call = &write->call;
    enum result result = call->result;

    list_remove(&write->link);
    write->is_call_out = false;
    /* The barrier of one without effect has nothing to say, unless it fails: then what the
     * check said is no longer the answer. */
    if (!write->is_noop || result != GW_OK) {
        buffer_reset(&write->detail);
        buffer_append_slice(&write->detail, buffer_slice(&call->reply));
    }
    if (write->is_noop && result != GW_OK)
        write->err = ERROR_NONE;
    if (write->is_noop)
        write->revision = proposer->revision > write->base_revision ? proposer->revision
                                                                    : write->base_revision;
    else
        write->revision = call->revision;
    uint64_t index = call->index;
    member_call_deinit(call);

    if (result == GW_OK && is_answered_by_now(proposer, write)) {
        check_next(proposer, write); /* which takes that answer */
    } else if (result == GW_OK) {
        if (!write->is_noop && write->revision > proposer->revision)
            proposer->revision = write->revision;
        /* One without effect may be a refusal. */
        finish(proposer, write, write->is_noop ? write->result : GW_OK);
    } else if (result == GW_AGAIN && !write->is_noop) {
        rebuild(proposer, index);
        retry(proposer, write);
    } else {
        /* What stood on this one stands on nothing. */
        if (!write->is_noop)
            rebuild(proposer, index);
        if (result == GW_NOT_LEADER)
            proposer->is_ready = false;
        finish(proposer, write, result);
    }
    settle_noops(proposer);
    if (list_is_empty(&proposer->in_flight) && !list_is_empty(&proposer->again))
        proposer->is_rebuilding = true;
    pump(proposer);
}

bool proposer_called(struct proposer *proposer, struct member_call *call)
{
    if (call == &proposer->barrier) {
        barrier_came(proposer);
        return true;
    }
    list_each (&proposer->in_flight, link) {
        struct write *write = container_of(link, struct write, link);
        if (call == &write->call) {
            proposal_came(proposer, write);
            return true;
        }
    }
    return false;
}

void proposer_visible(struct proposer *proposer)
{
    pump(proposer);
}

void proposer_lost(struct proposer *proposer)
{
    proposer->is_ready = false;
    /* Those in flight are answered by their calls; those waiting go elsewhere. */
    rebuild(proposer, 0);
    fail_queue(proposer, GW_NOT_LEADER);
}
