/* Writes of resources: from the request to the proposer and back. All four ways
 * answer with the same object, INTERFACES.md "apply". */
#include "base/log.h"
#include "model/units.h"
#include "node/control/admin.h"
#include "node/control/laggards.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the answer ---- */

/* A repeated request was answered by its session: what it did shows in the
 * revisions of what it named. */
static const char *action_by_revision(const struct control *control,
                                      const struct change_item *item, uint64_t revision)
{
    const struct resource *resource =
        catalog_get(&control->visible->catalog, item->kind, item->name);

    if (item->resource == NULL && resource == NULL)
        return change_action_word(CHANGE_DELETED);
    if (resource == NULL || resource->mod_revision != revision)
        return change_action_word(CHANGE_UNCHANGED);
    return change_action_word(resource->create_revision == revision ? CHANGE_CREATED
                                                                    : CHANGE_CHANGED);
}

static void emit_objects(struct emit *emit, const struct control *control,
                         const struct write *write)
{
    emit_key(emit, "objects");
    emit_array(emit);
    for (size_t i = 0; i < write->change.count; i++) {
        const struct change_item *item = &write->change.items[i];
        emit_object(emit);
        emit_key(emit, "kind");
        emit_cstring(emit, kind_name(item->kind));
        emit_key(emit, "name");
        emit_string(emit, item->name);
        emit_key(emit, "action");
        emit_cstring(emit, write->is_session_known
                               ? action_by_revision(control, item, write->revision)
                               : change_action_word(item->action));
        emit_object_end(emit);
    }
    emit_array_end(emit);
}

static void emit_nodes(struct emit *emit, const struct control *control)
{
    struct member_list list;

    members_gather(control, &list);
    emit_key(emit, "nodes");
    emit_array(emit);
    for (size_t i = 0; i < list.count; i++) {
        emit_object(emit);
        emit_key(emit, "name");
        emit_cstring(emit, list.lines[i].node == NULL ? "" : list.lines[i].node->name);
        emit_key(emit, "revision");
        if (list.lines[i].has_status)
            emit_u64_string(emit, list.lines[i].served);
        else
            emit_null(emit);
        emit_object_end(emit);
    }
    emit_array_end(emit);
}

static void reply_applied(struct request *request)
{
    const struct write *write = request->write;
    struct emit emit;

    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "revision");
    emit_u64_string(&emit, write->revision);
    emit_key(&emit, "dryRun");
    emit_bool(&emit, write->dry_run);
    emit_key(&emit, "changed");
    emit_bool(&emit, write->changed_count != 0 || write->is_session_known);
    emit_objects(&emit, request->control, write);
    emit_nodes(&emit, request->control);
    emit_key(&emit, "warnings");
    problems_emit(&write->problems, &emit, true);
    emit_object_end(&emit);
    if (request->out.failed) {
        request_fail(request, GW_NO_MEMORY, "write the answer");
        return;
    }
    request->revision = write->revision;
    if (write->type == WRITE_PUT || write->type == WRITE_PATCH) {
        /* A repeated request names what it made itself: what is there by now may be
         * another's. */
        uint64_t etag = write->changed_count != 0 || write->is_session_known
                            ? write->revision
                            : write->mod_revision;
        if (!write->dry_run)
            snprintf(request->etag, sizeof request->etag, "%llu", (unsigned long long)etag);
    }
    request_reply(request, 200, buffer_slice(&request->out));
}

void applied_tell(struct control *control)
{
    struct control_applied *applied = &control->applied;

    if (applied->writes == 1)
        log_event(LOG_INFO, "control", "configuration applied",
                  LOG_U64("revision", applied->revision), LOG_STR("actor", applied->actor),
                  LOG_U64("objects", applied->objects));
    else if (applied->writes > 1)
        log_event(LOG_INFO, "control", "configuration applied",
                  LOG_U64("revision", applied->revision), LOG_STR("actor", applied->actor),
                  LOG_U64("objects", applied->objects), LOG_U64("since", applied->since),
                  LOG_U64("writes", applied->writes));
    applied->writes = applied->objects = 0;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct control *control = prepare->data;

    uv_prepare_stop(prepare);
    applied_tell(control);
}

