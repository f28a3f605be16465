/* Hashes: XXH3 for what must be the same everywhere, SipHash-1-3 [Aumasson,
 * Bernstein 2012] for tables whose keys an attacker chooses.
 *
 * The key is drawn before main, so that hash_keyed needs no check. */
#include "base/hash.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

static uint64_t key_low, key_high;

__attribute__((constructor)) static void draw_key(void)
{
    uint64_t key[2];
    if (getrandom(key, sizeof key, GRND_NONBLOCK) != (ssize_t)sizeof key) {
        /* So early at boot that the kernel has no entropy yet: a guessable key
         * costs speed under attack, nothing else. */
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        key[0] = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u ^ (uint64_t)getpid();
        key[1] = (uint64_t)(uintptr_t)&now ^ (uint64_t)now.tv_sec << 32;
    }
    hash_key_set(key[0], key[1]);
}

uint64_t hash_stable(struct slice s)
{
    return XXH3_64bits(s.size == 0 ? "" : s.data, s.size);
}

uint64_t hash_stable_seeded(struct slice s, uint64_t seed)
{
    return XXH3_64bits_withSeed(s.size == 0 ? "" : s.data, s.size, seed);
}

/* XXH3's state by another name: nobody else has to see its header. */
struct hash_stream *hash_stream_new(void)
{
    XXH3_state_t *state = XXH3_createState();

    if (state != NULL)
        XXH3_64bits_reset(state);
    return (struct hash_stream *)state;
}

void hash_stream_free(struct hash_stream *stream)
{
    XXH3_freeState((XXH3_state_t *)stream);
}

void hash_stream_add(struct hash_stream *stream, struct slice s)
{
    if (s.size > 0)
        XXH3_64bits_update((XXH3_state_t *)stream, s.data, s.size);
}

uint64_t hash_stream_sum(const struct hash_stream *stream)
{
    return XXH3_64bits_digest((const XXH3_state_t *)stream);
}

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

uint64_t hash_keyed(struct slice s)
{
    uint64_t v[4] = {
        key_low ^ 0x736f6d6570736575u,
        key_high ^ 0x646f72616e646f6du,
        key_low ^ 0x6c7967656e657261u,
        key_high ^ 0x7465646279746573u,
    };
    const char *p = s.data;
    size_t left = s.size;

    for (; left >= 8; p += 8, left -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)s.size << 56;
    if (left > 0) {
        uint64_t tail = 0;
        memcpy(&tail, p, left);
        last |= tail;
    }
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void hash_key_set(uint64_t low, uint64_t high)
{
    key_low = low;
    key_high = high;
}
