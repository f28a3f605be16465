/* Addresses as people write them, and as the kernel wants them.
 *
 * Names are looked up by libuv in its thread pool, which a slow resolver can fill:
 * numbers never go there. */
#include "net/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

#define LOOKUP_MAX 8

enum result address_split(struct slice text, struct slice *ret_host, uint16_t *ret_port,
                          struct error *err)
{
    struct slice host;
    struct slice port_text;
    uint64_t port = 0;
    size_t colon = SIZE_MAX;

    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= ' ' || c >= 0x7f || c == '/' || c == '@')
            goto malformed;
        if (c == ':')
            colon = i;
    }
    if (colon == SIZE_MAX)
        goto malformed;
    host = slice_sub(text, 0, colon);
    port_text = slice_from(text, colon + 1);
    if (host.size > 0 && host.data[0] == '[') {
        if (host.size < 4 || host.data[host.size - 1] != ']')
            goto malformed;
        host = slice_sub(host, 1, host.size - 2);
    } else if (slice_find_byte(host, ':') != SIZE_MAX) {
        goto malformed;
    }
    if (host.size >= ADDRESS_HOST_SIZE || port_text.size > 5 ||
        !slice_parse_u64(port_text, &port) || port > 65535)
        goto malformed;
    *ret_host = host;
    *ret_port = (uint16_t)port;
    return GW_OK;

malformed:
    return error_set(err, GW_MALFORMED,
                     "'%.*s' is no address; next: write HOST:PORT, [IPV6]:PORT or :PORT",
                     (int)(text.size > 200 ? 200 : text.size), text.data);
}

static bool from_number(struct slice host, uint16_t port, struct address *address)
{
    char string[ADDRESS_HOST_SIZE];

    memset(address, 0, sizeof *address);
    if (host.size == 0) {
        address->ip6.sin6_family = AF_INET6;
        address->ip6.sin6_port = htons(port);
        address->size = sizeof address->ip6;
        address->is_wildcard = true;
        return true;
    }
    memcpy(string, host.data, host.size);
    string[host.size] = '\0';
    if (inet_pton(AF_INET, string, &address->ip4.sin_addr) == 1) {
        address->ip4.sin_family = AF_INET;
        address->ip4.sin_port = htons(port);
        address->size = sizeof address->ip4;
        return true;
    }
    if (inet_pton(AF_INET6, string, &address->ip6.sin6_addr) == 1) {
        address->ip6.sin6_family = AF_INET6;
        address->ip6.sin6_port = htons(port);
        address->size = sizeof address->ip6;
        return true;
    }
    return false;
}

enum result address_parse(struct slice text, struct address *ret_address, struct error *err)
{
    struct slice host;
    struct address address;
    uint16_t port;

    if (address_split(text, &host, &port, err) != GW_OK)
        return err->code;
    if (!from_number(host, port, &address))
        return error_set(
            err, GW_MALFORMED,
            "'%.*s' is no numeric address; next: write an IP address, not a name",
            SLICE_ARG(text));
    *ret_address = address;
    return GW_OK;
}

bool address_is_numeric(struct slice text)
{
    struct error err;
    struct address address;
    return address_parse(text, &address, &err) == GW_OK;
}

const char *address_format(const struct address *address, char *out)
{
    char ip[INET6_ADDRSTRLEN] = "?";

    if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->ip4.sin_addr, ip, sizeof ip);
        snprintf(out, ADDRESS_TEXT_SIZE, "%s:%u", ip, ntohs(address->ip4.sin_port));
    } else if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->ip6.sin6_addr, ip, sizeof ip);
        snprintf(out, ADDRESS_TEXT_SIZE, "[%s]:%u", ip, ntohs(address->ip6.sin6_port));
    } else {
        snprintf(out, ADDRESS_TEXT_SIZE, "?");
    }
    return out;
}

uint16_t address_port(const struct address *address)
{
    return ntohs(address->any.sa_family == AF_INET6 ? address->ip6.sin6_port
                                                    : address->ip4.sin_port);
}

