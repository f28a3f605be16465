/* The few types that records need. Every read checks the bytes left before it
 * takes any. */
#include "model/wire.h"

#define WIRE_DEPTH_MAX 64

static bool fail(struct wire *wire)
{
    wire->failed = true;
    return false;
}

static bool peek(const struct wire *wire, uint8_t *ret_code)
{
    if (wire->failed || wire->rest.size == 0)
        return false;
    *ret_code = (uint8_t)wire->rest.data[0];
    return true;
}

/* A big-endian number behind the code; takes both. */
static bool take_sized(struct wire *wire, unsigned bytes, uint64_t *ret_value)
{
    if (wire->rest.size < 1 + (size_t)bytes)
        return fail(wire);
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | (uint8_t)wire->rest.data[1 + i];
    wire->rest = slice_from(wire->rest, 1 + bytes);
    *ret_value = value;
    return true;
}

/* `fix`: the code of the short form; `codes`: of those with 1, 2, 4 bytes, 0: none. */
static bool take_count(struct wire *wire, uint8_t fix, uint8_t fix_bits,
                       const uint8_t codes[3], size_t *ret_count)
{
    uint8_t code;
    uint64_t count;
    if (!peek(wire, &code))
        return fail(wire);
    if (fix != 0 && (code & (uint8_t)(0xff << fix_bits)) == fix) {
        count = code & ((1u << fix_bits) - 1);
        wire->rest = slice_from(wire->rest, 1);
    } else {
        unsigned i = 0;
        while (i < 3 && (codes[i] == 0 || codes[i] != code))
            i++;
        if (i == 3 || !take_sized(wire, 1u << i, &count))
            return fail(wire);
    }
    if (count > wire->rest.size)
        return fail(wire);
    *ret_count = (size_t)count;
    return true;
}

bool wire_read_map(struct wire *wire, size_t *ret_count)
{
    return take_count(wire, 0x80, 4, (const uint8_t[]){0, 0xde, 0xdf}, ret_count);
}

bool wire_read_array(struct wire *wire, size_t *ret_count)
{
    return take_count(wire, 0x90, 4, (const uint8_t[]){0, 0xdc, 0xdd}, ret_count);
}

bool wire_read_bool(struct wire *wire, bool *ret_value)
{
    uint8_t code;
    if (!peek(wire, &code) || (code != 0xc2 && code != 0xc3))
        return fail(wire);
    wire->rest = slice_from(wire->rest, 1);
    *ret_value = code == 0xc3;
    return true;
}

bool wire_read_u64(struct wire *wire, uint64_t *ret_value)
{
    uint8_t code;
    if (!peek(wire, &code))
        return fail(wire);
    if (code < 0x80) {
        wire->rest = slice_from(wire->rest, 1);
        *ret_value = code;
        return true;
    }
    if (code < 0xcc || code > 0xcf)
        return fail(wire);
    return take_sized(wire, 1u << (code - 0xcc), ret_value);
}

bool wire_read_i64(struct wire *wire, int64_t *ret_value)
{
    uint8_t code;
    uint64_t bits;
    if (!peek(wire, &code))
        return fail(wire);
    if (code >= 0xe0) {
        wire->rest = slice_from(wire->rest, 1);
        *ret_value = (int8_t)code;
        return true;
    }
    if (code >= 0xd0 && code <= 0xd3) {
        unsigned bytes = 1u << (code - 0xd0);
        if (!take_sized(wire, bytes, &bits))
            return false;
        if (bytes < 8 && bits >> (8 * bytes - 1) != 0)
            bits |= ~(uint64_t)0 << 8 * bytes;
        *ret_value = (int64_t)bits;
        return true;
    }
    if (!wire_read_u64(wire, &bits))
        return false;
    if (bits > INT64_MAX)
        return fail(wire);
    *ret_value = (int64_t)bits;
    return true;
}

bool wire_read_string(struct wire *wire, struct slice *ret_value)
{
    uint8_t code;
    size_t size;
    if (!peek(wire, &code))
        return fail(wire);
    bool is_bytes = code >= 0xc4 && code <= 0xc6;
    if (is_bytes ? !take_count(wire, 0, 0, (const uint8_t[]){0xc4, 0xc5, 0xc6}, &size)
                 : !take_count(wire, 0xa0, 5, (const uint8_t[]){0xd9, 0xda, 0xdb}, &size))
        return false;
    *ret_value = slice_sub(wire->rest, 0, size);
    wire->rest = slice_from(wire->rest, size);
    return true;
}

bool wire_take_nil(struct wire *wire)
{
    uint8_t code;
    if (!peek(wire, &code) || code != 0xc0)
        return false;
    wire->rest = slice_from(wire->rest, 1);
    return true;
}

static bool skip_bytes(struct wire *wire, size_t size)
{
    if (wire->rest.size < size)
        return fail(wire);
    wire->rest = slice_from(wire->rest, size);
    return true;
}

static bool skip(struct wire *wire, unsigned depth)
{
    uint8_t code;
    size_t count;
    struct slice text;
    if (depth > WIRE_DEPTH_MAX || !peek(wire, &code))
        return fail(wire);
    if ((code & 0xf0) == 0x80 || code == 0xde || code == 0xdf) {
        if (!wire_read_map(wire, &count))
            return false;
        for (size_t i = 0; i < count; i++)
            if (!skip(wire, depth + 1) || !skip(wire, depth + 1))
                return false;
        return true;
    }
    if ((code & 0xf0) == 0x90 || code == 0xdc || code == 0xdd) {
        if (!wire_read_array(wire, &count))
            return false;
        for (size_t i = 0; i < count; i++)
            if (!skip(wire, depth + 1))
                return false;
        return true;
    }
    if ((code & 0xe0) == 0xa0 || (code >= 0xd9 && code <= 0xdb) ||
        (code >= 0xc4 && code <= 0xc6))
        return wire_read_string(wire, &text);
    if (code < 0x80 || code >= 0xe0 || code == 0xc0 || code == 0xc2 || code == 0xc3)
        return skip_bytes(wire, 1);
    if (code >= 0xcc && code <= 0xcf)
        return skip_bytes(wire, 1 + ((size_t)1 << (code - 0xcc)));
    if (code >= 0xd0 && code <= 0xd3)
        return skip_bytes(wire, 1 + ((size_t)1 << (code - 0xd0)));
    if (code == 0xca || code == 0xcb)
        return skip_bytes(wire, code == 0xca ? 5 : 9);
    return fail(wire); /* ext: never written */
}

bool wire_skip(struct wire *wire, struct slice *ret_bytes)
{
    struct slice before = wire->rest;
    if (!skip(wire, 0))
        return false;
    if (ret_bytes != NULL)
        *ret_bytes = slice_sub(before, 0, before.size - wire->rest.size);
    return true;
}
