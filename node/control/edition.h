/* One state of the catalog. Made from the visible records it never changes any more, and
 * the control thread and jobs on the pool share it by an atomic count. A tentative
 * one belongs to the proposer alone: a visible one with what the leader has in
 * flight, changed in place by one write after the other. */
#ifndef GW_NODE_EDITION_H
#define GW_NODE_EDITION_H

#include "model/catalog.h"
#include "store/records.h"

#include <stdatomic.h>

struct edition {
    struct catalog catalog;
    _Atomic uint64_t
        applied;            /* index that it still holds at: rises while nothing changes */
    uint64_t conf_sequence; /* what the next transaction extends */
    bool is_tentative;      /* holds what is not visible yet */
    bool is_broken;         /* memory ran out in the middle of a change: no use any more */
    atomic_uint references;
};

/* An empty one, with one reference. NULL: out of memory. */
struct edition *edition_new(void);
struct edition *edition_ref(struct edition *edition);
/* NULL is fine. */
void edition_unref(struct edition *edition);

/* Pool. What is visible now: shares the resources of `before` (may be NULL) whose
 * modRevision still holds, decodes the others. With an index where the leader checks
 * changes against it; one that `before` has is kept. GW_DAMAGED names the record. */
enum result edition_read(struct env *env, const struct edition *before, bool has_index,
                         struct edition **ret_edition, struct error *err);
/* Any thread: the same where only little changed since `before`; else GW_LIMIT, with *err
 * as it was. */
enum result edition_read_few(struct env *env, const struct edition *before, bool has_index,
                             struct edition **ret_edition, struct error *err);
/* One for the proposer, not tentative yet. NULL: out of memory. */
struct edition *edition_tentative(const struct edition *visible);

#endif
