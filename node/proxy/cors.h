/* CORS on the way: preflights are answered here, other answers get the headers that
 * let scripts of allowed origins read them. Refuses nothing: that is the browser's. */
#ifndef GW_NODE_PROXY_CORS_H
#define GW_NODE_PROXY_CORS_H

#include "node/proxy/exchange.h"

/* Header changes that cors_add makes at most. */
#define CORS_CHANGES 6u

/* A preflight asks for another call: returns the plan of that one if it has cors; NULL: it
 * is no preflight, or is to be routed like any OPTIONS. */
const struct plan *cors_preflight_plan(const struct exchange *exchange,
                                       const struct route_query *query);
/* What cors of the exchange's plan, if any, makes of the answer, behind its changes, which
 * have room. */
void cors_add(struct exchange *exchange, const struct http_message *message,
              bool is_preflight);
/* Answers a preflight, its changes made. Ends the exchange. */
void cors_answer(struct exchange *exchange);

#endif
