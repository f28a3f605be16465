/* Heads as they are sent on: to the upstream and back to the client, without
 * what concerns one hop only, with what the gateway adds. */
#ifndef GW_NODE_PROXY_FORWARDED_H
#define GW_NODE_PROXY_FORWARDED_H

#include "node/proxy/exchange.h"

/* Whether the peer is believed about where a request came from. */
bool forwarded_is_trusted(const struct client *client);
/* The caller's address: the peer's, or, of a trusted one, the last address of
 * X-Forwarded-For that is not trusted itself. */
struct slice forwarded_client_ip(const struct client *client,
                                 const struct http_message *message);
struct slice forwarded_scheme(const struct client *client,
                              const struct http_message *message);
/* "X_Forwarded_For" and its like. */
bool forwarded_is_disguised(struct slice name);
/* Whether the configuration sets or removes the header, so that what came goes. */
bool forwarded_is_changed(const struct exchange *exchange, struct slice name,
                          bool is_request);
/* The request's head for the upstream. Check out->failed. */
void forwarded_request(struct h1_write *out, const struct exchange *exchange,
                       const struct http_message *message, struct slice target,
                       struct template_vars *vars);
/* The answer's head for the client, by the exchange's framing. */
void forwarded_answer(struct h1_write *out, struct exchange *exchange,
                      const struct http_message *message);

/* The head of the 101 that ends HTTP on the connection. */
void forwarded_switch(struct h1_write *out, const struct exchange *exchange,
                      const struct http_message *message);
/* The head of another 1xx for the client. */
void forwarded_interim(struct h1_write *out, const struct exchange *exchange,
                       const struct http_message *message);

#endif
