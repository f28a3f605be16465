/* Tables are sorted arrays of shared rows, copied when a transaction first
 * writes to them: a copy is a few hundred pointers here, and reading needs no
 * care at all. Rows are freed with the last version that holds them. */
#include "tests/sim/crash_env.h"

#include <stdlib.h>

struct row {
    unsigned references;
    uint32_t key_size, value_size;
    char bytes[]; /* key, then value; both from aligned starts */
};

struct table_version {
    unsigned references;
    size_t count, capacity;
    struct row **rows;
};

struct version {
    struct table_version *tables[ENV_TABLES]; /* owned references; NULL: empty */
};

struct env {
    struct version committed, durable;
    struct txn *writing;
    bool is_broken;
    uint64_t commits, durable_commits;
};

struct txn {
    struct env *env;
    struct version at;
    bool is_write;
    unsigned changes; /* counts edits, so that a cursor knows its place is stale */
};

struct cursor {
    struct txn *txn;
    enum env_table table;
    struct row *row; /* owned reference: where we are */
    size_t index;
    unsigned changes;
};

static size_t aligned(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static struct slice row_key(const struct row *row)
{
    return slice_of(row->bytes, row->key_size);
}

static struct slice row_value(const struct row *row)
{
    return slice_of(row->bytes + aligned(row->key_size), row->value_size);
}

static struct row *row_new(struct slice key, struct slice value)
{
    struct row *row = malloc(sizeof *row + aligned(key.size) + value.size + 1);

    if (row == NULL)
        abort();
    row->references = 1;
    row->key_size = (uint32_t)key.size;
    row->value_size = (uint32_t)value.size;
    memcpy(row->bytes, key.data, key.size);
    if (value.size > 0)
        memcpy(row->bytes + aligned(key.size), value.data, value.size);
    return row;
}

static void row_unref(struct row *row)
{
    if (row != NULL && --row->references == 0)
        free(row);
}

static void table_unref(struct table_version *table)
{
    if (table == NULL || --table->references > 0)
        return;
    for (size_t i = 0; i < table->count; i++)
        row_unref(table->rows[i]);
    free(table->rows);
    free(table);
}

static void version_share(struct version *to, const struct version *from)
{
    for (int i = 0; i < ENV_TABLES; i++) {
        to->tables[i] = from->tables[i];
        if (to->tables[i] != NULL)
            to->tables[i]->references++;
    }
}

static void version_drop(struct version *version)
{
    for (int i = 0; i < ENV_TABLES; i++) {
        table_unref(version->tables[i]);
        version->tables[i] = NULL;
    }
}

static bool is_numbered(enum env_table table)
{
    return table == ENV_LOG || table == ENV_CONF || table == ENV_HISTORY;
}

/* LMDB's order: of numbers for the tables keyed by u64, of bytes for the others. */
static int compare(enum env_table table, struct slice a, struct slice b)
{
    uint64_t x, y;

    if (!is_numbered(table) || a.size != 8 || b.size != 8)
        return slice_compare(a, b);
    memcpy(&x, a.data, 8);
    memcpy(&y, b.data, 8);
    return x < y ? -1 : x > y;
}

/* The first row not below `key`. */
static size_t lower_bound(const struct table_version *version, enum env_table table,
                          struct slice key, bool *ret_found)
{
    size_t low = 0, high = version != NULL ? version->count : 0;

    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(table, row_key(version->rows[middle]), key);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
        *ret_found = *ret_found || order == 0;
    }
    return low;
}

/* A table this transaction may change. */
static struct table_version *writable(struct txn *txn, enum env_table table)
{
    struct table_version *old = txn->at.tables[table], *copy;

    txn->changes++;
    if (old != NULL && old->references == 1)
        return old;
    copy = calloc(1, sizeof *copy);
    if (copy == NULL)
        abort();
    copy->references = 1;
    copy->count = old != NULL ? old->count : 0;
    copy->capacity = copy->count + 32;
    copy->rows = malloc(copy->capacity * sizeof(struct row *));
    if (copy->rows == NULL)
        abort();
    for (size_t i = 0; i < copy->count; i++) {
        copy->rows[i] = old->rows[i];
        copy->rows[i]->references++;
    }
    table_unref(old);
    txn->at.tables[table] = copy;
    return copy;
}

struct env *crash_env_new(void)
{
    struct env *env = calloc(1, sizeof *env);

    if (env == NULL)
        abort();
    return env;
}

