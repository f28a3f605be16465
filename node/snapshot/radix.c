/* Builds the radix tree of a class of hosts, from its routes in order of path.
 *
 * Sorted routes that share a prefix stand side by side, so a node is a range of
 * them: its label is what the first and the last have in common, its entries are
 * those that end there, its children the ranges of equal next bytes. */
#include "node/snapshot/router_private.h"

#include <stdlib.h>

static int precedence_compare(const struct router_route *a, const struct router_route *b)
{
    uint32_t a_matches = a->conditions.header_count + a->conditions.query_count;
    uint32_t b_matches = b->conditions.header_count + b->conditions.query_count;

    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    if (a->has_methods != b->has_methods)
        return a->has_methods ? -1 : 1;
    if (a_matches != b_matches)
        return a_matches > b_matches ? -1 : 1;
    return slice_compare(a->name, b->name); /* a tie is refused at apply */
}

static int path_compare(const void *a, const void *b)
{
    const struct router_route *left = *(const struct router_route *const *)a;
    const struct router_route *right = *(const struct router_route *const *)b;
    bool left_regex = left->path_type == ROUTE_PATH_REGEX;
    bool right_regex = right->path_type == ROUTE_PATH_REGEX;

    if (left_regex != right_regex)
        return left_regex ? 1 : -1;
    if (!left_regex) {
        int order = slice_compare(left->path, right->path);
        if (order != 0)
            return order;
        if (left->path_type != right->path_type)
            return left->path_type < right->path_type ? -1 : 1;
    }
    return precedence_compare(left, right);
}

static void candidate_set(struct candidate *candidate, const struct router_route *route)
{
    *candidate = (struct candidate){.route = route,
                                    .plans = route->plans,
                                    .methods = route->methods,
                                    .priority = route->priority,
                                    .is_conditional = route->is_conditional};
}

#define POOL_BYTES (64u * 1024)

void *line_take(struct line_pool *pool, size_t size)
{
    size = (size + ROUTER_LINE - 1) / ROUTER_LINE * ROUTER_LINE;
    if (size > pool->left) {
        size_t fresh = size > POOL_BYTES ? size : POOL_BYTES;
        char *piece = arena_alloc(pool->arena, fresh + ROUTER_LINE);
        if (piece == NULL)
            return NULL;
        pool->at = piece + (-(uintptr_t)piece & (ROUTER_LINE - 1));
        pool->left = fresh;
    }
    void *lines = pool->at;
    memset(lines, 0, size);
    pool->at += size;
    pool->left -= size;
    return lines;
}

struct build {
    struct line_pool *pool;
    struct arena *arena;
    const struct router_route **routes; /* sorted by path */
};

static bool ends_segment(struct slice path, size_t size)
{
    return size >= path.size || path.data[size] == '/' ||
           (size > 0 && path.data[size - 1] == '/');
}

/* Of the routes from..to, which have one path and type. */
static struct router_entry *entry_build(struct build *build, size_t from, size_t to)
{
    size_t count = to - from;
    struct router_entry *entry =
        arena_alloc(build->arena, sizeof *entry + count * sizeof entry->candidates[0]);

    if (entry == NULL)
        return NULL;
    *entry = (struct router_entry){.size = (uint32_t)build->routes[from]->path.size,
                                   .count = (uint32_t)count,
                                   .chain_priority = build->routes[from]->priority};
    for (size_t i = 0; i < count; i++)
        candidate_set(&entry->candidates[i], build->routes[from + i]);
    return entry;
}

/* Prefix entries on the way from the root to the node being built. */
struct ancestry {
    const struct router_entry *entry;
    const struct ancestry *above;
};

static void entry_link(struct router_entry *entry, struct slice path,
                       const struct ancestry *above)
{
    while (above != NULL && !ends_segment(path, above->entry->size))
        above = above->above;
    if (above == NULL)
        return;
    entry->up = above->entry;
    if (entry->up->chain_priority > entry->chain_priority)
        entry->chain_priority = entry->up->chain_priority;
}

static bool node_build(struct build *build, struct radix_node *node, size_t from, size_t to,
                       size_t depth, const struct ancestry *above);

