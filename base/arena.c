/* Memory given back all at once.
 *
 * A chain of blocks, filled in order. What does not fit an ordinary block gets
 * one of its own, put before the chain and freed at the next reset, so that one
 * large call does not stay as memory for ever. The price: the rest of a block
 * is lost when the next piece does not fit it.
 *
 * Blocks of the initial size that are given back stay with their thread, up to
 * SPARE_LIMIT, for the next arena: they are too large for malloc's own cache, and a
 * write of the configuration takes three or four. Not under the address sanitizer,
 * which shall see who uses what was given back. */
#include "base/arena.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGNMENT          16u
#define BLOCK_SIZE_INITIAL 4096u
#define SPARE_LIMIT        256u /* 1 MiB a thread at most */
#ifdef __SANITIZE_ADDRESS__     /* gcc's word, and clang's */
#define KEEPS_SPARES false
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define KEEPS_SPARES false
#endif
#endif
#ifndef KEEPS_SPARES
#define KEEPS_SPARES true
#endif

struct arena_block {
    struct arena_block *next;
    size_t size; /* bytes behind this head */
    size_t used; /* <= size */
    size_t padding;
};

_Static_assert(sizeof(struct arena_block) % ALIGNMENT == 0, "blocks keep pieces aligned");

static size_t ordinary_size(const struct arena *arena)
{
    return arena->block_size - sizeof(struct arena_block);
}

static _Thread_local struct arena_block *spare;
static _Thread_local unsigned spare_count;
static pthread_key_t spare_key;
static pthread_once_t spare_once = PTHREAD_ONCE_INIT;
static bool has_spare_key;

static void spare_end(void *unused)
{
    (void)unused;
    while (spare != NULL) {
        struct arena_block *next = spare->next;
        free(spare);
        spare = next;
    }
    spare_count = SPARE_LIMIT; /* what other destructors give back is freed */
}

static void spare_make_key(void)
{
    has_spare_key = pthread_key_create(&spare_key, spare_end) == 0;
}

/* Whether the thread keeps it; it sees to it that the thread's end frees what was kept. */
static bool spare_keep(struct arena_block *block)
{
    if (!KEEPS_SPARES || spare_count >= SPARE_LIMIT ||
        block->size != BLOCK_SIZE_INITIAL - sizeof *block)
        return false;
    if (spare == NULL) {
        pthread_once(&spare_once, spare_make_key);
        if (!has_spare_key || pthread_setspecific(spare_key, &spare_key) != 0)
            return false;
    }
    block->next = spare;
    spare = block;
    spare_count++;
    return true;
}

static void block_free(struct arena_block *block)
{
    if (!spare_keep(block))
        free(block);
}

static struct arena_block *block_new(size_t size)
{
    struct arena_block *block = spare;
    if (block != NULL && block->size == size) {
        spare = block->next;
        spare_count--;
    } else {
        block = malloc(sizeof *block + size);
    }
    if (block == NULL)
        return NULL;
    block->next = NULL;
    block->size = size;
    block->used = 0;
    return block;
}

static void *block_take(struct arena_block *block, size_t size)
{
    void *piece = (char *)(block + 1) + block->used;
    block->used += size;
    return piece;
}

/* Makes the next ordinary block current: one kept over a reset, or a new one. */
static bool advance(struct arena *arena)
{
    struct arena_block *block =
        arena->current == NULL ? arena->first : arena->current->next;
    while (block != NULL && block->size != ordinary_size(arena))
        block = block->next;
    if (block == NULL) {
        block = block_new(ordinary_size(arena));
        if (block == NULL)
            return false;
        struct arena_block **place =
            arena->current == NULL ? &arena->first : &arena->current->next;
        block->next = *place;
        *place = block;
    }
    block->used = 0;
    arena->current = block;
    return true;
}

void arena_init(struct arena *arena, size_t block_size, size_t limit)
{
    if (block_size == 0)
        block_size = BLOCK_SIZE_INITIAL;
    if (block_size < 4 * sizeof(struct arena_block))
        block_size = 4 * sizeof(struct arena_block);
    block_size &= ~(size_t)(ALIGNMENT - 1);
    *arena = (struct arena){.block_size = block_size, .limit = limit};
}

void arena_deinit(struct arena *arena)
{
    if (arena == NULL)
        return;
    for (struct arena_block *block = arena->first; block != NULL;) {
        struct arena_block *next = block->next;
        block_free(block);
        block = next;
    }
    arena->first = arena->current = NULL;
    arena->used = 0;
}

void arena_reset(struct arena *arena)
{
    struct arena_block **place = &arena->first;
    /* Large blocks all stand before the first ordinary one. */
    while (*place != NULL && (*place)->size != ordinary_size(arena)) {
        struct arena_block *large = *place;
        *place = large->next;
        free(large);
    }
    arena->current = NULL;
    arena->used = 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (size == 0)
        size = ALIGNMENT;
    if (arena->limit != 0 &&
        (arena->used > arena->limit || size > arena->limit - arena->used))
        return NULL;

    struct arena_block *block = arena->current;
    if (block == NULL || size > block->size - block->used) {
        if (size > ordinary_size(arena)) {
            block = block_new(size);
            if (block == NULL)
                return NULL;
            block->next = arena->first;
            arena->first = block;
        } else {
            if (!advance(arena))
                return NULL;
            block = arena->current;
        }
    }
    arena->used += size;
    return block_take(block, size);
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    void *piece = arena_alloc(arena, size);
    if (piece != NULL)
        memset(piece, 0, size);
    return piece;
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
    char *string = arena_string(arena, s);
    return string == NULL ? (struct slice){NULL, 0} : (struct slice){string, s.size};
}

char *arena_string(struct arena *arena, struct slice s)
{
    if (s.size == SIZE_MAX)
        return NULL;
    char *string = arena_alloc(arena, s.size + 1);
    if (string == NULL)
        return NULL;
    if (s.size > 0)
        memcpy(string, s.data, s.size);
    string[s.size] = '\0';
    return string;
}

struct slice arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0)
        return (struct slice){NULL, 0};
    char *text = arena_alloc(arena, (size_t)size + 1);
    if (text == NULL)
        return (struct slice){NULL, 0};
    va_start(args, format);
    vsnprintf(text, (size_t)size + 1, format, args);
    va_end(args);
    return (struct slice){text, (size_t)size};
}

void *arena_grow(struct arena *arena, void **items, size_t *count, size_t *capacity,
                 size_t item_size)
{
    if (*count == *capacity) {
        size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
        size_t bytes;
        if (__builtin_mul_overflow(wanted, item_size, &bytes))
            return NULL;
        void *moved = arena_alloc(arena, bytes);
        if (moved == NULL)
            return NULL;
        if (*count > 0)
            memcpy(moved, *items, *count * item_size);
        *items = moved;
        *capacity = wanted;
    }
    void *item = (char *)*items + *count * item_size;
    memset(item, 0, item_size);
    (*count)++;
    return item;
}
