/* Two levels are enough: the tables of a simulated node hold some thousand rows. */
#include "tests/sim/rows.h"

#include <stdlib.h>

#define LEAF_ROWS 32

struct leaf {
    unsigned references;
    unsigned count;
    struct row *rows[LEAF_ROWS];
};

struct rows {
    unsigned references;
    size_t count, leaf_count, capacity;
    struct leaf **leaves; /* none of them empty */
};

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

static size_t aligned(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

struct slice row_key(const struct row *row)
{
    return slice_of(row->bytes, row->key_size);
}

struct slice row_value(const struct row *row)
{
    return slice_of(row->bytes + aligned(row->key_size), row->value_size);
}

struct row *row_ref(struct row *row)
{
    row->references++;
    return row;
}

void row_unref(struct row *row)
{
    if (row != NULL && --row->references == 0)
        free(row);
}

static struct row *row_new(struct slice key, struct slice value)
{
    struct row *row = must(malloc(sizeof *row + aligned(key.size) + value.size + 1));

    row->references = 1;
    row->key_size = (uint32_t)key.size;
    row->value_size = (uint32_t)value.size;
    memcpy(row->bytes, key.data, key.size);
    if (value.size > 0)
        memcpy(row->bytes + aligned(key.size), value.data, value.size);
    return row;
}

static void leaf_unref(struct leaf *leaf)
{
    if (--leaf->references > 0)
        return;
    for (unsigned i = 0; i < leaf->count; i++)
        row_unref(leaf->rows[i]);
    free(leaf);
}

struct rows *rows_ref(struct rows *rows)
{
    if (rows != NULL)
        rows->references++;
    return rows;
}

void rows_unref(struct rows *rows)
{
    if (rows == NULL || --rows->references > 0)
        return;
    for (size_t i = 0; i < rows->leaf_count; i++)
        leaf_unref(rows->leaves[i]);
    free(rows->leaves);
    free(rows);
}

size_t rows_count(const struct rows *rows)
{
    return rows != NULL ? rows->count : 0;
}

/* LMDB's order: of numbers for the tables keyed by u64, of bytes for the others. */
static int compare(bool is_numbered, const struct row *row, struct slice key)
{
    uint64_t x, y;

    if (!is_numbered || row->key_size != 8 || key.size != 8)
        return slice_compare(row_key(row), key);
    memcpy(&x, row->bytes, 8);
    memcpy(&y, key.data, 8);
    return x < y ? -1 : x > y;
}

/* The leaf whose first row is the last one not above the key: where it is or belongs. */
static size_t leaf_for(const struct rows *rows, bool is_numbered, struct slice key)
{
    size_t low = 0, high = rows->leaf_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (compare(is_numbered, rows->leaves[middle]->rows[0], key) <= 0)
            low = middle;
        else
            high = middle;
    }
    return low;
}

struct rows_place rows_find(const struct rows *rows, bool is_numbered, struct slice key,
                            bool *ret_found)
{
    struct rows_place place = {0, 0};

    *ret_found = false;
    if (rows == NULL || rows->leaf_count == 0)
        return place;
    place.leaf = leaf_for(rows, is_numbered, key);
    const struct leaf *leaf = rows->leaves[place.leaf];
    size_t low = 0, high = leaf->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(is_numbered, leaf->rows[middle], key);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
        *ret_found = *ret_found || order == 0;
    }
    place.slot = low;
    if (low == leaf->count)
        place = (struct rows_place){place.leaf + 1, 0};
    return place;
}

struct rows_place rows_first(void)
{
    return (struct rows_place){0, 0};
}

struct rows_place rows_last(const struct rows *rows)
{
    if (rows == NULL || rows->leaf_count == 0)
        return (struct rows_place){0, 0};
    return (struct rows_place){rows->leaf_count - 1,
                               rows->leaves[rows->leaf_count - 1]->count - 1};
}

struct row *rows_at(const struct rows *rows, struct rows_place place)
{
    if (rows == NULL || place.leaf >= rows->leaf_count ||
        place.slot >= rows->leaves[place.leaf]->count)
        return NULL;
    return rows->leaves[place.leaf]->rows[place.slot];
}

struct rows_place rows_next(const struct rows *rows, struct rows_place place)
{
    if (rows != NULL && place.leaf < rows->leaf_count &&
        place.slot + 1 < rows->leaves[place.leaf]->count)
        return (struct rows_place){place.leaf, place.slot + 1};
    return (struct rows_place){place.leaf + 1, 0};
}

bool rows_previous(const struct rows *rows, struct rows_place *place)
{
    if (place->slot > 0) {
        place->slot--;
        return true;
    }
    if (rows == NULL || place->leaf == 0 || place->leaf > rows->leaf_count)
        return false;
    place->leaf--;
    place->slot = rows->leaves[place->leaf]->count - 1;
    return true;
}

/* --- writing --- */

static struct rows *own(struct rows *rows)
{
    struct rows *copy;

