/* /v1/cluster/upgrade: which formats the members read, which one is stored, and the
 * step from one to the next.
 *
 * What a member reads it says in its status, once a second; one that does not say is
 * of the version before statuses said it. The step is one log entry, proposed only
 * while every member is there and reads the new format: afterwards nobody older can
 * take part, and there is no way back. */
#include "base/instant.h"
#include "model/wire.h"
#include "node/control/admin.h"
#include "raft/hello.h"
#include "raft/system.h"

#include <stdio.h>

#define NAMES_SIZE 512

struct reading {
    uint64_t protocol, format;
    bool is_known;
};

/* Numbers of a status; what is unknown is skipped. */
static struct reading read_status(struct slice status)
{
    struct reading reading = {.protocol = 1, .format = FORMAT_OLDEST};
    struct wire wire;
    size_t count;

    wire_init(&wire, status);
    if (status.size == 0 || !wire_read_map(&wire, &count))
        return reading;
    reading.is_known = true;
    for (size_t i = 0; i < count; i++) {
        struct slice key;
        bool ok = wire_read_string(&wire, &key);
        if (ok && slice_equal(key, SLICE("protocol")))
            ok = wire_read_u64(&wire, &reading.protocol);
        else if (ok && slice_equal(key, SLICE("format")))
            ok = wire_read_u64(&wire, &reading.format);
        else if (ok)
            ok = wire_skip(&wire, NULL);
        if (!ok)
            break;
    }
    return reading;
}

static struct reading reading_of(const struct control *control, uint64_t id)
{
    if (id == control->options.identity.node_id)
        return (struct reading){PEER_PROTOCOL, format_spoken, true};
    for (unsigned i = 0; control->view != NULL && i < control->view->peer_count; i++) {
        if (control->view->peers[i].id == id)
            return read_status(control->view->peers[i].status);
    }
    return (struct reading){0};
}

/* Who stands in the way, and why. */
struct standing {
    struct member_list members;
    char older[NAMES_SIZE], away[NAMES_SIZE];
};

static void add_name(char *names, const char *name)
{
    size_t used = strlen(names);

    snprintf(names + used, NAMES_SIZE - used, "%s%s", used == 0 ? "" : ", ", name);
}

static void stand(const struct control *control, struct standing *ret_standing)
{
    memset(ret_standing, 0, sizeof *ret_standing);
    members_gather(control, &ret_standing->members);
    for (size_t i = 0; i < ret_standing->members.count; i++) {
        const struct member_line *line = &ret_standing->members.lines[i];
        struct reading reading = reading_of(control, line->id);
        const char *name = line->node == NULL ? "?" : line->node->name;
        if (!line->is_reachable || !reading.is_known)
            add_name(ret_standing->away, name);
        else if (reading.format < format_spoken)
            add_name(ret_standing->older, name);
    }
}

/* A sentence why it cannot be, or what there is to do; empty: nothing. */
static void describe(const struct control *control, const struct standing *standing,
                     char *out, size_t size)
{
    const unsigned long long target = format_spoken;
    const bool is_older = standing->older[0] != '\0', is_away = standing->away[0] != '\0';

    out[0] = '\0';
    if (control->nodes.format >= format_spoken)
        return;
    if (is_older || is_away)
        snprintf(out, size, "format %llu needs every member: %s%s%s%s%s", target,
                 is_older ? "of an older version: " : "", standing->older,
                 is_older && is_away ? "; " : "", is_away ? "not reached: " : "",
                 standing->away);
}

/* ---- status ---- */

static void emit_members(struct emit *emit, const struct control *control,
                         const struct member_list *list)
{
    emit_array(emit);
    for (size_t i = 0; i < list->count; i++) {
        const struct member_line *line = &list->lines[i];
        struct reading reading = reading_of(control, line->id);
        emit_object(emit);
        emit_key(emit, "id");
        emit_u64_string(emit, line->id);
        emit_key(emit, "name");
        emit_cstring(emit, line->node == NULL ? "" : line->node->name);
        emit_key(emit, "state");
        emit_cstring(emit, line->state);
        emit_key(emit, "version");
        emit_cstring(emit, line->node == NULL ? "" : line->node->version);
        emit_key(emit, "protocol");
        if (reading.is_known)
            emit_u64(emit, reading.protocol);
        else
            emit_null(emit);
        emit_key(emit, "format");
        if (reading.is_known)
            emit_u64(emit, reading.format);
        else
            emit_null(emit);
        emit_object_end(emit);
    }
    emit_array_end(emit);
}

