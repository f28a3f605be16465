/* /v1/cluster: who is there and who leads, told by any node from its own view,
 * also without a quorum. */
#include "node/control/admin.h"
#include "node/control/quarantine.h"
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
    request->quarantined = quarantine_names(request);
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
