/* The files given to gwctl and where everything in them stands. */
#include "model/source.h"

#include <stdio.h>

void source_init(struct source *source)
{
    *source = (struct source){.file_count = 0};
    arena_init(&source->arena, 16 << 10, 0);
}

void source_deinit(struct source *source)
{
    if (source != NULL)
        arena_deinit(&source->arena);
}

bool source_add(struct source *source, struct slice file, struct slice text,
                struct problems *problems)
{
    struct source_file *entry =
        arena_grow(&source->arena, (void **)&source->files, &source->file_count,
                   &source->file_capacity, sizeof *entry);
    if (entry == NULL)
        return false;
    entry->name = arena_copy(&source->arena, file);
    entry->text = arena_copy(&source->arena, text);
    if (entry->text.data == NULL)
        entry->text = SLICE("");
    struct value *roots = yaml_read(&source->arena, entry->name, entry->text, problems);
    if (roots == NULL)
        return false;
    struct slice name = entry->name;
    for (struct value *v = roots->first; v != NULL; v = v->next) {
        struct source_object *object =
            arena_grow(&source->arena, (void **)&source->objects, &source->object_count,
                       &source->object_capacity, sizeof *object);
        if (object == NULL)
            return false;
        *object = (struct source_object){
            .file = name,
            .root = v,
            .kind = kind_by_name(value_text(v, "kind")),
            .name = value_text(value_get(v, "metadata"), "name"),
        };
    }
    return true;
}

bool source_substitute(struct source *source, const struct environment *environment,
                       struct problems *problems)
{
    bool ok = true;
    for (size_t i = 0; i < source->object_count; i++) {
        struct source_object *object = &source->objects[i];
        ok = environment_substitute(environment, &source->arena, object->file, object->root,
                                    problems) &&
             ok;
        object->name = value_text(value_get(object->root, "metadata"), "name");
    }
    return ok;
}

/* --- content ---------------------------------------------------------------------- */

struct loading {
    struct source *source;
    const struct source_object *object;
    source_read_fn read;
    void *context;
    const struct environment *environment;
    struct problems *problems;
    bool failed;
};

static void load_error(struct loading *loading, const struct value *at, const char *text)
{
    struct problem place = {
        .file = loading->object->file,
        .line = at->line,
        .column = at->column,
        .width = (uint32_t)at->text.size,
    };
    problems_add(loading->problems, &place, "bad_content", "%s", text);
    loading->failed = true;
}

/* RFC 3629, as JSON needs it. */
static bool is_utf8(struct slice text)
{
    for (size_t i = 0; i < text.size;) {
        unsigned char c = (unsigned char)text.data[i];
        size_t more = c < 0x80                ? 0
                      : c >= 0xc2 && c < 0xe0 ? 1
                      : c >= 0xe0 && c < 0xf0 ? 2
                      : c >= 0xf0 && c < 0xf5 ? 3
                                              : 9;
        if (more == 9 || i + more >= text.size + (more == 0))
            return false;
        for (size_t j = 1; j <= more; j++)
            if (((unsigned char)text.data[i + j] & 0xc0) != 0x80)
                return false;
        i += more + 1;
    }
    return true;
}

/* A literal "${" in content must come out as it went in. */
static struct slice escape(struct arena *arena, struct slice text)
{
    if (slice_find(text, SLICE("${")) == SIZE_MAX)
        return text;
    struct buffer out;
    buffer_init(&out, 0);
    for (size_t i = 0; i < text.size; i++) {
        if (slice_starts_with(slice_from(text, i), SLICE("${")))
            buffer_append_byte(&out, '$');
        buffer_append_byte(&out, text.data[i]);
    }
    struct slice copy =
        out.failed ? (struct slice){NULL, 0} : arena_copy(arena, buffer_slice(&out));
    buffer_deinit(&out);
    return copy;
}

static void load_blob(struct loading *loading, const struct field *field,
                      struct value *value)
{
    struct value *entry =
        value->type == VALUE_MAP && value->count == 1 ? value->first : NULL;
    if (entry == NULL || entry->type != VALUE_SCALAR)
        return; /* the decoder says what is wrong */
    bool is_file = slice_equal(entry->key, SLICE("file"));
    if (!is_file && !slice_equal(entry->key, SLICE("env")))
        return;
    if (field->type == FIELD_SECRET) {
        load_error(loading, entry, "sealing of secrets is not supported yet; use {sealed}");
        return;
    }
    struct slice content = {NULL, 0};
    struct error err;
    if (is_file) {
        if (loading->read == NULL ||
            !loading->read(loading->context, &loading->source->arena, loading->object->file,
                           entry->text, &content, &err)) {
            load_error(loading, entry,
                       loading->read == NULL ? "cannot read files" : err.text);
            return;
        }
    } else {
        char *name = arena_string(&loading->source->arena, entry->text);
        const char *text =
            loading->environment == NULL || name == NULL
                ? NULL
                : loading->environment->get(loading->environment->context, name);
        if (text == NULL) {
            load_error(loading, entry, "this environment variable is not set");
            return;
        }
        content = arena_copy(&loading->source->arena, slice_from_string(text));
    }
    if (!is_utf8(content)) {
        load_error(loading, entry, "the content is not UTF-8 text");
        return;
    }
    content = escape(&loading->source->arena, content);
    entry->key = SLICE("inline");
    entry->text = content.data == NULL ? SLICE("") : content;
    entry->quoted = true;
}

