/* A proposal cannot be called back: when its time runs out the asker is told
 * "unknown", and the small struct here stays until the replica answers. */
#include "raft/calls.h"

#include "base/instant.h"

#include <stdlib.h>

struct pending {
    struct list_link link;
    struct wheel_timer timer;
    struct calls *calls;
    struct member_call *call; /* NULL: answered, the replica still holds us */
    uint64_t forward_id;
    uint64_t sent_to; /* FORWARD: 0: waits for a leader */
};

void member_call_init(struct member_call *call, enum member_call_type type,
                      struct mailbox *reply_to)
{
    memset(call, 0, sizeof *call);
    call->head.type = MEMBER_MAIL_CALL;
    call->type = type;
    call->reply_to = reply_to;
    buffer_init(&call->payload, MEMBER_PAYLOAD);
    buffer_init(&call->reply, MEMBER_PAYLOAD);
}

void member_call_deinit(struct member_call *call)
{
    buffer_deinit(&call->payload);
    buffer_deinit(&call->reply);
}

static void answer(struct pending *pending, enum result result)
{
    struct member_call *call = pending->call;

    loop_stop_timer(pending->calls->loop, &pending->timer);
    pending->call = NULL;
    call->result = result;
    /* A closed mailbox has nobody left to own the call. */
    if (!mailbox_post(call->reply_to, &call->head.mail)) {
        member_call_deinit(call);
        free(call);
    }
}

static void finish(struct pending *pending, enum result result)
{
    if (pending->call != NULL)
        answer(pending, result);
    list_remove(&pending->link);
    free(pending);
}

static bool is_held_by_replica(const struct pending *pending)
{
    return pending->call->type == MEMBER_PROPOSE || pending->call->type == MEMBER_BARRIER;
}

static void on_timeout(struct wheel_timer *timer, uint64_t now_ms)
{
    struct pending *pending = container_of(timer, struct pending, timer);

    (void)now_ms;
    if (pending->call->type == MEMBER_PROPOSE)
        answer(pending, GW_UNKNOWN_OUTCOME);
    else if (pending->call->type == MEMBER_BARRIER)
        answer(pending, GW_NO_QUORUM);
    else
        finish(pending, pending->sent_to == 0 ? GW_NO_QUORUM : GW_UNKNOWN_OUTCOME);
}

void calls_init(struct calls *calls, struct loop *loop, struct replica *replica,
                struct peers *peers, uint64_t self)
{
    memset(calls, 0, sizeof *calls);
    calls->loop = loop;
    calls->replica = replica;
    calls->peers = peers;
    calls->self = self;
    list_init(&calls->pending);
}

/* Sends it to where it shall go, or leaves it waiting. */
static void try_forward(struct pending *pending)
{
    struct calls *calls = pending->calls;
    struct member_call *call = pending->call;
    uint64_t to = call->to;

    if (to == 0) {
        struct replica_view view;
        replica_view(calls->replica, &view);
        to = view.leader;
    }
    if (to == calls->self) {
        finish(pending, GW_AGAIN);
        return;
    }
    if (to == 0)
        return;
    enum result result =
        peers_forward(calls->peers, to, pending->forward_id, buffer_slice(&call->payload));
    if (result == GW_OK)
        pending->sent_to = to;
    else if (result != GW_UNREACHABLE && result != GW_CLOSED)
        finish(pending, result);
}

void calls_take(struct calls *calls, struct member_call *call)
{
    struct pending *pending = calloc(1, sizeof *pending);
    uint64_t now_ms = loop_now_ms(calls->loop);
    enum result result;

    if (pending == NULL) {
        call->result = GW_NO_MEMORY;
        mailbox_post(call->reply_to, &call->head.mail);
        return;
    }
    pending->calls = calls;
    pending->call = call;
    pending->timer.fire = on_timeout;
    pending->forward_id = ++calls->forward_next;
    list_append(&calls->pending, &pending->link);
    loop_start_timer(calls->loop, &pending->timer,
                     call->timeout_ms == 0 ? MEMBER_WAIT_MS : call->timeout_ms);

    switch (call->type) {
    case MEMBER_PROPOSE:
        result = replica_propose(calls->replica, buffer_slice(&call->payload), call->when,
                                 now_ms, instant_wall_ms(), pending);
        if (result != GW_OK)
            finish(pending, result);
        return;
    case MEMBER_BARRIER:
        result = replica_barrier(calls->replica, now_ms, pending);
        if (result != GW_OK)
            finish(pending, result);
        return;
    case MEMBER_FORWARD:
        try_forward(pending);
        return;
    case MEMBER_TRANSFER:
        finish(pending, replica_transfer(calls->replica, call->to));
        return;
    case MEMBER_HALT:
        replica_halt(calls->replica);
        finish(pending, GW_OK);
        return;
    }
}

void calls_replica_reply(struct calls *calls, void *tag, const struct replica_reply *reply)
{
    struct pending *pending = tag;

    (void)calls;
    if (pending->call != NULL) {
        pending->call->index = reply->index;
        pending->call->revision = reply->answer.revision;
        buffer_append_slice(&pending->call->reply, reply->answer.detail);
    }
    finish(pending, reply->result);
}

void calls_forward_reply(struct calls *calls, uint64_t from, uint64_t id,
                         struct slice payload)
{
    list_each (&calls->pending, link) {
        struct pending *pending = container_of(link, struct pending, link);
        if (pending->forward_id != id || pending->sent_to != from || pending->call == NULL)
            continue;
        bool fits = buffer_append_slice(&pending->call->reply, payload);
        finish(pending, fits ? GW_OK : GW_UNKNOWN_OUTCOME);
        return;
    }
}

void calls_link_down(struct calls *calls, uint64_t peer)
{
    list_each (&calls->pending, link) {
        struct pending *pending = container_of(link, struct pending, link);
        if (pending->sent_to == peer && pending->call != NULL)
            finish(pending, GW_UNKNOWN_OUTCOME);
    }
}

void calls_retry(struct calls *calls)
{
    list_each (&calls->pending, link) {
        struct pending *pending = container_of(link, struct pending, link);
        if (pending->call != NULL && pending->call->type == MEMBER_FORWARD &&
            pending->sent_to == 0)
            try_forward(pending);
    }
}

/* What was proposed, or went to the leader, may be done though nobody here hears of it any
 * more: a member that halts comes back while its clients still wait. */
static enum result end_of(const struct pending *pending)
{
    bool may_be_done = pending->call->type == MEMBER_PROPOSE || pending->sent_to != 0;

    return may_be_done ? GW_UNKNOWN_OUTCOME : GW_CLOSED;
}

void calls_close(struct calls *calls)
{
    list_each (&calls->pending, link) {
        struct pending *pending = container_of(link, struct pending, link);
        if (pending->call == NULL || is_held_by_replica(pending)) {
            if (pending->call != NULL)
                answer(pending, end_of(pending));
            continue; /* freed by the replica's last answer, as it closes */
        }
        finish(pending, end_of(pending));
    }
}
