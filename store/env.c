/* The env on LMDB.
 *
 * Every value is stored behind 8 bytes of XXH3 over table, key and value, since
 * LMDB has no checksums; reading checks it. Directory layout:
 *
 *   data.mdb   LMDB's          lock.mdb  LMDB's reader table
 *   lock       flock'd by the process that has the directory; holds its pid
 *   clean      written at a clean end: size and time of data.mdb
 *
 * A start without a matching `clean`, or of a file small enough to be walked in
 * no time, reads everything in a forked child first (env_walk.c): a damaged
 * page can make LMDB crash, and then it is the child that dies.
 *
 * A full disk is told from a broken one, since it mends by itself. LMDB calls a write
 * that was cut short EIO, so what counts there is how little room is left. An aborted
 * transaction leaves nothing behind; but a flush that failed may have dropped the last
 * commit's meta page, which the page cache still shows. So nothing is believed again
 * before a later commit has been flushed whole (env_prove): its meta page names all of
 * the state, and everything below was flushed before.
 *
 * The price of the checksums: 8 bytes and some 30 ns a value. */
#include "store/env.h"

#include "store/env_walk.h"

#include "base/buffer.h"
#include "base/hash.h"
#include "base/plant.h"
#include "store/format.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MAP_SIZE      (8ull << 30)
#define WALK_ALWAYS   (64ull << 20)
#define NEARLY_FULL   (64ull << 20) /* a short write with less room than this is for that */
#define CHECKSUM_SIZE 8

const struct env_table_layout env_layout[ENV_TABLES] = {
    [ENV_META] = {"meta", false},       [ENV_LOG] = {"log", true},
    [ENV_CONF] = {"conf", true},        [ENV_RECORDS] = {"records", false},
    [ENV_HISTORY] = {"history", true},  [ENV_SESSIONS] = {"sessions", false},
    [ENV_STAGING] = {"staging", false},
};

struct env {
    MDB_env *mdb;
    MDB_dbi tables[ENV_TABLES];
    int lock_fd;
    char *dir;
    uint64_t map_bytes;
    bool failed; /* a write failed: no clean mark */
};

struct txn {
    struct env *env;
    MDB_txn *mdb;
    bool is_write;
    struct buffer scratch; /* a value with its checksum, being put */
};

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

static enum result from_mdb(int rc)
{
    switch (rc) {
    case 0:
        return GW_OK;
    case MDB_NOTFOUND:
        return GW_NOT_FOUND;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
        return GW_DAMAGED;
    case ENOMEM:
        return GW_NO_MEMORY;
    default:
        return GW_IO;
    }
}

static enum result from_write(struct env *env, int rc)
{
    struct statvfs fs;

    if (rc == 0)
        return GW_OK;
    env->failed = true;
    if (rc == ENOSPC || rc == EDQUOT ||
        (rc == EIO && statvfs(env->dir, &fs) == 0 &&
         (uint64_t)fs.f_bavail * fs.f_frsize < NEARLY_FULL))
        return GW_DISK_LOW;
    return from_mdb(rc);
}

/* --- opening --- */

static int path_of(char *out, size_t size, const char *dir, const char *name)
{
    int n = snprintf(out, size, "%s/%s", dir, name);
    return n < 0 || (size_t)n >= size ? -1 : 0;
}

static enum result take_lock(struct env *env, struct error *err)
{
    char path[4096], text[64] = "";
    ssize_t n;

