/* Copies of requests to a second service, whose answers are read and dropped.
 *
 * A copy is sent once the whole request is there, on a connection of its own, and
 * shares nothing with the original after that: a slow mirror costs the client
 * nothing. Never retried; a request too large to keep, or one too many at the
 * mirror, is not copied, and counted; one that would become a tunnel is not copied. The
 * worker's thread only. */
#ifndef GW_NODE_PROXY_MIRROR_H
#define GW_NODE_PROXY_MIRROR_H

#include "base/slice.h"

struct exchange;
struct mirror;
struct upstream;
struct worker;

/* Above this a request's body is not copied. */
#define MIRROR_BODY_BYTES ((size_t)64 << 10)
/* Longest life of a copy whose route has no timeout. */
#define MIRROR_MAX_MS 60000u

/* The head is written: begins a copy, if the plan wants one of this request. */
void mirror_begin(struct exchange *exchange);
/* A piece of the body, as the client sent it. */
void mirror_body(struct exchange *exchange, struct slice piece);
/* The body is whole: the copy goes. */
void mirror_send(struct exchange *exchange);
/* The exchange is over: a copy that is not whole is dropped. */
void mirror_drop(struct exchange *exchange);

/* From the connection of a copy. */
void mirror_connected(struct mirror *mirror, int error);
void mirror_received(struct mirror *mirror, struct slice data);
void mirror_ended(struct mirror *mirror, int error);

/* At the end of the worker: those under way are given up. */
void mirror_close_all(struct worker *worker);
void mirror_free_all(struct worker *worker);

#endif
