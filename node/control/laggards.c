/* Writes that are answered only once others serve them: `?wait=MS`, of all live
 * nodes or, with `&waitFor=region`, of those in one region.
 *
 * Whom a write waits for is settled when it is made: the nodes that are live then.
 * So a node that was down before delays nobody, and one that falls silent
 * meanwhile is waited for and named rather than forgotten. The change stands
 * either way; who has not followed by the end of the time is a laggard. */
#include "node/control/laggards.h"

#include "node/control/admin.h"

#define WAIT_MAX_MS 60000

bool laggards_read(struct request *request)
{
    struct slice text;

    if (!request_query(request, "wait", &text))
        return true;
    if (!slice_parse_u64(text, &request->wait_ms)) {
        request_fail(request, GW_MALFORMED,
                     "wait is '%.*s': a number of milliseconds is needed", SLICE_ARG(text));
        return false;
    }
    if (request->wait_ms > WAIT_MAX_MS)
        request->wait_ms = WAIT_MAX_MS;
    if (!request_query(request, "waitFor", &text) || slice_equal(text, SLICE("all")))
        return true;
    if (!slice_equal(text, SLICE("region"))) {
        request_fail(request, GW_MALFORMED, "waitFor is '%.*s': region or all is needed",
                     SLICE_ARG(text));
        return false;
    }
    if (request_query(request, "region", &request->wait_region))
        return true;
    /* The region is this node's, also where another answers: it travels along. */
    request->wait_region =
        arena_copy(&request->arena, slice_from_string(request->control->region));
    request->query = arena_printf(&request->arena, "%.*s&region=%s",
                                  SLICE_ARG(request->query), request->control->region);
    return true;
}

static bool is_waited_for(const struct member_line *line, struct slice region)
{
    if (!line->is_reachable || line->node == NULL || strcmp(line->role, "witness") == 0)
        return false;
    return region.size == 0 || slice_equal(slice_from_string(line->node->region), region);
}

static const struct member_line *line_of(const struct member_list *list, uint64_t id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->lines[i].id == id)
            return &list->lines[i];
    }
    return NULL; /* removed meanwhile */
}

/* The names of those who do not serve it, as "us-1, ap-1". */
static struct slice name_laggards(struct request *request, const struct member_list *list)
{
    struct slice names = {0};

    for (size_t i = 0; i < request->awaited_count; i++) {
        const struct member_line *line = line_of(list, request->awaited[i]);
        if (line == NULL || line->node == NULL ||
            (line->has_status && line->served >= request->wait_revision))
            continue;
        names = names.size == 0
                    ? arena_copy(&request->arena, slice_from_string(line->node->name))
                    : arena_printf(&request->arena, "%.*s, %s", SLICE_ARG(names),
                                   line->node->name);
    }
    return names;
}

static bool all_serve(const struct request *request, const struct member_list *list)
{
    for (size_t i = 0; i < request->awaited_count; i++) {
        const struct member_line *line = line_of(list, request->awaited[i]);
        if (line != NULL && (!line->has_status || line->served < request->wait_revision))
            return false;
    }
    return true;
}

void laggards_check(struct control *control)
{
    struct list_link ready;
    struct list_link *first;
    struct member_list list;

    if (list_is_empty(&control->laggards))
        return;
    members_gather(control, &list);
    list_init(&ready);
    list_each (&control->laggards, link) {
        struct request *request = container_of(link, struct request, lag_link);
        if (all_serve(request, &list) || control_now_ms(control) >= request->deadline_ms) {
            list_remove(link);
            list_append(&ready, link);
        }
    }
    while ((first = list_take_first(&ready)) != NULL) {
        struct request *request = container_of(first, struct request, lag_link);
        request->laggards = name_laggards(request, &list);
        request->next(request);
    }
}

void laggards_wait(struct request *request, uint64_t revision, request_fn next)
{
    struct control *control = request->control;
    struct member_list list;

    if (request->wait_ms != 0)
        request->awaited = arena_zalloc(&request->arena, MEMBER_PEERS * sizeof(uint64_t));
    if (request->awaited == NULL) {
        next(request);
        return;
    }
    members_gather(control, &list);
    for (size_t i = 0; i < list.count; i++) {
        if (is_waited_for(&list.lines[i], request->wait_region))
            request->awaited[request->awaited_count++] = list.lines[i].id;
    }
    request->next = next;
    request->wait_revision = revision;
    request->deadline_ms = control_now_ms(control) + request->wait_ms;
    list_append(&control->laggards, &request->lag_link);
    laggards_check(control);
}