    if (path_of(path, sizeof path, env->dir, "lock") != 0)
        return error_set(err, GW_USAGE, "the path '%s' is too long", env->dir);
    env->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (env->lock_fd < 0)
        return error_set(err, GW_IO, "open '%s': %s", path, strerror(errno));
    if (flock(env->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return error_set(err, GW_IO, "lock '%s': %s", path, strerror(errno));
        n = pread(env->lock_fd, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return error_set(
            err, GW_LOCKED,
            "data directory in use by process %s: '%s'; stop that process first, "
            "or give this one a directory of its own",
            text[0] != '\0' ? text : "unknown", env->dir);
    }
    /* Over what stands there, which takes no room; a full disk keeps nobody from starting,
     * the number is only for whoever finds the directory in use. */
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if ((pwrite(env->lock_fd, text, (size_t)size, 0) != size ||
         ftruncate(env->lock_fd, size) != 0) &&
        errno != ENOSPC && errno != EDQUOT)
        return error_set(err, GW_IO, "write '%s': %s", path, strerror(errno));
    return GW_OK;
}

/* The clean mark says which file it was about, so that a file that was changed
 * since is walked although its end was clean. */
static bool mark_text(const char *dir, char *text, size_t size, uint64_t *ret_bytes)
{
    char path[4096];
    struct stat st;

    if (path_of(path, sizeof path, dir, "data.mdb") != 0 || stat(path, &st) != 0)
        return false;
    *ret_bytes = (uint64_t)st.st_size;
    snprintf(text, size, "%lld %lld.%09ld %llu\n", (long long)st.st_size,
             (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
             (unsigned long long)st.st_ino);
    return true;
}

static bool mark_matches(const char *dir, uint64_t *ret_bytes)
{
    char path[4096], expected[128], found[128] = "";
    ssize_t n;
    int fd;

    if (!mark_text(dir, expected, sizeof expected, ret_bytes) ||
        path_of(path, sizeof path, dir, "clean") != 0)
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, found, sizeof found - 1);
    close(fd);
    return n > 0 && strcmp(found, expected) == 0;
}

static void mark_write(const char *dir)
{
    char path[4096], text[128];
    uint64_t bytes;
    int fd;

    if (!mark_text(dir, text, sizeof text, &bytes) ||
        path_of(path, sizeof path, dir, "clean") != 0)
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    /* Without it, or with half of it, the next start walks: nothing else. */
    if (write(fd, text, strlen(text)) == (ssize_t)strlen(text))
        fsync(fd);
    close(fd);
}

static int sign(struct env *env, MDB_txn *txn);

/* LMDB writes to its reader table through memory: a page of it that the disk then has no
 * room for would be a signal, and the end of the process. */
static void claim_reader_table(const struct env *env)
{
    char path[4096];
    struct stat st;

    if (path_of(path, sizeof path, env->dir, "lock.mdb") != 0)
        return;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    /* Without room it stays as it is: few pages, most of them used before. */
    if (fstat(fd, &st) == 0)
        (void)!posix_fallocate(fd, 0, st.st_size);
    close(fd);
}

static enum result open_mdb(struct env *env, struct error *err)
{
    MDB_txn *txn = NULL;
    int rc = mdb_env_create(&env->mdb);

    if (rc == 0)
        rc = mdb_env_set_mapsize(env->mdb, env->map_bytes);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(env->mdb, ENV_TABLES + 1);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(env->mdb, 256);
    if (rc == 0)
        rc = mdb_env_open(
            env->mdb, env->dir,
            MDB_NOTLS | MDB_NOMETASYNC | (GW_PLANTED("no-sync") ? MDB_NOSYNC : 0u), 0600);
    if (rc == 0) {
        claim_reader_table(env);
        rc = mdb_txn_begin(env->mdb, NULL, 0, &txn);
    }
    for (unsigned i = 0; rc == 0 && i < ENV_TABLES; i++)
        rc = mdb_dbi_open(txn, env_layout[i].name,
                          MDB_CREATE | (env_layout[i].is_indexed ? MDB_INTEGERKEY : 0),
                          &env->tables[i]);
    if (rc == 0) {
        MDB_val key = {.mv_size = 3, .mv_data = (void *)(uintptr_t) "txn"}, value;
        if (mdb_get(txn, env->tables[ENV_META], &key, &value) == MDB_NOTFOUND)
            rc = sign(env, txn); /* the tables were made just now */
    }
    if (rc == 0) {
        rc = mdb_txn_commit(txn);
        txn = NULL;
    }
    if (txn != NULL)
        mdb_txn_abort(txn);
    if (rc == 0)
        rc = mdb_env_sync(env->mdb, 1);
    if (rc == 0) {
        int dead;
        rc = mdb_reader_check(env->mdb, &dead);
    }
    if (rc != 0)
        return error_set(err, from_mdb(rc), "open '%s/data.mdb': %s", env->dir,
                         mdb_strerror(rc));
    return GW_OK;
}

static enum result check_identity(struct env *env, const struct env_options *options,
                                  struct error *err)
{
    struct txn *txn;
    struct slice value;
    uint64_t format = 0;
    enum result result = env_begin_read(env, &txn);

    if (result != GW_OK)
        return error_set(err, result, "read '%s/data.mdb'", env->dir);
    result = txn_get(txn, ENV_META, SLICE("format"), &value);
    if (result == GW_OK && (!slice_parse_u64(value, &format) || format > format_spoken))
        error_set(err, result = GW_NEWER,
                  "'%s' was written in format %.*s, this program knows up to %llu; use the "
                  "newer program",
                  env->dir, SLICE_ARG(value), (unsigned long long)format_spoken);
    bool is_new = result == GW_NOT_FOUND;
    if (is_new)
        result = GW_OK;
    if (result == GW_OK && options->cluster_id != NULL) {
        result = txn_get(txn, ENV_META, SLICE("cluster"), &value);
        if (result == GW_OK && !slice_equal(value, slice_from_string(options->cluster_id)))
            error_set(err, result = GW_FOREIGN,
                      "'%s' belongs to cluster %.*s, this node to %s; give it the data "
                      "directory of its own cluster",
                      env->dir, SLICE_ARG(value), options->cluster_id);
        else if (result == GW_NOT_FOUND)
            result = GW_OK;
    }
    txn_abort(txn);
    if (result != GW_OK && err->code == GW_OK)
        error_set(err, result, "read '%s/data.mdb': table meta is %s", env->dir,
                  result_text(result));
    if (result != GW_OK || !is_new)
        return result;
    result = env_begin_write(env, &txn);
    if (result != GW_OK)
        return error_set(err, result, "write '%s/data.mdb'", env->dir);
    result = txn_end(txn, txn_put(txn, ENV_META, SLICE("format"), SLICE("1")));
    if (result == GW_OK)
        result = env_sync(env);
    if (result != GW_OK)
        error_set(err, result, "write '%s/data.mdb': %s", env->dir, result_text(result));
    return result;
}

enum result env_open(const struct env_options *options, struct env **ret_env,
                     struct error *err)
{
    char path[4096];
    uint64_t bytes = 0;
    struct env *env = calloc(1, sizeof *env);

    if (env == NULL)
        return error_set(err, GW_NO_MEMORY, "open '%s'", options->dir);
    *err = ERROR_NONE;
    env->lock_fd = -1;
    env->failed = true; /* until all is open: closing then leaves no mark */
    env->map_bytes = options->map_size_bytes != 0 ? options->map_size_bytes : MAP_SIZE;
    env->dir = strdup(options->dir);
    if (env->dir == NULL || path_of(path, sizeof path, options->dir, "data.mdb") != 0) {
        error_set(err, GW_USAGE, "the path '%s' is too long", options->dir);
        goto fail;
    }
    if (access(path, F_OK) != 0) {
        if (!options->create) {
            error_set(err, GW_NOT_FOUND,
                      "there is no data in '%s'; run gwctl cluster init or join",
                      options->dir);
            goto fail;
        }
        if (mkdir(options->dir, 0700) != 0 && errno != EEXIST) {
            error_set(err, GW_IO, "create '%s': %s", options->dir, strerror(errno));
            goto fail;
        }
    }
    if (take_lock(env, err) != GW_OK)
        goto fail;
    bool is_marked = mark_matches(options->dir, &bytes);
    if (bytes == 0 && !options->create) {
        error_set(err, GW_DAMAGED,
                  "'%s' is empty; nothing was changed. Remove the data directory and join "
                  "again, or restore a snapshot",
                  path);
        goto fail;
    }
    if (path_of(path, sizeof path, options->dir, "clean") != 0)
        goto fail;
    if (bytes > 0 && !options->skip_walk && (!is_marked || bytes <= WALK_ALWAYS) &&
        env_walk(options->dir, env->map_bytes, err) != GW_OK)
        goto fail;
    unlink(path);
    if (open_mdb(env, err) != GW_OK || check_identity(env, options, err) != GW_OK)
        goto fail;
    env->failed = false;
    *ret_env = env;
    return GW_OK;

fail:
    env_close(env);
    return err->code;
}

void env_close(struct env *env)
{
    if (env == NULL)
        return;
    if (env->mdb != NULL) {
        bool is_clean = !env->failed && mdb_env_sync(env->mdb, 1) == 0;
        mdb_env_close(env->mdb);
        if (is_clean)
            mark_write(env->dir);
    }
    if (env->lock_fd >= 0)
        close(env->lock_fd);
    free(env->dir);
    free(env);
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
        return from_mdb(rc);
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
static int sign(struct env *env, MDB_txn *txn)
{
    uint64_t signature[2] = {0, mdb_txn_id(txn)};
    MDB_val key = {.mv_size = 3, .mv_data = (void *)(uintptr_t) "txn"};
    MDB_val value = {.mv_size = sizeof signature, .mv_data = signature};

    signature[0] = env_checksum(ENV_META, "txn", 3, &signature[1], 8);
    return mdb_put(txn, env->tables[ENV_META], &key, &value, 0);
}

enum result txn_commit(struct txn *txn)
{
    struct env *env = txn->env;
    int rc = txn->is_write ? sign(env, txn->mdb) : 0;

    if (rc == 0) {
        rc = mdb_txn_commit(txn->mdb);
    } else {
        mdb_txn_abort(txn->mdb);
    }
    buffer_deinit(&txn->scratch);
    free(txn);
    return from_write(env, rc);
}

void txn_abort(struct txn *txn)
{
    if (txn == NULL)
        return;
    mdb_txn_abort(txn->mdb);
    buffer_deinit(&txn->scratch);
    free(txn);
}

enum result env_sync(struct env *env)
{
    return GW_PLANTED("no-sync") ? GW_OK : from_write(env, mdb_env_sync(env->mdb, 1));
}

enum result env_prove(struct env *env)
{
    struct txn *txn;
    enum result result = env_begin_write(env, &txn);

    if (result == GW_OK)
        result = txn_commit(txn); /* signing it is a write */
    if (result == GW_OK)
        result = env_sync(env);
    if (result == GW_OK)
        env->failed = false;
    return result;
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

    return rc != 0 ? from_mdb(rc) : checked(table, &key, &value, ret_value);
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
    return from_write(txn->env,
                      mdb_put(txn->mdb, txn->env->tables[table], &key, &stored, 0));
}

enum result txn_get(struct txn *txn, enum env_table table, struct slice key,
                    struct slice *ret_value)
{
    if (key.size == 0 || key.size > ENV_KEY_LIMIT)
        return GW_NOT_FOUND;
    return get(txn, table, val(key.data, key.size), ret_value);
}

enum result txn_put(struct txn *txn, enum env_table table, struct slice key,
                    struct slice value)
{
    if (key.size == 0 || key.size > ENV_KEY_LIMIT)
        return GW_INVALID;
    return put(txn, table, val(key.data, key.size), value);
}

enum result txn_delete(struct txn *txn, enum env_table table, struct slice key)
{
    MDB_val k = val(key.data, key.size);

    if (key.size == 0 || key.size > ENV_KEY_LIMIT)
        return GW_OK;
    int rc = mdb_del(txn->mdb, txn->env->tables[table], &k, NULL);
    return rc == MDB_NOTFOUND ? GW_OK : from_write(txn->env, rc);
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
        return from_mdb(rc);
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
    return rc == MDB_NOTFOUND ? GW_OK : from_write(txn->env, rc);
}

enum result txn_clear(struct txn *txn, enum env_table table)
{
    return from_write(txn->env, mdb_drop(txn->mdb, txn->env->tables[table], 0));
}

enum result txn_count(struct txn *txn, enum env_table table, uint64_t *ret_count)
{
    MDB_stat stat;
    int rc = mdb_stat(txn->mdb, txn->env->tables[table], &stat);

    if (rc != 0)
        return from_mdb(rc);
    *ret_count = stat.ms_entries;
    return GW_OK;
}

/* --- cursors --- */

static enum result cursor_checked(struct cursor *cursor, int rc)
{
    struct slice value;

    return rc != 0 ? from_mdb(rc)
                   : checked(cursor->table, &cursor->key, &cursor->value, &value);
}

static enum result open_cursor(struct txn *txn, enum env_table table, MDB_val key,
                               MDB_cursor_op op, struct cursor **ret_cursor)
{
    struct cursor *cursor = calloc(1, sizeof *cursor);
    enum result result;
    int rc;

    *ret_cursor = NULL;
    if (cursor == NULL)
        return GW_NO_MEMORY;
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

void env_usage(struct env *env, struct env_usage *ret_usage)
{
    struct env_usage usage = {.map_bytes = env->map_bytes};
    struct statvfs fs;
    MDB_envinfo info;
    MDB_stat stat;

    if (mdb_env_info(env->mdb, &info) == 0 && mdb_env_stat(env->mdb, &stat) == 0)
        usage.used_bytes = (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize;
    if (statvfs(env->dir, &fs) == 0)
        usage.free_disk_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    *ret_usage = usage;
}
