/* What comes to the member: the replica's wishes (send this, build a dump) and the
 * links' frames (messages, forwarded requests, joiners, status).
 *
 * A dump is built on libuv's pool from a read transaction, so that a large state
 * delays no heartbeat. */
#include "raft/member_inner.h"

#include "base/log.h"
#include "store/dump.h"

#include <stdlib.h>

/* ---- what the replica asks for ---- */

static void replica_sends(void *owner, uint64_t to, struct slice message, bool bulk)
{
    struct member *member = owner;

    peers_send(&member->peers, to, message, bulk);
}

static void replica_replies(void *owner, void *tag, const struct replica_reply *reply)
{
    struct member *member = owner;

    calls_replica_reply(&member->calls, tag, reply);
}

static void replica_changed(void *owner)
{
    struct member *member = owner;

    member->view_wanted = true;
}

/* A dump for one peer, built on the pool from a read transaction. */
struct dump_work {
    uv_work_t work;
    struct member *member;
    uint64_t to;
    struct buffer dump;
    enum result result;
};

static void dump_build_on_pool(uv_work_t *work)
{
    struct dump_work *job = container_of(work, struct dump_work, work);

    job->result = dump_build(job->member->env, &job->dump);
}

static void dump_built(uv_work_t *work, int status)
{
    struct dump_work *job = container_of(work, struct dump_work, work);
    struct member *member = job->member;

    member->dumps_under_way--;
    if (status != 0 || job->result != GW_OK)
        log_event(LOG_WARN, "member", "dump failed", LOG_U64("peer", job->to),
                  LOG_STR("why", result_text(job->result)));
    if (!member->is_closing) {
        /* An empty dump tells the replica that there will be none. */
        replica_dump_ready(member->replica, job->to,
                           job->result == GW_OK ? buffer_slice(&job->dump)
                                                : slice_of("", 0));
        member_settle(member);
    }
    buffer_deinit(&job->dump);
    free(job);
}

static void replica_wants_dump(void *owner, uint64_t to)
{
    struct member *member = owner;
    struct dump_work *job = calloc(1, sizeof *job);

    if (job == NULL)
        return;
    job->member = member;
    job->to = to;
    buffer_init(&job->dump, (size_t)512 << 20);
    if (uv_queue_work(&member->uv, &job->work, dump_build_on_pool, dump_built) != 0) {
        free(job);
        return;
    }
    member->dumps_under_way++;
}

/* ---- what the links bring ---- */

static enum result link_message(void *owner, uint64_t from, struct slice message)
{
    struct member *member = owner;
    enum result result =
        replica_receive(member->replica, from, message, loop_now_ms(&member->loop));

    member_settle(member);
    return result;
}

static void hand_on(struct member *member, uint64_t from, uint64_t id, struct slice payload)
{
    struct member_forwarded *forwarded = calloc(1, sizeof *forwarded);

    if (forwarded == NULL)
        return;
    forwarded->head.type = MEMBER_MAIL_FORWARDED;
    forwarded->from = from;
    forwarded->id = id;
    forwarded->life = member->life;
    buffer_init(&forwarded->payload, MEMBER_PAYLOAD + 64);
    buffer_append_slice(&forwarded->payload, payload);
    if (forwarded->payload.failed ||
        !mailbox_post(member->control, &forwarded->head.mail)) {
        buffer_deinit(&forwarded->payload);
        free(forwarded);
    }
}

static void link_forward(void *owner, uint64_t from, uint64_t id, struct slice payload)
{
    hand_on(owner, from, id, payload);
}

static void link_join(void *owner, uint64_t id, struct slice request)
{
    struct member *member = owner;
    struct buffer payload;

    /* The first byte says what a forwarded request is: 'J' for a joiner's. */
    buffer_init(&payload, MEMBER_PAYLOAD);
    buffer_append_byte(&payload, 'J');
    buffer_append_slice(&payload, request);
    hand_on(member, 0, id, buffer_slice(&payload));
    buffer_deinit(&payload);
}

static void link_reply(void *owner, uint64_t from, uint64_t id, struct slice payload)
{
    struct member *member = owner;

    calls_forward_reply(&member->calls, from, id, payload);
}

static void link_status(void *owner, uint64_t from)
{
    struct member *member = owner;

    (void)from;
    member->view_wanted = true;
    member_settle(member);
}

static void link_changed(void *owner, uint64_t peer, enum peer_class class, bool up)
{
    struct member *member = owner;

    if (class == PEER_CONSENSUS)
        replica_link(member->replica, peer, up);
    else if (!up)
        calls_link_down(&member->calls, peer);
    member->view_wanted = true;
    calls_retry(&member->calls);
    member_settle(member);
}

const struct peers_events member_peers_events = {
    .on_message = link_message,
    .on_forward = link_forward,
    .on_reply = link_reply,
    .on_status = link_status,
    .on_join = link_join,
    .on_link = link_changed,
};

void member_replica_options(struct member *member, struct replica_options *options)
{
    options->owner = member;
    options->send = replica_sends;
    options->reply = replica_replies;
    options->changed = replica_changed;
    options->dump_wanted = replica_wants_dump;
}
