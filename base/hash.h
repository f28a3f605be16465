/* Hashes of bytes. Not for secrets: those use OpenSSL. */
#ifndef GW_BASE_HASH_H
#define GW_BASE_HASH_H

#include "base/slice.h"

/* XXH3, 64 bits, the same on every node: checksums, digests, rendezvous. */
uint64_t hash_stable(struct slice s);
uint64_t hash_stable_seeded(struct slice s, uint64_t seed);
/* SipHash-1-3 under a key drawn once per process: tables whose keys come
 * from outside. Never stored, never sent. hash_key_set fixes the key in tests
 * and in the simulator; call it before the first thread starts. */
uint64_t hash_keyed(struct slice s);
void hash_key_set(uint64_t low, uint64_t high);

#endif
