/* A change set: the puts and deletes of one transaction. Owns its list and
 * shares the resources. One thread. */
#ifndef GW_MODEL_CHANGE_H
#define GW_MODEL_CHANGE_H

#include "model/catalog.h"

#define CHANGE_ITEMS_MAX 100000

enum change_action { CHANGE_CREATED, CHANGE_CHANGED, CHANGE_UNCHANGED, CHANGE_DELETED };

struct change_item {
    enum kind kind;
    struct slice name;         /* of `resource`, or in the change's arena */
    struct resource *resource; /* owned reference; NULL: a delete */
    int32_t place;             /* 1 + index in `objects`; 0: none */
    enum change_action action; /* by change_compare */
};

struct change {
    struct arena arena;
    struct change_item *items; /* in the order given; each key once */
    size_t count, capacity;
    struct slice message;
};

void change_init(struct change *change);
void change_deinit(struct change *change);

/* Takes the reference. False: out of memory (the reference is gone even so). */
bool change_put(struct change *change, struct resource *resource, int32_t place);
bool change_delete(struct change *change, enum kind kind, struct slice name);

/* The body of POST /v1/apply: {"objects": [...], "delete": [{kind, name}],
 * "message"}. Every problem is reported, with `path` "objects[3].spec..." and
 * the item; an object given twice is an error. False if there was an error. */
bool change_decode(struct change *change, const struct value *body,
                   struct problems *problems);
/* The reverse. */
void change_emit(struct emit *emit, const struct change *change);
/* A delete for each resource of `before` that `selector` matches and that the
 * change does not put. */
bool change_prune(struct change *change, const struct catalog *before,
                  struct slice selector);
/* Fills every item's action against `before`, and stamps the resources.
 * A delete of what is not there is an error. The number of items that change
 * something goes to *ret_changed. False if there was an error. */
bool change_compare(struct change *change, const struct catalog *before, uint64_t now_ms,
                    struct slice by, size_t *ret_changed, struct problems *problems);
const struct change_item *change_find(const struct change *change, enum kind kind,
                                      struct slice name);
const char *change_action_word(enum change_action action); /* "created" */

#endif