    if (rows != NULL && rows->references == 1)
        return rows;
    copy = must(calloc(1, sizeof *copy));
    copy->references = 1;
    if (rows == NULL)
        return copy;
    copy->count = rows->count;
    copy->leaf_count = rows->leaf_count;
    copy->capacity = rows->leaf_count + 4;
    copy->leaves = must(malloc(copy->capacity * sizeof(struct leaf *)));
    for (size_t i = 0; i < rows->leaf_count; i++) {
        copy->leaves[i] = rows->leaves[i];
        copy->leaves[i]->references++;
    }
    rows->references--;
    return copy;
}

static struct leaf *own_leaf(struct rows *rows, size_t at)
{
    struct leaf *leaf = rows->leaves[at], *copy;

    if (leaf->references == 1)
        return leaf;
    copy = must(malloc(sizeof *copy));
    copy->references = 1;
    copy->count = leaf->count;
    for (unsigned i = 0; i < leaf->count; i++)
        copy->rows[i] = row_ref(leaf->rows[i]);
    leaf->references--;
    rows->leaves[at] = copy;
    return copy;
}

static struct leaf *leaf_insert(struct rows *rows, size_t at)
{
    struct leaf *leaf = must(calloc(1, sizeof *leaf));

    leaf->references = 1;
    if (rows->leaf_count == rows->capacity) {
        rows->capacity = rows->capacity * 2 + 4;
        rows->leaves = must(realloc(rows->leaves, rows->capacity * sizeof(struct leaf *)));
    }
    memmove(rows->leaves + at + 1, rows->leaves + at,
            (rows->leaf_count - at) * sizeof(struct leaf *));
    rows->leaves[at] = leaf;
    rows->leaf_count++;
    return leaf;
}

/* Makes room in a full leaf; what is appended in order leaves full ones behind. */
static void split(struct rows *rows, struct rows_place *place)
{
    struct leaf *left = own_leaf(rows, place->leaf);
    struct leaf *right = leaf_insert(rows, place->leaf + 1);
    unsigned keep = place->slot == left->count ? left->count : left->count / 2;

    right->count = left->count - keep;
    memcpy(right->rows, left->rows + keep, right->count * sizeof(struct row *));
    left->count = keep;
    if (place->slot > keep || (place->slot == keep && right->count == 0))
        *place = (struct rows_place){place->leaf + 1, place->slot - keep};
}

struct rows *rows_put(struct rows *old, bool is_numbered, struct slice key,
                      struct slice value)
{
    struct row *row = row_new(key, value);
    struct rows *rows = own(old);
    bool found;
    struct rows_place place = rows_find(rows, is_numbered, key, &found);

    if (found) {
        struct leaf *leaf = own_leaf(rows, place.leaf);
        row_unref(leaf->rows[place.slot]);
        leaf->rows[place.slot] = row;
        return rows;
    }
    if (rows->leaf_count == 0)
        leaf_insert(rows, 0);
    else if (place.slot == 0 && place.leaf > 0)
        place = (struct rows_place){place.leaf - 1, rows->leaves[place.leaf - 1]->count};
    if (rows->leaves[place.leaf]->count == LEAF_ROWS)
        split(rows, &place);
    struct leaf *leaf = own_leaf(rows, place.leaf);
    memmove(leaf->rows + place.slot + 1, leaf->rows + place.slot,
            (leaf->count - place.slot) * sizeof(struct row *));
    leaf->rows[place.slot] = row;
    leaf->count++;
    rows->count++;
    return rows;
}

struct rows *rows_delete(struct rows *old, bool is_numbered, struct slice low,
                         struct slice high)
{
    bool found;
    struct rows_place place = rows_find(old, is_numbered, low, &found);
    const struct row *first = rows_at(old, place);
    struct rows *rows;

    if (first == NULL || compare(is_numbered, first, high) > 0)
        return old;
    rows = own(old);
    while (place.leaf < rows->leaf_count) {
        struct leaf *leaf = rows->leaves[place.leaf];
        unsigned from = (unsigned)place.slot, to = from;

        while (to < leaf->count && compare(is_numbered, leaf->rows[to], high) <= 0)
            to++;
        if (to == from)
            break;
        bool goes_on = to == leaf->count;
        rows->count -= to - from;
        if (from == 0 && goes_on) {
            leaf_unref(leaf);
            rows->leaf_count--;
            memmove(rows->leaves + place.leaf, rows->leaves + place.leaf + 1,
                    (rows->leaf_count - place.leaf) * sizeof(struct leaf *));
        } else {
            leaf = own_leaf(rows, place.leaf);
            for (unsigned i = from; i < to; i++)
                row_unref(leaf->rows[i]);
            memmove(leaf->rows + from, leaf->rows + to,
                    (leaf->count - to) * sizeof(struct row *));
            leaf->count -= to - from;
            place = (struct rows_place){place.leaf + 1, 0};
        }
        if (!goes_on)
            break;
    }
    return rows;
}
