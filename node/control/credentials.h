/* This node's certificate, its key, and the authorities it believes: what is in its
 * directory and what its ports and links use. upkeep.h decides when they change.
 *
 * Replaced on disk first, whole or not at all, then in use: connections made from
 * then on have the new ones, those that stand keep theirs, so nothing is dropped and
 * nobody has to elect. Control thread; files are written on the pool. */
#ifndef GW_NODE_CREDENTIALS_H
#define GW_NODE_CREDENTIALS_H

#include "net/tls.h"
#include "node/control/room.h"
#include "raft/holding.h"

struct credentials;

/* Reads node.pem, node.key and ca.pem. */
enum result credentials_open(struct control *control, struct credentials **ret_credentials,
                             struct error *err);
/* When no job is under way any more. NULL is fine. */
void credentials_free(struct credentials *credentials);

/* Borrowed until the next install. */
X509 *credentials_certificate(const struct credentials *credentials);
/* The one that signs first. */
const struct certificate_bundle *
credentials_authorities(const struct credentials *credentials);
struct slice credentials_authorities_pem(const struct credentials *credentials);
/* What is to be told of them; borrowed likewise. */
void credentials_holding(const struct credentials *credentials,
                         struct holding_record *ret_record);

/* The cluster keys that are here changed: to be told. */
void credentials_note_keys(struct credentials *credentials);

/* The caller owns a reference of each. */
enum result credentials_peer_tls(const struct credentials *credentials,
                                 struct tls_context **ret_server,
                                 struct tls_context **ret_client, struct error *err);
enum result credentials_admin_tls(const struct credentials *credentials,
                                  struct tls_context **ret_tls, struct error *err);

/* One install at a time. `done` runs later, with GW_OK once it is on disk and in use, or
 * with why everything is as before. */
typedef void (*credentials_fn)(struct control *control, const struct error *err);
/* Takes the key. The certificate must be for it, for this node, and of a believed
 * authority. */
void credentials_install(struct credentials *credentials, EVP_PKEY *key,
                         struct slice certificate_pem, credentials_fn done);
/* Replaces ca.pem. */
void credentials_install_authorities(struct credentials *credentials, struct slice pem,
                                     credentials_fn done);

#endif
