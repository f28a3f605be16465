/* Shelves of shared resources, and what keeps the index in step with them. */
#include "model/catalog.h"

#include "model/change.h"
#include "model/units.h"

#include <stdlib.h>

void catalog_init(struct catalog *catalog)
{
    *catalog = (struct catalog){.revision = 0};
}

static void drop_index(struct catalog *catalog)
{
    catalog->is_indexed = false;
    shelf_deinit(&catalog->referrers);
    shelf_deinit(&catalog->matches);
}

void catalog_deinit(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    for (int kind = 0; kind < KIND_COUNT; kind++)
        shelf_deinit(&catalog->shelves[kind]);
    drop_index(catalog);
    catalog_init(catalog);
}

void catalog_clone(const struct catalog *catalog, struct catalog *ret_copy)
{
    catalog_init(ret_copy);
    ret_copy->revision = catalog->revision;
    for (int kind = 0; kind < KIND_COUNT; kind++)
        shelf_share(&catalog->shelves[kind], &ret_copy->shelves[kind]);
    ret_copy->is_indexed = catalog->is_indexed;
    shelf_share(&catalog->referrers, &ret_copy->referrers);
    shelf_share(&catalog->matches, &ret_copy->matches);
}

bool catalog_index(struct catalog *catalog)
{
    const struct resource *resource;

    if (catalog->is_indexed)
        return true;
    catalog->is_indexed = true;
    for (int kind = 0; kind < KIND_COUNT; kind++)
        catalog_each(catalog, kind, resource)
        {
            if (catalog_index_put(catalog, resource))
                continue;
            drop_index(catalog);
            return false;
        }
    return true;
}

static bool put(struct catalog *catalog, const struct resource *resource)
{
    struct shelf *shelf = &catalog->shelves[resource->kind];
    uint64_t order = shelf_name_order(resource->name);

    if (!catalog->is_indexed)
        return shelf_put(shelf, order, resource);
    const struct resource *old = shelf_get(shelf, order, resource->kind, resource->name);
    return (old == NULL || catalog_index_remove(catalog, old)) &&
           shelf_put(shelf, order, resource) && catalog_index_put(catalog, resource);
}

bool catalog_put(struct catalog *catalog, const struct resource *resource)
{
    return !resource->is_broken && put(catalog, resource);
}

bool catalog_with_broken(const struct catalog *after, const struct change *change,
                         struct catalog *ret_copy)
{
    catalog_clone(after, ret_copy);
    drop_index(ret_copy);
    for (size_t i = 0; i < change->broken_count; i++) {
        const struct resource *resource = change->broken[i].resource;
        if (name_is_valid(resource->name) && !put(ret_copy, resource)) {
            catalog_deinit(ret_copy);
            return false;
        }
    }
    return true;
}

/* False: out of memory. */
static bool remove_named(struct catalog *catalog, enum kind kind, struct slice name,
                         bool *ret_found)
{
    struct shelf *shelf = &catalog->shelves[kind];
    uint64_t order = shelf_name_order(name);
    const struct resource *old = shelf_get(shelf, order, kind, name);

    *ret_found = old != NULL;
    if (old == NULL)
        return true;
    return (!catalog->is_indexed || catalog_index_remove(catalog, old)) &&
           shelf_remove(shelf, order, kind, name, ret_found);
}

bool catalog_delete(struct catalog *catalog, enum kind kind, struct slice name)
{
    bool found = false;

    return kind < KIND_COUNT && remove_named(catalog, kind, name, &found) && found;
}

bool catalog_apply(struct catalog *catalog, const struct change *change,
                   struct arena *arena, struct catalog_undo *undo)
{
    bool found;

    if (undo != NULL) {
        undo->count = 0;
        undo->olds =
            arena_zalloc(arena, (change->count + 1) * sizeof(const struct resource *));
        if (undo->olds == NULL)
            return false;
    }
    for (size_t i = 0; i < change->count; i++) {
        const struct change_item *item = &change->items[i];
        if (undo != NULL) {
            const struct resource *old = catalog_get(catalog, item->kind, item->name);
            undo->olds[undo->count++] = old == NULL ? NULL : resource_ref(old);
        }
        if (item->resource != NULL ? !put(catalog, item->resource)
                                   : !remove_named(catalog, item->kind, item->name, &found))
            return false;
    }
    return true;
}

bool catalog_undo(struct catalog *catalog, const struct change *change,
                  struct catalog_undo *undo)
{
    bool ok = true, found;

    for (size_t i = undo->count; i-- > 0;) {
        const struct change_item *item = &change->items[i];
        ok &= undo->olds[i] != NULL ? put(catalog, undo->olds[i])
                                    : remove_named(catalog, item->kind, item->name, &found);
    }
    catalog_undo_forget(undo);
    return ok;
}

void catalog_undo_forget(struct catalog_undo *undo)
{
    for (size_t i = 0; i < undo->count; i++)
        resource_unref(undo->olds[i]);
    undo->count = 0;
}

const struct resource *catalog_get(const struct catalog *catalog, enum kind kind,
                                   struct slice name)
{
    if (kind >= KIND_COUNT)
        return NULL;
    return shelf_get(&catalog->shelves[kind], shelf_name_order(name), kind, name);
}

const struct resource *catalog_any(const struct catalog *catalog, enum kind kind)
{
    struct shelf_cursor cursor = shelf_first(&catalog->shelves[kind]);

    return shelf_next(&cursor);
}

const struct cluster_spec *catalog_cluster(const struct catalog *catalog)
{
    const struct resource *resource = catalog_any(catalog, KIND_CLUSTER);

    return resource != NULL ? resource->cluster : NULL;
}
