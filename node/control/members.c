/* How all nodes are, as this one sees it: records say who there is, Raft's
 * configuration who votes, the links and their status who is there. */
#include "model/wire.h"
#include "node/control/admin.h"

#define SEEN_MS 3000 /* heard within: reachable, though its link is being dialled anew */

static const struct member_peer *peer_of(const struct member_view *view, uint64_t id)
{
    for (unsigned i = 0; view != NULL && i < view->peer_count; i++) {
        if (view->peers[i].id == id)
            return &view->peers[i];
    }
    return NULL;
}

static const struct replica_server *server_of(const struct member_view *view, uint64_t id)
{
    for (unsigned i = 0; view != NULL && i < view->replica.server_count; i++) {
        if (view->replica.servers[i].id == id)
            return &view->replica.servers[i];
    }
    return NULL;
}

static bool read_digest(struct wire *wire, struct member_line *line)
{
    struct slice text;

    if (!wire_read_string(wire, &text))
        return false;
    line->has_digest = slice_parse_hex(text, &line->digest);
    return true;
}

/* Numbers of a peer's status blob; what is unknown is skipped. */
static bool read_status(struct slice blob, struct member_line *line)
{
    struct wire wire;
    size_t count;

    wire_init(&wire, blob);
    if (blob.size == 0 || !wire_read_map(&wire, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct slice key;
        bool ok;
        if (!wire_read_string(&wire, &key))
            return false;
        if (slice_equal(key, SLICE("served")))
            ok = wire_read_u64(&wire, &line->served);
        else if (slice_equal(key, SLICE("visible")))
            ok = wire_read_u64(&wire, &line->visible);
        else if (slice_equal(key, SLICE("halted")))
            ok = wire_read_bool(&wire, &line->is_halted);
        else if (slice_equal(key, SLICE("digest")))
            ok = read_digest(&wire, line);
        else if (slice_equal(key, SLICE("quarantined")))
            ok = wire_read_bool(&wire, &line->is_quarantined);
        else if (slice_equal(key, SLICE("low")))
            ok = wire_read_bool(&wire, &line->is_low);
        else
            ok = wire_skip(&wire, NULL);
        if (!ok)
            return false;
    }
    return true;
}

static const char *role_of(const struct replica_server *server,
                           const struct node_entry *node)
{
    if (server == NULL || server->role == REPLICA_SPARE)
        return "standby"; /* known, not taken in yet */
    if (server->role == REPLICA_STANDBY)
        return "standby";
    return node != NULL && strcmp(node->role, "witness") == 0 ? "witness" : "voter";
}

static void fill(const struct control *control, uint64_t id, const struct node_entry *node,
                 struct member_line *line)
{
    const struct member_view *view = control->view;
    const struct replica_server *server = server_of(view, id);

    line->id = id;
    line->node = node;
    line->role = role_of(server, node);
    line->is_voter = server != NULL && server->role == REPLICA_VOTER;
    if (id == control->options.identity.node_id) {
        line->is_reachable = line->has_status = line->was_seen = true;
        line->served = control->publish.is_served ? control->publish.served : 0;
        line->visible = control->visible_index;
        line->is_halted = control->is_halted;
        line->is_low = control->disk.is_low;
        line->is_quarantined = control->sameness.is_quarantined;
    } else {
        const struct member_peer *peer = peer_of(view, id);
        uint64_t now_ms = control_now_ms(control);
        if (peer != NULL && peer->seen_ms != 0) {
            line->was_seen = true;
            line->seen_ms = now_ms > peer->seen_ms ? now_ms - peer->seen_ms : 0;
        }
        line->is_reachable = peer != NULL && peer->connected && line->seen_ms < SEEN_MS;
        line->has_status = peer != NULL && read_status(peer->status, line);
    }
    line->state = !line->is_reachable             ? "unreachable"
                  : line->is_halted               ? "halted"
                  : id == control_leader(control) ? "leader"
                                                  : "follower";
}

void members_gather(const struct control *control, struct member_list *ret_list)
{
    struct member_list *list = ret_list;
    const struct member_view *view = control->view;
    uint64_t furthest = 0;

    memset(list, 0, sizeof *list);
    for (size_t i = 0; i < control->nodes.count; i++)
        fill(control, control->nodes.items[i].id, &control->nodes.items[i],
             &list->lines[list->count++]);
    /* Raft may know servers whose record is not visible here (yet, or any more). */
    for (unsigned i = 0; view != NULL && i < view->replica.server_count; i++) {
        uint64_t id = view->replica.servers[i].id;
        if (nodes_by_id(&control->nodes, id) == NULL && list->count < MEMBER_PEERS)
            fill(control, id, NULL, &list->lines[list->count++]);
    }

    bool ails = control->sameness.is_split;
    for (size_t i = 0; i < list->count; i++) {
        const struct member_line *line = &list->lines[i];
        if (line->has_status && line->visible > furthest)
            furthest = line->visible;
        list->reachable += line->is_reachable;
        ails |=
            line->is_reachable && (line->is_halted || line->is_low || line->is_quarantined);
        if (!line->is_voter)
            continue;
        list->voters++;
        list->have += line->is_reachable;
    }
    for (size_t i = 0; i < list->count; i++) {
        struct member_line *line = &list->lines[i];
        const struct replica_server *server = server_of(view, line->id);
        line->lag = furthest - line->visible;
        /* The leader knows better than a status that is a second old. */
        if (control_is_leader(control) && server != NULL && server->match != 0)
            line->lag =
                view->replica.last > server->match ? view->replica.last - server->match : 0;
    }
    bool quorum = control_leader(control) != 0 && list->have >= list->voters / 2 + 1;
    list->health = !quorum                                 ? "no-quorum"
                   : list->reachable < list->count || ails ? "degraded"
                                                           : "ok";
}

void members_emit(struct emit *emit, const struct member_list *list)
{
    emit_array(emit);
    for (size_t i = 0; i < list->count; i++) {
        const struct member_line *line = &list->lines[i];
        const struct node_entry *node = line->node;
        emit_object(emit);
        emit_key(emit, "id");
        emit_u64_string(emit, line->id);
        emit_key(emit, "name");
        emit_cstring(emit, node == NULL ? "" : node->name);
        emit_key(emit, "region");
        emit_cstring(emit, node == NULL ? "" : node->region);
        emit_key(emit, "zone");
        emit_cstring(emit, node == NULL ? "" : node->zone);
        emit_key(emit, "role");
        emit_cstring(emit, line->role);
        emit_key(emit, "state");
        emit_cstring(emit, line->state);
        emit_key(emit, "revision");
        if (line->has_status)
            emit_u64_string(emit, line->served);
        else
            emit_null(emit);
        emit_key(emit, "lag");
        if (line->has_status)
            emit_u64(emit, line->lag);
        else
            emit_null(emit);
        emit_key(emit, "lastSeenMs");
        if (line->was_seen)
            emit_u64(emit, line->seen_ms);
        else
            emit_null(emit);
        emit_key(emit, "peer");
        emit_cstring(emit, node == NULL ? "" : node->peer);
        emit_key(emit, "admin");
        emit_cstring(emit, node == NULL ? "" : node->admin);
        emit_key(emit, "version");
        emit_cstring(emit, node == NULL ? "" : node->version);
        emit_object_end(emit);
    }
    emit_array_end(emit);
}
