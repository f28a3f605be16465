/* What the member tells control: views of the cluster, and that more is visible.
 *
 * A view is a copy, a few kilobytes, made when something changed and once a
 * second; control may keep it as long as it likes. */
#include "raft/member_inner.h"

#include "base/instant.h"
#include "base/log.h"

#include <stdlib.h>

void member_view_free(struct member_view *view)
{
    if (view == NULL)
        return;
    for (unsigned i = 0; i < view->peer_count; i++)
        free((void *)(uintptr_t)view->peers[i].status.data);
    free(view);
}

static void post_view(struct member *member, uint64_t now_ms)
{
    struct member_view *view = calloc(1, sizeof *view);

    if (view == NULL)
        return;
    member->view_wanted = false;
    member->view_at_ms = now_ms;
    view->head.type = MEMBER_MAIL_VIEW;
    view->at_ms = now_ms;
    view->life = member->life;
    view->halt_cause = store_halt_cause(member->store);
    replica_view(member->replica, &view->replica);
    view->replica_counters = *replica_counters(member->replica);
    view->counters = member->peers.counters;
    for (size_t i = 0; i < MEMBER_PEERS; i++) {
        struct peer *peer = &member->peers.items[i];
        if (peer->id == 0)
            continue;
        struct member_peer *out = &view->peers[view->peer_count++];
        out->id = peer->id;
        out->connected = peer_is_connected(peer);
        out->seen_ms = peer_seen_ms(peer);
        out->status =
            slice_of(slice_to_string(buffer_slice(&peer->status)), peer->status.size);
        if (out->status.data == NULL)
            out->status.size = 0;
    }
    if (!mailbox_post(member->control, &view->head.mail))
        member_view_free(view);
}

static void post_visible(struct member *member)
{
    uint64_t index = store_visible(member->store);
    struct member_visible *visible;

    if (index == member->visible_told || (visible = calloc(1, sizeof *visible)) == NULL)
        return;
    member->visible_told = index;
    visible->head.type = MEMBER_MAIL_VISIBLE;
    visible->index = index;
    visible->revision = store_revision(member->store);
    if (!mailbox_post(member->control, &visible->head.mail))
        free(visible);
}

void member_settle(struct member *member)
{
    post_visible(member);
    member_dump_tell(member);
    if (member->view_wanted)
        post_view(member, instant_monotonic_ms());
    if (store_is_halted(member->store) && !member->is_halted) {
        /* Fail-stop of the member: no vote, no acknowledgement, no link; the proxy goes on.
         */
        member->is_halted = true;
        replica_halt(member->replica);
        peers_close(&member->peers);
        member->view_wanted = true;
        log_event(LOG_ERROR, "member",
                  store_halt_cause(member->store) == GW_DISK_LOW
                      ? "halted for want of room on the disk; traffic is served from memory"
                      : "halted after an I/O error; traffic is served from memory");
    }
}
