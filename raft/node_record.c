/* Packs and unpacks the cluster's own records: an array per record, first a
 * format number, so that a later format can be told apart. */
#include "raft/node_record.h"

#include "store/unpack.h"

#include <stdio.h>

#define PEM_LIMIT 65536

void cluster_record_pack(struct buffer *out, const struct cluster_record *record)
{
    pack_array(out, 5);
    pack_u64(out, 1);
    pack_text(out, record->id);
    pack_text(out, record->name);
    pack_u64(out, record->epoch);
    pack_u64(out, record->created_ms);
}

bool cluster_record_unpack(struct slice bytes, struct cluster_record *ret_record)
{
    struct unpack in = unpack_init(bytes);
    struct cluster_record record = {0};

    unpack_array(&in, 5);
    if (unpack_u64(&in) != 1)
        return false;
    record.id = unpack_text(&in, NODE_NAME_LIMIT);
    record.name = unpack_text(&in, NODE_NAME_LIMIT);
    record.epoch = unpack_u64(&in);
    record.created_ms = unpack_u64(&in);
    if (!unpack_done(&in))
        return false;
    *ret_record = record;
    return true;
}

void ca_record_pack(struct buffer *out, const struct ca_record *record)
{
    pack_array(out, 3);
    pack_u64(out, 1);
    pack_bytes(out, record->certificate);
    pack_bytes(out, record->sealed_key);
}

bool ca_record_unpack(struct slice bytes, struct ca_record *ret_record)
{
    struct unpack in = unpack_init(bytes);
    struct ca_record record = {0};

    unpack_array(&in, 3);
    if (unpack_u64(&in) != 1)
        return false;
    record.certificate = unpack_bytes(&in, PEM_LIMIT);
    record.sealed_key = unpack_bytes(&in, PEM_LIMIT);
    if (!unpack_done(&in))
        return false;
    *ret_record = record;
    return true;
}

void node_record_pack(struct buffer *out, const struct node_record *record)
{
    pack_array(out, 10);
    pack_u64(out, 1);
    pack_u64(out, record->id);
    pack_text(out, record->name);
    pack_text(out, record->region);
    pack_text(out, record->zone);
    pack_text(out, record->peer);
    pack_text(out, record->admin);
    pack_text(out, record->role);
    pack_text(out, record->version);
    pack_u64(out, record->joined_ms);
}

bool node_record_unpack(struct slice bytes, struct node_record *ret_record)
{
    struct unpack in = unpack_init(bytes);
    struct node_record record = {0};

    unpack_array(&in, 10);
    if (unpack_u64(&in) != 1)
        return false;
    record.id = unpack_u64(&in);
    record.name = unpack_text(&in, NODE_NAME_LIMIT);
    record.region = unpack_text(&in, NODE_NAME_LIMIT);
    record.zone = unpack_text(&in, NODE_NAME_LIMIT);
    record.peer = unpack_text(&in, NODE_ADDRESS_LIMIT);
    record.admin = unpack_text(&in, NODE_ADDRESS_LIMIT);
    record.role = unpack_text(&in, NODE_NAME_LIMIT);
    record.version = unpack_text(&in, NODE_NAME_LIMIT);
    record.joined_ms = unpack_u64(&in);
    if (!unpack_done(&in))
        return false;
    *ret_record = record;
    return true;
}

void token_record_pack(struct buffer *out, const struct token_record *record)
{
    pack_array(out, 8);
    pack_u64(out, 1);
    pack_text(out, record->id);
    pack_bytes(out, record->hash);
    pack_text(out, record->role);
    pack_u64(out, record->created_ms);
    pack_u64(out, record->expires_ms);
    pack_u64(out, record->uses_left);
    pack_bool(out, record->revoked);
}

bool token_record_unpack(struct slice bytes, struct token_record *ret_record)
{
    struct unpack in = unpack_init(bytes);
    struct token_record record = {0};

    unpack_array(&in, 8);
    if (unpack_u64(&in) != 1)
        return false;
    record.id = unpack_text(&in, TOKEN_ID_LIMIT);
    record.hash = unpack_bytes(&in, TOKEN_HASH_SIZE);
    record.role = unpack_text(&in, NODE_NAME_LIMIT);
    record.created_ms = unpack_u64(&in);
    record.expires_ms = unpack_u64(&in);
    record.uses_left = unpack_u64(&in);
    record.revoked = unpack_bool(&in);
    if (!unpack_done(&in) || record.hash.size != TOKEN_HASH_SIZE)
        return false;
    *ret_record = record;
    return true;
}

struct slice node_record_key(uint64_t id, char *out)
{
    int size = snprintf(out, NODE_KEY_SIZE, "_node/%llu", (unsigned long long)id);

    return slice_of(out, (size_t)size);
}

struct slice former_record_key(uint64_t id, char *out)
{
    int size = snprintf(out, NODE_KEY_SIZE, "_former/%llu", (unsigned long long)id);

    return slice_of(out, (size_t)size);
}

struct slice token_record_key(struct slice id, char *out)
{
    if (id.size == 0 || id.size > TOKEN_ID_LIMIT)
        return (struct slice){"", 0};
    memcpy(out, "_token/", 7);
    memcpy(out + 7, id.data, id.size);
    return slice_of(out, 7 + id.size);
}

bool node_role_is_known(struct slice role)
{
    return slice_equal(role, SLICE("auto")) || slice_equal(role, SLICE("voter")) ||
           slice_equal(role, SLICE("standby")) || slice_equal(role, SLICE("witness"));
}
