/* Whether a catalog may stand: what no object can know by itself.
 *
 * References are looked up by binary search for the objects of the change only; who
 * refers to what is deleted is found by the catalog's index, or without one by a
 * walk over all references. New Regions cost such a walk always. Routes that tie:
 * route_clash.c. */
#include "model/catalog.h"

#include "model/change.h"
#include "model/route_clash.h"
#include "model/units.h"

#include <stdio.h>
#include <stdlib.h>

struct check {
    const struct catalog *after;
    const struct change *change; /* NULL: everything is new */
    struct problems *problems;
    const struct resource *resource; /* whose references are walked */
    int32_t place;                   /* of `resource` if it is broken, else 0 */
    bool regions_only;
    bool deleted_only;
};

static struct problem place_of(const struct check *check, const struct resource *resource,
                               const char *path, char *object, size_t size)
{
    snprintf(object, size, "%s%s%.*s", kind_name(resource->kind),
             resource->name.size > 0 ? "/" : "", SLICE_ARG(resource->name));
    struct problem place = {
        .object = slice_from_string(object),
        .path = slice_from_string(path),
    };
    const struct change_item *item =
        check->change == NULL ? NULL
                              : change_given(check->change, resource->kind, resource->name);
    if (check->place > 0 && resource == check->resource)
        place.item = check->place;
    else if (item != NULL && item->resource != NULL)
        place.item = item->place;
    return place;
}

#define OBJECT_SIZE 96

static const char *nearest(const struct check *check, enum kind kind, struct slice name)
{
    const struct resource *resource, *best = NULL;
    size_t found = 3;
    if (check->problems->errors > 100)
        return NULL; /* a linear search; not for thousands of mistakes */
    catalog_each(check->after, kind, resource)
    {
        size_t distance = slice_distance(name, resource->name, 2);
        if (distance < found) {
            found = distance;
            best = resource;
        }
    }
    return best == NULL ? NULL : best->name.data; /* NUL-terminated in its arena */
}

static bool is_failed(const struct check *check, enum kind kind, struct slice name)
{
    char key[RESOURCE_KEY_MAX];
    return check->change != NULL && resource_key(kind, name, key) &&
           table_get(&check->change->failed, slice_from_string(key)) != NULL;
}

/* By this change: who refers to it is told of that. */
static bool is_deleted(const struct check *check, enum kind kind, struct slice name)
{
    const struct change_item *item = change_find(check->change, kind, name);

    return item != NULL && item->resource == NULL;
}

/* Any region may be named while no Region exists. */
static bool is_free_region(const struct check *check, enum kind kind)
{
    return kind == KIND_REGION && catalog_count(check->after, KIND_REGION) == 0;
}

static void visit_reference(void *context, const char *path, const char *label,
                            enum kind kind, struct slice name)
{
    struct check *check = context;
    if ((check->regions_only && kind != KIND_REGION) || is_free_region(check, kind) ||
        catalog_get(check->after, kind, name) != NULL || is_failed(check, kind, name) ||
        (check->regions_only && is_deleted(check, kind, name)))
        return;
    char object[OBJECT_SIZE], hint[96];
    struct problem place = place_of(check, check->resource, path, object, sizeof object);
    if (check->deleted_only) {
        if (!is_deleted(check, kind, name))
            return; /* was missing before: not this change's */
        place.item = 0;
        place.object = SLICE("");
        problems_add(check->problems, &place, "in_use",
                     "%s/%.*s cannot be deleted: %s refers to it (%s)", kind_name(kind),
                     SLICE_ARG(name), object, path);
        return;
    }
    const char *meant = nearest(check, kind, name);
    if (meant != NULL) {
        snprintf(hint, sizeof hint, "did you mean '%s'?", meant);
        place.hint = slice_from_string(hint);
    }
    if (label[0] != '\0')
        problems_add(check->problems, &place, "not_defined", "%s %s: %s '%.*s' not defined",
                     object, label, kind_word(kind), SLICE_ARG(name));
    else
        problems_add(check->problems, &place, "not_defined", "%s %s: %s '%.*s' not defined",
                     object, path, kind_word(kind), SLICE_ARG(name));
}

