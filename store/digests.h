/* The digests of the last states, by index: what another node says of itself is
 * compared with what this one was at the same index, which is past by then.
 *
 * Written by the store thread, read by any. */
#ifndef GW_STORE_DIGESTS_H
#define GW_STORE_DIGESTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGESTS_KEPT 1024

struct digests {
    pthread_mutex_t lock;
    struct {
        uint64_t index, digest;
    } ring[DIGESTS_KEPT]; /* by rising index, from `first` on */
    size_t first, count;
};

void digests_init(struct digests *digests);
void digests_deinit(struct digests *digests);
/* The state as of `index`, which is above those before. */
void digests_add(struct digests *digests, uint64_t index, uint64_t digest);
/* The state was replaced: what it was before says nothing of it. */
void digests_reset(struct digests *digests, uint64_t index, uint64_t digest);
/* False: `index` is not reached, is forgotten, or changed nothing here. */
bool digests_at(struct digests *digests, uint64_t index, uint64_t *ret_digest);

#endif
