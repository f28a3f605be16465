/* Fault points in the admin API. A wish that could break nothing (a name that nothing is
 * called, a field of another kind) is refused, since it would look as if it did. */
#include "base/instant.h"
#include "model/units.h"
#include "node/control/faults.h"
#include "raft/system.h"

static void emit_node(struct emit *emit, const struct control *control, const char *key,
                      uint64_t id)
{
    const struct node_entry *node = nodes_by_id(&control->nodes, id);

    emit_key(emit, key);
    if (node != NULL)
        emit_cstring(emit, node->name);
    else if (id != 0)
        emit_u64_string(emit, id);
    else
        emit_null(emit);
}

static void emit_text(struct emit *emit, const char *key, struct slice text)
{
    emit_key(emit, key);
    if (text.size != 0)
        emit_string(emit, text);
    else
        emit_null(emit);
}

static void emit_duration(struct emit *emit, const char *key, uint64_t ms)
{
    char text[UNIT_TEXT_SIZE];

    emit_key(emit, key);
    duration_print(ms, text);
    if (ms != 0)
        emit_cstring(emit, text);
    else
        emit_null(emit);
}

struct listing {
    struct emit emit;
    const struct control *control;
};

static bool emit_fault(void *owner, struct slice key, const struct record *record)
{
    static const char *const directions[] = {"", "in", "out", "both"};
    struct listing *listing = owner;
    struct emit *emit = &listing->emit;
    struct fault_record fault;
    char at[INSTANT_TEXT_SIZE];

    if (!fault_record_unpack(record->value, &fault))
        return true;
    instant_format(fault.at_ms, at);
    emit_object(emit);
    emit_text(emit, "id", slice_from(key, FAULT_PREFIX.size));
    emit_key(emit, "kind");
    emit_cstring(emit, fault_kind_name(fault.kind));
    emit_node(emit, listing->control, "node", fault.node);
    emit_node(emit, listing->control, "peer", fault.peer);
    emit_text(emit, "direction", slice_from_string(directions[fault.directions & 3]));
    emit_duration(emit, "delay", fault.delay_ms);
    emit_text(emit, "service", fault.service);
    emit_text(emit, "endpoint", fault.endpoint);
    emit_duration(emit, "for", fault.for_ms);
    emit_key(emit, "at");
    emit_cstring(emit, at);
    emit_text(emit, "by", fault.actor);
    emit_text(emit, "reason", fault.reason);
    emit_object_end(emit);
    return true;
}

static void list(struct request *request)
{
    struct listing listing = {.control = request->control};
    struct txn *txn;

    enum result result = env_begin_read(request->control->env, &txn);
    if (result != GW_OK) {
        request_fail(request, result, "read the faults: %s", result_text(result));
        return;
    }
    emit_init(&listing.emit, &request->out, false);
    emit_object(&listing.emit);
    emit_key(&listing.emit, "revision");
    emit_u64_string(&listing.emit, request->control->visible->catalog.revision);
    emit_key(&listing.emit, "stale");
    emit_bool(&listing.emit, request->is_stale);
    emit_key(&listing.emit, "items");
    emit_array(&listing.emit);
    record_walk(txn, FAULT_PREFIX, emit_fault, &listing);
    emit_array_end(&listing.emit);
    emit_object_end(&listing.emit);
    txn_abort(txn);
    request_reply(request, 200, buffer_slice(&request->out));
}

void faults_list(struct request *request)
{
    request_linearize(request, list);
}

/* What is wrong with the wish, or NULL. */
static const char *read_duration(const struct value *body, const char *key, uint64_t max_ms,
                                 uint64_t *ret_ms)
{
    struct slice text = value_text(body, key);

    if (text.size == 0)
        return NULL;
    return duration_parse(text, ret_ms) && *ret_ms != 0 && *ret_ms <= max_ms
               ? NULL
               : "is no duration of that size";
}

