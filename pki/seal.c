/* Sealing by AES-256-GCM under keys that HKDF-SHA256 derives from the cluster key.
 *
 * The cluster key itself never encrypts anything: each use has its label, so a
 * use added later cannot weaken one that stands. Sealing to the public key uses a
 * fresh X25519 pair per blob, whose shared secret makes both key and nonce: no
 * nonce is ever chosen twice under one key. The price: clients cannot read back
 * what they sealed. */
#include "pki/seal.h"

#include "pki/key.h"
#include "pki/keyfile.h"
#include "pki/random.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>

#define VERSION    1
#define HEAD_SIZE  2
#define NONCE_SIZE 12
#define TAG_SIZE   16

static void derive(struct slice secret, struct slice salt, const char *label, void *out,
                   size_t size)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    /* OpenSSL takes void pointers for what it only reads. */
    union {
        const void *in;
        void *out;
    } secret_bytes = {secret.data}, salt_bytes = {salt.data}, info = {label};
    char digest[] = "SHA256";
    OSSL_PARAM params[5];
    size_t count = 0;

    params[count++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    params[count++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
                                                        secret_bytes.out, secret.size);
    params[count++] =
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.out, strlen(label));
    if (salt.size > 0)
        params[count++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
                                                            salt_bytes.out, salt.size);
    params[count] = OSSL_PARAM_construct_end();

    if (context == NULL || EVP_KDF_derive(context, out, size, params) != 1) {
        /* Only without memory or with OpenSSL's providers taken away. */
        fputs("quorumgate: OpenSSL derives no key by HKDF-SHA256; next: check its "
              "configuration\n",
              stderr);
        abort();
    }
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
}

void seal_derive(const struct seal_key *key, const char *label, void *out, size_t size)
{
    derive(slice_of(key->bytes, sizeof key->bytes), (struct slice){0}, label, out, size);
}

void seal_key_name(const struct seal_key *key, char *out)
{
    uint8_t name[(SEAL_NAME_SIZE - 1) / 2];

    seal_derive(key, "name", name, sizeof name);
    slice_to_hex(slice_of(name, sizeof name), out);
}

void seal_key_generate(struct seal_key *key)
{
    random_bytes(key->bytes, sizeof key->bytes);
}

void seal_key_wipe(struct seal_key *key)
{
    random_wipe(key, sizeof *key);
}

enum result seal_key_write(const char *path, const struct seal_key *key, struct error *err)
{
    char text[2 * SEAL_KEY_SIZE + 2];

    slice_to_hex(slice_of(key->bytes, sizeof key->bytes), text);
    text[2 * SEAL_KEY_SIZE] = '\n';
    enum result result =
        keyfile_write(path, slice_of(text, 2 * SEAL_KEY_SIZE + 1), 0600, err);
    random_wipe(text, sizeof text);
    return result;
}

enum result seal_key_read(const char *path, struct seal_key *ret_key, struct error *err)
{
    struct seal_key key;
    struct buffer text;

    buffer_init(&text, 0);
    enum result result = keyfile_read(path, 1024, &text, err);
    if (result == GW_OK) {
        bool fine = text.size == 2 * SEAL_KEY_SIZE + 1 &&
                    text.data[text.size - 1] == '\n' &&
                    slice_from_hex(slice_of(text.data, 2 * SEAL_KEY_SIZE), key.bytes,
                                   sizeof key.bytes);
        if (fine)
            *ret_key = key;
        else
            result = error_set(err, GW_DAMAGED, "read '%s': not a cluster key", path);
    }
    key_buffer_wipe(&text);
    random_wipe(&key, sizeof key);
    return result;
}

/* Appends ciphertext and tag behind what `out` holds already. */
static bool encrypt(const uint8_t *key, const uint8_t *nonce, struct slice head,
                    struct slice associated, struct slice plain, struct buffer *out)
{
    int size = 0;
    int tail = 0;
    char *to = buffer_reserve(out, plain.size + TAG_SIZE);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool fine = to != NULL && context != NULL &&
                EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
                EVP_EncryptUpdate(context, NULL, &size, (const uint8_t *)head.data,
                                  (int)head.size) == 1 &&
                (associated.size == 0 ||
                 EVP_EncryptUpdate(context, NULL, &size, (const uint8_t *)associated.data,
                                   (int)associated.size) == 1);
    size = 0;
    fine =
        fine &&
        (plain.size == 0 ||
         EVP_EncryptUpdate(context, (uint8_t *)to, &size, (const uint8_t *)plain.data,
                           (int)plain.size) == 1) &&
        EVP_EncryptFinal_ex(context, (uint8_t *)to + size, &tail) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, to + size + tail) == 1;
    EVP_CIPHER_CTX_free(context);
    if (fine)
        buffer_commit(out, plain.size + TAG_SIZE);
    return fine;
}

