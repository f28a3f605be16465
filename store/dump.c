/* Builds, checks and installs dumps. Checking walks the same code as
 * installing, with nothing written; the digest of the records is summed again,
 * so a dump that passes is the state its header names. */
#include "store/dump.h"

#include "base/hash.h"
#include "store/history.h"
#include "store/meta.h"

#define MAGIC       0x676464756d703031ull /* "gddump01" */
#define FORMAT      1
#define KEY_LIMIT   500
#define VALUE_LIMIT (64u << 20)

static const enum env_table tables[3] = {ENV_RECORDS, ENV_HISTORY, ENV_SESSIONS};

static bool is_indexed(enum env_table table)
{
    return table == ENV_HISTORY;
}

struct chunk {
    struct buffer rows;
    uint64_t number;
    uint32_t count;
};

static void chunk_flush(struct chunk *chunk, uint64_t table, struct buffer *out)
{
    if (chunk->count == 0)
        return;
    pack_array(out, 5);
    pack_u64(out, chunk->number++);
    pack_u64(out, table);
    pack_u64(out, chunk->count);
    pack_bytes(out, buffer_slice(&chunk->rows));
    pack_fixed_u64(out, hash_stable_seeded(buffer_slice(&chunk->rows), table));
    if (chunk->rows.failed)
        out->failed = true;
    buffer_reset(&chunk->rows);
    chunk->count = 0;
}

static enum result build_table(struct txn *txn, unsigned slot, struct chunk *chunk,
                               struct buffer *out)
{
    enum env_table table = tables[slot];
    struct cursor *cursor = NULL;
    enum result result = is_indexed(table)
                             ? cursor_open_at(txn, table, 0, &cursor)
                             : cursor_open(txn, table, (struct slice){"", 0}, &cursor);

    for (; result == GW_OK; result = cursor_next(cursor)) {
        struct slice value = cursor_value(cursor);

        if (is_indexed(table))
            pack_u64(&chunk->rows, cursor_index(cursor));
        else
            pack_bytes(&chunk->rows, cursor_key(cursor));
        pack_bytes(&chunk->rows, value);
        chunk->count++;
        if (chunk->rows.size >= DUMP_CHUNK_BYTES)
            chunk_flush(chunk, slot, out);
        if (out->failed || chunk->rows.failed)
            break;
    }
    cursor_close(cursor);
    chunk_flush(chunk, slot, out);
    return result == GW_NOT_FOUND ? GW_OK : result;
}

enum result dump_build_txn(struct txn *txn, struct buffer *out)
{
    struct dump_header header = {0};
    struct chunk chunk = {0};
    size_t start = out->size;
    enum result result = meta_base_get(txn, &header.label);

    if (result == GW_OK)
        result = record_state_get(txn, &header.state);
    for (unsigned i = 0; result == GW_OK && i < 3; i++)
        result = txn_count(txn, tables[i], &header.rows[i]);
    if (result != GW_OK)
        return result;

    pack_array(out, 6);
    pack_fixed_u64(out, MAGIC);
    pack_u64(out, FORMAT);
    pack_u64(out, header.state.applied);
    meta_label_pack(out, &header.label);
    pack_array(out, 4);
    pack_u64(out, header.state.revision);
    pack_u64(out, header.state.conf_sequence);
    pack_u64(out, header.state.now_ms);
    pack_fixed_u64(out, header.state.digest);
    pack_array(out, 3);
    for (unsigned i = 0; i < 3; i++)
        pack_u64(out, header.rows[i]);

    buffer_init(&chunk.rows, 0);
    for (unsigned i = 0; result == GW_OK && i < 3; i++)
        result = build_table(txn, i, &chunk, out);
    buffer_deinit(&chunk.rows);
    if (result == GW_OK) {
        uint64_t sum = hash_stable(slice_of(out->data + start, out->size - start));

        pack_array(out, 2);
        pack_u64(out, chunk.number);
        pack_fixed_u64(out, sum);
    }
    if (result == GW_OK && out->failed)
        result = GW_NO_MEMORY;
    return result;
}

enum result dump_build(struct env *env, struct buffer *out)
{
    struct txn *txn;
    enum result result = env_begin_read(env, &txn);

    if (result != GW_OK)
        return result;
    result = dump_build_txn(txn, out);
    txn_abort(txn);
    return result;
}

