/* Changes of the configuration as server-sent events, for a watch. Pool. */
#ifndef GW_NODE_WATCH_EVENTS_H
#define GW_NODE_WATCH_EVENTS_H

#include "base/buffer.h"
#include "model/kind.h"
#include "store/env.h"

/* Behind so many bytes no further revision is begun. One revision is never split. */
#define WATCH_EVENTS_BYTES (2u << 20)

/* Appends an event per object of `kind` (KIND_NONE: of any) that changed after `since`, in
 * the order of revisions, as far as `*ret_until`: all there is, or less where that is much.
 * A revision's last event carries its id, so whoever resumes by the id they saw last gets
 * every revision whole. GW_COMPACTED: the history does not reach back to `since`. */
enum result watch_events_read(struct env *env, enum kind kind, uint64_t since,
                              struct buffer *text, uint64_t *ret_until, struct error *err);

#endif
