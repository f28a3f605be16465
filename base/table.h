/* A hash table from byte strings to pointers, open addressing.
 *
 * Keys are hashed with a key drawn per process where they may come from an
 * attacker (SipHash-1-3). Borrows keys and values; both stay where they are. */
#ifndef GW_BASE_TABLE_H
#define GW_BASE_TABLE_H

#include "base/slice.h"

struct table_slot {
    struct slice key; /* data NULL: free; value NULL with data: deleted */
    void *value;
    uint64_t hash;
};

struct table {
    struct table_slot *slots; /* owned */
    size_t capacity;          /* power of two, or 0 */
    size_t count;
    size_t used; /* count and deleted ones */
};

void table_init(struct table *table);
void table_deinit(struct table *table);
void *table_get(const struct table *table, struct slice key);
/* Puts or replaces. `value` is not NULL. False when out of memory. */
bool table_put(struct table *table, struct slice key, void *value);
/* The value taken out, or NULL. */
void *table_remove(struct table *table, struct slice key);
/* Walks in no order: start with *position 0; NULL at the end. The entry just
 * given may be removed; nothing may be put while walking. */
struct table_slot *table_next(const struct table *table, size_t *position);

#endif
