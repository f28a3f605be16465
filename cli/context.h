/* Contexts: named clusters with endpoints and credentials, in
 * $XDG_CONFIG_HOME/gwctl/, a file per context as D/admin.yaml has it, mode 0600,
 * and `current` with the name of the default. */
#ifndef GW_CLI_CONTEXT_H
#define GW_CLI_CONTEXT_H

#include "base/arena.h"
#include "base/error.h"

struct context {
    struct slice name, cluster_id, cluster_name;
    struct slice endpoints;            /* with commas */
    struct slice ca, certificate, key; /* PEM */
};

/* `name` NULL: the current one. GW_NOT_FOUND. Everything lives in `arena`. */
enum result context_load(const char *name, struct arena *arena, struct context *ret_context,
                         struct error *err);

/* Writes the context's file anew with these, PEM; the rest stays. */
enum result context_renew(const struct context *context, struct slice ca,
                          struct slice certificate, struct slice key, struct error *err);

#endif