static void load(struct loading *loading, const struct schema *schema, struct value *map)
{
    if (map == NULL || map->type != VALUE_MAP)
        return;
    for (struct value *v = map->first; v != NULL; v = v->next) {
        const struct field *field = schema_field(schema, v->key, NULL);
        if (field == NULL)
            continue;
        bool is_blob = field->type == FIELD_BLOB || field->type == FIELD_SECRET;
        if (is_blob && field->shape == FIELD_ONE)
            load_blob(loading, field, v);
        else if (is_blob)
            for (struct value *w = v->first; w != NULL; w = w->next)
                load_blob(loading, field, w);
        else if (field->schema != NULL && field->shape == FIELD_ONE)
            load(loading, field->schema, v);
        else if (field->schema != NULL)
            for (struct value *w = v->first; w != NULL; w = w->next)
                load(loading, field->schema, w);
    }
}

bool source_load_content(struct source *source, source_read_fn read, void *context,
                         const struct environment *environment, struct problems *problems)
{
    struct loading loading = {.source = source,
                              .read = read,
                              .context = context,
                              .environment = environment,
                              .problems = problems};
    for (size_t i = 0; i < source->object_count; i++) {
        loading.object = &source->objects[i];
        const struct schema *schema = kind_schema(loading.object->kind);
        if (schema != NULL)
            load(&loading, schema, value_get(loading.object->root, "spec"));
    }
    return !loading.failed;
}

/* --- decoding and places -----------------------------------------------------------------
 */

bool source_decode(struct source *source, struct change *change, struct problems *problems)
{
    size_t errors = problems->errors;
    for (size_t i = 0; i < source->object_count; i++) {
        struct source_object *object = &source->objects[i];
        int32_t place = (int32_t)i + 1;
        const struct change_item *twin;
        change_decode_object(change, object->root, object->file, place, &twin, problems);
        if (twin == NULL)
            continue;
        const struct source_object *first = &source->objects[twin->place - 1];
        struct problem at = {.item = place, .path = SLICE("metadata.name")};
        problems_add(problems, &at, "duplicate_object",
                     "%s/%.*s is given twice, first at %.*s:%u", kind_name(twin->kind),
                     SLICE_ARG(twin->name), SLICE_ARG(first->file), first->root->line);
    }
    source_locate(source, problems);
    return problems->errors == errors;
}

void source_emit_objects(struct emit *emit, const struct source *source)
{
    emit_object(emit);
    emit_key(emit, "objects");
    emit_array(emit);
    for (size_t i = 0; i < source->object_count; i++)
        value_emit(emit, source->objects[i].root);
    emit_array_end(emit);
}

static const struct source_object *object_of(const struct source *source,
                                             const struct problem *problem)
{
    if (problem->item > 0 && (size_t)problem->item <= source->object_count)
        return &source->objects[problem->item - 1];
    size_t slash = slice_find_byte(problem->object, '/');
    if (slash == SIZE_MAX)
        return NULL;
    enum kind kind = kind_by_name(slice_sub(problem->object, 0, slash));
    struct slice name = slice_from(problem->object, slash + 1);
    for (size_t i = 0; i < source->object_count; i++)
        if (source->objects[i].kind == kind && slice_equal(source->objects[i].name, name))
            return &source->objects[i];
    return NULL;
}

/* What concerns a key, rather than its value, is placed at the key. */
static bool is_about_key(struct slice code)
{
    static const char *const codes[] = {
        "unknown_field", "reserved",    "no_effect", "required",
        "one_of",        "not_allowed", NULL};
    for (size_t i = 0; codes[i] != NULL; i++)
        if (slice_equal(code, slice_from_string(codes[i])))
            return true;
    return false;
}

static size_t rank_of(const struct source *source, const struct problem *problem)
{
    size_t i = 0;
    while (i < source->file_count && !slice_equal(source->files[i].name, problem->file))
        i++;
    return i;
}

static bool stands_after(const struct source *source, const struct problem *a,
                         const struct problem *b)
{
    if (!slice_equal(a->file, b->file))
        return rank_of(source, a) > rank_of(source, b);
    if (a->line != b->line) /* 0: no place, after all that have one */
        return a->line - 1 > b->line - 1;
    return a->column > b->column;
}

/* In place, stable; mostly in order already. */
static void sort(const struct source *source, struct problems *problems)
{
    for (size_t i = 1; i < problems->count; i++) {
        struct problem problem = problems->items[i];
        size_t at = i;
        while (at > 0 && stands_after(source, &problems->items[at - 1], &problem))
            at--;
        memmove(&problems->items[at + 1], &problems->items[at], (i - at) * sizeof problem);
        problems->items[at] = problem;
    }
}

void source_locate(const struct source *source, struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        struct problem *problem = &problems->items[i];
        const struct source_object *object =
            problem->line > 0 ? NULL : object_of(source, problem);
        if (object == NULL)
            continue;
        const struct value *value = value_at(object->root, problem->path);
        bool at_key = value->key_line > 0 &&
                      (value->type != VALUE_SCALAR || is_about_key(problem->code));
        problem->file = object->file;
        problem->line = at_key ? value->key_line : value->line;
        problem->column = at_key ? value->key_column : value->column;
        problem->width = (uint32_t)(at_key ? value->key.size
                                           : value->text.size + (value->quoted ? 2 : 0));
    }
    sort(source, problems);
}

static struct slice text_of(void *context, struct slice file)
{
    const struct source *source = context;
    for (size_t i = 0; i < source->file_count; i++)
        if (slice_equal(source->files[i].name, file))
            return source->files[i].text;
    return (struct slice){NULL, 0};
}

void source_print(const struct source *source, const struct problems *problems,
                  struct buffer *out)
{
    problems_print(problems, out, text_of, (void *)(uintptr_t)source);
    if (problems->errors > 0)
        buffer_printf(out, "%zu error%s; nothing applied\n", problems->errors,
                      problems->errors == 1 ? "" : "s");
}
