/* Building, packing and printing resources.
 *
 * A record's value: [format, created, updated, by, labels, annotations, spec].
 * More elements, of a newer version, are passed over. */
#include "model/resource.h"

#include "base/instant.h"
#include "model/rows.h"
#include "model/units.h"
#include "model/wire.h"

#include <stdio.h>
#include <stdlib.h>

#define RECORD_FORMAT   1
#define RECORD_ELEMENTS 7
#define ARENA_LIMIT     ((size_t)128 << 20)
#define ANNOTATIONS_MAX 4096 /* bytes in all */

/* --- metadata, by the same machine ---------------------------------------------- */

struct metadata {
    uint64_t set;
    struct slice name;
    ARRAY(struct pair) labels;
    ARRAY(struct pair) annotations;
    struct slice ignored[5];
};

static const struct field metadata_fields[] = {
    STRING(1, struct metadata, name, "name", .required = true, HONOURED,
           .check = name_is_valid,
           .expected = "a name (lower-case letters, digits, '-', 63 at most)"),
    MAP(STRING, 2, struct metadata, labels, "labels", HONOURED),
    MAP(STRING, 3, struct metadata, annotations, "annotations", HONOURED),
    /* The server's: printed by get, ignored by apply. */
    STRING(4, struct metadata, ignored[0], "revision", HONOURED),
    STRING(5, struct metadata, ignored[1], "createdAt", HONOURED),
    STRING(6, struct metadata, ignored[2], "updatedAt", HONOURED),
    STRING(7, struct metadata, ignored[3], "updatedBy", HONOURED),
    STRING(8, struct metadata, ignored[4], "createRevision", HONOURED),
    END,
};

static void check_metadata(struct decode *decode, const void *object,
                           const struct value *value)
{
    const struct metadata *metadata = object;
    size_t bytes = 0;
    if (metadata->labels.count > RESOURCE_LABELS_MAX)
        decode_error(decode, value, "labels", "too_many", "has more than %d labels",
                     RESOURCE_LABELS_MAX);
    for (size_t i = 0; i < metadata->labels.count; i++) {
        struct pair *label = &metadata->labels.items[i];
        if (label->name.size > 253 || label->value.size > 253)
            decode_error(decode, value, "labels", "too_large",
                         "a label's name or value is longer than 253 bytes");
    }
    for (size_t i = 0; i < metadata->annotations.count; i++)
        bytes += metadata->annotations.items[i].name.size +
                 metadata->annotations.items[i].value.size;
    if (bytes > ANNOTATIONS_MAX)
        decode_error(decode, value, "annotations", "too_large", "are larger than 4 KiB");
}
SCHEMA(metadata_schema, struct metadata, "metadata", .fields = metadata_fields,
       .check = check_metadata);

/* --- life ---------------------------------------------------------------------------- */

static struct resource *resource_new(enum kind kind)
{
    struct resource *resource = calloc(1, sizeof *resource);
    if (resource == NULL)
        return NULL;
    resource->kind = kind;
    resource->references = 1;
    arena_init(&resource->arena, kind_schema(kind)->size + 1024, ARENA_LIMIT);
    return resource;
}

struct resource *resource_ref(const struct resource *resource)
{
    /* The count is the only part of a shared resource that changes. */
    struct resource *mine = (struct resource *)(uintptr_t)resource;
    __atomic_add_fetch(&mine->references, 1, __ATOMIC_RELAXED);
    return mine;
}

