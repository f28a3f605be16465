/* Answers on their way to the client as gzip, where the policy and the client want
 * it. A piece that has come is sent on compressed at once: nothing waits for more.
 * The worker's thread only. */
#ifndef GW_NODE_PROXY_COMPRESS_H
#define GW_NODE_PROXY_COMPRESS_H

#include "node/proxy/relay.h"

/* Header changes that compress_begin makes at most. */
#define COMPRESS_CHANGES 4u

/* The answer's head: decides (with CORE_GZIPS streams in use answers go as they are),
 * and changes headers, which have room. */
void compress_begin(struct exchange *exchange, const struct http_message *answer);
/* As relay_answer and relay_answer_end, for an exchange with a stream. */
enum relay_result compress_answer(struct exchange *exchange, struct slice head,
                                  struct slice *data);
enum relay_result compress_end(struct exchange *exchange);
/* The exchange is over. */
void compress_drop(struct exchange *exchange);
void compress_free_all(struct worker *worker);

#endif
