/* The resources of one revision, decoded: what is compiled, listed, checked.
 *
 * Sorted arrays of shared references, so a clone costs one count per resource.
 * One thread changes a catalog; once no longer changed, any may read it. */
#ifndef GW_MODEL_CATALOG_H
#define GW_MODEL_CATALOG_H

#include "model/resource.h"

struct catalog_shelf {             /* of one kind, by name */
    const struct resource **items; /* shared references */
    size_t count, capacity;
};

struct catalog {
    uint64_t revision;
    struct catalog_shelf shelves[KIND_COUNT];
};

struct change;

void catalog_init(struct catalog *catalog);
void catalog_deinit(struct catalog *catalog);
/* False when out of memory; *ret_copy is then empty. */
bool catalog_clone(const struct catalog *catalog, struct catalog *ret_copy);

/* Shares the resource, which replaces one of its key. False: out of memory, or the
 * resource is broken. */
bool catalog_put(struct catalog *catalog, const struct resource *resource);
/* False if there was none. */
bool catalog_delete(struct catalog *catalog, enum kind kind, struct slice name);
/* Puts and deletes of a change, in one merge. False: out of memory. */
bool catalog_apply(struct catalog *catalog, const struct change *change);

/* For catalog_check alone: a copy of `after` in which what is broken in `change`
 * stands too, so that all else is judged as if it were right. False: out of memory;
 * *ret_copy is then empty. */
bool catalog_with_broken(const struct catalog *after, const struct change *change,
                         struct catalog *ret_copy);

/* Borrowed: valid while the catalog holds it. NULL if there is none. */
const struct resource *catalog_get(const struct catalog *catalog, enum kind kind,
                                   struct slice name);
/* All of a kind in order of name. */
#define catalog_each(catalog, kind, resource)                                \
    for (size_t resource##_at = 0;                                           \
         resource##_at < (catalog)->shelves[kind].count &&                   \
         ((resource) = (catalog)->shelves[kind].items[resource##_at], true); \
         resource##_at++)
static inline size_t catalog_count(const struct catalog *catalog, enum kind kind)
{
    return catalog->shelves[kind].count;
}
/* The one Cluster object's spec, or NULL. */
const struct cluster_spec *catalog_cluster(const struct catalog *catalog);

struct member_region {
    struct slice node, region;
};

/* Whether `after`, which is some catalog with `change` applied, may stand:
 * references, regions, exclusive fields, ambiguous routes, one Cluster, binds.
 * Reports every problem, placed at the objects of the change. Only what the
 * change can have broken is looked at: O(change), and one pass over the routes
 * if routes changed, one over the references if something was deleted.
 * What is broken in the change is checked as far as it decoded; then always false.
 * `change` NULL: everything. `members` may be NULL: not known (gwctl). */
bool catalog_check(const struct catalog *after, const struct change *change,
                   const struct member_region *members, size_t member_count,
                   struct problems *problems);

#endif
