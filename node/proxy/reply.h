/* Answers that the gateway makes itself: problems with their reason, and what
 * routes say by `respond` and `redirect`. */
#ifndef GW_NODE_PROXY_REPLY_H
#define GW_NODE_PROXY_REPLY_H

#include "node/proxy/exchange.h"

/* A problem document; `allowed`: bits of methods, for 405. Ends the exchange. */
void reply_problem(struct exchange *exchange, enum reason reason, uint32_t allowed);
/* To OPTIONS that goes no further: 204 with the methods. Ends the exchange. */
void reply_options(struct exchange *exchange, uint32_t allowed);
/* For a head that could not be parsed: there is no exchange. Sends and ends the
 * connection. */
void reply_malformed(struct client *client, unsigned status, enum reason reason);
/* The plan's own answer, or that of exchange->reply; `vars` NULL: with the values made
 * before. Ends the exchange. */
void reply_plan(struct exchange *exchange, const struct template_vars *vars);
/* The same problem over a bare descriptor, for a connection over a limit: best effort. */
void reply_overloaded(struct worker *worker, int fd);

#endif
