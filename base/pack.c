/* msgpack-c's packer is a set of inline functions over a write callback, so it
 * costs what code of our own would. Its unpacker is not used: it takes memory by
 * the counts that the bytes claim, before it has seen the items. */
#include "base/pack.h"

#include <msgpack/pack.h>

static int write_to_buffer(void *data, const char *bytes, size_t size)
{
    return buffer_append(data, bytes, size) ? 0 : -1;
}

static msgpack_packer packer_of(struct buffer *out)
{
    msgpack_packer packer;

    msgpack_packer_init(&packer, out, write_to_buffer);
    return packer;
}

void pack_map(struct buffer *out, size_t count)
{
    msgpack_packer packer = packer_of(out);

    msgpack_pack_map(&packer, count);
}

void pack_array(struct buffer *out, size_t count)
{
    msgpack_packer packer = packer_of(out);

    msgpack_pack_array(&packer, count);
}

void pack_nil(struct buffer *out)
{
    msgpack_packer packer = packer_of(out);

    msgpack_pack_nil(&packer);
}

void pack_bool(struct buffer *out, bool value)
{
    msgpack_packer packer = packer_of(out);

    if (value)
        msgpack_pack_true(&packer);
    else
        msgpack_pack_false(&packer);
}

void pack_u64(struct buffer *out, uint64_t value)
{
    msgpack_packer packer = packer_of(out);

    msgpack_pack_uint64(&packer, value);
}

void pack_i64(struct buffer *out, int64_t value)
{
    msgpack_packer packer = packer_of(out);

    msgpack_pack_int64(&packer, value);
}

void pack_fixed_u64(struct buffer *out, uint64_t value)
{
    msgpack_packer packer = packer_of(out);

    msgpack_pack_fix_uint64(&packer, value);
}

void pack_text(struct buffer *out, struct slice value)
{
    msgpack_packer packer = packer_of(out);

    /* Lengths are 32 bits in msgpack; nothing that large is ever packed. */
    if (value.size > UINT32_MAX) {
        out->failed = true;
        return;
    }
    msgpack_pack_str(&packer, value.size);
    buffer_append_slice(out, value);
}

void pack_bytes(struct buffer *out, struct slice value)
{
    msgpack_packer packer = packer_of(out);

    if (value.size > UINT32_MAX) {
        out->failed = true;
        return;
    }
    msgpack_pack_bin(&packer, value.size);
    buffer_append_slice(out, value);
}
