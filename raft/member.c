/* The member's loop: a 10 ms timer ticks the replica, the links and the roster;
 * everything else is an event. The store thread rings a bell when jobs are
 * done; dumps are built on libuv's pool. The price of the timer is a hundred
 * wake-ups a second on an idle node, well under a thousandth of a core. */
#include "raft/member_inner.h"

#include "base/instant.h"
#include "base/log.h"

#include <stdlib.h>
#include <sys/prctl.h>

#define TICK_MS    10
#define PEERS_MS   50
#define VIEW_MS    1000
#define STATUS_MAX (16u << 10)

/* Mail to the member thread; calls come as themselves. */
enum order_type {
    ORDER_STATUS = 100,
    ORDER_NODES,
    ORDER_ANSWER,
    ORDER_SHAPE,
    ORDER_CREDENTIALS,
    ORDER_STOPPING,
    ORDER_QUARANTINE,
    ORDER_DISK,
    ORDER_FAULTS,
    ORDER_CLOSE
};
struct order {
    struct member_mail head;  /* type: enum order_type */
    struct buffer bytes;      /* STATUS, ANSWER */
    uint64_t to, id;          /* ANSWER; DISK: `to` is the heir */
    uint64_t visible, format; /* NODES */
    bool is_quarantined;
    bool is_low; /* DISK */
    struct member_shape shape;
    struct fault_orders faults;
    struct tls_context *server, *client; /* CREDENTIALS, owned references */
    size_t count;
    struct member_node nodes[];
};

static void order_free(struct order *order)
{
    tls_context_unref(order->server);
    tls_context_unref(order->client);
    buffer_deinit(&order->bytes);
    free(order);
}

/* ---- the loop ---- */

static void on_tick(uv_timer_t *timer)
{
    struct member *member = container_of(timer, struct member, tick);
    uint64_t now_ms = loop_now_ms(&member->loop);

    atomic_store_explicit(&member->turned_ms, instant_monotonic_ms(), memory_order_relaxed);
    replica_tick(member->replica, now_ms);
    if (now_ms - member->peers_at_ms >= PEERS_MS) {
        member->peers_at_ms = now_ms;
        peers_tick(&member->peers, now_ms);
        member_formers_tick(member, now_ms);
        calls_retry(&member->calls);
    }
    member_shape_tick(member, now_ms);
    if (instant_monotonic_ms() - member->view_at_ms >= VIEW_MS)
        member->view_wanted = true;
    member_settle(member);
    replica_flush(member->replica); /* no turn ends before the loop waits again */
}

static void on_store_wake(struct bell *bell)
{
    struct member *member = container_of(bell, struct member, store_wake);

    if (member->is_closing)
        return;
    replica_completed(member->replica, loop_now_ms(&member->loop));
    member_settle(member);
}

/* Behind all that a turn of the loop brought, and the timers of the next one. */
static void on_turn_end(uv_check_t *check)
{
    struct member *member = container_of(check, struct member, turn_end);

    if (!member->is_closing)
        replica_flush(member->replica);
}

/* Store thread, inside the write transaction. */
static enum result apply(void *owner, struct txn *txn, uint64_t index, struct slice entry,
                         struct store_answer *answer)
{
    struct member *member = owner;

    return fsm_apply(&member->fsm, txn, index, entry, answer);
}

/* Store thread. */
static void wake(void *owner)
{
    struct member *member = owner;

    bell_ring(&member->store_wake);
}

/* The store thread ends first: after that nobody rings the bell any more. What
 * it still completed is answered; then everything on the loop is closed, and the
 * loop ends by itself once the last link has let go. */
static void close_all(struct member *member)
{
    member->is_closing = true;
    store_stop(member->store);
    if (member->calls.loop != NULL) {
        replica_completed(member->replica, loop_now_ms(&member->loop));
        calls_close(&member->calls);
    }
    replica_close(member->replica);
    member->replica = NULL;
    if (member->has_peers)
        peers_close(&member->peers);
    loop_close(&member->loop, NULL, NULL);
    uv_close((uv_handle_t *)&member->tick, NULL);
    bell_close(&member->store_wake, NULL);
    uv_close((uv_handle_t *)&member->turn_end, NULL);
    mailbox_close(&member->inbox, NULL);
}

static void take_nodes(struct member *member, const struct order *order)
{
    member->node_count = order->count;
    memcpy(member->nodes, order->nodes, order->count * sizeof order->nodes[0]);
    member->peers.ours.stored = order->format;
    peers_nodes(&member->peers, order->nodes, order->count, order->visible);
}

