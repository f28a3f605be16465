/* The cluster's certificate authority: its key is a record, sealed by the cluster key
 * and opened for the moment it signs. Whoever has the cluster key could; the leader
 * does. Control thread: a signature takes a tenth of a millisecond.
 *
 * One takes the place of another in three steps, each an entry of the log that is
 * written once every member has told (raft/holding.h) that it is so far:
 *
 *   _ca and _ca/next   all come to believe both, the old one signs
 *   _ca and _ca/old    all believe both, the new one signs, nodes renew
 *   _ca                the old one is believed by nobody any more */
#ifndef GW_NODE_AUTHORITY_H
#define GW_NODE_AUTHORITY_H

#include "node/control/room.h"
#include "pki/certificate.h"

struct authority_subject {
    uint64_t id;
    struct slice peer, admin; /* "host:port": hosts the certificate names; may be empty */
};

/* Signs for a node's request (PEM); appends the certificate, and all authorities to be
 * believed, the one that signs first. GW_MALFORMED or GW_INVALID for a request that is
 * none. */
enum result authority_sign(const struct control *control,
                           const struct authority_subject *subject, struct slice request,
                           struct buffer *certificate_pem, struct buffer *ca_pem,
                           struct error *err);
/* The certificate (PEM, appended) and the key of an authority, by its record: CA_KEY or
 * CA_NEXT_KEY. The caller owns the key. GW_NOT_FOUND. Thread-safe. */
enum result authority_read(const struct control *control, struct slice record_key,
                           struct buffer *ca_pem, EVP_PKEY **ret_key, struct error *err);
/* A new one: its record, to be written, its certificate, its key. */
enum result authority_make(const struct control *control, struct buffer *record,
                           struct buffer *ca_pem, EVP_PKEY **ret_key, struct error *err);
/* By such a pair, for an administrator. Thread-safe. */
enum result authority_sign_admin(const struct control *control, struct slice ca_pem,
                                 EVP_PKEY *ca_key, struct slice name, EVP_PKEY *public_key,
                                 struct buffer *certificate_pem, struct error *err);
/* Appends what ca.pem is to be: one or two certificates, the one that signs first. */
enum result authority_bundle(struct txn *txn, struct buffer *pem);
/* At the leader: writes the next step's entry if all members are so far; false: not so, or
 * there is no step to take. */
bool authority_step(struct control *control);
/* At start: whether the cluster key opens what is sealed here. GW_FOREIGN. */
enum result authority_check_key(const struct control *control, struct error *err);

#endif