static unsigned directions_of(struct slice text)
{
    if (text.size == 0 || slice_equal(text, SLICE("both")))
        return FAULT_IN | FAULT_OUT;
    return slice_equal(text, SLICE("in"))    ? FAULT_IN
           : slice_equal(text, SLICE("out")) ? FAULT_OUT
                                             : 0;
}

/* False: answered already. */
static bool read_node(struct request *request, const struct value *body, const char *key,
                      uint64_t *ret_id)
{
    struct slice name = value_text(body, key);
    const struct node_entry *node = nodes_by_name(&request->control->nodes, name);

    if (name.size != 0 && node == NULL) {
        request_fail(request, GW_NOT_FOUND,
                     "%s: there is no node '%.*s'; next: gwctl cluster members", key,
                     SLICE_ARG(name));
        return false;
    }
    *ret_id = node == NULL ? 0 : node->id;
    return true;
}

/* What each kind cannot do without; NULL: nothing is missing. */
static const char *lacks(const struct fault_record *fault)
{
    if (fault->kind == 0)
        return "kind: link, store or upstream is needed";
    if (fault->for_ms == 0)
        return "for: how long is needed, 10m at most";
    if (fault->kind != FAULT_UPSTREAM && fault->node == 0)
        return "node: the node that it is to happen on is needed";
    if (fault->kind == FAULT_LINK && fault->directions == 0)
        return "direction: in, out or both";
    if (fault->kind == FAULT_LINK && fault->peer == fault->node)
        return "peer: another node than 'node'";
    if (fault->kind == FAULT_STORE && fault->delay_ms == 0)
        return "delay: how long each write waits is needed, 10s at most";
    if (fault->kind == FAULT_UPSTREAM && fault->service.size == 0)
        return "service: the service whose endpoints shall not answer is needed";
    if (fault->kind != FAULT_LINK && fault->peer != 0)
        return "peer: that is for kind link";
    if (fault->kind != FAULT_STORE && fault->delay_ms != 0)
        return "delay: that is for kind store";
    if (fault->kind != FAULT_UPSTREAM && (fault->service.size | fault->endpoint.size) != 0)
        return "service, endpoint: these are for kind upstream";
    if (fault->service.size >= FAULT_NAME_SIZE || fault->endpoint.size >= FAULT_NAME_SIZE)
        return "service, endpoint: no name is that long";
    if (fault->reason.size > FAULT_REASON_LIMIT)
        return "reason: 200 bytes at most";
    return NULL;
}

/* A name that nothing is called can break nothing, and would look as if it did. */
static const char *unknown_target(const struct control *control,
                                  const struct fault_record *fault)
{
    const struct snapshot *snapshot = control->publish.current;
    const struct target_service *service =
        snapshot == NULL ? NULL : snapshot_service(snapshot, fault->service);

    if (fault->kind != FAULT_UPSTREAM)
        return NULL;
    if (service == NULL)
        return "service: there is none of this name; next: gwctl get services";
    for (uint32_t i = 0; i < service->endpoint_count; i++) {
        if (fault->endpoint.size == 0 ||
            slice_equal(service->endpoints[i].name, fault->endpoint))
            return NULL;
    }
    return "endpoint: the service has none of this name; next: gwctl describe service";
}

