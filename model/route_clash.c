/* Every route stands in a bucket per (priority, host, path, count of matches); only
 * routes of one bucket are compared with each other. Without an index of the
 * catalog one pass sorts all routes into buckets; with it, only the buckets of the
 * changed routes are looked at, and what is found is told in the order of the
 * pass. Price: a bucket with n routes that differ by headers alone costs n squared
 * cheap comparisons, of pairs with a changed route. */
#include "model/route_clash.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>

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

/* What routes of one bucket have in common. */
struct bucket {
    int64_t priority;
    size_t matches; /* of headers and query */
    char kind;      /* of path: prefix, exact, regex */
    struct slice path, host;
};

size_t route_clash_hosts(const struct route_match *match)
{
    return match->hosts.count == 0 ? 1 : match->hosts.count;
}

static struct bucket bucket_of(const struct route_spec *spec, size_t host)
{
    const struct route_match *match = &spec->match;
    struct bucket bucket = {.priority = spec->priority,
                            .matches = match->headers.count + match->query.count,
                            .kind = 'p',
                            .path = SLICE("/"),
                            .host = match->hosts.count == 0 ? SLICE("")
                                                            : match->hosts.items[host]};

    if (match->path != NULL && match->path->exact.size > 0) {
        bucket.path = match->path->exact;
        bucket.kind = 'e';
    } else if (match->path != NULL && match->path->regex.size > 0) {
        bucket.path = match->path->regex;
        bucket.kind = 'r';
    } else if (match->path != NULL && match->path->prefix.size > 0) {
        bucket.path = match->path->prefix;
        while (bucket.path.size > 1 && bucket.path.data[bucket.path.size - 1] == '/')
            bucket.path.size--; /* /a and /a/ match alike */
    }
    return bucket;
}

static bool same_bucket(const struct bucket *a, const struct bucket *b)
{
    return a->priority == b->priority && a->matches == b->matches && a->kind == b->kind &&
           slice_equal(a->path, b->path) && slice_equal(a->host, b->host);
}

static struct slice bucket_key(struct arena *arena, const struct bucket *bucket)
{
    return arena_printf(arena, "%lld %zu %.*s %c%.*s", (long long)bucket->priority,
                        bucket->matches, SLICE_ARG(bucket->host), bucket->kind,
                        SLICE_ARG(bucket->path));
}

uint64_t route_clash_order(const struct resource *route, size_t host)
{
    struct bucket bucket = bucket_of(route->route, host);
    uint64_t seed =
        (uint64_t)bucket.priority << 16 ^ bucket.matches << 8 ^ (uint8_t)bucket.kind;

    return hash_stable_seeded(bucket.path, hash_stable_seeded(bucket.host, seed));
}

/* --- by the index --------------------------------------------------------------------- */

struct tie {
    const struct resource *earlier, *later; /* by name */
    size_t earlier_host, later_host;
};

struct ties {
    struct arena *arena;
    struct tie *items;
    size_t count, capacity;
    bool no_memory;
};

/* As the pass meets them: by the later one and its hosts, then the newest first. */
static int compare_ties(const void *a, const void *b)
{
    const struct tie *x = a, *y = b;
    int order = slice_compare(x->later->name, y->later->name);

    if (order == 0 && x->later_host != y->later_host)
        order = x->later_host < y->later_host ? -1 : 1;
    if (order == 0)
        order = slice_compare(y->earlier->name, x->earlier->name);
    if (order == 0 && x->earlier_host != y->earlier_host)
        order = x->earlier_host > y->earlier_host ? -1 : 1;
    return order;
}

static void note_ties(struct ties *found, const struct resource *a,
                      const struct resource *b)
{
    bool swap = slice_compare(a->name, b->name) > 0;
    const struct resource *earlier = swap ? b : a, *later = swap ? a : b;

    if (!ties(&earlier->route->match, &later->route->match))
        return;
    for (size_t i = 0; i < route_clash_hosts(&later->route->match); i++)
        for (size_t j = 0; j < route_clash_hosts(&earlier->route->match); j++) {
            struct bucket x = bucket_of(later->route, i), y = bucket_of(earlier->route, j);
            if (!same_bucket(&x, &y))
                continue;
            struct tie *tie = arena_grow(found->arena, (void **)&found->items,
                                         &found->count, &found->capacity, sizeof *tie);
            if (tie == NULL)
                found->no_memory = true;
            else
                *tie = (struct tie){earlier, later, j, i};
        }
}

static bool is_changed(const struct change *change, const struct resource *route)
{
    return change == NULL || change_given(change, KIND_ROUTE, route->name) != NULL;
}

/* False: out of memory. */
static bool check_by_index(const struct catalog *after, const struct change *change,
                           struct problems *problems)
{
    struct arena arena;
    struct ties found = {.arena = &arena};

    arena_init(&arena, 0, 0);
    for (size_t i = 0; i < change->count; i++) {
        const struct resource *route = change->items[i].resource, *other;
        if (route == NULL || route->kind != KIND_ROUTE)
            continue;
        for (size_t host = 0; host < route_clash_hosts(&route->route->match); host++) {
            uint64_t order = route_clash_order(route, host);
            struct shelf_cursor cursor = shelf_seek(&after->matches, order);
            while ((other = shelf_next_of(&cursor, order)) != NULL)
                if (other != route)
                    note_ties(&found, route, other);
        }
    }
    if (found.count > 1)
        qsort(found.items, found.count, sizeof found.items[0], compare_ties);
    for (size_t i = 0; i < found.count; i++) {
        const struct tie *tie = &found.items[i];
        if (i > 0 && compare_ties(tie, tie - 1) == 0)
            continue; /* found from both sides, or by two hosts */
        struct slice host = bucket_of(tie->later->route, tie->later_host).host;
        if (is_changed(change, tie->later))
            report(tie->earlier, tie->later, host, change, problems);
        else
            report(tie->later, tie->earlier, host, change, problems);
    }
    arena_deinit(&arena);
    return !found.no_memory;
}

/* --- by one pass ---------------------------------------------------------------------- */

static bool check_all(const struct catalog *after, const struct change *change,
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
        bool is_new = is_changed(change, route);
        for (size_t i = 0; i < route_clash_hosts(match) && !no_memory; i++) {
            struct bucket bucket = bucket_of(route->route, i);
            struct slice key = bucket_key(&arena, &bucket);
            struct entry *entry = arena_zalloc(&arena, sizeof *entry);
            if (key.data == NULL || entry == NULL) {
                no_memory = true;
                break;
            }
            const struct entry *first = table_get(&buckets, key);
            for (const struct entry *e = first; e != NULL; e = e->next) {
                if (e->route == route || (!is_new && !e->is_changed) ||
                    !ties(&e->route->route->match, match))
                    continue;
                if (is_new)
                    report(e->route, route, bucket.host, change, problems);
                else
                    report(route, e->route, bucket.host, change, problems);
            }
            *entry = (struct entry){.route = route, .next = first, .is_changed = is_new};
            no_memory = !table_put(&buckets, key, entry);
        }
    }
    table_deinit(&buckets);
    arena_deinit(&arena);
    return !no_memory;
}

void route_clash_check(const struct catalog *after, const struct change *change,
                       struct problems *problems)
{
    bool ok = after->is_indexed && change != NULL ? check_by_index(after, change, problems)
                                                  : check_all(after, change, problems);

    if (!ok)
        problems_add(problems, NULL, "no_memory", "out of memory");
}
