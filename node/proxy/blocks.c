/* Four sizes, a free list each. A request of ordinary size uses none at all:
 * its bytes go from the read buffer to the socket. */
#include "node/proxy/blocks.h"

#include <stdlib.h>

static const size_t sizes[BLOCKS_SIZES] = {BLOCK_SMALL, BLOCK_MEDIUM, BLOCK_LARGE,
                                           BLOCK_HUGE};
/* Kept at most: 4, 4, 8.5 and 4.5 MiB per worker. */
static const unsigned kept[BLOCKS_SIZES] = {1024, 256, 128, 32};

void blocks_init(struct blocks *blocks)
{
    *blocks = (struct blocks){0};
}

void blocks_deinit(struct blocks *blocks)
{
    for (unsigned i = 0; i < BLOCKS_SIZES; i++) {
        struct block *block;
        while ((block = blocks->free[i]) != NULL) {
            blocks->free[i] = block->next;
            free(block);
        }
        blocks->free_count[i] = 0;
    }
}

struct block *block_take(struct blocks *blocks, size_t capacity)
{
    unsigned number = 0;
    while (number < BLOCKS_SIZES && sizes[number] < capacity)
        number++;
    if (number == BLOCKS_SIZES)
        return NULL;
    struct block *block = blocks->free[number];
    if (block != NULL) {
        blocks->free[number] = block->next;
        blocks->free_count[number]--;
    } else {
        block = malloc(sizeof *block + sizes[number]);
        if (block == NULL)
            return NULL;
        blocks->allocated++;
        block->number = number;
        block->capacity = sizes[number];
    }
    block->next = NULL;
    block->size = 0;
    blocks->used_bytes += block->capacity;
    return block;
}

void block_give(struct blocks *blocks, struct block *block)
{
    if (block == NULL)
        return;
    unsigned number = block->number;
    blocks->used_bytes -= block->capacity;
    if (blocks->free_count[number] >= kept[number]) {
        free(block);
        return;
    }
    block->next = blocks->free[number];
    blocks->free[number] = block;
    blocks->free_count[number]++;
}

bool block_append(struct blocks *blocks, struct block **block, struct slice data)
{
    struct block *old = *block;
    if (old == NULL || block_room(old) < data.size) {
        size_t size = old == NULL ? 0 : old->size;
        struct block *larger = block_take(blocks, size + data.size);
        if (larger == NULL)
            return false;
        if (size > 0)
            memcpy(larger->data, old->data, size);
        larger->size = size;
        block_give(blocks, old);
        *block = larger;
    }
    if (data.size > 0)
        memcpy((*block)->data + (*block)->size, data.data, data.size);
    (*block)->size += data.size;
    return true;
}
