/* /v1/cluster: who is there and who leads, told by any node from its own view,
 * also without a quorum; and the few changes of membership. */
#include "base/instant.h"
#include "base/log.h"
#include "node/control/admin.h"
#include "pki/base64.h"

static void emit_leader(struct emit *emit, const struct control *control)
{
    const struct node_entry *leader = nodes_by_id(&control->nodes, control_leader(control));

    if (leader != NULL)
        emit_cstring(emit, leader->name);
    else if (control_leader(control) != 0)
        emit_u64_string(emit, control_leader(control));
    else
        emit_null(emit);
}

static bool is_stale(const struct control *control)
{
    return control_leader(control) == 0;
}

/* Without a leader the answer is this node's memory, and its header says how old. */
static void reply(struct request *request)
{
    request->is_stale = is_stale(request->control);
    request_reply(request, 200, buffer_slice(&request->out));
}

static uint64_t revision_of(const struct control *control)
{
    return control->visible == NULL ? 0 : control->visible->catalog.revision;
}

static void emit_seal_key(struct emit *emit, const struct control *control)
{
    uint8_t key[SEAL_PUBLIC_SIZE];
    struct buffer text;

    seal_public_key(&control->key, key);
    buffer_init(&text, 256);
    base64_encode(&text, slice_of(key, sizeof key));
    emit_string(emit, buffer_slice(&text));
    buffer_deinit(&text);
}

void cluster_status(struct request *request)
{
    const struct control *control = request->control;
    struct member_list list;
    struct emit emit;

    members_gather(control, &list);
    unsigned majority = list.voters / 2 + 1;
    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "clusterId");
    emit_cstring(&emit, control->options.identity.cluster_id);
    emit_key(&emit, "revision");
    emit_u64_string(&emit, revision_of(control));
    emit_key(&emit, "term");
    emit_u64(&emit, control->view == NULL ? 0 : control->view->replica.term);
    emit_key(&emit, "leader");
    emit_leader(&emit, control);
    emit_key(&emit, "health");
    emit_cstring(&emit, list.health);
    emit_key(&emit, "quorum");
    emit_object(&emit);
    emit_key(&emit, "have");
    emit_u64(&emit, list.have);
    emit_key(&emit, "of");
    emit_u64(&emit, list.voters);
    emit_key(&emit, "tolerates");
    emit_u64(&emit, list.have > majority ? list.have - majority : 0);
    emit_object_end(&emit);
    emit_key(&emit, "members");
    members_emit(&emit, &list);
    emit_key(&emit, "sealKey");
    emit_seal_key(&emit, control);
    emit_key(&emit, "clusterName");
    emit_cstring(&emit, control->nodes.cluster_name);
    emit_key(&emit, "stale");
    emit_bool(&emit, is_stale(control));
    emit_object_end(&emit);
    reply(request);
}

void cluster_members(struct request *request)
{
    const struct control *control = request->control;
    struct member_list list;
    struct emit emit;

    members_gather(control, &list);
    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "revision");
    emit_u64_string(&emit, revision_of(control));
    emit_key(&emit, "stale");
    emit_bool(&emit, is_stale(control));
    emit_key(&emit, "members");
    members_emit(&emit, &list);
    emit_object_end(&emit);
    reply(request);
}

void cluster_leader(struct request *request)
{
    const struct control *control = request->control;
    const struct node_entry *leader = nodes_by_id(&control->nodes, control_leader(control));
    struct emit emit;

    if (control_leader(control) == 0) {
        request_fail_no_quorum(request);
        return;
    }
    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "id");
    emit_u64_string(&emit, control_leader(control));
    emit_key(&emit, "name");
    emit_cstring(&emit, leader == NULL ? "" : leader->name);
    emit_key(&emit, "term");
    emit_u64(&emit, control->view->replica.term);
    emit_object_end(&emit);
    request_reply(request, 200, buffer_slice(&request->out));
}

void cluster_ready(struct request *request)
{
    struct buffer why;
    struct slice rest, line;
    struct emit emit;

    buffer_init(&why, 4096);
    bool ready = control_is_ready(request->control, &why);
    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "ready");
    emit_bool(&emit, ready);
    emit_key(&emit, "reasons");
    emit_array(&emit);
    rest = buffer_slice(&why);
    while (slice_next(&rest, '\n', &line))
        emit_string(&emit, line);
    emit_array_end(&emit);
    emit_object_end(&emit);
    buffer_deinit(&why);
    request_reply(request, ready ? 200 : 503, buffer_slice(&request->out));
}

