/* Change sets: from an apply body, compared with what is there. */
#include "model/change.h"

#include <stdio.h>

void change_init(struct change *change)
{
    *change = (struct change){.count = 0};
    arena_init(&change->arena, 0, 0);
    table_init(&change->index);
    table_init(&change->failed);
}

void change_deinit(struct change *change)
{
    if (change == NULL)
        return;
    for (size_t i = 0; i < change->count; i++)
        resource_unref(change->items[i].resource);
    for (size_t i = 0; i < change->broken_count; i++)
        resource_unref(change->broken[i].resource);
    table_deinit(&change->index);
    table_deinit(&change->failed);
    arena_deinit(&change->arena);
}

/* A place for `key`: the item that has it already, or a new one. */
static struct change_item *item_for(struct change *change, struct slice key)
{
    uintptr_t index = (uintptr_t)table_get(&change->index, key);
    if (index != 0)
        return &change->items[index - 1];
    struct slice copy = arena_copy(&change->arena, key);
    if (copy.data == NULL ||
        !table_put(&change->index, copy, (void *)(uintptr_t)(change->count + 1)))
        return NULL;
    struct change_item *item = arena_grow(&change->arena, (void **)&change->items,
                                          &change->count, &change->capacity, sizeof *item);
    if (item == NULL)
        table_remove(&change->index, copy);
    return item;
}

bool change_put(struct change *change, struct resource *resource, int32_t place)
{
    struct change_item *item = resource->is_broken ? NULL : item_for(change, resource->key);
    if (item == NULL) {
        resource_unref(resource);
        return false;
    }
    resource_unref(item->resource);
    *item = (struct change_item){.kind = resource->kind,
                                 .name = resource->name,
                                 .resource = resource,
                                 .place = place};
    return true;
}

bool change_delete(struct change *change, enum kind kind, struct slice name)
{
    char key[RESOURCE_KEY_MAX];
    if (!resource_key(kind, name, key))
        return false;
    struct slice copy = arena_copy(&change->arena, name);
    struct change_item *item = item_for(change, slice_from_string(key));
    if (item == NULL || copy.data == NULL)
        return false;
    resource_unref(item->resource);
    *item = (struct change_item){.kind = kind, .name = copy, .action = CHANGE_DELETED};
    return true;
}

const struct change_item *change_find(const struct change *change, enum kind kind,
                                      struct slice name)
{
    char key[RESOURCE_KEY_MAX];
    if (!resource_key(kind, name, key))
        return NULL;
    uintptr_t index = (uintptr_t)table_get(&change->index, slice_from_string(key));
    return index == 0 ? NULL : &change->items[index - 1];
}

const struct change_item *change_given(const struct change *change, enum kind kind,
                                       struct slice name)
{
    char key[RESOURCE_KEY_MAX];
    const struct change_item *item = change_find(change, kind, name);
    if (item != NULL || !resource_key(kind, name, key))
        return item;
    void *index = table_get(&change->failed, slice_from_string(key));
    return index == NULL || index == CHANGE_UNREAD ? NULL
                                                   : &change->broken[(uintptr_t)index - 1];
}

void change_note_failed(struct change *change, const struct value *root)
{
    char key[RESOURCE_KEY_MAX];
    enum kind kind = kind_by_name(value_text(root, "kind"));
    struct slice name = value_text(value_get(root, "metadata"), "name");
    if (kind == KIND_NONE || name.size == 0 || !resource_key(kind, name, key))
        return;
    struct slice copy = arena_copy(&change->arena, slice_from_string(key));
    if (copy.data != NULL)
        table_put(&change->failed, copy, CHANGE_UNREAD);
}

