/* The loop: its turns, and the beginning and end of it all. What comes from the member is
 * news.c's. The order of the start is the promise of static stability: the last
 * configuration is served before anything is said to a peer. */
#include "base/instant.h"
#include "base/log.h"
#include "node/control/admin.h"
#include "node/control/authority.h"
#include "node/control/faults.h"
#include "node/control/keyring.h"
#include "node/control/quarantine.h"
#include "node/control/request.h"
#include "node/control/schedule.h"
#include "node/control/upkeep.h"
#include "store/meta.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define TICK_MS 200

/* ---- what the rooms ask ---- */

uint64_t control_now_ms(const struct control *control)
{
    (void)control;
    return instant_monotonic_ms();
}

bool control_is_leader(const struct control *control)
{
    return control->view != NULL && control->view->replica.state == REPLICA_LEADER;
}

uint64_t control_leader(const struct control *control)
{
    return control->view == NULL ? 0 : control->view->replica.leader;
}

const struct node_entry *control_self(const struct control *control)
{
    return nodes_by_id(&control->nodes, control->options.identity.node_id);
}

void control_place(struct control *control)
{
    const struct node_entry *self = control_self(control);
    struct slice region = control->options.region, zone = control->options.zone;

    if (region.size == 0 && self != NULL)
        region = slice_from_string(self->region);
    if (zone.size == 0 && self != NULL)
        zone = slice_from_string(self->zone);
    snprintf(control->region, sizeof control->region, "%.*s", SLICE_ARG(region));
    snprintf(control->zone, sizeof control->zone, "%.*s", SLICE_ARG(zone));
}

bool control_call(struct control *control, enum member_call_type type, struct slice payload,
                  uint64_t to, uint64_t timeout_ms, control_call_fn done, void *owner)
{
    struct control_call *call;

    if (control->member == NULL || (call = calloc(1, sizeof *call)) == NULL)
        return false;
    member_call_init(&call->member, type, &control->mailbox);
    call->control = control;
    call->done = done;
    call->owner = owner;
    call->member.to = to;
    call->member.timeout_ms = timeout_ms;
    if (!buffer_append_slice(&call->member.payload, payload)) {
        control_call_free(call);
        return false;
    }
    if (!quarantine_refuses(control, &call->member) &&
        !disk_refuses(control, &call->member))
        member_post(control->member, &call->member);
    return true;
}

void control_call_free(struct control_call *call)
{
    if (call == NULL)
        return;
    member_call_deinit(&call->member);
    free(call);
}

void control_answer(struct control *control, struct member_forwarded *forwarded,
                    struct slice reply)
{
    if (control->member != NULL && forwarded->life == control->disk.life) {
        member_answer(control->member, forwarded, reply);
        return;
    }
    buffer_deinit(&forwarded->payload);
    free(forwarded);
}

void control_end(struct control *control, enum result result, const char *why)
{
    if (control->is_ending)
        return;
    control->is_ending = true;
    if (result == GW_OK)
        control->end = ERROR_NONE;
    else
        error_set(&control->end, result, "%s", why);
    uv_stop(control->loop);
}

void control_served(struct control *control)
{
    control_status_send(control);
    laggards_check(control);
}

void control_worker_drained(struct control *control, unsigned worker)
{
    (void)worker;
    if (++control->drained_workers >= control->side.workers && control->is_draining)
        drain_finish(control);
}

/* ---- housekeeping ---- */