void crash_env_free(struct env *env)
{
    txn_abort(env->writing);
    version_drop(&env->committed);
    version_drop(&env->durable);
    free(env);
}

void crash_env_crash(struct env *env, bool power)
{
    txn_abort(env->writing);
    env->is_broken = false;
    if (power) {
        version_drop(&env->committed);
        version_share(&env->committed, &env->durable);
        env->commits = env->durable_commits;
    } else {
        /* The page cache survives, so whatever was committed will be written. */
        version_drop(&env->durable);
        version_share(&env->durable, &env->committed);
        env->durable_commits = env->commits;
    }
}

void crash_env_break(struct env *env, bool is_broken)
{
    env->is_broken = is_broken;
}

uint64_t crash_env_commits(const struct env *env)
{
    return env->commits;
}

uint64_t crash_env_durable(const struct env *env)
{
    return env->durable_commits;
}

enum result env_open(const struct env_options *options, struct env **ret_env,
                     struct error *err)
{
    (void)options;
    (void)ret_env;
    return error_set(err, GW_FAILED, "the simulator makes its envs by crash_env_new");
}

void env_close(struct env *env)
{
    (void)env;
}

static struct txn *txn_new(struct env *env, bool is_write)
{
    struct txn *txn = calloc(1, sizeof *txn);

    if (txn == NULL)
        abort();
    txn->env = env;
    txn->is_write = is_write;
    version_share(&txn->at, &env->committed);
    return txn;
}

enum result env_begin_read(struct env *env, struct txn **ret_txn)
{
    *ret_txn = txn_new(env, false);
    return GW_OK;
}

enum result env_begin_write(struct env *env, struct txn **ret_txn)
{
    if (env->writing != NULL)
        abort(); /* a second writer would wait for ever */
    env->writing = *ret_txn = txn_new(env, true);
    return GW_OK;
}

enum result txn_commit(struct txn *txn)
{
    struct env *env = txn->env;

    if (env->is_broken) {
        txn_abort(txn);
        return GW_IO;
    }
    version_drop(&env->durable);
    env->durable = env->committed;
    env->durable_commits = env->commits;
    env->committed = txn->at;
    env->commits++;
    env->writing = NULL;
    free(txn);
    return GW_OK;
}

void txn_abort(struct txn *txn)
{
    if (txn == NULL)
        return;
    if (txn->env->writing == txn)
        txn->env->writing = NULL;
    version_drop(&txn->at);
    free(txn);
}

enum result env_sync(struct env *env)
{
    if (env->is_broken)
        return GW_IO;
    version_drop(&env->durable);
    version_share(&env->durable, &env->committed);
    env->durable_commits = env->commits;
    return GW_OK;
}

enum result txn_get(struct txn *txn, enum env_table table, struct slice key,
                    struct slice *ret_value)
{
    bool found;
    size_t index = lower_bound(txn->at.tables[table], table, key, &found);

    if (!found)
        return GW_NOT_FOUND;
    *ret_value = row_value(txn->at.tables[table]->rows[index]);
    return GW_OK;
}

enum result txn_put(struct txn *txn, enum env_table table, struct slice key,
                    struct slice value)
{
    struct row *row = row_new(key, value);
    struct table_version *version = writable(txn, table);
    bool found;
    size_t index = lower_bound(version, table, key, &found);

    if (found) {
        row_unref(version->rows[index]);
        version->rows[index] = row;
        return GW_OK;
    }
    if (version->count == version->capacity) {
        version->capacity *= 2;
        version->rows = realloc(version->rows, version->capacity * sizeof(struct row *));
        if (version->rows == NULL)
            abort();
    }
    memmove(version->rows + index + 1, version->rows + index,
            (version->count - index) * sizeof(struct row *));
    version->rows[index] = row;
    version->count++;
    return GW_OK;
}

static void remove_rows(struct table_version *version, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        row_unref(version->rows[i]);
    memmove(version->rows + from, version->rows + to,
            (version->count - to) * sizeof(struct row *));
    version->count -= to - from;
}

enum result txn_delete(struct txn *txn, enum env_table table, struct slice key)
{
    bool found;
    size_t index = lower_bound(txn->at.tables[table], table, key, &found);

    if (found)
        remove_rows(writable(txn, table), index, index + 1);
    return GW_OK;
}

enum result txn_get_at(struct txn *txn, enum env_table table, uint64_t index,
                       struct slice *ret_value)
{
    return txn_get(txn, table, slice_of(&index, sizeof index), ret_value);
}

