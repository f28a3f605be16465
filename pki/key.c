/* Private keys by OpenSSL's EVP, so that 3.0 and 3.5 take the same path.
 * P-256 because every TLS library has it in constant time; the price is that a
 * bad generator at signing time would leak the key, which Ed25519 would not. */
#include "pki/key.h"

#include "pki/random.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>

#define PEM_LIMIT (1024 * 1024)

const char *key_openssl_error(void)
{
    static _Thread_local char text[256];
    unsigned long code = ERR_peek_last_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

    snprintf(text, sizeof text, "%s",
             reason != NULL ? reason : "no reason given by OpenSSL");
    ERR_clear_error();
    return text;
}

enum result key_generate(EVP_PKEY **ret_key, struct error *err)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (key == NULL)
        return error_set(err, GW_FAILED, "make a private key: %s", key_openssl_error());
    *ret_key = key;
    return GW_OK;
}

/* Without it OpenSSL would ask for a passphrase on the terminal. */
static int no_passphrase(char *out, int size, int for_writing, void *context)
{
    (void)out, (void)size, (void)for_writing, (void)context;
    return -1;
}

enum result key_from_pem(struct slice pem, EVP_PKEY **ret_key, struct error *err)
{
    if (pem.size == 0 || pem.size > PEM_LIMIT)
        return error_set(err, GW_MALFORMED, "read a private key: not PEM of at most 1 MiB");
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    if (bio == NULL)
        return error_set(err, GW_NO_MEMORY, "read a private key");
    ERR_clear_error();
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (key == NULL)
        return error_set(
            err, GW_MALFORMED,
            "read a private key: %s; next: give it as PEM without a passphrase",
            key_openssl_error());
    *ret_key = key;
    return GW_OK;
}

enum result key_to_pem(EVP_PKEY *key, struct buffer *out, struct error *err)
{
    /* Secure memory is not set up; this BIO's memory is cleansed by OpenSSL. */
    BIO *bio = BIO_new(BIO_s_secmem());
    char *data = NULL;

    if (bio == NULL)
        return error_set(err, GW_NO_MEMORY, "write a private key");
    if (PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        BIO_free(bio);
        return error_set(err, GW_FAILED, "write a private key: %s", key_openssl_error());
    }
    long size = BIO_get_mem_data(bio, &data);
    bool fits = size > 0 && buffer_append(out, data, (size_t)size);
    BIO_free(bio);
    return fits ? GW_OK : error_set(err, GW_NO_MEMORY, "write a private key");
}

bool key_is_p256(EVP_PKEY *key)
{
    char group[64];
    size_t size = 0;

    return key != NULL && EVP_PKEY_is_a(key, "EC") == 1 &&
           EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
           (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0);
}

enum result key_check_p256(EVP_PKEY *key, struct error *err)
{
    if (!key_is_p256(key))
        return error_set(err, GW_INVALID, "the key is not EC P-256");
    return GW_OK;
}

void key_free(EVP_PKEY *key)
{
    EVP_PKEY_free(key);
}

void key_buffer_wipe(struct buffer *buffer)
{
    random_wipe(buffer->data, buffer->capacity);
    buffer_deinit(buffer);
}
