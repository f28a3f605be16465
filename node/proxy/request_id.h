/* The id of a request: the node's name, chance drawn at the worker's start, and a
 * counter: "eu-1-5f3a90c2-1f". Kept from a trusted proxy where it is sane. */
#ifndef GW_NODE_PROXY_REQUEST_ID_H
#define GW_NODE_PROXY_REQUEST_ID_H

#include "base/arena.h"
#include "node/proxy/core.h"

#define REQUEST_ID_MAX 128

void request_id_start(struct worker *worker);
/* `given`: the client's, if it is trusted; may be empty. In the arena. */
struct slice request_id_make(struct worker *worker, struct arena *arena,
                             struct slice given);

#endif
