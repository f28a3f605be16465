/* Random bytes fit for keys, from OpenSSL's generator. Any thread.
 *
 * There is no error to handle: without entropy nothing this program promises
 * holds, so the process stops with a line. */
#ifndef GW_PKI_RANDOM_H
#define GW_PKI_RANDOM_H

#include <stddef.h>

void random_bytes(void *out, size_t size);
/* `count` random bytes as lower-case hex into `out`, which holds 2 * count + 1. */
void random_hex(char *out, size_t count);
/* Overwrites a secret in a way the compiler keeps. NULL with size 0 is fine. */
void random_wipe(void *secret, size_t size);

#endif
