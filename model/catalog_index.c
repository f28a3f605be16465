/* What the check of a change would otherwise walk all resources for.
 *
 * Both indexes are by hash, so who looks something up compares as well: a
 * collision costs time and decides nothing. */
#include "model/catalog.h"

#include "base/hash.h"
#include "model/route_clash.h"

uint64_t catalog_reference_order(enum kind kind, struct slice name)
{
    return hash_stable_seeded(name, (uint64_t)kind + 1);
}

struct visit {
    struct shelf *shelf;
    const struct resource *resource;
    bool is_removal, failed;
};

static void change_item(struct visit *visit, uint64_t order)
{
    const struct resource *resource = visit->resource;
    bool found;

    if (visit->is_removal)
        visit->failed |=
            !shelf_remove(visit->shelf, order, resource->kind, resource->name, &found);
    else
        visit->failed |= !shelf_put(visit->shelf, order, resource);
}

static void visit_reference(void *context, const char *path, const char *label,
                            enum kind kind, struct slice name)
{
    (void)path;
    (void)label;
    change_item(context, catalog_reference_order(kind, name));
}

static bool change_index(struct catalog *catalog, const struct resource *resource,
                         bool is_removal)
{
    struct visit visit = {.resource = resource, .is_removal = is_removal};

    visit.shelf = &catalog->referrers;
    schema_references(kind_schema(resource->kind), resource->spec, "", visit_reference,
                      &visit);
    if (resource->kind != KIND_ROUTE)
        return !visit.failed;
    const struct route_match *match = &resource->route->match;
    visit.shelf = &catalog->matches;
    for (size_t i = 0; i < route_clash_hosts(match); i++)
        change_item(&visit, route_clash_order(resource, i));
    return !visit.failed;
}

bool catalog_index_put(struct catalog *catalog, const struct resource *resource)
{
    return change_index(catalog, resource, false);
}

bool catalog_index_remove(struct catalog *catalog, const struct resource *resource)
{
    return change_index(catalog, resource, true);
}
