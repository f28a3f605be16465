/* The start-up walk over an LMDB file, in a child process. Private to env*.c. */
#ifndef GW_STORE_ENV_WALK_H
#define GW_STORE_ENV_WALK_H

#include "store/env.h"

struct env_table_layout {
    const char *name;
    bool is_indexed; /* keyed by u64, MDB_INTEGERKEY */
};
extern const struct env_table_layout env_layout[ENV_TABLES];

uint64_t env_checksum(enum env_table table, const void *key, size_t key_size,
                      const void *value, size_t value_size);

/* Forks; the child reads every reachable page and checks it. Modifies nothing.
 * GW_DAMAGED with what and where. */
enum result env_walk(const char *dir, uint64_t map_bytes, struct error *err);

#endif
