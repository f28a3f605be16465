/* Arrays with a format number in front, as raft/node_record.c has them. */
#include "raft/holding.h"

#include "store/unpack.h"

#include <stdio.h>

#define PEM_LIMIT    65536
#define NAME_LIMIT   64
#define SERIAL_LIMIT 64

void holding_record_pack(struct buffer *out, const struct holding_record *record)
{
    pack_array(out, 6);
    pack_u64(out, 1);
    pack_u64(out, record->id);
    pack_bytes(out, record->certificate);
    pack_bytes(out, record->trust);
    pack_text(out, record->key);
    pack_text(out, record->other_key);
}

bool holding_record_unpack(struct slice bytes, struct holding_record *ret_record)
{
    struct unpack in = unpack_init(bytes);
    struct holding_record record = {0};

    unpack_array(&in, 6);
    if (unpack_u64(&in) != 1)
        return false;
    record.id = unpack_u64(&in);
    record.certificate = unpack_bytes(&in, PEM_LIMIT);
    record.trust = unpack_bytes(&in, HOLDING_TRUST_SIZE);
    record.key = unpack_text(&in, NAME_LIMIT);
    record.other_key = unpack_text(&in, NAME_LIMIT);
    if (!unpack_done(&in) || record.id == 0 || record.trust.size != HOLDING_TRUST_SIZE)
        return false;
    *ret_record = record;
    return true;
}

void retired_record_pack(struct buffer *out, const struct retired_record *record)
{
    pack_array(out, 3);
    pack_u64(out, 1);
    pack_u64(out, record->at_ms);
    pack_array(out, record->count);
    for (size_t i = 0; i < record->count; i++)
        pack_text(out, record->serials[i]);
}

bool retired_record_unpack(struct slice bytes, struct retired_record *ret_record)
{
    struct unpack in = unpack_init(bytes);
    struct retired_record record = {0};

    unpack_array(&in, 3);
    if (unpack_u64(&in) != 1)
        return false;
    record.at_ms = unpack_u64(&in);
    record.count = unpack_array_max(&in, RETIRED_SERIALS_MAX);
    for (size_t i = 0; i < record.count; i++)
        record.serials[i] = unpack_text(&in, SERIAL_LIMIT);
    if (!unpack_done(&in))
        return false;
    *ret_record = record;
    return true;
}

bool retired_record_has(const struct retired_record *record, struct slice serial)
{
    for (size_t i = 0; i < record->count; i++) {
        if (slice_equal(record->serials[i], serial))
            return true;
    }
    return false;
}

struct slice holding_record_key(uint64_t id, char *out)
{
    int size = snprintf(out, NODE_KEY_SIZE, "_holding/%llu", (unsigned long long)id);

    return slice_of(out, (size_t)size);
}

uint64_t holding_record_id(struct slice key)
{
    uint64_t id;

    return slice_starts_with(key, HOLDING_PREFIX) &&
                   slice_parse_u64(slice_from(key, HOLDING_PREFIX.size), &id)
               ? id
               : 0;
}
