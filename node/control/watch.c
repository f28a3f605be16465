/* Watches at the same place that want the same kind share what is read, by a count: while
 * all keep up, a change is read once and not once for each. A piece at a time goes to a
 * client, the next one when it has taken that. */
#include "node/control/watch.h"

#include "base/log.h"
#include "node/control/admin.h"
#include "node/control/history_emit.h"
#include "node/control/watch_events.h"

#include <stdio.h>
#include <stdlib.h>

#define PIECE_BYTES (64u << 10)

struct block { /* shared by watches; loop's thread only, after it was read */
    struct job job;
    struct control *control;
    enum kind kind;
    uint64_t since, until;
    struct buffer text;
    struct error err;
    unsigned references;
};

struct watch {
    struct list_link link;
    struct control *control;
    struct http_call *call;
    enum kind kind;
    bool is_stale;
    uint64_t told;       /* every revision up to this one is told or in `block` */
    struct block *block; /* being sent; NULL: none */
    size_t sent;         /* of it */
    size_t queued;       /* when last looked at */
    uint64_t moved_ms, spoke_ms;
};

void watches_init(struct watches *watches)
{
    *watches = (struct watches){0};
    list_init(&watches->list);
}

static void look(struct control *control);

static void block_unref(struct block *block)
{
    if (block == NULL || --block->references > 0)
        return;
    block->control->watches.bytes -= block->text.size;
    buffer_deinit(&block->text);
    free(block);
}

/* The end of the answer is told to whoever still reads: they come back. */
static void end(struct watch *watch)
{
    struct http_call *call = watch->call;

    call->context = NULL;
    call->on_drain = NULL;
    call->on_gone = NULL;
    list_remove(&watch->link);
    watch->control->watches.count--;
    block_unref(watch->block);
    free(watch);
    http_server_reply_end(call);
}

static void on_gone(struct http_call *call)
{
    struct watch *watch = call->context;
    struct control *control = watch->control;

    end(watch);
    look(control);
}

/* False: the client is gone, and the watch with it. */
static bool say(struct watch *watch, struct slice text)
{
    enum result result = http_server_reply_write(watch->call, text);

    if (result != GW_OK && result != GW_LIMIT) {
        end(watch);
        return false;
    }
    watch->spoke_ms = control_now_ms(watch->control);
    return true;
}

static bool say_id(struct watch *watch, const char *comment)
{
    struct buffer text;

    buffer_init(&text, 256);
    buffer_printf(&text, ": %s\nid: %llu\n\n", comment, (unsigned long long)watch->told);
    bool is_there = say(watch, buffer_slice(&text));
    buffer_deinit(&text);
    return is_there;
}

/* As much of the block as the client may have on its way. */
static void pump(struct watch *watch)
{
    while (watch->block != NULL) {
        struct slice rest = slice_from(buffer_slice(&watch->block->text), watch->sent);
        struct slice piece = slice_sub(rest, 0, PIECE_BYTES);
        if (http_server_reply_queued(watch->call) >= PIECE_BYTES)
            return; /* until it drains */
        if (piece.size > 0 && !say(watch, piece))
            return;
        watch->sent += piece.size;
        if (piece.size == rest.size) {
            watch->told = watch->block->until;
            block_unref(watch->block);
            watch->block = NULL;
            watch->sent = 0;
        }
    }
}

static void on_drain(struct http_call *call)
{
    struct watch *watch = call->context;
    struct control *control = watch->control;

    watch->moved_ms = control_now_ms(control);
    pump(watch);
    look(control);
}

/* ---- reading ---- */

static void block_run(struct job *job)
{
    struct block *block = job->owner;

    watch_events_read(block->control->env, block->kind, block->since, &block->text,
                      &block->until, &block->err);
}

static bool waits_for(const struct watch *watch, const struct block *block)
{
    return watch->block == NULL && watch->kind == block->kind &&
           watch->told == block->since;
}

/* What it was to be told next is gone, or cannot be read: its client asks again, and gets
 * the answer to that. */
static void fail(struct watch *watch, const struct error *err)
{
    struct watches *watches = &watch->control->watches;

    if (err->code == GW_COMPACTED)
        watches->compacted++;
    else
        log_event(LOG_ERROR, "watch", "changes unreadable", LOG_STR("why", err->text));
    end(watch);
}

static void block_done(struct job *job)
{
    struct block *block = job->owner;
    struct control *control = block->control;
    struct list_link waiting, *link;

    control->watches.is_reading = false;
    control->watches.bytes += block->text.size;
    bool has_moved = block->until > block->since;
    list_init(&waiting);
    list_each (&control->watches.list, item) {
        if (waits_for(container_of(item, struct watch, link), block)) {
            list_remove(item);
            list_append(&waiting, item);
        }
    }
    while ((link = list_take_first(&waiting)) != NULL) {
        struct watch *watch = container_of(link, struct watch, link);
        list_append(&control->watches.list, link); /* behind those that wait longer */
        if (block->err.code != GW_OK) {
            fail(watch, &block->err);
            continue;
        }
        watch->block = block;
        block->references++;
        pump(watch);
    }
    /* The analyser does not see that this reference kept it. */
    block_unref(block); /* NOLINT(clang-analyzer-unix.Malloc) */
    if (has_moved)      /* else it would be read again at once, for nothing */
        look(control);
}

static struct watch *next_to_read(struct control *control)
{
    list_each (&control->watches.list, link) {
        struct watch *watch = container_of(link, struct watch, link);
        if (watch->block == NULL && watch->told < control->visible_revision)
            return watch;
    }
    return NULL;
}

