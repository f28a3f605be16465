/* Term and vote, labels and log entries as stored. All are msgpack but log
 * entries, which are 8 bytes of term (little endian), a byte of type, then the
 * bytes: they are many. */
#include "store/meta.h"

#include "store/records.h"

#define ENTRY_HEAD 9

enum result meta_vote_get(struct txn *txn, uint64_t *ret_term, uint64_t *ret_vote)
{
    struct slice value;
    enum result result = txn_get(txn, ENV_META, SLICE("vote"), &value);
    struct unpack in;

    if (result == GW_NOT_FOUND) {
        *ret_term = *ret_vote = 0;
        return GW_OK;
    }
    if (result != GW_OK)
        return result;
    in = unpack_init(value);
    unpack_array(&in, 2);
    uint64_t term = unpack_u64(&in), vote = unpack_u64(&in);
    if (!unpack_done(&in))
        return GW_DAMAGED;
    *ret_term = term;
    *ret_vote = vote;
    return GW_OK;
}

enum result meta_vote_put(struct txn *txn, uint64_t term, uint64_t vote)
{
    struct buffer out;
    enum result result = GW_NO_MEMORY;

    buffer_init(&out, 0);
    pack_array(&out, 2);
    pack_u64(&out, term);
    pack_u64(&out, vote);
    if (!out.failed)
        result = txn_put(txn, ENV_META, SLICE("vote"), buffer_slice(&out));
    buffer_deinit(&out);
    return result;
}

void meta_label_pack(struct buffer *out, const struct store_label *label)
{
    pack_array(out, 4);
    pack_u64(out, label->index);
    pack_u64(out, label->term);
    pack_u64(out, label->conf_index);
    pack_bytes(out, label->conf);
}

void meta_label_unpack(struct unpack *in, struct store_label *ret_label)
{
    unpack_array(in, 4);
    ret_label->index = unpack_u64(in);
    ret_label->term = unpack_u64(in);
    ret_label->conf_index = unpack_u64(in);
    ret_label->conf = unpack_bytes(in, META_CONF_LIMIT);
}

enum result meta_label_get(struct txn *txn, struct store_label *ret_label)
{
    struct slice value;
    struct store_label label = {0};
    enum result result = txn_get(txn, ENV_META, SLICE("label"), &value);

    if (result == GW_OK) {
        struct unpack in = unpack_init(value);
        meta_label_unpack(&in, &label);
        if (!unpack_done(&in))
            return GW_DAMAGED;
    } else if (result != GW_NOT_FOUND) {
        return result;
    }
    *ret_label = label;
    return GW_OK;
}

enum result meta_label_put(struct txn *txn, const struct store_label *label)
{
    struct buffer out;
    enum result result = GW_NO_MEMORY;

    buffer_init(&out, 0);
    meta_label_pack(&out, label);
    if (!out.failed)
        result = txn_put(txn, ENV_META, SLICE("label"), buffer_slice(&out));
    buffer_deinit(&out);
    return result;
}

/* The newest configuration at or below `index`. */
static enum result conf_at(struct txn *txn, uint64_t index, struct store_label *label)
{
    struct cursor *cursor = NULL;
    enum result result = cursor_open_last(txn, ENV_CONF, &cursor);

    while (result == GW_OK && cursor_index(cursor) > index)
        result = cursor_previous(cursor);
    if (result == GW_OK && cursor_index(cursor) > label->conf_index) {
        label->conf_index = cursor_index(cursor);
        label->conf = cursor_value(cursor);
    }
    cursor_close(cursor);
    return result == GW_NOT_FOUND ? GW_OK : result;
}

enum result meta_base_get(struct txn *txn, struct store_label *ret_base)
{
    struct store_label base;
    struct record_state state;
    struct store_entry entry;
    struct slice stored;
    enum result result = meta_label_get(txn, &base);

    if (result == GW_OK)
        result = record_state_get(txn, &state);
    if (result != GW_OK)
        return result;
    if (state.applied > base.index) {
        /* First in, first out: an entry is logged no later than it is applied, and
         * the log is trimmed only below a label. So it is there. */
        result = txn_get_at(txn, ENV_LOG, state.applied, &stored);
        if (result == GW_OK)
            result = meta_entry_parse(stored, &entry);
        if (result == GW_OK) {
            base.index = state.applied;
            base.term = entry.term;
            result = conf_at(txn, state.applied, &base);
        }
        if (result == GW_NOT_FOUND)
            result = GW_DAMAGED;
    }
    if (result == GW_OK)
        *ret_base = base;
    return result;
}

enum result meta_epoch_get(struct txn *txn, struct meta_epoch *ret_epoch)
{
    struct meta_epoch epoch = {.number = 1};
    struct slice value;
    enum result result = txn_get(txn, ENV_META, SLICE("epoch"), &value);

    if (result == GW_OK) {
        struct unpack in = unpack_init(value);
        unpack_array(&in, 2);
        epoch.number = unpack_u64(&in);
        struct slice lineage = unpack_text(&in, META_LINEAGE_SIZE - 1);
        if (!unpack_done(&in) || epoch.number == 0)
            return GW_DAMAGED;
        memcpy(epoch.lineage, lineage.data, lineage.size);
    } else if (result != GW_NOT_FOUND) {
        return result;
    }
    *ret_epoch = epoch;
    return GW_OK;
}

enum result meta_epoch_put(struct txn *txn, const struct meta_epoch *epoch)
{
    struct buffer out;
    enum result result = GW_NO_MEMORY;

    buffer_init(&out, 0);
    pack_array(&out, 2);
    pack_u64(&out, epoch->number);
    pack_text(&out, slice_from_string(epoch->lineage));
    if (!out.failed)
        result = txn_put(txn, ENV_META, SLICE("epoch"), buffer_slice(&out));
    buffer_deinit(&out);
    return result;
}

enum result meta_cluster_get(struct txn *txn, struct slice *ret_id)
{
    return txn_get(txn, ENV_META, SLICE("cluster"), ret_id);
}

enum result meta_cluster_put(struct txn *txn, struct slice id)
{
    return txn_put(txn, ENV_META, SLICE("cluster"), id);
}

enum result meta_entry_parse(struct slice stored, struct store_entry *ret_entry)
{
    uint64_t term = 0;

    if (stored.size < ENTRY_HEAD)
        return GW_DAMAGED;
    for (unsigned i = 0; i < 8; i++)
        term |= (uint64_t)(unsigned char)stored.data[i] << (8 * i);
    ret_entry->term = term;
    ret_entry->type = (uint8_t)stored.data[8];
    ret_entry->bytes = slice_from(stored, ENTRY_HEAD);
    if (term == 0 || ret_entry->type < STORE_COMMAND || ret_entry->type > STORE_CHANGE)
        return GW_DAMAGED;
    return GW_OK;
}

enum result meta_entry_put(struct txn *txn, uint64_t index, const struct store_entry *entry,
                           struct buffer *scratch)
{
    char head[ENTRY_HEAD];
    enum result result;

    for (unsigned i = 0; i < 8; i++)
        head[i] = (char)(entry->term >> (8 * i));
    head[8] = (char)entry->type;
    buffer_reset(scratch);
    buffer_append(scratch, head, sizeof head);
    buffer_append_slice(scratch, entry->bytes);
    if (scratch->failed)
        return GW_NO_MEMORY;
    result = txn_put_at(txn, ENV_LOG, index, buffer_slice(scratch));
    if (result == GW_OK && entry->type == STORE_CHANGE)
        result = txn_put_at(txn, ENV_CONF, index, entry->bytes);
    return result;
}
