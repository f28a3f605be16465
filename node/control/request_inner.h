/* What the rooms of a request share: request.c, request_wire.c, request_leader.c. */
#ifndef GW_NODE_REQUEST_INNER_H
#define GW_NODE_REQUEST_INNER_H

#include "node/control/request.h"

/* Without an answer. */
void request_free(struct request *request);
/* Answers, and frees the request. */
void request_reply_typed(struct request *request, unsigned status, const char *type,
                         struct slice body);

/* The wire form of a request between nodes. Decoding borrows. */
void request_encode(const struct request *request, struct buffer *out);
bool request_decode(struct request *request, struct slice payload);

struct request_answer {
    uint64_t status; /* 0: whoever was asked does not lead */
    struct slice etag;
    uint64_t revision;
    struct slice body, laggards;
};
void request_answer_encode(struct buffer *out, unsigned status, const char *etag,
                           uint64_t revision, struct slice laggards, struct slice body);
/* Borrows. */
bool request_answer_decode(struct slice payload, struct request_answer *ret_answer);

#endif
