/* Makes and reads X.509 certificates by OpenSSL's library.
 *
 * Names are put in as values, never through OpenSSL's configuration syntax, in
 * which a comma in a name would begin another name. */
#include "pki/certificate.h"

#include "pki/random.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#define PEM_LIMIT     (256 * 1024)
#define REQUEST_LIMIT (16 * 1024)
#define BACKDATED_S   300
#define DAY_S         86400

static const EVP_MD *digest_for(EVP_PKEY *key)
{
    bool has_own = EVP_PKEY_is_a(key, "ED25519") == 1 || EVP_PKEY_is_a(key, "ED448") == 1;
    return has_own ? NULL : EVP_sha256();
}

static bool set_serial(X509 *x)
{
    uint8_t bytes[16];
    random_bytes(bytes, sizeof bytes);
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive and never short */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool fine =
        number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL;
    BN_free(number);
    return fine;
}

static bool set_common_name(X509_NAME *name, struct slice text)
{
    if (text.size > 64) /* ub-common-name */
        text.size = 64;
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                      (const unsigned char *)text.data, (int)text.size, -1,
                                      0) == 1;
}

static int64_t time_of(const ASN1_TIME *time)
{
    struct tm tm = {0};
    if (ASN1_TIME_to_tm(time, &tm) != 1)
        return 0;
    return (int64_t)timegm(&tm);
}

static bool set_validity(X509 *x, X509 *ca, uint64_t now_ms, unsigned days)
{
    int64_t now_s = (int64_t)(now_ms / 1000);
    int64_t until_s = now_s + (int64_t)days * DAY_S;

    if (ca != NULL && until_s > time_of(X509_get0_notAfter(ca)))
        until_s = time_of(X509_get0_notAfter(ca));
    return ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(now_s - BACKDATED_S)) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(x), (time_t)until_s) != NULL;
}

/* `value` is one of our own constants. */
static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (extension == NULL)
        return false;
    bool fine = X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return fine;
}

static bool push_name(GENERAL_NAMES *names, int type, ASN1_STRING *value,
                      struct slice bytes)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (value == NULL || name == NULL ||
        ASN1_STRING_set(value, bytes.data, (int)bytes.size) != 1) {
        ASN1_STRING_free(value);
        GENERAL_NAME_free(name);
        return false;
    }
    GENERAL_NAME_set0_value(name, type, value);
    if (sk_GENERAL_NAME_push(names, name) <= 0) {
        GENERAL_NAME_free(name);
        return false;
    }
    return true;
}

static bool is_host_name(struct slice text)
{
    if (text.size == 0 || text.size > 253)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
                    (c == '*' && i == 0);
        if (!fine)
            return false;
    }
    return true;
}

static enum result push_host(GENERAL_NAMES *list, struct slice text, struct error *err)
{
    char string[256];
    uint8_t ip[16];
    bool fine;

    if (text.size >= sizeof string)
        return error_set(err, GW_INVALID, "a host name of %zu bytes is too long",
                         text.size);
    memcpy(string, text.data, text.size);
    string[text.size] = '\0';
    if (inet_pton(AF_INET, string, ip) == 1)
        fine = push_name(list, GEN_IPADD, ASN1_OCTET_STRING_new(), slice_of(ip, 4));
    else if (inet_pton(AF_INET6, string, ip) == 1)
        fine = push_name(list, GEN_IPADD, ASN1_OCTET_STRING_new(), slice_of(ip, 16));
    else if (is_host_name(text))
        fine = push_name(list, GEN_DNS, ASN1_IA5STRING_new(), text);
    else
        return error_set(err, GW_INVALID, "'%s' is no host name and no IP address", string);
    return fine ? GW_OK : error_set(err, GW_NO_MEMORY, "add a name to a certificate");
}

static enum result add_names(X509 *x, const char *uri,
                             const struct certificate_names *names, struct error *err)
{
    size_t count = names == NULL ? 0 : names->count;
    enum result result = GW_OK;

    if (count > CERTIFICATE_NAMES_MAX)
        return error_set(err, GW_LIMIT, "%zu names for a certificate, at most %d", count,
                         CERTIFICATE_NAMES_MAX);
    if (uri == NULL && count == 0)
        return GW_OK;
    GENERAL_NAMES *list = GENERAL_NAMES_new();
    if (list == NULL)
        return error_set(err, GW_NO_MEMORY, "add names to a certificate");
    if (uri != NULL &&
        !push_name(list, GEN_URI, ASN1_IA5STRING_new(), slice_from_string(uri)))
        result = error_set(err, GW_NO_MEMORY, "add a name to a certificate");
    for (size_t i = 0; i < count && result == GW_OK; i++)
        result = push_host(list, names->items[i], err);
    if (result == GW_OK && X509_add1_ext_i2d(x, NID_subject_alt_name, list, 0, 0) != 1)
        result = error_set(err, GW_FAILED, "add names to a certificate: %s",
                           key_openssl_error());
    GENERAL_NAMES_free(list);
    return result;
}

