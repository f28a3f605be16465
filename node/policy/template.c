/* Parses templates into parts, and writes them.
 *
 * Writing asks for every value once and copies into one piece that grows in the
 * arena; values are few and short. */
#include "node/policy/template.h"

#include "base/buffer.h"

#include <ctype.h>

static const struct {
    const char *name;
    bool has_suffix, is_built;
} variables[] = {[TEMPLATE_LITERAL] = {"", false, true},
#define X(constant, text, suffix, built) [constant] = {text, suffix, built},
                 TEMPLATE_VARIABLES(X)
#undef X
};
#define VARIABLE_COUNT (sizeof variables / sizeof variables[0])

static bool variable_of(struct arena *arena, struct slice name, struct template_part *part)
{
    for (unsigned i = TEMPLATE_LITERAL + 1; i < VARIABLE_COUNT; i++) {
        struct slice wanted = slice_from_string(variables[i].name);
        part->variable = (uint8_t)i;
        if (!variables[i].has_suffix) {
            if (slice_equal(name, wanted))
                return true;
            continue;
        }
        if (!slice_starts_with(name, wanted) || name.size == wanted.size)
            continue;
        char *suffix = arena_string(arena, slice_from(name, wanted.size));
        if (suffix == NULL)
            return false;
        part->text = slice_of(suffix, name.size - wanted.size);
        if (i == TEMPLATE_HEADER)
            for (char *at = suffix; *at != '\0'; at++)
                *at = (char)tolower((unsigned char)*at);
        if (i == TEMPLATE_CAPTURE) {
            if (part->text.size != 1 || suffix[0] < '0' || suffix[0] > '9')
                return false;
            part->number = (uint8_t)(suffix[0] - '0');
        }
        return true;
    }
    return false;
}

struct parse {
    struct arena *arena;
    struct template_part *parts;
    size_t count, capacity;
    struct buffer literal;
    struct template *template;
};

static struct template_part *part_add(struct parse *parse)
{
    return arena_grow(parse->arena, (void **)&parse->parts, &parse->count, &parse->capacity,
                      sizeof *parse->parts);
}

static bool literal_end(struct parse *parse)
{
    if (parse->literal.failed)
        return false;
    if (parse->literal.size == 0)
        return true;
    struct template_part *part = part_add(parse);
    if (part == NULL)
        return false;
    part->text = arena_copy(parse->arena, buffer_slice(&parse->literal));
    buffer_reset(&parse->literal);
    return part->text.data != NULL;
}

static enum result parse_text(struct parse *parse, struct slice text, struct error *err)
{
    while (text.size > 0) {
        if (slice_starts_with(text, SLICE("$${"))) {
            buffer_append(&parse->literal, "${", 2);
            text = slice_from(text, 3);
            continue;
        }
        if (!slice_starts_with(text, SLICE("${"))) {
            buffer_append_byte(&parse->literal, text.data[0]);
            text = slice_from(text, 1);
            continue;
        }
        size_t end = slice_find_byte(text, '}');
        if (end == SIZE_MAX)
            return error_set(err, GW_INVALID, "'%.*s' has no closing '}'", SLICE_ARG(text));
        struct slice name = slice_sub(text, 2, end - 2);
        struct template_part found = {0};
        if (!variable_of(parse->arena, name, &found))
            return error_set(err, GW_INVALID, "unknown variable '${%.*s}'",
                             SLICE_ARG(name));
        struct template_part *part = NULL;
        if (!literal_end(parse) || (part = part_add(parse)) == NULL)
            return error_set(err, GW_NO_MEMORY, "compile a template");
        *part = found;
        if (found.variable == TEMPLATE_CAPTURE)
            parse->template->uses_captures = true;
        if (!variables[found.variable].is_built)
            parse->template->unbuilt = arena_copy(parse->arena, name);
        text = slice_from(text, end + 1);
    }
    if (!literal_end(parse))
        return error_set(err, GW_NO_MEMORY, "compile a template");
    return GW_OK;
}

enum result template_compile(struct arena *arena, struct slice text,
                             const struct template **ret_template, struct error *err)
{
    struct parse parse = {.arena = arena,
                          .template = arena_zalloc(arena, sizeof(struct template))};

    if (parse.template == NULL)
        return error_set(err, GW_NO_MEMORY, "compile a template");
    buffer_init(&parse.literal, 0);
    enum result result = parse_text(&parse, text, err);
    buffer_deinit(&parse.literal);
    if (result != GW_OK)
        return result;
    parse.template->parts = parse.parts;
    parse.template->count = (uint32_t)parse.count;
    *ret_template = parse.template;
    return GW_OK;
}

const struct template *template_of_parts(struct arena *arena,
                                         const struct template_part *parts, uint32_t count)
{
    struct template *template = arena_zalloc(arena, sizeof *template);
    struct template_part *copy = arena_alloc(arena, count * sizeof *copy);

    if (template == NULL || copy == NULL)
        return NULL;
    if (count > 0)
        memcpy(copy, parts, count * sizeof *copy);
    template->parts = copy;
    template->count = count;
    for (uint32_t i = 0; i < count; i++)
        if (parts[i].variable == TEMPLATE_CAPTURE)
            template->uses_captures = true;
    return template;
}

struct slice template_write(const struct template *template, template_value_fn value,
                            void *context, struct arena *arena)
{
    if (template->count == 0)
        return SLICE("");
    if (template->count == 1 && template->parts[0].variable == TEMPLATE_LITERAL)
        return template->parts[0].text;

    size_t size = 0, capacity = 128;
    char *out = arena_alloc(arena, capacity);
    for (uint32_t i = 0; i < template->count && out != NULL; i++) {
        const struct template_part *part = &template->parts[i];
        struct slice text =
            part->variable == TEMPLATE_LITERAL ? part->text : value(context, part);
        if (text.size > capacity - size) {
            size_t wanted = (size + text.size) * 2;
            char *moved = arena_alloc(arena, wanted);
            if (moved != NULL)
                memcpy(moved, out, size);
            out = moved;
            capacity = wanted;
        }
        if (out != NULL && text.size > 0)
            memcpy(out + size, text.data, text.size);
        size += text.size;
    }
    return out == NULL ? (struct slice){NULL, 0} : slice_of(out, size);
}
