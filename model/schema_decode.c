/* From a document to a struct, by its table: one walk that reports every problem.
 *
 * A field with an error is left at its default and the walk goes on, so people
 * see all errors at once. Warnings ("no effect yet") come once per kind and
 * path, not once per object. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/schema.h"

#include "base/instant.h"
#include "model/schema_private.h"
#include "model/units.h"
#include "model/variables.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

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

/* --- places and paths --------------------------------------------------------- */

static size_t path_push(struct decode *decode, const char *separator, struct slice name)
{
    size_t before = decode->path_size;
    int more = snprintf(decode->path + before, sizeof decode->path - before, "%s%.*s",
                        before > 0 ? separator : "", SLICE_ARG(name));
    decode->path_size += (size_t)more;
    if (decode->path_size >= sizeof decode->path)
        decode->path_size = sizeof decode->path - 1;
    return before;
}

static size_t path_push_index(struct decode *decode, size_t index)
{
    size_t before = decode->path_size;
    int more =
        snprintf(decode->path + before, sizeof decode->path - before, "[%zu]", index);
    decode->path_size += (size_t)more;
    if (decode->path_size >= sizeof decode->path)
        decode->path_size = sizeof decode->path - 1;
    return before;
}

static void path_pop(struct decode *decode, size_t before)
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

static struct problem place_of(const struct decode *decode, const struct value *value,
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
static void where(const struct decode *decode, char *out, size_t size)
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

#define WHERE_SIZE 512

/* An error at the value at hand: "WHERE: TEXT". */
static bool report(struct decode *decode, const struct value *value, bool at_key,
                   const char *code, const char *hint, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
static bool report(struct decode *decode, const struct value *value, bool at_key,
                   const char *code, const char *hint, const char *format, ...)
{
    char text[512], whole[WHERE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    where(decode, whole, sizeof whole);
    struct problem place = place_of(decode, value, at_key);
    place.hint = slice_from_string(hint);
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
        before = path_push(decode, ".", slice_from_string(key));
    report(decode, entry != NULL ? entry : value, entry != NULL, code, NULL, "%s", text);
    path_pop(decode, before);
}

/* The path without indexes, under the kind: what a warning is given once for. */
static void warn_no_effect(struct decode *decode, const struct value *value, bool at_key,
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
    where(decode, whole, sizeof whole);
    struct problem place = place_of(decode, value, at_key);
    if (word.size > 0)
        problems_warn_once(decode->problems, &place, slice_of(key, size), "no_effect",
                           "%s: '%.*s' has no effect yet", whole, SLICE_ARG(word));
    else
        problems_warn_once(decode->problems, &place, slice_of(key, size), "no_effect",
                           "%s has no effect yet", whole);
}

/* --- scalars --------------------------------------------------------------------- */

bool has_word(const char *words, struct slice word)
{
    if (words == NULL)
        return false;
    struct slice rest = slice_from_string(words), part;
    while (slice_next(&rest, ' ', &part))
        if (slice_equal(part, word))
            return true;
    return false;
}

const char *choice_text(const struct field *field, int index)
{
    for (int i = 0; field->values[i] != NULL; i++)
        if (i == index)
            return field->values[i];
    return NULL;
}

static const char *nearest(const char *const *values, struct slice text)
{
    const char *best = NULL;
    size_t limit = text.size > 5 ? 3 : 2, found = limit + 1;
    for (; *values != NULL; values++) {
        size_t distance = slice_distance(text, slice_from_string(*values), limit);
        if (distance < found) {
            found = distance;
            best = *values;
        }
    }
    return best;
}

static const char *suggestion(const char *name, char *out, size_t size)
{
    if (name == NULL)
        return NULL;
    snprintf(out, size, "did you mean '%s'?", name);
    return out;
}

static void choices(const struct field *field, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; field->values[i] != NULL && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "",
                                 field->values[i]);
}

static bool check_words(struct decode *decode, const struct field *field,
                        const struct value *value, int *ret_index)
{
    char list[256], hint[96];
    for (int i = 0; field->values[i] != NULL; i++)
        if (slice_equal(value->text, slice_from_string(field->values[i]))) {
            *ret_index = i;
            return true;
        }
    if (has_word(field->reserved, value->text))
        return report(decode, value, false, "reserved", NULL,
                      "'%.*s' is reserved until it is built", SLICE_ARG(value->text));
    choices(field, list, sizeof list);
    return report(decode, value, false, "bad_value",
                  suggestion(nearest(field->values, value->text), hint, sizeof hint),
                  "'%.*s' is none of %s",
                  value->text.size > 80 ? 80 : (int)value->text.size, value->text.data,
                  list);
}

static bool bad_value(struct decode *decode, const struct field *field,
                      const struct value *value)
{
    return report(decode, value, false, "bad_value", NULL, "'%.*s' is not %s",
                  value->text.size > 80 ? 80 : (int)value->text.size, value->text.data,
                  field->expected != NULL ? field->expected : wanted[field->type]);
}

static void print_bound(const struct field *field, int64_t bound, char *out)
{
    if (field->type == FIELD_DURATION)
        duration_print((uint64_t)bound, out);
    else if (field->type == FIELD_SIZE)
        size_print((uint64_t)bound, out);
    else if (field->type == FIELD_SHARE)
        share_print((uint32_t)bound, out);
    else
        snprintf(out, UNIT_TEXT_SIZE, "%lld", (long long)bound);
}

static bool check_bounds(struct decode *decode, const struct field *field,
                         const struct value *value, int64_t number)
{
    if ((field->min == 0 && field->max == 0) ||
        (number >= field->min && number <= field->max))
        return true;
    char low[UNIT_TEXT_SIZE], high[UNIT_TEXT_SIZE];
    print_bound(field, field->min, low);
    print_bound(field, field->max, high);
    return report(decode, value, false, "out_of_bounds", NULL,
                  "'%.*s' is not within %s to %s", SLICE_ARG(value->text), low, high);
}

static struct slice lower_case(struct arena *arena, struct slice text)
{
    char *copy = arena_string(arena, text);
    if (copy == NULL)
        return (struct slice){NULL, 0};
    for (size_t i = 0; i < text.size; i++)
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] |= 0x20;
    return slice_of(copy, text.size);
}

/* Outside templates "$${" is a literal "${" (RESOURCES.md, Variables). */
static struct slice unescape(struct arena *arena, struct slice text)
{
    if (slice_find(text, SLICE("$${")) == SIZE_MAX)
        return arena_copy(arena, text);
    char *copy = arena_string(arena, text);
    if (copy == NULL)
        return (struct slice){NULL, 0};
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (slice_starts_with(slice_from(text, i), SLICE("$${")))
            continue;
        copy[size++] = text.data[i];
    }
    return slice_of(copy, size);
}