void address_set_port(struct address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET6)
        address->ip6.sin6_port = htons(port);
    else
        address->ip4.sin_port = htons(port);
}

bool address_is_loopback(const struct address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohl(address->ip4.sin_addr.s_addr) >> 24 == 127;
    if (address->any.sa_family != AF_INET6)
        return false;
    const struct in6_addr *ip = &address->ip6.sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(ip) || (IN6_IS_ADDR_V4MAPPED(ip) && ip->s6_addr[12] == 127);
}

bool address_equal(const struct address *a, const struct address *b)
{
    if (a->any.sa_family != b->any.sa_family || address_port(a) != address_port(b))
        return false;
    if (a->any.sa_family == AF_INET)
        return a->ip4.sin_addr.s_addr == b->ip4.sin_addr.s_addr;
    return memcmp(&a->ip6.sin6_addr, &b->ip6.sin6_addr, sizeof a->ip6.sin6_addr) == 0;
}

static bool read_name(int (*get)(int, struct sockaddr *, socklen_t *), int fd,
                      struct address *ret_address)
{
    struct address address;

    memset(&address, 0, sizeof address);
    address.size = sizeof address.storage;
    if (get(fd, &address.any, &address.size) != 0 ||
        (address.any.sa_family != AF_INET && address.any.sa_family != AF_INET6))
        return false;
    *ret_address = address;
    return true;
}

static int socket_name(int fd, struct sockaddr *name, socklen_t *size)
{
    return getsockname(fd, name, size);
}

static int peer_name(int fd, struct sockaddr *name, socklen_t *size)
{
    return getpeername(fd, name, size);
}

bool address_of_socket(int fd, struct address *ret_address)
{
    return read_name(socket_name, fd, ret_address);
}

bool address_of_peer(int fd, struct address *ret_address)
{
    return read_name(peer_name, fd, ret_address);
}

static void on_lookup(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct address_lookup *lookup = request->data;
    struct address found[LOOKUP_MAX];
    struct error err = ERROR_NONE;
    size_t count = 0;

    if (status == UV_ECANCELED) {
        error_set(&err, GW_CLOSED, "look up '%s': cancelled", lookup->host);
    } else if (status != 0) {
        error_set(&err, GW_UNREACHABLE, "look up '%s': %s", lookup->host,
                  uv_strerror(status));
    } else {
        for (struct addrinfo *item = list; item != NULL && count < LOOKUP_MAX;
             item = item->ai_next) {
            if (item->ai_addrlen > sizeof found->storage ||
                (item->ai_family != AF_INET && item->ai_family != AF_INET6))
                continue;
            memset(&found[count], 0, sizeof found[count]);
            memcpy(&found[count].storage, item->ai_addr, item->ai_addrlen);
            found[count].size = item->ai_addrlen;
            address_set_port(&found[count++], lookup->port);
        }
        if (count == 0)
            error_set(&err, GW_UNREACHABLE, "look up '%s': it has no address",
                      lookup->host);
    }
    uv_freeaddrinfo(list);
    lookup->done(lookup, found, count, &err);
}

enum result address_resolve(uv_loop_t *loop, struct address_lookup *lookup,
                            struct slice text, address_lookup_fn done, void *owner,
                            struct error *err)
{
    struct slice host;
    struct address address;

    if (address_split(text, &host, &lookup->port, err) != GW_OK)
        return err->code;
    lookup->done = done;
    lookup->owner = owner;
    memcpy(lookup->host, host.data, host.size);
    lookup->host[host.size] = '\0';
    lookup->request.data = lookup;
    if (from_number(host, lookup->port, &address)) {
        struct error none = ERROR_NONE;
        done(lookup, &address, 1, &none);
        return GW_OK;
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int rc = uv_getaddrinfo(loop, &lookup->request, on_lookup, lookup->host, NULL, &hints);
    if (rc != 0)
        return error_set(err, GW_UNREACHABLE, "look up '%s': %s", lookup->host,
                         uv_strerror(rc));
    return GW_OK;
}

void address_resolve_cancel(struct address_lookup *lookup)
{
    uv_cancel((uv_req_t *)&lookup->request);
}
