/* Views of bytes: comparing, searching, cutting, reading numbers.
 *
 * Plain loops over memchr and memcmp; nothing here allocates but
 * slice_to_string. slice_distance costs O(a * b) time and is for messages. */
#include "base/slice.h"

#include <stdlib.h>

static inline unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (lower((unsigned char)a.data[i]) != lower((unsigned char)b.data[i]))
            return false;
    return true;
}

int slice_compare(struct slice a, struct slice b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.data, b.data, size);
    if (order != 0)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.size >= prefix.size && slice_equal(slice_sub(s, 0, prefix.size), prefix);
}

bool slice_ends_with(struct slice s, struct slice suffix)
{
    return s.size >= suffix.size &&
           slice_equal(slice_from(s, s.size - suffix.size), suffix);
}

size_t slice_find_byte(struct slice s, char byte)
{
    if (s.size == 0)
        return SIZE_MAX;
    const char *at = memchr(s.data, byte, s.size);
    return at == NULL ? SIZE_MAX : (size_t)(at - s.data);
}

size_t slice_find(struct slice s, struct slice needle)
{
    if (needle.size == 0)
        return 0;
    if (s.size < needle.size)
        return SIZE_MAX;
    const char *at = memmem(s.data, s.size, needle.data, needle.size);
    return at == NULL ? SIZE_MAX : (size_t)(at - s.data);
}

struct slice slice_trim(struct slice s)
{
    while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.size--;
    }
    while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

bool slice_next(struct slice *rest, char separator, struct slice *ret_part)
{
    if (rest->size == 0)
        return false;
    size_t at = slice_find_byte(*rest, separator);
    if (at == SIZE_MAX) {
        *ret_part = *rest;
        *rest = slice_from(*rest, rest->size);
        return true;
    }
    *ret_part = slice_sub(*rest, 0, at);
    rest->data += at + 1;
    rest->size -= at + 1;
    return true;
}

bool slice_parse_u64(struct slice s, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (s.size == 0)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        unsigned digit = (unsigned)(unsigned char)s.data[i] - '0';
        if (digit > 9)
            return false;
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return false;
    }
    *ret_value = value;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool slice_parse_hex(struct slice s, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (s.size == 0 || s.size > 16)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        int digit = hex_digit(s.data[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (uint64_t)digit;
    }
    *ret_value = value;
    return true;
}

void slice_to_hex(struct slice bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.size; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        *out++ = digits[byte >> 4];
        *out++ = digits[byte & 15];
    }
    *out = '\0';
}

bool slice_from_hex(struct slice hex, void *out, size_t size)
{
    unsigned char *bytes = out;
    if (hex.size / 2 != size || hex.size % 2 != 0)
        return false;
    for (size_t i = 0; i < hex.size; i++)
        if (hex_digit(hex.data[i]) < 0)
            return false;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(hex_digit(hex.data[2 * i]) << 4 |
                                   hex_digit(hex.data[2 * i + 1]));
    return true;
}

/* Longer words are never proposed as a correction, so rows fit on the stack. */
#define DISTANCE_MAX 128

size_t slice_distance(struct slice a, struct slice b, size_t limit)
{
    /* Optimal string alignment: three rows of the matrix suffice. */
    size_t rows[3][DISTANCE_MAX + 1];
    size_t *before = rows[0], *previous = rows[1], *current = rows[2];

    if (slice_equal(a, b))
        return 0;
    if (a.size > DISTANCE_MAX || b.size > DISTANCE_MAX)
        return SIZE_MAX;
    if ((a.size > b.size ? a.size - b.size : b.size - a.size) > limit)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.size; j++) {
        previous[j] = j;
        before[j] = 0;
    }
    for (size_t i = 1; i <= a.size; i++) {
        size_t least = current[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t cost = a.data[i - 1] == b.data[j - 1] ? 0 : 1;
            size_t best = previous[j - 1] + cost;
            if (previous[j] + 1 < best)
                best = previous[j] + 1;
            if (current[j - 1] + 1 < best)
                best = current[j - 1] + 1;
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
                a.data[i - 2] == b.data[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            current[j] = best;
            if (best < least)
                least = best;
        }
        /* A transposition reaches back two rows, so both must be out of reach. */
        if (least > limit && i > 1) {
            bool reachable = false;
            for (size_t j = 0; j <= b.size; j++)
                reachable |= previous[j] < limit;
            if (!reachable)
                return SIZE_MAX;
        }
        size_t *spare = before;
        before = previous;
        previous = current;
        current = spare;
    }
    return previous[b.size] > limit ? SIZE_MAX : previous[b.size];
}

char *slice_to_string(struct slice s)
{
    char *string = malloc(s.size + 1);
    if (string == NULL)
        return NULL;
    if (s.size > 0)
        memcpy(string, s.data, s.size);
    string[s.size] = '\0';
    return string;
}

size_t slice_utf8_size(struct slice s)
{
    /* RFC 3629 §4: neither overlong forms nor surrogates nor above U+10FFFF. */
    const unsigned char *p = (const unsigned char *)s.data;
    unsigned char low = 0x80, high = 0xbf;
    size_t size;

    if (s.size == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        size = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        size = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        size = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (s.size < size || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return size;
}

bool slice_is_utf8(struct slice s)
{
    while (s.size > 0) {
        size_t size = slice_utf8_size(s);
        if (size == 0)
            return false;
        s = slice_from(s, size);
    }
    return true;
}
