/* A sorted set of resources whose copies share what they have in common.
 *
 * Pages of items below one list of pages, both counted: a copy costs one count,
 * and a change of a copy makes anew the list and the page it touches. What only
 * one shelf holds is changed in place. One thread changes a shelf; once no
 * longer changed, any may read it and copy it. */
#ifndef GW_MODEL_SHELF_H
#define GW_MODEL_SHELF_H

#include "model/kind.h"

struct resource;
struct shelf_body;

struct shelf {
    struct shelf_body *body; /* NULL: empty */
};

/* Items stand by `order`, then kind, then name: what is sought by name has the order
 * of shelf_name_order, an index some hash. An item is there once per order. */
uint64_t shelf_name_order(struct slice name);

void shelf_init(struct shelf *shelf);
void shelf_deinit(struct shelf *shelf);
void shelf_share(const struct shelf *shelf, struct shelf *ret_copy);
size_t shelf_count(const struct shelf *shelf);

/* Shares the resource, which replaces one of its order and key. False: out of memory. */
bool shelf_put(struct shelf *shelf, uint64_t order, const struct resource *resource);
/* False: out of memory. *ret_found: whether it was there. */
bool shelf_remove(struct shelf *shelf, uint64_t order, enum kind kind, struct slice name,
                  bool *ret_found);
/* Borrowed: valid while the shelf holds it. NULL: not there. */
const struct resource *shelf_get(const struct shelf *shelf, uint64_t order, enum kind kind,
                                 struct slice name);

struct shelf_cursor {
    const struct shelf_body *body;
    size_t page;
    unsigned at;
};
struct shelf_cursor shelf_first(const struct shelf *shelf);
/* Before the first item of this order, or where it would stand. */
struct shelf_cursor shelf_seek(const struct shelf *shelf, uint64_t order);
/* The item there, borrowed, and goes on; NULL at the end. */
const struct resource *shelf_next(struct shelf_cursor *cursor);
/* The same, as long as they have this order. */
const struct resource *shelf_next_of(struct shelf_cursor *cursor, uint64_t order);

#endif
