/* From a struct to msgpack and back, by its table.
 *
 * A struct is a map from field numbers to what is set, in the table's order, so
 * equal structs give equal bytes. Choices travel as words: a list of values may
 * be reordered between versions. An unknown number or word is of a newer
 * version: it is skipped and counted, and the field keeps its default. */
#include "model/schema.h"

#include "model/schema_private.h"
#include "model/units.h"
#include "model/wire.h"

/* --- pack ------------------------------------------------------------------------ */

static void pack_one(struct buffer *out, const struct field *field, const void *slot)
{
    char text[UNIT_TEXT_SIZE];
    switch ((enum field_type)field->type) {
    case FIELD_BOOL:
        pack_bool(out, *(const bool *)slot);
        break;
    case FIELD_NUMBER:
        pack_i64(out, *(const int64_t *)slot);
        break;
    case FIELD_DURATION:
    case FIELD_SIZE:
        pack_u64(out, *(const uint64_t *)slot);
        break;
    case FIELD_RATE:
        pack_array(out, 2);
        pack_u64(out, ((const struct rate *)slot)->count);
        pack_u64(out, ((const struct rate *)slot)->per_ms);
        break;
    case FIELD_SHARE:
        pack_u64(out, *(const uint32_t *)slot);
        break;
    case FIELD_STATUS:
    case FIELD_PORT:
        pack_u64(out, *(const uint16_t *)slot);
        break;
    case FIELD_BLOB:
    case FIELD_SECRET:
        pack_array(out, 2);
        pack_u64(out, (uint64_t)((const struct blob *)slot)->form);
        pack_bytes(out, ((const struct blob *)slot)->value);
        break;
    case FIELD_STRUCT:
        schema_pack(out, field->schema, slot);
        break;
    case FIELD_SECTION:
        schema_pack(out, field->schema, *(const void *const *)slot);
        break;
    default:
        pack_text(out, scalar_text(field, slot, text));
        break;
    }
}

static void pack_value(struct buffer *out, const struct field *field, const void *slot)
{
    const ARRAY(char) *run = slot;
    if (field->type == FIELD_INLINE) {
        schema_pack(out, field->schema, slot);
        return;
    }
    if (field->shape == FIELD_ONE) {
        pack_one(out, field, slot);
        return;
    }
    if (field->shape == FIELD_LIST)
        pack_array(out, run->count);
    else
        pack_map(out, run->count);
    for (size_t i = 0; i < run->count; i++) {
        const char *item = run->items + i * field->item_size;
        if (field->shape == FIELD_MAP) {
            pack_text(out, *(const struct slice *)(const void *)item);
            item += field->type == FIELD_SECRET ? offsetof(struct secret_pair, value)
                                                : offsetof(struct pair, value);
        }
        pack_one(out, field, item);
    }
}

void schema_pack(struct buffer *out, const struct schema *schema, const void *object)
{
    size_t count = 0;
    for (const struct field *field = schema->fields; field->name != NULL; field++)
        count += field_is_set(object, field->number);
    pack_map(out, count);
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        if (!field_is_set(object, field->number))
            continue;
        pack_u64(out, field->number);
        pack_value(out, field, (const char *)object + field->offset);
    }
}

/* --- unpack ------------------------------------------------------------------------ */

struct unpack {
    struct arena *arena;
    struct wire wire;
    size_t unknown;
    bool no_memory;
};

static bool unpack_struct(struct unpack *unpack, const struct schema *schema, void *object);

static bool take_u64(struct unpack *unpack, uint64_t max, uint64_t *ret_value)
{
    uint64_t value;
    if (!wire_read_u64(&unpack->wire, &value))
        return false;
    if (value > max) {
        unpack->wire.failed = true;
        return false;
    }
    *ret_value = value;
    return true;
}

static bool take_text(struct unpack *unpack, struct slice *slot)
{
    struct slice text;
    if (!wire_read_string(&unpack->wire, &text))
        return false;
    struct slice copy = arena_copy(unpack->arena, text);
    if (copy.data == NULL) {
        if (text.size > 0) {
            unpack->no_memory = true;
            return false;
        }
        copy = SLICE("");
    }
    *slot = copy;
    return true;
}

