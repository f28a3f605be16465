/* Sorted shelves of shared resources. Single puts cost a binary search and a
 * move of pointers; a whole change is merged in one pass. */
#include "model/catalog.h"

#include "model/change.h"
#include "model/units.h"

#include <stdlib.h>

void catalog_init(struct catalog *catalog)
{
    *catalog = (struct catalog){.revision = 0};
}

void catalog_deinit(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        struct catalog_shelf *shelf = &catalog->shelves[kind];
        for (size_t i = 0; i < shelf->count; i++)
            resource_unref(shelf->items[i]);
        free(shelf->items);
    }
    catalog_init(catalog);
}

bool catalog_clone(const struct catalog *catalog, struct catalog *ret_copy)
{
    catalog_init(ret_copy);
    ret_copy->revision = catalog->revision;
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        const struct catalog_shelf *from = &catalog->shelves[kind];
        struct catalog_shelf *to = &ret_copy->shelves[kind];
        if (from->count == 0)
            continue;
        to->items = malloc(from->count * sizeof(const struct resource *));
        if (to->items == NULL) {
            catalog_deinit(ret_copy);
            return false;
        }
        to->capacity = from->count;
        for (; to->count < from->count; to->count++)
            to->items[to->count] = resource_ref(from->items[to->count]);
    }
    return true;
}

/* Where `name` stands or would stand. */
static size_t find(const struct catalog_shelf *shelf, struct slice name, bool *ret_found)
{
    size_t low = 0, high = shelf->count;
    *ret_found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = slice_compare(shelf->items[middle]->name, name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool reserve(struct catalog_shelf *shelf, size_t count)
{
    if (count <= shelf->capacity)
        return true;
    size_t capacity = shelf->capacity < 8 ? 8 : shelf->capacity * 2;
    if (capacity < count)
        capacity = count;
    const struct resource **items =
        realloc(shelf->items, capacity * sizeof(const struct resource *));
    if (items == NULL)
        return false;
    shelf->items = items;
    shelf->capacity = capacity;
    return true;
}

static bool put(struct catalog *catalog, const struct resource *resource)
{
    struct catalog_shelf *shelf = &catalog->shelves[resource->kind];
    bool found = false;
    size_t at = shelf->count;
    /* Walks give names in order: then it goes to the end. */
    if (at > 0 && slice_compare(shelf->items[at - 1]->name, resource->name) >= 0)
        at = find(shelf, resource->name, &found);
    if (found) {
        const struct resource *old = shelf->items[at];
        shelf->items[at] = resource_ref(resource);
        resource_unref(old);
        return true;
    }
    if (!reserve(shelf, shelf->count + 1))
        return false;
    memmove(&shelf->items[at + 1], &shelf->items[at],
            (shelf->count - at) * sizeof(const struct resource *));
    shelf->items[at] = resource_ref(resource);
    shelf->count++;
    return true;
}

bool catalog_put(struct catalog *catalog, const struct resource *resource)
{
    return !resource->is_broken && put(catalog, resource);
}

bool catalog_with_broken(const struct catalog *after, const struct change *change,
                         struct catalog *ret_copy)
{
    if (!catalog_clone(after, ret_copy))
        return false;
    for (size_t i = 0; i < change->broken_count; i++) {
        const struct resource *resource = change->broken[i].resource;
        if (name_is_valid(resource->name) && !put(ret_copy, resource)) {
            catalog_deinit(ret_copy);
            return false;
        }
    }
    return true;
}

bool catalog_delete(struct catalog *catalog, enum kind kind, struct slice name)
{
    if (kind >= KIND_COUNT)
        return false;
    struct catalog_shelf *shelf = &catalog->shelves[kind];
    bool found;
    size_t at = find(shelf, name, &found);
    if (!found)
        return false;
    resource_unref(shelf->items[at]);
    shelf->count--;
    memmove(&shelf->items[at], &shelf->items[at + 1],
            (shelf->count - at) * sizeof(const struct resource *));
    return true;
}

static int compare_items(const void *a, const void *b)
{
    const struct change_item *left = *(const struct change_item *const *)a;
    const struct change_item *right = *(const struct change_item *const *)b;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return slice_compare(left->name, right->name);
}

/* Merges the sorted changes of one kind into its shelf. */
static bool merge(struct catalog_shelf *shelf, const struct change_item **items,
                  size_t count)
{
    const struct resource **merged =
        malloc((shelf->count + count) * sizeof(const struct resource *));
    if (merged == NULL)
        return false;
    size_t done = 0, old = 0, new = 0;
    while (old < shelf->count || new < count) {
        int order = old == shelf->count ? 1
                    : new == count
                        ? -1
                        : slice_compare(shelf->items[old]->name, items[new]->name);
        if (order < 0) {
            merged[done++] = shelf->items[old++];
            continue;
        }
        if (order == 0)
            resource_unref(shelf->items[old++]);
        if (items[new]->resource != NULL)
            merged[done++] = resource_ref(items[new]->resource);
        new ++;
    }
    free(shelf->items);
    shelf->items = merged;
    shelf->capacity = shelf->count + count;
    shelf->count = done;
    return true;
}

bool catalog_apply(struct catalog *catalog, const struct change *change)
{
    if (change->count == 0)
        return true;
    const struct change_item **items =
        malloc(change->count * sizeof(const struct change_item *));
    if (items == NULL)
        return false;
    for (size_t i = 0; i < change->count; i++)
        items[i] = &change->items[i];
    qsort(items, change->count, sizeof(const struct change_item *), compare_items);
    bool ok = true;
    for (size_t start = 0, end; start < change->count && ok; start = end) {
        end = start;
        while (end < change->count && items[end]->kind == items[start]->kind)
            end++;
        ok = merge(&catalog->shelves[items[start]->kind], items + start, end - start);
    }
    free(items);
    return ok;
}

const struct resource *catalog_get(const struct catalog *catalog, enum kind kind,
                                   struct slice name)
{
    bool found;
    if (kind >= KIND_COUNT)
        return NULL;
    size_t at = find(&catalog->shelves[kind], name, &found);
    return found ? catalog->shelves[kind].items[at] : NULL;
}

const struct cluster_spec *catalog_cluster(const struct catalog *catalog)
{
    const struct catalog_shelf *shelf = &catalog->shelves[KIND_CLUSTER];
    return shelf->count > 0 ? shelf->items[0]->cluster : NULL;
}
