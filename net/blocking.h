/* A connection for programs without a loop (gwctl): TCP or UNIX socket, plain or
 * TLS, with deadlines by poll(2). One thread. */
#ifndef GW_NET_BLOCKING_H
#define GW_NET_BLOCKING_H

#include "net/tls.h"

struct blocking;

/* `target` as stream_connect: "host:port" or "unix:PATH". Lookup (which has no
 * deadline of its own), connect and handshake. GW_UNREACHABLE, GW_TIMEOUT,
 * GW_UNAUTHORISED, GW_FORBIDDEN. `tls` is shared, NULL: plain; `expect` may be NULL. */
enum result blocking_connect(struct slice target, struct tls_context *tls,
                             const struct tls_expect *expect, uint64_t timeout_ms,
                             struct blocking **ret_connection, struct error *err);
/* All of it, or an error. `deadline_ms` is instant_monotonic_ms time; UINT64_MAX: none. */
enum result blocking_write(struct blocking *connection, struct slice data,
                           uint64_t deadline_ms, struct error *err);
/* At least one byte; *ret_size 0 at the end of the stream. */
enum result blocking_read(struct blocking *connection, void *out, size_t size,
                          uint64_t deadline_ms, size_t *ret_size, struct error *err);
/* Kind NONE without a certificate. */
const struct identity *blocking_identity(const struct blocking *connection);
struct slice blocking_protocol(const struct blocking *connection);
/* The root of the chain the other side sent, owned by the caller, or NULL: what a
 * pinned joiner learns the CA from. */
X509 *blocking_peer_ca(const struct blocking *connection);
void blocking_close(struct blocking *connection);

#endif
