/* Environment variables inside scalar values, by gwctl, after parsing: so a
 * value can never inject structure. Keys are left alone.
 *
 * ${GW_NAME} and ${GW_NAME:-default}; other upper-case names only if allowed.
 * Lower-case names are the gateway's own, per request, and stay; so does $${,
 * the escape, which the decoder understands. */
#ifndef GW_MODEL_ENVIRONMENT_H
#define GW_MODEL_ENVIRONMENT_H

#include "model/value.h"

/* Like getenv: NULL when unset. `name` is NUL-terminated. */
typedef const char *(*environment_fn)(void *context, const char *name);

struct environment {
    environment_fn get;
    void *context;
    const char *const *allowed; /* names beside GW_*, ending with NULL; may be NULL */
};

/* Replaces in place; problems carry line and column. False if there were errors. */
bool environment_substitute(const struct environment *environment, struct arena *arena,
                            struct slice file, struct value *root,
                            struct problems *problems);

#endif