/* What all certificates begin with. */
static X509 *certificate_begin(X509 *ca, EVP_PKEY *public_key, struct slice common_name,
                               unsigned days, uint64_t now_ms)
{
    X509 *x = X509_new();
    bool fine = x != NULL && X509_set_version(x, 2) == 1 && set_serial(x) &&
                set_validity(x, ca, now_ms, days) &&
                set_common_name(X509_get_subject_name(x), common_name) &&
                X509_set_issuer_name(x, X509_get_subject_name(ca == NULL ? x : ca)) == 1 &&
                X509_set_pubkey(x, public_key) == 1;
    if (!fine) {
        X509_free(x);
        return NULL;
    }
    return x;
}

enum result certificate_make_ca(EVP_PKEY *key, const char *cluster_id, uint64_t now_ms,
                                X509 **ret_ca, struct error *err)
{
    char name[64];
    int size = snprintf(name, sizeof name, "Quorumgate CA %s", cluster_id);

    X509 *x = certificate_begin(NULL, key, slice_of(name, (size_t)size),
                                CERTIFICATE_CA_DAYS, now_ms);
    if (x == NULL ||
        !add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(x, x, NID_subject_key_identifier, "hash") ||
        X509_sign(x, key, digest_for(key)) == 0) {
        X509_free(x);
        return error_set(err, GW_FAILED, "make the cluster's CA: %s", key_openssl_error());
    }
    *ret_ca = x;
    return GW_OK;
}

enum result certificate_check_ca(X509 *ca, EVP_PKEY *key, struct error *err)
{
    if (X509_check_ca(ca) != 1 || (X509_get_key_usage(ca) & KU_KEY_CERT_SIGN) == 0)
        return error_set(err, GW_INVALID,
                         "the CA certificate may not sign certificates; next: "
                         "give one with CA:TRUE and keyCertSign");
    if (!certificate_key_matches(ca, key))
        return error_set(err, GW_INVALID,
                         "the CA's key does not belong to its certificate");
    return GW_OK;
}

enum result certificate_request_make(EVP_PKEY *key, struct slice common_name,
                                     struct buffer *out, struct error *err)
{
    enum result result = GW_FAILED;
    char *data = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    X509_REQ *request = X509_REQ_new();

    if (bio == NULL || request == NULL || X509_REQ_set_version(request, 0) != 1 ||
        !set_common_name(X509_REQ_get_subject_name(request), common_name) ||
        X509_REQ_set_pubkey(request, key) != 1 ||
        X509_REQ_sign(request, key, digest_for(key)) == 0 ||
        PEM_write_bio_X509_REQ(bio, request) != 1) {
        error_set(err, GW_FAILED, "make a certificate request: %s", key_openssl_error());
    } else {
        long size = BIO_get_mem_data(bio, &data);
        result = buffer_append(out, data, (size_t)size)
                     ? GW_OK
                     : error_set(err, GW_NO_MEMORY, "make a certificate request");
    }
    X509_REQ_free(request);
    BIO_free(bio);
    return result;
}

enum result certificate_request_read(struct slice pem, EVP_PKEY **ret_public_key,
                                     struct error *err)
{
    EVP_PKEY *key = NULL;

    if (pem.size == 0 || pem.size > REQUEST_LIMIT)
        return error_set(err, GW_MALFORMED,
                         "a certificate request of %zu bytes, not 1 to %d", pem.size,
                         REQUEST_LIMIT);
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    ERR_clear_error();
    X509_REQ *request = bio == NULL ? NULL : PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (request == NULL)
        return error_set(err, GW_MALFORMED, "not a certificate request: %s",
                         key_openssl_error());
    key = X509_REQ_get_pubkey(request);
    if (key == NULL || key_check_p256(key, err) != GW_OK) {
        error_set(err, GW_INVALID, "the certificate request's key is not EC P-256");
        goto fail;
    }
    if (X509_REQ_verify(request, key) != 1) {
        error_set(err, GW_INVALID,
                  "the certificate request's signature does not prove that the sender has "
                  "the key");
        goto fail;
    }
    X509_REQ_free(request);
    ERR_clear_error();
    *ret_public_key = key;
    return GW_OK;

fail:
    ERR_clear_error();
    EVP_PKEY_free(key);
    X509_REQ_free(request);
    return err->code;
}

