/* What a certificate says, for people and for the decision whether it must go. */
#include "pki/certificate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define PEM_LIMIT (256 * 1024)

bool certificate_is_signed_by(X509 *certificate, X509 *ca)
{
    bool fine = X509_verify(certificate, X509_get0_pubkey(ca)) == 1;

    ERR_clear_error();
    return fine;
}

void certificate_serial(X509 *certificate, char *out)
{
    uint8_t bytes[(CERTIFICATE_SERIAL_SIZE - 1) / 2];
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    int size = number == NULL ? 0 : BN_num_bytes(number);

    out[0] = '\0';
    if (size > 0 && size <= (int)sizeof bytes) {
        BN_bn2bin(number, bytes);
        slice_to_hex(slice_of(bytes, (size_t)size), out);
    }
    BN_free(number);
}

void certificate_common_name(X509 *certificate, char *out, size_t size)
{
    if (X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, out,
                                  (int)size) < 0)
        out[0] = '\0';
}

static void tell_name(const GENERAL_NAME *name, certificate_name_fn fn, void *owner)
{
    char text[INET6_ADDRSTRLEN];
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);

    if (type == GEN_DNS) {
        fn(owner,
           slice_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)));
    } else if (type == GEN_IPADD) {
        int family = ASN1_STRING_length(value) == 4 ? AF_INET : AF_INET6;
        if ((family == AF_INET || ASN1_STRING_length(value) == 16) &&
            inet_ntop(family, ASN1_STRING_get0_data(value), text, sizeof text) != NULL)
            fn(owner, slice_from_string(text));
    }
}

void certificate_each_name(X509 *certificate, certificate_name_fn fn, void *owner)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++)
        tell_name(sk_GENERAL_NAME_value(names, i), fn, owner);
    GENERAL_NAMES_free(names);
}

enum result certificate_bundle_from_pem(struct slice pem,
                                        struct certificate_bundle *ret_bundle,
                                        struct error *err)
{
    struct certificate_bundle bundle = {{NULL}, 0};
    X509 *x = NULL;

    if (pem.size == 0 || pem.size > PEM_LIMIT)
        return error_set(err, GW_MALFORMED,
                         "read certificates: not PEM of at most 256 KiB");
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    while (bio != NULL && bundle.count < CERTIFICATE_BUNDLE_MAX &&
           (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        bundle.items[bundle.count++] = x;
    bool has_more = bundle.count == CERTIFICATE_BUNDLE_MAX &&
                    (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL;
    if (has_more)
        X509_free(x);
    BIO_free(bio);
    ERR_clear_error();
    if (bundle.count == 0 || has_more) {
        certificate_bundle_deinit(&bundle);
        return error_set(err, GW_MALFORMED, "read certificates: %s",
                         has_more ? "more than two" : "there is none");
    }
    *ret_bundle = bundle;
    return GW_OK;
}

void certificate_bundle_deinit(struct certificate_bundle *bundle)
{
    for (size_t i = 0; i < bundle->count; i++)
        X509_free(bundle->items[i]);
    *bundle = (struct certificate_bundle){{NULL}, 0};
}
