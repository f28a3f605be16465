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
#include "store/env_inner.h"

#include "store/env_walk.h"

#include "base/plant.h"
#include "store/format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MAP_SIZE    (8ull << 30)
#define WALK_ALWAYS (64ull << 20)
#define NEARLY_FULL (64ull << 20) /* a short write with less room than this is for that */

const struct env_table_layout env_layout[ENV_TABLES] = {
    [ENV_META] = {"meta", false},       [ENV_LOG] = {"log", true},
    [ENV_CONF] = {"conf", true},        [ENV_RECORDS] = {"records", false},
    [ENV_HISTORY] = {"history", true},  [ENV_SESSIONS] = {"sessions", false},
    [ENV_STAGING] = {"staging", false},
};

enum result env_result(int rc)
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

enum result env_write_result(struct env *env, int rc)
{
    struct statvfs fs;

    if (rc == 0)
        return GW_OK;
    env->failed = true;
    if (rc == ENOSPC || rc == EDQUOT ||
        (rc == EIO && statvfs(env->dir, &fs) == 0 &&
         (uint64_t)fs.f_bavail * fs.f_frsize < NEARLY_FULL))
        return GW_DISK_LOW;
    return env_result(rc);
}

/* --- opening --- */

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
        env_claim_reader_table(env);
        rc = mdb_txn_begin(env->mdb, NULL, 0, &txn);
    }
    for (unsigned i = 0; rc == 0 && i < ENV_TABLES; i++)
        rc = mdb_dbi_open(txn, env_layout[i].name,
                          MDB_CREATE | (env_layout[i].is_indexed ? MDB_INTEGERKEY : 0),
                          &env->tables[i]);
    if (rc == 0) {
        MDB_val key = {.mv_size = 3, .mv_data = (void *)(uintptr_t) "txn"}, value;
        if (mdb_get(txn, env->tables[ENV_META], &key, &value) == MDB_NOTFOUND)
            rc = env_sign(env, txn); /* the tables were made just now */
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
        return error_set(err, env_result(rc), "open '%s/data.mdb': %s", env->dir,
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
    if (env->dir == NULL || env_path(path, sizeof path, options->dir, "data.mdb") != 0) {
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
    if (env_lock(env, err) != GW_OK)
        goto fail;
    bool is_marked = env_mark_matches(options->dir, &bytes);
    if (bytes == 0 && !options->create) {
        error_set(err, GW_DAMAGED,
                  "'%s' is empty; nothing was changed. Remove the data directory and join "
                  "again, or restore a snapshot",
                  path);
        goto fail;
    }
    if (env_path(path, sizeof path, options->dir, "clean") != 0)
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
            env_mark_write(env->dir);
    }
    if (env->lock_fd >= 0)
        close(env->lock_fd);
    free(env->dir);
    free(env);
}

enum result env_sync(struct env *env)
{
    return GW_PLANTED("no-sync") ? GW_OK : env_write_result(env, mdb_env_sync(env->mdb, 1));
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