/* Takes the reference. */
static bool keep_broken(struct change *change, struct resource *resource, int32_t place)
{
    struct change_item *item =
        arena_grow(&change->arena, (void **)&change->broken, &change->broken_count,
                   &change->broken_capacity, sizeof *item);
    if (item == NULL) {
        resource_unref(resource);
        return false;
    }
    *item = (struct change_item){.kind = resource->kind,
                                 .name = resource->name,
                                 .resource = resource,
                                 .place = place};
    return resource->name.size == 0 || table_put(&change->failed, resource->key,
                                                 (void *)(uintptr_t)change->broken_count);
}

const struct resource *change_decode_object(struct change *change, const struct value *root,
                                            struct slice file, int32_t place,
                                            const struct change_item **ret_twin,
                                            struct problems *problems)
{
    struct resource *resource = resource_decode_broken(root, file, place, problems);
    *ret_twin = NULL;
    if (resource == NULL) {
        change_note_failed(change, root);
        return NULL;
    }
    *ret_twin = change_given(change, resource->kind, resource->name);
    if (*ret_twin != NULL) {
        resource_unref(resource);
        return NULL;
    }
    bool ok = resource->is_broken ? keep_broken(change, resource, place)
                                  : change_put(change, resource, place);
    if (!ok)
        problems_add(problems, NULL, "no_memory", "out of memory");
    return ok ? resource : NULL;
}

static void decode_object(struct change *change, const struct value *root, int32_t place,
                          struct problems *problems)
{
    const struct change_item *twin;
    change_decode_object(change, root, SLICE(""), place, &twin, problems);
    if (twin == NULL)
        return;
    struct problem at = {.item = place, .path = SLICE("metadata.name")};
    problems_add(problems, &at, "duplicate_object",
                 "%s/%.*s is given twice, first as objects[%d]", kind_name(twin->kind),
                 SLICE_ARG(twin->name), twin->place - 1);
}

static void decode_delete(struct change *change, const struct value *value, size_t index,
                          struct problems *problems)
{
    struct slice word = value_text(value, "kind"), name = value_text(value, "name");
    enum kind kind = kind_by_name(word);
    char path[32];
    snprintf(path, sizeof path, "delete[%zu]", index);
    struct problem at = {.path = slice_from_string(path)};
    if (kind == KIND_NONE || name.size == 0)
        problems_add(problems, &at, "bad_value", "a delete needs a kind and a name");
    else if (change_given(change, kind, name) != NULL)
        problems_add(problems, &at, "duplicate_object", "%s/%.*s is given twice",
                     kind_name(kind), SLICE_ARG(name));
    else if (!change_delete(change, kind, name))
        problems_add(problems, &at, "not_found", "%s/%.*s: not found", kind_name(kind),
                     SLICE_ARG(name));
}

bool change_decode(struct change *change, const struct value *body,
                   struct problems *problems)
{
    size_t errors = problems->errors;
    const struct value *objects = value_get(body, "objects");
    const struct value *deletes = value_get(body, "delete");
    if (body == NULL || body->type != VALUE_MAP ||
        (objects != NULL && objects->type != VALUE_LIST) ||
        (deletes != NULL && deletes->type != VALUE_LIST)) {
        problems_add(problems, NULL, "bad_type",
                     "the body needs a list 'objects' or 'delete'");
        return false;
    }
    size_t count =
        (objects == NULL ? 0 : objects->count) + (deletes == NULL ? 0 : deletes->count);
    if (count > CHANGE_ITEMS_MAX) {
        problems_add(problems, NULL, "too_many", "more than %d objects in one transaction",
                     CHANGE_ITEMS_MAX);
        return false;
    }
    for (const struct value *v = body->first; v != NULL; v = v->next)
        if (!slice_equal(v->key, SLICE("objects")) &&
            !slice_equal(v->key, SLICE("delete")) &&
            !slice_equal(v->key, SLICE("message")) &&
            !slice_equal(v->key, SLICE("preconditions")))
            problems_add(problems, &(struct problem){.path = v->key}, "unknown_field",
                         "unknown field '%.*s' in the body",
                         v->key.size > 80 ? 80 : (int)v->key.size, v->key.data);
    change->message = arena_copy(&change->arena, value_text(body, "message"));
    int32_t place = 1;
    for (const struct value *v = objects == NULL ? NULL : objects->first; v != NULL;
         v = v->next)
        decode_object(change, v, place++, problems);
    size_t index = 0;
    for (const struct value *v = deletes == NULL ? NULL : deletes->first; v != NULL;
         v = v->next)
        decode_delete(change, v, index++, problems);
    return problems->errors == errors;
}

