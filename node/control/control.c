/* The loop: news from the member in, status out, and the beginning and end of it
 * all. The order of the start is the promise of static stability: the last
 * configuration is served before anything is said to a peer. */
#include "base/instant.h"
#include "base/log.h"
#include "model/wire.h"
#include "node/control/authority.h"
#include "node/control/catalog_source.h"
#include "node/control/faults.h"
#include "node/control/keyring.h"
#include "node/control/quarantine.h"
#include "node/control/request.h"
#include "node/control/schedule.h"
#include "node/control/upkeep.h"
#include "raft/session.h"
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

/* ---- news ---- */

static void take_visible(struct control *control, uint64_t index, uint64_t revision)
{
    struct nodes nodes;

    if (index > control->visible_index)
        control->visible_index = index;
    if (revision > control->visible_revision)
        control->visible_revision = revision;

    enum result result = nodes_read(control->env, &nodes);
    if (result != GW_OK) {
        log_event(LOG_ERROR, "control", "node records unreadable",
                  LOG_STR("why", result_text(result)));
    } else {
        bool changed = nodes.count != control->nodes.count ||
                       nodes.format != control->nodes.format ||
                       memcmp(nodes.items, control->nodes.items,
                              nodes.count * sizeof *nodes.items) != 0;
        bool was_witness = publish_is_witness(control);
        control->nodes = nodes;
        if (changed) {
            char region[64], zone[64];
            memcpy(region, control->region, sizeof region);
            memcpy(zone, control->zone, sizeof zone);
            if (control->member != NULL)
                nodes_tell(&nodes, control->member);
            control_place(control);
            if (strcmp(region, control->region) != 0 || strcmp(zone, control->zone) != 0 ||
                was_witness != publish_is_witness(control))
                publish_again(control);
            /* A change of this node's role may have crossed with one of its addresses. */
            control->has_told_record = false;
            self_notice_removal(control);
        }
        if (nodes.state.revision > control->visible_revision)
            control->visible_revision = nodes.state.revision;
        if (nodes.state.applied > control->visible_index)
            control->visible_index = nodes.state.applied;
    }
    faults_follow(control, false);
    catalog_source_refresh(control);
    watch_visible(control);
}

static void take_halt(struct control *control, enum result cause)
{
    control->is_halted = true;
    log_event(LOG_ERROR, "control", "member halted",
              LOG_STR("effect",
                      cause == GW_DISK_LOW
                          ? "traffic is served from memory; make room on the disk, and the "
                            "member comes back by itself"
                          : "traffic is served from memory; see the log above, mend "
                            "the disk, restart"));
    if (control->options.exit_on_disk_error)
        control_end(control, GW_IO, "the log cannot be written (onDiskError: exit)");
}

static void take_view(struct control *control, struct member_view *view)
{
    if (view->life != control->disk.life) {
        member_view_free(view);
        return;
    }
    struct member_view *old = control->view;
    bool was_leader = control_is_leader(control);
    uint64_t old_leader = control_leader(control);

    control->view = view;
    bool is_leader = control_is_leader(control);
    if (old_leader != control_leader(control)) {
        const struct node_entry *leader =
            nodes_by_id(&control->nodes, view->replica.leader);
        log_event(
            LOG_INFO, "control", view->replica.leader == 0 ? "no leader" : "leader known",
            LOG_U64("term", view->replica.term), LOG_U64("leader", view->replica.leader),
            LOG_STR("name", leader == NULL ? "" : leader->name));
    }
    if (was_leader && (!is_leader || view->replica.term != control->proposer_term))
        proposer_lost(&control->proposer);
    if (is_leader)
        control->proposer_term = view->replica.term;
    if (is_leader && !was_leader)
        catalog_source_refresh(control); /* the index that checks want */
    if (view->replica.state == REPLICA_HALTED && !control->is_halted)
        take_halt(control, view->halt_cause);
    member_view_free(old);
    /* The view may be newer than the last news of what is visible. */
    if (view->replica.visible > control->visible_index ||
        view->replica.revision > control->visible_revision)
        take_visible(control, view->replica.visible, view->replica.revision);
    self_tell_record(control);
    laggards_check(control);
}

