/* Changes of membership, at the leader: roles, removal, the transfer of leadership.
 *
 * A request says what shall be; the roster (raft/roster.h) gets there step by step.
 * So each answer says whether it is done, and if not, why; asking again is how one
 * waits, and asking for what is so already changes nothing.
 *
 * A voter is removed in two: first it gives up its vote, with its links standing,
 * so that no quorum is lost on the way; only then its record goes, and with it the
 * links. `force` skips the first, but not for the only voter: without it there would be
 * nobody left to give a vote to another. */
#include "base/instant.h"
#include "node/control/admin.h"
#include "raft/gone.h"

#include <stdio.h>

/* ---- looking ---- */

/* By name or by id. */
static const struct node_entry *find_node(const struct request *request, struct slice text)
{
    const struct node_entry *node = nodes_by_name(&request->control->nodes, text);
    uint64_t id;

    if (node == NULL && slice_parse_u64(text, &id))
        node = nodes_by_id(&request->control->nodes, id);
    return node;
}

static void fail_unknown(struct request *request, struct slice name)
{
    const struct nodes *nodes = &request->control->nodes;
    const char *best = NULL;
    size_t best_distance = 3;

    for (size_t i = 0; i < nodes->count; i++) {
        size_t distance =
            slice_distance(name, slice_from_string(nodes->items[i].name), best_distance);
        if (distance < best_distance) {
            best = nodes->items[i].name;
            best_distance = distance;
        }
    }
    request_fail(request, GW_NOT_FOUND,
                 "there is no node '%.*s'%s%s%s; next: gwctl cluster members",
                 SLICE_ARG(name), best == NULL ? "" : " (did you mean '",
                 best == NULL ? "" : best, best == NULL ? "" : "'?)");
}

static const struct member_line *line_of(const struct member_list *list, uint64_t id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->lines[i].id == id)
            return &list->lines[i];
    }
    return NULL;
}

static bool wants_vote(const struct node_entry *node)
{
    return strcmp(node->role, "standby") != 0;
}

static bool is_named(const struct node_entry *node)
{
    return strcmp(node->role, "voter") == 0 || strcmp(node->role, "witness") == 0;
}

/* Without `node`, is there anybody left who would vote? */
static bool has_other_candidate(const struct control *control,
                                const struct node_entry *node)
{
    for (size_t i = 0; i < control->nodes.count; i++) {
        const struct node_entry *other = &control->nodes.items[i];
        if (other->id != node->id && wants_vote(other))
            return true;
    }
    return false;
}

/* A stand-by that could take the vote of `node`. */
static bool has_substitute(const struct member_list *list, const struct node_entry *node)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct member_line *line = &list->lines[i];
        if (!line->is_voter && line->is_reachable && line->node != NULL &&
            line->id != node->id && wants_vote(line->node))
            return true;
    }
    return false;
}

/* Refuses what would leave fewer voters than a quorum; true: answered. */
static bool refuse_below_quorum(struct request *request, const struct member_list *list,
                                const struct node_entry *node, bool may_force)
{
    const struct member_line *line = line_of(list, node->id);
    unsigned left = list->voters - 1;

    if (!has_other_candidate(request->control, node)) {
        request_fail(request, GW_CONFLICT,
                     "'%s' is the last node that would vote; next: gwctl cluster role NODE "
                     "auto, for another one",
                     node->name);
        return true;
    }
    if (line == NULL || !line->is_voter || has_substitute(list, node))
        return false;
    unsigned have = list->have - line->is_reachable;
    if (left != 0 && have >= left / 2 + 1)
        return false;
    request_fail(request, GW_CONFLICT,
                 "without '%s' %u of %u voters would be there: no quorum; next: start the "
                 "nodes that are missing, or join another one first%s",
                 node->name, have, left,
                 may_force ? " (--force does it all the same)" : "");
    return true;
}

/* ---- answering ---- */

static void emit_common(struct emit *emit, bool is_done, bool changed, const char *why)
{
    emit_key(emit, "done");
    emit_bool(emit, is_done);
    emit_key(emit, "changed");
    emit_bool(emit, changed);
    emit_key(emit, "why");
    if (is_done || why[0] == '\0')
        emit_null(emit);
    else
        emit_cstring(emit, why);
}

