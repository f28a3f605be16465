/* The one durable store: an LMDB environment, its tables and transactions.
 *
 * Everything that must survive lives here: Raft's term, vote and log, the
 * configuration by index, records, history, sessions. One thread writes (the
 * store thread); any thread reads, by read transactions shorter than 100 ms
 * (MDB_NOTLS). The simulator links a crashable env in memory in this one's
 * place, so nothing outside env*.c names LMDB.
 *
 * Opened with MDB_NOMETASYNC: a commit writes data, fdatasyncs, then writes the
 * meta page unsynced. So transaction N is durable once commit N+1 or env_sync
 * has returned; losing power loses at most the last one, and never damages. */
#ifndef GW_STORE_ENV_H
#define GW_STORE_ENV_H

#include "base/error.h"

/* Order is part of the stored format: append only. */
enum env_table {
    ENV_META, /* short names → Raft term and vote, snapshot label, applied, format … */
    ENV_LOG,  /* u64 index → entry; checksummed */
    ENV_CONF, /* u64 index → configuration payload */
    ENV_RECORDS,  /* "route/hello", "_node/3" → record; checksummed */
    ENV_HISTORY,  /* u64 revision → what a configuration entry changed; checksummed */
    ENV_SESSIONS, /* client id → last sequence and its answer */
    ENV_STAGING,  /* a dump being received */
    ENV_TABLES
};

#define ENV_KEY_LIMIT 500

struct env;
struct txn;    /* read, or the single write transaction */
struct cursor; /* belongs to a transaction and ends before it */

struct env_options {
    const char *dir;         /* holds data.mdb; locked against a second process */
    uint64_t map_size_bytes; /* address space, not disk; 0: 8 GiB */
    bool create;             /* make it when absent; else GW_NOT_FOUND */
    const char *cluster_id;  /* NULL: not checked; else GW_FOREIGN when it is another's */
    bool skip_walk;          /* tests: no start-up walk */
};

/* After an unclean end walks all tables in a forked child first, so that damage
 * (a wrong checksum, a page that kills LMDB) is one clear error: GW_DAMAGED
 * naming table and key, GW_LOCKED, GW_FOREIGN, GW_NEWER, GW_IO. */
enum result env_open(const struct env_options *options, struct env **ret_env,
                     struct error *err);
/* Marks a clean end. NULL is fine. */
void env_close(struct env *env);

/* One write transaction at a time, on one thread. Reads never wait. */
enum result env_begin_read(struct env *env, struct txn **ret_txn);
enum result env_begin_write(struct env *env, struct txn **ret_txn);
/* Ends the transaction in any case. On an error nothing was written: GW_DISK_LOW where the
 * disk has no room for it, else GW_IO. */
enum result txn_commit(struct txn *txn);
/* Ends a read, or drops a write. NULL is fine. */
void txn_abort(struct txn *txn);
/* Commits what went well, drops the rest; tells which. */
static inline enum result txn_end(struct txn *txn, enum result result)
{
    if (result == GW_OK)
        return txn_commit(txn);
    txn_abort(txn);
    return result;
}
/* Makes the last commit durable. */
enum result env_sync(struct env *env);
/* After GW_DISK_LOW, with nobody else writing: whether the disk takes writes again. Then
 * all that readers see is durable. */
enum result env_prove(struct env *env);

/* GW_OK, GW_NOT_FOUND, GW_DAMAGED (checksum), GW_IO. The value is borrowed
 * until the transaction ends or writes again. Keys are at most 500 bytes. */
enum result txn_get(struct txn *txn, enum env_table table, struct slice key,
                    struct slice *ret_value);
enum result txn_put(struct txn *txn, enum env_table table, struct slice key,
                    struct slice value);
/* GW_OK also when there was none. */
enum result txn_delete(struct txn *txn, enum env_table table, struct slice key);
/* Tables keyed by u64 (LOG, CONF, HISTORY): native order is numeric order. */
enum result txn_get_at(struct txn *txn, enum env_table table, uint64_t index,
                       struct slice *ret_value);
enum result txn_put_at(struct txn *txn, enum env_table table, uint64_t index,
                       struct slice value);
/* Deletes low ≤ index ≤ high. */
enum result txn_delete_range(struct txn *txn, enum env_table table, uint64_t low,
                             uint64_t high);
enum result txn_clear(struct txn *txn, enum env_table table);
enum result txn_count(struct txn *txn, enum env_table table, uint64_t *ret_count);

/* A walk in key order. Usage:
 *   for (r = cursor_open(txn, table, start, &c); r == GW_OK; r = cursor_next(c)) …
 * cursor_key(c) … cursor_close(c); GW_NOT_FOUND at the end. `start` empty: from the first.
 * Key and value are borrowed until the next step. */
enum result cursor_open(struct txn *txn, enum env_table table, struct slice start,
                        struct cursor **ret_cursor);
enum result cursor_open_at(struct txn *txn, enum env_table table, uint64_t start,
                           struct cursor **ret_cursor);
enum result cursor_open_last(struct txn *txn, enum env_table table,
                             struct cursor **ret_cursor);
enum result cursor_next(struct cursor *cursor);
enum result cursor_previous(struct cursor *cursor);
struct slice cursor_key(const struct cursor *cursor);
uint64_t cursor_index(const struct cursor *cursor); /* u64-keyed tables */
struct slice cursor_value(const struct cursor *cursor);
void cursor_close(struct cursor *cursor);

struct env_usage {
    uint64_t used_bytes, map_bytes, free_disk_bytes;
};
void env_usage(struct env *env, struct env_usage *ret_usage);

#endif
