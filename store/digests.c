/* A ring under a lock that is held for some nanoseconds: sixteen kilobytes, and a search
 * by halves. */
#include "store/digests.h"

void digests_init(struct digests *digests)
{
    pthread_mutex_init(&digests->lock, NULL);
    digests->first = digests->count = 0;
}

void digests_deinit(struct digests *digests)
{
    pthread_mutex_destroy(&digests->lock);
}

static void add(struct digests *digests, uint64_t index, uint64_t digest)
{
    size_t at = (digests->first + digests->count) % DIGESTS_KEPT;

    digests->ring[at].index = index;
    digests->ring[at].digest = digest;
    if (digests->count < DIGESTS_KEPT)
        digests->count++;
    else
        digests->first = (digests->first + 1) % DIGESTS_KEPT;
}

void digests_add(struct digests *digests, uint64_t index, uint64_t digest)
{
    pthread_mutex_lock(&digests->lock);
    add(digests, index, digest);
    pthread_mutex_unlock(&digests->lock);
}

void digests_reset(struct digests *digests, uint64_t index, uint64_t digest)
{
    pthread_mutex_lock(&digests->lock);
    digests->first = digests->count = 0;
    add(digests, index, digest);
    pthread_mutex_unlock(&digests->lock);
}

bool digests_at(struct digests *digests, uint64_t index, uint64_t *ret_digest)
{
    bool is_there = false;

    pthread_mutex_lock(&digests->lock);
    size_t low = 0, high = digests->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        size_t at = (digests->first + middle) % DIGESTS_KEPT;
        if (digests->ring[at].index == index) {
            *ret_digest = digests->ring[at].digest;
            is_there = true;
            break;
        }
        if (digests->ring[at].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    pthread_mutex_unlock(&digests->lock);
    return is_there;
}