static void write_answer(struct request *request, const struct node_entry *node,
                         const char *wanted, const char *role, bool is_done, bool changed,
                         const char *why)
{
    struct emit emit;

    buffer_reset(&request->out);
    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "id");
    emit_u64_string(&emit, node->id);
    emit_key(&emit, "name");
    emit_cstring(&emit, node->name);
    emit_key(&emit, "wanted");
    emit_cstring(&emit, wanted);
    emit_key(&emit, "role");
    emit_cstring(&emit, role);
    emit_common(&emit, is_done, changed, why);
    emit_object_end(&emit);
}

static void write_transfer(struct request *request, bool is_done, const char *why)
{
    const struct control *control = request->control;
    const struct node_entry *leader = nodes_by_id(&control->nodes, control_leader(control));
    struct emit emit;

    buffer_reset(&request->out);
    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "leader");
    emit_cstring(&emit, leader == NULL ? NULL : leader->name);
    emit_common(&emit, is_done, !is_done, why);
    emit_object_end(&emit);
}

/* The member's word; what stands in `out` goes with a good one. */
static void change_done(struct control_call *call)
{
    struct request *request = call->owner;
    enum result result = call->member.result;
    struct command_detail detail;

    switch (result) {
    case GW_OK:
        request_reply(request, 200, buffer_slice(&request->out));
        break;
    case GW_NOT_LEADER:
    case GW_CLOSED:
        request_try_again(request, request->next);
        break;
    case GW_NO_QUORUM:
        request_fail_no_quorum(request);
        break;
    default:
        if (command_detail_unpack(buffer_slice(&call->member.reply), &detail) &&
            detail.text.size != 0)
            request_fail(request, result, "%.*s", SLICE_ARG(detail.text));
        else
            request_fail(request, result, "%s", result_text(result));
    }
    control_call_free(call);
}

static void propose(struct request *request, bool encoded, struct buffer *command)
{
    if (!encoded || !control_call(request->control, MEMBER_PROPOSE, buffer_slice(command),
                                  0, 0, change_done, request))
        request_fail(request, GW_INVALID, "the change does not encode");
    buffer_deinit(command);
}

/* The node tells its place and addresses itself: no region keeps the one it has. The others
 * have no such word; where they cross with what it tells, it tells them again (news.c). */
static void propose_role(struct request *request, const struct node_entry *node,
                         struct slice role)
{
    const struct command_header header = {.number = COMMAND_NODE_UPDATE,
                                          .wall_ms = instant_wall_ms(),
                                          .actor = request->actor};
    const struct node_record record = {.id = node->id,
                                       .name = slice_from_string(node->name),
                                       .zone = slice_from_string(node->zone),
                                       .peer = slice_from_string(node->peer),
                                       .admin = slice_from_string(node->admin),
                                       .role = role,
                                       .version = slice_from_string(node->version),
                                       .joined_ms = node->joined_ms};
    struct buffer command;

    buffer_init(&command, 0);
    propose(request, node_update_encode(&command, &header, &record), &command);
}

/* ---- transfer ---- */

static void transfer_begun(struct control_call *call)
{
    struct request *request = call->owner;

    switch (call->member.result) {
    case GW_OK:
    case GW_AGAIN:
        request_reply(request, 202, buffer_slice(&request->out));
        break;
    case GW_NOT_LEADER:
    case GW_CLOSED:
        request_try_again(request, request->next);
        break;
    case GW_NOT_FOUND:
        request_fail(request, GW_CONFLICT,
                     "no other voter can be reached; next: gwctl cluster members");
        break;
    default:
        request_fail(request, call->member.result, "%s", result_text(call->member.result));
    }
    control_call_free(call);
}

static void begin_transfer(struct request *request, uint64_t to, const char *why)
{
    write_transfer(request, false, why);
    if (!control_call(request->control, MEMBER_TRANSFER, (struct slice){0}, to, 0,
                      transfer_begun, request))
        request_fail(request, GW_NO_MEMORY, "hand over leadership");
}

