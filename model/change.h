/* A change set: the puts and deletes of one transaction. Owns its list and
 * shares the resources. One thread. */
#ifndef GW_MODEL_CHANGE_H
#define GW_MODEL_CHANGE_H

#include "base/table.h"
#include "model/catalog.h"

#define CHANGE_ITEMS_MAX 100000
#define CHANGE_UNREAD    ((void *)UINTPTR_MAX)

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
    struct table index;        /* key to 1 + index of the item */
    struct table failed;       /* keys of objects that did not decode: as in `index`,
                                * but into `broken`; CHANGE_UNREAD: not even that */
    struct change_item *items; /* in the order given; each key once */
    size_t count, capacity;
    struct change_item *broken; /* what had errors; never applied, see catalog_check */
    size_t broken_count, broken_capacity;
    struct slice message;
};

void change_init(struct change *change);
void change_deinit(struct change *change);

/* Takes the reference. False: out of memory, or the resource is broken (the reference is
 * gone even so). */
bool change_put(struct change *change, struct resource *resource, int32_t place);
/* One object of an apply, at `place`. Every problem is reported; what is broken is
 * kept aside, so that catalog_check finds what else is wrong with it. The resource,
 * borrowed, or NULL where there is none or the object was given before. */
const struct resource *change_decode_object(struct change *change, const struct value *root,
                                            struct slice file, int32_t place,
                                            const struct change_item **ret_twin,
                                            struct problems *problems);
bool change_delete(struct change *change, enum kind kind, struct slice name);

/* The body of POST /v1/apply: {"objects": [...], "delete": [{kind, name}],
 * "message", "preconditions"}, of which the last is the proposer's. Every problem is
 * reported, with `path` "objects[3].spec..." and the item; an object given twice is an
 * error. False if there was an error. */
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
/* The whole check of a change before it is proposed: compares, applies it to a
 * copy of `before`, checks the copy. *ret_after is the copy, to be ended by the
 * caller, also on failure. May be called after a failed change_decode, to find
 * what else is wrong; then still returns false. */
bool change_validate(struct change *change, const struct catalog *before,
                     const struct member_region *members, size_t member_count,
                     uint64_t now_ms, struct slice by, struct catalog *ret_after,
                     size_t *ret_changed, struct problems *problems);
/* Remembers an object that did not decode, so that no reference to it is
 * reported as missing. */
void change_note_failed(struct change *change, const struct value *root);
const struct change_item *change_find(const struct change *change, enum kind kind,
                                      struct slice name);
/* The same among what is broken, too. */
const struct change_item *change_given(const struct change *change, enum kind kind,
                                       struct slice name);
const char *change_action_word(enum change_action action); /* "created" */

#endif
