/* Strict msgpack. Each reader checks the room before it looks at a byte; each
 * has one accepted form. The price of strictness: bytes written by a general
 * msgpack library with wider integer forms are refused. */
#include "store/unpack.h"

struct unpack unpack_init(struct slice bytes)
{
    const unsigned char *data = (const unsigned char *)bytes.data;

    return (struct unpack){.at = data, .end = bytes.size == 0 ? data : data + bytes.size};
}

/* The next byte, or 0xc1 (never used in msgpack) after failing. */
static unsigned char take_lead(struct unpack *in)
{
    if (in->failed || in->at == in->end) {
        in->failed = true;
        return 0xc1;
    }
    return *in->at++;
}

static uint64_t take_big(struct unpack *in, unsigned bytes)
{
    uint64_t value = 0;

    if (in->failed || (size_t)(in->end - in->at) < bytes) {
        in->failed = true;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | *in->at++;
    return value;
}

uint32_t unpack_array_max(struct unpack *in, uint32_t limit)
{
    unsigned char lead = take_lead(in);
    uint64_t count = 0;

    if ((lead & 0xf0) == 0x90)
        count = lead & 15;
    else if (lead == 0xdc && (count = take_big(in, 2)) > 15)
        ;
    else if (lead == 0xdd && (count = take_big(in, 4)) > UINT16_MAX)
        ;
    else
        in->failed = true;
    /* An item takes a byte at least: a count above that is a lie, and must not
     * make anybody allocate. */
    if (in->failed || count > limit || count > (size_t)(in->end - in->at)) {
        in->failed = true;
        return 0;
    }
    return (uint32_t)count;
}

void unpack_array(struct unpack *in, uint32_t count)
{
    if (unpack_array_max(in, count) != count)
        in->failed = true;
}

uint64_t unpack_u64(struct unpack *in)
{
    unsigned char lead = take_lead(in);
    uint64_t value, floor;

    if (in->failed)
        return 0;
    switch (lead) {
    case 0xcc:
        value = take_big(in, 1), floor = 128;
        break;
    case 0xcd:
        value = take_big(in, 2), floor = UINT8_MAX + 1u;
        break;
    case 0xce:
        value = take_big(in, 4), floor = UINT16_MAX + 1u;
        break;
    case 0xcf:
        value = take_big(in, 8), floor = UINT32_MAX + 1ull;
        break;
    default:
        value = lead, floor = 0;
        if (lead >= 128)
            in->failed = true;
    }
    if (in->failed || value < floor) {
        in->failed = true;
        return 0;
    }
    return value;
}

uint64_t unpack_u64_max(struct unpack *in, uint64_t limit)
{
    uint64_t value = unpack_u64(in);

    if (value > limit) {
        in->failed = true;
        return 0;
    }
    return value;
}

uint64_t unpack_fixed_u64(struct unpack *in)
{
    if (take_lead(in) != 0xcf)
        in->failed = true;
    return take_big(in, 8);
}

bool unpack_bool(struct unpack *in)
{
    unsigned char lead = take_lead(in);

    if (lead != 0xc2 && lead != 0xc3)
        in->failed = true;
    return lead == 0xc3;
}

bool unpack_nil(struct unpack *in)
{
    if (in->failed || in->at == in->end || *in->at != 0xc0)
        return false;
    in->at++;
    return true;
}

static struct slice take_run(struct unpack *in, uint64_t size, size_t limit)
{
    struct slice run = {"", 0};

    if (in->failed || size > limit || size > (size_t)(in->end - in->at)) {
        in->failed = true;
        return run;
    }
    run = slice_of(in->at, (size_t)size);
    in->at += size;
    return run;
}

struct slice unpack_bytes(struct unpack *in, size_t limit)
{
    unsigned char lead = take_lead(in);
    uint64_t size = 0;

    if (lead == 0xc4)
        size = take_big(in, 1);
    else if (lead == 0xc5 && (size = take_big(in, 2)) > UINT8_MAX)
        ;
    else if (lead == 0xc6 && (size = take_big(in, 4)) > UINT16_MAX)
        ;
    else
        in->failed = true;
    return take_run(in, size, limit);
}

struct slice unpack_text(struct unpack *in, size_t limit)
{
    unsigned char lead = take_lead(in);
    uint64_t size = 0;

    if ((lead & 0xe0) == 0xa0)
        size = lead & 31;
    else if (lead == 0xd9 && (size = take_big(in, 1)) > 31)
        ;
    else if (lead == 0xda && (size = take_big(in, 2)) > UINT8_MAX)
        ;
    else if (lead == 0xdb && (size = take_big(in, 4)) > UINT16_MAX)
        ;
    else
        in->failed = true;
    return take_run(in, size, limit);
}

struct slice unpack_rest(struct unpack *in)
{
    struct slice rest = {"", 0};

    if (in->failed)
        return rest;
    rest = slice_of(in->at, (size_t)(in->end - in->at));
    in->at = in->end;
    return rest;
}

bool unpack_done(const struct unpack *in)
{
    return !in->failed && in->at == in->end;
}
