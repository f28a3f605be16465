/* Where a decoder stands, and telling what is wrong there: paths, labels, places,
 * errors and warnings. For the decoders of schema_*.c. */
#include "model/schema_private.h"

#include <stdio.h>

/* What a type wants, for messages: "'x' is not ...". */
static const char *const wanted[] = {
    [FIELD_BOOL] = "true or false",
    [FIELD_NUMBER] = "an integer",
    [FIELD_DURATION] = "a duration such as 800ms, 5s, 10m, 1h, 7d",
    [FIELD_SIZE] = "a size such as 64KiB (units B, KiB, MiB, GiB)",
    [FIELD_RATE] = "a rate such as 100/1s",
    [FIELD_SHARE] = "a share such as \"20%\", two decimals at most",
    [FIELD_STATUS] = "a status such as 503 or 5xx",
    [FIELD_CIDR] = "an address or a prefix such as 10.0.0.0/8",
    [FIELD_PORT] = "a port from 1 to 65535",
    [FIELD_CHOICE] = "a word",
    [FIELD_STRING] = "a text",
    [FIELD_HOST] = "a host name or address",
    [FIELD_PATTERN] = "a host name or *.suffix",
    [FIELD_ADDRESS] = "host:port",
    [FIELD_BIND] = "address:port such as \":8443\" or \"[::1]:80\"",
    [FIELD_URL] = "an http or https URL",
    [FIELD_TIME] = "a time such as 2026-01-02T03:04:05Z",
    [FIELD_REGEX] = "a regular expression",
    [FIELD_PATH] = "a path that begins with '/'",
    [FIELD_TOKEN] = "a token of letters, digits, '-', '_'",
    [FIELD_HEADER] = "a header name",
    [FIELD_METHOD] = "a method in upper case",
    [FIELD_TEMPLATE] = "a text without control characters",
    [FIELD_REF] = "a name (lower-case letters, digits, '-', 63 at most)",
    [FIELD_BLOB] = "a map",
    [FIELD_SECRET] = "a map",
    [FIELD_STRUCT] = "a map",
    [FIELD_SECTION] = "a map",
    [FIELD_INLINE] = "a map",
    [FIELD_RESERVED] = "anything",
};

const char *decode_wanted(const struct field *field)
{
    return wanted[field->type];
}

/* --- places and paths --------------------------------------------------------- */

size_t decode_path_push(struct decode *decode, const char *separator, struct slice name)
{
    size_t before = decode->path_size;
    int more = snprintf(decode->path + before, sizeof decode->path - before, "%s%.*s",
                        before > 0 ? separator : "", SLICE_ARG(name));
    decode->path_size += (size_t)more;
    if (decode->path_size >= sizeof decode->path)
        decode->path_size = sizeof decode->path - 1;
    return before;
}

size_t decode_path_index(struct decode *decode, size_t index)
{
    size_t before = decode->path_size;
    int more =
        snprintf(decode->path + before, sizeof decode->path - before, "[%zu]", index);
    decode->path_size += (size_t)more;
    if (decode->path_size >= sizeof decode->path)
        decode->path_size = sizeof decode->path - 1;
    return before;
}

void decode_path_pop(struct decode *decode, size_t before)
{
    decode->path_size = before;
    decode->path[before] = '\0';
}

static uint32_t columns(struct slice text)
{
    uint32_t count = 0;
    for (size_t i = 0; i < text.size && text.data[i] != '\n'; i++)
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

struct problem decode_place(const struct decode *decode, const struct value *value,
                            bool at_key)
{
    struct problem place = {
        .file = decode->file,
        .object = decode->object,
        .path = slice_of(decode->path, decode->path_size),
        .item = decode->item,
    };
    if (value != NULL && at_key && value->key_line > 0) {
        place.line = value->key_line;
        place.column = value->key_column;
        place.width = columns(value->key);
    } else if (value != NULL) {
        place.line = value->line;
        place.column = value->column;
        if (value->type == VALUE_SCALAR)
            place.width = columns(value->text) + (value->quoted ? 2 : 0);
    }
    return place;
}

/* "Service/cart endpoint cart-us-1: address" or "Route/x spec.timeout". */
void decode_where(const struct decode *decode, char *out, size_t size)
{
    if (decode->label[0] == '\0') {
        snprintf(out, size, "%.*s%s%s", SLICE_ARG(decode->object),
                 decode->object.size > 0 && decode->path_size > 0 ? " " : "", decode->path);
        return;
    }
    const char *rest =
        decode->path +
        (decode->path_size < decode->label_path ? decode->path_size : decode->label_path);
    if (*rest == '.')
        rest++;
    snprintf(out, size, "%.*s %s%s%s", SLICE_ARG(decode->object), decode->label,
             *rest != '\0' ? ": " : "", rest);
}

/* An error at the value at hand: "WHERE: TEXT". */
bool decode_report(struct decode *decode, const struct value *value, bool at_key,
                   const char *code, const char *hint, const char *format, ...)
{
    char text[512], whole[WHERE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    decode_where(decode, whole, sizeof whole);
    struct problem place = decode_place(decode, value, at_key);
    place.hint = slice_from_string(hint);
    decode->holes++;
    problems_add(decode->problems, &place, code, "%s%s%s", whole,
                 *whole != '\0' ? ": " : "", text);
    return false;
}

void decode_error(struct decode *decode, const struct value *value, const char *key,
                  const char *code, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const struct value *entry = key == NULL ? NULL : value_get(value, key);
    size_t before = decode->path_size;
    if (entry != NULL)
        before = decode_path_push(decode, ".", slice_from_string(key));
    decode_report(decode, entry != NULL ? entry : value, entry != NULL, code, NULL, "%s",
                  text);
    decode_path_pop(decode, before);
}

/* The path without indexes, under the kind: what a warning is given once for. */
void decode_warn(struct decode *decode, const struct value *value, bool at_key,
                 struct slice word)
{
    if (decode->quiet)
        return;
    char key[640], whole[WHERE_SIZE];
    size_t size = 0, slash = slice_find_byte(decode->object, '/');
    struct slice kind = slice_sub(decode->object, 0, slash);
    size += (size_t)snprintf(key, sizeof key, "%.*s ", SLICE_ARG(kind));
    bool inside = false;
    for (size_t i = 0; i < decode->path_size && size + 1 < sizeof key; i++) {
        char c = decode->path[i];
        inside = c == '[' ? true : inside;
        if (!inside)
            key[size++] = c;
        inside = c == ']' ? false : inside;
    }
    if (word.size > 0 && size + word.size + 1 < sizeof key)
        size += (size_t)snprintf(key + size, sizeof key - size, "=%.*s", SLICE_ARG(word));
    decode_where(decode, whole, sizeof whole);
    struct problem place = decode_place(decode, value, at_key);
    if (word.size > 0)
        problems_warn_once(decode->problems, &place, slice_of(key, size), "no_effect",
                           "%s: '%.*s' has no effect yet", whole, SLICE_ARG(word));
    else
        problems_warn_once(decode->problems, &place, slice_of(key, size), "no_effect",
                           "%s has no effect yet", whole);
}

const char *decode_suggestion(const char *name, char *out, size_t size)
{
    if (name == NULL)
        return NULL;
    snprintf(out, size, "did you mean '%s'?", name);
    return out;
}
