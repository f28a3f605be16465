/* Texts to typed values, with bounds, words, regexes, templates and references.
 *
 * A value with an error leaves its slot as it was. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/schema_private.h"

#include "base/instant.h"
#include "model/units.h"
#include "model/variables.h"

#include <pcre2.h>
#include <stdio.h>

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
        return decode_report(decode, value, false, "reserved", NULL,
                             "'%.*s' is reserved until it is built",
                             SLICE_ARG(value->text));
    choices(field, list, sizeof list);
    return decode_report(
        decode, value, false, "bad_value",
        decode_suggestion(nearest(field->values, value->text), hint, sizeof hint),
        "'%.*s' is none of %s", value->text.size > 80 ? 80 : (int)value->text.size,
        value->text.data, list);
}

static bool bad_value(struct decode *decode, const struct field *field,
                      const struct value *value)
{
    return decode_report(decode, value, false, "bad_value", NULL, "'%.*s' is not %s",
                         value->text.size > 80 ? 80 : (int)value->text.size,
                         value->text.data,
                         field->expected != NULL ? field->expected : decode_wanted(field));
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
    return decode_report(decode, value, false, "out_of_bounds", NULL,
                         "'%.*s' is not within %s to %s", SLICE_ARG(value->text), low,
                         high);
}

struct slice decode_lower(struct arena *arena, struct slice text)
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
struct slice decode_unescape(struct arena *arena, struct slice text)
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
        return decode_report(decode, value, false, "bad_regex", NULL,
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
            ok =
                decode_report(decode, value, false, "unknown_variable",
                              decode_suggestion(variable_suggest(piece), hint, sizeof hint),
                              "unknown variable '%.*s'", SLICE_ARG(piece));
        else if (!honoured)
            decode_warn(decode, value, false, piece);
    }
    return ok;
}

static bool check_ref(struct decode *decode, const struct field *field,
                      const struct value *value, struct slice text)
{
    if (!kind_is_supported((enum kind)field->ref))
        return decode_report(
            decode, value, false, "unsupported_kind", NULL,
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
        return decode_report(decode, value, false, "bad_value", NULL, "holds a NUL");
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
        ok = host_port_parse(text, true, &host, &port) && text.size < 80;
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
        if (header_value_is_valid(text)) {
            if (!check_template(decode, value))
                return false;
            break;
        }
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
                            : decode_unescape(decode->arena, value->text);
    if (text.data == NULL) {
        if (value->text.size > 0)
            return decode_report(decode, value, false, "no_memory", NULL, "out of memory");
        text = SLICE("");
    }
    if (field->type == FIELD_HOST || field->type == FIELD_PATTERN ||
        field->type == FIELD_HEADER)
        text = decode_lower(decode->arena, text);
    if (!check_text(decode, field, value, text))
        return false;
    if (field->values != NULL && !check_words(decode, field, value, &index))
        return false;
    if (field->honoured_only != NULL && !has_word(field->honoured_only, text))
        decode_warn(decode, value, false, text);
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
        return decode_report(
            decode, value, false, "bad_value", NULL, "'%.*s' is not true or false",
            value->text.size > 80 ? 80 : (int)value->text.size, value->text.data);
    return true;
}

bool decode_scalar(struct decode *decode, const struct field *field,
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
            decode_warn(decode, value, false, text);
        *(int *)slot = index;
        return true;
    }
    default:
        return decode_text(decode, field, value, slot);
    }
}
