/* Lines of "word: value", so that a person sees what it is and of which cluster:
 *
 *   quorumgate cluster key, format 1
 *   cluster: ID
 *   key: NAME
 *   exported: 2026-01-02T03:04:05.678Z
 *   scrypt: 32768 8 1 SALT
 *   sealed: BASE64
 *   check: the first 8 bytes of the SHA-256 of all before
 *
 * The check tells damage from a wrong passphrase; all before `sealed` is the
 * associated data. */
#include "pki/passphrase.h"

#include "base/instant.h"
#include "pki/base64.h"
#include "pki/key.h"
#include "pki/random.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>

#define TITLE      "quorumgate cluster key, format "
#define SALT_SIZE  16
#define SCRYPT_N   32768
#define SCRYPT_R   8
#define SCRYPT_P   1
#define SCRYPT_MEM (64u << 20)

static bool stretch(struct slice passphrase, const uint8_t *salt, struct seal_key *out)
{
    return EVP_PBE_scrypt(passphrase.data, passphrase.size, salt, SALT_SIZE, SCRYPT_N,
                          SCRYPT_R, SCRYPT_P, SCRYPT_MEM, out->bytes,
                          sizeof out->bytes) == 1;
}

static void check_of(struct slice text, char *out)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)text.data, text.size, digest);
    slice_to_hex(slice_of(digest, 8), out);
}

enum result passphrase_wrap(struct slice passphrase, const struct seal_key *key,
                            const char *cluster_id, uint64_t now_ms, struct buffer *out,
                            struct error *err)
{
    uint8_t salt[SALT_SIZE];
    char salt_text[2 * SALT_SIZE + 1], when[INSTANT_TEXT_SIZE], name[SEAL_NAME_SIZE],
        check[17];
    struct seal_key stretched;
    struct buffer text, blob;

    if (passphrase.size < PASSPHRASE_MIN)
        return error_set(err, GW_INVALID, "the passphrase is too short: %d bytes at least",
                         PASSPHRASE_MIN);
    random_bytes(salt, sizeof salt);
    if (!stretch(passphrase, salt, &stretched))
        return error_set(err, GW_NO_MEMORY, "stretch the passphrase: %s",
                         key_openssl_error());
    slice_to_hex(slice_of(salt, sizeof salt), salt_text);
    instant_format(now_ms, when);
    seal_key_name(key, name);
    buffer_init(&text, PASSPHRASE_FILE_MAX);
    buffer_init(&blob, PASSPHRASE_FILE_MAX);
    buffer_printf(&text,
                  TITLE "1\ncluster: %s\nkey: %s\nexported: %s\nscrypt: %d %d %d %s\n",
                  cluster_id, name, when, SCRYPT_N, SCRYPT_R, SCRYPT_P, salt_text);
    if (seal_bytes(&stretched, buffer_slice(&text), slice_of(key->bytes, sizeof key->bytes),
                   &blob, err) == GW_OK) {
        buffer_append_slice(&text, SLICE("sealed: "));
        base64_encode(&text, buffer_slice(&blob));
        buffer_append_byte(&text, '\n');
        check_of(buffer_slice(&text), check);
        buffer_printf(&text, "check: %s\n", check);
        buffer_append_slice(out, buffer_slice(&text));
        if (text.failed || out->failed)
            error_set(err, GW_NO_MEMORY, "write the key");
    }
    seal_key_wipe(&stretched);
    buffer_deinit(&text);
    buffer_deinit(&blob);
    return err->code;
}

/* The value of the line that comes next, which must have this word. */
static bool take_line(struct slice *rest, struct slice word, struct slice *ret_value)
{
    struct slice line;

    if (!slice_next(rest, '\n', &line) || !slice_starts_with(line, word))
        return false;
    *ret_value = slice_from(line, word.size);
    return true;
}

enum result passphrase_unwrap(struct slice text, struct slice passphrase,
                              struct seal_key *ret_key, struct passphrase_about *ret_about,
                              struct error *err)
{
    const struct slice scrypt = SLICE("32768 8 1 ");
    struct slice rest = text, format, cluster, name, when, kdf, sealed, check;
    struct passphrase_about about = {0};
    uint8_t salt[SALT_SIZE];
    struct seal_key stretched;
    struct buffer blob, plain;
    char sum[17];

    if (!take_line(&rest, SLICE(TITLE), &format))
        return error_set(err, GW_MALFORMED,
                         "is no cluster key: gwctl cluster keys export writes them");
    if (!slice_equal(format, SLICE("1")))
        return error_set(err, GW_NEWER, "is of format %.*s: use a newer gwctl",
                         (int)(format.size < 16 ? format.size : 16), format.data);
    bool is_whole = take_line(&rest, SLICE("cluster: "), &cluster) &&
                    take_line(&rest, SLICE("key: "), &name) &&
                    take_line(&rest, SLICE("exported: "), &when) &&
                    take_line(&rest, SLICE("scrypt: "), &kdf);
    const struct slice associated = slice_of(text.data, text.size - rest.size);
    is_whole = is_whole && take_line(&rest, SLICE("sealed: "), &sealed);
    const struct slice checked = slice_of(text.data, text.size - rest.size);
    is_whole = is_whole && take_line(&rest, SLICE("check: "), &check) && rest.size == 0;
    if (is_whole)
        check_of(checked, sum);
    if (!is_whole || !slice_equal(check, slice_from_string(sum)) ||
        !slice_starts_with(kdf, scrypt) ||
        !slice_from_hex(slice_from(kdf, scrypt.size), salt, sizeof salt))
        return error_set(err, GW_DAMAGED, "is damaged: its check does not fit");

    buffer_init(&blob, PASSPHRASE_FILE_MAX);
    buffer_init(&plain, PASSPHRASE_FILE_MAX);
    if (!base64_decode(&blob, sealed))
        error_set(err, GW_DAMAGED, "is damaged: its key does not decode");
    else if (!stretch(passphrase, salt, &stretched))
        error_set(err, GW_NO_MEMORY, "cannot be opened: %s", key_openssl_error());
    else if (seal_open(&stretched, associated, buffer_slice(&blob), &plain, err) != GW_OK ||
             plain.size != sizeof ret_key->bytes)
        error_set(err, GW_UNAUTHORISED, "is not opened by this passphrase");
    else {
        memcpy(ret_key->bytes, plain.data, sizeof ret_key->bytes);
        snprintf(about.cluster_id, sizeof about.cluster_id, "%.*s", SLICE_ARG(cluster));
        snprintf(about.key_name, sizeof about.key_name, "%.*s", SLICE_ARG(name));
        *ret_about = about;
    }
    seal_key_wipe(&stretched);
    key_buffer_wipe(&plain);
    buffer_deinit(&blob);
    return err->code;
}
