/* Builds, checks and installs dumps. Checking runs the same code as
 * installing, with nothing written; the digest of the records is summed again,
 * so a dump that passes is the state its header names.
 *
 * Reading goes item by item, so that a dump need not be in memory as a whole: what must
 * be remembered between two items is a header, a key and some sums. */
#include "store/dump.h"

#include "base/hash.h"
#include "store/format.h"
#include "store/history.h"
#include "store/meta.h"

#include <stdlib.h>

#define MAGIC       0x676464756d703031ull /* "gddump01" */
#define FORMAT      1
#define KEY_LIMIT   500
#define VALUE_LIMIT (64u << 20)

static const enum env_table tables[3] = {ENV_RECORDS, ENV_HISTORY, ENV_SESSIONS};

static bool is_indexed(enum env_table table)
{
    return table == ENV_HISTORY;
}

/* --- building --- */

struct builder {
    struct buffer rows; /* of the chunk under way */
    uint64_t number;
    uint32_t count;
    size_t chunk_bytes;
    struct buffer item;
    struct hash_stream *sum;
    dump_item_fn fn;
    void *owner;
};

/* Hands on what stands in `item`. */
static enum result item_end(struct builder *builder)
{
    struct slice item = buffer_slice(&builder->item);
    enum result result =
        builder->item.failed ? GW_NO_MEMORY : builder->fn(builder->owner, item);

    hash_stream_add(builder->sum, item);
    buffer_reset(&builder->item);
    return result;
}

static enum result chunk_end(struct builder *builder, uint64_t table)
{
    struct slice rows = buffer_slice(&builder->rows);
    struct buffer *out = &builder->item;

    if (builder->rows.failed)
        return GW_NO_MEMORY;
    if (builder->count == 0)
        return GW_OK;
    pack_array(out, 5);
    pack_u64(out, builder->number++);
    pack_u64(out, table);
    pack_u64(out, builder->count);
    pack_bytes(out, rows);
    pack_fixed_u64(out, hash_stable_seeded(rows, table));
    buffer_reset(&builder->rows);
    builder->count = 0;
    return item_end(builder);
}

static enum result build_table(struct txn *txn, unsigned slot, struct builder *builder)
{
    enum env_table table = tables[slot];
    struct cursor *cursor = NULL;
    enum result result = is_indexed(table)
                             ? cursor_open_at(txn, table, 0, &cursor)
                             : cursor_open(txn, table, (struct slice){"", 0}, &cursor);

    while (result == GW_OK) {
        if (is_indexed(table))
            pack_u64(&builder->rows, cursor_index(cursor));
        else
            pack_bytes(&builder->rows, cursor_key(cursor));
        pack_bytes(&builder->rows, cursor_value(cursor));
        builder->count++;
        if (builder->rows.size >= builder->chunk_bytes || builder->rows.failed)
            result = chunk_end(builder, slot);
        if (result == GW_OK)
            result = cursor_next(cursor);
    }
    cursor_close(cursor);
    return result == GW_NOT_FOUND ? chunk_end(builder, slot) : result;
}

static enum result build_header(struct txn *txn, struct builder *builder)
{
    struct dump_header header = {0};
    struct buffer *out = &builder->item;
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
    return item_end(builder);
}

enum result dump_items(struct txn *txn, size_t chunk_bytes, dump_item_fn fn, void *owner)
{
    struct builder builder = {.chunk_bytes = chunk_bytes, .fn = fn, .owner = owner};
    enum result result;

    builder.sum = hash_stream_new();
    if (builder.sum == NULL)
        return GW_NO_MEMORY;
    buffer_init(&builder.rows, 0);
    buffer_init(&builder.item, 0);
    result = build_header(txn, &builder);
    for (unsigned i = 0; result == GW_OK && i < 3; i++)
        result = build_table(txn, i, &builder);
    if (result == GW_OK) {
        pack_array(&builder.item, 2);
        pack_u64(&builder.item, builder.number);
        pack_fixed_u64(&builder.item, hash_stream_sum(builder.sum));
        result = item_end(&builder);
    }
    buffer_deinit(&builder.rows);
    buffer_deinit(&builder.item);
    hash_stream_free(builder.sum);
    return result;
}

static enum result append_item(void *owner, struct slice item)
{
    return buffer_append_slice(owner, item) ? GW_OK : GW_NO_MEMORY;
}

