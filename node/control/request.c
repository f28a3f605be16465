/* A request from its birth to its answer, of which there is one; what it waits for in
 * between is request_leader.c's. */
#include "node/control/request.h"

#include "node/control/request_inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- birth and death ---- */

static struct request *request_new(struct control *control)
{
    struct request *request = calloc(1, sizeof *request);

    if (request == NULL)
        return NULL;
    request->control = control;
    request->began_ms = control_now_ms(control);
    request->deadline_ms = request->began_ms + CONTROL_WAIT_MS;
    arena_init(&request->arena, 0, 0);
    buffer_init(&request->out, 0);
    buffer_init(&request->prepared, 0);
    list_append(&control->requests, &request->link);
    control->request_count++;
    control->requests_total++;
    return request;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void request_free(struct request *request)
{
    struct control *control = request->control;

    list_remove(&request->link);
    if (list_is_linked(&request->lag_link))
        list_remove(&request->lag_link);
    control->request_count--;
    control->body_bytes -= request->body.size;
    if (request->timer != NULL)
        uv_close((uv_handle_t *)request->timer, timer_closed);
    if (request->write != NULL) {
        write_deinit(request->write);
        free(request->write);
    }
    buffer_deinit(&request->out);
    buffer_deinit(&request->prepared);
    arena_deinit(&request->arena);
    free(request);
}

/* "/v1/a/b" into its parts, decoded; too many or malformed ones match no route. */
static void split_path(struct request *request)
{
    struct slice rest = request->path;
    struct slice part;
    char text[256];

    if (!slice_starts_with(rest, SLICE("/")))
        return;
    rest = slice_from(rest, 1);
    while (slice_next(&rest, '/', &part)) {
        if (request->part_count == REQUEST_PATH_PARTS ||
            !http_call_decode(part, text, sizeof text)) {
            request->part_count = 0;
            return;
        }
        request->parts[request->part_count++] =
            arena_copy(&request->arena, slice_from_string(text));
    }
}

static void finish_birth(struct request *request)
{
    struct slice value;

    request->control->body_bytes += request->body.size;
    split_path(request);
    request->is_stale =
        request_query(request, "consistency", &value) && slice_equal(value, SLICE("stale"));
}

struct request *request_from_call(struct control *control, struct http_call *call,
                                  struct slice actor)
{
    struct request *request = request_new(control);

    if (request == NULL)
        return NULL;
    request->call = call;
    call->context = request;
    request->method = call->is_head ? SLICE("GET") : call->method;
    request->path = call->path;
    request->query = call->query;
    request->body = call->body;
    request->if_match = http_call_field(call, SLICE("if-match"));
    request->if_none_match = http_call_field(call, SLICE("if-none-match"));
    request->idempotency_key = http_call_field(call, SLICE("idempotency-key"));
    request->content_type = http_call_field(call, SLICE("content-type"));
    request->actor = arena_copy(&request->arena, actor);
    finish_birth(request);
    return request;
}

struct request *request_from_forwarded(struct control *control,
                                       struct member_forwarded *forwarded)
{
    struct request *request = request_new(control);

    if (request == NULL) {
        control_answer(control, forwarded, (struct slice){0});
        return NULL;
    }
    request->forwarded = forwarded;
    if (!request_decode(request, buffer_slice(&forwarded->payload))) {
        request->body = (struct slice){0};
        request_fail(request, GW_MALFORMED, "the forwarded request does not decode");
        return NULL;
    }
    finish_birth(request);
    return request;
}

/* ---- reading it ---- */

bool request_query(struct request *request, const char *name, struct slice *ret_value)
{
    struct slice rest = request->query;
    struct slice part;
    char text[1024];

    while (slice_next(&rest, '&', &part)) {
        size_t equals = slice_find_byte(part, '=');
        struct slice key = equals == SIZE_MAX ? part : slice_sub(part, 0, equals);
        if (!slice_equal(key, slice_from_string(name)))
            continue;
        struct slice value =
            equals == SIZE_MAX ? (struct slice){"", 0} : slice_from(part, equals + 1);
        if (!http_call_decode(value, text, sizeof text))
            return false;
        *ret_value = arena_copy(&request->arena, slice_from_string(text));
        return true;
    }
    return false;
}

bool request_flag(struct request *request, const char *name)
{
    struct slice value;

    return request_query(request, name, &value) && !slice_equal(value, SLICE("false")) &&
           !slice_equal(value, SLICE("0"));
}

uint64_t request_left_ms(const struct request *request)
{
    uint64_t now_ms = control_now_ms(request->control);

    return now_ms >= request->deadline_ms ? 1 : request->deadline_ms - now_ms;
}

/* ---- answering ---- */

void request_reply_typed(struct request *request, unsigned status, const char *type,
                         struct slice body)
{
    struct control *control = request->control;
    uint64_t revision = request->revision != 0     ? request->revision
                        : control->visible != NULL ? control->visible->catalog.revision
                                                   : 0;

