/* One state of the catalog that never changes any more: shared between the
 * control thread and jobs on the pool by an atomic count.
 *
 * Made from the visible records, or tentatively: a visible one with what the
 * leader has in flight. */
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
    bool is_tentative;
    atomic_uint references;
};

/* An empty one, with one reference. NULL: out of memory. */
struct edition *edition_new(void);
struct edition *edition_ref(struct edition *edition);
/* NULL is fine. */
void edition_unref(struct edition *edition);

/* Pool. What is visible now: shares the resources of `before` (may be NULL) whose
 * modRevision still holds, decodes the others. GW_DAMAGED names the record. */
enum result edition_read(struct env *env, const struct edition *before,
                         struct edition **ret_edition, struct error *err);

#endif
