/* Bodies, both ways, with back-pressure: a direction has one read in flight at
 * most; when a socket does not take all of it, its source is not read until it did.
 *
 * Framing is taken off and put on anew: chunks of one read leave as one chunk,
 * trailers are dropped, and what the other side sees was counted here. */
#ifndef GW_NODE_PROXY_RELAY_H
#define GW_NODE_PROXY_RELAY_H

#include "node/proxy/exchange.h"

enum relay_result {
    RELAY_OK,      /* all input is taken, or the body is done */
    RELAY_BLOCKED, /* no more can be taken now */
    RELAY_BAD,     /* the framing is wrong */
    RELAY_TOO_LARGE,
    RELAY_FAILED /* the receiving side is broken */
};

/* Bytes of the request's body from *data, into `held` or to the upstream. */
enum relay_result relay_request(struct exchange *exchange, struct slice *data);
/* Bytes of the answer's body, behind `head` (may be empty), to the client.
 * *data keeps what follows the body. BLOCKED: all is taken, the client's flow queues. */
enum relay_result relay_answer(struct exchange *exchange, struct slice head,
                               struct slice *data);
/* One piece of the answer's body off *data; empty at the end of the input or the body. */
enum relay_result relay_answer_piece(struct exchange *exchange, struct slice *data,
                                     struct slice *ret_piece);
/* The upstream's end was the body's: says so to the client. */
enum relay_result relay_answer_end(struct exchange *exchange);

#endif
