/* Reports come with the status of each peer, this node's own states from the store's ring.
 * The judgement is each node's own: nobody has to reach it to quarantine it. */
#include "node/control/quarantine.h"

#include "base/log.h"
#include "node/control/admin.h"

static bool digest_at(void *owner, uint64_t index, uint64_t *ret_digest)
{
    return member_digest_at(owner, index, ret_digest);
}

static bool is_voter(const struct control *control)
{
    const struct replica_view *replica = &control->view->replica;

    for (unsigned i = 0; i < replica->server_count; i++) {
        if (replica->servers[i].id == control->options.identity.node_id)
            return replica->servers[i].role == REPLICA_VOTER;
    }
    return false;
}

static void tell_peers(struct control *control, const struct member_list *list,
                       uint64_t now_ms)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct member_line *line = &list->lines[i];
        bool differs = sameness_differs(&control->sameness, line->id, now_ms);
        if (differs && !line->is_quarantined && control->sameness.is_split)
            log_event(LOG_ERROR, "control", "a node's state differs from this one's",
                      LOG_U64("id", line->id),
                      LOG_STR("name", line->node == NULL ? "" : line->node->name),
                      LOG_U64("index", line->visible));
    }
}

static void changed(struct control *control, bool was_quarantined)
{
    bool is_quarantined = control->sameness.is_quarantined;

    if (is_quarantined == was_quarantined)
        return;
    if (is_quarantined)
        log_event(LOG_ERROR, "control", "quarantined",
                  LOG_STR("why", "a majority of the voters is one in having another state"),
                  LOG_U64("index", control->sameness.differs_at),
                  LOG_STR("effect", "traffic is served as before, writes are refused, "
                                    "leadership is given away"),
                  LOG_STR("next", "stop it and gwctl cluster join --replace, or restore"));
    else
        log_event(LOG_INFO, "control", "quarantine over",
                  LOG_STR("why", "the state is that of the majority again"));
    control_status_send(control);
    if (!is_quarantined)
        publish_start(control);
}

void quarantine_tick(struct control *control, uint64_t now_ms)
{
    struct sameness *sameness = &control->sameness;
    struct sameness_peer peers[MEMBER_PEERS];
    struct member_list list;
    size_t count = 0;

    if (control->view == NULL || control->member == NULL)
        return;
    members_gather(control, &list);
    for (size_t i = 0; i < list.count; i++) {
        const struct member_line *line = &list.lines[i];
        if (line->id == control->options.identity.node_id)
            continue;
        peers[count++] = (struct sameness_peer){
            .id = line->id,
            .is_voter = line->is_voter,
            .has_told = line->has_digest && line->was_seen,
            .is_quarantined = line->is_quarantined,
            .index = line->visible,
            .digest = line->digest,
            .told_ms = now_ms > line->seen_ms ? now_ms - line->seen_ms : 1};
    }
    const struct sameness_news news = {.peers = peers,
                                       .peer_count = count,
                                       .id = control->options.identity.node_id,
                                       .is_voter = is_voter(control),
                                       .digest_at = digest_at,
                                       .owner = control->member,
                                       .commit = control->view->replica.commit,
                                       .visible = control->view->replica.visible};
    bool was_quarantined = sameness->is_quarantined, was_split = sameness->is_split;
    bool was_lagging = sameness->is_lagging;
    if (!sameness_look(sameness, &news, now_ms))
        return;
    if (sameness->is_split && !was_split) {
        log_event(
            LOG_ERROR, "control", "states differ and no majority is one",
            LOG_STR("effect", "nobody is quarantined"),
            LOG_STR("next", "compare gw_state_digest; restore a snapshot from before"));
        tell_peers(control, &list, now_ms);
    }
    if (sameness->is_lagging != was_lagging)
        log_event(sameness->is_lagging ? LOG_WARN : LOG_INFO, "control",
                  sameness->is_lagging ? "applies what was committed too slowly"
                                       : "applies what was committed in time again",
                  LOG_U64("committed", control->view->replica.commit),
                  LOG_U64("visible", control->view->replica.visible));
    changed(control, was_quarantined);
    if (sameness->is_quarantined || was_quarantined) /* again: it may be a new member */
        member_quarantine_set(control->member, sameness->is_quarantined);
}

bool quarantine_refuses(struct control *control, struct member_call *call)
{
    if (!control->sameness.is_quarantined || call->type != MEMBER_PROPOSE)
        return false;
    control->quarantine_refused++;
    call->result = GW_NOT_LEADER;
    return mailbox_post(&control->mailbox, &call->head.mail);
}

bool quarantine_admits(struct request *request)
{
    const struct sameness *sameness = &request->control->sameness;

    if (!sameness->is_quarantined)
        return true;
    request->control->quarantine_refused++;
    /* Another node asked this one as the leader, which it is about to be no more. */
    if (request->forwarded != NULL)
        request_try_again(request, NULL);
    else
        request_fail(
            request, GW_QUARANTINED,
            "this node is quarantined: its state is not that of the majority "
            "(index %llu). Ask another node, or read here with --stale; next: stop "
            "this one and gwctl cluster join --replace, or restore it",
            (unsigned long long)sameness->differs_at);
    return false;
}

struct slice quarantine_names(struct request *request)
{
    struct member_list list;
    struct buffer names;

    members_gather(request->control, &list);
    buffer_init(&names, 1024);
    for (size_t i = 0; i < list.count; i++) {
        const struct member_line *line = &list.lines[i];
        if (line->is_quarantined)
            buffer_printf(&names, "%s%s", names.size > 0 ? ", " : "",
                          line->node == NULL ? "?" : line->node->name);
    }
    struct slice copy = arena_copy(&request->arena, buffer_slice(&names));
    buffer_deinit(&names);
    return copy;
}
