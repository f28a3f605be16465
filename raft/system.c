/* All items are looked at before any is written, as every command does. */
#include "raft/system.h"

#include "raft/gone.h"
#include "raft/refusal.h"

#include <stdio.h>

#define VALUE_LIMIT (1u << 20)
#define NAME_LIMIT  64

static bool is_allowed(struct slice key)
{
    return key.size > 1 && key.size <= ENV_KEY_LIMIT && key.data[0] == '_' &&
           !slice_starts_with(key, NODE_PREFIX) && !slice_starts_with(key, FORMER_PREFIX) &&
           !slice_starts_with(key, TOKEN_PREFIX) && !slice_starts_with(key, GONE_PREFIX) &&
           !slice_equal(key, CLUSTER_KEY) && !slice_equal(key, FORMAT_KEY);
}

bool system_encode(struct buffer *out, const struct command_header *header,
                   const struct system_item *items, size_t count)
{
    struct command_header numbered = *header;

    if (count == 0 || count > SYSTEM_ITEMS_MAX)
        return false;
    numbered.number = COMMAND_SYSTEM;
    command_begin(out, &numbered);
    pack_array(out, count);
    for (size_t i = 0; i < count; i++) {
        if (!is_allowed(items[i].key) || items[i].value.size > VALUE_LIMIT)
            return false;
        pack_array(out, 3);
        pack_text(out, items[i].key);
        pack_u64(out, items[i].expected_mod_revision);
        if (items[i].is_delete)
            pack_nil(out);
        else
            pack_bytes(out, items[i].value);
    }
    return !out->failed;
}

static bool read_items(struct slice body, struct system_item *items, uint32_t *ret_count)
{
    struct unpack in = unpack_init(body);
    uint32_t count = unpack_array_max(&in, SYSTEM_ITEMS_MAX);

    for (uint32_t i = 0; i < count && !in.failed; i++) {
        unpack_array(&in, 3);
        items[i].key = unpack_text(&in, ENV_KEY_LIMIT);
        items[i].expected_mod_revision = unpack_u64(&in);
        items[i].is_delete = unpack_nil(&in);
        items[i].value =
            items[i].is_delete ? (struct slice){"", 0} : unpack_bytes(&in, VALUE_LIMIT);
        if (!in.failed && !is_allowed(items[i].key))
            return false;
        for (uint32_t k = 0; k < i; k++) {
            if (slice_equal(items[k].key, items[i].key))
                return false;
        }
    }
    *ret_count = count;
    return count > 0 && unpack_done(&in);
}

enum result system_apply(struct command_call *call)
{
    struct system_item items[SYSTEM_ITEMS_MAX] = {0};
    enum result result = GW_OK;
    uint32_t count;
    char text[160];

    if (!read_items(call->body, items, &count))
        return command_malformed(call);
    for (uint32_t i = 0; i < count; i++) {
        struct record record = {0};
        result = record_get(call->txn, items[i].key, &record);
        if (result != GW_OK && result != GW_NOT_FOUND)
            return result;
        if (record.mod_revision != items[i].expected_mod_revision) {
            snprintf(
                text, sizeof text, "the cluster's record '%.*s' was changed: try again",
                (int)(items[i].key.size < 64 ? items[i].key.size : 64), items[i].key.data);
            return command_refuse(call, GW_CONFLICT, "%s", text);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        result = items[i].is_delete
                     ? record_delete(call->txn, items[i].key, call->index)
                     : record_put(call->txn, items[i].key, items[i].value, call->index);
        if (result != GW_OK)
            return result;
    }
    return GW_OK;
}

bool format_encode(struct buffer *out, const struct command_header *header, uint64_t format)
{
    struct command_header numbered = *header;

    numbered.number = COMMAND_FORMAT;
    command_begin(out, &numbered);
    pack_array(out, 1);
    pack_u64(out, format);
    return !out->failed;
}

enum result format_apply(struct command_call *call)
{
    struct unpack in = unpack_init(call->body);

    unpack_array(&in, 1);
    uint64_t format = unpack_u64(&in);
    if (!unpack_done(&in))
        return command_malformed(call);
    /* The leader has asked everybody. Whoever cannot follow halts rather than diverges. */
    if (format > format_spoken)
        return GW_DAMAGED;
    return format > call->format ? format_put(call->txn, call->index, format) : GW_OK;
}

void keys_record_pack(struct buffer *out, const struct keys_record *record)
{
    pack_array(out, 5);
    pack_u64(out, 1);
    pack_text(out, record->current);
    pack_u64(out, record->rotated_ms);
    pack_text(out, record->exported);
    pack_u64(out, record->exported_ms);
}

bool keys_record_unpack(struct slice bytes, struct keys_record *ret_record)
{
    struct unpack in = unpack_init(bytes);
    struct keys_record record = {0};

    unpack_array(&in, 5);
    if (unpack_u64(&in) != 1)
        return false;
    record.current = unpack_text(&in, NAME_LIMIT);
    record.rotated_ms = unpack_u64(&in);
    record.exported = unpack_text(&in, NAME_LIMIT);
    record.exported_ms = unpack_u64(&in);
    if (!unpack_done(&in))
        return false;
    *ret_record = record;
    return true;
}

void turning_record_pack(struct buffer *out, const struct turning_record *record)
{
    pack_array(out, 3);
    pack_u64(out, 1);
    pack_text(out, record->name);
    pack_bytes(out, record->sealed);
}

bool turning_record_unpack(struct slice bytes, struct turning_record *ret_record)
{
    struct unpack in = unpack_init(bytes);
    struct turning_record record;

    unpack_array(&in, 3);
    if (unpack_u64(&in) != 1)
        return false;
    record.name = unpack_text(&in, NAME_LIMIT);
    record.sealed = unpack_bytes(&in, 1024);
    if (!unpack_done(&in) || record.name.size == 0)
        return false;
    *ret_record = record;
    return true;
}
