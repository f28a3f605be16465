/* A table of the simulated disk: rows in key order, in leaves that versions share.
 *
 * A version that somebody else holds too is never changed: a writer copies the list
 * of leaves, and then the one leaf it writes to. So a transaction costs what it
 * writes, not what the table holds. One thread. */
#ifndef GW_SIM_ROWS_H
#define GW_SIM_ROWS_H

#include "store/env.h"

struct row {
    unsigned references;
    uint32_t key_size, value_size;
    char bytes[]; /* key, then value; both from aligned starts */
};

struct rows; /* NULL: an empty table */

struct rows_place {
    size_t leaf, slot;
};

struct slice row_key(const struct row *row);
struct slice row_value(const struct row *row);
struct row *row_ref(struct row *row);
void row_unref(struct row *row);

struct rows *rows_ref(struct rows *rows);
void rows_unref(struct rows *rows);
size_t rows_count(const struct rows *rows);

/* The first row not below `key`; past the end there is none at the place. */
struct rows_place rows_find(const struct rows *rows, bool is_numbered, struct slice key,
                            bool *ret_found);
struct rows_place rows_first(void);
struct rows_place rows_last(const struct rows *rows);
/* NULL past the end. */
struct row *rows_at(const struct rows *rows, struct rows_place place);
struct rows_place rows_next(const struct rows *rows, struct rows_place place);
/* False before the first. */
bool rows_previous(const struct rows *rows, struct rows_place *place);

/* Each takes the caller's reference and gives the one that took its place. */
struct rows *rows_put(struct rows *rows, bool is_numbered, struct slice key,
                      struct slice value);
/* Deletes low ≤ key ≤ high. */
struct rows *rows_delete(struct rows *rows, bool is_numbered, struct slice low,
                         struct slice high);

#endif
