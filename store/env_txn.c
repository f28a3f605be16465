/* Transactions, values behind their checksums, and walks. */
#include "store/env_inner.h"

#include "store/env_walk.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define CHECKSUM_SIZE 8

struct cursor {
    struct txn *txn;
    enum env_table table;
    MDB_cursor *mdb;
    MDB_val key, value;
};

uint64_t env_checksum(enum env_table table, const void *key, size_t key_size,
                      const void *value, size_t value_size)
{
    return hash_stable_seeded(slice_of(value, value_size),
                              hash_stable_seeded(slice_of(key, key_size), table + 1u));
}

/* --- transactions --- */

static enum result begin(struct env *env, bool is_write, struct txn **ret_txn)
{
    struct txn *txn = calloc(1, sizeof *txn);
    int rc;

    if (txn == NULL)
        return GW_NO_MEMORY;
    txn->env = env;
    txn->is_write = is_write;
    buffer_init(&txn->scratch, 0);
    rc = mdb_txn_begin(env->mdb, NULL, is_write ? 0 : MDB_RDONLY, &txn->mdb);
    if (rc != 0) {
        free(txn);
        return env_result(rc);
    }
    *ret_txn = txn;
    return GW_OK;
}

enum result env_begin_read(struct env *env, struct txn **ret_txn)
{
    return begin(env, false, ret_txn);
}

enum result env_begin_write(struct env *env, struct txn **ret_txn)
{
    return begin(env, true, ret_txn);
}

/* Each state says which transaction wrote it. A meta page whose number had a bit
 * flipped may pass for the newer one; then the state behind it says otherwise. */
int env_sign(struct env *env, MDB_txn *txn)
{
    uint64_t signature[2] = {0, mdb_txn_id(txn)};
    MDB_val key = {.mv_size = 3, .mv_data = (void *)(uintptr_t) "txn"};
    MDB_val value = {.mv_size = sizeof signature, .mv_data = signature};

    signature[0] = env_checksum(ENV_META, "txn", 3, &signature[1], 8);
    return mdb_put(txn, env->tables[ENV_META], &key, &value, 0);
}

static enum result kept_write(struct txn *txn);

enum result txn_commit(struct txn *txn)
{
    struct env *env = txn->env;
    enum result result = kept_write(txn);

    if (result != GW_OK) {
        txn_abort(txn);
        return result;
    }
    int rc = txn->is_write ? env_sign(env, txn->mdb) : 0;
    if (rc == 0) {
        rc = mdb_txn_commit(txn->mdb);
    } else {
        mdb_txn_abort(txn->mdb);
    }
    buffer_deinit(&txn->scratch);
    free(txn);
    return env_write_result(env, rc);
}

void txn_abort(struct txn *txn)
{
    if (txn == NULL)
        return;
    mdb_txn_abort(txn->mdb);
    buffer_deinit(&txn->scratch);
    free(txn);
}

/* --- values --- */

static enum result checked(enum env_table table, const MDB_val *key, const MDB_val *value,
                           struct slice *ret_value)
{
    uint64_t sum;

    if (value->mv_size < CHECKSUM_SIZE)
        return GW_DAMAGED;
    memcpy(&sum, value->mv_data, CHECKSUM_SIZE);
    *ret_value = slice_of((const char *)value->mv_data + CHECKSUM_SIZE,
                          value->mv_size - CHECKSUM_SIZE);
    if (sum !=
        env_checksum(table, key->mv_data, key->mv_size, ret_value->data, ret_value->size))
        return GW_DAMAGED;
    return GW_OK;
}

static MDB_val val(const void *data, size_t size)
{
    return (MDB_val){.mv_size = size, .mv_data = (void *)(uintptr_t)data};
}

static enum result get(struct txn *txn, enum env_table table, MDB_val key,
                       struct slice *ret_value)
{
    MDB_val value;
    int rc = mdb_get(txn->mdb, txn->env->tables[table], &key, &value);

    return rc != 0 ? env_result(rc) : checked(table, &key, &value, ret_value);
}

static enum result put(struct txn *txn, enum env_table table, MDB_val key,
                       struct slice value)
{
    uint64_t sum = env_checksum(table, key.mv_data, key.mv_size, value.data, value.size);
    MDB_val stored;

