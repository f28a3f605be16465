/* Reads message heads that may come in pieces, from a client or an upstream.
 *
 * A head that is whole in the read buffer is parsed there, in the worker's
 * scratch, and costs no memory. Only one that is not gets blocks of its own, for
 * its bytes and for the parser's state, until it is whole. The worker's thread. */
#ifndef GW_NODE_PROXY_INTAKE_H
#define GW_NODE_PROXY_INTAKE_H

#include "http/h1_parse.h"
#include "node/proxy/blocks.h"

/* A parser with its message: the worker's scratch, or a block's. */
struct intake_head {
    struct h1_parse parse;
    struct http_message message;
    struct http_header headers[HTTP_HEADERS_MAX];
};

struct intake {
    struct block *bytes; /* of a head in pieces; owned */
    struct block *state; /* holds a struct intake_head; owned */
};

struct intake_rules {
    struct h1_limits limits;
    size_t header_count;
    bool is_response;
    enum http_method method; /* of the request a response answers */
};

/* Adds `data` and parses. H1_DONE: *ret_message is valid, and *ret_rest is what
 * followed the head, until intake_reset or the end of the read callback. H1_MORE:
 * data is kept. `scratch` is used when the intake is empty. */
enum h1_result intake_feed(struct intake *intake, struct blocks *blocks,
                           struct intake_head *scratch, const struct intake_rules *rules,
                           struct slice data, const struct http_message **ret_message,
                           struct slice *ret_rest);
/* Gives the blocks back: what intake_feed returned is gone, if it was in them. */
void intake_reset(struct intake *intake, struct blocks *blocks);
static inline bool intake_is_empty(const struct intake *intake)
{
    return intake->bytes == NULL;
}

#endif