#ifndef GW_COMMIT
#define GW_COMMIT "unknown"
#endif

void cluster_version(struct request *request)
{
    request_reply(
        request, 200,
        SLICE("{\"version\":\"" CONTROL_VERSION "\",\"commit\":\"" GW_COMMIT "\"}"));
}

/* ---- changes of membership, at the leader ---- */

static void change_done(struct control_call *call)
{
    struct request *request = call->owner;
    enum result result = call->member.result;
    struct command_detail detail;

    switch (result) {
    case GW_OK:
        request_reply(request, 200, SLICE("{}"));
        break;
    case GW_NOT_LEADER:
    case GW_CLOSED:
        request_try_again(request, request->next);
        break;
    case GW_NO_QUORUM:
        request_fail_no_quorum(request);
        break;
    default:
        if (call->member.type == MEMBER_PROPOSE &&
            command_detail_unpack(buffer_slice(&call->member.reply), &detail) &&
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

static struct command_header header_of(const struct request *request, uint32_t number)
{
    return (struct command_header){
        .number = number, .wall_ms = instant_wall_ms(), .actor = request->actor};
}

/* By name or by id. */
static const struct node_entry *find_node(struct request *request, struct slice text)
{
    const struct node_entry *node = nodes_by_name(&request->control->nodes, text);
    uint64_t id;

    if (node == NULL && slice_parse_u64(text, &id))
        node = nodes_by_id(&request->control->nodes, id);
    return node;
}

static void transfer(struct request *request)
{
    struct value *body = NULL;
    uint64_t to = 0;

    if (request->body.size != 0) {
        body = json_read(&request->arena, request->body, &request->err);
        if (body == NULL) {
            request_fail_error(request, &request->err);
            return;
        }
        struct slice name = value_text(body, "to");
        if (name.size != 0) {
            const struct node_entry *node = find_node(request, name);
            if (node == NULL) {
                request_fail(request, GW_NOT_FOUND, "there is no node '%.*s'",
                             SLICE_ARG(name));
                return;
            }
            to = node->id;
        }
    }
    if (!control_call(request->control, MEMBER_TRANSFER, (struct slice){0}, to, 0,
                      change_done, request))
        request_fail(request, GW_NO_MEMORY, "hand over leadership");
}

void cluster_transfer(struct request *request)
{
    request_at_leader(request, transfer);
}

static void remove_node(struct request *request)
{
    const struct node_entry *node = find_node(request, request->parts[3]);
    const struct command_header header = header_of(request, COMMAND_NODE_REMOVE);
    struct buffer command;

    if (node == NULL) {
        request_fail(request, GW_NOT_FOUND, "there is no node '%.*s'",
                     SLICE_ARG(request->parts[3]));
        return;
    }
    if (request->control->nodes.count == 1) {
        request_fail(request, GW_CONFLICT, "'%s' is the last node", node->name);
        return;
    }
    buffer_init(&command, 0);
    propose(request, node_remove_encode(&command, &header, node->id), &command);
}

void cluster_node_remove(struct request *request)
{
    request_at_leader(request, remove_node);
}

/* {"role": "auto|voter|standby|witness"} */
static void role(struct request *request)
{
    const struct node_entry *node = find_node(request, request->parts[3]);
    const struct command_header header = header_of(request, COMMAND_NODE_UPDATE);
    struct value *body = json_read(&request->arena, request->body, &request->err);
    struct buffer command;

    if (body == NULL) {
        request_fail_error(request, &request->err);
        return;
    }
    struct slice wanted = value_text(body, "role");
    if (node == NULL) {
        request_fail(request, GW_NOT_FOUND, "there is no node '%.*s'",
                     SLICE_ARG(request->parts[3]));
        return;
    }
    if (!node_role_is_known(wanted)) {
        request_fail(request, GW_INVALID,
                     "role is '%.*s': auto, voter, standby or witness is needed",
                     SLICE_ARG(wanted));
        return;
    }
    const struct node_record record = {.id = node->id,
                                       .name = slice_from_string(node->name),
                                       .region = slice_from_string(node->region),
                                       .zone = slice_from_string(node->zone),
                                       .peer = slice_from_string(node->peer),
                                       .admin = slice_from_string(node->admin),
                                       .role = wanted,
                                       .version = slice_from_string(node->version),
                                       .joined_ms = node->joined_ms};
    buffer_init(&command, 0);
    propose(request, node_update_encode(&command, &header, &record), &command);
}

void cluster_node_role(struct request *request)
{
    request_at_leader(request, role);
}