enum result txn_put_at(struct txn *txn, enum env_table table, uint64_t index,
                       struct slice value)
{
    return txn_put(txn, table, slice_of(&index, sizeof index), value);
}

enum result txn_delete_range(struct txn *txn, enum env_table table, uint64_t low,
                             uint64_t high)
{
    bool found;
    size_t from =
        lower_bound(txn->at.tables[table], table, slice_of(&low, sizeof low), &found);
    size_t to =
        lower_bound(txn->at.tables[table], table, slice_of(&high, sizeof high), &found) +
        found;

    if (from < to)
        remove_rows(writable(txn, table), from, to);
    return GW_OK;
}

enum result txn_clear(struct txn *txn, enum env_table table)
{
    struct table_version *version = writable(txn, table);

    remove_rows(version, 0, version->count);
    return GW_OK;
}

enum result txn_count(struct txn *txn, enum env_table table, uint64_t *ret_count)
{
    *ret_count = txn->at.tables[table] != NULL ? txn->at.tables[table]->count : 0;
    return GW_OK;
}

static enum result move_to(struct cursor *cursor, size_t index)
{
    const struct table_version *version = cursor->txn->at.tables[cursor->table];

    row_unref(cursor->row);
    cursor->row = NULL;
    cursor->changes = cursor->txn->changes;
    cursor->index = index;
    if (version == NULL || index >= version->count)
        return GW_NOT_FOUND;
    cursor->row = version->rows[index];
    cursor->row->references++;
    return GW_OK;
}

/* As env.c does: without a row there is no cursor. */
static enum result cursor_new(struct txn *txn, enum env_table table, size_t index,
                              struct cursor **ret_cursor)
{
    struct cursor *cursor = calloc(1, sizeof *cursor);

    if (cursor == NULL)
        abort();
    cursor->txn = txn;
    cursor->table = table;
    *ret_cursor = cursor;
    if (move_to(cursor, index) == GW_OK)
        return GW_OK;
    cursor_close(cursor);
    *ret_cursor = NULL;
    return GW_NOT_FOUND;
}

enum result cursor_open(struct txn *txn, enum env_table table, struct slice start,
                        struct cursor **ret_cursor)
{
    bool found;
    size_t index =
        start.size == 0 ? 0 : lower_bound(txn->at.tables[table], table, start, &found);

    return cursor_new(txn, table, index, ret_cursor);
}

enum result cursor_open_at(struct txn *txn, enum env_table table, uint64_t start,
                           struct cursor **ret_cursor)
{
    return cursor_open(txn, table, slice_of(&start, sizeof start), ret_cursor);
}

enum result cursor_open_last(struct txn *txn, enum env_table table,
                             struct cursor **ret_cursor)
{
    const struct table_version *version = txn->at.tables[table];

    return cursor_new(txn, table,
                      version != NULL && version->count > 0 ? version->count - 1 : SIZE_MAX,
                      ret_cursor);
}

/* Where the row we stand on is, or would be, after edits. */
static size_t place_of(struct cursor *cursor, bool *ret_found)
{
    *ret_found = true;
    if (cursor->changes == cursor->txn->changes)
        return cursor->index;
    return lower_bound(cursor->txn->at.tables[cursor->table], cursor->table,
                       row_key(cursor->row), ret_found);
}

enum result cursor_next(struct cursor *cursor)
{
    bool found;

    if (cursor->row == NULL)
        return GW_NOT_FOUND;
    size_t index = place_of(cursor, &found);
    return move_to(cursor, index + found);
}

enum result cursor_previous(struct cursor *cursor)
{
    bool found;

    if (cursor->row == NULL)
        return GW_NOT_FOUND;
    size_t index = place_of(cursor, &found);
    return move_to(cursor, index == 0 ? SIZE_MAX : index - 1);
}

struct slice cursor_key(const struct cursor *cursor)
{
    return row_key(cursor->row);
}

uint64_t cursor_index(const struct cursor *cursor)
{
    uint64_t index = 0;

    memcpy(&index, cursor->row->bytes, sizeof index);
    return index;
}

struct slice cursor_value(const struct cursor *cursor)
{
    return row_value(cursor->row);
}

void cursor_close(struct cursor *cursor)
{
    if (cursor == NULL)
        return;
    row_unref(cursor->row);
    free(cursor);
}

void env_usage(struct env *env, struct env_usage *ret_usage)
{
    (void)env;
    *ret_usage = (struct env_usage){.map_bytes = 1u << 30, .free_disk_bytes = 1u << 30};
}
