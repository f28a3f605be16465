/* What the access log says of a call (node/observe/access_log.h takes the lines).
 *
 * The request's part is written when its head is there, into the exchange's arena;
 * the rest when all is over. A line is JSON, or key=value. The worker's thread. */
#ifndef GW_NODE_PROXY_ACCESS_H
#define GW_NODE_PROXY_ACCESS_H

#include "node/proxy/exchange.h"

/* The head has come. Draws whether the call is to be logged, for what it is worth. */
void access_begin(struct exchange *exchange, const struct http_message *message);
/* The call is over, and its status, reason and sizes stand. */
void access_end(struct exchange *exchange);
/* A head that could not be parsed. */
void access_malformed(struct client *client, unsigned status, enum reason reason,
                      struct slice request_id);
/* Counts what was lost; once a second. */
void access_sweep(struct worker *worker);

#endif
