/* The board: slots in chunks that never move, found by key, counted.
 *
 * Only finding, making and giving back a slot takes the lock: control does so
 * when it compiles and when a snapshot dies. Reading and setting a state is one
 * relaxed atomic access, since a verdict orders nothing but itself. A slot that
 * nobody holds goes to a free list and starts again as "up"; chunks are kept
 * until the board goes, which costs as much memory as the most slots ever held
 * at once. */
#include "node/board/board.h"

#include "base/table.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CHUNK_SLOTS 256u

struct board_slot {
    _Atomic uint8_t state;          /* enum board_state; any thread, relaxed */
    _Atomic uint64_t hole_until_ms; /* likewise */
    uint32_t refs;                  /* under the lock; 0: on the free list */
    struct slice key;               /* owned */
    struct board_slot *next_free;
};

struct board_chunk {
    struct board_chunk *next;
    struct board_slot slots[CHUNK_SLOTS];
};

struct board {
    pthread_mutex_t lock;
    struct table slots; /* by key */
    struct board_chunk *chunks;
    struct board_slot *free;
};

struct board *board_new(void)
{
    struct board *board = calloc(1, sizeof *board);
    if (board == NULL)
        return NULL;
    pthread_mutex_init(&board->lock, NULL);
    table_init(&board->slots);
    return board;
}

void board_free(struct board *board)
{
    if (board == NULL)
        return;
    for (struct board_chunk *chunk = board->chunks; chunk != NULL;) {
        struct board_chunk *next = chunk->next;
        for (unsigned i = 0; i < CHUNK_SLOTS; i++)
            free((void *)(uintptr_t)chunk->slots[i].key.data);
        free(chunk);
        chunk = next;
    }
    table_deinit(&board->slots);
    pthread_mutex_destroy(&board->lock);
    free(board);
}

static bool chunk_add(struct board *board)
{
    struct board_chunk *chunk = calloc(1, sizeof *chunk);
    if (chunk == NULL)
        return false;
    chunk->next = board->chunks;
    board->chunks = chunk;
    for (unsigned i = CHUNK_SLOTS; i-- > 0;) {
        chunk->slots[i].next_free = board->free;
        board->free = &chunk->slots[i];
    }
    return true;
}

/* Under the lock. */
static struct board_slot *slot_make(struct board *board, struct slice key)
{
    if (board->free == NULL && !chunk_add(board))
        return NULL;
    char *copy = slice_to_string(key);
    if (copy == NULL)
        return NULL;
    struct board_slot *slot = board->free;
    struct slice owned = {copy, key.size};
    if (!table_put(&board->slots, owned, slot)) {
        free(copy);
        return NULL;
    }
    board->free = slot->next_free;
    slot->next_free = NULL;
    slot->key = owned;
    atomic_store_explicit(&slot->state, BOARD_UP, memory_order_relaxed);
    atomic_store_explicit(&slot->hole_until_ms, 0, memory_order_relaxed);
    return slot;
}

struct board_slot *board_slot_ref(struct board *board, struct slice key)
{
    pthread_mutex_lock(&board->lock);
    struct board_slot *slot = table_get(&board->slots, key);
    if (slot == NULL)
        slot = slot_make(board, key);
    if (slot != NULL)
        slot->refs++;
    pthread_mutex_unlock(&board->lock);
    return slot;
}

struct board_slot *board_slot_find(struct board *board, struct slice key)
{
    pthread_mutex_lock(&board->lock);
    struct board_slot *slot = table_get(&board->slots, key);
    if (slot != NULL)
        slot->refs++;
    pthread_mutex_unlock(&board->lock);
    return slot;
}

void board_slot_unref(struct board *board, struct board_slot *slot)
{
    if (slot == NULL)
        return;
    pthread_mutex_lock(&board->lock);
    assert(slot->refs > 0);
    if (--slot->refs == 0) {
        table_remove(&board->slots, slot->key);
        free((void *)(uintptr_t)slot->key.data);
        slot->key = (struct slice){NULL, 0};
        slot->next_free = board->free;
        board->free = slot;
    }
    pthread_mutex_unlock(&board->lock);
}

size_t board_slot_count(struct board *board)
{
    pthread_mutex_lock(&board->lock);
    size_t count = board->slots.count;
    pthread_mutex_unlock(&board->lock);
    return count;
}

enum board_state board_slot_state(const struct board_slot *slot)
{
    return (enum board_state)atomic_load_explicit(&slot->state, memory_order_relaxed);
}

void board_slot_set(struct board_slot *slot, enum board_state state)
{
    atomic_store_explicit(&slot->state, (uint8_t)state, memory_order_relaxed);
}

bool board_slot_is_hole(const struct board_slot *slot, uint64_t now_ms)
{
    return now_ms < atomic_load_explicit(&slot->hole_until_ms, memory_order_relaxed);
}

void board_slot_hole_set(struct board_slot *slot, uint64_t until_ms)
{
    atomic_store_explicit(&slot->hole_until_ms, until_ms, memory_order_relaxed);
}
