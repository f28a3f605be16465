/* What templates and rewrites become for one request: values of variables, the
 * target sent upstream. Borrows from the request and the snapshot; pieces that
 * must be put together go into the exchange's arena. */
#include "node/snapshot/snapshot_private.h"

struct expansion {
    const struct template_vars *vars;
    struct slice captures[PATTERN_CAPTURES]; /* of the route's own regex */
    unsigned capture_count;
};

static struct slice port_of(const struct http_message *message)
{
    struct slice host = message->host;

    for (size_t i = host.size; i-- > 0;) {
        if (host.data[i] == ':')
            return slice_from(host, i);
        if (host.data[i] < '0' || host.data[i] > '9')
            break;
    }
    return SLICE("");
}

static struct slice value_of(void *context, const struct template_part *part)
{
    struct expansion *expansion = context;
    const struct template_vars *vars = expansion->vars;
    const struct route_query *query = vars->query;

    switch (part->variable) {
    case TEMPLATE_REGION:
        return vars->snapshot->node_region;
    case TEMPLATE_ZONE:
        return vars->snapshot->node_zone;
    case TEMPLATE_NODE:
        return vars->snapshot->node_name;
    case TEMPLATE_REQUEST_ID:
        return vars->request_id;
    case TEMPLATE_CLIENT_IP:
        return vars->client_ip;
    case TEMPLATE_METHOD:
        return query->message->method_name;
    case TEMPLATE_SCHEME:
        return vars->scheme;
    case TEMPLATE_HOST:
        return query->host;
    case TEMPLATE_PATH:
        return query->path;
    case TEMPLATE_QUERY:
        return query->query;
    case TEMPLATE_ROUTE:
        return vars->plan->route;
    case TEMPLATE_SERVICE:
        return vars->service;
    case TEMPLATE_HEADER: {
        const struct http_header *header = message_find(query->message, part->text, NULL);
        return header == NULL ? SLICE("") : header->value;
    }
    case TEMPLATE_CAPTURE:
        if (part->number < vars->capture_count)
            return vars->captures[part->number];
        return part->number < expansion->capture_count ? expansion->captures[part->number]
                                                       : SLICE("");
    case TEMPLATE_PORT:
        return port_of(query->message);
    default:
        return SLICE("");
    }
}

struct slice template_expand(const struct template *template,
                             const struct template_vars *vars, struct arena *arena)
{
    struct expansion expansion = {.vars = vars};

    if (template->uses_captures && vars->capture_count == 0 &&
        vars->plan->match_regex != NULL)
        pattern_captures(vars->plan->match_regex, vars->query->path, expansion.captures,
                         &expansion.capture_count);
    struct slice text = template_write(template, value_of, &expansion, arena);
    /* Made by redirects only, and last: "?query", or nothing without one. */
    if (template->count > 0 && text.data != NULL &&
        template->parts[template->count - 1].variable == TEMPLATE_QUERY_MARK &&
        vars->query->query.data != NULL)
        return arena_printf(arena, "%.*s?%.*s", SLICE_ARG(text),
                            SLICE_ARG(vars->query->query));
    return text;
}

/* "/b" instead of "/a": one slash between what is put and what is kept. */
static struct slice replace_prefix(const struct plan *plan, struct slice path,
                                   struct arena *arena)
{
    struct slice rest = slice_from(path, plan->matched_prefix.size);
    struct slice put = plan->rewrite_prefix;
    bool put_ends = put.size > 0 && put.data[put.size - 1] == '/';
    bool rest_begins = rest.size > 0 && rest.data[0] == '/';

    if (put_ends && rest_begins)
        rest = slice_from(rest, 1);
    else if (!put_ends && !rest_begins && rest.size > 0)
        return arena_printf(arena, "%.*s/%.*s", SLICE_ARG(put), SLICE_ARG(rest));
    return arena_printf(arena, "%.*s%.*s", SLICE_ARG(put), SLICE_ARG(rest));
}

static struct slice rewrite_path(const struct plan *plan, struct slice path,
                                 struct template_vars *vars, struct arena *arena)
{
    const struct path_regex *regex = plan->rewrite_regex;

    if (plan->has_prefix_rewrite)
        return replace_prefix(plan, path, arena);
    if (regex == NULL)
        return path;
    if (regex->pattern != NULL &&
        !pattern_captures(regex->pattern, path, vars->captures, &vars->capture_count))
        return path;
    struct slice text = template_expand(regex->path, vars, arena);
    if (text.size > 0 && text.data[0] == '/')
        return text;
    return arena_printf(arena, "/%.*s", SLICE_ARG(text));
}

struct slice plan_rewrite_target(const struct plan *plan, struct slice path,
                                 struct slice query, struct template_vars *vars,
                                 struct arena *arena)
{
    struct slice to = rewrite_path(plan, path, vars, arena);

    if (query.data == NULL || to.data == NULL)
        return to;
    if (to.data + to.size + 1 == query.data && to.data[to.size] == '?')
        return slice_of(to.data, to.size + 1 + query.size);
    /* A rewritten path may bring a query: both are kept. */
    char join = slice_find_byte(to, '?') == SIZE_MAX ? '?' : '&';
    char *text = arena_alloc(arena, to.size + 1 + query.size);
    if (text == NULL)
        return (struct slice){NULL, 0};
    memcpy(text, to.data, to.size);
    text[to.size] = join;
    if (query.size > 0)
        memcpy(text + to.size + 1, query.data, query.size);
    return slice_of(text, to.size + 1 + query.size);
}