/* Sets *ret_known to false for a word of a newer version. */
static bool unpack_scalar(struct unpack *unpack, const struct field *field, void *slot,
                          bool *ret_known)
{
    struct wire *wire = &unpack->wire;
    uint64_t number;
    size_t count;
    struct slice text;
    switch ((enum field_type)field->type) {
    case FIELD_BOOL:
        return wire_read_bool(wire, slot);
    case FIELD_NUMBER:
        return wire_read_i64(wire, slot);
    case FIELD_DURATION:
    case FIELD_SIZE:
        return take_u64(unpack, UINT64_MAX, slot);
    case FIELD_RATE: {
        struct rate rate;
        if (!wire_read_array(wire, &count) || count != 2 ||
            !wire_read_u64(wire, &rate.count) || !wire_read_u64(wire, &rate.per_ms) ||
            rate.per_ms == 0)
            break;
        *(struct rate *)slot = rate;
        return true;
    }
    case FIELD_SHARE:
        if (!take_u64(unpack, UINT32_MAX, &number))
            return false;
        *(uint32_t *)slot = (uint32_t)number;
        return true;
    case FIELD_STATUS:
    case FIELD_PORT:
        if (!take_u64(unpack, UINT16_MAX, &number))
            return false;
        *(uint16_t *)slot = (uint16_t)number;
        return true;
    case FIELD_CIDR:
        if (!wire_read_string(wire, &text) || !cidr_parse(text, slot))
            break;
        return true;
    case FIELD_CHOICE:
        if (!wire_read_string(wire, &text))
            return false;
        for (int i = 0; field->values[i] != NULL; i++)
            if (slice_equal(text, slice_from_string(field->values[i]))) {
                *(int *)slot = i;
                return true;
            }
        *ret_known = false;
        return true;
    case FIELD_BLOB:
    case FIELD_SECRET: {
        struct blob *blob = slot;
        if (!wire_read_array(wire, &count) || count != 2 ||
            !take_u64(unpack, BLOB_INLINE, &number) || !take_text(unpack, &blob->value))
            break;
        blob->form = (int)number;
        return true;
    }
    default:
        return take_text(unpack, slot);
    }
    wire->failed = true;
    return false;
}

static bool unpack_one(struct unpack *unpack, const struct field *field, void *slot,
                       bool *ret_known)
{
    if (field->type == FIELD_STRUCT || field->type == FIELD_INLINE)
        return unpack_struct(unpack, field->schema, slot);
    if (field->type != FIELD_SECTION)
        return unpack_scalar(unpack, field, slot, ret_known);
    void *section = arena_alloc(unpack->arena, field->schema->size);
    if (section == NULL) {
        unpack->no_memory = true;
        return false;
    }
    if (!unpack_struct(unpack, field->schema, section))
        return false;
    *(void **)slot = section;
    return true;
}

/* The run grows as items are read: a claimed count alone takes no memory. */
static bool unpack_run(struct unpack *unpack, const struct field *field, void *slot)
{
    void *items = NULL;
    size_t count, done = 0, capacity = 0;
    if (field->shape == FIELD_LIST ? !wire_read_array(&unpack->wire, &count)
                                   : !wire_read_map(&unpack->wire, &count))
        return false;
    if (count > LIST_ITEMS_MAX) {
        unpack->wire.failed = true;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        char *item = arena_grow(unpack->arena, &items, &done, &capacity, field->item_size);
        if (item == NULL) {
            unpack->no_memory = true;
            return false;
        }
        void *content = item;
        if (field->shape == FIELD_MAP) {
            if (!take_text(unpack, (struct slice *)(void *)item))
                return false;
            content =
                item + (field->type == FIELD_SECRET ? offsetof(struct secret_pair, value)
                                                    : offsetof(struct pair, value));
        }
        bool known = true;
        if (!unpack_one(unpack, field, content, &known))
            return false;
        if (!known) { /* one value of a newer version: leave it out of the list */
            unpack->unknown++;
            done--;
        }
    }
    ARRAY(char) *run = slot;
    run->items = items;
    run->count = done;
    return true;
}

static bool unpack_struct(struct unpack *unpack, const struct schema *schema, void *object)
{
    size_t count;
    schema_defaults(schema, object);
    if (!wire_read_map(&unpack->wire, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        uint64_t number;
        if (!wire_read_u64(&unpack->wire, &number))
            return false;
        const struct field *field = schema->fields;
        while (field->name != NULL && field->number != number)
            field++;
        if (field->name == NULL || field->type == FIELD_RESERVED) {
            unpack->unknown++;
            if (!wire_skip(&unpack->wire, NULL))
                return false;
            continue;
        }
        if (field_is_set(object, field->number)) { /* a number twice */
            unpack->wire.failed = true;
            return false;
        }
        bool known = true;
        void *slot = (char *)object + field->offset;
        if (field->shape == FIELD_ONE ? !unpack_one(unpack, field, slot, &known)
                                      : !unpack_run(unpack, field, slot))
            return false;
        if (known)
            *(uint64_t *)object |= (uint64_t)1 << field->number;
        else
            unpack->unknown++;
    }
    return true;
}

enum result schema_unpack(struct arena *arena, const struct schema *schema,
                          struct slice bytes, void *object, size_t *ret_unknown,
                          struct error *err)
{
    struct unpack unpack = {.arena = arena};
    wire_init(&unpack.wire, bytes);
    if (!unpack_struct(&unpack, schema, object)) {
        if (unpack.no_memory)
            return error_set(err, GW_NO_MEMORY, "unpack %s", schema->name);
        return error_set(err, GW_DAMAGED, "unpack %s: malformed at byte %zu of %zu",
                         schema->name, bytes.size - unpack.wire.rest.size, bytes.size);
    }
    if (unpack.wire.rest.size > 0)
        return error_set(err, GW_DAMAGED, "unpack %s: %zu bytes too many", schema->name,
                         unpack.wire.rest.size);
    if (ret_unknown != NULL)
        *ret_unknown = unpack.unknown;
    return GW_OK;
}
