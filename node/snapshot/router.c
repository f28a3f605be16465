/* The search, and the tables of hosts.
 *
 * From the most specific to the least: exact host, wildcards from the longest,
 * any host; in each the exact path, prefixes from the longest, regexes; in each
 * the candidates by priority, then method given, then number of matches. What is
 * found first wins at equal priority, so a search only goes on where a higher
 * priority may lie. Hosts are hashed by XXH3: its keys come from the
 * configuration, so nobody outside can fill a bucket. */
#include "node/snapshot/router_private.h"

#include "base/hash.h"
#include "base/table.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* --- building ------------------------------------------------------------- */

struct bucket { /* the routes of a class while it is gathered */
    struct host_class *class;
    const struct router_route **routes;
    size_t count, capacity;
};

struct gather {
    struct line_pool pool; /* of the router */
    struct arena scratch;
    struct table exact, wildcards; /* of buckets, by host */
    struct bucket any;
    uint32_t wildcard_labels;
};

static uint32_t count_labels(struct slice suffix) /* ".a.b": 2 */
{
    uint32_t count = 0;
    for (size_t i = 0; i < suffix.size; i++)
        count += suffix.data[i] == '.';
    return count;
}

static bool bucket_add(struct gather *gather, struct bucket *bucket,
                       const struct router_route *route)
{
    if (bucket->count > 0 && bucket->routes[bucket->count - 1] == route)
        return true; /* a host given twice */
    void *place =
        arena_grow(&gather->scratch, (void **)(void *)&bucket->routes, &bucket->count,
                   &bucket->capacity, sizeof(struct router_route *));
    if (place == NULL)
        return false;
    bucket->routes[bucket->count - 1] = route;
    return true;
}

static struct host_class *class_new(struct gather *gather, struct slice host)
{
    struct host_class *class = line_take(&gather->pool, sizeof *class + host.size);
    if (class == NULL)
        return NULL;
    char *text = (char *)(class + 1);
    if (host.size > 0)
        memcpy(text, host.data, host.size);
    class->host = slice_of(text, host.size);
    return class;
}

static bool gather_host(struct gather *gather, struct slice host,
                        const struct router_route *route)
{
    bool is_wildcard = slice_starts_with(host, SLICE("*."));
    struct slice key = is_wildcard ? slice_from(host, 1) : host;
    struct table *table = is_wildcard ? &gather->wildcards : &gather->exact;
    struct bucket *bucket = table_get(table, key);

    if (bucket == NULL) {
        bucket = arena_zalloc(&gather->scratch, sizeof *bucket);
        if (bucket == NULL || (bucket->class = class_new(gather, key)) == NULL ||
            !table_put(table, bucket->class->host, bucket))
            return false;
        if (is_wildcard && count_labels(key) > gather->wildcard_labels)
            gather->wildcard_labels = count_labels(key);
    }
    return bucket_add(gather, bucket, route);
}

static bool host_table_build(struct gather *gather, const struct table *buckets,
                             struct host_table *ret_table)
{
    size_t capacity = 8, position = 0;

    while (capacity < buckets->count * 2)
        capacity *= 2;
    struct host_slot *slots = line_take(&gather->pool, capacity * sizeof *slots);
    if (slots == NULL)
        return false;
    *ret_table = (struct host_table){slots, capacity - 1, (uint32_t)buckets->count};
    for (struct table_slot *slot; (slot = table_next(buckets, &position)) != NULL;) {
        struct bucket *bucket = slot->value;
        if (!radix_build(&gather->pool, bucket->class, bucket->routes, bucket->count))
            return false;
        uint64_t hash = hash_stable(bucket->class->host);
        size_t at = hash & (capacity - 1);
        while (slots[at].class != NULL)
            at = (at + 1) & (capacity - 1);
        slots[at] = (struct host_slot){hash, bucket->class};
    }
    return true;
}

static bool gather_all(struct gather *gather, const struct router_route *routes,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct router_route *route = &routes[i];
        if (route->host_count == 0 && !bucket_add(gather, &gather->any, route))
            return false;
        for (uint32_t h = 0; h < route->host_count; h++)
            if (!gather_host(gather, route->hosts[h], route))
                return false;
    }
    if (gather->any.count == 0)
        return true;
    gather->any.class = class_new(gather, SLICE(""));
    return gather->any.class != NULL && radix_build(&gather->pool, gather->any.class,
                                                    gather->any.routes, gather->any.count);
}

