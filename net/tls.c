/* TLS contexts and the decision whom to believe.
 *
 * One verify callback decides everything inside the handshake: the chain (or the
 * pin), then the identity for the protocol that ALPN chose. A refusal there goes
 * out as an alert. A client that shows no certificate is refused by asking for one
 * as that protocol requires, which is set in the ALPN callback: in TLS 1.3 it runs
 * before the server's request for a certificate is written.
 *
 * In TLS 1.3 a client counts the handshake as done before the server has looked at
 * its certificate: a refused client opens, then fails on its first read. */
#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct tls_context {
    atomic_uint references;
    SSL_CTX *ssl;
    bool is_server;
    bool alpn_optional;
    bool verify_none;
    bool has_pin;
    uint8_t pin[CERTIFICATE_SHA256_SIZE];
    char cluster_id[IDENTITY_CLUSTER_SIZE]; /* "" : none asked */
    struct tls_protocol protocols[TLS_PROTOCOLS_MAX + 1];
};

/* Beside each SSL. */
struct session {
    struct tls_context *tls;  /* shared */
    struct tls_expect expect; /* its strings are not kept */
    struct error refusal;     /* what our own callbacks refused */
};

static int session_index = -1;
static pthread_once_t session_once = PTHREAD_ONCE_INIT;

