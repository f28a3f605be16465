/* What the member tells: answers to calls, requests of other nodes, where it stands, and
 * what is visible; and what follows from that. */
#include "base/log.h"
#include "node/control/admin.h"
#include "node/control/catalog_source.h"
#include "node/control/faults.h"

#include <stdlib.h>

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

void news_deliver(struct mail *mail, void *owner)
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
