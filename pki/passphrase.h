/* The cluster key as a file that a passphrase opens: what `cluster keys export`
 * writes. The passphrase is stretched by scrypt (32 MiB, about 100 ms), the key
 * sealed by AES-256-GCM under what comes out, together with all that the file says.
 * Any thread; blocks for that time. */
#ifndef GW_PKI_PASSPHRASE_H
#define GW_PKI_PASSPHRASE_H

#include "pki/seal.h"

#define PASSPHRASE_MIN       8
#define PASSPHRASE_FILE_MAX  4096
#define PASSPHRASE_NAME_SIZE 64

struct passphrase_about {
    char cluster_id[PASSPHRASE_NAME_SIZE];
    char key_name[PASSPHRASE_NAME_SIZE]; /* seal_key_name */
};

/* Appends the file's text. GW_INVALID: a passphrase of fewer than PASSPHRASE_MIN bytes. */
enum result passphrase_wrap(struct slice passphrase, const struct seal_key *key,
                            const char *cluster_id, uint64_t now_ms, struct buffer *out,
                            struct error *err);
/* GW_MALFORMED: no such file; GW_DAMAGED: it is not as it was written; GW_NEWER;
 * GW_UNAUTHORISED: the passphrase is another. */
enum result passphrase_unwrap(struct slice text, struct slice passphrase,
                              struct seal_key *ret_key, struct passphrase_about *ret_about,
                              struct error *err);

#endif
