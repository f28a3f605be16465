/* From a document to a struct, by its table: one walk that reports every problem.
 *
 * A field with an error is left at its default and the walk goes on, so people
 * see all errors at once. A misspelt field is read as the one that was meant, so
 * that what depends on it is judged rightly. Warnings ("no effect yet") come once per kind
 * and path, not once per object. */
#include "model/schema.h"

#include "model/schema_private.h"
#include "model/units.h"

#include <stdio.h>
#include <stdlib.h>

/* --- content ------------------------------------------------------------------------ */

static bool decode_blob(struct decode *decode, const struct field *field,
                        const struct value *value, struct blob *slot)
{
    static const struct {
        const char *name;
        int form;
    } forms[] = {{"file", BLOB_FILE},
                 {"env", BLOB_ENV},
                 {"sealed", BLOB_SEALED},
                 {"nodeFile", BLOB_NODE_FILE},
                 {"inline", BLOB_INLINE}};
    if (value->count != 1 || value->first->type != VALUE_SCALAR)
        return decode_report(
            decode, value, false, "bad_content", NULL,
            "needs exactly one of {file}, {env}, {sealed}, {nodeFile}, {inline}");
    const struct value *entry = value->first;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (!slice_equal(entry->key, slice_from_string(forms[i].name)))
            continue;
        if (field->type == FIELD_SECRET && forms[i].form == BLOB_INLINE &&
            decode->file.size > 0)
            return decode_report(
                decode, entry, true, "secret_in_file", NULL,
                "a secret must not stand in a file; use {file}, {env} or {sealed}");
        if (decode->file.size == 0 &&
            (forms[i].form == BLOB_FILE || forms[i].form == BLOB_ENV))
            return decode_report(decode, entry, true, "content_not_read", NULL,
                                 "{%s} is read by gwctl; send the content as {inline}",
                                 forms[i].name);
        if (forms[i].form == BLOB_NODE_FILE)
            decode_warn(decode, entry, true, SLICE("nodeFile"));
        slot->form = forms[i].form;
        slot->value = decode_unescape(decode->arena, entry->text);
        if (slot->value.data == NULL)
            slot->value = SLICE("");
        return true;
    }
    return decode_report(decode, entry, true, "unknown_field", NULL,
                         "'%.*s' is none of file, env, sealed, nodeFile, inline",
                         SLICE_ARG(entry->key));
}

/* --- structs, lists, maps --------------------------------------------------------------
 */

static bool decode_struct(struct decode *decode, const struct schema *schema,
                          const struct value *value, void *object);

static bool decode_one(struct decode *decode, const struct field *field,
                       const struct value *value, void *slot)
{
    bool is_map = field->type == FIELD_STRUCT || field->type == FIELD_SECTION ||
                  field->type == FIELD_BLOB || field->type == FIELD_SECRET;
    if (value->type != (is_map ? VALUE_MAP : VALUE_SCALAR)) {
        static const char *const types[] = {"null", "a scalar", "a list", "a map"};
        return decode_report(decode, value, false, "bad_type", NULL, "must be %s, not %s",
                             decode_wanted(field), types[value->type]);
    }
    switch ((enum field_type)field->type) {
    case FIELD_BLOB:
    case FIELD_SECRET:
        return decode_blob(decode, field, value, slot);
    case FIELD_STRUCT:
        return decode_struct(decode, field->schema, value, slot);
    case FIELD_SECTION: {
        void *section = arena_alloc(decode->arena, field->schema->size);
        if (section == NULL)
            return decode_report(decode, value, false, "no_memory", NULL, "out of memory");
        bool ok = decode_struct(decode, field->schema, value, section);
        *(void **)slot = section; /* with errors too: its references are looked at */
        return ok;
    }
    default:
        return decode_scalar(decode, field, value, slot);
    }
}

static bool decode_list(struct decode *decode, const struct field *field,
                        const struct value *value, void *slot)
{
    ARRAY(char) *list = slot;
    if (value->type != VALUE_LIST)
        return decode_report(decode, value, false, "bad_type", NULL, "must be a list");
    if (value->count > LIST_ITEMS_MAX)
        return decode_report(decode, value, false, "too_many", NULL,
                             "has more than %d items", LIST_ITEMS_MAX);
    char *items = arena_zalloc(decode->arena, value->count * field->item_size);
    if (items == NULL)
        return decode_report(decode, value, false, "no_memory", NULL, "out of memory");
    size_t index = 0;
    bool ok = true;
    for (const struct value *v = value->first; v != NULL; v = v->next, index++) {
        size_t before = decode_path_index(decode, index);
        ok = decode_one(decode, field, v, items + index * field->item_size) && ok;
        decode_path_pop(decode, before);
    }
    list->items = items;
    list->count = value->count;
    return ok;
}

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *left = a, *right = b;
    return slice_compare(left->name, right->name);
}

static int compare_secret_pairs(const void *a, const void *b)
{
    const struct secret_pair *left = a, *right = b;
    return slice_compare(left->name, right->name);
}