static void make_session_index(void)
{
    session_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static struct session *session_of(const SSL *ssl)
{
    return SSL_get_ex_data(ssl, session_index);
}

static int verify_mode(const struct tls_protocol *protocol)
{
    switch (protocol->client) {
    case TLS_CLIENT_REQUIRED:
        return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    case TLS_CLIENT_OPTIONAL:
        return SSL_VERIFY_PEER;
    case TLS_CLIENT_NONE:
        break;
    }
    return SSL_VERIFY_NONE;
}

/* The rule of the protocol this connection speaks; the first one without ALPN. */
static const struct tls_protocol *protocol_of(const struct session *session, const SSL *ssl)
{
    const unsigned char *name = NULL;
    unsigned size = 0;

    SSL_get0_alpn_selected(ssl, &name, &size);
    for (const struct tls_protocol *p = session->tls->protocols;
         size > 0 && p->name != NULL; p++) {
        if (slice_equal(slice_from_string(p->name), slice_of(name, size)))
            return p;
    }
    return &session->tls->protocols[0];
}

static const char *kind_text(enum identity_kind kind)
{
    return kind == IDENTITY_NODE ? "a node's" : "an admin's";
}

/* Is the owner of this certificate, whose chain is fine, who it must be? */
static enum result check_identity(const struct session *session, const SSL *ssl,
                                  X509 *certificate, struct identity *ret_identity,
                                  struct error *err)
{
    const struct tls_context *tls = session->tls;
    struct identity identity = {0};
    struct error ignored;
    enum identity_kind kind =
        tls->is_server ? protocol_of(session, ssl)->kind : session->expect.kind;

    if (kind == IDENTITY_NONE && !tls->is_server) {
        if (identity_from_certificate(certificate, &identity, &ignored) != GW_OK)
            identity = (struct identity){0};
        *ret_identity = identity;
        return GW_OK;
    }
    if (identity_from_certificate(certificate, &identity, err) != GW_OK) {
        if (kind != IDENTITY_NONE)
            return err->code;
        *ret_identity = (struct identity){0};
        return GW_OK;
    }
    if (kind != IDENTITY_NONE && identity.kind != kind)
        return error_set(err, GW_FORBIDDEN,
                         "the certificate is that of %s, %s is needed here",
                         identity_describe(&identity), kind_text(kind));
    if (tls->cluster_id[0] != '\0' && strcmp(tls->cluster_id, identity.cluster_id) != 0)
        return error_set(err, GW_FORBIDDEN,
                         "the certificate is of cluster %s, this is cluster %s",
                         identity.cluster_id, tls->cluster_id);
    if (!tls->is_server && session->expect.node_id != 0 &&
        session->expect.node_id != identity.node_id)
        return error_set(
            err, GW_FORBIDDEN, "the certificate is that of %s, not of node %llu",
            identity_describe(&identity), (unsigned long long)session->expect.node_id);
    *ret_identity = identity;
    return GW_OK;
}

/* Believes the certificate in the chain sent whose SHA-256 is the pin. */
static bool trust_pin(const struct tls_context *tls, X509_STORE_CTX *store,
                      STACK_OF(X509) * trusted)
{
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    uint8_t digest[CERTIFICATE_SHA256_SIZE];

    for (int i = 0; i < sk_X509_num(sent); i++) {
        X509 *x = sk_X509_value(sent, i);
        certificate_sha256(x, digest);
        if (memcmp(digest, tls->pin, sizeof digest) == 0)
            return sk_X509_push(trusted, x) > 0;
    }
    return false;
}

static int on_verify(X509_STORE_CTX *store, void *argument)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct session *session = session_of(ssl);
    struct tls_context *tls = argument;
    STACK_OF(X509) *trusted = NULL;
    struct identity identity;

    if (tls->verify_none)
        return 1;
    if (tls->has_pin) {
        trusted = sk_X509_new_null();
        if (trusted == NULL || !trust_pin(tls, store, trusted)) {
            sk_X509_free(trusted);
            error_set(
                &session->refusal, GW_UNAUTHORISED,
                "the server is not of the cluster that made the token: its CA differs, or "
                "was rotated since; next: check the address, or make a new token");
            X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
            return 0;
        }
        X509_STORE_CTX_set0_trusted_stack(store, trusted);
    }
    int fine = X509_verify_cert(store);
    sk_X509_free(trusted);
    if (fine != 1) {
        int code = X509_STORE_CTX_get_error(store);
        error_set(&session->refusal, GW_UNAUTHORISED,
                  "the other side's certificate is refused: %s",
                  X509_verify_cert_error_string(code));
        if (code == X509_V_OK)
            X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
        return 0;
    }
    if (check_identity(session, ssl, X509_STORE_CTX_get0_cert(store), &identity,
                       &session->refusal) != GW_OK) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
        return 0;
    }
    return 1;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                   const unsigned char *offered, unsigned offered_size, void *argument)
{
    struct tls_context *tls = argument;

    for (const struct tls_protocol *p = tls->protocols; p->name != NULL; p++) {
        struct slice name = slice_from_string(p->name);
        for (unsigned i = 0; i < offered_size; i += 1u + offered[i]) {
            if (i + 1 + offered[i] > offered_size)
                break;
            if (!slice_equal(name, slice_of(offered + i + 1, offered[i])))
                continue;
            *out = offered + i + 1;
            *out_size = offered[i];
            SSL_set_verify(ssl, verify_mode(p), NULL);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    error_set(&session_of(ssl)->refusal, GW_FORBIDDEN,
              "the client offers no protocol that is served here");
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int on_client_hello(SSL *ssl, int *alert, void *argument)
{
    struct tls_context *tls = argument;
    const unsigned char *data = NULL;
    size_t size = 0;

    if (tls->alpn_optional || tls->protocols[0].name == NULL ||
        SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
                                  &data, &size) == 1)
        return SSL_CLIENT_HELLO_SUCCESS;
    error_set(&session_of(ssl)->refusal, GW_FORBIDDEN,
              "the client names no protocol by ALPN");
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

static bool offer_protocols(struct tls_context *tls)
{
    unsigned char list[TLS_PROTOCOLS_MAX * 256];
    unsigned size = 0;

    for (const struct tls_protocol *p = tls->protocols; p->name != NULL; p++) {
        size_t length = strlen(p->name);
        list[size++] = (unsigned char)length;
        memcpy(list + size, p->name, length);
        size += (unsigned)length;
    }
    return size == 0 || SSL_CTX_set_alpn_protos(tls->ssl, list, size) == 0;
}

/* NULL is fine: nobody. */
static bool believe(const struct tls_context *tls, const struct tls_config *config,
                    X509 *ca)
{
    if (ca == NULL)
        return true;
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(tls->ssl), ca) != 1)
        return false;
    return !tls->is_server || !certificate_is_signed_by(config->certificate, ca) ||
           SSL_CTX_add1_chain_cert(tls->ssl, ca) == 1;
}

static bool configure(struct tls_context *tls, const struct tls_config *config)
{
    SSL_CTX *ssl = tls->ssl;

    SSL_CTX_set_min_proto_version(ssl, config->allow_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    if (config->session_tickets) {
        static const unsigned char context_id[] = "gw";
        SSL_CTX_set_session_id_context(ssl, context_id, sizeof context_id - 1);
    } else {
        SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ssl, 0);
    }
    if (config->certificate != NULL &&
        (SSL_CTX_use_certificate(ssl, config->certificate) != 1 ||
         SSL_CTX_use_PrivateKey(ssl, config->key) != 1 ||
         SSL_CTX_check_private_key(ssl) != 1))
        return false;
    if (config->ca != NULL) {
        if (!believe(tls, config, config->ca) || !believe(tls, config, config->other_ca))
            return false;
        /* The CA may be an intermediate one, given to `cluster init`. */
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
    } else if (!tls->is_server && !tls->has_pin && !tls->verify_none) {
        SSL_CTX_set_default_verify_paths(ssl);
    }
    SSL_CTX_set_cert_verify_callback(ssl, on_verify, tls);
    if (tls->is_server) {
        SSL_CTX_set_verify(ssl, verify_mode(&tls->protocols[0]), NULL);
        if (tls->protocols[0].name != NULL) {
            SSL_CTX_set_alpn_select_cb(ssl, on_alpn, tls);
            SSL_CTX_set_client_hello_cb(ssl, on_client_hello, tls);
        }
        return true;
    }
    SSL_CTX_set_verify(ssl, tls->verify_none ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    return offer_protocols(tls);
}

static enum result context_new(const struct tls_config *config, bool is_server,
                               struct tls_context **ret_tls, struct error *err)
{
    pthread_once(&session_once, make_session_index);
    struct tls_context *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        return error_set(err, GW_NO_MEMORY, "make a TLS context");
    atomic_init(&tls->references, 1);
    tls->is_server = is_server;
    tls->alpn_optional = config->alpn_optional;
    tls->verify_none = config->verify_none;
    tls->has_pin = config->pin_sha256 != NULL;
    if (tls->has_pin)
        memcpy(tls->pin, config->pin_sha256, sizeof tls->pin);
    if (config->cluster_id != NULL)
        snprintf(tls->cluster_id, sizeof tls->cluster_id, "%s", config->cluster_id);
    for (int i = 0; i < TLS_PROTOCOLS_MAX; i++)
        tls->protocols[i] = config->protocols[i];
    tls->ssl = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    ERR_clear_error();
    if (tls->ssl == NULL || !configure(tls, config)) {
        tls_context_unref(tls);
        return error_set(err, GW_INVALID, "make a TLS context: %s", key_openssl_error());
    }
    *ret_tls = tls;
    return GW_OK;
}

enum result tls_context_server(const struct tls_config *config,
                               struct tls_context **ret_tls, struct error *err)
{
    if (config->certificate == NULL || config->key == NULL)
        return error_set(err, GW_INVALID, "make a TLS server without a certificate");
    return context_new(config, true, ret_tls, err);
}

enum result tls_context_client(const struct tls_config *config,
                               struct tls_context **ret_tls, struct error *err)
{
    return context_new(config, false, ret_tls, err);
}

enum result tls_context_peer_server(const struct tls_self *self,
                                    struct tls_context **ret_tls, struct error *err)
{
    return tls_context_server(
        &(struct tls_config){.certificate = self->certificate,
                             .key = self->key,
                             .ca = self->ca,
                             .other_ca = self->other_ca,
                             .cluster_id = self->cluster_id,
                             .protocols = {{TLS_PEER, TLS_CLIENT_REQUIRED, IDENTITY_NODE},
                                           {TLS_JOIN, TLS_CLIENT_NONE, IDENTITY_NONE}}},
        ret_tls, err);
}

enum result tls_context_peer_client(const struct tls_self *self,
                                    struct tls_context **ret_tls, struct error *err)
{
    return tls_context_client(&(struct tls_config){.certificate = self->certificate,
                                                   .key = self->key,
                                                   .ca = self->ca,
                                                   .other_ca = self->other_ca,
                                                   .cluster_id = self->cluster_id,
                                                   .protocols = {{.name = TLS_PEER}}},
                              ret_tls, err);
}

enum result tls_context_join_client(const uint8_t *ca_sha256, struct tls_context **ret_tls,
                                    struct error *err)
{
    return tls_context_client(
        &(struct tls_config){.pin_sha256 = ca_sha256, .protocols = {{.name = TLS_JOIN}}},
        ret_tls, err);
}

enum result tls_context_admin_server(const struct tls_self *self,
                                     struct tls_context **ret_tls, struct error *err)
{
    return tls_context_server(
        &(struct tls_config){
            .certificate = self->certificate,
            .key = self->key,
            .ca = self->ca,
            .other_ca = self->other_ca,
            .cluster_id = self->cluster_id,
            .protocols = {{TLS_HTTP1, TLS_CLIENT_REQUIRED, IDENTITY_ADMIN}},
            .alpn_optional = true},
        ret_tls, err);
}

enum result tls_context_admin_client(const struct tls_self *self,
                                     struct tls_context **ret_tls, struct error *err)
{
    return tls_context_client(&(struct tls_config){.certificate = self->certificate,
                                                   .key = self->key,
                                                   .ca = self->ca,
                                                   .other_ca = self->other_ca,
                                                   .cluster_id = self->cluster_id,
                                                   .protocols = {{.name = TLS_HTTP1}}},
                              ret_tls, err);
}

struct tls_context *tls_context_ref(struct tls_context *tls)
{
    if (tls != NULL)
        atomic_fetch_add_explicit(&tls->references, 1, memory_order_relaxed);
    return tls;
}

void tls_context_unref(struct tls_context *tls)
{
    if (tls == NULL ||
        atomic_fetch_sub_explicit(&tls->references, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(tls->ssl);
    free(tls);
}

bool tls_context_is_server(const struct tls_context *tls)
{
    return tls->is_server;
}

static bool is_ip(const char *host)
{
    uint8_t ip[16];
    return inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;
}

static bool expect_names(SSL *ssl, const struct tls_expect *expect)
{
    const char *sni = expect->sni != NULL ? expect->sni : expect->hostname;

    union {
        const char *in;
        char *out;
    } name = {sni}; /* OpenSSL's macro takes the const away */
    if (sni != NULL && !is_ip(sni) && SSL_set_tlsext_host_name(ssl, name.out) != 1)
        return false;
    if (expect->hostname == NULL)
        return true;
    if (is_ip(expect->hostname))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), expect->hostname) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, expect->hostname) == 1;
}

enum result tls_session_new(struct tls_context *tls, const struct tls_expect *expect,
                            SSL **ret_session, struct error *err)
{
    struct session *session = calloc(1, sizeof *session);
    SSL *ssl = session == NULL ? NULL : SSL_new(tls->ssl);

    if (ssl == NULL || SSL_set_ex_data(ssl, session_index, session) != 1) {
        SSL_free(ssl);
        free(session);
        return error_set(err, GW_NO_MEMORY, "begin a TLS session");
    }
    session->tls = tls_context_ref(tls);
    if (tls->is_server) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
        if (expect != NULL) {
            if (!expect_names(ssl, expect)) {
                tls_session_free(ssl);
                return error_set(err, GW_INVALID,
                                 "begin a TLS session: not a fit host name");
            }
            session->expect = *expect;
            session->expect.hostname = session->expect.sni = NULL;
        }
    }
    *ret_session = ssl;
    return GW_OK;
}

