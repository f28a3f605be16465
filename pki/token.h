/* Join tokens: `gwj1.` and base64url of a small binary with a checksum.
 *
 * Binary: CA SHA-256 (32), id (8), secret (32), number of peers (1), each peer
 * as length (1) and "host:port", the first 8 bytes of the SHA-256 of all that.
 * The checksum only makes a clear line of a typing error; what protects is the
 * secret, of which the cluster stores the hash alone. Any thread. */
#ifndef GW_PKI_TOKEN_H
#define GW_PKI_TOKEN_H

#include "base/buffer.h"
#include "base/error.h"

#define TOKEN_PEERS_MAX   16
#define TOKEN_PEER_SIZE   256
#define TOKEN_SECRET_SIZE 32
#define TOKEN_HASH_SIZE   32
#define TOKEN_ID_SIZE     17 /* 8 bytes as hex, NUL */

struct token {
    char id[TOKEN_ID_SIZE];
    uint8_t secret[TOKEN_SECRET_SIZE];
    uint8_t ca_sha256[32];
    size_t peer_count;
    char peers[TOKEN_PEERS_MAX][TOKEN_PEER_SIZE]; /* "host:port" */
};

/* Draws id and secret; peers are added by token_add_peer. */
void token_make(struct token *token, const uint8_t *ca_sha256);
/* False when it is full, empty or too long. */
bool token_add_peer(struct token *token, struct slice peer);
/* Appends the text form. */
enum result token_format(const struct token *token, struct buffer *out, struct error *err);
/* White space around it is ignored. GW_MALFORMED with a sentence for a person. */
enum result token_parse(struct slice text, struct token *ret_token, struct error *err);
/* What is replicated: SHA-256 of a label and the secret. */
void token_hash(const uint8_t *secret, uint8_t *out);
/* In constant time. */
bool token_hash_equal(const uint8_t *a, const uint8_t *b);
void token_wipe(struct token *token);

#endif
