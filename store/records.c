/* Records and the state beside them.
 *
 * A stored record is createRevision and modRevision, 8 bytes each, little
 * endian, then the value. The digest is the sum modulo 2^64 of a hash of each
 * (key, stored record): a sum, so order does not matter and an update costs
 * two hashes. The price: it shows difference, it is no proof against forgery. */
#include "store/records.h"

#include "base/hash.h"
#include "store/history.h"

#define ENVELOPE_SIZE 16

static void put_u64(char *at, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        at[i] = (char)(value >> (8 * i));
}

static uint64_t get_u64(const char *at)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return value;
}

static uint64_t record_hash(struct slice key, struct slice stored)
{
    return hash_stable_seeded(stored, hash_stable(key));
}

enum result record_digest(struct txn *txn, uint64_t *ret_digest)
{
    struct slice value;
    enum result result = txn_get(txn, ENV_META, SLICE("digest"), &value);

    if (result == GW_NOT_FOUND) {
        *ret_digest = 0;
        return GW_OK;
    }
    if (result != GW_OK)
        return result;
    if (value.size != 8)
        return GW_DAMAGED;
    *ret_digest = get_u64(value.data);
    return GW_OK;
}

static enum result digest_move(struct txn *txn, uint64_t minus, uint64_t plus)
{
    uint64_t digest;
    char raw[8];
    enum result result = record_digest(txn, &digest);

    if (result != GW_OK)
        return result;
    put_u64(raw, digest - minus + plus);
    return txn_put(txn, ENV_META, SLICE("digest"), slice_of(raw, 8));
}

bool record_unpack(struct slice stored, struct record *ret_record)
{
    if (stored.size < ENVELOPE_SIZE)
        return false;
    ret_record->create_revision = get_u64(stored.data);
    ret_record->mod_revision = get_u64(stored.data + 8);
    ret_record->value = slice_from(stored, ENVELOPE_SIZE);
    return true;
}

enum result record_get(struct txn *txn, struct slice key, struct record *ret_record)
{
    struct slice stored;
    enum result result = txn_get(txn, ENV_RECORDS, key, &stored);

    if (result != GW_OK)
        return result;
    return record_unpack(stored, ret_record) ? GW_OK : GW_DAMAGED;
}

enum result record_put(struct txn *txn, struct slice key, struct slice value,
                       uint64_t index)
{
    struct slice stored;
    struct record old;
    uint64_t minus = 0, create = index;
    struct buffer out;
    enum result result = txn_get(txn, ENV_RECORDS, key, &stored);

    if (result == GW_OK) {
        if (!record_unpack(stored, &old))
            return GW_DAMAGED;
        minus = record_hash(key, stored);
        create = old.create_revision;
    } else if (result != GW_NOT_FOUND) {
        return result;
    }

    buffer_init(&out, 0);
    char *place = buffer_reserve(&out, ENVELOPE_SIZE + value.size);
    if (place == NULL)
        return GW_NO_MEMORY;
    put_u64(place, create);
    put_u64(place + 8, index);
    if (value.size > 0)
        memcpy(place + ENVELOPE_SIZE, value.data, value.size);
    buffer_commit(&out, ENVELOPE_SIZE + value.size);

    result = txn_put(txn, ENV_RECORDS, key, buffer_slice(&out));
    if (result == GW_OK)
        result = digest_move(txn, minus, record_hash(key, buffer_slice(&out)));
    buffer_deinit(&out);
    return result;
}

enum result record_delete(struct txn *txn, struct slice key, uint64_t index)
{
    struct slice stored;
    enum result result = txn_get(txn, ENV_RECORDS, key, &stored);
    uint64_t minus;

    (void)index;
    if (result != GW_OK)
        return result == GW_NOT_FOUND ? GW_OK : result;
    minus = record_hash(key, stored);
    result = txn_delete(txn, ENV_RECORDS, key);
    return result == GW_OK ? digest_move(txn, minus, 0) : result;
}

