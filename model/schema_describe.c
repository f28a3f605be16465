/* Help and reference from the tables: `gwctl schema`, docs/resources. */
#include "model/schema.h"

#include "model/schema_private.h"
#include "model/units.h"

#include <stdio.h>

static const char *const type_words[] = {
    [FIELD_BOOL] = "bool",         [FIELD_NUMBER] = "int",
    [FIELD_DURATION] = "dur",      [FIELD_SIZE] = "size",
    [FIELD_RATE] = "rate",         [FIELD_SHARE] = "share",
    [FIELD_STATUS] = "status",     [FIELD_CIDR] = "cidr",
    [FIELD_PORT] = "port",         [FIELD_STRING] = "string",
    [FIELD_HOST] = "host",         [FIELD_PATTERN] = "host",
    [FIELD_ADDRESS] = "host:port", [FIELD_BIND] = "address:port",
    [FIELD_URL] = "url",           [FIELD_TIME] = "time",
    [FIELD_REGEX] = "regex",       [FIELD_PATH] = "path",
    [FIELD_TOKEN] = "name",        [FIELD_HEADER] = "name",
    [FIELD_METHOD] = "METHOD",     [FIELD_TEMPLATE] = "string",
    [FIELD_BLOB] = "blob",         [FIELD_SECRET] = "secret",
    [FIELD_STRUCT] = "map",        [FIELD_SECTION] = "map",
    [FIELD_RESERVED] = "reserved",
};

void field_type_print(const struct field *field, struct buffer *out)
{
    if (field->shape == FIELD_LIST)
        buffer_append_byte(out, '[');
    if (field->shape == FIELD_MAP)
        buffer_printf(out, "{name: ");
    if (field->type == FIELD_REF)
        buffer_printf(out, "%s", kind_name((enum kind)field->ref));
    else if (field->values != NULL)
        for (int i = 0; field->values[i] != NULL; i++)
            buffer_printf(out, "%s%s", i > 0 ? "|" : "", field->values[i]);
    else
        buffer_printf(out, "%s", type_words[field->type]);
    if (field->shape == FIELD_LIST)
        buffer_append_byte(out, ']');
    if (field->shape == FIELD_MAP)
        buffer_append_byte(out, '}');
}

static void print_bounds(const struct field *field, struct buffer *out)
{
    if (field->min == 0 && field->max == 0)
        return;
    char low[UNIT_TEXT_SIZE], high[UNIT_TEXT_SIZE];
    int64_t bounds[2] = {field->min, field->max};
    char *texts[2] = {low, high};
    for (int i = 0; i < 2; i++) {
        if (field->type == FIELD_DURATION)
            duration_print((uint64_t)bounds[i], texts[i]);
        else if (field->type == FIELD_SIZE)
            size_print((uint64_t)bounds[i], texts[i]);
        else if (field->type == FIELD_SHARE)
            share_print((uint32_t)bounds[i], texts[i]);
        else
            snprintf(texts[i], UNIT_TEXT_SIZE, "%lld", (long long)bounds[i]);
    }
    buffer_printf(out, " %s to %s.", low, high);
}

static void describe(const struct schema *schema, struct buffer *out, unsigned depth)
{
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        if (field->type == FIELD_INLINE) {
            describe(field->schema, out, depth);
            continue;
        }
        buffer_printf(out, "%*s%s: ", (int)(2 * depth), "", field->name);
        field_type_print(field, out);
        if (field->required)
            buffer_append_byte(out, '!');
        if (field->initial != NULL)
            buffer_printf(out, " = %s", field->initial);
        if (field->help != NULL)
            buffer_printf(out, "  # %s", field->help);
        print_bounds(field, out);
        if (!field->honoured && field->type != FIELD_RESERVED)
            buffer_printf(out, " (no effect yet)");
        else if (field->honoured_only != NULL)
            buffer_printf(out, " (only %s has an effect yet)", field->honoured_only);
        buffer_append_byte(out, '\n');
        if (field->schema != NULL)
            describe(field->schema, out, depth + 1);
    }
}

enum result schema_describe(const struct schema *schema, struct slice path,
                            struct buffer *out, struct error *err)
{
    struct slice rest = path, part;
    const struct field *field = NULL;
    while (slice_next(&rest, '.', &part)) {
        if (field == NULL && slice_equal(part, SLICE("spec")))
            continue;
        field = schema_field(schema, part, NULL);
        if (field == NULL)
            return error_set(err, GW_NOT_FOUND, "%s has no field '%.*s'", schema->name,
                             SLICE_ARG(part));
        if (field->schema != NULL)
            schema = field->schema;
        else if (rest.size > 0)
            return error_set(err, GW_NOT_FOUND, "'%.*s' has no fields", SLICE_ARG(part));
    }
    if (field != NULL && field->schema == NULL) {
        const struct field rows[] = {*field, {.name = NULL}};
        const struct schema one = {.name = field->name, .fields = rows};
        describe(&one, out, 0);
        return out->failed ? error_set(err, GW_NO_MEMORY, "describe") : GW_OK;
    }
    buffer_printf(out, "%s", schema->name);
    if (schema->help != NULL)
        buffer_printf(out, ": %s", schema->help);
    buffer_append_byte(out, '\n');
    describe(schema, out, 1);
    return out->failed ? error_set(err, GW_NO_MEMORY, "describe") : GW_OK;
}

static void document_rows(const struct schema *schema, struct buffer *out,
                          const char *prefix)
{
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        if (field->type == FIELD_INLINE) {
            buffer_printf(out, "| `%s...` | | | any section of %s, inline |\n", prefix,
                          field->schema->name);
            continue;
        }
        char name[256];
        snprintf(name, sizeof name, "%s%s", prefix, field->name);
        buffer_printf(out, "| `%s`%s | ", name, field->required ? " **!**" : "");
        struct buffer type;
        buffer_init(&type, 0);
        field_type_print(field, &type);
        for (size_t i = 0; i < type.size; i++) {
            if (type.data[i] == '|')
                buffer_append_byte(out, '\\');
            buffer_append_byte(out, type.data[i]);
        }
        buffer_deinit(&type);
        buffer_printf(out, " | ");
        if (field->initial != NULL)
            buffer_printf(out, "`%s`", field->initial);
        buffer_printf(out, " | %s", field->help == NULL ? "" : field->help);
        print_bounds(field, out);
        if (!field->honoured && field->type != FIELD_RESERVED)
            buffer_printf(out, " *No effect yet.*");
        else if (field->honoured_only != NULL)
            buffer_printf(out, " *Only %s has an effect yet.*", field->honoured_only);
        buffer_printf(out, " |\n");
        if (field->schema == NULL)
            continue;
        char inner[280];
        snprintf(inner, sizeof inner, "%s%s.", name,
                 field->shape == FIELD_LIST ? "[]" : "");
        document_rows(field->schema, out, inner);
    }
}

void schema_document(struct buffer *out)
{
    buffer_printf(out, "# Resources\n\n"
                       "Every field of every kind, made from the schema tables. "
                       "**!**: required.\n");
    for (int i = 0; i < KIND_COUNT; i++) {
        const struct schema *schema = kind_schema((enum kind)i);
        buffer_printf(out, "\n## %s\n\n", kind_name((enum kind)i));
        if (schema == NULL) {
            buffer_printf(out, "Not supported yet.\n");
            continue;
        }
        buffer_printf(out,
                      "%s\n\n| field | type | default | |\n| --- | --- | --- | --- |\n",
                      schema->help == NULL ? "" : schema->help);
        document_rows(schema, out, "");
    }
}