static void emit_changes(struct emit *emit, const struct control *control)
{
    emit_array(emit);
    for (uint64_t format = control->nodes.format + 1; format <= format_spoken; format++) {
        if (format_brings(format) != NULL)
            emit_cstring(emit, format_brings(format));
    }
    emit_array_end(emit);
}

static void write_status(struct request *request, bool changed)
{
    const struct control *control = request->control;
    struct standing standing;
    struct emit emit;
    char why[2 * NAMES_SIZE + 128];

    stand(control, &standing);
    describe(control, &standing, why, sizeof why);
    buffer_reset(&request->out);
    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "revision");
    emit_u64_string(&emit, control->visible->catalog.revision);
    emit_key(&emit, "stale");
    emit_bool(&emit, control_leader(control) == 0);
    emit_key(&emit, "storedFormat");
    emit_u64(&emit, control->nodes.format);
    emit_key(&emit, "targetFormat");
    emit_u64(&emit,
             format_spoken > control->nodes.format ? format_spoken : control->nodes.format);
    emit_key(&emit, "finalized");
    emit_bool(&emit, control->nodes.format >= format_spoken);
    emit_key(&emit, "changed");
    emit_bool(&emit, changed);
    emit_key(&emit, "why");
    emit_cstring(&emit, why[0] == '\0' ? NULL : why);
    emit_key(&emit, "brings");
    emit_changes(&emit, control);
    emit_key(&emit, "members");
    emit_members(&emit, control, &standing.members);
    emit_object_end(&emit);
}

void upgrade_status(struct request *request)
{
    request->is_stale = control_leader(request->control) == 0;
    write_status(request, false);
    request_reply(request, 200, buffer_slice(&request->out));
}

/* ---- the step ---- */

static void reply_now(struct request *request)
{
    write_status(request, request->wait_revision != 0);
    request_reply(request, 200, buffer_slice(&request->out));
}

static void finalized(struct control_call *call)
{
    struct request *request = call->owner;

    if (call->member.result == GW_OK) {
        request->wait_revision = call->member.index; /* it changed something */
        request_linearize(request, reply_now);
    } else {
        request_fail_call(request, call);
    }
    control_call_free(call);
}

static bool refuse_standing(struct request *request)
{
    const struct control *control = request->control;
    struct standing standing;
    char why[2 * NAMES_SIZE + 128];

    stand(control, &standing);
    describe(control, &standing, why, sizeof why);
    if (why[0] == '\0')
        return false;
    request_fail(request, GW_CONFLICT,
                 "%s; next: run the newer gwd on each of them, then the same again; who is "
                 "gone for good: gwctl cluster remove NODE",
                 why);
    return true;
}

static void finalize(struct request *request)
{
    struct control *control = request->control;
    const struct command_header header = {.wall_ms = instant_wall_ms(),
                                          .actor = request->actor};
    struct buffer command;

    if (control->nodes.format >= format_spoken) {
        request_linearize(request, reply_now);
        return;
    }
    if (refuse_standing(request))
        return;
    buffer_init(&command, 4096);
    if (!format_encode(&command, &header, format_spoken) ||
        !control_call(control, MEMBER_PROPOSE, buffer_slice(&command), 0, 0, finalized,
                      request))
        request_fail(request, GW_NO_MEMORY, "finalize the upgrade");
    buffer_deinit(&command);
}

void upgrade_finalize(struct request *request)
{
    /* Before it goes to the leader, which may be the one that is older and would not
     * understand. */
    if (control_leader(request->control) != 0 && refuse_standing(request))
        return;
    request_at_leader(request, finalize);
}

bool upgrade_allows(struct request *request, uint64_t format, const char *what)
{
    if (request->control->nodes.format >= format)
        return true;
    request_fail(
        request, GW_CONFLICT,
        "%s needs stored format %llu, this cluster stores %llu; next: gwctl cluster "
        "upgrade finalize, once every node runs this version",
        what, (unsigned long long)format,
        (unsigned long long)request->control->nodes.format);
    return false;
}