enum result certificate_sign(X509 *ca, EVP_PKEY *ca_key, EVP_PKEY *public_key,
                             const struct identity *subject,
                             const struct certificate_names *names, unsigned days,
                             uint64_t now_ms, X509 **ret_certificate, struct error *err)
{
    char uri[IDENTITY_URI_SIZE];
    bool is_node = subject->kind == IDENTITY_NODE;

    if (subject->kind == IDENTITY_NONE ||
        !identity_is_cluster_id(slice_from_string(subject->cluster_id)) ||
        (is_node ? subject->node_id == 0
                 : !identity_is_name(slice_from_string(subject->name))))
        return error_set(err, GW_INVALID, "sign a certificate for nobody");
    identity_format(subject, uri);
    if (days == 0)
        days = is_node ? CERTIFICATE_NODE_DAYS : CERTIFICATE_ADMIN_DAYS;

    X509 *x = certificate_begin(
        ca, public_key, slice_from_string(identity_describe(subject)), days, now_ms);
    if (x == NULL || !add_extension(x, ca, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(x, ca, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(x, ca, NID_ext_key_usage,
                       is_node ? "serverAuth,clientAuth" : "clientAuth") ||
        !add_extension(x, ca, NID_subject_key_identifier, "hash") ||
        !add_extension(x, ca, NID_authority_key_identifier, "keyid")) {
        error_set(err, GW_FAILED, "sign a certificate for %s: %s",
                  identity_describe(subject), key_openssl_error());
        goto fail;
    }
    if (add_names(x, uri, is_node ? names : NULL, err) != GW_OK) {
        error_wrap(err, "sign a certificate for %s", identity_describe(subject));
        goto fail;
    }
    if (X509_sign(x, ca_key, digest_for(ca_key)) == 0) {
        error_set(err, GW_FAILED, "sign a certificate for %s: %s",
                  identity_describe(subject), key_openssl_error());
        goto fail;
    }
    *ret_certificate = x;
    return GW_OK;

fail:
    X509_free(x);
    return err->code;
}

enum result certificate_self_signed(EVP_PKEY *key, const struct certificate_names *names,
                                    unsigned days, uint64_t now_ms, X509 **ret_certificate,
                                    struct error *err)
{
    struct slice name = names != NULL && names->count > 0 ? names->items[0] : SLICE("self");

    X509 *x = certificate_begin(NULL, key, name, days == 0 ? CERTIFICATE_NODE_DAYS : days,
                                now_ms);
    if (x == NULL) {
        error_set(err, GW_FAILED, "make a certificate: %s", key_openssl_error());
        goto fail;
    }
    if (add_names(x, NULL, names, err) != GW_OK)
        goto fail;
    if (X509_sign(x, key, digest_for(key)) == 0) {
        error_set(err, GW_FAILED, "make a certificate: %s", key_openssl_error());
        goto fail;
    }
    *ret_certificate = x;
    return GW_OK;

fail:
    X509_free(x);
    return err->code;
}

enum result certificate_from_pem(struct slice pem, X509 **ret_certificate,
                                 struct error *err)
{
    if (pem.size == 0 || pem.size > PEM_LIMIT)
        return error_set(err, GW_MALFORMED,
                         "read a certificate: not PEM of at most 256 KiB");
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    ERR_clear_error();
    X509 *x = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (x == NULL)
        return error_set(err, GW_MALFORMED, "read a certificate: %s", key_openssl_error());
    *ret_certificate = x;
    return GW_OK;
}

enum result certificate_to_pem(X509 *certificate, struct buffer *out, struct error *err)
{
    char *data = NULL;
    BIO *bio = BIO_new(BIO_s_mem());

    if (bio == NULL || PEM_write_bio_X509(bio, certificate) != 1) {
        BIO_free(bio);
        return error_set(err, GW_FAILED, "write a certificate: %s", key_openssl_error());
    }
    long size = BIO_get_mem_data(bio, &data);
    bool fits = buffer_append(out, data, (size_t)size);
    BIO_free(bio);
    return fits ? GW_OK : error_set(err, GW_NO_MEMORY, "write a certificate");
}

void certificate_sha256(X509 *certificate, uint8_t *out)
{
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha256(), out, &size) != 1)
        memset(out, 0, CERTIFICATE_SHA256_SIZE);
}

void certificate_validity(X509 *certificate, uint64_t *ret_from_ms, uint64_t *ret_until_ms)
{
    *ret_from_ms = (uint64_t)time_of(X509_get0_notBefore(certificate)) * 1000;
    *ret_until_ms = (uint64_t)time_of(X509_get0_notAfter(certificate)) * 1000;
}

bool certificate_key_matches(X509 *certificate, EVP_PKEY *key)
{
    bool fine = X509_check_private_key(certificate, key) == 1;
    ERR_clear_error();
    return fine;
}

X509 *certificate_ref(X509 *certificate)
{
    if (certificate != NULL)
        X509_up_ref(certificate);
    return certificate;
}

void certificate_free(X509 *certificate)
{
    X509_free(certificate);
}