static void on_mail(struct mail *mail, void *owner)
{
    struct member *member = owner;
    struct member_mail *head = container_of(mail, struct member_mail, mail);

    if (head->type == MEMBER_MAIL_CALL) {
        struct member_call *call = container_of(head, struct member_call, head);
        if (member->is_closing) {
            call->result = GW_CLOSED;
            mailbox_post(call->reply_to, &call->head.mail);
            return;
        }
        calls_take(&member->calls, call);
        member_settle(member);
        return;
    }
    struct order *order = container_of(head, struct order, head);
    switch ((enum order_type)head->type) {
    case ORDER_STATUS:
        peers_status(&member->peers, buffer_slice(&order->bytes));
        break;
    case ORDER_NODES:
        take_nodes(member, order);
        break;
    case ORDER_ANSWER:
        if (order->to == 0)
            peers_join_answer(&member->peers, order->id, buffer_slice(&order->bytes));
        else
            peers_reply(&member->peers, order->to, order->id, buffer_slice(&order->bytes));
        break;
    case ORDER_SHAPE:
        member->shape = order->shape;
        member->pace_at_ms = 0;
        break;
    case ORDER_CREDENTIALS:
        peers_credentials(&member->peers, order->server, order->client);
        break;
    case ORDER_FAULTS:
        peers_cut(&member->peers, order->faults.cuts, order->faults.cut_count);
        store_slow(member->store, order->faults.delay_ms, order->faults.delay_until_ms);
        break;
    case ORDER_STOPPING:
        member->is_stopping = true;
        member->roster_at_ms = 0;
        break;
    case ORDER_DISK:
        member->is_disk_low = order->is_low;
        member->heir = order->to;
        member->roster_at_ms = 0;
        break;
    case ORDER_QUARANTINE:
        member->is_quarantined = order->is_quarantined;
        member->roster_at_ms = 0;
        break;
    case ORDER_CLOSE:
        if (!member->is_closing)
            close_all(member);
        break;
    }
    order_free(order);
}

static void run(void *argument)
{
    struct member *member = argument;

    prctl(PR_SET_NAME, "gw-member");
    uv_run(&member->uv, UV_RUN_DEFAULT);
}

/* ---- from any thread ---- */

static struct order *order_new(enum order_type type, size_t nodes)
{
    struct order *order = calloc(1, sizeof *order + nodes * sizeof order->nodes[0]);

    if (order != NULL) {
        order->head.type = (enum member_mail_type)type;
        buffer_init(&order->bytes, MEMBER_PAYLOAD + 64);
    }
    return order;
}

static void order_post(struct member *member, struct order *order)
{
    if (order == NULL || mailbox_post(&member->inbox, &order->head.mail))
        return;
    order_free(order);
}

void member_post(struct member *member, struct member_call *call)
{
    if (mailbox_post(&member->inbox, &call->head.mail))
        return;
    call->result = GW_CLOSED;
    mailbox_post(call->reply_to, &call->head.mail);
}

void member_answer(struct member *member, struct member_forwarded *forwarded,
                   struct slice reply)
{
    struct order *order = order_new(ORDER_ANSWER, 0);

    if (order != NULL) {
        order->to = forwarded->from;
        order->id = forwarded->id;
        buffer_append_slice(&order->bytes, reply);
    }
    order_post(member, order);
    buffer_deinit(&forwarded->payload);
    free(forwarded);
}

void member_status_set(struct member *member, struct slice status)
{
    struct order *order = order_new(ORDER_STATUS, 0);

    if (order != NULL && status.size <= STATUS_MAX)
        buffer_append_slice(&order->bytes, status);
    order_post(member, order);
}

void member_nodes_set(struct member *member, const struct member_node *nodes, size_t count,
                      uint64_t visible, uint64_t format)
{
    if (count > MEMBER_PEERS)
        count = MEMBER_PEERS;
    struct order *order = order_new(ORDER_NODES, count);
    if (order != NULL) {
        order->count = count;
        order->visible = visible;
        order->format = format;
        memcpy(order->nodes, nodes, count * sizeof nodes[0]);
    }
    order_post(member, order);
}

void member_stopping(struct member *member)
{
    order_post(member, order_new(ORDER_STOPPING, 0));
}

void member_disk_low_set(struct member *member, bool is_low, uint64_t heir)
{
    struct order *order = order_new(ORDER_DISK, 0);

    if (order != NULL) {
        order->is_low = is_low;
        order->to = heir;
    }
    order_post(member, order);
}

void member_quarantine_set(struct member *member, bool is_quarantined)
{
    struct order *order = order_new(ORDER_QUARANTINE, 0);

    if (order != NULL)
        order->is_quarantined = is_quarantined;
    order_post(member, order);
}

bool member_digest_at(struct member *member, uint64_t index, uint64_t *ret_digest)
{
    return store_digest_at(member->store, index, ret_digest);
}

void member_faults_set(struct member *member, const struct fault_orders *orders)
{
    struct order *order = order_new(ORDER_FAULTS, 0);

    if (order != NULL)
        order->faults = *orders;
    order_post(member, order);
}

void member_shape_set(struct member *member, const struct member_shape *shape)
{
    struct order *order = order_new(ORDER_SHAPE, 0);

    if (order != NULL)
        order->shape = *shape;
    order_post(member, order);
}

void member_credentials_set(struct member *member, struct tls_context *server,
                            struct tls_context *client)
{
    struct order *order = order_new(ORDER_CREDENTIALS, 0);

    if (order != NULL) {
        order->server = tls_context_ref(server);
        order->client = tls_context_ref(client);
    }
    order_post(member, order);
}