enum result record_walk(struct txn *txn, struct slice prefix, record_fn fn, void *owner)
{
    struct cursor *cursor = NULL;
    enum result result = cursor_open(txn, ENV_RECORDS, prefix, &cursor);

    while (result == GW_OK) {
        struct record record;
        struct slice key = cursor_key(cursor);

        if (!slice_starts_with(key, prefix))
            break;
        if (!record_unpack(cursor_value(cursor), &record))
            result = GW_DAMAGED;
        else if (!fn(owner, key, &record))
            break;
        else
            result = cursor_next(cursor);
    }
    cursor_close(cursor);
    return result == GW_NOT_FOUND ? GW_OK : result;
}

static bool count_one(void *owner, struct slice key, const struct record *record)
{
    (void)key;
    (void)record;
    ++*(size_t *)owner;
    return true;
}

enum result record_count(struct txn *txn, struct slice prefix, size_t *ret_count)
{
    *ret_count = 0;
    return record_walk(txn, prefix, count_one, ret_count);
}

enum result record_state_get(struct txn *txn, struct record_state *ret_state)
{
    struct record_state state = {0};
    struct slice value;
    enum result result = txn_get(txn, ENV_META, SLICE("state"), &value);

    if (result == GW_OK) {
        struct unpack in = unpack_init(value);
        unpack_array(&in, 4);
        state.applied = unpack_u64(&in);
        state.revision = unpack_u64(&in);
        state.conf_sequence = unpack_u64(&in);
        state.now_ms = unpack_u64(&in);
        if (!unpack_done(&in))
            return GW_DAMAGED;
    } else if (result != GW_NOT_FOUND) {
        return result;
    }
    result = record_digest(txn, &state.digest);
    if (result == GW_OK)
        *ret_state = state;
    return result;
}

enum result record_state_put(struct txn *txn, const struct record_state *state)
{
    struct buffer out;
    enum result result = GW_NO_MEMORY;

    buffer_init(&out, 0);
    pack_array(&out, 4);
    pack_u64(&out, state->applied);
    pack_u64(&out, state->revision);
    pack_u64(&out, state->conf_sequence);
    pack_u64(&out, state->now_ms);
    if (!out.failed)
        result = txn_put(txn, ENV_META, SLICE("state"), buffer_slice(&out));
    buffer_deinit(&out);
    return result;
}

enum result record_state_install(struct txn *txn, const struct record_state *state)
{
    char raw[8];
    enum result result = record_state_put(txn, state);

    put_u64(raw, state->digest);
    return result == GW_OK ? txn_put(txn, ENV_META, SLICE("digest"), slice_of(raw, 8))
                           : result;
}

uint64_t record_digest_of(struct slice key, struct slice stored)
{
    return record_hash(key, stored);
}

enum result record_last_change(struct txn *txn, struct slice key, uint64_t *ret_revision)
{
    struct record record;
    struct cursor *cursor = NULL;
    enum result result = record_get(txn, key, &record);

    if (result == GW_OK) {
        *ret_revision = record.mod_revision;
        return GW_OK;
    }
    if (result != GW_NOT_FOUND)
        return result;

    /* Not there: the newest entry that deleted it, if history reaches so far. */
    *ret_revision = 0;
    for (result = cursor_open_last(txn, ENV_HISTORY, &cursor); result == GW_OK;
         result = cursor_previous(cursor)) {
        struct unpack in;
        struct history_header header;
        struct history_item item;

        if (!history_entry_open(cursor_value(cursor), &in, &header))
            result = GW_DAMAGED;
        for (uint32_t i = 0; result == GW_OK && i < header.item_count; i++) {
            if (!history_entry_next(&in, &item)) {
                result = GW_DAMAGED;
            } else if (slice_equal(item.key, key)) {
                *ret_revision = cursor_index(cursor);
                cursor_close(cursor);
                return GW_OK;
            }
        }
        if (result != GW_OK)
            break;
    }
    cursor_close(cursor);
    return result == GW_NOT_FOUND ? GW_OK : result;
}
