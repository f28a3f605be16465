/* Collecting problems, and printing them as compilers do. */
#include "model/problems.h"

#include "model/value.h"

#include <stdio.h>

void problems_init(struct problems *problems)
{
    *problems = (struct problems){.errors = 0};
    arena_init(&problems->arena, 0, 0);
    table_init(&problems->seen);
}

void problems_deinit(struct problems *problems)
{
    if (problems == NULL)
        return;
    table_deinit(&problems->seen);
    arena_deinit(&problems->arena);
}

static void add(struct problems *problems, const struct problem *place, bool is_warning,
                const char *code, struct slice message)
{
    size_t kept_warnings =
        problems->warnings < WARNINGS_MAX ? problems->warnings : WARNINGS_MAX;
    size_t kept_errors = problems->count - kept_warnings;
    if (is_warning ? problems->warnings++ >= WARNINGS_MAX
                   : (problems->errors++, kept_errors >= PROBLEMS_MAX))
        return;
    struct problem *problem =
        arena_grow(&problems->arena, (void **)&problems->items, &problems->count,
                   &problems->capacity, sizeof *problem);
    if (problem == NULL)
        return;
    if (place != NULL) {
        *problem = *place;
        problem->file = arena_copy(&problems->arena, place->file);
        problem->object = arena_copy(&problems->arena, place->object);
        problem->path = arena_copy(&problems->arena, place->path);
        problem->hint = arena_copy(&problems->arena, place->hint);
    }
    problem->is_warning = is_warning;
    problem->code = arena_copy(&problems->arena, slice_from_string(code));
    problem->message = arena_copy(&problems->arena, message);
}

static void add_printed(struct problems *problems, const struct problem *place,
                        bool is_warning, const char *code, const char *format, va_list args)
{
    char text[1024];
    int size = vsnprintf(text, sizeof text, format, args);
    if (size < 0)
        size = 0;
    if ((size_t)size >= sizeof text)
        size = (int)sizeof text - 1;
    add(problems, place, is_warning, code, slice_of(text, (size_t)size));
}

void problems_add(struct problems *problems, const struct problem *place, const char *code,
                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_printed(problems, place, place != NULL && place->is_warning, code, format, args);
    va_end(args);
}

void problems_warn_once(struct problems *problems, const struct problem *place,
                        struct slice key, const char *code, const char *format, ...)
{
    if (table_get(&problems->seen, key) != NULL)
        return;
    struct slice copy = arena_copy(&problems->arena, key);
    if (copy.data == NULL || !table_put(&problems->seen, copy, problems))
        return;
    va_list args;
    va_start(args, format);
    add_printed(problems, place, true, code, format, args);
    va_end(args);
}

/* The line as it stands in the text, without its end. */
static struct slice line_of(struct slice text, uint32_t line)
{
    while (line > 1) {
        size_t end = slice_find_byte(text, '\n');
        if (end == SIZE_MAX)
            return (struct slice){NULL, 0};
        text = slice_from(text, end + 1);
        line--;
    }
    size_t end = slice_find_byte(text, '\n');
    if (end != SIZE_MAX)
        text.size = end;
    if (text.size > 0 && text.data[text.size - 1] == '\r')
        text.size--;
    return text;
}

/* Columns count code points, so the underline stands right under UTF-8 too.
 * Control characters are not passed on to a terminal. */
static void print_source(struct buffer *out, const struct problem *problem,
                         struct slice text)
{
    struct slice line = line_of(text, problem->line);
    if (line.data == NULL)
        return;
    if (line.size > 400)
        line.size = 400;
    buffer_printf(out, "%5u | ", problem->line);
    uint32_t columns = 0;
    for (size_t i = 0; i < line.size; i++) {
        unsigned char c = (unsigned char)line.data[i];
        columns += (c & 0xc0) != 0x80;
        buffer_append_byte(out, c < ' ' || c == 0x7f ? ' ' : line.data[i]);
    }
    if (problem->column == 0 || problem->column > columns + 1) {
        buffer_append_byte(out, '\n');
        return;
    }
    buffer_printf(out, "\n      | %*s", (int)problem->column - 1, "");
    uint32_t room = columns >= problem->column ? columns - problem->column + 1 : 1;
    uint32_t width = problem->width == 0 ? 1 : problem->width;
    buffer_append_byte(out, '^');
    for (uint32_t i = 1; i < width && i < room; i++)
        buffer_append_byte(out, '~');
    buffer_append_byte(out, '\n');
}

