/* Whether the keys and certificates of a data directory are its own: looked at
 * once, before anything is served. Main thread, blocking. */
#ifndef GW_NODE_KEYS_H
#define GW_NODE_KEYS_H

#include "pki/identity.h"

/* GW_DAMAGED: a file is missing or unreadable; GW_FOREIGN: it is another node's or another
 * cluster's. The sentence names the file and what to do. A certificate that has run out is
 * only logged: peers refuse it, and traffic is served all the same. */
enum result keys_check(const char *data_dir, const struct identity_file *identity,
                       uint64_t now_ms, struct error *err);

#endif
