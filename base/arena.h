/* Memory that is given back all at once: an exchange's, a resource's.
 *
 * Blocks come from malloc and are kept over a reset, so an arena that is used
 * again and again settles and allocates no more. Not for sharing. */
#ifndef GW_BASE_ARENA_H
#define GW_BASE_ARENA_H

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *first;   /* owned chain */
    struct arena_block *current; /* being filled; NULL before the first use */
    size_t block_size;           /* bytes of an ordinary block */
    size_t limit;                /* bytes in all; 0: none */
    size_t used;                 /* bytes handed out since the last reset */
};

/* `block_size` 0: 4 KiB. Allocates nothing yet. */
void arena_init(struct arena *arena, size_t block_size, size_t limit);
void arena_deinit(struct arena *arena);
/* Forgets everything handed out, keeps the ordinary blocks. */
void arena_reset(struct arena *arena);

/* Aligned to 16, not cleared. NULL when out of memory or above the limit. */
void *arena_alloc(struct arena *arena, size_t size);
/* Cleared. */
void *arena_zalloc(struct arena *arena, size_t size);
/* Copies; data is NULL (size 0) when that failed and `s` was not empty.
 * A NUL follows the copy, so data may be used as a string. */
struct slice arena_copy(struct arena *arena, struct slice s);
char *arena_string(struct arena *arena, struct slice s);
struct slice arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Doubling growth for arrays in an arena: counts one more item and returns its
 * place, cleared. *items may move. NULL when out of memory; then nothing changed. */
void *arena_grow(struct arena *arena, void **items, size_t *count, size_t *capacity,
                 size_t item_size);

#endif
