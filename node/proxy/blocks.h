/* Runs of bytes of a few sizes, kept for the next use: what a worker holds
 * bytes in that it cannot pass on at once. Once warm, taking one allocates
 * nothing. The kept ones are limited per size, the ones in use by who takes
 * them. One per worker, its thread only. */
#ifndef GW_NODE_PROXY_BLOCKS_H
#define GW_NODE_PROXY_BLOCKS_H

#include "base/slice.h"

#define BLOCKS_SIZES 4
#define BLOCK_SMALL  ((size_t)4 << 10)
#define BLOCK_MEDIUM ((size_t)16 << 10)
/* A read of 64 KiB and what its framing adds. */
#define BLOCK_LARGE ((size_t)68 << 10)
#define BLOCK_HUGE  ((size_t)144 << 10)

struct block {
    struct block *next; /* of the free list, or of the holder's chain */
    size_t size;        /* bytes in it */
    size_t capacity;
    unsigned number; /* which size */
    char data[];
};

struct blocks {
    struct block *free[BLOCKS_SIZES];
    unsigned free_count[BLOCKS_SIZES];
    uint64_t allocated; /* calls of malloc so far */
    size_t used_bytes;  /* capacity of the blocks taken */
};

void blocks_init(struct blocks *blocks);
void blocks_deinit(struct blocks *blocks);
/* An empty block of at least `capacity` bytes; NULL when that is above
 * BLOCK_HUGE or there is no memory. */
struct block *block_take(struct blocks *blocks, size_t capacity);
/* NULL is fine. */
void block_give(struct blocks *blocks, struct block *block);
/* Appends, moving to a larger block where it must. False: above BLOCK_HUGE or no
 * memory; then nothing changed. *block may be NULL for none yet. */
bool block_append(struct blocks *blocks, struct block **block, struct slice data);

static inline struct slice block_slice(const struct block *block)
{
    return slice_of(block->data, block->size);
}
static inline size_t block_room(const struct block *block)
{
    return block->capacity - block->size;
}

#endif
