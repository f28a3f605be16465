/* The cluster's certificate authority: its key is a record, sealed by the cluster key
 * and opened for the moment it signs. Whoever has the cluster key could; the leader
 * does. Control thread: a signature takes a tenth of a millisecond. */
#ifndef GW_NODE_AUTHORITY_H
#define GW_NODE_AUTHORITY_H

#include "node/control/room.h"

struct authority_subject {
    uint64_t id;
    struct slice peer, admin; /* "host:port": hosts the certificate names; may be empty */
};

/* Signs for a node's request (PEM) and appends the certificate and the authority's own.
 * GW_MALFORMED or GW_INVALID for a request that is none. */
enum result authority_sign(const struct control *control,
                           const struct authority_subject *subject, struct slice request,
                           struct buffer *certificate_pem, struct buffer *ca_pem,
                           struct error *err);
/* At start: whether the cluster key opens what is sealed here. GW_FOREIGN. */
enum result authority_check_key(const struct control *control, struct error *err);

#endif
