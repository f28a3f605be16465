/* The node that a directory held before: `cluster join --replace` takes its name and
 * addresses over and puts its data aside. Blocking; one thread. */
#ifndef GW_CLI_OFFLINE_REPLACE_H
#define GW_CLI_OFFLINE_REPLACE_H

#include "cli/offline/directory.h"

struct replaced {
    bool is_there; /* a node lives here */
    uint64_t id;
    char name[64], region[64], zone[64], peer[272], admin[272]; /* empty: not known */
};

/* GW_LOCKED: its gwd runs. Damage is no error: that is what replacing is for. */
enum result replaced_read(const char *data_dir, struct replaced *ret_replaced,
                          struct error *err);
/* Fills in what the options leave open. */
void replaced_fill(const struct replaced *replaced, struct offline_options *options);
/* Moves data, keys and identity into DATA_DIR/replaced-ID, the identity last; gwd.yaml
 * stays. May be repeated after it broke off. */
enum result replaced_put_aside(const char *data_dir, const struct replaced *replaced,
                               struct error *err);

#endif
