/* Network addresses: text to sockaddr and back, and names looked up on the loop. */
#ifndef GW_NET_ADDRESS_H
#define GW_NET_ADDRESS_H

#include "base/error.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <uv.h>

#define ADDRESS_TEXT_SIZE 64
#define ADDRESS_HOST_SIZE 256

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
        struct sockaddr_storage storage;
    };
    socklen_t size;
    /* From ":7000": every address of the machine, both families where it has both. */
    bool is_wildcard;
};

/* "host:port", "[::1]:80", ":7000" (empty host) into host and port. GW_MALFORMED.
 * Port 0 is let through: "any free port" when listening. */
enum result address_split(struct slice text, struct slice *ret_host, uint16_t *ret_port,
                          struct error *err);
/* Numbers only, no name: "127.0.0.1:80", "[::1]:80", ":7000". GW_MALFORMED. */
enum result address_parse(struct slice text, struct address *ret_address,
                          struct error *err);
/* The same, quietly: is it numeric? */
bool address_is_numeric(struct slice text);
/* "127.0.0.1:80" or "[::1]:80"; `out` holds ADDRESS_TEXT_SIZE. Returns `out`. */
const char *address_format(const struct address *address, char *out);
uint16_t address_port(const struct address *address);
void address_set_port(struct address *address, uint16_t port);
bool address_is_loopback(const struct address *address);
bool address_equal(const struct address *a, const struct address *b);
/* Of a socket: where it is bound, who is at the other end. False: not an IP socket. */
bool address_of_socket(int fd, struct address *ret_address);
bool address_of_peer(int fd, struct address *ret_address);

struct address_lookup;
/* `addresses` are borrowed for the call; count 0 comes with `err`. */
typedef void (*address_lookup_fn)(struct address_lookup *lookup,
                                  const struct address *addresses, size_t count,
                                  const struct error *err);

/* The caller's memory; must stay until the callback ran. */
struct address_lookup {
    uv_getaddrinfo_t request;
    address_lookup_fn done;
    void *owner;
    uint16_t port;
    char host[ADDRESS_HOST_SIZE];
};

/* Loop's thread. Looks a "host:port" up in libuv's pool; numbers are answered
 * without the pool, before this returns. Malformed text: GW_MALFORMED and no
 * callback. At most 8 addresses are given, in the resolver's order. */
enum result address_resolve(uv_loop_t *loop, struct address_lookup *lookup,
                            struct slice text, address_lookup_fn done, void *owner,
                            struct error *err);
/* The callback still runs, with GW_CLOSED where cancelling came in time. */
void address_resolve_cancel(struct address_lookup *lookup);

#endif
