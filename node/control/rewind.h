/* The catalog at an earlier revision, from the history: for reads of it, and for
 * rollback, which makes it the present again. Pool. */
#ifndef GW_NODE_REWIND_H
#define GW_NODE_REWIND_H

#include "model/change.h"
#include "node/control/edition.h"

/* The puts and deletes that take `edition` back to `revision`, with the revisions that
 * resources had then; `only`, a resource's key, or empty for all. `change` is to be ended
 * by the caller, also on failure. GW_COMPACTED, GW_NOT_FOUND: not reached yet. */
enum result rewind_change(struct env *env, const struct edition *edition, uint64_t revision,
                          struct slice only, struct change *change, struct error *err);
/* `edition` at `revision`: a new edition, or NULL with the reason. */
struct edition *rewind_edition(struct env *env, const struct edition *edition,
                               uint64_t revision, struct error *err);
/* The revision before the last change, of `only` or of anything. GW_NOT_FOUND: there was
 * none; GW_COMPACTED; GW_AGAIN: it is newer than the edition. */
enum result rewind_last(struct env *env, const struct edition *edition, struct slice only,
                        uint64_t *ret_revision, struct error *err);

#endif