static void transfer_to(struct request *request, const struct node_entry *node)
{
    struct control *control = request->control;
    struct member_list list;
    char why[200];

    members_gather(control, &list);
    const struct member_line *line = line_of(&list, node->id);
    if (line == NULL || !line->is_voter) {
        request_fail(request, GW_CONFLICT,
                     "'%s' has no vote, so it cannot lead; next: gwctl cluster promote %s",
                     node->name, node->name);
    } else if (!line->is_reachable) {
        request_fail(request, GW_CONFLICT,
                     "'%s' cannot be reached; next: gwctl cluster members", node->name);
    } else {
        snprintf(why, sizeof why, "'%s' has not taken over yet, %llu entries behind",
                 node->name, (unsigned long long)line->lag);
        begin_transfer(request, node->id, why);
    }
}

/* {"to": NODE} or {"from": NODE}: away from that one, to whoever is best; neither: from
 * whoever leads. */
static void transfer(struct request *request)
{
    static const struct form form = {.fields = {{"to", FORM_TEXT}, {"from", FORM_TEXT}},
                                     .refusal = GW_MALFORMED,
                                     .may_be_missing = true};
    struct control *control = request->control;
    const uint64_t self = control->options.identity.node_id;
    const struct value *body = request_form(request, &form);

    if (body == NULL)
        return;
    struct slice to = value_text(body, "to"), from = value_text(body, "from");
    const struct node_entry *node = find_node(request, to.size != 0 ? to : from);
    if (node == NULL && (to.size != 0 || from.size != 0)) {
        fail_unknown(request, to.size != 0 ? to : from);
    } else if (node != NULL && (to.size != 0) == (node->id == self)) {
        write_transfer(request, true, "");
        request_reply(request, 200, buffer_slice(&request->out));
    } else if (to.size != 0) {
        transfer_to(request, node);
    } else {
        begin_transfer(request, 0, "nobody has taken over yet");
    }
}

void membership_transfer(struct request *request)
{
    request_at_leader(request, transfer);
}

/* ---- removal ---- */

static bool was_removed_before(const struct control *control, struct slice name)
{
    struct txn *txn;

    if (env_begin_read(control->env, &txn) != GW_OK)
        return false;
    bool was = gone_was(txn, name);
    txn_abort(txn);
    return was;
}

static void delete_record(struct request *request, const struct node_entry *node,
                          const struct member_line *line)
{
    const struct command_header header = {.number = COMMAND_NODE_REMOVE,
                                          .wall_ms = instant_wall_ms(),
                                          .actor = request->actor};
    struct buffer command;

    write_answer(request, node, "removed", line == NULL ? "standby" : line->role, true,
                 true, "");
    buffer_init(&command, 0);
    propose(request, node_remove_encode(&command, &header, node->id), &command);
}

static void remove_node(struct request *request)
{
    struct control *control = request->control;
    const struct node_entry *node = find_node(request, request->parts[3]);
    struct node_entry gone = {0};
    struct member_list list;
    char why[200];

    if (node == NULL) {
        if (!was_removed_before(control, request->parts[3])) {
            fail_unknown(request, request->parts[3]);
            return;
        }
        snprintf(gone.name, sizeof gone.name, "%.*s", SLICE_ARG(request->parts[3]));
        write_answer(request, &gone, "removed", "standby", true, false, "");
        request_reply(request, 200, buffer_slice(&request->out));
        return;
    }
    if (control->nodes.count == 1) {
        request_fail(request, GW_CONFLICT,
                     "'%s' is the last node; next: stop it and remove its data directory, "
                     "if the cluster is to end",
                     node->name);
        return;
    }
    members_gather(control, &list);
    const struct member_line *line = line_of(&list, node->id);
    bool is_last = line != NULL && line->is_voter && list.voters == 1;
    bool is_forced = request_flag(request, "force") && !is_last;
    bool is_self = node->id == control->options.identity.node_id;
    if (is_forced && is_self && list.voters > 1) {
        begin_transfer(request, 0, "it leads, and nobody has taken over yet");
        return;
    }
    if (is_forced || line == NULL || !line->is_voter) {
        delete_record(request, node, line);
        return;
    }
    if (refuse_below_quorum(request, &list, node, !is_last))
        return;
    snprintf(why, sizeof why,
             is_self
                 ? "'%s' leads, and nobody has taken over yet"
                 : "'%s' still votes; another one takes its vote first where there is one",
             node->name);
    write_answer(request, node, "removed", line->role, false, true, why);
    if (wants_vote(node))
        propose_role(request, node, SLICE("standby"));
    else
        request_reply(request, 202, buffer_slice(&request->out));
}

