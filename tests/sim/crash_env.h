/* The store's env in memory, which can lose power: store/env.h implemented for
 * the simulator, and what the simulator does to it.
 *
 * A version is one immutable array per table; a commit makes a new version.
 * As with MDB_NOMETASYNC, commit N makes N-1 durable, and env_sync makes all so. Losing
 * power goes back to the durable version. A write that was open is always lost. */
#ifndef GW_SIM_CRASH_ENV_H
#define GW_SIM_CRASH_ENV_H

#include "base/rng.h"
#include "store/env.h"

struct env *crash_env_new(void);
void crash_env_free(struct env *env);
/* The process died: the open write is gone. With `power`, so is what was not durable. */
void crash_env_crash(struct env *env, bool power);
/* From now on every commit and sync fails with GW_IO, until a crash. */
void crash_env_break(struct env *env, bool is_broken);
/* Commits so far, and how many are durable: the difference is at most one. */
uint64_t crash_env_commits(const struct env *env);
uint64_t crash_env_durable(const struct env *env);

#endif