static void check_references(struct check *check, const struct resource *resource)
{
    check->resource = resource;
    schema_references(kind_schema(resource->kind), resource->spec, "spec", visit_reference,
                      check);
}

static bool is_in_change(const struct check *check, const struct resource *resource)
{
    return check->change == NULL ||
           change_given(check->change, resource->kind, resource->name) != NULL;
}

/* The references of everything that the change does not put. */
static void check_others(struct check *check, bool regions_only, bool deleted_only)
{
    const struct resource *resource;
    check->regions_only = regions_only;
    check->deleted_only = deleted_only;
    for (int kind = 0; kind < KIND_COUNT; kind++)
        catalog_each(check->after, kind, resource)
        {
            if (!is_in_change(check, resource))
                check_references(check, resource);
        }
    check->regions_only = check->deleted_only = false;
}

static int compare_resources(const void *a, const void *b)
{
    const struct resource *x = *(const struct resource *const *)a;
    const struct resource *y = *(const struct resource *const *)b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return slice_compare(x->name, y->name);
}

/* The same for deletions, by the index: those who may refer to what is deleted, in the
 * order of the walk. False: out of memory. */
static bool check_referrers(struct check *check)
{
    struct arena arena;
    const struct resource *resource, **found = NULL;
    size_t count = 0, capacity = 0;
    bool ok = true;
    arena_init(&arena, 0, 0);
    for (size_t i = 0; i < check->change->count; i++) {
        const struct change_item *item = &check->change->items[i];
        if (item->resource != NULL)
            continue;
        uint64_t order = catalog_reference_order(item->kind, item->name);
        struct shelf_cursor cursor = shelf_seek(&check->after->referrers, order);
        while ((resource = shelf_next_of(&cursor, order)) != NULL) {
            const struct resource **place =
                is_in_change(check, resource)
                    ? NULL
                    : arena_grow(&arena, (void **)&found, &count, &capacity,
                                 sizeof(const struct resource *));
            if (place != NULL)
                *place = resource;
            else
                ok &= is_in_change(check, resource);
        }
    }
    if (count > 1)
        qsort(found, count, sizeof(const struct resource *), compare_resources);
    check->deleted_only = true;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || found[i] != found[i - 1])
            check_references(check, found[i]);
    check->deleted_only = false;
    arena_deinit(&arena);
    return ok;
}

/* Whether a broken list item's region may be missing only for an error of its own. */
static bool is_told(const struct check *check, const struct resource *resource,
                    const char *path)
{
    char region[80];
    struct slice item = slice_from_string(path);
    snprintf(region, sizeof region, "%s.region", path);
    for (size_t i = 0; resource->is_broken && i < check->problems->count; i++) {
        const struct problem *problem = &check->problems->items[i];
        if (!problem->is_warning && problem->item == check->place &&
            (slice_equal(problem->path, slice_from_string(region)) ||
             (slice_equal(problem->path, item) &&
              slice_equal(problem->code, SLICE("bad_type")))))
            return true;
    }
    return false;
}

/* `list` of the spec, `word` of the message: "endpoints", "endpoint". */
static void check_region_given(struct check *check, const struct resource *resource,
                               const char *list, const char *word, size_t place_in_list,
                               struct slice name, struct slice region)
{
    char object[OBJECT_SIZE], path[64];

    snprintf(path, sizeof path, "spec.%s[%zu]", list, place_in_list);
    if (region.size > 0 || is_told(check, resource, path))
        return;
    struct problem place = place_of(check, resource, path, object, sizeof object);
    problems_add(check->problems, &place, "required",
                 "%s %s %.*s: region is required, since %zu Regions exist", object, word,
                 SLICE_ARG(name), catalog_count(check->after, KIND_REGION));
}

