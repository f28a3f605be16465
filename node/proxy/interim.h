/* Interim responses, 1xx other than 101: on to the client as they come. The
 * worker's thread only. */
#ifndef GW_NODE_PROXY_INTERIM_H
#define GW_NODE_PROXY_INTERIM_H

#include "node/proxy/exchange.h"

enum interim_result {
    INTERIM_OK,
    INTERIM_TOO_MANY, /* the upstream says nothing else */
    INTERIM_GONE      /* so is the client, and the exchange with it */
};

enum interim_result interim_relay(struct exchange *exchange,
                                  const struct http_message *message);

#endif