enum result dump_build_txn(struct txn *txn, struct buffer *out)
{
    return dump_items(txn, DUMP_CHUNK_BYTES, append_item, out);
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

/* --- reading --- */

enum stage { AT_HEADER, AT_CHUNKS, AT_TRAILER, AT_END };

struct dump_reader {
    struct txn *txn; /* NULL: only checked */
    dump_row_fn fn;  /* told of each row; may be NULL */
    void *owner;
    enum stage stage;
    struct dump_header header;
    struct buffer conf; /* the header's, which outlives its item */
    uint64_t rows[3], chunks, digest;
    struct hash_stream *sum;
    /* Of the table under way: rows come in ascending order, so none comes twice. */
    unsigned slot;
    uint64_t last_index;
    size_t last_key_size;
    char last_key[KEY_LIMIT];
};

struct dump_reader *dump_reader_new(struct txn *txn)
{
    struct dump_reader *reader = calloc(1, sizeof *reader);

    if (reader == NULL)
        return NULL;
    reader->txn = txn;
    buffer_init(&reader->conf, META_CONF_LIMIT);
    reader->sum = hash_stream_new();
    if (reader->sum == NULL) {
        dump_reader_free(reader);
        return NULL;
    }
    return reader;
}

void dump_reader_free(struct dump_reader *reader)
{
    if (reader == NULL)
        return;
    buffer_deinit(&reader->conf);
    hash_stream_free(reader->sum);
    free(reader);
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

enum result dump_header_parse(struct slice item, struct dump_header *ret_header)
{
    struct unpack in = unpack_init(item);
    struct dump_header header = {0};
    enum result result = header_read(&in, &header);

    if (result != GW_OK)
        return result;
    if (!unpack_done(&in))
        return GW_DAMAGED;
    *ret_header = header;
    return GW_OK;
}

static bool has_all_rows(const struct dump_reader *reader)
{
    for (unsigned i = 0; i < 3; i++)
        if (reader->rows[i] < reader->header.rows[i])
            return false;
    return true;
}

static enum result take_header(struct dump_reader *reader, struct unpack *in)
{
    enum result result = header_read(in, &reader->header);

    if (result != GW_OK)
        return result;
    if (!buffer_append_slice(&reader->conf, reader->header.label.conf))
        return GW_NO_MEMORY;
    reader->header.label.conf = buffer_slice(&reader->conf);
    for (unsigned i = 0; result == GW_OK && reader->txn != NULL && i < 3; i++)
        result = txn_clear(reader->txn, tables[i]);
    /* The history's totals are counted anew with its entries. */
    if (result == GW_OK && reader->txn != NULL)
        result = txn_delete(reader->txn, ENV_META, SLICE("history"));
    reader->stage = has_all_rows(reader) ? AT_TRAILER : AT_CHUNKS;
    return result;
}

/* Whether it comes behind the row before it; then it is the last one. */
static bool ascends(struct dump_reader *reader, struct slice key, uint64_t index)
{
    bool is_next =
        is_indexed(tables[reader->slot])
            ? index > reader->last_index
            : slice_compare(key, slice_of(reader->last_key, reader->last_key_size)) > 0;

    reader->last_index = index;
    reader->last_key_size = key.size;
    memcpy(reader->last_key, key.data, key.size);
    return is_next;
}

static enum result take_row(struct dump_reader *reader, struct unpack *in)
{
    enum env_table table = tables[reader->slot];
    struct slice key = {"", 0};
    uint64_t index = 0;

    if (is_indexed(table))
        index = unpack_u64(in);
    else
        key = unpack_bytes(in, KEY_LIMIT);
    struct slice value = unpack_bytes(in, VALUE_LIMIT);
    if (in->failed || !ascends(reader, key, index))
        return GW_DAMAGED;
    if (table == ENV_RECORDS)
        reader->digest += record_digest_of(key, value);
    if (reader->fn != NULL)
        reader->fn(reader->owner, table, key, index, value);
    if (reader->txn == NULL)
        return GW_OK;
    return is_indexed(table) ? txn_put_at(reader->txn, table, index, value)
                             : txn_put(reader->txn, table, key, value);
}

static enum result take_chunk(struct dump_reader *reader, struct unpack *in)
{
    enum result result = GW_OK;

    unpack_array(in, 5);
    uint64_t number = unpack_u64(in), slot = unpack_u64_max(in, 2);
    uint64_t count = unpack_u64(in);
    struct slice bytes = unpack_bytes(in, SIZE_MAX);
    uint64_t sum = unpack_fixed_u64(in);

    if (in->failed || number != reader->chunks || slot < reader->slot || count == 0 ||
        count > reader->header.rows[slot] - reader->rows[slot] ||
        sum != hash_stable_seeded(bytes, slot))
        return GW_DAMAGED;
    reader->chunks++;
    if (slot != reader->slot) {
        reader->slot = (unsigned)slot;
        reader->last_key_size = 0;
        reader->last_index = 0;
    }
    struct unpack row = unpack_init(bytes);
    for (uint64_t i = 0; result == GW_OK && i < count; i++)
        result = take_row(reader, &row);
    if (result == GW_OK && !unpack_done(&row))
        return GW_DAMAGED;
    reader->rows[slot] += count;
    if (has_all_rows(reader))
        reader->stage = AT_TRAILER;
    return result;
}

static enum result take_trailer(struct dump_reader *reader, struct unpack *in)
{
    unpack_array(in, 2);
    if (unpack_u64(in) != reader->chunks ||
        unpack_fixed_u64(in) != hash_stream_sum(reader->sum) || in->failed ||
        reader->digest != reader->header.state.digest)
        return GW_DAMAGED;
    reader->stage = AT_END;
    return GW_OK;
}

/* The item that `in` is at. */
static enum result take(struct dump_reader *reader, struct unpack *in)
{
    const unsigned char *start = in->at;
    enum result result = GW_DAMAGED;

    switch (reader->stage) {
    case AT_HEADER:
        result = take_header(reader, in);
        break;
    case AT_CHUNKS:
        result = take_chunk(reader, in);
        break;
    case AT_TRAILER:
        result = take_trailer(reader, in);
        break;
    case AT_END:
        break;
    }
    hash_stream_add(reader->sum, slice_of((const char *)start, (size_t)(in->at - start)));
    return result;
}

enum result dump_reader_take(struct dump_reader *reader, struct slice item)
{
    struct unpack in = unpack_init(item);
    enum result result = take(reader, &in);

    return result == GW_OK && !unpack_done(&in) ? GW_DAMAGED : result;
}

enum result dump_reader_end(struct dump_reader *reader,
                            const struct dump_header **ret_header)
{
    enum result result = reader->stage == AT_END ? GW_OK : GW_DAMAGED;

    if (result == GW_OK && reader->txn != NULL)
        result = history_recount(reader->txn);
    if (result == GW_OK && reader->txn != NULL)
        result = format_mark(reader->txn);
    if (result == GW_OK && reader->txn != NULL)
        result = record_state_install(reader->txn, &reader->header.state);
    if (result == GW_OK && ret_header != NULL)
        *ret_header = &reader->header;
    return result;
}

/* --- a dump in one piece --- */

static enum result walk(struct slice dump, struct txn *txn, dump_row_fn fn, void *owner,
                        struct dump_header *ret_header)
{
    struct dump_reader *reader = dump_reader_new(txn);
    struct unpack in = unpack_init(dump);
    enum result result = reader == NULL ? GW_NO_MEMORY : GW_OK;

    if (reader != NULL) {
        reader->fn = fn;
        reader->owner = owner;
    }
    while (result == GW_OK && reader->stage != AT_END)
        result = take(reader, &in);
    if (result == GW_OK && !unpack_done(&in))
        result = GW_DAMAGED;
    if (result == GW_OK)
        result = dump_reader_end(reader, NULL);
    if (result == GW_OK && ret_header != NULL) {
        /* Of the caller's bytes, not the reader's. */
        in = unpack_init(dump);
        *ret_header = (struct dump_header){0};
        result = header_read(&in, ret_header);
    }
    dump_reader_free(reader);
    return result;
}

enum result dump_check(struct slice dump, struct dump_header *ret_header)
{
    return walk(dump, NULL, NULL, NULL, ret_header);
}

enum result dump_walk(struct slice dump, dump_row_fn fn, void *owner)
{
    return walk(dump, NULL, fn, owner, NULL);
}

enum result dump_install(struct txn *txn, struct slice dump)
{
    enum result result = dump_check(dump, NULL);

    return result == GW_OK ? walk(dump, txn, NULL, NULL, NULL) : result;
}