/* Reads on for the first that is behind, if there is room. */
static void look(struct control *control)
{
    struct watches *watches = &control->watches;
    struct watch *watch = next_to_read(control);

    if (watch == NULL || watches->is_reading || control->is_ending ||
        watches->bytes >= WATCH_BYTES_MAX)
        return;
    struct block *block = calloc(1, sizeof *block);
    if (block == NULL)
        return; /* the next news tries again */
    block->control = control;
    block->kind = watch->kind;
    block->since = watch->told;
    block->references = 1;
    buffer_init(&block->text, 0);
    watches->is_reading = true;
    job_start(&block->job, control->loop, block_run, block_done, block);
}

void watch_visible(struct control *control)
{
    look(control);
}

/* ---- time ---- */

/* A watch here would be silent though there are changes, or tell what is not so. */
static bool is_blind(const struct watch *watch)
{
    const struct control *control = watch->control;

    return control->is_draining || control->is_halted || control->is_removed ||
           (!watch->is_stale && (control->sameness.is_quarantined ||
                                 control_lag_ms(control) > WATCH_LEADERLESS_MS));
}

static void tick_one(struct watch *watch, uint64_t now_ms)
{
    size_t queued = http_server_reply_queued(watch->call);

    if (queued == 0 || queued < watch->queued)
        watch->moved_ms = now_ms;
    watch->queued = queued;
    if (now_ms - watch->moved_ms > WATCH_STALL_MS) {
        watch->control->watches.cut++;
        log_event(LOG_WARN, "watch", "watch cut",
                  LOG_STR("why", "its client takes nothing"), LOG_U64("told", watch->told));
        end(watch);
    } else if (is_blind(watch)) {
        end(watch);
    } else if (watch->block == NULL && now_ms - watch->spoke_ms >= WATCH_ALIVE_MS) {
        say_id(watch, "alive");
    }
}

void watch_tick(struct control *control, uint64_t now_ms)
{
    struct list_link all, *link;

    list_init(&all);
    while ((link = list_take_first(&control->watches.list)) != NULL)
        list_append(&all, link);
    while ((link = list_take_first(&all)) != NULL) {
        list_append(&control->watches.list, link);
        tick_one(container_of(link, struct watch, link), now_ms);
    }
    look(control);
}

/* ---- the beginning ---- */

/* False: the request is over. */
static bool check_reach(struct request *request, uint64_t since)
{
    uint64_t oldest = 0;
    bool reaches = true;
    struct txn *txn;

    enum result result = env_begin_read(request->control->env, &txn);
    if (result == GW_OK)
        result = rewind_reaches(txn, since, &reaches, &oldest);
    txn_abort(txn);
    if (result != GW_OK)
        request_fail(request, result, "read the history: %s", result_text(result));
    else if (!reaches)
        request_fail(request, GW_COMPACTED,
                     "revision %llu is older than the history, which begins at %llu: list "
                     "what there is, then watch from the revision of that list",
                     (unsigned long long)since, (unsigned long long)oldest);
    return result == GW_OK && reaches;
}

/* Where to begin: false when the request is over. */
static bool read_since(struct request *request, uint64_t *since)
{
    const uint64_t now = request->control->visible_revision;
    struct slice text = http_call_field(request->call, SLICE("last-event-id"));
    const char *what = "Last-Event-ID";

    *since = now;
    if (text.size == 0) {
        what = "since";
        if (!request_query(request, what, &text))
            return true;
    }
    if (!slice_parse_u64(text, since)) {
        request_fail(request, GW_MALFORMED, "%s is '%.*s': a revision is needed", what,
                     SLICE_ARG(text));
        return false;
    }
    if (*since > now && !request->is_stale) { /* a stale one waits until it is reached */
        request_fail(request, GW_NOT_FOUND,
                     "there is no revision %llu yet: the newest is %llu",
                     (unsigned long long)*since, (unsigned long long)now);
        return false;
    }
    return check_reach(request, *since);
}

static bool has_room(struct request *request)
{
    struct watches *watches = &request->control->watches;

    if (request->control->is_draining) {
        request_fail(request, GW_CLOSED, "this node is leaving: watch at another one");
        return false;
    }
    if (watches->count < WATCH_MAX)
        return true;
    watches->refused++;
    request_fail(request, GW_LIMIT,
                 "%u watches are open at this node, as many as it takes: watch at another "
                 "one",
                 WATCH_MAX);
    return false;
}

static void begin(struct request *request)
{
    struct control *control = request->control;
    struct history_filter filter;
    char revision[24];
    uint64_t since;

    if (!has_room(request) || !history_filter_read(request, &filter) ||
        !read_since(request, &since))
        return;
    struct watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        request_fail(request, GW_NO_MEMORY, "watch");
        return;
    }
    watch->control = control;
    watch->kind = filter.kind;
    watch->is_stale = request->is_stale;
    watch->told = since;
    watch->moved_ms = control_now_ms(control);
    list_append(&control->watches.list, &watch->link);
    control->watches.count++;
    control->watches.begun++;
    struct http_call *call = watch->call = request_detach(request);
    call->context = watch;
    call->on_gone = on_gone;
    call->on_drain = on_drain;
    snprintf(revision, sizeof revision, "%llu", (unsigned long long)since);
    const struct http_field fields[] = {{SLICE("content-type"), SLICE("text/event-stream")},
                                        {SLICE("gw-revision"), slice_from_string(revision)},
                                        {SLICE("cache-control"), SLICE("no-store")}};
    http_server_reply_begin(call, 200, fields, sizeof fields / sizeof fields[0]);
    if (call->is_head)
        end(watch);
    else if (say_id(watch, "watching"))
        look(control);
}

void watch_get(struct request *request)
{
    if (request->call == NULL) {
        request_fail(request, GW_MALFORMED, "a watch is not forwarded");
        return;
    }
    request_linearize(request, begin);
}