static bool children_build(struct build *build, struct radix_node *node, size_t from,
                           size_t to, size_t depth, const struct ancestry *above)
{
    size_t count = 0;

    for (size_t i = from; i < to; i++)
        if (i == from ||
            build->routes[i]->path.data[depth] != build->routes[i - 1]->path.data[depth])
            count++;
    if (count == 0)
        return true;
    size_t bytes_size = far_bytes_size(count);
    char *block = line_take(build->pool, bytes_size + count * sizeof(struct radix_node));
    if (block == NULL)
        return false;
    struct radix_node *children = (struct radix_node *)(void *)(block + bytes_size);
    char *bytes = bytes_size == 0 ? node->bytes : block;
    node->children = children;
    node->child_count = (uint16_t)count;
    for (size_t i = from, at = 0; i < to; at++) {
        size_t end = i + 1;
        while (end < to &&
               build->routes[end]->path.data[depth] == build->routes[i]->path.data[depth])
            end++;
        bytes[at] = build->routes[i]->path.data[depth];
        if (!node_build(build, &children[at], i, end, depth + 1, above))
            return false;
        i = end;
    }
    return true;
}

static bool ends_set(struct build *build, struct radix_node *node,
                     const struct node_ends *ends)
{
    const struct router_entry *single = ends->exact == NULL    ? ends->prefix
                                        : ends->prefix == NULL ? ends->exact
                                                               : NULL;

    if (ends->exact == NULL && ends->prefix == NULL)
        return true;
    struct node_ends *copy = arena_alloc(build->arena, sizeof *copy);
    if (copy == NULL)
        return false;
    *copy = *ends;
    node->ends = copy;
    if (single != NULL && single->count == 1 && !single->candidates[0].is_conditional) {
        node->only = single->candidates[0].plans;
        node->only_methods = single->candidates[0].methods;
        node->only_priority = single->candidates[0].priority;
        node->only_is_exact = single == ends->exact;
        node->only_is_last = single->chain_priority == node->only_priority;
    }
    return true;
}

static bool node_build(struct build *build, struct radix_node *node, size_t from, size_t to,
                       size_t depth, const struct ancestry *above)
{
    struct slice first = build->routes[from]->path, last = build->routes[to - 1]->path;
    size_t end = depth;

    while (end < first.size && end < last.size && first.data[end] == last.data[end])
        end++;
    node->label_size = (uint32_t)(end - depth);
    if (node->label_size <= LABEL_INLINE) {
        if (end > depth)
            memcpy(node->label.text, first.data + depth, end - depth);
    } else {
        struct slice copy = arena_copy(build->arena, slice_sub(first, depth, end - depth));
        if (copy.data == NULL)
            return false;
        node->label.far = copy.data;
    }

    struct ancestry here = {NULL, above};
    struct node_ends ends = {NULL, NULL};
    while (from < to && build->routes[from]->path.size == end) {
        size_t next = from + 1;
        while (next < to && build->routes[next]->path.size == end &&
               build->routes[next]->path_type == build->routes[from]->path_type)
            next++;
        struct router_entry *entry = entry_build(build, from, next);
        if (entry == NULL)
            return false;
        if (build->routes[from]->path_type == ROUTE_PATH_EXACT) {
            ends.exact = entry;
        } else {
            entry_link(entry, build->routes[from]->path, above);
            ends.prefix = entry;
            here.entry = entry;
        }
        from = next;
    }
    return ends_set(build, node, &ends) &&
           children_build(build, node, from, to, end, here.entry == NULL ? above : &here);
}

bool radix_build(struct line_pool *pool, struct host_class *class,
                 const struct router_route **routes, size_t count)
{
    struct build build = {pool, pool->arena, routes};
    size_t tree_count = 0;

    qsort(routes, count, sizeof(struct router_route *), path_compare);
    class->priority = INT16_MIN;
    for (size_t i = 0; i < count; i++) {
        if (routes[i]->path_type != ROUTE_PATH_REGEX)
            tree_count++;
        if (routes[i]->priority > class->priority)
            class->priority = routes[i]->priority;
    }
    if (tree_count < count) {
        struct candidate *regexes =
            arena_alloc(pool->arena, (count - tree_count) * sizeof *regexes);
        if (regexes == NULL)
            return false;
        for (size_t i = tree_count; i < count; i++)
            candidate_set(&regexes[i - tree_count], routes[i]);
        class->regexes = regexes;
        class->regex_count = (uint32_t)(count - tree_count);
    }
    class->has_tree = tree_count > 0;
    return !class->has_tree || node_build(&build, &class->root, 0, tree_count, 0, NULL);
}