static bool decode_map(struct decode *decode, const struct field *field,
                       const struct value *value, void *slot)
{
    bool is_secret = field->type == FIELD_SECRET;
    bool names_are_headers = is_secret || field->type == FIELD_TEMPLATE;
    ARRAY(char) *map = slot;
    if (value->type != VALUE_MAP)
        return decode_report(decode, value, false, "bad_type", NULL, "must be a map");
    if (value->count > LIST_ITEMS_MAX)
        return decode_report(decode, value, false, "too_many", NULL,
                             "has more than %d entries", LIST_ITEMS_MAX);
    char *items = arena_zalloc(decode->arena, value->count * field->item_size);
    if (items == NULL)
        return decode_report(decode, value, false, "no_memory", NULL, "out of memory");
    size_t index = 0;
    bool ok = true;
    for (const struct value *v = value->first; v != NULL; v = v->next, index++) {
        char *item = items + index * field->item_size;
        struct slice *name = (void *)item; /* first in both kinds of pair */
        size_t before = decode_path_push(decode, ".", v->key);
        *name = names_are_headers ? decode_lower(decode->arena, v->key)
                                  : arena_copy(decode->arena, v->key);
        if (name->data == NULL)
            *name = SLICE("");
        if (names_are_headers ? !token_is_valid(v->key) : v->key.size == 0)
            ok = decode_report(decode, v, true, "bad_value", NULL, "'%.*s' is not %s",
                               SLICE_ARG(v->key),
                               names_are_headers ? "a header name" : "a name");
        else if (field->check_name != NULL && !field->check_name(*name))
            ok = decode_report(decode, v, true, "reserved_header", NULL,
                               "header '%.*s' is the gateway's own and cannot be changed",
                               SLICE_ARG(*name));
        void *content = item + (is_secret ? offsetof(struct secret_pair, value)
                                          : offsetof(struct pair, value));
        ok = decode_one(decode, field, v, content) && ok;
        decode_path_pop(decode, before);
    }
    if (index > 1)
        qsort(items, index, field->item_size,
              is_secret ? compare_secret_pairs : compare_pairs);
    for (size_t i = 1; i < index; i++) {
        const struct slice *a = (const void *)(items + (i - 1) * field->item_size);
        const struct slice *b = (const void *)(items + i * field->item_size);
        if (slice_equal(*a, *b))
            ok = decode_report(decode, value, false, "duplicate_key", NULL,
                               "'%.*s' stands here twice", SLICE_ARG(*a));
    }
    map->items = items;
    map->count = index;
    return ok;
}

bool decode_field(struct decode *decode, const struct field *field,
                  const struct value *value, void *slot)
{
    if (field->shape == FIELD_LIST)
        return decode_list(decode, field, value, slot);
    if (field->shape == FIELD_MAP)
        return decode_map(decode, field, value, slot);
    return decode_one(decode, field, value, slot);
}

/* The field and the struct it stands in, inline ones too. */
static const struct field *find(const struct schema *schema, struct slice name,
                                char **object)
{
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        if (field->type == FIELD_INLINE) {
            char *inner = *object + field->offset;
            const struct field *found = find(field->schema, name, &inner);
            if (found == NULL)
                continue;
            *(uint64_t *)(void *)*object |= (uint64_t)1 << field->number;
            *object = inner;
            return found;
        }
        if (slice_equal(name, slice_from_string(field->name)))
            return field;
    }
    return NULL;
}

static void nearest_field(const struct schema *schema, struct slice name, size_t *distance,
                          const char **best)
{
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        if (field->type == FIELD_INLINE) {
            nearest_field(field->schema, name, distance, best);
            continue;
        }
        struct slice known = slice_from_string(field->name);
        size_t d = slice_equal_nocase(name, known) ? 0 : slice_distance(name, known, 3);
        if (d < *distance) {
            *distance = d;
            *best = field->name;
        }
    }
}

/* Reads a misspelt field as the one that was meant, silently: only its references
 * and what other fields need of it are of interest. */
static void decode_meant(struct decode *decode, const struct schema *schema,
                         const struct value *map, const struct value *entry,
                         const char *meant, char *object)
{
    if (meant == NULL || value_get(map, meant) != NULL || entry->type == VALUE_NULL)
        return;
    const struct field *field = find(schema, slice_from_string(meant), &object);
    if (field == NULL || field->type == FIELD_RESERVED ||
        field_is_set(object, field->number))
        return;
    struct problems *problems = decode->problems, unsaid;
    bool was_quiet = decode->quiet;
    problems_init(&unsaid);
    decode->problems = &unsaid;
    decode->quiet = true;
    if (decode_field(decode, field, entry, object + field->offset))
        *(uint64_t *)(void *)object |= (uint64_t)1 << field->number;
    else
        decode->holes++;
    decode->quiet = was_quiet;
    decode->problems = problems;
    problems_deinit(&unsaid);
}