static void expire_waits(struct control *control)
{
    struct list_link expired;
    struct list_link *link;
    uint64_t now_ms = control_now_ms(control);

    list_init(&expired);
    list_each (&control->waiting, waiting) {
        struct request *request = container_of(waiting, struct request, lag_link);
        if (request->deadline_ms <= now_ms) {
            list_remove(waiting);
            list_append(&expired, waiting);
        }
    }
    while ((link = list_take_first(&expired)) != NULL) {
        struct request *request = container_of(link, struct request, lag_link);
        request_fail(request, GW_TIMEOUT,
                     "this node has not caught up with the leader yet");
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct control *control = timer->data;
    uint64_t now_ms = control_now_ms(control);
    uint64_t turn = (now_ms - control->started_ms) / TICK_MS;

    expire_waits(control);
    laggards_check(control);
    faults_tick(control);
    upkeep_tick(control->upkeep, now_ms);
    if (turn % (1000 / TICK_MS) == 0) {
        disk_tick(control, now_ms);
        control_status_send(control);
        self_tell_record(control);
        backup_tick(control, now_ms);
        watch_tick(control, now_ms);
        quarantine_tick(control, now_ms);
        schedule_tick(control->schedule, now_ms);
    }
    if (turn % (CONTROL_REDIAL_MS / TICK_MS) == 0)
        publish_retry_listeners(control);
}

/* ---- the beginning ---- */

static enum result check_cluster(struct control *control, struct error *err)
{
    struct txn *txn;
    struct slice id;

    enum result result = env_begin_read(control->env, &txn);
    if (result != GW_OK)
        return error_set(err, result, "read the store: %s", result_text(result));
    result = meta_epoch_get(txn, &control->epoch);
    if (result == GW_OK)
        result = meta_cluster_get(txn, &id);
    if (result == GW_OK &&
        !slice_equal(id, slice_from_string(control->options.identity.cluster_id)))
        error_set(
            err, result = GW_FOREIGN,
            "the data of '%s' belongs to cluster %.*s, its identity to cluster %s: put "
            "back the directory as it was",
            control->options.data_dir, SLICE_ARG(id), control->options.identity.cluster_id);
    else if (result != GW_OK && result != GW_NOT_FOUND)
        error_set(err, result, "read the store: %s", result_text(result));
    else
        result = GW_OK;
    txn_abort(txn);
    return result;
}

static enum result open_handles(struct control *control, struct error *err)
{
    uv_loop_t *loop = control->loop;

    if (mailbox_open(&control->mailbox, loop, news_deliver, control, err) != GW_OK ||
        publish_open(control, err) != GW_OK)
        return err->code;
    uv_timer_init(loop, &control->second);
    uv_timer_init(loop, &control->drain_timer);
    uv_idle_init(loop, &control->proposing);
    uv_prepare_init(loop, &control->telling);
    uv_signal_init(loop, &control->term);
    uv_signal_init(loop, &control->interrupt);
    uv_signal_init(loop, &control->hangup);
    control->proposing.data = control->telling.data = control;
    control->second.data = control->drain_timer.data = control->term.data =
        control->interrupt.data = control->hangup.data = control;
    control->is_announced = true; /* the handles are there, to be closed */
    return GW_OK;
}

static enum result read_state(struct control *control, struct error *err)
{
    if (keyring_read(control, err) != GW_OK)
        return err->code;
    const struct env_options env = {.dir = control->options.data_dir,
                                    .map_size_bytes = control->options.map_size};
    if (env_open(&env, &control->env, err) == GW_NOT_FOUND)
        err->code = GW_DAMAGED; /* there is an identity, so there was data */
    if (err->code != GW_OK)
        return err->code;
    if (check_cluster(control, err) != GW_OK || authority_check_key(control, err) != GW_OK)
        return err->code;
    enum result result = nodes_read(control->env, &control->nodes);
    if (result != GW_OK)
        return error_set(err, result, "read the node records: %s", result_text(result));
    control->visible_index = control->nodes.state.applied;
    control->visible_revision = control->nodes.state.revision;
    control_place(control);
    faults_follow(control, true);
    return edition_read(control->env, NULL, false, &control->visible, err);
}

enum result control_open(uv_loop_t *loop, const struct control_options *options,
                         struct control **ret_control, struct error *err)
{
    struct control *control = calloc(1, sizeof *control);

    if (control == NULL)
        return error_set(err, GW_NO_MEMORY, "open control");
    control->loop = loop;
    control->options = *options;
    rng_init_random(&control->rng);
    control->started_ms = instant_monotonic_ms();
    list_init(&control->waiting);
    list_init(&control->laggards);
    list_init(&control->requests);
    list_init(&control->backup_streams);
    watches_init(&control->watches);
    hooks_init(control);
    control->board = board_new();
    if (control->board == NULL)
        error_set(err, GW_NO_MEMORY, "open control");
    else if (open_handles(control, err) == GW_OK && read_state(control, err) == GW_OK) {
        *ret_control = control;
        return GW_OK;
    }
    enum result result = err->code;
    control_close(control);
    return result;
}

void control_side_set(struct control *control, const struct control_side *side)
{
    control->side = *side;
    control->has_side = true;
}

enum result control_start_member(struct control *control, struct error *err)
{
    struct tls_context *server = NULL, *client = NULL;
    struct member_former formers[MEMBER_PEERS];
    const struct node_entry *self = control_self(control);
    const char *advertise = control->options.peer_advertise;

    if ((advertise == NULL || advertise[0] == '\0') && self != NULL)
        advertise = self->peer;
    if (credentials_peer_tls(control->credentials, &server, &client, err) != GW_OK)
        return err->code;
    struct member_options options = {.id = control->options.identity.node_id,
                                     .cluster_id = control->options.identity.cluster_id,
                                     .name = control->options.identity.name,
                                     .peer_listen = control->options.peer_listen,
                                     .peer_advertise = advertise,
                                     .server = server,
                                     .client = client,
                                     .data_dir = control->options.data_dir,
                                     .epoch = control->epoch.number,
                                     .format = control->nodes.format,
                                     .lineage = control->epoch.lineage,
                                     .env = control->env,
                                     .formers = formers,
                                     .former_count =
                                         nodes_formers(control->env, formers, MEMBER_PEERS),
                                     .commands = control->options.commands,
                                     .command_count = control->options.command_count,
                                     .is_disk_low = control->disk.is_low,
                                     .life = control->disk.life,
                                     .control = &control->mailbox};
    options.shape = control->shape = shape_wanted(control);
    member_open(&options, &control->member, err);
    tls_context_unref(server);
    tls_context_unref(client);
    if (err->code != GW_OK)
        return err->code;
    if (control->nodes.count != 0)
        nodes_tell(&control->nodes, control->member);
    faults_tell(control);
    return member_start(control->member, err);
}

static enum result start_all(struct control *control, struct error *err)
{
    if (control->has_side && publish_first(control, err) != GW_OK) {
        /* Not the end: the next revision may compile, and the node is needed to make it. */
        log_event(LOG_ERROR, "control", "configuration does not compile",
                  LOG_STR("why", err->text));
        snprintf(control->publish.failure, sizeof control->publish.failure, "%.255s",
                 err->text);
        *err = ERROR_NONE;
    }
    control->upkeep = upkeep_new(control);
    if (control->upkeep == NULL)
        return error_set(err, GW_NO_MEMORY, "start");
    disk_tick(control, control_now_ms(control));
    if (credentials_open(control, &control->credentials, err) != GW_OK ||
        control_start_member(control, err) != GW_OK || admin_open(control, err) != GW_OK ||
        status_open(control, err) != GW_OK ||
        schedule_open(control, &control->schedule, err) != GW_OK) {
        /* The data directory is ours by now: what is in use is a port. */
        if (err->code == GW_LOCKED)
            err->code = GW_FAILED;
        return err->code;
    }
    uv_signal_start(&control->term, drain_on_signal, SIGTERM);
    uv_signal_start(&control->interrupt, drain_on_signal, SIGINT);
    uv_signal_start(&control->hangup, drain_on_hangup, SIGHUP);
    uv_timer_start(&control->second, on_tick, TICK_MS, TICK_MS);
    control->is_started = true;
    control_status_send(control);
    log_event(LOG_INFO, "control", "started", LOG_STR("region", control->region),
              LOG_U64("revision", control->visible->catalog.revision),
              LOG_U64("took_ms", instant_monotonic_ms() - control->started_ms));
    if (control->options.started != NULL)
        control->options.started(control->options.owner);
    return GW_OK;
}

enum result control_run(struct control *control, struct error *err)
{
    if (start_all(control, err) != GW_OK)
        return err->code;
    while (!control->is_ending)
        uv_run(control->loop, UV_RUN_DEFAULT);
    if (control->end.code != GW_OK)
        *err = control->end;
    return control->end.code;
}

static void close_handle(void *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void control_close(struct control *control)
{
    if (control == NULL)
        return;
    control->is_ending = true;
    if (control->admin != NULL)
        http_server_close(control->admin, NULL, NULL);
    if (control->status != NULL)
        http_server_close(control->status, NULL, NULL);
    disk_settle(control);
    struct member *member = control->member;
    if (control->is_announced) {
        close_handle(&control->second);
        close_handle(&control->drain_timer);
        close_handle(&control->proposing);
        close_handle(&control->telling);
        close_handle(&control->term);
        close_handle(&control->interrupt);
        close_handle(&control->hangup);
        /* Calls under way come back while the member ends; their answers are written
         * before the mailbox closes. */
        member_close(member);
        control->member = NULL;
        uv_run(control->loop, UV_RUN_NOWAIT);
        mailbox_close(&control->mailbox, NULL);
        publish_close_bin(control);
        uv_run(control->loop, UV_RUN_DEFAULT);
        applied_tell(control);
    }
    publish_close(control);
    schedule_free(control->schedule);
    upkeep_free(control->upkeep);
    credentials_free(control->credentials);
    proposer_deinit(&control->proposer);
    edition_unref(control->visible);
    edition_unref(control->read);
    member_view_free(control->view);
    board_free(control->board);
    env_close(control->env);
    seal_key_wipe(&control->key);
    seal_key_wipe(&control->other_key);
    free(control);
}
