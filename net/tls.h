/* TLS contexts, OpenSSL 3: who we are, whom we believe, which protocols.
 *
 * A context is immutable once made and shared between threads (reference
 * counted). Whom the other end must be is decided inside the handshake, in the
 * verify callback, so a wrong certificate is answered by an alert and never by a
 * connection that opens first. Between peers names do not count, the expected
 * identity does. Peer contexts speak TLS 1.3 only and give no session tickets. */
#ifndef GW_NET_TLS_H
#define GW_NET_TLS_H

#include "pki/certificate.h"

#include <openssl/types.h>

#define TLS_PROTOCOLS_MAX 4
#define TLS_PEER          "gw-peer"
#define TLS_JOIN          "gw-join"
#define TLS_RELAY         "gw-relay"
#define TLS_HTTP1         "http/1.1"

struct tls_context;

enum tls_client_certificate { TLS_CLIENT_NONE, TLS_CLIENT_OPTIONAL, TLS_CLIENT_REQUIRED };

/* A protocol of the ALPN list, and who may speak it. */
struct tls_protocol {
    const char *name;                   /* static; NULL ends the list */
    enum tls_client_certificate client; /* server side */
    enum identity_kind kind;            /* of a client with a certificate; NONE: any */
};

struct tls_config {
    X509 *certificate; /* borrowed, the context keeps its own reference; may be NULL
                          for a client */
    EVP_PKEY *key;
    /* Whom to believe: one, or two while one takes the place of the other. A server also
     * sends the one that signed its own certificate, for joiners to check the pin. */
    X509 *ca, *other_ca;
    const char *cluster_id; /* identities of other clusters are refused; NULL: none asked */
    /* Server: what it serves, in its order of preference. Client: what it offers. */
    struct tls_protocol protocols[TLS_PROTOCOLS_MAX + 1];
    /* Server: a client without ALPN is served as the first protocol (curl, gwctl);
     * false: it is refused with no_application_protocol. */
    bool alpn_optional;
    bool allow_1_2;       /* else TLS 1.3 only */
    bool session_tickets; /* else off */
    /* Client: believe any chain whose root has this SHA-256, instead of `ca`.
     * Borrowed during the call; CERTIFICATE_SHA256_SIZE bytes. */
    const uint8_t *pin_sha256;
    bool verify_none; /* client: believe anybody; for probes */
};

enum result tls_context_server(const struct tls_config *config,
                               struct tls_context **ret_tls, struct error *err);
enum result tls_context_client(const struct tls_config *config,
                               struct tls_context **ret_tls, struct error *err);
/* Who this side of the cluster is, and whom it believes. All borrowed. An admin's client
 * may have no certificate; `other_ca` is NULL most of the time. */
struct tls_self {
    X509 *certificate;
    EVP_PKEY *key;
    X509 *ca, *other_ca;
    const char *cluster_id;
};
/* gw-peer for nodes of the cluster, gw-join for anybody. */
enum result tls_context_peer_server(const struct tls_self *self,
                                    struct tls_context **ret_tls, struct error *err);
enum result tls_context_peer_client(const struct tls_self *self,
                                    struct tls_context **ret_tls, struct error *err);
enum result tls_context_join_client(const uint8_t *ca_sha256, struct tls_context **ret_tls,
                                    struct error *err);
/* HTTPS for admins of the cluster, a certificate required. */
enum result tls_context_admin_server(const struct tls_self *self,
                                     struct tls_context **ret_tls, struct error *err);
enum result tls_context_admin_client(const struct tls_self *self,
                                     struct tls_context **ret_tls, struct error *err);
struct tls_context *tls_context_ref(struct tls_context *tls);
void tls_context_unref(struct tls_context *tls);
bool tls_context_is_server(const struct tls_context *tls);

/* Whom a client expects at the other end; all zero: whoever the CA vouches for.
 * Strings are copied. */
struct tls_expect {
    enum identity_kind kind; /* NONE: the certificate needs no identity */
    uint64_t node_id;        /* 0: any node */
    const char *hostname;    /* checked against the certificate's names; NULL: not */
    const char *sni;         /* sent; NULL: the hostname, if any */
};

/* For net/stream.c and net/blocking.c: one connection's state, freed by
 * tls_session_free. `expect` may be NULL. */
enum result tls_session_new(struct tls_context *tls, const struct tls_expect *expect,
                            SSL **ret_session, struct error *err);
void tls_session_free(SSL *session);
/* After the handshake: checks the other end once more and gives its identity
 * (kind NONE when it showed no certificate). GW_UNAUTHORISED, GW_FORBIDDEN. */
enum result tls_session_check(SSL *session, struct identity *ret_identity,
                              struct error *err);
/* Why it failed, as a sentence: what the verify callback saw, else OpenSSL's
 * reason. Empties OpenSSL's queue. Returns the code. */
enum result tls_session_failure(SSL *session, struct error *err);
struct slice tls_session_alpn(SSL *session);

#endif
