/* The staging table: one row that says what is there, then the pieces by number, each
 * behind a byte that says whether its item goes on. What is damaged here is found when it
 * is read: each row has the env's checksum, each chunk its own, the dump one over all. */
#include "store/staging.h"

#include "base/hash.h"
#include "store/dump.h"
#include "store/unpack.h"

#define STATE       SLICE("state")
#define KEY_SIZE    9
#define COUNT_LIMIT (1ull << 32)

uint64_t staging_id(struct slice header)
{
    uint64_t id = hash_stable(header);

    return id != 0 ? id : 1;
}

static struct slice key_of(uint64_t number, char out[KEY_SIZE])
{
    out[0] = 'p';
    for (unsigned i = 0; i < 8; i++)
        out[1 + i] = (char)(number >> (56 - 8 * i));
    return slice_of(out, KEY_SIZE);
}

enum result staging_get(struct txn *txn, struct staging *ret_staging)
{
    struct staging staging = {0};
    struct slice value;
    enum result result = txn_get(txn, ENV_STAGING, STATE, &value);

    if (result == GW_OK) {
        struct unpack in = unpack_init(value);

        unpack_array(&in, 7);
        staging.id = unpack_fixed_u64(&in);
        staging.count = unpack_u64_max(&in, COUNT_LIMIT);
        staging.next = unpack_u64_max(&in, staging.count);
        staging.bytes = unpack_u64(&in);
        staging.index = unpack_u64(&in);
        staging.term = unpack_u64(&in);
        staging.is_whole = unpack_bool(&in);
        if (!unpack_done(&in))
            return GW_DAMAGED;
    }
    if (result == GW_OK || result == GW_NOT_FOUND)
        *ret_staging = staging;
    return result == GW_NOT_FOUND ? GW_OK : result;
}

static enum result state_put(struct txn *txn, const struct staging *staging)
{
    struct buffer out;
    enum result result;

    buffer_init(&out, 0);
    pack_array(&out, 7);
    pack_fixed_u64(&out, staging->id);
    pack_u64(&out, staging->count);
    pack_u64(&out, staging->next);
    pack_u64(&out, staging->bytes);
    pack_u64(&out, staging->index);
    pack_u64(&out, staging->term);
    pack_bool(&out, staging->is_whole);
    result =
        out.failed ? GW_NO_MEMORY : txn_put(txn, ENV_STAGING, STATE, buffer_slice(&out));
    buffer_deinit(&out);
    return result;
}

enum result staging_clear(struct txn *txn)
{
    uint64_t rows;
    enum result result = txn_count(txn, ENV_STAGING, &rows);

    return result == GW_OK && rows > 0 ? txn_clear(txn, ENV_STAGING) : result;
}

static enum result piece_get(struct txn *txn, uint64_t number, bool *ret_is_cut,
                             struct slice *ret_bytes)
{
    char key[KEY_SIZE];
    struct slice value;
    enum result result = txn_get(txn, ENV_STAGING, key_of(number, key), &value);

    if (result == GW_NOT_FOUND || (result == GW_OK && value.size == 0))
        return GW_DAMAGED;
    if (result == GW_OK) {
        *ret_is_cut = value.data[0] != 0;
        *ret_bytes = slice_from(value, 1);
    }
    return result;
}

static enum result piece_put(struct txn *txn, const struct staging_piece *piece)
{
    char key[KEY_SIZE];
    struct buffer value;
    enum result result;

    buffer_init(&value, 0);
    buffer_append_byte(&value, piece->is_cut ? 1 : 0);
    buffer_append_slice(&value, piece->bytes);
    result = value.failed ? GW_NO_MEMORY
                          : txn_put(txn, ENV_STAGING, key_of(piece->number, key),
                                    buffer_slice(&value));
    buffer_deinit(&value);
    return result;
}

/* Gives all items to a reader, each from a copy: what a transaction gave is not ours any
 * more once it writes. */
