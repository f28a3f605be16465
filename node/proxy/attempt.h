/* Attempts at upstreams: which endpoint, on which connection, what became of it,
 * and whether to try again. Called with an exchange that has its head written
 * and its service chosen. In any of these the exchange may end. */
#ifndef GW_NODE_PROXY_ATTEMPT_H
#define GW_NODE_PROXY_ATTEMPT_H

#include "node/proxy/counts.h"
#include "node/proxy/exchange.h"

void attempt_start(struct exchange *exchange);
/* NULL: the name has no address. */
void attempt_resolved(struct exchange *exchange, const struct address *address);

/* From the connection. */
void attempt_connected(struct exchange *exchange, int error);
void attempt_received(struct exchange *exchange, struct slice data);
void attempt_ended(struct exchange *exchange, int error);
void attempt_drained(struct exchange *exchange, int error);

/* The attempt failed so: tries again if it may, else the exchange fails. */
void attempt_fail(struct exchange *exchange, enum outcome outcome);
/* The deadline of the try, or of the pause before it, has passed. */
void attempt_due(struct exchange *exchange);
/* The answer came whole: the connection goes back, or is closed. */
void attempt_done(struct exchange *exchange);
/* Gives up what is under way, if anything: no fault of the endpoint's. */
void attempt_cancel(struct exchange *exchange);
/* Gives up what is under way because it took too long: the endpoint's fault. */
void attempt_give_up(struct exchange *exchange);

#endif
