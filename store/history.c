/* The history's format and bounds. Count and bytes are kept beside the table,
 * in ENV_META "history", so that an append looks at no more entries than it
 * drops. */
#include "store/history.h"

#define KEY_LIMIT   500
#define VALUE_LIMIT (16u << 20)

void history_pack_header(struct buffer *out, uint64_t format,
                         const struct history_header *header)
{
    const bool has_message = format >= 2;

    pack_array(out, has_message ? 6 : 5);
    pack_u64(out, has_message ? 2 : 1);
    pack_u64(out, header->stamp_ms);
    pack_u64(out, header->wall_ms);
    pack_text(out, header->actor);
    pack_u64(out, header->item_count);
    if (has_message)
        pack_text(out, header->message);
}

void history_pack_item(struct buffer *out, uint64_t format, const struct history_item *item)
{
    const bool has_create_revision = format >= 2;

    pack_array(out, has_create_revision ? 5 : 4);
    pack_text(out, item->key);
    pack_u64(out, (uint64_t)item->action);
    pack_u64(out, item->old_mod_revision);
    pack_bytes(out, item->old_value);
    if (has_create_revision)
        pack_u64(out, item->old_create_revision);
}

bool history_entry_open(struct slice packed, struct unpack *ret_in,
                        struct history_header *ret_header)
{
    struct unpack in = unpack_init(packed);
    struct history_header header = {0};

    uint32_t fields = unpack_array_max(&in, 6);
    uint64_t version = unpack_u64(&in);
    if (version < 1 || version > 2 || fields != 4 + version)
        return false;
    header.stamp_ms = unpack_u64(&in);
    header.wall_ms = unpack_u64(&in);
    header.actor = unpack_text(&in, 4096);
    header.item_count = (uint32_t)unpack_u64_max(&in, UINT32_MAX);
    header.message =
        version == 1 ? (struct slice){"", 0} : unpack_text(&in, HISTORY_MESSAGE);
    if (in.failed)
        return false;
    *ret_in = in;
    *ret_header = header;
    return true;
}

bool history_entry_next(struct unpack *in, struct history_item *ret_item)
{
    struct history_item item = {0};

    uint32_t fields = unpack_array_max(in, 5); /* one less before version 2 */
    item.key = unpack_text(in, KEY_LIMIT);
    item.action = (enum history_action)unpack_u64_max(in, HISTORY_DELETED);
    item.old_mod_revision = unpack_u64(in);
    item.old_value = unpack_bytes(in, VALUE_LIMIT);
    if (fields == 5)
        item.old_create_revision = unpack_u64(in);
    if (in->failed || fields < 4 || item.action < HISTORY_CREATED)
        return false;
    *ret_item = item;
    return true;
}

struct totals {
    uint64_t count, bytes;
};

static enum result totals_get(struct txn *txn, struct totals *ret_totals)
{
    struct slice value;
    enum result result = txn_get(txn, ENV_META, SLICE("history"), &value);
    struct totals totals = {0};

    if (result == GW_OK) {
        struct unpack in = unpack_init(value);
        unpack_array(&in, 2);
        totals.count = unpack_u64(&in);
        totals.bytes = unpack_u64(&in);
        if (!unpack_done(&in))
            return GW_DAMAGED;
    } else if (result != GW_NOT_FOUND) {
        return result;
    }
    *ret_totals = totals;
    return GW_OK;
}

static enum result totals_put(struct txn *txn, const struct totals *totals)
{
    struct buffer out;
    enum result result = GW_NO_MEMORY;

    buffer_init(&out, 0);
    pack_array(&out, 2);
    pack_u64(&out, totals->count);
    pack_u64(&out, totals->bytes);
    if (!out.failed)
        result = txn_put(txn, ENV_META, SLICE("history"), buffer_slice(&out));
    buffer_deinit(&out);
    return result;
}

enum result history_append(struct txn *txn, uint64_t revision, struct slice packed)
{
    struct totals totals;
    enum result result = totals_get(txn, &totals);

    if (result == GW_OK)
        result = txn_put_at(txn, ENV_HISTORY, revision, packed);
    totals.count++;
    totals.bytes += packed.size;
    /* The newest entry always stays, however large. */
    while (result == GW_OK && totals.count > 1 &&
           (totals.count > HISTORY_LIMIT || totals.bytes > HISTORY_BYTES_LIMIT)) {
        struct cursor *cursor;
        uint64_t oldest = 0, size = 0;

        result = cursor_open_at(txn, ENV_HISTORY, 0, &cursor);
        if (result != GW_OK)
            break;
        oldest = cursor_index(cursor);
        size = cursor_value(cursor).size;
        cursor_close(cursor);
        result = txn_delete_range(txn, ENV_HISTORY, oldest, oldest);
        totals.count--;
        totals.bytes -= size < totals.bytes ? size : totals.bytes;
    }
    return result == GW_OK ? totals_put(txn, &totals) : result;
}

enum result history_recount(struct txn *txn)
{
    struct totals totals = {0};
    struct cursor *cursor = NULL;
    enum result result = cursor_open_at(txn, ENV_HISTORY, 0, &cursor);

    for (; result == GW_OK; result = cursor_next(cursor)) {
        totals.count++;
        totals.bytes += cursor_value(cursor).size;
    }
    cursor_close(cursor);
    return result == GW_NOT_FOUND ? totals_put(txn, &totals) : result;
}

enum result history_oldest(struct txn *txn, uint64_t *ret_revision)
{
    struct cursor *cursor;
    enum result result = cursor_open_at(txn, ENV_HISTORY, 0, &cursor);

    if (result == GW_NOT_FOUND) {
        *ret_revision = 0;
        return GW_OK;
    }
    if (result != GW_OK)
        return result;
    *ret_revision = cursor_index(cursor);
    cursor_close(cursor);
    return GW_OK;
}

enum result history_get(struct txn *txn, uint64_t revision, struct slice *ret_packed)
{
    return txn_get_at(txn, ENV_HISTORY, revision, ret_packed);
}
