/* Differences, field by field over the exported trees: what people wrote, not
 * what it means. Lists of scalars are one value; lists of maps with names are
 * compared by name, so that one more endpoint is one line. */
#include "model/diff.h"

struct diff {
    struct buffer *out;
    size_t lines;
};

static void print_value(struct buffer *out, const struct value *value)
{
    struct emit emit;
    if (value->type == VALUE_SCALAR) {
        buffer_append_slice(out, value->text);
        return;
    }
    emit_init(&emit, out, false);
    value_emit(&emit, value);
}

static void print_line(struct diff *diff, const char *sign, struct slice path,
                       const struct value *before, const struct value *after)
{
    buffer_printf(diff->out, "  %s%.*s: ", sign, SLICE_ARG(path));
    if (before != NULL)
        print_value(diff->out, before);
    if (before != NULL && after != NULL)
        buffer_printf(diff->out, " -> ");
    if (after != NULL)
        print_value(diff->out, after);
    buffer_append_byte(diff->out, '\n');
    diff->lines++;
}

static bool is_equal(const struct value *a, const struct value *b)
{
    struct buffer left, right;
    struct emit emit;
    buffer_init(&left, 0);
    buffer_init(&right, 0);
    emit_init(&emit, &left, false);
    value_emit(&emit, a);
    emit_init(&emit, &right, false);
    value_emit(&emit, b);
    bool equal = slice_equal(buffer_slice(&left), buffer_slice(&right));
    buffer_deinit(&left);
    buffer_deinit(&right);
    return equal;
}

static const struct value *find_key(const struct value *map, struct slice key)
{
    for (const struct value *v = map->first; v != NULL; v = v->next)
        if (slice_equal(v->key, key))
            return v;
    return NULL;
}

static const struct value *find_named(const struct value *list, struct slice name)
{
    for (const struct value *v = list->first; v != NULL; v = v->next)
        if (slice_equal(value_text(v, "name"), name))
            return v;
    return NULL;
}

static bool is_named(const struct value *list)
{
    for (const struct value *v = list->first; v != NULL; v = v->next)
        if (value_text(v, "name").size == 0)
            return false;
    return true;
}

static void compare(struct diff *diff, struct buffer *path, const struct value *before,
                    const struct value *after);

/* Goes one step down: appends to the path, compares, takes it off again. */
static void compare_child(struct diff *diff, struct buffer *path, const char *format,
                          struct slice name, const struct value *before,
                          const struct value *after)
{
    size_t size = path->size;
    if (path->size > 0 && format[0] == '.')
        buffer_append_byte(path, '.');
    buffer_append(path, format + 1, format[1] == '[' ? 1 : 0);
    buffer_append_slice(path, name);
    if (format[1] == '[')
        buffer_append_byte(path, ']');
    if (before == NULL)
        print_line(diff, "+ ", buffer_slice(path), NULL, after);
    else if (after == NULL)
        print_line(diff, "- ", buffer_slice(path), before, NULL);
    else
        compare(diff, path, before, after);
    path->size = size;
}

static void compare(struct diff *diff, struct buffer *path, const struct value *before,
                    const struct value *after)
{
    if (before->type == VALUE_MAP && after->type == VALUE_MAP) {
        for (const struct value *v = before->first; v != NULL; v = v->next)
            compare_child(diff, path, ".", v->key, v, find_key(after, v->key));
        for (const struct value *v = after->first; v != NULL; v = v->next)
            if (find_key(before, v->key) == NULL)
                compare_child(diff, path, ".", v->key, NULL, v);
        return;
    }
    if (before->type == VALUE_LIST && after->type == VALUE_LIST && before->count > 0 &&
        after->count > 0 && before->count + after->count < 2000 && is_named(before) &&
        is_named(after)) {
        for (const struct value *v = before->first; v != NULL; v = v->next)
            compare_child(diff, path, " [", value_text(v, "name"), v,
                          find_named(after, value_text(v, "name")));
        for (const struct value *v = after->first; v != NULL; v = v->next)
            if (find_named(before, value_text(v, "name")) == NULL)
                compare_child(diff, path, " [", value_text(v, "name"), NULL, v);
        return;
    }
    if (!is_equal(before, after))
        print_line(diff, "", buffer_slice(path), before, after);
}

size_t diff_print(struct buffer *out, const struct resource *before,
                  const struct resource *after)
{
    struct diff diff = {.out = out};
    struct arena arena;
    struct buffer path;
    arena_init(&arena, 0, 0);
    buffer_init(&path, 4096);
    struct value *left = before == NULL ? NULL : resource_value(&arena, before);
    struct value *right = after == NULL ? NULL : resource_value(&arena, after);
    struct value *nothing = value_new(&arena, VALUE_MAP);
    if (nothing != NULL && (left != NULL || before == NULL) &&
        (right != NULL || after == NULL))
        for (int i = 0; i < 2; i++) {
            const char *part = i == 0 ? "metadata" : "spec";
            struct value *a = value_get(left, part), *b = value_get(right, part);
            path.size = 0;
            buffer_append(&path, part, strlen(part));
            compare(&diff, &path, a == NULL ? nothing : a, b == NULL ? nothing : b);
        }
    else
        out->failed = true;
    buffer_deinit(&path);
    arena_deinit(&arena);
    return diff.lines;
}
