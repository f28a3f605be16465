/* A change of the history as JSON, for lists. Pool. */
#ifndef GW_NODE_HISTORY_EMIT_H
#define GW_NODE_HISTORY_EMIT_H

#include "node/control/request.h"
#include "store/rewind.h"

#define HISTORY_CHANGES_MAX 1000 /* told of one revision in a list; more are counted */

struct history_filter {
    enum kind kind;    /* KIND_NONE: any */
    struct slice name; /* empty: any */
};

/* By ?kind (may be "all") and ?name. False: they were no good, and the request is over. */
bool history_filter_read(struct request *request, struct history_filter *ret_filter);
bool history_filter_takes(const struct history_filter *filter, struct slice key,
                          enum kind *ret_kind, struct slice *ret_name);
/* "created", "changed", "deleted". */
const char *history_action_word(enum history_action action);
/* Whether a packed entry changed anything that the filter takes. */
bool history_matches(const struct history_filter *filter, struct slice packed);
/* {"revision", "at", "by", "message", "changeCount", "changes": [{"kind", "name",
 * "action"}]}: `changes` are those that the filter takes. */
void history_emit(struct emit *emit, uint64_t revision, const struct history_filter *filter,
                  struct slice packed);

#endif
