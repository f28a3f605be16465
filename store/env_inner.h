/* What the rooms of the env on LMDB share: env.c, env_directory.c, env_txn.c. */
#ifndef GW_STORE_ENV_INNER_H
#define GW_STORE_ENV_INNER_H

#include "base/buffer.h"
#include "store/env.h"

#include <lmdb.h>

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

/* What LMDB's answer means; of a write, besides, that this is no clean end. */
enum result env_result(int rc);
enum result env_write_result(struct env *env, int rc);

/* env_directory.c. -1: the path is too long. */
int env_path(char *out, size_t size, const char *dir, const char *name);
/* GW_LOCKED by another process. */
enum result env_lock(struct env *env, struct error *err);
/* Whether the last end was clean, and nothing happened to the file since. Says how large
 * it is, too; untouched when there is none. */
bool env_mark_matches(const char *dir, uint64_t *ret_bytes);
void env_mark_write(const char *dir);
void env_claim_reader_table(const struct env *env);

/* env_txn.c */
int env_sign(struct env *env, MDB_txn *txn);

#endif
