/* Draining: answers say `Connection: close` at once, sockets close after the
 * delay, and control is told when the last client is gone or the wait is over. */
#ifndef GW_NODE_PROXY_DRAIN_H
#define GW_NODE_PROXY_DRAIN_H

#include "node/proxy/core.h"

void drain_start(struct worker *worker, uint32_t delay_ms, uint32_t wait_ms);
/* A client is gone. */
void drain_check(struct worker *worker);

#endif
