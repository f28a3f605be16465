/* The cluster's certificate authority and what it signs. All on OpenSSL's
 * library, no tool is run. Any thread; certificates are not changed once made.
 *
 * Validity begins five minutes before `now_ms` (wall time), as clocks differ.
 * A joiner proves that it holds the key by the request's own signature. */
#ifndef GW_PKI_CERTIFICATE_H
#define GW_PKI_CERTIFICATE_H

#include "pki/identity.h"
#include "pki/key.h"

#define CERTIFICATE_SHA256_SIZE 32
#define CERTIFICATE_CA_DAYS     3650
#define CERTIFICATE_NODE_DAYS   365
#define CERTIFICATE_ADMIN_DAYS  365
#define CERTIFICATE_NAMES_MAX   32
#define CERTIFICATE_SERIAL_SIZE 41 /* 20 bytes as hex, NUL */
#define CERTIFICATE_BUNDLE_MAX  2

/* Host names and IP addresses for a subject alternative name: borrowed. */
struct certificate_names {
    const struct slice *items;
    size_t count; /* at most CERTIFICATE_NAMES_MAX */
};

/* A self-signed CA for ten years. The caller owns what comes back. */
enum result certificate_make_ca(EVP_PKEY *key, const char *cluster_id, uint64_t now_ms,
                                X509 **ret_ca, struct error *err);
/* GW_INVALID unless `ca` may sign certificates and `key` is its key: for
 * `init --ca-cert --ca-key`. */
enum result certificate_check_ca(X509 *ca, EVP_PKEY *key, struct error *err);

/* A signing request, appended as PEM: the public key, the name, the signature. */
enum result certificate_request_make(EVP_PKEY *key, struct slice common_name,
                                     struct buffer *out, struct error *err);
/* Reads a request from outside and gives the public key it is for. GW_MALFORMED;
 * GW_INVALID when its signature does not prove possession or the key is not
 * P-256. Names and extensions a request asks for are ignored: the signer knows. */
enum result certificate_request_read(struct slice pem, EVP_PKEY **ret_public_key,
                                     struct error *err);

/* Signs for `subject` (a node or an admin) and its public key. Nodes get the
 * extra names and serverAuth + clientAuth, admins clientAuth alone. `days` 0:
 * the default of its kind. Never lasts longer than the CA. */
enum result certificate_sign(X509 *ca, EVP_PKEY *ca_key, EVP_PKEY *public_key,
                             const struct identity *subject,
                             const struct certificate_names *names, unsigned days,
                             uint64_t now_ms, X509 **ret_certificate, struct error *err);
/* A certificate that no CA signed, for the sample upstream and tests. */
enum result certificate_self_signed(EVP_PKEY *key, const struct certificate_names *names,
                                    unsigned days, uint64_t now_ms, X509 **ret_certificate,
                                    struct error *err);

/* The first certificate in the text. GW_MALFORMED. */
enum result certificate_from_pem(struct slice pem, X509 **ret_certificate,
                                 struct error *err);
enum result certificate_to_pem(X509 *certificate, struct buffer *out, struct error *err);
/* Authorities that are believed side by side: a file of one or two certificates. */
struct certificate_bundle {
    X509 *items[CERTIFICATE_BUNDLE_MAX]; /* owned; NULL behind the last */
    size_t count;
};
/* GW_MALFORMED when there is none, or more than CERTIFICATE_BUNDLE_MAX. */
enum result certificate_bundle_from_pem(struct slice pem,
                                        struct certificate_bundle *ret_bundle,
                                        struct error *err);
void certificate_bundle_deinit(struct certificate_bundle *bundle);
/* Of the DER form; `out` holds CERTIFICATE_SHA256_SIZE. */
void certificate_sha256(X509 *certificate, uint8_t *out);
/* Wall time. */
void certificate_validity(X509 *certificate, uint64_t *ret_from_ms, uint64_t *ret_until_ms);
bool certificate_key_matches(X509 *certificate, EVP_PKEY *key);
/* Whether the signature is of that authority's key; says nothing of validity. */
bool certificate_is_signed_by(X509 *certificate, X509 *ca);
/* Lower-case hex; `out` holds CERTIFICATE_SERIAL_SIZE. */
void certificate_serial(X509 *certificate, char *out);
/* The subject's common name, cut to `size`; empty without. */
void certificate_common_name(X509 *certificate, char *out, size_t size);
/* Tells each host name and IP address in the subject alternative name, as text. */
typedef void (*certificate_name_fn)(void *owner, struct slice name);
void certificate_each_name(X509 *certificate, certificate_name_fn fn, void *owner);
/* Both accept NULL. */
X509 *certificate_ref(X509 *certificate);
void certificate_free(X509 *certificate);

#endif
