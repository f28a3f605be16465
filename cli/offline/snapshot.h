/* Snapshot files without a node: what one holds, and a new cluster out of one.
 * Blocking; one thread. */
#ifndef GW_CLI_OFFLINE_SNAPSHOT_H
#define GW_CLI_OFFLINE_SNAPSHOT_H

#include "cli/offline/offline.h"
#include "pki/seal.h"

#define SNAPSHOT_KINDS   24
#define SNAPSHOT_MEMBERS 64

struct snapshot_kind {
    char name[32]; /* "route"; the cluster's own records are not told */
    uint64_t count;
};

struct snapshot_facts {
    uint64_t made_ms; /* wall */
    char cluster_id[64], cluster_name[64];
    char node[64], region[64], zone[64], peer[272], admin[272], version[64];
    uint64_t size_bytes, checksum, format;
    uint64_t revision, index, term;
    struct snapshot_kind kinds[SNAPSHOT_KINDS];
    size_t kind_count;
    char members[SNAPSHOT_MEMBERS][64];
    size_t member_count;
};

/* Checks every byte of the file. GW_NOT_FOUND, GW_IO; GW_MALFORMED: no snapshot;
 * GW_DAMAGED; GW_NEWER. */
enum result offline_snapshot_inspect(const char *path, struct snapshot_facts *ret_facts,
                                     struct error *err);

struct restored {
    struct offline_made made;
    uint64_t revision;      /* that the new cluster begins with */
    uint64_t from_revision; /* of the snapshot */
    char from_cluster[64];
};

/* Makes the first node of a new cluster with the snapshot's configuration, in an empty
 * directory. What is not given is as the node was that wrote the snapshot. `key`: the old
 * cluster's key, kept, so that sealed secrets can be opened; NULL: a new one. GW_CONFLICT:
 * the directory is not empty; GW_FOREIGN: the key is not the snapshot's. */
enum result offline_snapshot_restore(const struct offline_options *options,
                                     const char *path, const struct seal_key *key,
                                     struct restored *ret_restored, struct error *err);

#endif