static bool check_regex(struct decode *decode, const struct value *value, struct slice text)
{
    int code;
    PCRE2_SIZE offset;
    pcre2_code *regex = pcre2_compile((PCRE2_SPTR)text.data, text.size,
                                      PCRE2_NEVER_BACKSLASH_C, &code, &offset, NULL);
    if (regex == NULL) {
        PCRE2_UCHAR message[120];
        pcre2_get_error_message(code, message, sizeof message);
        return report(decode, value, false, "bad_regex", NULL,
                      "not a regular expression at offset %zu: %s", (size_t)offset,
                      (const char *)message);
    }
    pcre2_code_free(regex);
    return true;
}

static bool check_template(struct decode *decode, const struct value *value)
{
    struct slice rest = value->text, piece;
    bool is_variable, honoured, ok = true;
    char hint[96];
    while (variables_next(&rest, &piece, &is_variable)) {
        if (!is_variable)
            continue;
        if (!variable_is_known(piece, &honoured))
            ok = report(decode, value, false, "unknown_variable",
                        suggestion(variable_suggest(piece), hint, sizeof hint),
                        "unknown variable '%.*s'", SLICE_ARG(piece));
        else if (!honoured)
            warn_no_effect(decode, value, false, piece);
    }
    return ok;
}

static bool check_ref(struct decode *decode, const struct field *field,
                      const struct value *value, struct slice text)
{
    if (!kind_is_supported((enum kind)field->ref))
        return report(decode, value, false, "unsupported_kind", NULL,
                      "kind %s is not supported yet, so '%.*s' cannot be referred to",
                      kind_name((enum kind)field->ref), SLICE_ARG(text));
    return name_is_valid(text) || bad_value(decode, field, value);
}

