/* One pass: every route goes into a bucket per (priority, host, path, count of
 * matches); only routes of one bucket are compared with each other. Price: a
 * bucket with n routes that differ by headers alone costs n squared cheap
 * comparisons, of pairs with a changed route. */
#include "model/route_clash.h"

#include <stdio.h>

struct entry {
    const struct resource *route;
    const struct entry *next;
    bool is_changed;
};

static bool shares_item(const struct slice *a, size_t a_count, const struct slice *b,
                        size_t b_count)
{
    for (size_t i = 0; i < a_count; i++)
        for (size_t j = 0; j < b_count; j++)
            if (slice_equal(a[i], b[j]))
                return true;
    return false;
}

/* Two matches of one name that no request meets both. */
static bool excludes(uint64_t a_set, struct slice a_exact, bool a_present, uint64_t b_set,
                     struct slice b_exact, bool b_present)
{
    if (a_present != b_present)
        return true;
    uint64_t exact = (uint64_t)1 << MATCH_EXACT;
    return (a_set & exact) && (b_set & exact) && !slice_equal(a_exact, b_exact);
}

static bool is_apart(const struct route_match *a, const struct route_match *b)
{
    for (size_t i = 0; i < a->headers.count; i++)
        for (size_t j = 0; j < b->headers.count; j++) {
            const struct header_match *x = &a->headers.items[i], *y = &b->headers.items[j];
            if (slice_equal(x->name, y->name) &&
                excludes(x->set, x->exact, x->present, y->set, y->exact, y->present))
                return true;
        }
    for (size_t i = 0; i < a->query.count; i++)
        for (size_t j = 0; j < b->query.count; j++) {
            const struct query_match *x = &a->query.items[i], *y = &b->query.items[j];
            if (slice_equal(x->name, y->name) &&
                excludes(x->set, x->exact, x->present, y->set, y->exact, y->present))
                return true;
        }
    return false;
}

static bool ties(const struct route_match *a, const struct route_match *b)
{
    /* A list of methods goes before none, so only like meets like. */
    if ((a->methods.count == 0) != (b->methods.count == 0))
        return false;
    if (a->methods.count > 0 && !shares_item(a->methods.items, a->methods.count,
                                             b->methods.items, b->methods.count))
        return false;
    if (a->listeners.count > 0 && b->listeners.count > 0 &&
        !shares_item(a->listeners.items, a->listeners.count, b->listeners.items,
                     b->listeners.count))
        return false;
    return !is_apart(a, b);
}

static void report(const struct resource *a, const struct resource *b, struct slice host,
                   const struct change *change, struct problems *problems)
{
    const struct change_item *item =
        change == NULL ? NULL : change_given(change, KIND_ROUTE, b->name);
    char object[96];
    snprintf(object, sizeof object, "Route/%.*s", SLICE_ARG(b->name));
    struct problem place = {
        .object = slice_from_string(object),
        .path = SLICE("spec.match"),
        .item = item == NULL ? 0 : item->place,
        .hint = SLICE("give one of them a higher priority, or another match"),
    };
    problems_add(problems, &place, "ambiguous_route",
                 "%s and Route/%.*s match the same requests%s%.*s with the same precedence",
                 object, SLICE_ARG(a->name), host.size > 0 ? " of host " : "",
                 SLICE_ARG(host));
}

static struct slice bucket_key(struct arena *arena, const struct route_spec *spec,
                               struct slice host)
{
    const struct route_match *match = &spec->match;
    struct slice path = SLICE("/");
    char kind = 'p';
    if (match->path != NULL && match->path->exact.size > 0) {
        path = match->path->exact;
        kind = 'e';
    } else if (match->path != NULL && match->path->regex.size > 0) {
        path = match->path->regex;
        kind = 'r';
    } else if (match->path != NULL && match->path->prefix.size > 0) {
        path = match->path->prefix;
        while (path.size > 1 && path.data[path.size - 1] == '/')
            path.size--; /* /a and /a/ match alike */
    }
    return arena_printf(arena, "%lld %zu %.*s %c%.*s", (long long)spec->priority,
                        match->headers.count + match->query.count, SLICE_ARG(host), kind,
                        SLICE_ARG(path));
}

void route_clash_check(const struct catalog *after, const struct change *change,
                       struct problems *problems)
{
    struct arena arena;
    struct table buckets;
    const struct resource *route;
    bool no_memory = false;
    arena_init(&arena, 64 << 10, 0);
    table_init(&buckets);
    catalog_each(after, KIND_ROUTE, route)
    {
        if (route->has_holes)
            continue; /* broken: what it matches is not known */
        const struct route_match *match = &route->route->match;
        bool is_changed =
            change == NULL || change_given(change, KIND_ROUTE, route->name) != NULL;
        size_t hosts = match->hosts.count == 0 ? 1 : match->hosts.count;
        for (size_t i = 0; i < hosts && !no_memory; i++) {
            struct slice host = match->hosts.count == 0 ? SLICE("") : match->hosts.items[i];
            struct slice key = bucket_key(&arena, route->route, host);
            struct entry *entry = arena_zalloc(&arena, sizeof *entry);
            if (key.data == NULL || entry == NULL) {
                no_memory = true;
                break;
            }
            const struct entry *first = table_get(&buckets, key);
            for (const struct entry *e = first; e != NULL; e = e->next) {
                if (e->route == route || (!is_changed && !e->is_changed) ||
                    !ties(&e->route->route->match, match))
                    continue;
                if (is_changed)
                    report(e->route, route, host, change, problems);
                else
                    report(route, e->route, host, change, problems);
            }
            *entry =
                (struct entry){.route = route, .next = first, .is_changed = is_changed};
            no_memory = !table_put(&buckets, key, entry);
        }
    }
    if (no_memory)
        problems_add(problems, NULL, "no_memory", "out of memory");
    table_deinit(&buckets);
    arena_deinit(&arena);
}