static bool decrypt(const uint8_t *key, const uint8_t *nonce, struct slice head,
                    struct slice associated, struct slice sealed, struct buffer *out)
{
    int size = 0;
    int tail = 0;
    size_t plain_size = sealed.size - TAG_SIZE;
    uint8_t tag[TAG_SIZE];
    char *to = buffer_reserve(out, plain_size + 1);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

    memcpy(tag, sealed.data + plain_size, TAG_SIZE);
    bool fine = to != NULL && context != NULL &&
                EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
                EVP_DecryptUpdate(context, NULL, &size, (const uint8_t *)head.data,
                                  (int)head.size) == 1 &&
                (associated.size == 0 ||
                 EVP_DecryptUpdate(context, NULL, &size, (const uint8_t *)associated.data,
                                   (int)associated.size) == 1);
    size = 0;
    fine = fine &&
           (plain_size == 0 ||
            EVP_DecryptUpdate(context, (uint8_t *)to, &size, (const uint8_t *)sealed.data,
                              (int)plain_size) == 1) &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1 &&
           EVP_DecryptFinal_ex(context, (uint8_t *)to + size, &tail) == 1;
    EVP_CIPHER_CTX_free(context);
    if (fine)
        buffer_commit(out, plain_size);
    else if (to != NULL)
        random_wipe(to, plain_size); /* unverified plain text stays nowhere */
    ERR_clear_error();
    return fine;
}

static enum result refuse(struct error *err)
{
    return error_set(
        err, GW_DAMAGED,
        "unseal: the key or the place does not fit, or the bytes were altered");
}

enum result seal_bytes(const struct seal_key *key, struct slice associated,
                       struct slice plain, struct buffer *out, struct error *err)
{
    uint8_t derived[32];
    char head[HEAD_SIZE + NONCE_SIZE] = {VERSION, 'S'};
    size_t before = out->size;

    if (plain.size > INT_MAX - 64 || associated.size > INT_MAX)
        return error_set(err, GW_TOO_LARGE, "seal %zu bytes", plain.size);
    random_bytes(head + HEAD_SIZE, NONCE_SIZE);
    seal_derive(key, "gw/seal/aes-256-gcm/v1", derived, sizeof derived);
    bool fine = buffer_append(out, head, sizeof head) &&
                encrypt(derived, (uint8_t *)head + HEAD_SIZE, slice_of(head, HEAD_SIZE),
                        associated, plain, out);
    random_wipe(derived, sizeof derived);
    if (!fine) {
        out->size = before;
        return error_set(err, GW_NO_MEMORY, "seal %zu bytes", plain.size);
    }
    return GW_OK;
}

enum result seal_open(const struct seal_key *key, struct slice associated,
                      struct slice blob, struct buffer *out, struct error *err)
{
    uint8_t derived[32];

    if (blob.size < HEAD_SIZE + NONCE_SIZE + TAG_SIZE || blob.size > INT_MAX ||
        associated.size > INT_MAX || blob.data[0] != VERSION || blob.data[1] != 'S')
        return error_set(err, GW_MALFORMED, "unseal: not a sealed value of this version");
    seal_derive(key, "gw/seal/aes-256-gcm/v1", derived, sizeof derived);
    bool fine = decrypt(derived, (const uint8_t *)blob.data + HEAD_SIZE,
                        slice_sub(blob, 0, HEAD_SIZE), associated,
                        slice_from(blob, HEAD_SIZE + NONCE_SIZE), out);
    random_wipe(derived, sizeof derived);
    return fine ? GW_OK : refuse(err);
}

static EVP_PKEY *private_half(const struct seal_key *key)
{
    uint8_t bytes[32];
    seal_derive(key, "gw/seal/x25519/v1", bytes, sizeof bytes);
    EVP_PKEY *private_key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, bytes, sizeof bytes);
    random_wipe(bytes, sizeof bytes);
    return private_key;
}

static bool public_half(EVP_PKEY *private_key, uint8_t *out)
{
    size_t size = SEAL_PUBLIC_SIZE;
    return private_key != NULL &&
           EVP_PKEY_get_raw_public_key(private_key, out, &size) == 1 &&
           size == SEAL_PUBLIC_SIZE;
}