static bool is_method(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= 'a' && text.data[i] <= 'z')
            return false;
    return token_is_valid(text) && text.size <= 32;
}

static bool check_text(struct decode *decode, const struct field *field,
                       const struct value *value, struct slice text)
{
    struct slice host;
    uint16_t port;
    uint64_t time;
    bool ok = true;
    if (memchr(text.data, '\0', text.size) != NULL)
        return report(decode, value, false, "bad_value", NULL, "holds a NUL");
    switch ((enum field_type)field->type) {
    case FIELD_HOST:
        ok = host_is_valid(text, false);
        break;
    case FIELD_PATTERN:
        ok = host_is_valid(text, true);
        break;
    case FIELD_ADDRESS:
        ok = host_port_parse(text, false, &host, &port);
        break;
    case FIELD_BIND:
        ok = host_port_parse(text, true, &host, &port);
        break;
    case FIELD_URL:
        ok = url_is_valid(text);
        break;
    case FIELD_TIME:
        ok = instant_parse(text, &time);
        break;
    case FIELD_PATH:
        ok = text.size > 0 && text.data[0] == '/' && header_value_is_valid(text);
        break;
    case FIELD_TOKEN:
    case FIELD_HEADER:
        ok = token_is_valid(text);
        break;
    case FIELD_METHOD:
        ok = is_method(text);
        break;
    case FIELD_TEMPLATE:
        if (header_value_is_valid(text))
            return check_template(decode, value);
        ok = false;
        break;
    case FIELD_REGEX:
        return check_regex(decode, value, text);
    case FIELD_REF:
        return check_ref(decode, field, value, text);
    default:
        break;
    }
    if (ok && field->check != NULL)
        ok = field->check(text);
    return ok || bad_value(decode, field, value);
}

static bool decode_text(struct decode *decode, const struct field *field,
                        const struct value *value, struct slice *slot)
{
    int index = -1;
    struct slice text = field->type == FIELD_TEMPLATE
                            ? arena_copy(decode->arena, value->text)
                            : unescape(decode->arena, value->text);
    if (text.data == NULL) {
        if (value->text.size > 0)
            return report(decode, value, false, "no_memory", NULL, "out of memory");
        text = SLICE("");
    }
    if (field->type == FIELD_HOST || field->type == FIELD_PATTERN ||
        field->type == FIELD_HEADER)
        text = lower_case(decode->arena, text);
    if (!check_text(decode, field, value, text))
        return false;
    if (field->values != NULL && !check_words(decode, field, value, &index))
        return false;
    if (field->honoured_only != NULL && !has_word(field->honoured_only, text))
        warn_no_effect(decode, value, false, text);
    *slot = text;
    return true;
}

static bool decode_bool(struct decode *decode, const struct value *value, bool *slot)
{
    if (slice_equal(value->text, SLICE("true")))
        *slot = true;
    else if (slice_equal(value->text, SLICE("false")))
        *slot = false;
    else
        return report(decode, value, false, "bad_value", NULL,
                      "'%.*s' is not true or false",
                      value->text.size > 80 ? 80 : (int)value->text.size, value->text.data);
    return true;
}