static bool unknown_field(struct decode *decode, const struct schema *schema,
                          const struct value *map, const struct value *entry, char *object)
{
    const char *best = NULL;
    size_t distance = entry->key.size > 5 ? 4 : 3;
    char hint[96], whole[WHERE_SIZE];
    nearest_field(schema, entry->key, &distance, &best);
    decode_where(decode, whole, sizeof whole);
    size_t before = decode_path_push(decode, ".", entry->key);
    struct problem place = decode_place(decode, entry, true);
    place.hint = slice_from_string(decode_suggestion(best, hint, sizeof hint));
    problems_add(decode->problems, &place, "unknown_field", "unknown field '%.*s' in %s",
                 entry->key.size > 80 ? 80 : (int)entry->key.size, entry->key.data, whole);
    decode_meant(decode, schema, map, entry, best, object);
    decode_path_pop(decode, before);
    return false;
}

/* What may hold references is walked even where a part of it did not decode. */
static bool is_walked(const struct field *field, const struct value *entry)
{
    return (field->schema != NULL || field->type == FIELD_REF) &&
           (field->shape != FIELD_LIST || entry->type == VALUE_LIST);
}

static bool decode_entry(struct decode *decode, const struct schema *schema,
                         const struct value *map, const struct value *entry, char *object)
{
    char *whole = object;
    const struct field *field = find(schema, entry->key, &object);
    if (field == NULL)
        return unknown_field(decode, schema, map, entry, whole);
    size_t before = decode_path_push(decode, ".", entry->key);
    bool ok = true, was_quiet = decode->quiet;
    if (field->type == FIELD_RESERVED) {
        ok = decode_report(decode, entry, true, "reserved", NULL,
                           "this field is reserved until it is built");
    } else if (entry->type != VALUE_NULL) {
        if (!field->honoured) {
            decode_warn(decode, entry, true, SLICE(""));
            decode->quiet = true;
        }
        ok = decode_field(decode, field, entry, object + field->offset);
        decode->quiet = was_quiet;
        if (ok || is_walked(field, entry))
            *(uint64_t *)(void *)object |= (uint64_t)1 << field->number;
    }
    decode_path_pop(decode, before);
    return ok;
}

/* The item's name goes into messages about what is in it. */
static void label_item(struct decode *decode, const struct schema *schema,
                       const struct value *value)
{
    struct slice name = value_text(value, "name");
    if (schema->noun == NULL || name.size == 0)
        return;
    snprintf(decode->label, sizeof decode->label, "%s %.*s", schema->noun,
             name.size > 80 ? 80 : (int)name.size, name.data);
    decode->label_path = decode->path_size;
}

static bool decode_struct(struct decode *decode, const struct schema *schema,
                          const struct value *value, void *object)
{
    bool ok = true;
    size_t holes = decode->holes;
    schema_defaults(schema, object);
    if (schema->noun != NULL)
        label_item(decode, schema, value);
    for (const struct value *v = value->first; v != NULL; v = v->next)
        ok = decode_entry(decode, schema, value, v, object) && ok;

    unsigned given = 0;
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        bool is_set = field_is_set(object, field->number);
        const struct value *entry = value_get(value, field->name);
        given += is_set || (entry != NULL && entry->type != VALUE_NULL &&
                            field->type != FIELD_RESERVED);
        if (!field->required)
            continue;
        if (entry == NULL || entry->type == VALUE_NULL) {
            if (!is_set) /* nor misspelt */
                ok = decode_report(decode, value, value->key_line > 0, "required", NULL,
                                   "%s is required", field->name);
        } else if (field->shape != FIELD_ONE && is_set && entry->count == 0)
            ok = decode_report(decode, entry, true, "required", NULL,
                               "%s needs at least one item", field->name);
    }
    bool is_known = decode->holes == holes; /* else what is missing may be what is wrong */
    size_t errors = decode->problems->errors;
    holes = decode->holes;
    if (schema->one_of && (given > 1 || (given == 0 && is_known)))
        decode_report(decode, value, value->key_line > 0, "one_of", NULL,
                      "needs exactly one of its fields");
    else if (schema->check != NULL && is_known)
        schema->check(decode, object, value);
    ok = ok && decode->problems->errors == errors;
    decode->holes = holes; /* the values are known, though they do not agree */
    if (schema->noun != NULL)
        decode->label[0] = '\0';
    return ok;
}

bool schema_decode(struct decode *decode, const struct schema *schema,
                   const struct value *value, void *object)
{
    static const struct value nothing = {.type = VALUE_MAP};
    if (value == NULL || value->type == VALUE_NULL) {
        struct value empty = nothing;
        if (value != NULL) {
            empty.line = value->line;
            empty.column = value->column;
        }
        return decode_struct(decode, schema, &empty, object);
    }
    if (value->type != VALUE_MAP) {
        schema_defaults(schema, object);
        return decode_report(decode, value, false, "bad_type", NULL, "must be a map");
    }
    return decode_struct(decode, schema, value, object);
}
