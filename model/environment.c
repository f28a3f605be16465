/* ${GW_NAME} in scalar values. One pass over the tree; a text without "${" is
 * not touched. The value put in is not looked at again, so it cannot refer to
 * other variables. */
#include "model/environment.h"

#include "model/problems.h"

struct pass {
    const struct environment *environment;
    struct arena *arena;
    struct slice file;
    struct problems *problems;
    bool failed;
};

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (!(c >= 'A' && c <= 'Z') && c != '_' && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return name.size > 0 && name.size <= 128;
}

static bool is_allowed(const struct environment *environment, struct slice name)
{
    if (slice_starts_with(name, SLICE("GW_")))
        return true;
    for (const char *const *at = environment->allowed; at != NULL && *at != NULL; at++)
        if (slice_equal(name, slice_from_string(*at)))
            return true;
    return false;
}

static void report(struct pass *pass, const struct value *value, size_t offset, size_t size,
                   const char *code, const char *hint, const char *what, struct slice name)
{
    /* In a quoted text the first byte stands behind the quote. Block scalars
     * and escapes shift the rest; then the column is only near. */
    struct problem place = {
        .file = pass->file,
        .line = value->line,
        .column = value->column + (uint32_t)offset + (value->quoted ? 1 : 0),
        .width = (uint32_t)size,
        .hint = slice_from_string(hint),
    };
    problems_add(pass->problems, &place, code, "variable '%.*s' %s", SLICE_ARG(name), what);
    pass->failed = true;
}

/* Handles "${...}" at `offset`; appends what replaces it, or it as it stands. */
static void variable(struct pass *pass, const struct value *value, size_t offset,
                     size_t size, struct buffer *out)
{
    struct slice whole = slice_sub(value->text, offset, size);
    struct slice name = slice_sub(whole, 2, size - 3), fallback = {NULL, 0};
    size_t mark = slice_find(name, SLICE(":-"));
    if (mark != SIZE_MAX) {
        fallback = slice_from(name, mark + 2);
        name = slice_sub(name, 0, mark);
    }
    if (!is_name(name)) {
        buffer_append_slice(out,
                            whole); /* the gateway's own, or for the schema to refuse */
        return;
    }
    if (!is_allowed(pass->environment, name)) {
        report(pass, value, offset, size, "variable_not_allowed",
               "names begin GW_; allow others by --env NAME", "is not allowed", name);
        return;
    }
    char text[129];
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    const char *content = pass->environment->get(pass->environment->context, text);
    /* As in sh, ":-" also stands in for an empty value. */
    if (mark != SIZE_MAX && (content == NULL || *content == '\0'))
        buffer_append_slice(out, fallback);
    else if (content != NULL)
        buffer_append(out, content, strlen(content));
    else
        report(pass, value, offset, size, "variable_unset",
               "set it, or write ${NAME:-default}", "is not set", name);
}

static void substitute(struct pass *pass, struct value *value)
{
    if (slice_find(value->text, SLICE("${")) == SIZE_MAX)
        return;
    struct buffer out;
    buffer_init(&out, VALUE_DOCUMENT_MAX);
    struct slice text = value->text;
    size_t at = 0;
    bool found = false;
    while (at < text.size) {
        struct slice rest = slice_from(text, at);
        size_t end = slice_find_byte(rest, '}');
        if (slice_starts_with(rest, SLICE("$${"))) {
            buffer_append(&out, "$${", 3);
            at += 3;
        } else if (slice_starts_with(rest, SLICE("${")) && end != SIZE_MAX) {
            variable(pass, value, at, end + 1, &out);
            found = true;
            at += end + 1;
        } else {
            buffer_append_byte(&out, text.data[at++]);
        }
    }
    struct slice copy = arena_copy(pass->arena, buffer_slice(&out));
    if (out.failed || (copy.data == NULL && copy.size > 0))
        report(pass, value, 0, 1, "too_large", NULL, "does not fit", SLICE("..."));
    else if (found)
        value->text = copy.data == NULL ? SLICE("") : copy;
    buffer_deinit(&out);
}

static void walk(struct pass *pass, struct value *value)
{
    if (value->type == VALUE_SCALAR)
        substitute(pass, value);
    for (struct value *v = value->first; v != NULL; v = v->next)
        walk(pass, v);
}

bool environment_substitute(const struct environment *environment, struct arena *arena,
                            struct slice file, struct value *root,
                            struct problems *problems)
{
    struct pass pass = {environment, arena, file, problems, false};
    walk(&pass, root);
    return !pass.failed;
}
