/* What a route does when its service has no endpoint left to use: another service,
 * once, or an answer of its own. */
#ifndef GW_NODE_PROXY_FALLBACK_H
#define GW_NODE_PROXY_FALLBACK_H

#include "node/proxy/exchange.h"

/* While the request's bytes are there: makes the values of the answer's headers. False:
 * out of memory. */
bool fallback_prepare(struct exchange *exchange, const struct template_vars *vars);
/* True: the fallback took over; the exchange may be over. */
bool fallback_take(struct exchange *exchange, enum reason reason);

#endif