static enum result header_read(struct unpack *in, struct dump_header *header)
{
    unpack_array(in, 6);
    if (unpack_fixed_u64(in) != MAGIC || in->failed)
        return GW_DAMAGED;
    if (unpack_u64(in) != FORMAT)
        return in->failed ? GW_DAMAGED : GW_NEWER;
    header->state.applied = unpack_u64(in);
    meta_label_unpack(in, &header->label);
    unpack_array(in, 4);
    header->state.revision = unpack_u64(in);
    header->state.conf_sequence = unpack_u64(in);
    header->state.now_ms = unpack_u64(in);
    header->state.digest = unpack_fixed_u64(in);
    unpack_array(in, 3);
    for (unsigned i = 0; i < 3; i++)
        header->rows[i] = unpack_u64(in);
    if (in->failed || header->label.index < header->state.applied ||
        header->label.conf_index > header->label.index ||
        header->state.revision > header->state.applied)
        return GW_DAMAGED;
    return GW_OK;
}

static enum result row_put(struct txn *txn, enum env_table table, struct slice key,
                           uint64_t index, struct slice value)
{
    return is_indexed(table) ? txn_put_at(txn, table, index, value)
                             : txn_put(txn, table, key, value);
}

/* What is done with each row; with all NULL it is only checked. */
struct rows {
    struct txn *txn;
    dump_row_fn fn;
    void *owner;
};

static enum result walk(struct slice dump, const struct rows *to,
                        struct dump_header *ret_header)
{
    struct unpack in = unpack_init(dump);
    struct dump_header header = {0};
    uint64_t rows[3] = {0}, chunks = 0, digest = 0;
    unsigned slot = 0;
    struct slice last_key = {"", 0};
    uint64_t last_index = 0;
    enum result result = header_read(&in, &header);

    if (result != GW_OK)
        return result;
    while (rows[0] < header.rows[0] || rows[1] < header.rows[1] ||
           rows[2] < header.rows[2]) {
        unpack_array(&in, 5);
        uint64_t number = unpack_u64(&in), table_slot = unpack_u64_max(&in, 2);
        uint64_t count = unpack_u64(&in);
        struct slice bytes = unpack_bytes(&in, SIZE_MAX);
        uint64_t sum = unpack_fixed_u64(&in);

        if (in.failed || number != chunks || table_slot < slot || count == 0 ||
            count > header.rows[table_slot] - rows[table_slot] ||
            sum != hash_stable_seeded(bytes, table_slot))
            return GW_DAMAGED;
        chunks++;
        if (table_slot != slot) {
            slot = (unsigned)table_slot;
            last_key = (struct slice){"", 0};
            last_index = 0;
        }
        struct unpack row = unpack_init(bytes);
        for (uint64_t i = 0; i < count; i++) {
            struct slice key = {"", 0};
            uint64_t index = 0;

            if (is_indexed(tables[slot]))
                index = unpack_u64(&row);
            else
                key = unpack_bytes(&row, KEY_LIMIT);
            struct slice value = unpack_bytes(&row, VALUE_LIMIT);
            if (row.failed)
                return GW_DAMAGED;
            /* Ascending: no row comes twice. */
            if (is_indexed(tables[slot]) ? index <= last_index
                                         : slice_compare(key, last_key) <= 0)
                return GW_DAMAGED;
            last_key = key;
            last_index = index;
            if (tables[slot] == ENV_RECORDS)
                digest += record_digest_of(key, value);
            if (to->txn != NULL &&
                (result = row_put(to->txn, tables[slot], key, index, value)) != GW_OK)
                return result;
            if (to->fn != NULL)
                to->fn(to->owner, tables[slot], key, index, value);
        }
        if (!unpack_done(&row))
            return GW_DAMAGED;
        rows[slot] += count;
    }
    uint64_t whole =
        hash_stable(slice_sub(dump, 0, (size_t)((const char *)in.at - dump.data)));
    unpack_array(&in, 2);
    if (unpack_u64(&in) != chunks || unpack_fixed_u64(&in) != whole || !unpack_done(&in) ||
        digest != header.state.digest)
        return GW_DAMAGED;
    if (ret_header != NULL)
        *ret_header = header;
    return GW_OK;
}

enum result dump_check(struct slice dump, struct dump_header *ret_header)
{
    return walk(dump, &(struct rows){0}, ret_header);
}

enum result dump_walk(struct slice dump, dump_row_fn fn, void *owner)
{
    return walk(dump, &(struct rows){.fn = fn, .owner = owner}, NULL);
}

enum result dump_install(struct txn *txn, struct slice dump)
{
    struct dump_header header;
    enum result result = walk(dump, &(struct rows){0}, &header);

    for (unsigned i = 0; result == GW_OK && i < 3; i++)
        result = txn_clear(txn, tables[i]);
    /* The history's totals are counted anew with its entries. */
    if (result == GW_OK)
        result = txn_delete(txn, ENV_META, SLICE("history"));
    if (result == GW_OK)
        result = walk(dump, &(struct rows){.txn = txn}, NULL);
    if (result == GW_OK)
        result = history_recount(txn);
    if (result == GW_OK)
        result = record_state_install(txn, &header.state);
    return result;
}