uint64_t member_turned_ms(const struct member *member)
{
    return atomic_load_explicit(&member->turned_ms, memory_order_relaxed);
}

/* ---- life ---- */

static enum result open_links(struct member *member, const struct member_options *options,
                              struct error *err)
{
    struct hello ours = {.protocol = PEER_PROTOCOL,
                         .format = format_spoken,
                         .stored = options->format,
                         .epoch = options->epoch,
                         .id = options->id};
    int fd = -1;

    snprintf(ours.cluster_id, sizeof ours.cluster_id, "%s", options->cluster_id);
    snprintf(ours.lineage, sizeof ours.lineage, "%s", options->lineage);
    snprintf(ours.name, sizeof ours.name, "%s", options->name);
    snprintf(ours.address, sizeof ours.address, "%s", options->peer_advertise);
    if (listener_open_fd(slice_from_string(options->peer_listen), &fd, err) != GW_OK)
        return error_wrap(err, "peer port");
    if (peers_open(&member->peers, &member->loop, fd, options->server, options->client,
                   &ours, &member_peers_events, member, err) == GW_OK)
        member->has_peers = true;
    return err->code;
}

static enum result open_replica(struct member *member, const struct member_options *options,
                                struct error *err)
{
    struct store_options store = {.env = options->env,
                                  .apply = apply,
                                  .wake = wake,
                                  .owner = member,
                                  .lazy_us = 5000,
                                  .linger_us = 500,
                                  .is_kicked = true};
    struct replica_options replica = {
        .id = options->id,
        .now_ms = loop_now_ms(&member->loop),
        .heartbeat_ms = member->pace.heartbeat_ms,
        .election_ms = member->pace.election_ms,
        .snapshot_threshold = 8192,
        .snapshot_trailing = 1024,
        .gathers = true,
    };

    member_replica_options(member, &replica);
    rng_init_random(&replica.rng);
    member->fsm.types = options->commands;
    member->fsm.type_count = options->command_count;
    if (store_open(&store, &member->store, err) != GW_OK)
        return err->code;
    replica.store = member->store;
    return replica_open(&replica, &member->replica, err);
}

enum result member_open(const struct member_options *options, struct member **ret_member,
                        struct error *err)
{
    struct member *member = calloc(1, sizeof *member);

    if (member == NULL)
        return error_set(err, GW_NO_MEMORY, "open the member");
    list_init(&member->dumps);
    member->id = options->id;
    member->env = options->env;
    member->control = options->control;
    member->shape = options->shape;
    member->pace = pace_of(&options->shape.pace, 0);
    member->told_heartbeat_ms = member->pace.heartbeat_ms;
    member->told_election_ms = member->pace.election_ms;
    member->is_disk_low = options->is_disk_low;
    member->life = options->life;
    member_formers_take(member, options);
    err->code = GW_OK;
    member->data_dir = strdup(options->data_dir);
    if (member->data_dir == NULL) {
        free(member);
        return error_set(err, GW_NO_MEMORY, "open the member");
    }
    if (uv_loop_init(&member->uv) != 0) {
        free(member->data_dir);
        free(member);
        return error_set(err, GW_FAILED, "open the member's loop");
    }
    if (loop_open(&member->loop, &member->uv, err) != GW_OK) {
        uv_loop_close(&member->uv);
        free(member->data_dir);
        free(member);
        return err->code;
    }
    uv_timer_init(&member->uv, &member->tick);
    uv_check_init(&member->uv, &member->turn_end);
    if (bell_open(&member->store_wake, &member->uv, on_store_wake, err) != GW_OK)
        goto fail;
    if (mailbox_open(&member->inbox, &member->uv, on_mail, member, err) != GW_OK)
        goto fail;
    if (open_replica(member, options, err) != GW_OK)
        goto fail;
    calls_init(&member->calls, &member->loop, member->replica, &member->peers, member->id);
    if (open_links(member, options, err) != GW_OK)
        goto fail;
    member->visible_told = store_visible(member->store);
    *ret_member = member;
    return GW_OK;

fail:
    member_close(member);
    return err->code;
}

enum result member_start(struct member *member, struct error *err)
{
    if (store_start(member->store, err) != GW_OK)
        return err->code;
    uv_timer_start(&member->tick, on_tick, 0, TICK_MS);
    uv_check_start(&member->turn_end, on_turn_end);
    if (uv_thread_create(&member->thread, run, member) != 0)
        return error_set(err, GW_NO_MEMORY, "start the member's thread");
    member->has_thread = true;
    return GW_OK;
}

void member_close(struct member *member)
{
    if (member == NULL)
        return;
    if (member->has_thread) {
        order_post(member, order_new(ORDER_CLOSE, 0));
        uv_thread_join(&member->thread);
    } else {
        close_all(member);
        uv_run(&member->uv, UV_RUN_DEFAULT);
    }
    if (member->has_peers)
        peers_deinit(&member->peers);
    store_close(member->store);
    uv_loop_close(&member->uv);
    free(member->data_dir);
    free(member);
}