struct router *router_build(struct arena *arena, const struct router_route *routes,
                            size_t count)
{
    struct router *router = arena_zalloc(arena, sizeof *router);
    struct gather gather = {.pool = {.arena = arena}};
    bool built;

    arena_init(&gather.scratch, 64 * 1024, 0);
    table_init(&gather.exact);
    table_init(&gather.wildcards);
    built = router != NULL && gather_all(&gather, routes, count) &&
            host_table_build(&gather, &gather.exact, &router->exact) &&
            host_table_build(&gather, &gather.wildcards, &router->wildcards);
    if (built) {
        router->any = gather.any.class;
        router->wildcard_labels = gather.wildcard_labels;
    }
    table_deinit(&gather.exact);
    table_deinit(&gather.wildcards);
    arena_deinit(&gather.scratch);
    return built ? router : NULL;
}

/* --- searching ------------------------------------------------------------ */

struct search {
    const struct route_query *query;
    uint32_t method; /* its bit */
    uint32_t allowed;
    int priority; /* of what is found; below all while nothing is */
    const struct plan *found;
};

#define NOTHING_FOUND INT16_MIN /* priorities are -1000 to 1000 */

bool router_method_fits(const struct router_route *route, const struct route_query *query)
{
    unsigned method = query->message == NULL ? HTTP_METHOD_GET : query->message->method;

    if ((route->methods & 1u << method) == 0)
        return false;
    if (method != HTTP_METHOD_OTHER || !route->has_methods)
        return true;
    for (uint32_t i = 0; i < route->other_method_count; i++)
        if (slice_equal(route->other_methods[i], query->message->method_name))
            return true;
    return false;
}

static bool candidate_fits(struct search *search, const struct candidate *candidate)
{
    const struct condition *miss;
    bool takes_method = (candidate->methods & search->method) != 0;

    if (!candidate->is_conditional) {
        if (!takes_method)
            search->allowed |= candidate->methods;
        return takes_method;
    }
    if (!conditions_hold(&candidate->route->conditions, search->query, &miss))
        return false;
    if (takes_method && router_method_fits(candidate->route, search->query))
        return true;
    search->allowed |= candidate->methods;
    return false;
}

static inline void entry_search(struct search *search, const struct router_entry *entry)
{
    for (uint32_t i = 0; i < entry->count; i++) {
        const struct candidate *candidate = &entry->candidates[i];
        if (candidate->priority <= search->priority)
            return;
        if (candidate_fits(search, candidate)) {
            search->found = candidate->plans;
            search->priority = candidate->priority;
            return;
        }
    }
}

/* Which child a byte leads to is chance to the processor: a loop over the bytes
 * would be guessed wrong at every level, so all are compared at once. */
static inline unsigned inline_child(const struct radix_node *node, char byte)
{
#ifdef __SSE2__
    /* The bytes are the last of the node: these are they and the four before. */
    const char *end = node->bytes + BYTES_INLINE;
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(end - 16));
    unsigned equal =
        (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte)));
    equal >>= 16 - BYTES_INLINE;
    return (unsigned)__builtin_ctz(equal | 1u << 31);
#else
    unsigned at = 0;
    while (at < node->child_count && node->bytes[at] != byte)
        at++;
    return at;
#endif
}

static inline const struct radix_node *child_of(const struct radix_node *node, char byte)
{
    if (node->child_count <= BYTES_INLINE) {
        unsigned at = inline_child(node, byte);
        return at < node->child_count ? &node->children[at] : NULL;
    }
    const char *bytes = (const char *)node->children - far_bytes_size(node->child_count);
    const char *at = memchr(bytes, byte, node->child_count);
    return at == NULL ? NULL : &node->children[at - bytes];
}

static inline bool label_fits(const struct radix_node *node, const char *path, size_t size)
{
    size_t label_size = node->label_size;

    if (label_size == 0)
        return true;
    if (size < label_size)
        return false;
    return memcmp(path, label_size <= LABEL_INLINE ? node->label.text : node->label.far,
                  label_size) == 0;
}

/* A prefix that fits, and the shorter ones that do. */
static void prefix_search(struct search *search, const struct radix_node *node)
{
    if (node->only != NULL && node->only_is_last) {
        if (node->only_priority <= search->priority)
            return;
        if ((node->only_methods & search->method) != 0) {
            search->found = node->only;
            search->priority = node->only_priority;
            return;
        }
    }
    for (const struct router_entry *entry = node->ends->prefix;
         entry != NULL && entry->chain_priority > search->priority; entry = entry->up)
        entry_search(search, entry);
}

