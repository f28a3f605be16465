/* Walking tables: defaults, finding fields, references, equality.
 *
 * Defaults are decoded once per table into an image and copied from there, so a
 * struct costs a memcpy, not a parse of every default. Images live as long as
 * the process: they are as constant as the tables. */
#include "model/schema.h"

#include "model/schema_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static void absent(const struct field *field, void *slot)
{
    switch ((enum field_type)field->type) {
    case FIELD_DURATION:
    case FIELD_SIZE:
        *(uint64_t *)slot = GW_ABSENT;
        break;
    case FIELD_NUMBER:
        *(int64_t *)slot = GW_ABSENT_NUMBER;
        break;
    case FIELD_SHARE:
        *(uint32_t *)slot = GW_ABSENT_SHARE;
        break;
    case FIELD_CHOICE:
        *(int *)slot = -1;
        break;
    default:
        break; /* all zero */
    }
}

/* Decodes `initial`, which is ours: a failure is a wrong table. */
static void set_initial(struct arena *arena, const struct field *field, void *slot)
{
    struct problems problems;
    problems_init(&problems);
    struct value *value;
    if (field->shape == FIELD_ONE) {
        value = value_scalar(arena, slice_from_string(field->initial), true);
    } else {
        value = yaml_read(arena, SLICE(""), slice_from_string(field->initial), &problems);
        value = value == NULL ? NULL : value->first;
    }
    if (value == NULL)
        abort();
    struct decode decode = {.arena = arena, .problems = &problems, .quiet = true};
    if (!decode_field(&decode, field, value, slot)) {
        fprintf(stderr, "schema: bad default of '%s'\n", field->name);
        abort();
    }
    problems_deinit(&problems);
}

static void *make_image(const struct schema *schema)
{
    struct arena arena;
    arena_init(&arena, 0, 0);
    char *image = arena_zalloc(&arena, schema->size);
    if (image == NULL)
        abort(); /* at the first use of a table; nothing works without */
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        void *slot = image + field->offset;
        assert(field->number > 0 && field->number < 64);
        if (field->shape != FIELD_ONE) {
            if (field->initial != NULL)
                set_initial(&arena, field, slot);
        } else if (field->type == FIELD_STRUCT || field->type == FIELD_INLINE) {
            assert(field->item_size == field->schema->size);
            schema_defaults(field->schema, slot);
        } else if (field->type != FIELD_SECTION && field->type != FIELD_RESERVED) {
            absent(field, slot);
            if (field->initial != NULL)
                set_initial(&arena, field, slot);
        }
    }
    return image; /* the arena's blocks stay, reachable from the image's block */
}

void schema_defaults(const struct schema *schema, void *object)
{
    void *image = __atomic_load_n(&schema->blank->image, __ATOMIC_ACQUIRE);
    if (image == NULL) {
        void *mine = make_image(schema);
        /* Two threads may both have made one; the loser's is not used. */
        if (__atomic_compare_exchange_n(&schema->blank->image, &image, mine, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            image = mine;
    }
    memcpy(object, image, schema->size);
}

const struct field *schema_field(const struct schema *schema, struct slice name,
                                 const void **object)
{
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        if (field->type == FIELD_INLINE) {
            const void *inner =
                object == NULL ? NULL : (const char *)*object + field->offset;
            const struct field *found = schema_field(field->schema, name, &inner);
            if (found == NULL)
                continue;
            if (object != NULL)
                *object = inner;
            return found;
        }
        if (slice_equal(name, slice_from_string(field->name)))
            return field;
    }
    return NULL;
}

/* --- references ------------------------------------------------------------- */

struct reference_walk {
    reference_fn visit;
    void *context;
    char path[512];
    char label[128];
};

/* By hand: this runs for every field that is set, of every object of a change. */
static size_t path_append(struct reference_walk *walk, size_t size, const char *text)
{
    size_t more = strlen(text), room = sizeof walk->path - size - 1;
    if (more > room)
        more = room;
    memcpy(walk->path + size, text, more);
    walk->path[size + more] = '\0';
    return size + more;
}

static void walk(struct reference_walk *walk_, const struct schema *schema,
                 const void *object, size_t path_size)
{
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        if (field->type != FIELD_REF && field->schema == NULL)
            continue;
        const char *slot = (const char *)object + field->offset;
        size_t size = path_size;
        if (field->type == FIELD_INLINE) {
            walk(walk_, field->schema, slot, path_size);
            continue;
        }
        if (!field_is_set(object, field->number))
            continue;
        size = path_append(walk_, size, size > 0 ? "." : "");
        size = path_append(walk_, size, field->name);
        if (field->shape == FIELD_LIST) {
            const ARRAY(char) *list = (const void *)slot;
            for (size_t i = 0; i < list->count; i++) {
                const char *item = list->items + i * field->item_size;
                char index[24];
                snprintf(index, sizeof index, "[%zu]", i);
                size_t inner = path_append(walk_, size, index);
                if (field->type == FIELD_REF) {
                    const struct slice *name = (const void *)item;
                    if (name->size > 0) /* empty: did not decode */
                        walk_->visit(walk_->context, walk_->path, walk_->label,
                                     (enum kind)field->ref, *name);
                } else {
                    item_label(field, item, walk_->label);
                    walk(walk_, field->schema, item, inner);
                    walk_->label[0] = '\0';
                }
            }
        } else if (field->type == FIELD_REF) {
            const struct slice *name = (const void *)slot;
            if (name->size > 0)
                walk_->visit(walk_->context, walk_->path, walk_->label,
                             (enum kind)field->ref, *name);
        } else if (field->type == FIELD_STRUCT) {
            walk(walk_, field->schema, slot, size);
        } else if (field->type == FIELD_SECTION) {
            const void *section = *(const void *const *)(const void *)slot;
            if (section != NULL)
                walk(walk_, field->schema, section, size);
        }
    }
    walk_->path[path_size] = '\0';
}

void schema_references(const struct schema *schema, const void *object, const char *path,
                       reference_fn visit, void *context)
{
    struct reference_walk state = {.visit = visit, .context = context};
    int size = snprintf(state.path, sizeof state.path, "%s", path);
    walk(&state, schema, object, (size_t)size);
}

void item_label(const struct field *field, const void *item, char *label)
{
    const struct field *name = schema_field(field->schema, SLICE("name"), NULL);
    if (field->schema->noun == NULL || name == NULL || !field_is_set(item, name->number)) {
        label[0] = '\0';
        return;
    }
    const struct slice *text = (const void *)((const char *)item + name->offset);
    snprintf(label, ITEM_LABEL_SIZE, "%s %.*s", field->schema->noun, SLICE_ARG(*text));
}

bool schema_equal(const struct schema *schema, const void *a, const void *b)
{
    /* What is packed is canonical, so equal bytes are equal objects. */
    struct buffer left, right;
    buffer_init(&left, 0);
    buffer_init(&right, 0);
    schema_pack(&left, schema, a);
    schema_pack(&right, schema, b);
    bool equal = !left.failed && !right.failed &&
                 slice_equal(buffer_slice(&left), buffer_slice(&right));
    buffer_deinit(&left);
    buffer_deinit(&right);
    return equal;
}
