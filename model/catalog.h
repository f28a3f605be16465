/* The resources of one revision, decoded: what is compiled, listed, checked.
 *
 * A shelf per kind, sorted by name, which a clone shares. With an index, the check
 * of a change finds who refers to what it deletes, and which routes could tie with
 * its own, without a walk. One thread changes a catalog; once no longer changed,
 * any may read it. */
#ifndef GW_MODEL_CATALOG_H
#define GW_MODEL_CATALOG_H

#include "model/resource.h"
#include "model/shelf.h"

struct catalog {
    uint64_t revision;
    struct shelf shelves[KIND_COUNT]; /* by name */
    bool is_indexed;
    struct shelf referrers; /* who refers to something, by the hash of that: its own */
    struct shelf matches;   /* routes, by the hashes of what they match */
};

struct change;

void catalog_init(struct catalog *catalog);
void catalog_deinit(struct catalog *catalog);
/* Shares everything, so it cannot fail. */
void catalog_clone(const struct catalog *catalog, struct catalog *ret_copy);
/* Makes the index, which puts and deletes keep from then on: once a microsecond per
 * resource. False: out of memory; the catalog is then without. */
bool catalog_index(struct catalog *catalog);

/* Shares the resource, which replaces one of its key. False: out of memory, or the
 * resource is broken. */
bool catalog_put(struct catalog *catalog, const struct resource *resource);
/* False if there was none. */
bool catalog_delete(struct catalog *catalog, enum kind kind, struct slice name);
/* Puts and deletes of a change. False: out of memory, and some may be done. With
 * `undo` (may be NULL; from `arena`) it can be taken back as long as the change is there.
 */
struct catalog_undo {
    const struct resource **olds; /* references, an item of the change each; NULL: none */
    size_t count;
};
bool catalog_apply(struct catalog *catalog, const struct change *change,
                   struct arena *arena, struct catalog_undo *undo);
/* Puts back what was there. False: out of memory, the catalog is then no use. */
bool catalog_undo(struct catalog *catalog, const struct change *change,
                  struct catalog_undo *undo);
/* Lets go of it. */
void catalog_undo_forget(struct catalog_undo *undo);

/* For catalog_check alone: a copy of `after`, without index, in which what is broken in
 * `change` stands too, so that all else is judged as if it were right. False: out of
 * memory; *ret_copy is then empty. */
bool catalog_with_broken(const struct catalog *after, const struct change *change,
                         struct catalog *ret_copy);

/* Borrowed: valid while the catalog holds it. NULL if there is none. */
const struct resource *catalog_get(const struct catalog *catalog, enum kind kind,
                                   struct slice name);
/* All of a kind in order of name. */
#define catalog_each(catalog, kind, resource)                                        \
    for (struct shelf_cursor resource##_at = shelf_first(&(catalog)->shelves[kind]); \
         ((resource) = shelf_next(&resource##_at)) != NULL;)
static inline size_t catalog_count(const struct catalog *catalog, enum kind kind)
{
    return shelf_count(&catalog->shelves[kind]);
}
/* The only or first one of a kind, borrowed, or NULL. */
const struct resource *catalog_any(const struct catalog *catalog, enum kind kind);
/* The one Cluster object's spec, or NULL. */
const struct cluster_spec *catalog_cluster(const struct catalog *catalog);

struct member_region {
    struct slice node, region;
};

/* Whether `after`, which is some catalog with `change` applied, may stand:
 * references, regions, exclusive fields, ambiguous routes, one Cluster, binds.
 * Reports every problem, placed at the objects of the change. Only what the
 * change can have broken is looked at: O(change); without an index one pass over the
 * routes if routes changed, one over the references if something was deleted. Regions
 * are few and seldom change: they cost a pass over the references always.
 * What is broken in the change is checked as far as it decoded; then always false.
 * `change` NULL: everything. `members` may be NULL: not known (gwctl). */
bool catalog_check(const struct catalog *after, const struct change *change,
                   const struct member_region *members, size_t member_count,
                   struct problems *problems);

/* catalog_index.c, for catalog.c and the checks. */
bool catalog_index_put(struct catalog *catalog, const struct resource *resource);
bool catalog_index_remove(struct catalog *catalog, const struct resource *resource);
uint64_t catalog_reference_order(enum kind kind, struct slice name);

#endif
