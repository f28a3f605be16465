/* A hash table from byte strings to pointers.
 *
 * Open addressing with linear probing: a look-up touches one or two cache
 * lines. Removing leaves a mark (key without value), which putting may fill
 * again; the table is built anew when keys and marks fill three quarters. The
 * full hash stands in the slot, so unequal keys are rarely compared. */
#include "base/table.h"

#include "base/hash.h"

#include <stdlib.h>

#define CAPACITY_FIRST 16u

/* A free slot has no key, so an empty key needs an address too. */
static struct slice stored_key(struct slice key)
{
    return key.data == NULL ? SLICE("") : key;
}

static struct table_slot *find(const struct table *table, struct slice key, uint64_t hash)
{
    if (table->capacity == 0)
        return NULL;
    size_t mask = table->capacity - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct table_slot *slot = &table->slots[i];
        if (slot->key.data == NULL)
            return NULL;
        if (slot->value != NULL && slot->hash == hash && slice_equal(slot->key, key))
            return slot;
    }
}

/* The first slot on the key's way that holds nothing. */
static struct table_slot *find_place(struct table *table, uint64_t hash)
{
    size_t mask = table->capacity - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask)
        if (table->slots[i].value == NULL)
            return &table->slots[i];
}

static bool rebuild(struct table *table)
{
    size_t capacity = CAPACITY_FIRST;
    while (capacity < (table->count + 1) * 2)
        capacity *= 2;
    struct table_slot *slots = calloc(capacity, sizeof *slots);
    if (slots == NULL)
        return false;
    struct table grown = {.slots = slots, .capacity = capacity};
    for (size_t i = 0; i < table->capacity; i++) {
        struct table_slot *slot = &table->slots[i];
        if (slot->value != NULL)
            *find_place(&grown, slot->hash) = *slot;
    }
    grown.count = grown.used = table->count;
    free(table->slots);
    *table = grown;
    return true;
}

void table_init(struct table *table)
{
    *table = (struct table){0};
}

void table_deinit(struct table *table)
{
    if (table == NULL)
        return;
    free(table->slots);
    *table = (struct table){0};
}

void *table_get(const struct table *table, struct slice key)
{
    if (table->count == 0)
        return NULL;
    struct table_slot *slot = find(table, key, hash_keyed(key));
    return slot == NULL ? NULL : slot->value;
}

bool table_put(struct table *table, struct slice key, void *value)
{
    uint64_t hash = hash_keyed(key);
    struct table_slot *slot = find(table, key, hash);

    if (slot != NULL) {
        /* The new key's bytes may outlive the old one's. */
        slot->key = stored_key(key);
        slot->value = value;
        return true;
    }
    if ((table->used + 1) * 4 > table->capacity * 3 && !rebuild(table))
        return false;
    slot = find_place(table, hash);
    if (slot->key.data == NULL)
        table->used++;
    *slot = (struct table_slot){.key = stored_key(key), .value = value, .hash = hash};
    table->count++;
    return true;
}

void *table_remove(struct table *table, struct slice key)
{
    if (table->count == 0)
        return NULL;
    struct table_slot *slot = find(table, key, hash_keyed(key));
    if (slot == NULL)
        return NULL;
    void *value = slot->value;
    slot->value = NULL;
    /* The mark must not point into memory that its owner may free now. */
    slot->key = SLICE("");
    table->count--;
    return value;
}

struct table_slot *table_next(const struct table *table, size_t *position)
{
    while (*position < table->capacity) {
        struct table_slot *slot = &table->slots[(*position)++];
        if (slot->value != NULL)
            return slot;
    }
    return NULL;
}
