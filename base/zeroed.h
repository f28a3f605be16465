/* Zeroed memory for small things that come and go with every write.
 *
 * glibc before 2.41 takes the allocator's lock for each calloc, where malloc has a
 * cache per thread: under writes four threads waited for each other there. */
#ifndef GW_BASE_ZEROED_H
#define GW_BASE_ZEROED_H

#include <stdlib.h>
#include <string.h>

static inline void *zeroed(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);

    return memory == NULL ? NULL : memset(memory, 0, size);
}

#endif