static void check_endpoint_regions(struct check *check, const struct resource *resource)
{
    const struct service_spec *service = resource->service;

    if (catalog_count(check->after, KIND_REGION) < 2)
        return;
    for (size_t i = 0; i < service->endpoints.count; i++) {
        const struct endpoint_spec *endpoint = &service->endpoints.items[i];
        check_region_given(check, resource, "endpoints", "endpoint", i, endpoint->name,
                           endpoint->region);
    }
    for (size_t i = 0; i < service->dns.count; i++) {
        const struct service_dns *dns = &service->dns.items[i];
        check_region_given(check, resource, "dns", "dns", i, dns->name, dns->region);
    }
}

static void check_cluster(struct check *check)
{
    const struct resource *resource, *other = NULL;
    char object[OBJECT_SIZE];
    if (catalog_count(check->after, KIND_CLUSTER) < 2)
        return;
    catalog_each(check->after, KIND_CLUSTER, resource)
    {
        if (check->change == NULL || !is_in_change(check, resource))
            other = resource;
    }
    catalog_each(check->after, KIND_CLUSTER, resource)
    {
        if (resource == other || !is_in_change(check, resource))
            continue;
        struct problem place =
            place_of(check, resource, "metadata.name", object, sizeof object);
        if (other != NULL)
            problems_add(check->problems, &place, "other_cluster",
                         "%s: this cluster is '%.*s'; another cluster's file is refused",
                         object, SLICE_ARG(other->name));
        else
            problems_add(check->problems, &place, "other_cluster",
                         "%s: there may be only one Cluster", object);
    }
}

static bool shares_name(const struct slice *a, size_t a_count, const struct slice *b,
                        size_t b_count)
{
    if (a_count == 0 || b_count == 0)
        return true; /* everywhere */
    for (size_t i = 0; i < a_count; i++)
        for (size_t j = 0; j < b_count; j++)
            if (slice_equal(a[i], b[j]))
                return true;
    return false;
}

static bool binds_clash(const struct listener_spec *a, const struct listener_spec *b)
{
    struct slice a_host, b_host;
    uint16_t a_port, b_port;
    if (!host_port_parse(a->bind, true, &a_host, &a_port) ||
        !host_port_parse(b->bind, true, &b_host, &b_port) || a_port != b_port)
        return false;
    bool a_any = a_host.size == 0 || slice_equal(a_host, SLICE("0.0.0.0")) ||
                 slice_equal(a_host, SLICE("::"));
    bool b_any = b_host.size == 0 || slice_equal(b_host, SLICE("0.0.0.0")) ||
                 slice_equal(b_host, SLICE("::"));
    return (a_any || b_any || slice_equal_nocase(a_host, b_host)) &&
           shares_name(a->regions.items, a->regions.count, b->regions.items,
                       b->regions.count);
}

static void check_binds(struct check *check)
{
    const struct resource *left, *right;
    char object[OBJECT_SIZE];
    catalog_each(check->after, KIND_LISTENER, right)
        catalog_each(check->after, KIND_LISTENER, left)
    {
        const struct resource *a = left, *b = right;
        if (left == right)
            break; /* each pair once */
        if (!is_in_change(check, b)) {
            const struct resource *swap = a;
            a = b;
            b = swap;
        }
        if (a->has_holes || b->has_holes)
            continue; /* broken: where it listens is not known */
        if (!is_in_change(check, b) || !binds_clash(a->listener, b->listener))
            continue;
        struct problem place = place_of(check, b, "spec.bind", object, sizeof object);
        problems_add(check->problems, &place, "bind_clash",
                     "%s spec.bind: '%.*s' clashes with Listener/%.*s ('%.*s')", object,
                     SLICE_ARG(b->listener->bind), SLICE_ARG(a->name),
                     SLICE_ARG(a->listener->bind));
    }
}