/* False: answered already. */
static bool read_wish(struct request *request, struct fault_record *fault)
{
    static const struct form form = {.fields = {{"kind", FORM_TEXT},
                                                {"node", FORM_TEXT},
                                                {"peer", FORM_TEXT},
                                                {"direction", FORM_TEXT},
                                                {"delay", FORM_TEXT},
                                                {"service", FORM_TEXT},
                                                {"endpoint", FORM_TEXT},
                                                {"for", FORM_TEXT},
                                                {"reason", FORM_TEXT}},
                                     .refusal = GW_INVALID};
    const struct value *body = request_form(request, &form);
    const char *wrong;

    if (body == NULL)
        return false;
    fault->kind = fault_kind_of(value_text(body, "kind"));
    fault->service = value_text(body, "service");
    fault->endpoint = value_text(body, "endpoint");
    fault->reason = value_text(body, "reason");
    if (fault->kind == FAULT_LINK)
        fault->directions = directions_of(value_text(body, "direction"));
    if ((wrong = read_duration(body, "for", FAULT_FOR_MAX_MS, &fault->for_ms)) != NULL ||
        (wrong = read_duration(body, "delay", FAULT_DELAY_MAX_MS, &fault->delay_ms)) !=
            NULL) {
        request_fail(request, GW_INVALID, "for (10m at most) or delay (10s at most) %s",
                     wrong);
        return false;
    }
    if (!read_node(request, body, "node", &fault->node) ||
        !read_node(request, body, "peer", &fault->peer))
        return false;
    wrong = lacks(fault);
    if (wrong == NULL)
        wrong = unknown_target(request->control, fault);
    if (wrong != NULL)
        request_fail(request, GW_INVALID, "%s", wrong);
    return wrong == NULL;
}

static void created(struct control_call *call)
{
    struct request *request = call->owner;
    struct emit emit;

    if (call->member.result == GW_OK) {
        emit_init(&emit, &request->out, false);
        emit_object(&emit);
        emit_key(&emit, "id");
        emit_string(&emit, request->selector);
        emit_object_end(&emit);
        request_reply(request, 201, buffer_slice(&request->out));
    } else {
        request_fail_call(request, call);
    }
    control_call_free(call);
}

static void create(struct request *request)
{
    struct control *control = request->control;
    struct fault_record fault = {.at_ms = instant_wall_ms(), .actor = request->actor};
    struct buffer value, command;
    char id[FAULT_ID_SIZE];
    struct txn *txn;
    size_t count = 0;

    if (!read_wish(request, &fault))
        return;
    if (env_begin_read(control->env, &txn) == GW_OK) {
        record_count(txn, FAULT_PREFIX, &count);
        txn_abort(txn);
    }
    if (count >= FAULTS_MAX) {
        request_fail(request, GW_CONFLICT,
                     "there are %d faults already; delete one, or wait for its end",
                     FAULTS_MAX);
        return;
    }
    fault_id(id, fault.at_ms, &control->rng);
    struct slice key = arena_printf(&request->arena, "%.*s%s", SLICE_ARG(FAULT_PREFIX), id);
    request->selector = slice_from(key, FAULT_PREFIX.size);
    const struct command_header header = {.wall_ms = fault.at_ms, .actor = fault.actor};
    buffer_init(&value, 8192);
    buffer_init(&command, 16384);
    fault_record_pack(&value, &fault);
    const struct system_item item = {.key = key, .value = buffer_slice(&value)};
    if (value.failed || !system_encode(&command, &header, &item, 1) ||
        !control_call(control, MEMBER_PROPOSE, buffer_slice(&command), 0, 0, created,
                      request))
        request_fail(request, GW_NO_MEMORY, "make a fault");
    buffer_deinit(&value);
    buffer_deinit(&command);
}

void faults_create(struct request *request)
{
    request_at_leader(request, create);
}

static void delete (struct request *request)
{
    struct slice key = arena_printf(&request->arena, "%.*s%.*s", SLICE_ARG(FAULT_PREFIX),
                                    SLICE_ARG(request->parts[3]));
    struct record record = {0};
    struct txn *txn;

    enum result result = env_begin_read(request->control->env, &txn);
    if (result == GW_OK) {
        result = record_get(txn, key, &record);
        txn_abort(txn);
    }
    if (result == GW_NOT_FOUND)
        request_fail(request, GW_NOT_FOUND, "there is no fault '%.*s'",
                     SLICE_ARG(request->parts[3]));
    else if (result != GW_OK)
        request_fail(request, result, "read the faults: %s", result_text(result));
    else if (!faults_propose_delete(request->control, key, record.mod_revision,
                                    request->actor, request_removed, request))
        request_fail(request, GW_NO_MEMORY, "remove the fault");
}

void faults_delete(struct request *request)
{
    request_at_leader(request, delete);
}
