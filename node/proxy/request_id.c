/* Not secret, only unlike any other: 32 bits of chance per worker and start. */
#include "node/proxy/request_id.h"

#include <stdio.h>

void request_id_start(struct worker *worker)
{
    int size = snprintf(worker->id_prefix, sizeof worker->id_prefix, "%s-%08x-",
                        worker->node_name, (unsigned)rng_next(&worker->rng));
    worker->id_prefix_size = (size_t)size < sizeof worker->id_prefix
                                 ? (size_t)size
                                 : sizeof worker->id_prefix - 1;
}

static bool is_sane(struct slice id)
{
    if (id.size == 0 || id.size > REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < id.size; i++)
        if (id.data[i] <= ' ' || id.data[i] > '~' || id.data[i] == '"' ||
            id.data[i] == '\\')
            return false;
    return true;
}

struct slice request_id_make(struct worker *worker, struct arena *arena, struct slice given)
{
    static const char digits[] = "0123456789abcdef";
    if (is_sane(given))
        return arena_copy(arena, given);

    char text[sizeof worker->id_prefix + 16];
    char *end = text + sizeof text, *at = end;
    uint64_t number = ++worker->id_counter;
    do {
        *--at = digits[number & 15];
        number >>= 4;
    } while (number > 0);
    at -= worker->id_prefix_size;
    memcpy(at, worker->id_prefix, worker->id_prefix_size);
    return arena_copy(arena, slice_of(at, (size_t)(end - at)));
}