/* Writes of one actor that are answered in the same turn of the loop get one line: a line
 * costs as much as answering does. The history has each by itself. */
static void note_applied(struct control *control, const struct request *request)
{
    struct control_applied *applied = &control->applied;
    const struct write *write = request->write;

    if (applied->writes > 0 &&
        !slice_equal(slice_from_string(applied->actor), request->actor))
        applied_tell(control);
    if (applied->writes == 0) {
        snprintf(applied->actor, sizeof applied->actor, "%.*s", SLICE_ARG(request->actor));
        applied->since = write->revision;
        if (!control->is_ending)
            uv_prepare_start(&control->telling, on_prepare);
    }
    applied->writes++;
    applied->objects += write->changed_count;
    applied->revision = write->revision;
}

static void written(struct request *request)
{
    struct write *write = request->write;

    request->control->writes_total++;
    if (write->changed_count != 0 && !write->dry_run)
        note_applied(request->control, request);
    if (write->dry_run)
        reply_applied(request);
    else
        laggards_wait(request, write->revision, reply_applied);
}

/* ---- from the proposer ---- */

static void begin(struct request *request);

static void give_up(struct request *request)
{
    write_deinit(request->write);
    free(request->write);
    request->write = NULL;
}

/* What was made for a revision that is the past by now. */
static bool may_be_made_again(struct request *request)
{
    struct slice text;

    return request->again != NULL && request_left_ms(request) > 100 &&
           !request_query(request, "ifRevision", &text);
}

static void fail_detail(struct request *request, const struct write *write)
{
    struct command_detail detail;
    struct error err = write->err;

    if (command_detail_unpack(buffer_slice(&write->detail), &detail)) {
        if (detail.text.size != 0)
            error_set(&err, write->result, "%.*s", SLICE_ARG(detail.text));
        request->changed = detail.keys;
        request->changed_count = detail.key_listed;
    }
    request->problems = write->result == GW_INVALID ? &request->write->problems : NULL;
    request_fail_error(request, &err);
}

static void write_done(struct write *write)
{
    struct request *request = write->owner;

    switch (write->result) {
    case GW_OK:
        written(request);
        return;
    case GW_NOT_LEADER: /* surely not done */
    case GW_CLOSED:
        give_up(request);
        request_try_again(request, request->again != NULL ? request->again : begin);
        return;
    case GW_AGAIN:
    case GW_CONFLICT:
        if (!may_be_made_again(request)) {
            fail_detail(request, write);
            return;
        }
        give_up(request);
        request_try_again(request, request->again);
        return;
    case GW_NO_QUORUM:
        request_fail_no_quorum(request);
        return;
    case GW_UNKNOWN_OUTCOME:
    case GW_TIMEOUT:
        request_fail(request, GW_UNKNOWN_OUTCOME,
                     "the change was proposed and not confirmed in time; it may have been "
                     "made: repeat it with the same Idempotency-Key");
        return;
    default:
        fail_detail(request, write);
    }
}

/* ---- to the proposer ---- */

/* "\"4182\"" of If-Match. */
static bool parse_etag(struct slice text, uint64_t *ret_revision)
{
    text = slice_trim(text);
    if (text.size < 3 || text.data[0] != '"' || text.data[text.size - 1] != '"')
        return false;
    return slice_parse_u64(slice_sub(text, 1, text.size - 2), ret_revision);
}