void seal_public_key(const struct seal_key *key, uint8_t *out)
{
    EVP_PKEY *private_key = private_half(key);
    if (!public_half(private_key, out)) {
        fputs("quorumgate: OpenSSL has no X25519; next: check its configuration\n", stderr);
        abort();
    }
    EVP_PKEY_free(private_key);
}

/* Key and nonce of one blob: 44 bytes from the shared secret, bound to both keys. */
static bool agree(EVP_PKEY *private_key, const uint8_t *other, const uint8_t *ephemeral,
                  const uint8_t *recipient, uint8_t *out)
{
    uint8_t shared[32];
    uint8_t salt[2 * SEAL_PUBLIC_SIZE];
    size_t size = sizeof shared;
    EVP_PKEY *public_key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, other, SEAL_PUBLIC_SIZE);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(private_key, NULL);
    /* OpenSSL fails on a key of low order, whose secret would be all zeros. */
    bool fine = public_key != NULL && context != NULL &&
                EVP_PKEY_derive_init(context) == 1 &&
                EVP_PKEY_derive_set_peer(context, public_key) == 1 &&
                EVP_PKEY_derive(context, shared, &size) == 1 && size == sizeof shared;
    if (fine) {
        memcpy(salt, ephemeral, SEAL_PUBLIC_SIZE);
        memcpy(salt + SEAL_PUBLIC_SIZE, recipient, SEAL_PUBLIC_SIZE);
        derive(slice_of(shared, sizeof shared), slice_of(salt, sizeof salt),
               "gw/seal/public/v1", out, 32 + NONCE_SIZE);
    }
    random_wipe(shared, sizeof shared);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(public_key);
    ERR_clear_error();
    return fine;
}

enum result seal_to_public(const uint8_t *public_key, struct slice associated,
                           struct slice plain, struct buffer *out, struct error *err)
{
    uint8_t key_and_nonce[32 + NONCE_SIZE];
    char head[HEAD_SIZE + SEAL_PUBLIC_SIZE] = {VERSION, 'P'};
    uint8_t *ephemeral = (uint8_t *)head + HEAD_SIZE;
    size_t before = out->size;

    if (plain.size > INT_MAX - 64 || associated.size > INT_MAX)
        return error_set(err, GW_TOO_LARGE, "seal %zu bytes", plain.size);
    EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    if (!public_half(pair, ephemeral) ||
        !agree(pair, public_key, ephemeral, public_key, key_and_nonce)) {
        EVP_PKEY_free(pair);
        return error_set(err, GW_INVALID, "seal: not a fit public key");
    }
    EVP_PKEY_free(pair);
    bool fine = buffer_append(out, head, sizeof head) &&
                encrypt(key_and_nonce, key_and_nonce + 32, slice_of(head, HEAD_SIZE),
                        associated, plain, out);
    random_wipe(key_and_nonce, sizeof key_and_nonce);
    if (!fine) {
        out->size = before;
        return error_set(err, GW_NO_MEMORY, "seal %zu bytes", plain.size);
    }
    return GW_OK;
}

enum result unseal_from_public(const struct seal_key *key, struct slice associated,
                               struct slice blob, struct buffer *out, struct error *err)
{
    uint8_t key_and_nonce[32 + NONCE_SIZE];
    uint8_t recipient[SEAL_PUBLIC_SIZE];

    if (blob.size < HEAD_SIZE + SEAL_PUBLIC_SIZE + TAG_SIZE || blob.size > INT_MAX ||
        associated.size > INT_MAX || blob.data[0] != VERSION || blob.data[1] != 'P')
        return error_set(err, GW_MALFORMED, "unseal: not a sealed value of this version");
    const uint8_t *ephemeral = (const uint8_t *)blob.data + HEAD_SIZE;
    EVP_PKEY *private_key = private_half(key);
    bool fine = public_half(private_key, recipient) &&
                agree(private_key, ephemeral, ephemeral, recipient, key_and_nonce) &&
                decrypt(key_and_nonce, key_and_nonce + 32, slice_sub(blob, 0, HEAD_SIZE),
                        associated, slice_from(blob, HEAD_SIZE + SEAL_PUBLIC_SIZE), out);
    EVP_PKEY_free(private_key);
    random_wipe(key_and_nonce, sizeof key_and_nonce);
    return fine ? GW_OK : refuse(err);
}
