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

/* A short value of ENV_META that a write transaction has read or put: every entry applied
 * reads and puts the same few, and one commit holds many entries. So LMDB is asked for
 * each once, and given what it has come to at the commit. */
#define KEPT_COUNT 6
#define KEPT_KEY   8
#define KEPT_VALUE 48

struct kept {
    char key[KEPT_KEY], value[KEPT_VALUE];
    uint8_t key_size, value_size; /* key_size 0: unused */
    bool is_put;                  /* LMDB has not got it yet */
};

struct txn {
    struct env *env;
    MDB_txn *mdb;
    bool is_write;
    struct buffer scratch; /* a value with its checksum, being put */
    struct kept kept[KEPT_COUNT];
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