static bool read_conditions(struct request *request, struct write *write)
{
    struct slice text;

    if (request->if_match.size != 0) {
        write->has_if_match = true;
        if (!parse_etag(request->if_match, &write->if_match)) {
            request_fail(request, GW_MALFORMED,
                         "If-Match takes one ETag as GET gave it, as \"4182\" in quotes");
            return false;
        }
    }
    if (request->if_none_match.size != 0) {
        if (!slice_equal(slice_trim(request->if_none_match), SLICE("*"))) {
            request_fail(request, GW_MALFORMED, "If-None-Match takes * in a write");
            return false;
        }
        write->if_none_match = true;
    }
    write->has_if_revision = request_query(request, "ifRevision", &text);
    if (write->has_if_revision && !slice_parse_u64(text, &write->if_revision)) {
        request_fail(request, GW_MALFORMED, "ifRevision is '%.*s': a revision is needed",
                     SLICE_ARG(text));
        return false;
    }
    if (request_query(request, "message", &text)) {
        write->message = text;
        if (text.size > HISTORY_MESSAGE) {
            request_fail(request, GW_INVALID, "message has %zu bytes; %d at most",
                         text.size, HISTORY_MESSAGE);
            return false;
        }
    }
    if (request_query(request, "prune", &text) && write->type == WRITE_APPLY) {
        if (text.size == 0 || !selector_is_valid(text)) {
            request_fail(request, GW_MALFORMED,
                         "prune is '%.*s': a label selector is needed, as team=apps",
                         SLICE_ARG(text));
            return false;
        }
        write->has_prune = true;
        write->prune = text;
    }
    return true;
}

static void client_of(struct request *request, struct write *write)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];

    if (request->idempotency_key.size == 0)
        return;
    SHA256((const unsigned char *)request->idempotency_key.data,
           request->idempotency_key.size, digest);
    memcpy(write->client, digest, sizeof write->client);
    write->has_client = true;
}

static void submit(struct request *request, enum write_type type, struct slice body,
                   const uint64_t *only_at, bool is_exact)
{
    struct write *write = calloc(1, sizeof *write);

    if (write == NULL) {
        request_fail(request, GW_NO_MEMORY, "take the write");
        return;
    }
    write_init(write);
    request->write = write;
    write->type = type;
    write->body = body;
    if (only_at != NULL) {
        write->has_only_at = is_exact;
        write->only_at = *only_at;
    }
    write->dry_run = request_flag(request, "dryRun");
    write->actor = request->actor;
    write->owner = request;
    write->done = write_done;
    client_of(request, write);
    if (!read_conditions(request, write))
        return;
    if (only_at != NULL && !is_exact &&
        (!write->has_if_revision || write->if_revision > *only_at)) {
        write->has_if_revision = true;
        write->if_revision = *only_at;
    }
    write->needs_visible = write->has_only_at;
    if (type != WRITE_APPLY) {
        write->kind = kind_by_name(request->parts[2]);
        write->name = request->parts[3];
        if (write->kind == KIND_NONE) {
            const char *nearest = kind_suggest(request->parts[2]);
            request_fail(request, GW_NOT_FOUND, "there is no kind '%.*s'%s%s%s",
                         SLICE_ARG(request->parts[2]),
                         nearest == NULL ? "" : " (did you mean '",
                         nearest == NULL ? "" : nearest, nearest == NULL ? "" : "'?)");
            return;
        }
    }
    proposer_submit(&request->control->proposer, write);
}

static void begin(struct request *request)
{
    enum write_type type = slice_equal(request->method, SLICE("POST"))    ? WRITE_APPLY
                           : slice_equal(request->method, SLICE("PUT"))   ? WRITE_PUT
                           : slice_equal(request->method, SLICE("PATCH")) ? WRITE_PATCH
                                                                          : WRITE_DELETE;

    submit(request, type, request->body, NULL, false);
}

void apply_at_revision(struct request *request, struct slice body, uint64_t revision,
                       bool is_exact, request_fn again)
{
    request->again = again;
    submit(request, WRITE_APPLY, body, &revision, is_exact);
}

void apply_post(struct request *request)
{
    if (laggards_read(request))
        request_at_leader(request, begin);
}

void apply_put(struct request *request)
{
    if (laggards_read(request))
        request_at_leader(request, begin);
}

void apply_patch(struct request *request)
{
    if (laggards_read(request))
        request_at_leader(request, begin);
}

void apply_delete(struct request *request)
{
    if (laggards_read(request))
        request_at_leader(request, begin);
}
