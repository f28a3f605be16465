/* Writes that are answered only once others serve them. Control thread. */
#ifndef GW_NODE_LAGGARDS_H
#define GW_NODE_LAGGARDS_H

#include "node/control/request.h"

/* What the query says of waiting. False: it was no good, and the request is over. To be
 * asked where the request came in, before it is forwarded. */
bool laggards_read(struct request *request);
/* Runs `next` once every node waited for serves `revision`, or time is up: then those who
 * do not are named in request->laggards. Without a wait at once. */
void laggards_wait(struct request *request, uint64_t revision, request_fn next);

#endif