    if (request->forwarded != NULL) {
        struct buffer answer;
        buffer_init(&answer, 0);
        request_answer_encode(&answer, status, request->etag, revision, request->laggards,
                              body);
        control_answer(control, request->forwarded, buffer_slice(&answer));
        buffer_deinit(&answer);
        request_free(request);
        return;
    }

    char revision_text[24], lag_text[40], etag[32];
    struct http_field fields[8];
    size_t count = 0;
    snprintf(revision_text, sizeof revision_text, "%llu", (unsigned long long)revision);
    fields[count++] = (struct http_field){SLICE("content-type"), slice_from_string(type)};
    fields[count++] =
        (struct http_field){SLICE("gw-revision"), slice_from_string(revision_text)};
    fields[count++] = (struct http_field){SLICE("cache-control"), SLICE("no-store")};
    if (request->etag[0] != '\0') {
        snprintf(etag, sizeof etag, "\"%s\"", request->etag);
        fields[count++] = (struct http_field){SLICE("etag"), slice_from_string(etag)};
    }
    if (request->allow[0] != '\0')
        fields[count++] =
            (struct http_field){SLICE("allow"), slice_from_string(request->allow)};
    if (request->laggards.size != 0)
        fields[count++] = (struct http_field){SLICE("gw-laggards"), request->laggards};
    if (request->quarantined.size != 0)
        fields[count++] =
            (struct http_field){SLICE("gw-quarantined"), request->quarantined};
    if (request->is_stale) {
        snprintf(lag_text, sizeof lag_text, "%llums",
                 (unsigned long long)control_lag_ms(control));
        fields[count++] = (struct http_field){SLICE("gw-lag"), slice_from_string(lag_text)};
    }
    http_server_reply(request->call, status, fields, count, body);
    request_free(request);
}

void request_reply(struct request *request, unsigned status, struct slice body)
{
    request_reply_typed(request, status, "application/json", body);
}

struct http_call *request_detach(struct request *request)
{
    struct http_call *call = request->call;