void tls_session_free(SSL *ssl)
{
    if (ssl == NULL)
        return;
    struct session *session = session_of(ssl);
    SSL_free(ssl);
    tls_context_unref(session->tls);
    free(session);
    ERR_clear_error();
}

enum result tls_session_check(SSL *ssl, struct identity *ret_identity, struct error *err)
{
    struct session *session = session_of(ssl);
    X509 *certificate = SSL_get0_peer_certificate(ssl);

    *ret_identity = (struct identity){0};
    if (session->tls->verify_none)
        return GW_OK;
    if (certificate == NULL) {
        if (session->tls->is_server &&
            protocol_of(session, ssl)->client != TLS_CLIENT_REQUIRED)
            return GW_OK;
        return error_set(err, GW_UNAUTHORISED, "the other side shows no certificate");
    }
    if (SSL_get_verify_result(ssl) != X509_V_OK)
        return error_set(err, GW_UNAUTHORISED,
                         "the other side's certificate is refused: %s",
                         X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
    return check_identity(session, ssl, certificate, ret_identity, err);
}

enum result tls_session_failure(SSL *ssl, struct error *err)
{
    struct session *session = session_of(ssl);
    unsigned long code = ERR_peek_last_error();
    int reason = ERR_GET_REASON(code);

    if (session->refusal.code != GW_OK) {
        *err = session->refusal;
        ERR_clear_error();
        return err->code;
    }
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
        reason <= SSL_AD_REASON_OFFSET + 255) {
        ERR_clear_error();
        return error_set(err, GW_UNAUTHORISED,
                         "the other side refuses us by TLS alert '%s'",
                         SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
    }
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        ERR_clear_error();
        return error_set(err, GW_UNAUTHORISED, "the client shows no certificate");
    }
    return error_set(err, GW_IO, "TLS: %s", key_openssl_error());
}

struct slice tls_session_alpn(SSL *ssl)
{
    const unsigned char *name = NULL;
    unsigned size = 0;

    SSL_get0_alpn_selected(ssl, &name, &size);
    return slice_of(name, size);
}
