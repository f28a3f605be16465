/* The document tree: finding, making, merging. Maps are searched linearly; what
 * reads them looks up a handful of keys, and walks the rest in order. */
#include "model/value.h"

struct value *value_new(struct arena *arena, enum value_type type)
{
    struct value *value = arena_zalloc(arena, sizeof *value);
    if (value != NULL)
        value->type = type;
    return value;
}

struct value *value_scalar(struct arena *arena, struct slice text, bool quoted)
{
    struct value *value = value_new(arena, VALUE_SCALAR);
    if (value == NULL)
        return NULL;
    value->text = arena_copy(arena, text);
    value->quoted = quoted;
    return value->text.data == NULL && text.size > 0 ? NULL : value;
}

void value_append(struct value *parent, struct value *child)
{
    child->next = NULL;
    if (parent->last == NULL)
        parent->first = child;
    else
        parent->last->next = child;
    parent->last = child;
    parent->count++;
}

void value_set(struct value *map, struct slice key, struct value *child)
{
    child->key = key;
    struct value *before = NULL;
    for (struct value *v = map->first; v != NULL; before = v, v = v->next) {
        if (!slice_equal(v->key, key))
            continue;
        child->next = v->next;
        if (before == NULL)
            map->first = child;
        else
            before->next = child;
        if (map->last == v)
            map->last = child;
        return;
    }
    value_append(map, child);
}

static struct value *find(const struct value *map, struct slice key)
{
    if (map == NULL || map->type != VALUE_MAP)
        return NULL;
    for (struct value *v = map->first; v != NULL; v = v->next)
        if (slice_equal(v->key, key))
            return v;
    return NULL;
}

struct value *value_get(const struct value *map, const char *key)
{
    return find(map, slice_from_string(key));
}

struct slice value_text(const struct value *map, const char *key)
{
    const struct value *value = value_get(map, key);
    return value != NULL && value->type == VALUE_SCALAR ? value->text : SLICE("");
}

/* One step of a path off its front: a key, or the number in brackets. Keys of
 * user-given maps may hold dots, so the longest key that fits is taken. */
static const struct value *step(const struct value *value, struct slice *path)
{
    if (path->size > 0 && path->data[0] == '[') {
        size_t end = slice_find_byte(*path, ']');
        uint64_t index;
        if (end == SIZE_MAX || !slice_parse_u64(slice_sub(*path, 1, end - 1), &index) ||
            value->type != VALUE_LIST || index >= value->count)
            return NULL;
        const struct value *v = value->first;
        while (index-- > 0)
            v = v->next;
        *path = slice_from(*path, end + 1);
        return v;
    }
    const struct value *best = NULL;
    if (value->type != VALUE_MAP)
        return NULL;
    for (const struct value *v = value->first; v != NULL; v = v->next) {
        bool ends = path->size == v->key.size ||
                    (path->size > v->key.size &&
                     (path->data[v->key.size] == '.' || path->data[v->key.size] == '['));
        if (ends && slice_starts_with(*path, v->key) &&
            (best == NULL || v->key.size > best->key.size))
            best = v;
    }
    if (best != NULL)
        *path = slice_from(*path, best->key.size);
    return best;
}

const struct value *value_at(const struct value *root, struct slice path)
{
    while (path.size > 0) {
        if (path.data[0] == '.')
            path = slice_from(path, 1);
        const struct value *next = step(root, &path);
        if (next == NULL)
            break;
        root = next;
    }
    return root;
}

/* Whether a plain scalar is a number in JSON's sense (RFC 8259 §6, integers). */
static bool is_json_plain(const struct value *value)
{
    struct slice text = value->text;
    if (value->quoted)
        return false;
    if (value->is_number || slice_equal(text, SLICE("true")) ||
        slice_equal(text, SLICE("false")))
        return true;
    if (text.size > 0 && text.data[0] == '-')
        text = slice_from(text, 1);
    if (text.size == 0 || text.size > 18 || (text.data[0] == '0' && text.size > 1))
        return false;
    uint64_t number;
    return slice_parse_u64(text, &number);
}

void value_emit(struct emit *emit, const struct value *value)
{
    switch (value->type) {
    case VALUE_NULL:
        emit_null(emit);
        break;
    case VALUE_SCALAR:
        if (is_json_plain(value))
            emit_raw(emit, value->text);
        else
            emit_string(emit, value->text);
        break;
    case VALUE_LIST:
        emit_array(emit);
        for (const struct value *v = value->first; v != NULL; v = v->next)
            value_emit(emit, v);
        emit_array_end(emit);
        break;
    case VALUE_MAP:
        emit_object(emit);
        for (const struct value *v = value->first; v != NULL; v = v->next) {
            emit_key_slice(emit, v->key);
            value_emit(emit, v);
        }
        emit_object_end(emit);
        break;
    }
}

static struct value *copy(struct arena *arena, const struct value *value)
{
    struct value *result = arena_alloc(arena, sizeof *result);
    if (result == NULL)
        return NULL;
    *result = *value;
    result->first = result->last = result->next = NULL;
    result->count = 0;
    for (const struct value *v = value->first; v != NULL; v = v->next) {
        struct value *child = copy(arena, v);
        if (child == NULL)
            return NULL;
        value_append(result, child);
    }
    return result;
}

struct value *value_merge(struct arena *arena, const struct value *target,
                          const struct value *patch)
{
    if (patch->type != VALUE_MAP)
        return copy(arena, patch);
    struct value *result = value_new(arena, VALUE_MAP);
    if (result == NULL)
        return NULL;
    if (target != NULL && target->type == VALUE_MAP)
        for (const struct value *v = target->first; v != NULL; v = v->next) {
            const struct value *change = find(patch, v->key);
            if (change != NULL && change->type == VALUE_NULL)
                continue;
            struct value *child =
                change == NULL ? copy(arena, v) : value_merge(arena, v, change);
            if (child == NULL)
                return NULL;
            child->key = v->key;
            value_append(result, child);
        }
    for (const struct value *v = patch->first; v != NULL; v = v->next) {
        bool known = target != NULL && find(target, v->key) != NULL;
        if (known || v->type == VALUE_NULL)
            continue;
        struct value *child = value_merge(arena, NULL, v);
        if (child == NULL)
            return NULL;
        child->key = v->key;
        value_append(result, child);
    }
    return result;
}