    /* Not MDB_RESERVE into the page: key or value may borrow from a page that
     * this very put moves. */
    buffer_reset(&txn->scratch);
    buffer_append(&txn->scratch, &sum, CHECKSUM_SIZE);
    buffer_append_slice(&txn->scratch, value);
    if (txn->scratch.failed)
        return GW_NO_MEMORY;
    stored = val(txn->scratch.data, txn->scratch.size);
    return env_write_result(txn->env,
                            mdb_put(txn->mdb, txn->env->tables[table], &key, &stored, 0));
}

/* --- short values of ENV_META, kept until the commit --- */

static bool may_keep(const struct txn *txn, enum env_table table, struct slice key)
{
    return txn->is_write && table == ENV_META && key.size <= KEPT_KEY;
}

static struct kept *kept_find(struct txn *txn, struct slice key)
{
    for (unsigned i = 0; i < KEPT_COUNT; i++) {
        struct kept *kept = &txn->kept[i];
        if (kept->key_size == key.size && memcmp(kept->key, key.data, key.size) == 0)
            return kept;
    }
    return NULL;
}

/* Its place, or an unused one; NULL: it is not kept. */
static struct kept *kept_set(struct txn *txn, struct slice key, struct slice value,
                             bool is_put)
{
    struct kept *kept = kept_find(txn, key);

    for (unsigned i = 0; kept == NULL && i < KEPT_COUNT; i++)
        kept = txn->kept[i].key_size == 0 ? &txn->kept[i] : NULL;
    if (kept == NULL)
        return NULL;
    if (value.size > KEPT_VALUE) {
        kept->key_size = 0; /* what it was before is over */
        return NULL;
    }
    memcpy(kept->key, key.data, key.size);
    kept->key_size = (uint8_t)key.size;
    memmove(kept->value, value.data, value.size); /* it may borrow from here */
    kept->value_size = (uint8_t)value.size;
    kept->is_put = is_put;
    return kept;
}

static struct slice kept_value(const struct kept *kept)
{
    return slice_of(kept->value, kept->value_size);
}

static void kept_forget(struct txn *txn, struct slice key)
{
    struct kept *kept = kept_find(txn, key);

    if (kept != NULL)
        kept->key_size = 0;
}

static enum result kept_write(struct txn *txn)
{
    enum result result = GW_OK;

    for (unsigned i = 0; result == GW_OK && i < KEPT_COUNT; i++) {
        struct kept *kept = &txn->kept[i];
        if (kept->key_size == 0 || !kept->is_put)
            continue;
        kept->is_put = false;
        result = put(txn, ENV_META, val(kept->key, kept->key_size), kept_value(kept));
    }
    return result;
}

enum result txn_get(struct txn *txn, enum env_table table, struct slice key,
                    struct slice *ret_value)
{
    if (key.size == 0 || key.size > ENV_KEY_LIMIT)
        return GW_NOT_FOUND;
    if (!may_keep(txn, table, key))
        return get(txn, table, val(key.data, key.size), ret_value);

    struct kept *kept = kept_find(txn, key);
    if (kept == NULL) {
        enum result result = get(txn, table, val(key.data, key.size), ret_value);
        if (result == GW_OK)
            kept_set(txn, key, *ret_value, false);
        return result;
    }
    *ret_value = kept_value(kept);
    return GW_OK;
}

enum result txn_put(struct txn *txn, enum env_table table, struct slice key,
                    struct slice value)
{
    if (key.size == 0 || key.size > ENV_KEY_LIMIT)
        return GW_INVALID;
    if (may_keep(txn, table, key) && kept_set(txn, key, value, true) != NULL)
        return GW_OK;
    return put(txn, table, val(key.data, key.size), value);
}

enum result txn_delete(struct txn *txn, enum env_table table, struct slice key)
{
    MDB_val k = val(key.data, key.size);

    if (key.size == 0 || key.size > ENV_KEY_LIMIT)
        return GW_OK;
    if (may_keep(txn, table, key))
        kept_forget(txn, key);
    int rc = mdb_del(txn->mdb, txn->env->tables[table], &k, NULL);
    return rc == MDB_NOTFOUND ? GW_OK : env_write_result(txn->env, rc);
}

enum result txn_get_at(struct txn *txn, enum env_table table, uint64_t index,
                       struct slice *ret_value)
{
    return get(txn, table, val(&index, sizeof index), ret_value);
}

enum result txn_put_at(struct txn *txn, enum env_table table, uint64_t index,
                       struct slice value)
{
    return put(txn, table, val(&index, sizeof index), value);
}

