/* What comes to the member: the replica's wishes (send this, answer that) and the
 * links' frames (messages, forwarded requests, joiners, status). */
#include "raft/member_inner.h"

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

    if (class == PEER_CONSENSUS || up)
        replica_link(member->replica, peer,
                     peer_is_connected(peers_find(&member->peers, peer)));
    else
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
    member_dump_options(options);
}
