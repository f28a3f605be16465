/* The addresses of an endpoint given by name: looked up on libuv's pool, kept
 * for 30 s, and beyond that for as long as looking up fails. */
#ifndef GW_NODE_PROXY_RESOLVE_H
#define GW_NODE_PROXY_RESOLVE_H

#include "net/address.h"
#include "node/proxy/core.h"

#define RESOLVE_KEEP_MS 30000u

struct resolver;

struct resolver *resolver_new(struct worker *worker, struct slice host, uint16_t port);
/* NULL is fine. Only while quiet. */
void resolver_free(struct resolver *resolver);
/* No lookup under way; true for NULL. */
bool resolver_is_quiet(const struct resolver *resolver);
void resolver_cancel(struct resolver *resolver);
enum resolver_result {
    RESOLVER_READY,  /* *ret_address is one to use: of several the next in turn */
    RESOLVER_WAITS,  /* the exchange, if any, waits (exchange->waiting) for
                        attempt_resolved */
    RESOLVER_UNKNOWN /* no such name, so far */
};
enum resolver_result resolver_get(struct resolver *resolver, struct exchange *exchange,
                                  struct address *ret_address);

#endif
