/* How the router lies in memory: shared by what builds it (radix.c) and what
 * searches it (router.c). Nodes and entries fill one cache line each, so that a
 * lookup among thousands of routes touches few cold lines. */
#ifndef GW_NODE_ROUTER_PRIVATE_H
#define GW_NODE_ROUTER_PRIVATE_H

#include "node/snapshot/router.h"

#define ROUTER_LINE  64u
#define LABEL_INLINE 16u
#define BYTES_INLINE 12u

struct candidate {
    const struct router_route *route;
    const struct plan *plans;
    uint32_t methods;
    int16_t priority;
    bool is_conditional;
};

/* The routes of one path. */
struct router_entry {
    const struct router_entry *up; /* of a prefix: the next shorter one that also fits */
    uint32_t size;                 /* of the path */
    uint32_t count;
    int16_t chain_priority;        /* the highest of its candidates and all up the chain */
    struct candidate candidates[]; /* by precedence */
};

/* What ends at a node; either may be NULL. */
struct node_ends {
    const struct router_entry *exact, *prefix;
};

struct radix_node {
    const struct radix_node *children;
    const struct node_ends *ends; /* NULL: nothing */
    /* The common case, so that it costs no further line: a single end with a single
     * candidate without conditions. NULL: look at `ends`. */
    const struct plan *only;
    union { /* without the byte that leads here */
        char text[LABEL_INLINE];
        const char *far; /* when it does not fit */
    } label;
    uint32_t only_methods;
    int16_t only_priority;
    uint16_t child_count;
    uint32_t label_size : 30;
    uint32_t only_is_exact : 1;
    uint32_t only_is_last : 1; /* no shorter prefix has a higher priority */
    char bytes[BYTES_INLINE];  /* the children's first; more lie before their nodes */
};

struct host_class {
    struct radix_node root;
    struct slice host;               /* "a.example", ".example" of a wildcard, "" for any */
    const struct candidate *regexes; /* by precedence */
    uint32_t regex_count;
    int16_t priority; /* the highest within */
    bool has_tree;
};

struct host_slot {
    uint64_t hash;
    const struct host_class *class; /* NULL: free */
};

struct host_table {
    struct host_slot *slots;
    uint64_t mask;
    uint32_t count;
};

struct router {
    struct host_table exact, wildcards;
    uint32_t wildcard_labels;     /* the most that any wildcard has */
    const struct host_class *any; /* NULL: none */
};

_Static_assert(sizeof(struct radix_node) == ROUTER_LINE, "a node is a cache line");
_Static_assert(offsetof(struct radix_node, bytes) + BYTES_INLINE == ROUTER_LINE,
               "the bytes are a node's last: router.c loads 16 up to their end");

static inline size_t far_bytes_size(size_t child_count)
{
    return child_count <= BYTES_INLINE
               ? 0
               : (child_count + ROUTER_LINE - 1) / ROUTER_LINE * ROUTER_LINE;
}

/* Cache lines for what every lookup touches, close together: entries, conditions
 * and plans would spread them over many more pages. */
struct line_pool {
    struct arena *arena;
    char *at;
    size_t left;
};

/* Whole lines, aligned, cleared. NULL: out of memory. */
void *line_take(struct line_pool *pool, size_t size);

/* Fills the class from its routes, which it sorts. */
bool radix_build(struct line_pool *pool, struct host_class *class,
                 const struct router_route **routes, size_t count);

#endif