static void exact_search(struct search *search, const struct radix_node *node)
{
    if (node->only != NULL && !node->only_is_exact)
        return;
    if (node->only != NULL && node->only_priority > search->priority &&
        (node->only_methods & search->method) != 0) {
        search->found = node->only;
        search->priority = node->only_priority;
    } else if (node->ends->exact != NULL) {
        entry_search(search, node->ends->exact);
    }
}

static inline bool has_prefix(const struct radix_node *node)
{
    return node->only != NULL ? !node->only_is_exact
                              : node->ends != NULL && node->ends->prefix != NULL;
}

static void tree_search(struct search *search, const struct radix_node *node)
{
    const char *path = search->query->path.data;
    size_t size = search->query->path.size, at = 0;
    const struct radix_node *prefix = NULL;

    while (label_fits(node, path + at, size - at)) {
        at += node->label_size;
        if ((at == size || path[at] == '/' || (at > 0 && path[at - 1] == '/')) &&
            has_prefix(node))
            prefix = node;
        if (at == size) {
            if (node->ends != NULL)
                exact_search(search, node);
            break;
        }
        node = child_of(node, path[at++]);
        if (node == NULL)
            break;
    }
    if (prefix != NULL)
        prefix_search(search, prefix);
}

static void class_search(struct search *search, const struct host_class *class)
{
    if (class->priority <= search->priority)
        return;
    if (class->has_tree)
        tree_search(search, &class->root);
    for (uint32_t i = 0; i < class->regex_count; i++) {
        const struct candidate *candidate = &class->regexes[i];
        if (candidate->priority <= search->priority)
            return;
        if (!pattern_matches(candidate->route->pattern, search->query->path) ||
            !candidate_fits(search, candidate))
            continue;
        search->found = candidate->plans;
        search->priority = candidate->priority;
        return;
    }
}

static const struct host_class *host_find(const struct host_table *table, struct slice host)
{
    uint64_t hash = hash_stable(host);

    for (uint64_t at = hash & table->mask;; at = (at + 1) & table->mask) {
        const struct host_slot *slot = &table->slots[at];
        if (slot->class == NULL)
            return NULL;
        if (slot->hash == hash && slice_equal(slot->class->host, host))
            return slot->class;
    }
}

/* "a.b.c": ".b.c", then ".c"; only as many labels as some wildcard has. */
static void wildcard_search(struct search *search, const struct router *router,
                            struct slice host)
{
    size_t dots[128];
    uint32_t count = 0;

    for (size_t i = host.size; i-- > 1 && count < router->wildcard_labels &&
                               count < sizeof dots / sizeof dots[0];)
        if (host.data[i] == '.')
            dots[count++] = i;
    while (count-- > 0) {
        const struct host_class *class =
            host_find(&router->wildcards, slice_from(host, dots[count]));
        if (class != NULL)
            class_search(search, class);
    }
}

const struct plan *router_find(const struct router *router, const struct route_query *query,
                               uint32_t *ret_allowed)
{
    struct search search = {.query = query, .priority = NOTHING_FOUND};
    const struct host_class *class;

    search.method =
        1u << (query->message == NULL ? HTTP_METHOD_GET : query->message->method);
    if (router->exact.count > 0 && (class = host_find(&router->exact, query->host)) != NULL)
        class_search(&search, class);
    if (router->wildcards.count > 0)
        wildcard_search(&search, router, query->host);
    if (router->any != NULL)
        class_search(&search, router->any);
    *ret_allowed = search.found != NULL ? 0 : search.allowed;
    return search.found;
}

/* --- one route alone ------------------------------------------------------ */

bool router_host_fits(const struct router_route *route, struct slice host)
{
    for (uint32_t i = 0; i < route->host_count; i++) {
        struct slice wanted = route->hosts[i];
        if (slice_starts_with(wanted, SLICE("*."))) {
            struct slice suffix = slice_from(wanted, 1);
            if (host.size > suffix.size && slice_ends_with(host, suffix))
                return true;
        } else if (slice_equal(wanted, host)) {
            return true;
        }
    }
    return route->host_count == 0;
}

bool router_path_fits(const struct router_route *route, struct slice path)
{
    switch (route->path_type) {
    case ROUTE_PATH_EXACT:
        return slice_equal(route->path, path);
    case ROUTE_PATH_PREFIX:
        return slice_starts_with(path, route->path) &&
               (path.size == route->path.size || path.data[route->path.size] == '/' ||
                route->path.data[route->path.size - 1] == '/');
    default:
        return pattern_matches(route->pattern, path);
    }
}