void membership_remove(struct request *request)
{
    request_at_leader(request, remove_node);
}

/* ---- roles ---- */

/* Why a node that shall vote does not, yet. */
static void explain_waiting(const struct control *control, const struct member_list *list,
                            const struct node_entry *node, const struct member_line *line,
                            char why[256])
{
    unsigned willing = 0, named = 0, limit = control->shape.roster.voters;

    for (size_t i = 0; i < control->nodes.count; i++)
        willing +=
            control->nodes.items[i].id == node->id || wants_vote(&control->nodes.items[i]);
    for (size_t i = 0; i < list->count; i++)
        named += list->lines[i].is_voter && list->lines[i].node != NULL &&
                 is_named(list->lines[i].node);
    if (willing < limit)
        limit = willing;
    limit -= limit % 2 == 0;
    if (line == NULL || !line->is_reachable)
        snprintf(why, 256, "'%s' cannot be reached; it gets its vote once it is caught up",
                 node->name);
    else if (limit == 1)
        snprintf(why, 256, "one voter is the shape of %u node%s that would vote", willing,
                 willing == 1 ? "" : "s");
    else if (named >= limit)
        snprintf(why, 256,
                 "all %u votes are given to nodes asked for by name; take one by gwctl "
                 "cluster role NODE auto",
                 limit);
    else
        snprintf(why, 256, "'%s' gets its vote once it has been caught up for %llu s",
                 node->name, (unsigned long long)control->shape.roster.stable_ms / 1000);
}

/* {"role": "auto|voter|standby|witness"} */
static void role(struct request *request)
{
    static const struct form form = {.fields = {{"role", FORM_TEXT}},
                                     .refusal = GW_INVALID};
    struct control *control = request->control;
    const struct node_entry *node = find_node(request, request->parts[3]);
    const struct value *body = request_form(request, &form);
    struct member_list list;
    char why[256] = "", wanted_text[16];

    if (body == NULL)
        return;
    struct slice wanted = value_text(body, "role");
    if (node == NULL) {
        fail_unknown(request, request->parts[3]);
        return;
    }
    if (!node_role_is_known(wanted)) {
        request_fail(request, GW_INVALID,
                     "role is '%.*s': auto, voter, standby or witness is needed",
                     SLICE_ARG(wanted));
        return;
    }
    members_gather(control, &list);
    const struct member_line *line = line_of(&list, node->id);
    bool is_voter = line != NULL && line->is_voter;
    bool gives_up = slice_equal(wanted, SLICE("standby"));
    bool changed = !slice_equal(wanted, slice_from_string(node->role));
    if (gives_up && changed && refuse_below_quorum(request, &list, node, false))
        return;
    bool is_done = gives_up ? !is_voter : is_voter || slice_equal(wanted, SLICE("auto"));
    if (!is_done && gives_up)
        snprintf(why, sizeof why,
                 "'%s' still votes; another one takes its vote first where there is one",
                 node->name);
    else if (!is_done)
        explain_waiting(control, &list, node, line, why);
    snprintf(wanted_text, sizeof wanted_text, "%.*s", SLICE_ARG(wanted));
    write_answer(request, node, wanted_text, line == NULL ? "standby" : line->role, is_done,
                 changed, why);
    if (changed)
        propose_role(request, node, wanted);
    else
        request_reply(request, 200, buffer_slice(&request->out));
}

void membership_role(struct request *request)
{
    request_at_leader(request, role);
}
