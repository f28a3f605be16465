/* Trailers on their way through: kept apart from the header, and only those that
 * can do no harm where a receiver merges them all the same (RFC 9110 §6.5.1).
 * The worker's thread only. */
#ifndef GW_NODE_PROXY_TRAILERS_H
#define GW_NODE_PROXY_TRAILERS_H

#include "node/proxy/exchange.h"

/* A piece of the trailer lines, as the decoder gives it. False: no memory. */
bool trailers_add(struct exchange *exchange, struct block **kept, struct slice piece);
/* The end of a chunked body: the last chunk, the trailers that may go on, the
 * empty line. Valid until *kept is given back or added to. */
struct slice trailers_end(struct exchange *exchange, struct block **kept, bool is_request);

#endif