void change_emit(struct emit *emit, const struct change *change)
{
    emit_object(emit);
    emit_key(emit, "objects");
    emit_array(emit);
    for (size_t i = 0; i < change->count; i++)
        if (change->items[i].resource != NULL)
            resource_emit(emit, change->items[i].resource, RESOURCE_EXPORT);
    emit_array_end(emit);
    emit_key(emit, "delete");
    emit_array(emit);
    for (size_t i = 0; i < change->count; i++) {
        const struct change_item *item = &change->items[i];
        if (item->resource != NULL)
            continue;
        emit_object(emit);
        emit_key(emit, "kind");
        emit_cstring(emit, kind_name(item->kind));
        emit_key(emit, "name");
        emit_string(emit, item->name);
        emit_object_end(emit);
    }
    emit_array_end(emit);
    if (change->message.size > 0) {
        emit_key(emit, "message");
        emit_string(emit, change->message);
    }
    emit_object_end(emit);
}

bool change_prune(struct change *change, const struct catalog *before,
                  struct slice selector)
{
    const struct resource *resource;
    for (int kind = 0; kind < KIND_COUNT; kind++)
        catalog_each(before, kind, resource)
        {
            char key[RESOURCE_KEY_MAX];
            if (!selector_matches(selector, resource) ||
                change_find(change, (enum kind)kind, resource->name) != NULL ||
                (resource_key((enum kind)kind, resource->name, key) &&
                 table_get(&change->failed, slice_from_string(key)) != NULL))
                continue;
            if (!change_delete(change, (enum kind)kind, resource->name))
                return false;
        }
    return true;
}

bool change_compare(struct change *change, const struct catalog *before, uint64_t now_ms,
                    struct slice by, size_t *ret_changed, struct problems *problems)
{
    size_t changed = 0, errors = problems->errors;
    for (size_t i = 0; i < change->count; i++) {
        struct change_item *item = &change->items[i];
        const struct resource *old = catalog_get(before, item->kind, item->name);
        if (item->resource == NULL) {
            item->action = CHANGE_DELETED;
            changed++;
            if (old == NULL)
                problems_add(problems, NULL, "not_found", "%s/%.*s: not found",
                             kind_name(item->kind), SLICE_ARG(item->name));
            continue;
        }
        resource_stamp(item->resource, old, now_ms, by);
        item->action = old == NULL                           ? CHANGE_CREATED
                       : resource_equal(old, item->resource) ? CHANGE_UNCHANGED
                                                             : CHANGE_CHANGED;
        if (item->action == CHANGE_UNCHANGED)
            resource_stamp(item->resource, old, old->updated_ms, old->updated_by);
        else
            changed++;
    }
    *ret_changed = changed;
    return problems->errors == errors;
}

bool change_validate(struct change *change, const struct catalog *before,
                     const struct member_region *members, size_t member_count,
                     uint64_t now_ms, struct slice by, struct catalog *ret_after,
                     size_t *ret_changed, struct problems *problems)
{
    catalog_clone(before, ret_after);
    if (!catalog_apply(ret_after, change, NULL, NULL)) {
        problems_add(problems, NULL, "no_memory", "out of memory");
        return false;
    }
    change_compare(change, before, now_ms, by, ret_changed, problems);
    catalog_check(ret_after, change, members, member_count, problems);
    return !problems_failed(problems);
}

const char *change_action_word(enum change_action action)
{
    static const char *const words[] = {"created", "changed", "unchanged", "deleted"};
    return words[action];
}
