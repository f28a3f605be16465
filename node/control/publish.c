/* Edition → snapshot → workers. One compile at a time on the pool; where several
 * revisions came meanwhile only the newest is compiled next. A lone change is
 * compiled at once; where one follows on the other, compiling rests ten times as long
 * as it takes, from 5 to 10 ms, or twice as long up to half a second where that is more:
 * so that writers get the cores, and what takes no time is served in no time.
 *
 * Sockets: a listener whose bind is as it was keeps what each worker has (-1);
 * a new one is opened once for each worker, probed with a plain bind first. One
 * that cannot be opened leaves the others alone: it is `failed`, told in status
 * and log, and tried again every CONTROL_REDIAL_MS. */
#include "base/instant.h"
#include "base/log.h"
#include "net/listener.h"
#include "node/control/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REST_FACTOR       2
#define REST_MAX_US       500000
#define REST_SHORT_FACTOR 10
#define REST_SHORT_MIN_US 5000
#define REST_SHORT_MAX_US 10000

/* The last reference of an old snapshot mostly falls on a worker, which must not
 * spend its time freeing megabytes: it comes back here, and goes to the pool. */
struct disposal {
    struct mail mail;
    struct job job;
    struct snapshot *snapshot;
};

static void dispose_run(struct job *job)
{
    struct disposal *disposal = job->owner;
    snapshot_dispose(disposal->snapshot);
}

static void dispose_done(struct job *job)
{
    free(job->owner);
}

static void bin_delivers(struct mail *mail, void *owner)
{
    struct disposal *disposal = container_of(mail, struct disposal, mail);
    struct control *control = owner;

    job_start(&disposal->job, control->loop, dispose_run, dispose_done, disposal);
}

/* Any thread. */
static void unused(void *context, struct snapshot *snapshot)
{
    struct publish *publish = context;
    struct disposal *disposal = calloc(1, sizeof *disposal);

    if (disposal != NULL) {
        disposal->snapshot = snapshot;
        if (mailbox_post(&publish->bin, &disposal->mail))
            return;
        free(disposal);
    }
    snapshot_dispose(snapshot);
}

enum result publish_open(struct control *control, struct error *err)
{
    uv_timer_init(control->loop, &control->publish.rest);
    control->publish.rest.data = control;
    return mailbox_open(&control->publish.bin, control->loop, bin_delivers, control, err);
}

void publish_close_bin(struct control *control)
{
    mailbox_close(&control->publish.bin, NULL);
    if (control->publish.rest.data != NULL)
        uv_close((uv_handle_t *)&control->publish.rest, NULL);
}

/* On the loop: what a compile on the pool reads must not change under it. The binds
 * of before a HUP are kept by main. */
static struct compile_options options_for(struct control *control, uint64_t revision)
{
    struct publish *publish = &control->publish;

    memcpy(publish->region, control->region, sizeof publish->region);
    memcpy(publish->zone, control->zone, sizeof publish->zone);
    return (struct compile_options){.revision = revision,
                                    .node_name =
                                        slice_from_string(control->options.identity.name),
                                    .node_region = slice_from_string(publish->region),
                                    .node_zone = slice_from_string(publish->zone),
                                    .is_witness = publish_is_witness(control),
                                    .board = control->board,
                                    .overrides = control->options.binds,
                                    .override_count = control->options.bind_count,
                                    .on_unused = unused,
                                    .context = publish};
}

static struct listener_entry *find_entry(struct publish *publish, struct slice name)
{
    for (size_t i = 0; i < publish->listener_count; i++) {
        if (slice_equal(slice_from_string(publish->listeners[i].name), name))
            return &publish->listeners[i];
    }
    return NULL;
}

/* The address is ours already, under another name that goes away with this very
 * publish: more sockets beside those, or a rename would find its own port busy. */
static enum result open_beside(struct control *control, const struct address *address,
                               int *fds, struct error *err)
{
    for (unsigned i = 0; i < control->side.workers; i++) {
        if (listener_open_another(address, &fds[i], err) == GW_OK)
            continue;
        while (i-- > 0)
            close(fds[i]);
        return err->code;
    }
    return GW_OK;
}

static bool is_ours(const struct publish *publish, const char *bind)
{
    for (size_t i = 0; i < publish->listener_count; i++) {
        if (publish->listeners[i].state == LISTENER_OPEN &&
            strcmp(publish->listeners[i].bind, bind) == 0)
            return true;
    }
    return false;
}