static bool decode_scalar(struct decode *decode, const struct field *field,
                          const struct value *value, void *slot)
{
    struct slice text = value->text;
    int64_t number = 0;
    switch ((enum field_type)field->type) {
    case FIELD_BOOL:
        return decode_bool(decode, value, slot);
    case FIELD_NUMBER:
        if (!number_parse(text, &number))
            return bad_value(decode, field, value);
        if (!check_bounds(decode, field, value, number))
            return false;
        *(int64_t *)slot = number;
        return true;
    case FIELD_DURATION:
    case FIELD_SIZE: {
        uint64_t amount;
        if (field->type == FIELD_DURATION ? !duration_parse(text, &amount)
                                          : !size_parse(text, &amount))
            return bad_value(decode, field, value);
        if (!check_bounds(decode, field, value, (int64_t)amount))
            return false;
        *(uint64_t *)slot = amount;
        return true;
    }
    case FIELD_RATE:
        return rate_parse(text, slot) || bad_value(decode, field, value);
    case FIELD_SHARE: {
        uint32_t share;
        if (!share_parse(text, &share))
            return bad_value(decode, field, value);
        if (!check_bounds(decode, field, value, share))
            return false;
        *(uint32_t *)slot = share;
        return true;
    }
    case FIELD_STATUS:
        return status_parse(text, slot) || bad_value(decode, field, value);
    case FIELD_CIDR:
        return cidr_parse(text, slot) || bad_value(decode, field, value);
    case FIELD_PORT:
        return port_parse(text, slot) || bad_value(decode, field, value);
    case FIELD_CHOICE: {
        int index = -1;
        if (!check_words(decode, field, value, &index))
            return false;
        if (field->honoured_only != NULL && !has_word(field->honoured_only, text))
            warn_no_effect(decode, value, false, text);
        *(int *)slot = index;
        return true;
    }
    default:
        return decode_text(decode, field, value, slot);
    }
}

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
        return report(decode, value, false, "bad_content", NULL,
                      "needs exactly one of {file}, {env}, {sealed}, {nodeFile}, {inline}");
    const struct value *entry = value->first;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (!slice_equal(entry->key, slice_from_string(forms[i].name)))
            continue;
        if (field->type == FIELD_SECRET && forms[i].form == BLOB_INLINE &&
            decode->file.size > 0)
            return report(
                decode, entry, true, "secret_in_file", NULL,
                "a secret must not stand in a file; use {file}, {env} or {sealed}");
        if (decode->file.size == 0 &&
            (forms[i].form == BLOB_FILE || forms[i].form == BLOB_ENV))
            return report(decode, entry, true, "content_not_read", NULL,
                          "{%s} is read by gwctl; send the content as {inline}",
                          forms[i].name);
        if (forms[i].form == BLOB_NODE_FILE)
            warn_no_effect(decode, entry, true, SLICE("nodeFile"));
        slot->form = forms[i].form;
        slot->value = unescape(decode->arena, entry->text);
        if (slot->value.data == NULL)
            slot->value = SLICE("");
        return true;
    }
    return report(decode, entry, true, "unknown_field", NULL,
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
        return report(decode, value, false, "bad_type", NULL, "must be %s, not %s",
                      wanted[field->type], types[value->type]);
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
            return report(decode, value, false, "no_memory", NULL, "out of memory");
        if (!decode_struct(decode, field->schema, value, section))
            return false;
        *(void **)slot = section;
        return true;
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
        return report(decode, value, false, "bad_type", NULL, "must be a list");
    if (value->count > LIST_ITEMS_MAX)
        return report(decode, value, false, "too_many", NULL, "has more than %d items",
                      LIST_ITEMS_MAX);
    char *items = arena_zalloc(decode->arena, value->count * field->item_size);
    if (items == NULL)
        return report(decode, value, false, "no_memory", NULL, "out of memory");
    size_t index = 0;
    bool ok = true;
    for (const struct value *v = value->first; v != NULL; v = v->next, index++) {
        size_t before = path_push_index(decode, index);
        ok = decode_one(decode, field, v, items + index * field->item_size) && ok;
        path_pop(decode, before);
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
        return report(decode, value, false, "bad_type", NULL, "must be a map");
    if (value->count > LIST_ITEMS_MAX)
        return report(decode, value, false, "too_many", NULL, "has more than %d entries",
                      LIST_ITEMS_MAX);
    char *items = arena_zalloc(decode->arena, value->count * field->item_size);
    if (items == NULL)
        return report(decode, value, false, "no_memory", NULL, "out of memory");
    size_t index = 0;
    bool ok = true;
    for (const struct value *v = value->first; v != NULL; v = v->next, index++) {
        char *item = items + index * field->item_size;
        struct slice *name = (void *)item; /* first in both kinds of pair */
        size_t before = path_push(decode, ".", v->key);
        *name = names_are_headers ? lower_case(decode->arena, v->key)
                                  : arena_copy(decode->arena, v->key);
        if (name->data == NULL)
            *name = SLICE("");
        if (names_are_headers ? !token_is_valid(v->key) : v->key.size == 0)
            ok = report(decode, v, true, "bad_value", NULL, "'%.*s' is not %s",
                        SLICE_ARG(v->key), names_are_headers ? "a header name" : "a name");
        void *content = item + (is_secret ? offsetof(struct secret_pair, value)
                                          : offsetof(struct pair, value));
        ok = decode_one(decode, field, v, content) && ok;
        path_pop(decode, before);
    }
    if (index > 1)
        qsort(items, index, field->item_size,
              is_secret ? compare_secret_pairs : compare_pairs);
    for (size_t i = 1; i < index; i++) {
        const struct slice *a = (const void *)(items + (i - 1) * field->item_size);
        const struct slice *b = (const void *)(items + i * field->item_size);
        if (slice_equal(*a, *b))
            ok = report(decode, value, false, "duplicate_key", NULL,
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

static bool unknown_field(struct decode *decode, const struct schema *schema,
                          const struct value *entry)
{
    const char *best = NULL;
    size_t distance = entry->key.size > 5 ? 4 : 3;
    char hint[96], whole[WHERE_SIZE];
    nearest_field(schema, entry->key, &distance, &best);
    where(decode, whole, sizeof whole);
    size_t before = path_push(decode, ".", entry->key);
    struct problem place = place_of(decode, entry, true);
    place.hint = slice_from_string(suggestion(best, hint, sizeof hint));
    problems_add(decode->problems, &place, "unknown_field", "unknown field '%.*s' in %s",
                 entry->key.size > 80 ? 80 : (int)entry->key.size, entry->key.data, whole);
    path_pop(decode, before);
    return false;
}

static bool decode_entry(struct decode *decode, const struct schema *schema,
                         const struct value *entry, char *object)
{
    const struct field *field = find(schema, entry->key, &object);
    if (field == NULL)
        return unknown_field(decode, schema, entry);
    size_t before = path_push(decode, ".", entry->key);
    bool ok = true, was_quiet = decode->quiet;
    if (field->type == FIELD_RESERVED) {
        ok = report(decode, entry, true, "reserved", NULL,
                    "this field is reserved until it is built");
    } else if (entry->type != VALUE_NULL) {
        if (!field->honoured) {
            warn_no_effect(decode, entry, true, SLICE(""));
            decode->quiet = true;
        }
        ok = decode_field(decode, field, entry, object + field->offset);
        decode->quiet = was_quiet;
        if (ok)
            *(uint64_t *)(void *)object |= (uint64_t)1 << field->number;
    }
    path_pop(decode, before);
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
    schema_defaults(schema, object);
    if (schema->noun != NULL)
        label_item(decode, schema, value);
    for (const struct value *v = value->first; v != NULL; v = v->next)
        ok = decode_entry(decode, schema, v, object) && ok;

    unsigned given = 0;
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        bool is_set = field_is_set(object, field->number);
        given += is_set;
        if (!field->required)
            continue;
        const struct value *entry = value_get(value, field->name);
        if (entry == NULL || entry->type == VALUE_NULL)
            ok = report(decode, value, value->key_line > 0, "required", NULL,
                        "%s is required", field->name);
        else if (field->shape != FIELD_ONE && is_set && entry->count == 0)
            ok = report(decode, entry, true, "required", NULL, "%s needs at least one item",
                        field->name);
    }
    if (schema->one_of && ok && given != 1)
        ok = report(decode, value, value->key_line > 0, "one_of", NULL,
                    "needs exactly one of its fields");
    if (ok && schema->check != NULL) {
        size_t errors = decode->problems->errors;
        schema->check(decode, object, value);
        ok = decode->problems->errors == errors;
    }
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
        return report(decode, value, false, "bad_type", NULL, "must be a map");
    }
    return decode_struct(decode, schema, value, object);
}
