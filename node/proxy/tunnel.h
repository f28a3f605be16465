/* Upgrades: a connection that stops being HTTP, and the bytes through it.
 *
 * The tokens that a route lets through go upstream; a 101 that picks one of them
 * makes a tunnel. Until then what the client sends behind its request stays with
 * the gateway, and without a 101 it is the next request, so a pretended upgrade
 * smuggles nothing. Both directions have back-pressure and may end by themselves;
 * silence for the plan's `idle` ends both. The worker's thread only. */
#ifndef GW_NODE_PROXY_TUNNEL_H
#define GW_NODE_PROXY_TUNNEL_H

#include "node/proxy/exchange.h"

/* What of the request's Upgrade may go on, as a list in the arena; empty: nothing.
 * A request with a body cannot be upgraded. */
struct slice tunnel_wanted(struct exchange *exchange, const struct http_message *message);
/* Whether the 101 picks one of these. */
bool tunnel_accepts(const struct exchange *exchange, const struct http_message *message);
/* The 101 has come, and `rest` behind it. */
void tunnel_begin(struct exchange *exchange, const struct http_message *message,
                  struct slice rest);

/* In PHASE_TUNNEL; the exchange may be over on return. */
void tunnel_from_client(struct exchange *exchange, struct slice *data);
void tunnel_from_upstream(struct exchange *exchange, struct slice data);
void tunnel_client_drained(struct exchange *exchange);
void tunnel_upstream_drained(struct exchange *exchange);
void tunnel_client_ended(struct exchange *exchange);
void tunnel_upstream_ended(struct exchange *exchange);
/* Too long silent. */
void tunnel_expire(struct exchange *exchange);

#endif
