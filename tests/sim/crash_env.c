/* Transactions over versions of tables (rows.c), and the faults of the disk. */
#include "tests/sim/crash_env.h"

#include "tests/sim/rows.h"

#include <stdlib.h>

struct version {
    struct rows *tables[ENV_TABLES]; /* owned references; NULL: empty */
};

struct env {
    struct version committed, durable;
    struct txn *writing;
    bool is_broken, is_full, is_dead, is_lying;
    unsigned fail_in, die_in; /* disk operations; 0: never */
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
    struct rows_place place;
    unsigned changes;
};

static void version_share(struct version *to, const struct version *from)
{
    for (int i = 0; i < ENV_TABLES; i++)
        to->tables[i] = rows_ref(from->tables[i]);
}

static void version_drop(struct version *version)
{
    for (int i = 0; i < ENV_TABLES; i++) {
        rows_unref(version->tables[i]);
        version->tables[i] = NULL;
    }
}

static bool is_numbered(enum env_table table)
{
    return table == ENV_LOG || table == ENV_CONF || table == ENV_HISTORY;
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

void crash_env_crash(struct env *env, enum crash_kind kind)
{
    txn_abort(env->writing);
    env->is_broken = env->is_dead = false;
    env->fail_in = env->die_in = 0;
    if (kind == CRASH_POWER) {
        version_drop(&env->committed);
        version_share(&env->committed, &env->durable);
        env->commits = env->durable_commits;
    } else {
        version_drop(&env->durable);
        version_share(&env->durable, &env->committed);
        env->durable_commits = env->commits;
    }
}

void crash_env_break(struct env *env, bool is_broken)
{
    env->is_broken = is_broken;
}

void crash_env_fill(struct env *env, bool is_full)
{
    env->is_full = is_full;
}

void crash_env_fail_at(struct env *env, unsigned nth)
{
    env->fail_in = nth;
}

void crash_env_die_at(struct env *env, unsigned nth)
{
    env->die_in = nth;
}

bool crash_env_is_dead(const struct env *env)
{
    return env->is_dead;
}

void crash_env_lie(struct env *env, bool is_lying)
{
    env->is_lying = is_lying;
}

uint64_t crash_env_commits(const struct env *env)
{
    return env->commits;
}

uint64_t crash_env_durable(const struct env *env)
{
    return env->durable_commits;
}

/* One operation of the disk: GW_OK when it happens. */
static enum result disk_turns(struct env *env)
{
    if (env->die_in > 0 && --env->die_in == 0)
        env->is_dead = true;
    if (env->fail_in > 0 && --env->fail_in == 0)
        env->is_broken = true;
    if (env->is_dead || env->is_broken)
        return GW_IO;
    return env->is_full ? GW_DISK_LOW : GW_OK;
}

static void make_durable(struct env *env)
{
    if (env->is_lying)
        return;
    version_drop(&env->durable);
    version_share(&env->durable, &env->committed);
    env->durable_commits = env->commits;
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

static struct txn *txn_new(struct env *env, const struct version *at, bool is_write)
{
    struct txn *txn = calloc(1, sizeof *txn);

    if (txn == NULL)
        abort();
    txn->env = env;
    txn->is_write = is_write;
    version_share(&txn->at, at);
    return txn;
}

void crash_env_begin_durable(struct env *env, struct txn **ret_txn)
{
    *ret_txn = txn_new(env, &env->durable, false);
}

enum result env_begin_read(struct env *env, struct txn **ret_txn)
{
    *ret_txn = txn_new(env, &env->committed, false);
    return GW_OK;
}

enum result env_begin_write(struct env *env, struct txn **ret_txn)
{
    if (env->writing != NULL)
        abort(); /* a second writer would wait for ever */
    enum result result = disk_turns(env);
    if (result != GW_OK)
        return result;
    env->writing = *ret_txn = txn_new(env, &env->committed, true);
    return GW_OK;
}

enum result txn_commit(struct txn *txn)
{
    struct env *env = txn->env;

    /* The data and a flush, which carries the meta page before; then our meta page. */
    enum result result = disk_turns(env);
    if (result == GW_OK) {
        make_durable(env);
        result = disk_turns(env);
    }
    if (result != GW_OK) {
        txn_abort(txn);
        return result;
    }
    version_drop(&env->committed);
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
    enum result result = disk_turns(env);
    if (result == GW_OK)
        make_durable(env);
    return result;
}

enum result txn_get(struct txn *txn, enum env_table table, struct slice key,
                    struct slice *ret_value)
{
    bool found;
    struct rows_place place =
        rows_find(txn->at.tables[table], is_numbered(table), key, &found);

    if (!found)
        return GW_NOT_FOUND;
    *ret_value = row_value(rows_at(txn->at.tables[table], place));
    return GW_OK;
}

enum result txn_put(struct txn *txn, enum env_table table, struct slice key,
                    struct slice value)
{
    txn->changes++;
    txn->at.tables[table] = rows_put(txn->at.tables[table], is_numbered(table), key, value);
    return GW_OK;
}

static enum result delete_range(struct txn *txn, enum env_table table, struct slice low,
                                struct slice high)
{
    txn->changes++;
    txn->at.tables[table] =
        rows_delete(txn->at.tables[table], is_numbered(table), low, high);
    return GW_OK;
}

enum result txn_delete(struct txn *txn, enum env_table table, struct slice key)
{
    return delete_range(txn, table, key, key);
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
    return delete_range(txn, table, slice_of(&low, sizeof low),
                        slice_of(&high, sizeof high));
}

enum result txn_clear(struct txn *txn, enum env_table table)
{
    txn->changes++;
    rows_unref(txn->at.tables[table]);
    txn->at.tables[table] = NULL;
    return GW_OK;
}

enum result txn_count(struct txn *txn, enum env_table table, uint64_t *ret_count)
{
    *ret_count = rows_count(txn->at.tables[table]);
    return GW_OK;
}

static enum result move_to(struct cursor *cursor, struct rows_place place)
{
    struct row *row = rows_at(cursor->txn->at.tables[cursor->table], place);

    row_unref(cursor->row);
    cursor->row = row != NULL ? row_ref(row) : NULL;
    cursor->changes = cursor->txn->changes;
    cursor->place = place;
    return row != NULL ? GW_OK : GW_NOT_FOUND;
}

/* As env.c does: without a row there is no cursor. */
static enum result cursor_new(struct txn *txn, enum env_table table,
                              struct rows_place place, struct cursor **ret_cursor)
{
    struct cursor *cursor = calloc(1, sizeof *cursor);

    if (cursor == NULL)
        abort();
    cursor->txn = txn;
    cursor->table = table;
    *ret_cursor = cursor;
    if (move_to(cursor, place) == GW_OK)
        return GW_OK;
    cursor_close(cursor);
    *ret_cursor = NULL;
    return GW_NOT_FOUND;
}

enum result cursor_open(struct txn *txn, enum env_table table, struct slice start,
                        struct cursor **ret_cursor)
{
    bool found;
    struct rows_place place =
        start.size == 0
            ? rows_first()
            : rows_find(txn->at.tables[table], is_numbered(table), start, &found);

    return cursor_new(txn, table, place, ret_cursor);
}

enum result cursor_open_at(struct txn *txn, enum env_table table, uint64_t start,
                           struct cursor **ret_cursor)
{
    return cursor_open(txn, table, slice_of(&start, sizeof start), ret_cursor);
}

enum result cursor_open_last(struct txn *txn, enum env_table table,
                             struct cursor **ret_cursor)
{
    return cursor_new(txn, table, rows_last(txn->at.tables[table]), ret_cursor);
}

/* Where the row we stand on is, or would be, after edits. */
static struct rows_place place_of(struct cursor *cursor, bool *ret_found)
{
    *ret_found = true;
    if (cursor->changes == cursor->txn->changes)
        return cursor->place;
    return rows_find(cursor->txn->at.tables[cursor->table], is_numbered(cursor->table),
                     row_key(cursor->row), ret_found);
}

enum result cursor_next(struct cursor *cursor)
{
    bool found;

    if (cursor->row == NULL)
        return GW_NOT_FOUND;
    struct rows_place place = place_of(cursor, &found);
    return move_to(cursor,
                   found ? rows_next(cursor->txn->at.tables[cursor->table], place) : place);
}

enum result cursor_previous(struct cursor *cursor)
{
    bool found;

    if (cursor->row == NULL)
        return GW_NOT_FOUND;
    struct rows_place place = place_of(cursor, &found);
    if (!rows_previous(cursor->txn->at.tables[cursor->table], &place)) {
        row_unref(cursor->row);
        cursor->row = NULL;
        return GW_NOT_FOUND;
    }
    return move_to(cursor, place);
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
