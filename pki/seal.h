/* Sealing: what is secret leaves this process only as AES-256-GCM under a key
 * derived from the cluster key, bound to associated data that the caller gives
 * (record key and version), so a sealed value cannot be moved to another place.
 *
 * Clients seal to a public X25519 key derived from the cluster key: an ephemeral
 * pair, HKDF-SHA256 over both public keys, AES-256-GCM. Any thread.
 *
 * Blob: version (1), kind ('S' or 'P'), nonce of 12 or ephemeral key of 32
 * bytes, ciphertext, tag of 16. Version and kind are authenticated too.
 * With random 96-bit nonces a key is good for 2^32 blobs [SP 800-38D 8.3]. */
#ifndef GW_PKI_SEAL_H
#define GW_PKI_SEAL_H

#include "base/buffer.h"
#include "base/error.h"

#define SEAL_KEY_SIZE    32
#define SEAL_PUBLIC_SIZE 32
/* What sealing adds at most. */
#define SEAL_OVERHEAD 50

struct seal_key {
    uint8_t bytes[SEAL_KEY_SIZE];
};

#define SEAL_NAME_SIZE 17

/* What a key is called: says nothing of it. `out` holds SEAL_NAME_SIZE. */
void seal_key_name(const struct seal_key *key, char *out);
void seal_key_generate(struct seal_key *key);
void seal_key_wipe(struct seal_key *key);
/* cluster.key: hex and a newline, 0600. GW_DAMAGED when it is not that. */
enum result seal_key_write(const char *path, const struct seal_key *key, struct error *err);
enum result seal_key_read(const char *path, struct seal_key *ret_key, struct error *err);

/* Append the blob to `out`. */
enum result seal_bytes(const struct seal_key *key, struct slice associated,
                       struct slice plain, struct buffer *out, struct error *err);
/* Appends the plain bytes; GW_MALFORMED for what is no blob, GW_DAMAGED when key,
 * associated data or bytes do not fit: then nothing was appended. */
enum result seal_open(const struct seal_key *key, struct slice associated,
                      struct slice blob, struct buffer *out, struct error *err);

/* Independent keys by label, HKDF-SHA256: "ticket/2026-01-02T00" and the like. */
void seal_derive(const struct seal_key *key, const char *label, void *out, size_t size);

/* The public half that clients seal to; `out` holds SEAL_PUBLIC_SIZE. */
void seal_public_key(const struct seal_key *key, uint8_t *out);
/* Append the blob. GW_INVALID for a public key of low order. */
enum result seal_to_public(const uint8_t *public_key, struct slice associated,
                           struct slice plain, struct buffer *out, struct error *err);
/* As seal_open, for what seal_to_public made. */
enum result unseal_from_public(const struct seal_key *key, struct slice associated,
                               struct slice blob, struct buffer *out, struct error *err);

#endif