void resource_unref(const struct resource *resource)
{
    struct resource *mine = (struct resource *)(uintptr_t)resource;
    if (mine == NULL || __atomic_sub_fetch(&mine->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    arena_deinit(&mine->arena);
    free(mine);
}

static bool set_name(struct resource *resource, struct slice name)
{
    resource->key = arena_printf(&resource->arena, "%s/%.*s", kind_word(resource->kind),
                                 SLICE_ARG(name));
    if (resource->key.data == NULL)
        return false;
    resource->name = slice_from(resource->key, strlen(kind_word(resource->kind)) + 1);
    return true;
}

/* --- from a document ---------------------------------------------------------------------
 */

static bool root_error(const struct value *at, bool at_key, struct slice file, int32_t item,
                       struct problems *problems, const char *code, const char *hint,
                       const char *path, const char *text)
{
    struct problem place = {
        .file = file,
        .line = at_key && at->key_line > 0 ? at->key_line : at->line,
        .column = at_key && at->key_line > 0 ? at->key_column : at->column,
        .width = (uint32_t)(at_key && at->key_line > 0 ? at->key.size : at->text.size),
        .path = slice_from_string(path),
        .hint = slice_from_string(hint),
        .item = item,
    };
    problems_add(problems, &place, code, "%s", text);
    return false;
}

static bool check_root(const struct value *root, struct slice file, int32_t item,
                       struct problems *problems)
{
    static const char *const known[] = {"apiVersion", "kind",   "metadata", "spec",
                                        "status",     "source", NULL};
    bool ok = true;
    char text[160], hint[64];
    for (const struct value *v = root->first; v != NULL; v = v->next) {
        const char *best = NULL;
        size_t nearest = 4;
        for (size_t i = 0; known[i] != NULL; i++) {
            struct slice name = slice_from_string(known[i]);
            size_t distance = slice_equal(v->key, name) ? 0
                              : slice_equal_nocase(v->key, name)
                                  ? 1
                                  : slice_distance(v->key, name, 3);
            if (distance < nearest) {
                nearest = distance;
                best = known[i];
            }
        }
        if (nearest == 0)
            continue;
        snprintf(text, sizeof text, "unknown field '%.*s' in the object",
                 v->key.size > 80 ? 80 : (int)v->key.size, v->key.data);
        snprintf(hint, sizeof hint, "did you mean '%s'?", best == NULL ? "" : best);
        ok = root_error(v, true, file, item, problems, "unknown_field",
                        best == NULL ? NULL : hint, "", text);
    }
    const struct value *version = value_get(root, "apiVersion");
    if (version == NULL)
        ok = root_error(root, false, file, item, problems, "required", NULL, "apiVersion",
                        "apiVersion is required (gw/v1)");
    else if (!slice_equal(version->text, SLICE(GW_API_VERSION)))
        ok = root_error(version, false, file, item, problems, "bad_value", NULL,
                        "apiVersion", "apiVersion must be gw/v1");
    return ok;
}

static enum kind read_kind(const struct value *root, struct slice file, int32_t item,
                           struct problems *problems)
{
    const struct value *value = value_get(root, "kind");
    char text[160], hint[64];
    if (value == NULL || value->type != VALUE_SCALAR) {
        root_error(root, false, file, item, problems, "required", NULL, "kind",
                   "kind is required");
        return KIND_NONE;
    }
    for (int i = 0; i < KIND_COUNT; i++) {
        if (!slice_equal(value->text, slice_from_string(kind_name((enum kind)i))))
            continue;
        if (kind_is_supported((enum kind)i))
            return (enum kind)i;
        snprintf(text, sizeof text, "kind %s is not supported yet",
                 kind_name((enum kind)i));
        root_error(value, false, file, item, problems, "unsupported_kind", NULL, "kind",
                   text);
        return KIND_NONE;
    }
    const char *nearest = kind_suggest(value->text);
    snprintf(hint, sizeof hint, "did you mean '%s'?", nearest == NULL ? "" : nearest);
    snprintf(text, sizeof text, "unknown kind '%.*s'",
             value->text.size > 80 ? 80 : (int)value->text.size, value->text.data);
    root_error(value, false, file, item, problems, "unknown_kind",
               nearest == NULL ? NULL : hint, "kind", text);
    return KIND_NONE;
}

static bool decode_part(struct decode *decode, const struct schema *schema,
                        const struct value *root, const char *part, void *object)
{
    const struct value *value = value_get(root, part);
    struct value missing = {.type = VALUE_MAP, .line = root->line, .column = root->column};
    decode->path_size = (size_t)snprintf(decode->path, sizeof decode->path, "%s", part);
    return schema_decode(decode, schema, value == NULL ? &missing : value, object);
}

struct resource *resource_decode_broken(const struct value *root, struct slice file,
                                        int32_t item, struct problems *problems)
{
    if (root->type != VALUE_MAP) {
        root_error(root, false, file, item, problems, "bad_type", NULL, "",
                   "an object must be a map with apiVersion, kind, metadata and spec");
        return NULL;
    }
    bool ok = check_root(root, file, item, problems);
    enum kind kind = read_kind(root, file, item, problems);
    if (kind == KIND_NONE)
        return NULL;
    const struct schema *schema = kind_schema(kind);
    struct resource *resource = resource_new(kind);
    void *spec = resource == NULL ? NULL : arena_alloc(&resource->arena, schema->size);
    if (spec == NULL) {
        root_error(root, false, file, item, problems, "no_memory", NULL, "",
                   "out of memory");
        resource_unref(resource);
        return NULL;
    }
    char object[160];
    struct slice name = value_text(value_get(root, "metadata"), "name");
    snprintf(object, sizeof object, "%s/%.*s", kind_name(kind),
             name.size > 80 ? 80 : (int)name.size, name.data);
    if (name.size == 0)
        snprintf(object, sizeof object, "%s", kind_name(kind));
    struct decode decode = {
        .arena = &resource->arena,
        .problems = problems,
        .file = file,
        .object = slice_from_string(object),
        .item = item,
    };
    struct metadata metadata;
    ok = decode_part(&decode, &metadata_schema, root, "metadata", &metadata) && ok;
    decode.holes = 0;
    ok = decode_part(&decode, schema, root, "spec", spec) && ok;
    if (metadata.name.size == 0) /* invalid: for messages alone */
        metadata.name = slice_sub(name, 0, 80);
    if (!set_name(resource, metadata.name)) {
        root_error(root, false, file, item, problems, "no_memory", NULL, "",
                   "out of memory");
        resource_unref(resource);
        return NULL;
    }
    resource->is_broken = !ok;
    resource->has_holes = decode.holes > 0;
    resource->labels.items = metadata.labels.items;
    resource->labels.count = metadata.labels.count;
    resource->annotations.items = metadata.annotations.items;
    resource->annotations.count = metadata.annotations.count;
    resource->spec = spec;
    return resource;
}

struct resource *resource_decode(const struct value *root, struct slice file, int32_t item,
                                 struct problems *problems)
{
    struct resource *resource = resource_decode_broken(root, file, item, problems);
    if (resource == NULL || !resource->is_broken)
        return resource;
    resource_unref(resource);
    return NULL;
}

void resource_stamp(struct resource *resource, const struct resource *old, uint64_t now_ms,
                    struct slice by)
{
    resource->created_ms = old != NULL ? old->created_ms : now_ms;
    resource->create_revision = old != NULL ? old->create_revision : 0;
    resource->mod_revision = old != NULL ? old->mod_revision : 0;
    resource->updated_ms = now_ms;
    resource->updated_by = arena_copy(&resource->arena, by);
}

static bool pairs_equal(const struct pair *a, size_t a_count, const struct pair *b,
                        size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (!slice_equal(a[i].name, b[i].name) || !slice_equal(a[i].value, b[i].value))
            return false;
    return true;
}

bool resource_equal(const struct resource *a, const struct resource *b)
{
    return a->kind == b->kind &&
           pairs_equal(a->labels.items, a->labels.count, b->labels.items,
                       b->labels.count) &&
           pairs_equal(a->annotations.items, a->annotations.count, b->annotations.items,
                       b->annotations.count) &&
           schema_equal(kind_schema(a->kind), a->spec, b->spec);
}

/* --- records ----------------------------------------------------------------------------
 */

static void pack_pairs(struct buffer *out, const struct pair *pairs, size_t count)
{
    pack_map(out, count);
    for (size_t i = 0; i < count; i++) {
        pack_text(out, pairs[i].name);
        pack_text(out, pairs[i].value);
    }
}

void resource_pack(struct buffer *out, const struct resource *resource)
{
    if (resource->is_broken) {
        out->failed = true;
        return;
    }
    pack_array(out, RECORD_ELEMENTS);
    pack_u64(out, RECORD_FORMAT);
    pack_u64(out, resource->created_ms);
    pack_u64(out, resource->updated_ms);
    pack_text(out, resource->updated_by);
    pack_pairs(out, resource->labels.items, resource->labels.count);
    pack_pairs(out, resource->annotations.items, resource->annotations.count);
    schema_pack(out, kind_schema(resource->kind), resource->spec);
}

static bool unpack_pairs(struct arena *arena, struct wire *wire, struct pair **ret_pairs,
                         size_t *ret_count)
{
    size_t count, done = 0, capacity = 0;
    void *pairs = NULL;
    if (!wire_read_map(wire, &count) || count > LIST_ITEMS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct slice name, value;
        struct pair *pair = arena_grow(arena, &pairs, &done, &capacity, sizeof *pair);
        if (pair == NULL || !wire_read_string(wire, &name) ||
            !wire_read_string(wire, &value))
            return false;
        pair->name = arena_copy(arena, name);
        pair->value = arena_copy(arena, value);
    }
    *ret_pairs = pairs;
    *ret_count = done;
    return true;
}

static bool unpack(struct resource *resource, void *spec, struct slice value,
                   struct error *err)
{
    struct wire wire;
    size_t elements;
    uint64_t format;
    struct slice by, bytes;
    wire_init(&wire, value);
    if (!wire_read_array(&wire, &elements) || elements < RECORD_ELEMENTS ||
        !wire_read_u64(&wire, &format) || format != RECORD_FORMAT ||
        !wire_read_u64(&wire, &resource->created_ms) ||
        !wire_read_u64(&wire, &resource->updated_ms) || !wire_read_string(&wire, &by) ||
        !unpack_pairs(&resource->arena, &wire, &resource->labels.items,
                      &resource->labels.count) ||
        !unpack_pairs(&resource->arena, &wire, &resource->annotations.items,
                      &resource->annotations.count) ||
        !wire_skip(&wire, &bytes)) {
        error_set(err, GW_DAMAGED, "malformed record");
        return false;
    }
    for (size_t i = RECORD_ELEMENTS; i < elements; i++)
        if (!wire_skip(&wire, NULL))
            break;
    if (wire.failed || wire.rest.size > 0) {
        error_set(err, GW_DAMAGED, "malformed end of record");
        return false;
    }
    resource->updated_by = arena_copy(&resource->arena, by);
    return schema_unpack(&resource->arena, kind_schema(resource->kind), bytes, spec, NULL,
                         err) == GW_OK;
}

struct resource *resource_unpack(struct slice key, struct slice value,
                                 uint64_t create_revision, uint64_t mod_revision,
                                 struct error *err)
{
    enum kind kind;
    struct slice name;
    if (!resource_key_parse(key, &kind, &name) || !kind_is_supported(kind)) {
        error_set(err, GW_DAMAGED, "record '%.*s' is no resource", SLICE_ARG(key));
        return NULL;
    }
    struct resource *resource = resource_new(kind);
    void *spec =
        resource == NULL ? NULL : arena_alloc(&resource->arena, kind_schema(kind)->size);
    if (spec == NULL || !set_name(resource, name)) {
        error_set(err, GW_NO_MEMORY, "unpack '%.*s'", SLICE_ARG(key));
        resource_unref(resource);
        return NULL;
    }
    if (!unpack(resource, spec, value, err)) {
        error_wrap(err, "unpack '%.*s'", SLICE_ARG(key));
        resource_unref(resource);
        return NULL;
    }
    resource->spec = spec;
    resource->create_revision = create_revision;
    resource->mod_revision = mod_revision;
    return resource;
}

/* --- to JSON
 * ------------------------------------------------------------------------------ */

static void emit_pairs(struct emit *emit, const char *key, const struct pair *pairs,
                       size_t count)
{
    if (count == 0)
        return;
    emit_key(emit, key);
    emit_object(emit);
    for (size_t i = 0; i < count; i++) {
        emit_key_slice(emit, pairs[i].name);
        emit_string(emit, pairs[i].value);
    }
    emit_object_end(emit);
}

static void emit_time(struct emit *emit, const char *key, uint64_t wall_ms)
{
    char text[INSTANT_TEXT_SIZE];
    instant_format(wall_ms, text);
    emit_key(emit, key);
    emit_cstring(emit, text);
}

void resource_emit(struct emit *emit, const struct resource *resource,
                   enum resource_view view)
{
    emit_object(emit);
    emit_key(emit, "apiVersion");
    emit_cstring(emit, GW_API_VERSION);
    emit_key(emit, "kind");
    emit_cstring(emit, kind_name(resource->kind));
    emit_key(emit, "metadata");
    emit_object(emit);
    emit_key(emit, "name");
    emit_string(emit, resource->name);
    emit_pairs(emit, "labels", resource->labels.items, resource->labels.count);
    emit_pairs(emit, "annotations", resource->annotations.items,
               resource->annotations.count);
    if (view != RESOURCE_EXPORT) {
        emit_key(emit, "revision");
        emit_u64_string(emit, resource->mod_revision);
        emit_key(emit, "createRevision");
        emit_u64_string(emit, resource->create_revision);
        emit_time(emit, "createdAt", resource->created_ms);
        emit_time(emit, "updatedAt", resource->updated_ms);
        emit_key(emit, "updatedBy");
        emit_string(emit, resource->updated_by);
    }
    emit_object_end(emit);
    emit_key(emit, "spec");
    schema_emit(emit, kind_schema(resource->kind), resource->spec,
                view == RESOURCE_EFFECTIVE);
    emit_object_end(emit);
}

struct value *resource_value(struct arena *arena, const struct resource *resource)
{
    struct buffer buffer;
    struct emit emit;
    struct error err;
    buffer_init(&buffer, 0);
    emit_init(&emit, &buffer, false);
    resource_emit(&emit, resource, RESOURCE_EXPORT);
    struct value *value =
        buffer.failed ? NULL : json_read(arena, buffer_slice(&buffer), &err);
    buffer_deinit(&buffer);
    return value;
}

/* --- keys and selectors
 * ----------------------------------------------------------------------- */

bool resource_key(enum kind kind, struct slice name, char *out)
{
    struct slice word = slice_from_string(kind_word(kind));
    if (word.size + 1 + name.size >= RESOURCE_KEY_MAX)
        return false;
    memcpy(out, word.data, word.size);
    out[word.size] = '/';
    if (name.size > 0)
        memcpy(out + word.size + 1, name.data, name.size);
    out[word.size + 1 + name.size] = '\0';
    return true;
}

bool resource_key_parse(struct slice key, enum kind *ret_kind, struct slice *ret_name)
{
    size_t slash = slice_find_byte(key, '/');
    if (slash == SIZE_MAX)
        return false;
    struct slice word = slice_sub(key, 0, slash), name = slice_from(key, slash + 1);
    for (int i = 0; i < KIND_COUNT; i++)
        if (slice_equal(word, slice_from_string(kind_word((enum kind)i)))) {
            *ret_kind = (enum kind)i;
            *ret_name = name;
            return name_is_valid(name);
        }
    return false;
}

/* One term off the front: name, wanted value, and what kind of term it is. */
enum term { TERM_EQUAL, TERM_DIFFERENT, TERM_PRESENT, TERM_ABSENT, TERM_BAD };

static enum term next_term(struct slice *rest, struct slice *ret_name,
                           struct slice *ret_value)
{
    struct slice term;
    *ret_name = *ret_value = SLICE("");
    if (!slice_next(rest, ',', &term))
        return TERM_BAD;
    term = slice_trim(term);
    size_t sign = slice_find_byte(term, '=');
    enum term type = TERM_PRESENT;
    *ret_value = SLICE("");
    if (sign != SIZE_MAX) {
        bool different = sign > 0 && term.data[sign - 1] == '!';
        struct slice value = slice_from(term, sign + 1);
        if (value.size > 0 && value.data[0] == '=')
            value = slice_from(value, 1);
        *ret_value = slice_trim(value);
        type = different ? TERM_DIFFERENT : TERM_EQUAL;
        term = slice_trim(slice_sub(term, 0, sign - different));
    } else if (term.size > 0 && term.data[0] == '!') {
        type = TERM_ABSENT;
        term = slice_trim(slice_from(term, 1));
    }
    *ret_name = term;
    return term.size == 0 ? TERM_BAD : type;
}

bool selector_is_valid(struct slice selector)
{
    struct slice name, value;
    if (slice_is_empty(selector))
        return false;
    while (selector.size > 0)
        if (next_term(&selector, &name, &value) == TERM_BAD)
            return false;
    return true;
}

bool selector_matches(struct slice selector, const struct resource *resource)
{
    struct slice name, value;
    while (selector.size > 0) {
        enum term type = next_term(&selector, &name, &value);
        const struct pair *label = NULL;
        for (size_t i = 0; i < resource->labels.count; i++)
            if (slice_equal(resource->labels.items[i].name, name))
                label = &resource->labels.items[i];
        bool equal = label != NULL && slice_equal(label->value, value);
        bool holds = type == TERM_EQUAL       ? equal
                     : type == TERM_DIFFERENT ? !equal
                     : type == TERM_PRESENT   ? label != NULL
                     : type == TERM_ABSENT    ? label == NULL
                                              : false;
        if (!holds)
            return false;
    }
    return true;
}
