/* The store's env in memory, which can lose power: store/env.h implemented for
 * the simulator, and what the simulator does to it.
 *
 * A version is one immutable set of tables; a commit makes a new one. As with
 * MDB_NOMETASYNC, a commit has two stages: its data reach the disk, and with them the
 * previous commit's meta page; then its own meta page is written, and may or may not get
 * to the disk before power is lost. env_sync makes all durable. A write that was open is
 * always lost. What a torn page does to LMDB itself is below this model. */
#ifndef GW_SIM_CRASH_ENV_H
#define GW_SIM_CRASH_ENV_H

#include "store/env.h"

enum crash_kind {
    CRASH_PROCESS,   /* the page cache survives */
    CRASH_POWER,     /* an unsynced meta page is lost */
    CRASH_POWER_LATE /* … or had just been written back */
};

struct env *crash_env_new(void);
void crash_env_free(struct env *env);
/* The process died: the open write is gone. Faults of the disk end. */
void crash_env_crash(struct env *env, enum crash_kind kind);
/* From now on every commit and sync fails: with GW_IO until a crash, or (`is_full`) with
 * GW_DISK_LOW until told otherwise, crash or not. */
void crash_env_break(struct env *env, bool is_broken);
void crash_env_fill(struct env *env, bool is_full);
/* The `nth` disk operation from now on fails with GW_IO, and every later one. */
void crash_env_fail_at(struct env *env, unsigned nth);
/* The process dies before the `nth` disk operation from now on: that one and all later
 * ones do nothing. The simulator looks whether it did. */
void crash_env_die_at(struct env *env, unsigned nth);
bool crash_env_is_dead(const struct env *env);
/* A disk that says it synced and did not: for a planted bug only. */
void crash_env_lie(struct env *env, bool is_lying);
/* Commits so far, and how many are durable: the difference is at most one. */
uint64_t crash_env_commits(const struct env *env);
uint64_t crash_env_durable(const struct env *env);
/* A read transaction on what would be there if power were lost now. */
void crash_env_begin_durable(struct env *env, struct txn **ret_txn);

#endif