static enum result read_all(struct txn *txn, const struct staging *staging,
                            struct dump_reader *reader)
{
    enum result result = GW_OK;
    struct buffer item;

    buffer_init(&item, 0);
    for (uint64_t i = 0; result == GW_OK && i < staging->count; i++) {
        struct slice bytes;
        bool is_cut;

        result = piece_get(txn, i, &is_cut, &bytes);
        if (result == GW_OK && !buffer_append_slice(&item, bytes))
            result = GW_NO_MEMORY;
        if (result != GW_OK || is_cut)
            continue;
        result = dump_reader_take(reader, buffer_slice(&item));
        buffer_reset(&item);
    }
    buffer_deinit(&item);
    return result;
}

static enum result check(struct txn *txn, const struct staging *staging)
{
    struct dump_reader *reader = dump_reader_new(NULL);
    enum result result = GW_NO_MEMORY;

    if (reader != NULL)
        result = read_all(txn, staging, reader);
    if (result == GW_OK)
        result = dump_reader_end(reader, NULL);
    dump_reader_free(reader);
    return result;
}

static enum result damaged(struct txn *txn, struct staging *staging,
                           enum staging_outcome *ret_outcome)
{
    *staging = (struct staging){0};
    *ret_outcome = STAGING_DAMAGED;
    return staging_clear(txn);
}

enum result staging_put(struct txn *txn, const struct staging_piece *piece,
                        struct staging *staging, enum staging_outcome *ret_outcome)
{
    enum result result = staging_get(txn, staging);

    *ret_outcome = STAGING_PASSED;
    if (result == GW_DAMAGED)
        return damaged(txn, staging, ret_outcome);
    if (result != GW_OK)
        return result;
    if (piece->number == 0 && piece->id != staging->id) {
        struct dump_header header;

        if (piece->is_cut || piece->id != staging_id(piece->bytes) || piece->count < 2 ||
            piece->count > COUNT_LIMIT ||
            dump_header_parse(piece->bytes, &header) != GW_OK) {
            *ret_outcome = STAGING_DAMAGED;
            return GW_OK; /* and what there is of another one stays */
        }
        result = staging_clear(txn);
        *staging = (struct staging){.id = piece->id,
                                    .count = piece->count,
                                    .index = header.label.index,
                                    .term = header.label.term};
    }
    if (result != GW_OK || piece->id != staging->id || piece->count != staging->count ||
        piece->number != staging->next || staging->next == staging->count)
        return result;
    result = piece_put(txn, piece);
    staging->next++;
    staging->bytes += piece->bytes.size;
    if (result == GW_OK && staging->next == staging->count) {
        result = check(txn, staging);
        if (result == GW_DAMAGED || result == GW_NEWER)
            return damaged(txn, staging, ret_outcome);
        staging->is_whole = result == GW_OK;
    }
    if (result == GW_OK)
        result = state_put(txn, staging);
    *ret_outcome = STAGING_TAKEN;
    return result;
}

enum result staging_install(struct txn *txn, const struct staging *staging)
{
    struct dump_reader *reader = dump_reader_new(txn);
    enum result result = GW_NO_MEMORY;

    if (reader != NULL)
        result = read_all(txn, staging, reader);
    if (result == GW_OK)
        result = dump_reader_end(reader, NULL);
    dump_reader_free(reader);
    return result == GW_OK ? staging_clear(txn) : result;
}

enum result staging_header(struct txn *txn, struct buffer *conf,
                           struct dump_header *ret_header)
{
    struct dump_header header;
    struct slice item;
    bool is_cut;
    enum result result = piece_get(txn, 0, &is_cut, &item);

    if (result == GW_OK)
        result = dump_header_parse(item, &header);
    if (result != GW_OK)
        return result;
    if (!buffer_append_slice(conf, header.label.conf))
        return GW_NO_MEMORY;
    header.label.conf = buffer_slice(conf);
    *ret_header = header;
    return GW_OK;
}