void problems_print(const struct problems *problems, struct buffer *out,
                    problems_text_fn text, void *context)
{
    size_t errors = 0, warnings = 0;
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        if (!slice_is_empty(problem->file)) {
            buffer_append_slice(out, problem->file);
            if (problem->line > 0)
                buffer_printf(out, ":%u", problem->line);
            if (problem->line > 0 && problem->column > 0)
                buffer_printf(out, ":%u", problem->column);
            buffer_printf(out, ": ");
        }
        buffer_printf(out, "%s: %.*s", problem->is_warning ? "warning" : "error",
                      SLICE_ARG(problem->message));
        if (!slice_is_empty(problem->hint))
            buffer_printf(out, " (%.*s)", SLICE_ARG(problem->hint));
        buffer_append_byte(out, '\n');
        if (text != NULL && problem->line > 0) {
            struct slice content = text(context, problem->file);
            if (content.data != NULL)
                print_source(out, problem, content);
        }
        if (problem->is_warning)
            warnings++;
        else
            errors++;
    }
    if (problems->errors > errors)
        buffer_printf(out, "and %zu more errors\n", problems->errors - errors);
    if (problems->warnings > warnings)
        buffer_printf(out, "and %zu more warnings\n", problems->warnings - warnings);
}

void problems_emit(const struct problems *problems, struct emit *emit, bool warnings)
{
    emit_array(emit);
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        if (problem->is_warning != warnings)
            continue;
        char path[700];
        if (problem->item > 0)
            snprintf(path, sizeof path, "objects[%d]%s%.*s", problem->item - 1,
                     slice_is_empty(problem->path) ? "" : ".", SLICE_ARG(problem->path));
        else
            snprintf(path, sizeof path, "%.*s", SLICE_ARG(problem->path));
        emit_object(emit);
        emit_key(emit, "file");
        if (slice_is_empty(problem->file))
            emit_null(emit);
        else
            emit_string(emit, problem->file);
        emit_key(emit, "line");
        emit_u64(emit, problem->line);
        emit_key(emit, "column");
        emit_u64(emit, problem->column);
        emit_key(emit, "object");
        emit_string(emit, problem->object);
        emit_key(emit, "path");
        emit_cstring(emit, path);
        emit_key(emit, "code");
        emit_string(emit, problem->code);
        emit_key(emit, "message");
        emit_string(emit, problem->message);
        emit_key(emit, "hint");
        emit_string(emit, problem->hint);
        emit_object_end(emit);
    }
    emit_array_end(emit);
}

void problems_read(struct problems *problems, const struct value *list, bool warnings)
{
    if (list == NULL || list->type != VALUE_LIST)
        return;
    for (const struct value *v = list->first; v != NULL; v = v->next) {
        uint64_t line = 0, column = 0, item;
        slice_parse_u64(value_text(v, "line"), &line);
        slice_parse_u64(value_text(v, "column"), &column);
        struct problem problem = {
            .file = value_text(v, "file"),
            .line = line > UINT32_MAX ? 0 : (uint32_t)line,
            .column = column > UINT32_MAX ? 0 : (uint32_t)column,
            .object = value_text(v, "object"),
            .path = value_text(v, "path"),
            .hint = value_text(v, "hint"),
        };
        if (slice_starts_with(problem.path, SLICE("objects["))) {
            size_t end = slice_find_byte(problem.path, ']');
            if (end != SIZE_MAX &&
                slice_parse_u64(slice_sub(problem.path, 8, end - 8), &item) &&
                item < INT32_MAX) {
                problem.item = (int32_t)item + 1;
                problem.path = slice_from(problem.path, end + 1);
                if (problem.path.size > 0 && problem.path.data[0] == '.')
                    problem.path = slice_from(problem.path, 1);
            }
        }
        char code[64];
        snprintf(code, sizeof code, "%.*s", SLICE_ARG(value_text(v, "code")));
        struct slice message = value_text(v, "message");
        add(problems, &problem, warnings, code,
            slice_is_empty(message) ? slice_from_string(code) : message);
    }
}

struct slice problems_first(const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        if (!problems->items[i].is_warning)
            return problems->items[i].message;
    return SLICE("");
}