/* Opens one descriptor for each worker, or says why not. */
static bool open_sockets(struct control *control, struct listener_entry *entry, int *fds)
{
    struct address address;
    struct error err = ERROR_NONE;

    enum result result = address_parse(slice_from_string(entry->bind), &address, &err);
    if (result == GW_OK)
        result = is_ours(&control->publish, entry->bind) && control->side.workers > 1
                     ? open_beside(control, &address, fds, &err)
                     : listener_open_fds(&address, control->side.workers, fds, &err);
    if (result != GW_OK) {
        if (entry->state != LISTENER_FAILED || strcmp(entry->why, err.text) != 0)
            log_event(LOG_ERROR, "control", "listener failed",
                      LOG_STR("listener", entry->name), LOG_STR("bind", entry->bind),
                      LOG_STR("why", err.text));
        snprintf(entry->why, sizeof entry->why, "%.255s", err.text);
        entry->state = LISTENER_FAILED;
        return false;
    }
    if (entry->state == LISTENER_FAILED && entry->why[0] != '\0')
        log_event(LOG_INFO, "control", "listener recovered",
                  LOG_STR("listener", entry->name), LOG_STR("bind", entry->bind));
    entry->state = LISTENER_OPEN;
    entry->why[0] = '\0';
    return true;
}

/* A witness votes and stores; it serves nobody. */
bool publish_is_witness(const struct control *control)
{
    const struct node_entry *self = control_self(control);
    return self != NULL && strcmp(self->role, "witness") == 0;
}

/* What each worker gets, a row a listener; -1 where it keeps its own. */
static void hand_over(struct control *control, struct snapshot *snapshot)
{
    struct publish *publish = &control->publish;
    unsigned workers = control->side.workers;
    uint32_t count = snapshot_listener_count(snapshot);
    struct control_socket *sockets = calloc((size_t)workers * (count + 1), sizeof *sockets);
    struct listener_entry entries[CONTROL_LISTENERS_MAX];
    size_t entry_count = 0, socket_count = 0;
    int *fds = calloc(workers, sizeof *fds);

    if (sockets == NULL || fds == NULL) {
        free(sockets);
        free(fds);
        log_event(LOG_ERROR, "control", "publish failed", LOG_STR("why", "out of memory"));
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct snapshot_listener *listener = snapshot_listener_at(snapshot, i);
        if (entry_count == CONTROL_LISTENERS_MAX) {
            log_event(LOG_ERROR, "control", "listener failed",
                      LOG_SLICE("listener", listener->name),
                      LOG_STR("why", "a node runs at most 64 listeners"));
            continue;
        }
        struct listener_entry *entry = &entries[entry_count++];
        struct listener_entry *old = find_entry(publish, listener->name);
        bool had_socket = false;
        if (old != NULL) {
            *entry = *old;
            had_socket = old->state == LISTENER_OPEN;
        } else {
            memset(entry, 0, sizeof *entry);
            snprintf(entry->name, sizeof entry->name, "%.*s", SLICE_ARG(listener->name));
            entry->state = LISTENER_FAILED;
        }
        bool keep = had_socket && strcmp(entry->bind, listener->bind) == 0;
        snprintf(entry->bind, sizeof entry->bind, "%s", listener->bind);
        if (!keep && !open_sockets(control, entry, fds))
            continue;
        for (unsigned w = 0; w < workers; w++) {
            struct control_socket *socket =
                &sockets[(size_t)w * (count + 1) + socket_count];
            snprintf(socket->listener, sizeof socket->listener, "%s", entry->name);
            socket->fd = keep ? -1 : fds[w];
        }
        socket_count++;
    }
    memcpy(publish->listeners, entries, entry_count * sizeof *entries);
    publish->listener_count = entry_count;
    for (unsigned w = 0; w < workers; w++)
        control->side.publish(control->side.owner, w, snapshot_ref(snapshot),
                              &sockets[(size_t)w * (count + 1)], socket_count);
    free(sockets);
    free(fds);
}

static void warn_unknown_binds(struct control *control, struct snapshot *snapshot)
{
    for (size_t i = 0; i < control->options.bind_count; i++) {
        struct slice name = control->options.binds[i].listener;
        if (snapshot_listener_named(snapshot, name) == NULL && control->visible != NULL &&
            catalog_get(&control->visible->catalog, KIND_LISTENER, name) == NULL)
            log_event(LOG_WARN, "control", "override of an unknown listener",
                      LOG_SLICE("listener", name));
    }
}

static void adopt(struct control *control, struct snapshot *snapshot)
{
    struct publish *publish = &control->publish;

    snapshot_unref(publish->current);
    publish->current = snapshot; /* takes the reference */
    publish->failure[0] = '\0';
    log_event(LOG_DEBUG, "control", "publishing",
              LOG_U64("revision", snapshot_revision(snapshot)),
              LOG_U64("routes", snapshot_plan_count(snapshot)));
    for (uint32_t i = 0; i < snapshot_warning_count(snapshot); i++)
        log_event(LOG_WARN, "control", "configuration",
                  LOG_SLICE("what", snapshot_warning_at(snapshot, i)));
    hand_over(control, snapshot);
}

