/* What would become of a call: the search that serves traffic, told step by
 * step. Answers from what this node serves, also without a quorum. */
#include "http/fields.h"
#include "http/uri.h"
#include "model/effective.h"
#include "node/control/admin.h"

#include <stdio.h>

#define EXPLAIN_HEADERS 64

/* The body, taken apart; all slices borrow the request's arena. */
struct question {
    struct http_message message;
    struct http_header headers[EXPLAIN_HEADERS];
    struct slice host, path, query;
    struct slice listener; /* by name; empty: the first there is */
};

static bool read_url(struct request *request, struct slice url, struct question *question)
{
    struct uri uri;
    struct uri_host host = {0};
    char *path_out, *host_out;

    if (!uri_split(url, &uri) ||
        (uri.authority.size != 0 && !uri_host_split(uri.authority, &host))) {
        request_fail(request, GW_MALFORMED, "'%.*s' is no URL, as http://shop.example/cart",
                     SLICE_ARG(url));
        return false;
    }
    path_out = arena_alloc(&request->arena, uri.path.size + 1);
    if (path_out == NULL || !uri_path_normalise(uri.path, path_out, &question->path)) {
        request_fail(request, GW_MALFORMED,
                     "the path of '%.*s' would be refused with 400 bad_request",
                     SLICE_ARG(url));
        return false;
    }
    question->query = uri.query;
    /* A Host header says more than the address that is dialled. */
    const struct http_header *field = message_find(&question->message, SLICE("host"), NULL);
    if (field != NULL && !uri_host_split(field->value, &host)) {
        request_fail(request, GW_MALFORMED, "'%.*s' is no host", SLICE_ARG(field->value));
        return false;
    }
    host_out = arena_alloc(&request->arena, host.host.size + 1);
    if (host_out == NULL) {
        request_fail(request, GW_NO_MEMORY, "explain");
        return false;
    }
    question->host = uri_host_lower(host.host, host_out);
    return true;
}

static bool read_question(struct request *request, struct question *question)
{
    static const struct form form = {.fields = {{"method", FORM_TEXT},
                                                {"url", FORM_TEXT},
                                                {"headers", FORM_LIST},
                                                {"listener", FORM_TEXT},
                                                {"from", FORM_TEXT},
                                                {"region", FORM_TEXT}},
                                     .refusal = GW_MALFORMED};
    static const struct form pair = {.fields = {{"name", FORM_TEXT}, {"value", FORM_TEXT}},
                                     .refusal = GW_MALFORMED};
    const struct value *body = request_form(request, &form);
    const struct value *headers = value_get(body, "headers");

    if (body == NULL)
        return false;
    struct slice method = value_text(body, "method");
    if (method.size == 0)
        method = SLICE("GET");
    if (!fields_is_token(method)) {
        request_fail(request, GW_MALFORMED,
                     "'%.*s' is no method, as GET: it would be refused with 400 "
                     "bad_request",
                     SLICE_ARG(method));
        return false;
    }
    message_init(&question->message, question->headers, EXPLAIN_HEADERS);
    question->message.method = (uint8_t)http_method_of(method);
    question->message.method_name = method;
    for (const struct value *item = headers == NULL ? NULL : headers->first; item != NULL;
         item = item->next) {
        if (form_check(&pair, item, &request->err) != GW_OK) {
            error_wrap(&request->err, "headers");
            request_fail_error(request, &request->err);
            return false;
        }
        if (!message_add(&question->message, value_text(item, "name"),
                         value_text(item, "value"))) {
            request_fail(request, GW_LIMIT, "a call has at most %d headers",
                         EXPLAIN_HEADERS);
            return false;
        }
    }
    question->listener = value_text(body, "listener");
    return read_url(request, value_text(body, "url"), question);
}

static bool when_holds(const struct plan_split *split, const struct http_message *message)
{
    if (split->when_header.size == 0)
        return false;
    const struct http_header *field = message_find(message, split->when_header, NULL);
    return field != NULL &&
           (split->when_exact.size == 0 || slice_equal(field->value, split->when_exact));
}

/* By `when`, else the heaviest: the likeliest of what chance decides. */
static const struct target_service *likely_service(const struct plan *plan,
                                                   const struct http_message *message)
{
    const struct plan_split *best = NULL;

    for (uint32_t i = 0; i < plan->split_count; i++) {
        const struct plan_split *split = &plan->splits[i];
        if (when_holds(split, message))
            return split->service;
        if (best == NULL || split->weight > best->weight)
            best = split;
    }
    return best == NULL ? NULL : best->service;
}

/* The endpoints that may be picked: those up and of weight. */
static void emit_endpoint(struct emit *emit, struct request *request,
                          const struct target_service *service)
{
    struct slice one = {0};
    struct buffer names;
    unsigned count = 0;

    buffer_init(&names, 65536);
    for (uint32_t i = 0; service != NULL && i < service->endpoint_count; i++) {
        const struct target_endpoint *endpoint = &service->endpoints[i];
        if (endpoint->weight == 0 || board_slot_state(endpoint->board) != BOARD_UP)
            continue;
        buffer_printf(&names, "%s%.*s", count == 0 ? "" : ", ", SLICE_ARG(endpoint->name));
        one = endpoint->name;
        count++;
    }
    if (count == 0)
        emit_null(emit);
    else
        emit_string(emit,
                    count == 1 ? one : arena_copy(&request->arena, buffer_slice(&names)));
    buffer_deinit(&names);
}

