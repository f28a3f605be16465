/* What is sealed by the cluster key, sealed anew by another: the keys of the authority that
 * signs and of one that will. Any thread. */
#ifndef GW_NODE_RESEAL_H
#define GW_NODE_RESEAL_H

#include "pki/seal.h"
#include "raft/system.h"
#include "store/env.h"

#define RESEAL_MAX 2

struct reseal {
    struct system_item items[RESEAL_MAX]; /* borrow from `values` */
    struct buffer values[RESEAL_MAX];
    size_t count;
};

/* The items that bring everything under `to`; none for what is already. False: something
 * opens by neither key. */
bool reseal_init(struct reseal *reseal, struct txn *txn, const struct seal_key *from,
                 const struct seal_key *to);
void reseal_deinit(struct reseal *reseal);

#endif
