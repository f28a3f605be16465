/* The codec. A piece carries a checksum over its bytes, seeded by its place: so one
 * damaged between two ends of TLS, in somebody's memory, is told from a sound one, and
 * one piece from another. */
#include "raft/wire_dump.h"

#include "base/hash.h"
#include "store/unpack.h"

#define FORMAT      1
#define INDEX_LIMIT (1ull << 62)

static uint64_t sum_of(const struct wire_dump *message)
{
    return hash_stable_seeded(message->bytes, message->id ^ message->number);
}

bool wire_is_dump(struct slice bytes)
{
    struct unpack in = unpack_init(bytes);

    unpack_array_max(&in, 16);
    uint64_t format = unpack_u64(&in), type = unpack_u64(&in);
    return !in.failed && format == FORMAT &&
           (type == WIRE_DUMP_PIECE || type == WIRE_DUMP_ACK);
}

bool wire_dump_encode(struct buffer *out, const struct wire_dump *message)
{
    bool is_piece = message->type == WIRE_DUMP_PIECE;

    pack_array(out, is_piece ? 12 : 8);
    pack_u64(out, FORMAT);
    pack_u64(out, (uint64_t)message->type);
    pack_u64(out, message->term);
    pack_fixed_u64(out, message->id);
    pack_u64(out, message->number);
    pack_u64(out, message->count);
    if (is_piece) {
        pack_u64(out, message->rest_bytes);
        pack_u64(out, message->index);
        pack_u64(out, message->label_term);
        pack_bool(out, message->is_cut);
        pack_bytes(out, message->bytes);
        pack_fixed_u64(out, sum_of(message));
    } else {
        pack_bool(out, message->is_lost);
        pack_bool(out, message->is_full);
    }
    return !out->failed;
}

bool wire_dump_decode(struct slice bytes, struct wire_dump *ret_message)
{
    struct unpack in = unpack_init(bytes);
    struct wire_dump message = {0};
    uint32_t fields = unpack_array_max(&in, 12);

    if (unpack_u64(&in) != FORMAT)
        return false;
    message.type = (enum wire_dump_type)unpack_u64(&in);
    message.term = unpack_u64_max(&in, INDEX_LIMIT);
    message.id = unpack_fixed_u64(&in);
    message.number = unpack_u64_max(&in, WIRE_DUMP_COUNT);
    message.count = unpack_u64_max(&in, WIRE_DUMP_COUNT);
    if (in.failed || message.id == 0 || message.number > message.count)
        return false;
    switch (message.type) {
    case WIRE_DUMP_PIECE:
        message.rest_bytes = unpack_u64_max(&in, INDEX_LIMIT);
        message.index = unpack_u64_max(&in, INDEX_LIMIT);
        message.label_term = unpack_u64_max(&in, INDEX_LIMIT);
        message.is_cut = unpack_bool(&in);
        message.bytes = unpack_bytes(&in, WIRE_DUMP_PIECE_BYTES);
        if (unpack_fixed_u64(&in) != sum_of(&message) || in.failed || fields != 12 ||
            message.number == message.count || message.bytes.size == 0 ||
            message.rest_bytes < message.bytes.size || message.index == 0 ||
            message.label_term == 0 || message.label_term > message.term)
            return false;
        break;
    case WIRE_DUMP_ACK:
        message.is_lost = unpack_bool(&in);
        message.is_full = unpack_bool(&in);
        if (fields != 8)
            return false;
        break;
    default:
        return false;
    }
    if (!unpack_done(&in))
        return false;
    *ret_message = message;
    return true;
}