static void add_policy(struct arena *arena, struct slice **names, size_t *count,
                       size_t *capacity, const struct effective_origin *origin)
{
    if (origin->resource == NULL || origin->resource->kind != KIND_POLICY)
        return;
    for (size_t i = 0; i < *count; i++) {
        if (slice_equal((*names)[i], origin->resource->name))
            return;
    }
    void *items = *names;
    struct slice *name = arena_grow(arena, &items, count, capacity, sizeof *name);
    *names = items;
    if (name != NULL)
        *name = origin->resource->name;
}

/* Names of the Policies that have a say in this call. */
static void emit_policies(struct emit *emit, struct request *request,
                          const struct plan *plan, struct slice listener_name)
{
    const struct catalog *catalog = &request->control->visible->catalog;
    const struct resource *route =
        plan == NULL ? NULL : catalog_get(catalog, KIND_ROUTE, plan->route);
    const struct resource *listener = catalog_get(catalog, KIND_LISTENER, listener_name);
    struct slice *names = NULL;
    size_t count = 0, capacity = 0;
    struct effective effective;

    emit_array(emit);
    if (route != NULL &&
        effective_policy(&request->arena, catalog, listener, route, &effective)) {
        const struct effective_origin *const single[] = {
            &effective.timeout_origin, &effective.idle_origin, &effective.importance_origin,
            &effective.body_bytes_origin,
#define X(member, type) &effective.member##_origin,
            EFFECTIVE_SECTIONS(X)
#undef X
        };
        const struct effective_stack *const stacks[] = {
#define X(member, type) &effective.member,
            EFFECTIVE_STACKS(X)
#undef X
        };
        for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
            add_policy(&request->arena, &names, &count, &capacity, single[i]);
        for (size_t i = 0; i < sizeof stacks / sizeof stacks[0]; i++) {
            for (size_t j = 0; j < stacks[i]->count; j++)
                add_policy(&request->arena, &names, &count, &capacity,
                           &stacks[i]->items[j].origin);
        }
        for (size_t i = 0; i < count; i++)
            emit_string(emit, names[i]);
    }
    emit_array_end(emit);
}

static void emit_result(struct emit *emit, const struct plan *plan, uint32_t allowed)
{
    char text[64];

    if (plan == NULL) {
        emit_cstring(emit, allowed != 0 ? "405 method_not_allowed" : "404 no_route");
        return;
    }
    switch (plan->action) {
    case PLAN_RESPOND:
        snprintf(text, sizeof text, "respond %u", plan->status);
        break;
    case PLAN_REDIRECT:
        snprintf(text, sizeof text, "redirect %u", plan->status);
        break;
    default:
        snprintf(text, sizeof text, "proxy");
    }
    emit_cstring(emit, text);
}

static const struct snapshot_listener *pick_listener(const struct snapshot *snapshot,
                                                     struct slice name)
{
    if (name.size != 0)
        return snapshot_listener_named(snapshot, name);
    return snapshot_listener_count(snapshot) == 0 ? NULL
                                                  : snapshot_listener_at(snapshot, 0);
}

void explain_post(struct request *request)
{
    struct snapshot *snapshot = request->control->publish.current;
    struct question *question = arena_zalloc(&request->arena, sizeof *question);
    struct explain_route *told = arena_zalloc(&request->arena, sizeof *told);
    struct emit emit;
    uint32_t allowed = 0;

    if (snapshot == NULL) {
        request_fail(request, GW_NOT_FOUND, "this node serves no configuration yet");
        return;
    }
    if (question == NULL || told == NULL) {
        request_fail(request, GW_NO_MEMORY, "explain");
        return;
    }
    if (!read_question(request, question))
        return;
    const struct snapshot_listener *listener = pick_listener(snapshot, question->listener);
    if (listener == NULL) {
        request_fail(request, GW_NOT_FOUND, "this node runs no such listener");
        return;
    }
    const struct route_query query = {.listener = listener,
                                      .host = question->host,
                                      .path = question->path,
                                      .query = question->query,
                                      .message = &question->message};
    snapshot_explain(snapshot, &query, told);
    const struct plan *plan = told->plan;
    if (plan == NULL)
        snapshot_plan(snapshot, &query, &allowed);

    const struct target_service *service = plan != NULL && plan->action == PLAN_PROXY
                                               ? likely_service(plan, &question->message)
                                               : NULL;
    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "revision");
    emit_u64_string(&emit, snapshot_revision(snapshot));
    emit_key(&emit, "listener");
    emit_string(&emit, listener->name);
    emit_key(&emit, "route");
    if (plan != NULL)
        emit_string(&emit, plan->route);
    else
        emit_null(&emit);
    emit_key(&emit, "skipped");
    emit_array(&emit);
    for (unsigned i = 0; i < told->skipped_count; i++) {
        emit_object(&emit);
        emit_key(&emit, "route");
        emit_string(&emit, told->skipped[i].route);
        emit_key(&emit, "why");
        emit_cstring(&emit, told->skipped[i].why);
        emit_object_end(&emit);
    }
    emit_array_end(&emit);
    emit_key(&emit, "policies");
    emit_policies(&emit, request, plan, listener->name);
    emit_key(&emit, "service");
    if (service != NULL)
        emit_string(&emit, service->name);
    else
        emit_null(&emit);
    emit_key(&emit, "endpoint");
    emit_endpoint(&emit, request, service);
    emit_key(&emit, "result");
    emit_result(&emit, plan, allowed);
    emit_object_end(&emit);
    request->revision = snapshot_revision(snapshot);
    request_reply(request, 200, buffer_slice(&request->out));
}
