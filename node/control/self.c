/* What this node says of itself: whether it is fit for traffic, its status to the
 * other nodes, and its record, which follows gwd.yaml.
 *
 * A status is sent at once when what is served changes, and every second; the
 * record is proposed at start and only where it differs. */
#include "base/instant.h"
#include "base/log.h"
#include "model/wire.h"
#include "node/control/room.h"
#include "raft/command.h"
#include "raft/hello.h"

#include <stdio.h>

/* ---- readiness ---- */

static bool fenced(const struct control *control)
{
    int fence = control->options.fence;

    if (fence == CONTROL_FENCE_CLUSTER) {
        const struct cluster_spec *cluster =
            control->visible == NULL ? NULL : catalog_cluster(&control->visible->catalog);
        fence = cluster != NULL && cluster->fence == FENCE_MINORITY ? CONTROL_FENCE_MINORITY
                                                                    : CONTROL_FENCE_NONE;
    }
    return fence == CONTROL_FENCE_MINORITY && control_leader(control) == 0;
}

static void reason(struct buffer *why, const char *format, unsigned n)
{
    if (why == NULL)
        return;
    buffer_printf(why, "%s%s", why->size == 0 ? "" : "\n", "");
    if (n != 0)
        buffer_printf(why, "%u ", n);
    buffer_append_slice(why, slice_from_string(format));
}

/* The records are known up to past this node's own, and it is not among them. */
static bool was_removed(const struct control *control)
{
    return control->nodes.count != 0 && control_self(control) == NULL &&
           control->nodes.state.applied >= control->options.identity.node_id;
}

bool control_is_ready(const struct control *control, struct buffer *why)
{
    unsigned failed = 0;
    bool ready = true;

    if (control->is_draining) {
        reason(why, "draining", 0);
        ready = false;
    }
    if (control->nodes.state.applied == 0 || !control->publish.is_served) {
        reason(why, "no configuration loaded", 0);
        ready = false;
    }
    for (size_t i = 0; i < control->publish.listener_count; i++)
        failed += control->publish.listeners[i].state == LISTENER_FAILED;
    if (failed != 0) {
        reason(why, failed == 1 ? "listener failed" : "listeners failed", failed);
        ready = false;
    }
    if (was_removed(control)) {
        reason(why, "removed from the cluster", 0);
        ready = false;
    }
    if (fenced(control)) {
        reason(why, "no quorum, and fence is minority", 0);
        ready = false;
    }
    return ready;
}

/* ---- what this node tells the others ---- */

/* A view is at most a second old, so while there is a leader its own time counts. */
uint64_t control_lag_ms(const struct control *control)
{
    const struct member_view *view = control->view;
    uint64_t now_ms = control_now_ms(control);

    if (view == NULL)
        return now_ms - control->started_ms;
    if (control_is_leader(control))
        return 0;
    uint64_t heard_ms = view->replica.leader_heard_ms;
    uint64_t until_ms = view->replica.leader != 0 ? view->at_ms : now_ms;
    if (heard_ms == 0)
        heard_ms = control->started_ms;
    return until_ms > heard_ms ? until_ms - heard_ms : 0;
}

void control_status_send(struct control *control)
{
    const struct node_entry *self = control_self(control);
    struct buffer blob;
    char digest[17];

    if (control->member == NULL)
        return;
    snprintf(digest, sizeof digest, "%016llx",
             (unsigned long long)control->nodes.state.digest);
    buffer_init(&blob, 16384);
    pack_map(&blob, 15);
    pack_text(&blob, SLICE("name"));
    pack_text(&blob, slice_from_string(control->options.identity.name));
    pack_text(&blob, SLICE("region"));
    pack_text(&blob, slice_from_string(control->region));
    pack_text(&blob, SLICE("zone"));
    pack_text(&blob, slice_from_string(control->zone));
    pack_text(&blob, SLICE("peer"));
    pack_text(&blob, slice_from_string(self == NULL ? "" : self->peer));
    pack_text(&blob, SLICE("admin"));
    pack_text(&blob, slice_from_string(self == NULL ? "" : self->admin));
    pack_text(&blob, SLICE("version"));
    pack_text(&blob, SLICE(CONTROL_VERSION));
    pack_text(&blob, SLICE("protocol"));
    pack_u64(&blob, PEER_PROTOCOL);
    pack_text(&blob, SLICE("format"));
    pack_u64(&blob, format_spoken);
    pack_text(&blob, SLICE("served"));
    pack_u64(&blob, control->publish.is_served ? control->publish.served : 0);
    pack_text(&blob, SLICE("visible"));
    pack_u64(&blob, control->nodes.state.applied);
    pack_text(&blob, SLICE("digest"));
    pack_text(&blob, slice_from_string(digest));
    pack_text(&blob, SLICE("ready"));
    pack_bool(&blob, control_is_ready(control, NULL));
    pack_text(&blob, SLICE("halted"));
    pack_bool(&blob, control->is_halted);
    pack_text(&blob, SLICE("low"));
    pack_bool(&blob, control->disk.is_low);
    pack_text(&blob, SLICE("quarantined"));
    pack_bool(&blob, control->sameness.is_quarantined);
    if (!blob.failed)
        member_status_set(control->member, buffer_slice(&blob));
    buffer_deinit(&blob);
}

