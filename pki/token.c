/* Join tokens to text and back.
 *
 * A person copies them by hand at times, so what was cut off or altered is told
 * apart from what the cluster refuses: by a checksum here, before anything is
 * sent. Decoding checks each length and takes no text but the one it would write. */
#include "pki/token.h"

#include "pki/base64.h"
#include "pki/key.h"
#include "pki/random.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define PREFIX     SLICE("gwj1.")
#define CHECK_SIZE 8
#define ID_BYTES   8
#define BINARY_LIMIT \
    (32 + ID_BYTES + TOKEN_SECRET_SIZE + 1 + TOKEN_PEERS_MAX * 256 + CHECK_SIZE)

static bool sha256(struct slice label, struct slice bytes, uint8_t *out)
{
    unsigned size = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool fine = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, label.data, label.size) == 1 &&
                EVP_DigestUpdate(context, bytes.data, bytes.size) == 1 &&
                EVP_DigestFinal_ex(context, out, &size) == 1;
    EVP_MD_CTX_free(context);
    return fine;
}

void token_make(struct token *token, const uint8_t *ca_sha256)
{
    *token = (struct token){0};
    random_hex(token->id, ID_BYTES);
    random_bytes(token->secret, sizeof token->secret);
    memcpy(token->ca_sha256, ca_sha256, sizeof token->ca_sha256);
}

bool token_add_peer(struct token *token, struct slice peer)
{
    if (token->peer_count == TOKEN_PEERS_MAX || peer.size == 0 ||
        peer.size >= TOKEN_PEER_SIZE || memchr(peer.data, '\0', peer.size) != NULL)
        return false;
    char *to = token->peers[token->peer_count++];
    memcpy(to, peer.data, peer.size);
    to[peer.size] = '\0';
    return true;
}

enum result token_format(const struct token *token, struct buffer *out, struct error *err)
{
    uint8_t id[ID_BYTES];
    uint8_t check[32];
    struct buffer binary;

    if (!slice_from_hex(slice_from_string(token->id), id, sizeof id))
        return error_set(err, GW_INVALID, "write a token: its id is not 8 bytes as hex");
    buffer_init(&binary, BINARY_LIMIT);
    buffer_append(&binary, token->ca_sha256, sizeof token->ca_sha256);
    buffer_append(&binary, id, sizeof id);
    buffer_append(&binary, token->secret, sizeof token->secret);
    buffer_append_byte(&binary, (char)token->peer_count);
    for (size_t i = 0; i < token->peer_count; i++) {
        size_t size = strlen(token->peers[i]);
        buffer_append_byte(&binary, (char)size);
        buffer_append(&binary, token->peers[i], size);
    }
    bool fine = sha256(PREFIX, buffer_slice(&binary), check) &&
                buffer_append(&binary, check, CHECK_SIZE) && !binary.failed &&
                buffer_append_slice(out, PREFIX) &&
                base64url_encode(out, buffer_slice(&binary));
    key_buffer_wipe(&binary);
    return fine ? GW_OK : error_set(err, GW_NO_MEMORY, "write a token");
}

static bool take(struct slice *rest, void *out, size_t size)
{
    if (rest->size < size)
        return false;
    memcpy(out, rest->data, size);
    *rest = slice_from(*rest, size);
    return true;
}

static bool read_fields(struct slice rest, struct token *token)
{
    uint8_t id[ID_BYTES];
    uint8_t count = 0;

    if (!take(&rest, token->ca_sha256, sizeof token->ca_sha256) ||
        !take(&rest, id, sizeof id) || !take(&rest, token->secret, sizeof token->secret) ||
        !take(&rest, &count, 1))
        return false;
    slice_to_hex(slice_of(id, sizeof id), token->id);
    for (unsigned i = 0; i < count; i++) {
        uint8_t size = 0;
        if (!take(&rest, &size, 1) || rest.size < size ||
            !token_add_peer(token, slice_sub(rest, 0, size)))
            return false;
        rest = slice_from(rest, size);
    }
    return rest.size == 0;
}

static struct slice trim(struct slice s)
{
    while (s.size > 0 && strchr(" \t\r\n", s.data[0]) != NULL && s.data[0] != '\0')
        s = slice_from(s, 1);
    while (s.size > 0 && strchr(" \t\r\n", s.data[s.size - 1]) != NULL &&
           s.data[s.size - 1] != '\0')
        s.size--;
    return s;
}

enum result token_parse(struct slice text, struct token *ret_token, struct error *err)
{
    struct token token = {0};
    uint8_t check[32];
    struct buffer binary;
    bool fine = false;

    text = trim(text);
    if (!slice_starts_with(text, PREFIX))
        return error_set(err, GW_MALFORMED,
                         "not a join token: it does not begin with 'gwj1.'; next: make one "
                         "with `gwctl cluster token create`");
    buffer_init(&binary, BINARY_LIMIT + 8);
    if (base64url_decode(&binary, slice_from(text, PREFIX.size)) &&
        binary.size > CHECK_SIZE) {
        struct slice body = slice_of(binary.data, binary.size - CHECK_SIZE);
        fine = sha256(PREFIX, body, check) &&
               CRYPTO_memcmp(check, body.data + body.size, CHECK_SIZE) == 0 &&
               read_fields(body, &token);
    }
    key_buffer_wipe(&binary);
    if (!fine) {
        token_wipe(&token);
        return error_set(
            err, GW_MALFORMED,
            "the join token is cut off or altered: its checksum does not fit; "
            "next: copy it whole, or make one with `gwctl cluster token create`");
    }
    *ret_token = token;
    token_wipe(&token);
    return GW_OK;
}

void token_hash(const uint8_t *secret, uint8_t *out)
{
    if (!sha256(SLICE("gw/token/v1"), slice_of(secret, TOKEN_SECRET_SIZE), out))
        memset(out, 0xff, TOKEN_HASH_SIZE);
}

bool token_hash_equal(const uint8_t *a, const uint8_t *b)
{
    return CRYPTO_memcmp(a, b, TOKEN_HASH_SIZE) == 0;
}

void token_wipe(struct token *token)
{
    random_wipe(token, sizeof *token);
}
