/* A passphrase, from a file or from a person. */
#ifndef GW_CLI_PASSPHRASE_H
#define GW_CLI_PASSPHRASE_H

#include "base/buffer.h"
#include "cli/command.h"

/* --passphrase-file (first line; - is standard input), else asked for on the terminal,
 * `twice` where a typing error would be found out too late. The buffer is the caller's
 * to wipe. After a sentence returns an exit code. */
int passphrase_read(const struct invocation *invocation, bool twice,
                    struct buffer *passphrase);
/* The key in a file of `keys export`. `about` may be NULL. */
struct seal_key;
struct passphrase_about;
int passphrase_open(const struct invocation *invocation, const char *file,
                    struct seal_key *ret_key, struct passphrase_about *ret_about);

#endif
