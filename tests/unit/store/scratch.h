/* A temporary directory with an env in it, for the store's unit tests. */
#ifndef GW_TESTS_UNIT_STORE_SCRATCH_H
#define GW_TESTS_UNIT_STORE_SCRATCH_H

#include "base/rng.h"
#include "store/env.h"
#include "store/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct scratch {
    char dir[64];
    struct env *env;
};

static inline void scratch_open(struct scratch *scratch, uint64_t map_size)
{
    struct error err;

    if (env_open(
            &(struct env_options){.dir = scratch->dir,
                                  .create = true,
                                  .map_size_bytes = map_size != 0 ? map_size : 1u << 28},
            &scratch->env, &err) != GW_OK)
        fail_msg("%s", err.text);
}

static inline void scratch_init(struct scratch *scratch)
{
    /* In memory where there is such a place: these tests flush a great deal. */
    *scratch = (struct scratch){.dir = "/dev/shm/gw-unit-store-XXXXXX"};
    if (mkdtemp(scratch->dir) == NULL) {
        *scratch = (struct scratch){.dir = "/tmp/gw-unit-store-XXXXXX"};
        assert_non_null(mkdtemp(scratch->dir));
    }
}

/* As a new cluster has it: what is newer than format 1 may be written. */
static inline void scratch_format(struct scratch *scratch)
{
    struct txn *txn;

    assert_int_equal(env_begin_write(scratch->env, &txn), GW_OK);
    assert_int_equal(format_put(txn, 1, FORMAT_NEWEST), GW_OK);
    assert_int_equal(txn_commit(txn), GW_OK);
}

static inline void scratch_close(struct scratch *scratch)
{
    env_close(scratch->env);
    scratch->env = NULL;
}

static inline void scratch_deinit(struct scratch *scratch)
{
    char command[128];

    scratch_close(scratch);
    snprintf(command, sizeof command, "rm -rf %s", scratch->dir);
    assert_int_equal(system(command), 0);
}

static inline void put_text(struct txn *txn, enum env_table table, const char *key,
                            const char *value)
{
    assert_int_equal(txn_put(txn, table, slice_from_string(key), slice_from_string(value)),
                     GW_OK);
}

#endif
