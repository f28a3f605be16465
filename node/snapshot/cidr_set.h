/* A set of address prefixes, compiled: membership by binary search.
 *
 * Lives in the arena it was built in; read-only, any thread. IPv4 addresses
 * mapped into IPv6 count as IPv4. */
#ifndef GW_NODE_CIDR_SET_H
#define GW_NODE_CIDR_SET_H

#include "base/arena.h"
#include "model/types.h"

struct sockaddr;

struct cidr_range { /* closed */
    uint8_t low[16], high[16];
};

struct cidr_set {
    const struct cidr_range *ranges; /* sorted, apart; IPv4 as ::ffff:a.b.c.d */
    uint32_t count;
};

/* NULL: out of memory. */
const struct cidr_set *cidr_set_build(struct arena *arena, const struct cidr *cidrs,
                                      size_t count);
/* `set` NULL: empty. `address`: 4 or 16 bytes in network order. */
bool cidr_set_has(const struct cidr_set *set, const uint8_t *address, bool is_v6);
/* False for other families. */
bool cidr_set_has_sockaddr(const struct cidr_set *set, const struct sockaddr *address);
/* "10.0.0.1", "::1", "[::1]"; false for anything else. */
bool cidr_set_has_text(const struct cidr_set *set, struct slice text);

#endif
