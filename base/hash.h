/* Hashes of bytes. Not for secrets: those use OpenSSL. */
#ifndef GW_BASE_HASH_H
#define GW_BASE_HASH_H

#include "base/slice.h"

/* XXH3, 64 bits, the same on every node: checksums, digests, rendezvous. */
uint64_t hash_stable(struct slice s);
uint64_t hash_stable_seeded(struct slice s, uint64_t seed);
/* hash_stable of bytes that come in pieces. NULL without memory; the sum may be asked for
 * at any time. */
struct hash_stream;
struct hash_stream *hash_stream_new(void);
void hash_stream_free(struct hash_stream *stream);
void hash_stream_add(struct hash_stream *stream, struct slice s);
uint64_t hash_stream_sum(const struct hash_stream *stream);
/* SipHash-1-3 under a key drawn once per process: tables whose keys come
 * from outside. Never stored, never sent. hash_key_set fixes the key in tests
 * and in the simulator; call it before the first thread starts. */
uint64_t hash_keyed(struct slice s);
void hash_key_set(uint64_t low, uint64_t high);

#endif