    call->context = NULL;
    request_free(request);
    return call;
}

void request_fail_error(struct request *request, const struct error *err)
{
    struct buffer body;
    const struct problem_extra extra = {
        .problems = request->problems,
        .revision = request->control->visible == NULL
                        ? 0
                        : request->control->visible->catalog.revision,
        .changed = request->changed,
        .changed_count = request->changed_count};

    buffer_init(&body, 0);
    unsigned status = problem_write(&body, err, &extra);
    request->etag[0] = '\0';
    request_reply_typed(request, status, "application/problem+json", buffer_slice(&body));
    buffer_deinit(&body);
}

const struct value *request_form(struct request *request, const struct form *form)
{
    const struct value *body =
        form_read(form, &request->arena, request->body, &request->err);

    if (body == NULL)
        request_fail_error(request, &request->err);
    return body;
}

void request_fail(struct request *request, enum result code, const char *format, ...)
{
    struct error err = {.code = code};
    va_list args;

    va_start(args, format);
    vsnprintf(err.text, sizeof err.text, format, args);
    va_end(args);
    request_fail_error(request, &err);
}

/* Names of nodes in one run: "us-1, us-2". */
static void append_name(struct buffer *out, bool *first, const char *name)
{
    buffer_printf(out, "%s%s", *first ? "" : ", ", name);
    *first = false;
}

/* "no quorum: 2 of 5 voters reachable (us-1, us-2); eu-1 unseen 41s." */
static void describe_quorum(struct control *control, struct buffer *out)
{
    struct buffer reachable, unseen;
    unsigned voters = 0, have = 0;
    bool first_reachable = true, first_unseen = true;
    uint64_t now_ms = control_now_ms(control);

    buffer_init(&reachable, 8192);
    buffer_init(&unseen, 8192);
    for (unsigned i = 0; control->view != NULL && i < control->view->replica.server_count;
         i++) {
        const struct replica_server *server = &control->view->replica.servers[i];
        const struct node_entry *node = nodes_by_id(&control->nodes, server->id);
        char id_text[24];
        snprintf(id_text, sizeof id_text, "node %llu", (unsigned long long)server->id);
        const char *name = node != NULL ? node->name : id_text;
        if (server->role != REPLICA_VOTER)
            continue;
        voters++;
        if (server->id == control->options.identity.node_id) {
            have++;
            append_name(&reachable, &first_reachable, name);
            continue;
        }
        const struct member_peer *peer = NULL;
        for (unsigned j = 0; j < control->view->peer_count; j++) {
            if (control->view->peers[j].id == server->id)
                peer = &control->view->peers[j];
        }
        if (peer != NULL && peer->connected) {
            have++;
            append_name(&reachable, &first_reachable, name);
            continue;
        }
        append_name(&unseen, &first_unseen, name);
        if (peer != NULL && peer->seen_ms != 0)
            buffer_printf(&unseen, " unseen %llus",
                          (unsigned long long)((now_ms - peer->seen_ms) / 1000));
        else
            buffer_printf(&unseen, " not seen since this node started");
    }
    /* A link that was cut is found silent only after a while. */
    bool is_fresh = have >= voters / 2 + 1;
    buffer_printf(out, "no quorum: %u of %u voters reachable%s", have, voters,
                  is_fresh ? " a moment ago" : "");
    if (!first_reachable)
        buffer_printf(out, " (%.*s)", SLICE_ARG(buffer_slice(&reachable)));
    if (is_fresh)
        buffer_printf(out, ", but no majority answers");
    if (!first_unseen)
        buffer_printf(out, "; %.*s", SLICE_ARG(buffer_slice(&unseen)));
    if (control->publish.is_served)
        buffer_printf(out, ". Traffic is served from revision %llu",
                      (unsigned long long)control->publish.served);
    buffer_deinit(&reachable);
    buffer_deinit(&unseen);
}

void request_fail_no_quorum(struct request *request)
{
    struct control *control = request->control;
    struct buffer text;

    if (control->is_halted) {
        bool is_full = control->view != NULL && control->view->halt_cause == GW_DISK_LOW;
        request_fail(request, GW_HALTED,
                     is_full ? "this node's member has halted for want of room on its "
                               "disk: it comes back by itself once there is some"
                             : "this node's member has halted after an error of its disk: "
                               "see its log, then restart it");
        return;
    }
    buffer_init(&text, 0);
    describe_quorum(control, &text);
    request_fail(request, GW_NO_QUORUM, "%.*s", SLICE_ARG(buffer_slice(&text)));
    buffer_deinit(&text);
}

void request_fail_call(struct request *request, const struct control_call *call)
{
    struct command_detail detail;
    enum result result = call->member.result;

    if (result == GW_NO_QUORUM)
        request_fail_no_quorum(request);
    else if (result == GW_NOT_LEADER || result == GW_CLOSED)
        request_try_again(request, request->next);
    else if (command_detail_unpack(buffer_slice(&call->member.reply), &detail) &&
             detail.text.size != 0)
        request_fail(request, result, "%.*s", SLICE_ARG(detail.text));
    else
        request_fail(request, result, "%s", result_text(result));
}

void request_reply_changed(struct request *request, bool changed)
{
    request_reply(request, 200,
                  changed ? SLICE("{\"changed\":true}") : SLICE("{\"changed\":false}"));
}

void request_removed(struct control_call *call)
{
    struct request *request = call->owner;

    if (call->member.result == GW_OK)
        request_reply(request, 200, SLICE("{}"));
    else
        request_fail_call(request, call);
    control_call_free(call);
}

void request_changed(struct control_call *call)
{
    struct request *request = call->owner;

    if (call->member.result == GW_OK)
        request_reply_changed(request, true);
    else
        request_fail_call(request, call);
    control_call_free(call);
}
