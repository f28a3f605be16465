/* Which endpoint of a service takes an attempt or a copy: what the worker knows, put
 * before node/balance. The worker's thread only. */
#ifndef GW_NODE_PROXY_CHOICE_H
#define GW_NODE_PROXY_CHOICE_H

#include "node/proxy/exchange.h"

/* Whether a connection to the endpoint is idle, or may be made. */
bool choice_has_connection(const struct worker *worker,
                           const struct serving_service *service, uint32_t index);
/* For the next attempt: none that was tried, if there is another; BALANCE_NONE: none at
 * all. Who has no connection left is passed over as if it had been tried. */
uint32_t choice_for_attempt(struct exchange *exchange, uint64_t now_us);
/* For a copy: once, without key and cookie. */
uint32_t choice_for_copy(struct worker *worker, const struct serving_service *service,
                         uint64_t now_us);

#endif