enum result txn_delete_range(struct txn *txn, enum env_table table, uint64_t low,
                             uint64_t high)
{
    MDB_cursor *cursor;
    MDB_val key = val(&low, sizeof low), value;
    int rc = mdb_cursor_open(txn->mdb, txn->env->tables[table], &cursor);

    if (rc != 0)
        return env_result(rc);
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0) {
        uint64_t index;

        if (key.mv_size != sizeof index) {
            rc = MDB_CORRUPTED;
            break;
        }
        memcpy(&index, key.mv_data, sizeof index);
        if (index > high)
            break;
        rc = mdb_cursor_del(cursor, 0);
        if (rc == 0)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? GW_OK : env_write_result(txn->env, rc);
}

enum result txn_clear(struct txn *txn, enum env_table table)
{
    if (table == ENV_META)
        memset(txn->kept, 0, sizeof txn->kept);
    return env_write_result(txn->env, mdb_drop(txn->mdb, txn->env->tables[table], 0));
}

enum result txn_count(struct txn *txn, enum env_table table, uint64_t *ret_count)
{
    MDB_stat stat;
    enum result result = table == ENV_META ? kept_write(txn) : GW_OK;

    if (result != GW_OK)
        return result;
    int rc = mdb_stat(txn->mdb, txn->env->tables[table], &stat);

    if (rc != 0)
        return env_result(rc);
    *ret_count = stat.ms_entries;
    return GW_OK;
}

/* --- cursors --- */

static enum result cursor_checked(struct cursor *cursor, int rc)
{
    struct slice value;

    return rc != 0 ? env_result(rc)
                   : checked(cursor->table, &cursor->key, &cursor->value, &value);
}

static enum result open_cursor(struct txn *txn, enum env_table table, MDB_val key,
                               MDB_cursor_op op, struct cursor **ret_cursor)
{
    struct cursor *cursor = calloc(1, sizeof *cursor);
    enum result result = table == ENV_META ? kept_write(txn) : GW_OK;
    int rc;

    *ret_cursor = NULL;
    if (cursor == NULL || result != GW_OK) {
        free(cursor);
        return result != GW_OK ? result : GW_NO_MEMORY;
    }
    cursor->txn = txn;
    cursor->table = table;
    cursor->key = key;
    rc = mdb_cursor_open(txn->mdb, txn->env->tables[table], &cursor->mdb);
    if (rc == 0)
        rc = mdb_cursor_get(cursor->mdb, &cursor->key, &cursor->value, op);
    result = cursor_checked(cursor, rc);
    if (result != GW_OK) {
        cursor_close(cursor);
        return result;
    }
    *ret_cursor = cursor;
    return GW_OK;
}

enum result cursor_open(struct txn *txn, enum env_table table, struct slice start,
                        struct cursor **ret_cursor)
{
    return open_cursor(txn, table, val(start.data, start.size),
                       start.size == 0 ? MDB_FIRST : MDB_SET_RANGE, ret_cursor);
}

enum result cursor_open_at(struct txn *txn, enum env_table table, uint64_t start,
                           struct cursor **ret_cursor)
{
    return open_cursor(txn, table, val(&start, sizeof start), MDB_SET_RANGE, ret_cursor);
}

enum result cursor_open_last(struct txn *txn, enum env_table table,
                             struct cursor **ret_cursor)
{
    return open_cursor(txn, table, val(NULL, 0), MDB_LAST, ret_cursor);
}

enum result cursor_next(struct cursor *cursor)
{
    return cursor_checked(
        cursor, mdb_cursor_get(cursor->mdb, &cursor->key, &cursor->value, MDB_NEXT));
}

enum result cursor_previous(struct cursor *cursor)
{
    return cursor_checked(
        cursor, mdb_cursor_get(cursor->mdb, &cursor->key, &cursor->value, MDB_PREV));
}

struct slice cursor_key(const struct cursor *cursor)
{
    return slice_of(cursor->key.mv_data, cursor->key.mv_size);
}

uint64_t cursor_index(const struct cursor *cursor)
{
    uint64_t index = 0;

    if (cursor->key.mv_size == sizeof index)
        memcpy(&index, cursor->key.mv_data, sizeof index);
    return index;
}

struct slice cursor_value(const struct cursor *cursor)
{
    return slice_of((const char *)cursor->value.mv_data + CHECKSUM_SIZE,
                    cursor->value.mv_size - CHECKSUM_SIZE);
}

void cursor_close(struct cursor *cursor)
{
    if (cursor == NULL)
        return;
    if (cursor->mdb != NULL)
        mdb_cursor_close(cursor->mdb);
    free(cursor);
}
