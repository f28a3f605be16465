/* Random bytes from OpenSSL's generator, which draws on the kernel's.
 * The price: a process without entropy does not go on at all. */
#include "pki/random.h"

#include "base/slice.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

void random_bytes(void *out, size_t size)
{
    if (size > INT_MAX || RAND_bytes(out, (int)size) != 1) {
        fputs("quorumgate: no random bytes from OpenSSL; next: check the kernel's entropy "
              "and OpenSSL's configuration\n",
              stderr);
        abort();
    }
}

void random_hex(char *out, size_t count)
{
    while (count > 0) {
        uint8_t bytes[32];
        size_t part = count < sizeof bytes ? count : sizeof bytes;
        random_bytes(bytes, part);
        slice_to_hex(slice_of(bytes, part), out);
        out += 2 * part;
        count -= part;
    }
    *out = '\0';
}

void random_wipe(void *secret, size_t size)
{
    if (secret != NULL && size > 0)
        OPENSSL_cleanse(secret, size);
}