static void deliver(struct mail *mail, void *owner)
{
    struct control *control = owner;
    struct member_mail *head = container_of(mail, struct member_mail, mail);

    switch (head->type) {
    case MEMBER_MAIL_CALL: {
        struct member_call *call = container_of(head, struct member_call, head);
        if (!proposer_called(&control->proposer, call)) {
            struct control_call *ours = container_of(call, struct control_call, member);
            ours->done(ours);
        }
        return;
    }
    case MEMBER_MAIL_VIEW:
        take_view(control, container_of(head, struct member_view, head));
        return;
    case MEMBER_MAIL_FORWARDED:
        forward_arrived(control, container_of(head, struct member_forwarded, head));
        return;
    case MEMBER_MAIL_VISIBLE: {
        struct member_visible *visible = container_of(head, struct member_visible, head);
        take_visible(control, visible->index, visible->revision);
        free(visible);
        return;
    }
    }
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

/* An idle handle keeps the loop from waiting, so the next turn is at once. */
static void on_idle(uv_idle_t *idle)
{
    struct control *control = idle->data;

    uv_idle_stop(idle);
    proposer_turn(&control->proposer);
}

static void hook_soon(void *owner)
{
    struct control *control = owner;

    if (!control->is_ending)
        uv_idle_start(&control->proposing, on_idle);
}

static void hook_post(void *owner, struct member_call *call)
{
    struct control *control = owner;

    if (control->member != NULL) {
        if (!quarantine_refuses(control, call) && !disk_refuses(control, call))
            member_post(control->member, call);
        return;
    }
    call->result = GW_CLOSED;
    mailbox_post(&control->mailbox, &call->head.mail);
}

static struct edition *hook_visible(void *owner)
{
    struct control *control = owner;
    return control->visible;
}

static void hook_regions(void *owner, struct write *write)
{
    struct control *control = owner;
    write->region_count =
        nodes_regions(&control->nodes, &write->arena, write->regions, WRITE_REGIONS_MAX);
    write->format = control->nodes.format;
    write->cluster_name =
        arena_copy(&write->arena, slice_from_string(control->nodes.cluster_name));
}

static uint64_t hook_wall_ms(void *owner)
{
    (void)owner;
    return instant_wall_ms();
}

/* Pool. */
static bool hook_session_answer(void *owner, struct write *write)
{
    struct control *control = owner;
    struct store_answer answer = {0};
    enum session_verdict verdict = SESSION_RUN;
    struct record_state state;
    struct txn *txn;

    if (env_begin_read(control->env, &txn) != GW_OK)
        return false;
    if (record_state_get(txn, &state) != GW_OK ||
        session_check(txn, slice_of(write->client, sizeof write->client), 1, state.now_ms,
                      &verdict, &answer) != GW_OK)
        verdict = SESSION_RUN;
    txn_abort(txn);
    if (verdict != SESSION_REPEAT)
        return false;
    write->result = answer.result;
    write->revision = answer.revision;
    buffer_append_slice(&write->detail, answer.detail);
    free((void *)(uintptr_t)answer.detail.data);
    return true;
}

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

    if (mailbox_open(&control->mailbox, loop, deliver, control, err) != GW_OK ||
        publish_open(control, err) != GW_OK)
        return err->code;
    uv_timer_init(loop, &control->second);
    uv_timer_init(loop, &control->drain_timer);
    uv_idle_init(loop, &control->proposing);
    uv_signal_init(loop, &control->term);
    uv_signal_init(loop, &control->interrupt);
    uv_signal_init(loop, &control->hangup);
    control->proposing.data = control;
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
    const struct proposer_hooks hooks = {.owner = control,
                                         .loop = loop,
                                         .mailbox = &control->mailbox,
                                         .soon = hook_soon,
                                         .post = hook_post,
                                         .visible = hook_visible,
                                         .regions = hook_regions,
                                         .wall_ms = hook_wall_ms,
                                         .session_answer = hook_session_answer};
    proposer_init(&control->proposer, &hooks);
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
