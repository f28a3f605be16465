/* Field values: byte classes by one table, runs of value bytes eight at a time. */
#include "http/fields.h"

#define V FIELDS_VALUE
#define T (FIELDS_VALUE | FIELDS_TOKEN)
#define N (FIELDS_VALUE | FIELDS_TOKEN | FIELDS_HOST | FIELDS_UNRESERVED)

const uint8_t fields_class[256] = {
    ['\t'] = V,
    [' '] = V,
    ['!'] = T,
    ['"'] = V,
    ['#' ... '\''] = T,
    ['(' ... ')'] = V,
    ['*' ... '+'] = T,
    [','] = V,
    ['-' ... '.'] = N,
    ['/'] = V,
    ['0' ... '9'] = N | FIELDS_HEX,
    [':' ... '@'] = V,
    ['A' ... 'F'] = N | FIELDS_HEX,
    ['G' ... 'Z'] = N,
    ['[' ... ']'] = V,
    ['^'] = T,
    ['_'] = N,
    ['`'] = T,
    ['a' ... 'f'] = N | FIELDS_HEX,
    ['g' ... 'z'] = N,
    ['{'] = V,
    ['|'] = T,
    ['}'] = V,
    ['~'] = T | FIELDS_UNRESERVED,
    [0x80 ... 0xff] = V,
};

bool fields_is_token(struct slice s)
{
    for (size_t i = 0; i < s.size; i++)
        if (!fields_is(s.data[i], FIELDS_TOKEN))
            return false;
    return s.size > 0;
}

size_t fields_value_span(struct slice s)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    size_t i = 0;

    /* Eight bytes at once [Mycroft 1987]: the lowest byte flagged is below 0x20
     * or 0x7f for sure, those above it perhaps; the table decides. */
    while (s.size - i >= 8) {
        uint64_t word;
        memcpy(&word, s.data + i, 8);
        uint64_t control = (word - ones * 0x20) & ~word & highs;
        uint64_t delete = word ^ (ones * 0x7f);
        delete = (delete - ones) & ~delete &highs;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        uint64_t flagged = control | delete;
        if (flagged == 0) {
            i += 8;
            continue;
        }
        i += (size_t)__builtin_ctzll(flagged) / 8;
        if (s.data[i] != '\t')
            return i;
        i++;
#else
        if ((control | delete) != 0)
            break;
        i += 8;
#endif
    }
    while (i < s.size && fields_is(s.data[i], FIELDS_VALUE))
        i++;
    return i;
}

bool fields_is_value(struct slice s)
{
    return fields_value_span(s) == s.size;
}

/* The offset of `separator` outside quoted strings; s.size when there is none. */
static size_t find_unquoted(struct slice s, char separator)
{
    bool quoted = false;
    for (size_t i = 0; i < s.size; i++) {
        if (quoted && s.data[i] == '\\')
            i++;
        else if (s.data[i] == '"')
            quoted = !quoted;
        else if (!quoted && s.data[i] == separator)
            return i;
    }
    return s.size;
}

static bool cut_unquoted(struct slice *rest, char separator, struct slice *ret_item)
{
    while (rest->size > 0) {
        size_t at = find_unquoted(*rest, separator);
        struct slice item = slice_trim(slice_sub(*rest, 0, at));
        *rest = slice_from(*rest, at + 1);
        if (item.size > 0) {
            *ret_item = item;
            return true;
        }
    }
    return false;
}

bool fields_list_next(struct slice *rest, struct slice *ret_item)
{
    return cut_unquoted(rest, ',', ret_item);
}

bool fields_list_has(struct slice list, struct slice token)
{
    struct slice item;
    while (fields_list_next(&list, &item))
        if (slice_equal_nocase(item, token))
            return true;
    return false;
}

size_t fields_list_count(struct slice list)
{
    struct slice item;
    size_t count = 0;
    while (fields_list_next(&list, &item))
        count++;
    return count;
}

struct slice fields_media(struct slice value)
{
    return slice_trim(slice_sub(value, 0, find_unquoted(value, ';')));
}

bool fields_parameter(struct slice value, struct slice name, struct slice *ret_value)
{
    struct slice part;

    value = slice_from(value, find_unquoted(value, ';'));
    while (cut_unquoted(&value, ';', &part)) {
        size_t at = slice_find_byte(part, '=');
        if (at == SIZE_MAX || !slice_equal_nocase(slice_sub(part, 0, at), name))
            continue;
        part = slice_from(part, at + 1);
        if (part.size >= 2 && part.data[0] == '"' && part.data[part.size - 1] == '"')
            part = slice_sub(part, 1, part.size - 2);
        *ret_value = part;
        return true;
    }
    return false;
}