/* ---- this node's record follows gwd.yaml ---- */

static void record_told(struct control_call *call)
{
    struct control *control = call->control;
    enum result result = call->member.result;
    struct wire wire;
    size_t count;
    uint64_t word;

    control->is_telling = false;
    if (result == GW_OK && call->member.type == MEMBER_FORWARD) {
        wire_init(&wire, buffer_slice(&call->member.reply));
        result = wire_read_array(&wire, &count) && wire_read_u64(&wire, &word) &&
                         word < GW_RESULT_COUNT
                     ? (enum result)word
                     : GW_MALFORMED;
    }
    if (result == GW_OK || result == GW_INVALID)
        control->has_told_record = true; /* refused for good, or done */
    if (result == GW_INVALID)
        log_event(LOG_ERROR, "control", "the cluster refuses this node's place",
                  LOG_STR("region", control->region));
    control_call_free(call);
}

static bool differs(const char *have, const char *want)
{
    return want != NULL && want[0] != '\0' && strcmp(have, want) != 0;
}

void self_notice_removal(struct control *control)
{
    if (was_removed(control) && !control->is_removed)
        log_event(LOG_ERROR, "control", "this node was removed from the cluster",
                  LOG_STR("effect", "traffic is served as last configured, readyz fails"),
                  LOG_STR("next", "stop it; to come back, empty its data directory and "
                                  "gwctl cluster join"));
    control->is_removed = was_removed(control);
}

void self_tell_record(struct control *control)
{
    const struct node_entry *self = control_self(control);
    struct buffer payload;

    if (self == NULL || control->has_told_record || control->is_telling ||
        control_leader(control) == 0)
        return;
    if (!differs(self->region, control->region) && !differs(self->zone, control->zone) &&
        !differs(self->peer, control->options.peer_advertise) &&
        !differs(self->admin, control->options.admin_advertise) &&
        !differs(self->version, CONTROL_VERSION)) {
        control->has_told_record = true;
        return;
    }
    const char *peer = control->options.peer_advertise;
    const char *admin = control->options.admin_advertise;
    /* No role: it keeps the one it has. That is the admins' to change. */
    const struct node_record record = {
        .id = self->id,
        .name = slice_from_string(self->name),
        .region = slice_from_string(control->region),
        .zone = slice_from_string(control->zone),
        .peer = slice_from_string(peer != NULL && peer[0] != '\0' ? peer : self->peer),
        .admin = slice_from_string(admin != NULL && admin[0] != '\0' ? admin : self->admin),
        .version = SLICE(CONTROL_VERSION),
        .joined_ms = self->joined_ms};

    buffer_init(&payload, 0);
    if (control_is_leader(control)) {
        const struct command_header header = {.number = COMMAND_NODE_UPDATE,
                                              .wall_ms = instant_wall_ms(),
                                              .actor = slice_from_string(self->name)};
        if (node_update_encode(&payload, &header, &record))
            control->is_telling = control_call(
                control, MEMBER_PROPOSE, buffer_slice(&payload), 0, 0, record_told, NULL);
    } else {
        buffer_append_byte(&payload, 'N');
        node_record_pack(&payload, &record);
        control->is_telling = control_call(control, MEMBER_FORWARD, buffer_slice(&payload),
                                           0, 0, record_told, NULL);
    }
    buffer_deinit(&payload);
}
