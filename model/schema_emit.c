/* From a struct to JSON, by its table: what was set, in the order of the table,
 * units in canonical form. What it writes decodes to the same struct. */
#include "model/schema.h"

#include "model/schema_private.h"
#include "model/units.h"

struct slice scalar_text(const struct field *field, const void *slot, char *out)
{
    switch ((enum field_type)field->type) {
    case FIELD_DURATION:
        duration_print(*(const uint64_t *)slot, out);
        break;
    case FIELD_SIZE:
        size_print(*(const uint64_t *)slot, out);
        break;
    case FIELD_RATE:
        rate_print(*(const struct rate *)slot, out);
        break;
    case FIELD_SHARE:
        share_print(*(const uint32_t *)slot, out);
        break;
    case FIELD_STATUS:
        status_print(*(const uint16_t *)slot, out);
        break;
    case FIELD_CIDR:
        cidr_print(slot, out);
        break;
    case FIELD_CHOICE: {
        const char *text = choice_text(field, *(const int *)slot);
        return text == NULL ? SLICE("") : slice_from_string(text);
    }
    default:
        return *(const struct slice *)slot;
    }
    return slice_from_string(out);
}

/* Outside templates a literal "${" is written "$${", as it was read. */
static void emit_escaped(struct emit *emit, struct slice text)
{
    if (slice_find(text, SLICE("${")) == SIZE_MAX) {
        emit_string(emit, text);
        return;
    }
    struct buffer out;
    buffer_init(&out, 0);
    for (size_t i = 0; i < text.size; i++) {
        if (slice_starts_with(slice_from(text, i), SLICE("${")))
            buffer_append_byte(&out, '$');
        buffer_append_byte(&out, text.data[i]);
    }
    if (out.failed)
        emit->buffer->failed = true;
    emit_string(emit, buffer_slice(&out));
    buffer_deinit(&out);
}

static void emit_blob(struct emit *emit, const struct field *field, const struct blob *blob)
{
    static const char *const names[] = {
        [BLOB_NONE] = NULL,       [BLOB_FILE] = "file",          [BLOB_ENV] = "env",
        [BLOB_SEALED] = "sealed", [BLOB_NODE_FILE] = "nodeFile", [BLOB_INLINE] = "inline",
    };
    emit_object(emit);
    if (blob->form != BLOB_NONE) {
        emit_key(emit, names[blob->form]);
        if (field->type == FIELD_SECRET && blob->form == BLOB_INLINE)
            emit_cstring(emit, "(secret)");
        else
            emit_escaped(emit, blob->value);
    }
    emit_object_end(emit);
}

static void emit_one(struct emit *emit, const struct field *field, const void *slot,
                     bool effective)
{
    char text[UNIT_TEXT_SIZE];
    switch ((enum field_type)field->type) {
    case FIELD_BOOL:
        emit_bool(emit, *(const bool *)slot);
        break;
    case FIELD_NUMBER:
        emit_i64(emit, *(const int64_t *)slot);
        break;
    case FIELD_PORT:
        emit_u64(emit, *(const uint16_t *)slot);
        break;
    case FIELD_STATUS:
        if (*(const uint16_t *)slot >= 100)
            emit_u64(emit, *(const uint16_t *)slot);
        else
            emit_string(emit, scalar_text(field, slot, text));
        break;
    case FIELD_BLOB:
    case FIELD_SECRET:
        emit_blob(emit, field, slot);
        break;
    case FIELD_STRUCT:
        schema_emit(emit, field->schema, slot, effective);
        break;
    case FIELD_SECTION:
        schema_emit(emit, field->schema, *(const void *const *)slot, effective);
        break;
    case FIELD_TEMPLATE:
        emit_string(emit, *(const struct slice *)slot);
        break;
    case FIELD_DURATION:
    case FIELD_SIZE:
    case FIELD_RATE:
    case FIELD_SHARE:
    case FIELD_CIDR:
    case FIELD_CHOICE:
        emit_string(emit, scalar_text(field, slot, text));
        break;
    default:
        emit_escaped(emit, *(const struct slice *)slot);
        break;
    }
}

static void emit_value(struct emit *emit, const struct field *field, const void *slot,
                       bool effective)
{
    const ARRAY(char) *run = slot;
    switch ((enum field_shape)field->shape) {
    case FIELD_ONE:
        emit_one(emit, field, slot, effective);
        break;
    case FIELD_LIST:
        emit_array(emit);
        for (size_t i = 0; i < run->count; i++)
            emit_one(emit, field, run->items + i * field->item_size, effective);
        emit_array_end(emit);
        break;
    case FIELD_MAP:
        emit_object(emit);
        for (size_t i = 0; i < run->count; i++) {
            const char *item = run->items + i * field->item_size;
            emit_key_slice(emit, *(const struct slice *)(const void *)item);
            emit_one(emit, field,
                     item + (field->type == FIELD_SECRET
                                 ? offsetof(struct secret_pair, value)
                                 : offsetof(struct pair, value)),
                     effective);
        }
        emit_object_end(emit);
        break;
    }
}

/* Whether the slot holds anything although it was not set: a default. */
static bool has_default(const struct field *field, const void *slot)
{
    if (field->shape != FIELD_ONE)
        return ((const ARRAY(char) *)slot)->count > 0;
    return field->initial != NULL || field->type == FIELD_STRUCT;
}

void schema_emit_field(struct emit *emit, const struct field *field, const void *object,
                       bool effective)
{
    emit_value(emit, field, (const char *)object + field->offset, effective);
}

static void emit_fields(struct emit *emit, const struct schema *schema, const void *object,
                        bool effective)
{
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        const void *slot = (const char *)object + field->offset;
        if (field->type == FIELD_INLINE) {
            emit_fields(emit, field->schema, slot, effective);
            continue;
        }
        bool shown =
            field_is_set(object, field->number) ||
            (effective && field->type != FIELD_RESERVED && has_default(field, slot));
        if (!shown)
            continue;
        emit_key(emit, field->name);
        emit_value(emit, field, slot, effective);
    }
}

void schema_emit(struct emit *emit, const struct schema *schema, const void *object,
                 bool effective)
{
    emit_object(emit);
    emit_fields(emit, schema, object, effective);
    emit_object_end(emit);
}
