/* What of a request says where it belongs: its side of a split, its key for hash,
 * the endpoint its cookie names. Read once, while the request's bytes are there;
 * cookies that keep a caller where it is go with the answer. */
#ifndef GW_NODE_PROXY_AFFINITY_H
#define GW_NODE_PROXY_AFFINITY_H

#include "http/h1_write.h"
#include "node/snapshot/snapshot.h"

struct exchange;

struct affinity {
    bool has_key;
    uint64_t key;          /* for hash */
    uint64_t sticky_id;    /* of the endpoint the cookie names; 0: none */
    uint64_t split_point;  /* the caller's place on every split */
    bool sets_split_point; /* the caller does not know it yet */
};

/* The service of the plan: the first of a split whose `when` holds, else by weight, as
 * splitBy says. NULL: none has weight. */
const struct target_service *affinity_service(struct exchange *exchange,
                                              const struct route_query *query,
                                              struct slice client_ip);
/* Key and cookie, once the service is known. */
void affinity_read(struct exchange *exchange, const struct route_query *query,
                   struct slice client_ip);
/* The cookies to set, as header lines. */
void affinity_write(struct h1_write *out, const struct exchange *exchange);

#endif