static void check_members(struct check *check, const struct member_region *members,
                          size_t count)
{
    if (catalog_count(check->after, KIND_REGION) == 0)
        return;
    struct problem place = {.line = 0};
    char object[OBJECT_SIZE] = "";
    for (size_t i = 0; check->change != NULL && i < check->change->count; i++)
        if (check->change->items[i].kind == KIND_REGION &&
            check->change->items[i].resource != NULL) {
            place = place_of(check, check->change->items[i].resource, "", object,
                             sizeof object);
            break;
        }
    for (size_t i = 0; check->change != NULL && i < check->change->broken_count; i++)
        if (check->change->broken[i].kind == KIND_REGION && place.item == 0)
            place.item = check->change->broken[i].place;
    for (size_t i = 0; i < count; i++)
        if (members[i].region.size > 0 &&
            catalog_get(check->after, KIND_REGION, members[i].region) == NULL &&
            !is_failed(check, KIND_REGION, members[i].region))
            problems_add(check->problems, &place, "member_region",
                         "the Regions leave region '%.*s' of node '%.*s' undefined",
                         SLICE_ARG(members[i].region), SLICE_ARG(members[i].node));
}

struct touched {
    bool kinds[KIND_COUNT];
    bool deleted;
    bool put_region; /* the first one ends that any may be named */
};

bool catalog_check(const struct catalog *after, const struct change *change,
                   const struct member_region *members, size_t member_count,
                   struct problems *problems)
{
    size_t errors = problems->errors;
    struct check check = {.after = after, .change = change, .problems = problems};
    struct touched touched = {.deleted = false};
    size_t broken = change == NULL ? 0 : change->broken_count;
    struct catalog scratch = {.revision = 0};
    const struct resource *resource;
    if (broken > 0) {
        if (!catalog_with_broken(after, change, &scratch)) {
            problems_add(problems, NULL, "no_memory", "out of memory");
            return false;
        }
        check.after = after = &scratch;
    }
    for (size_t i = 0; change != NULL && i < change->count; i++) {
        const struct change_item *item = &change->items[i];
        touched.kinds[item->kind] = true;
        if (item->resource == NULL) {
            touched.deleted = true;
            continue;
        }
        touched.put_region |= item->kind == KIND_REGION;
        check_references(&check, item->resource);
        if (item->kind == KIND_SERVICE)
            check_endpoint_regions(&check, item->resource);
    }
    for (size_t i = 0; i < broken; i++) {
        const struct change_item *item = &change->broken[i];
        touched.kinds[item->kind] = true;
        touched.put_region |= item->kind == KIND_REGION;
        check.place = item->place;
        check_references(&check, item->resource);
        if (item->kind == KIND_SERVICE)
            check_endpoint_regions(&check, item->resource);
    }
    check.place = 0;
    for (int kind = 0; change == NULL && kind < KIND_COUNT; kind++) {
        touched.kinds[kind] = true;
        catalog_each(after, kind, resource)
        {
            check_references(&check, resource);
            if (kind == KIND_SERVICE)
                check_endpoint_regions(&check, resource);
        }
    }
    if (change != NULL && touched.deleted) {
        if (!after->is_indexed)
            check_others(&check, false, true);
        else if (!check_referrers(&check))
            problems_add(problems, NULL, "no_memory", "out of memory");
    }
    if (change != NULL && touched.kinds[KIND_REGION]) {
        if (touched.put_region)
            check_others(&check, true, false);
        catalog_each(after, KIND_SERVICE, resource)
        {
            if (!is_in_change(&check, resource))
                check_endpoint_regions(&check, resource);
        }
    }
    if (touched.kinds[KIND_REGION])
        check_members(&check, members, members == NULL ? 0 : member_count);
    if (touched.kinds[KIND_CLUSTER])
        check_cluster(&check);
    if (touched.kinds[KIND_LISTENER])
        check_binds(&check);
    if (touched.kinds[KIND_ROUTE])
        route_clash_check(after, change, problems);
    catalog_deinit(&scratch);
    return broken == 0 && problems->errors == errors;
}
