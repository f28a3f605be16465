/* The cluster key of a data directory, without a node. Blocking; one thread. */
#ifndef GW_CLI_OFFLINE_KEYS_H
#define GW_CLI_OFFLINE_KEYS_H

#include "pki/seal.h"

/* The key and the cluster's id (33 bytes) of a directory. Its gwd may run. */
enum result offline_key_read(const char *data_dir, struct seal_key *ret_key,
                             char *ret_cluster_id, struct error *err);
/* Writes cluster.key, if the key opens what is sealed in the directory: GW_FOREIGN
 * otherwise, GW_LOCKED while its gwd runs. */
enum result offline_key_write(const char *data_dir, const struct seal_key *key,
                              struct error *err);

#endif