static void compile_run(struct job *job)
{
    struct control *control = job->owner;
    struct publish *publish = &control->publish;

    snapshot_compile(&publish->compiling->catalog, &publish->options, &publish->fresh,
                     &publish->err);
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static uint64_t rest_of(uint64_t took_us)
{
    uint64_t rest =
        clamp(took_us * REST_SHORT_FACTOR, REST_SHORT_MIN_US, REST_SHORT_MAX_US);

    return clamp(took_us * REST_FACTOR, rest, REST_MAX_US);
}

static void compile_done(struct job *job)
{
    struct control *control = job->owner;
    struct publish *publish = &control->publish;
    uint64_t revision = publish->compiling->catalog.revision;
    uint64_t now_us = instant_monotonic_us();

    publish->rest_until_us = now_us + rest_of(now_us - publish->began_us);
    edition_unref(publish->compiling);
    publish->compiling = NULL;
    if (publish->fresh != NULL) {
        struct snapshot *fresh = publish->fresh;
        publish->fresh = NULL;
        adopt(control, fresh);
        warn_unknown_binds(control, fresh);
    } else {
        publish->failures++;
        snprintf(publish->failure, sizeof publish->failure, "%.255s", publish->err.text);
        log_event(LOG_ERROR, "control", "configuration does not compile",
                  LOG_U64("revision", revision), LOG_STR("why", publish->err.text));
    }
    if (publish->has_wanted && !control->is_ending)
        publish_start(control);
}

static void start(struct control *control)
{
    struct publish *publish = &control->publish;

    if (publish->compiling != NULL) {
        publish->has_wanted = true;
        return;
    }
    publish->has_wanted = false;
    publish->err = ERROR_NONE;
    publish->began_us = instant_monotonic_us();
    publish->compiling = edition_ref(control->visible);
    publish->options = options_for(control, control->visible->catalog.revision);
    job_start(&publish->job, control->loop, compile_run, compile_done, control);
}

static void rested(uv_timer_t *timer)
{
    struct control *control = timer->data;

    control->publish.is_resting = false;
    publish_start(control);
}

void publish_start(struct control *control)
{
    struct publish *publish = &control->publish;

    if (control->visible == NULL || !control->has_side)
        return;
    /* A wrong state is not served: what was before is, until it is right again. */
    if (control->sameness.is_quarantined)
        return;
    if (publish->compiling == NULL && publish->current != NULL && !publish->has_wanted &&
        snapshot_revision(publish->current) >= control->visible->catalog.revision)
        return;
    uint64_t now_us = instant_monotonic_us();
    if (publish->is_resting || now_us < publish->rest_until_us) {
        publish->skipped++;
        if (publish->is_resting)
            return;
        publish->is_resting = true;
        uv_timer_start(&publish->rest, rested,
                       (publish->rest_until_us - now_us + 999) / 1000, 0);
        return;
    }
    start(control);
}

void publish_again(struct control *control)
{
    if (control->visible != NULL && control->has_side)
        start(control);
}

enum result publish_first(struct control *control, struct error *err)
{
    struct compile_options options =
        options_for(control, control->visible->catalog.revision);
    struct snapshot *snapshot;

    if (snapshot_compile(&control->visible->catalog, &options, &snapshot, err) != GW_OK)
        return error_wrap(err, "compile revision %llu",
                          (unsigned long long)control->visible->catalog.revision);
    adopt(control, snapshot);
    warn_unknown_binds(control, snapshot);
    return GW_OK;
}

void publish_retry_listeners(struct control *control)
{
    struct publish *publish = &control->publish;
    bool failed = false;

    for (size_t i = 0; i < publish->listener_count; i++)
        failed |= publish->listeners[i].state == LISTENER_FAILED;
    if (failed && publish->current != NULL && !control->is_draining)
        hand_over(control, publish->current);
}

void publish_close(struct control *control)
{
    snapshot_unref(control->publish.current);
    control->publish.current = NULL;
    snapshot_unref(control->publish.fresh);
    control->publish.fresh = NULL;
}

void control_worker_serves(struct control *control, unsigned worker, uint64_t revision)
{
    struct publish *publish = &control->publish;
    uint64_t served = UINT64_MAX;

    if (worker >= control->side.workers || worker >= CONTROL_WORKERS_MAX)
        return;
    publish->worker_served[worker] = revision;
    publish->worker_has[worker] = true;
    for (unsigned i = 0; i < control->side.workers; i++) {
        if (!publish->worker_has[i])
            return;
        if (publish->worker_served[i] < served)
            served = publish->worker_served[i];
    }
    if (publish->is_served && served == publish->served)
        return;
    publish->served = served;
    publish->is_served = true;
    log_event(LOG_INFO, "control", "serving", LOG_U64("revision", served));
    control_served(control);
}
