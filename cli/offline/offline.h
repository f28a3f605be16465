/* What makes a node's data directory without a node: the founder of a new
 * cluster, or a joiner. Blocking; one thread. The only part of gwctl that sees
 * store and raft.
 *
 * Both write `identity` last, so a directory that has one is whole; what a broken
 * run left behind is written over by the next. */
#ifndef GW_CLI_OFFLINE_H
#define GW_CLI_OFFLINE_H

#include "base/buffer.h"
#include "base/error.h"

#define OFFLINE_LISTENERS_MAX 32
#define OFFLINE_VERSION       "0.1.0"
#define OFFLINE_TOKEN_USES    8
#define OFFLINE_TOKEN_TTL_MS  (24ull * 3600 * 1000)

struct offline_listener {
    struct slice name, bind; /* NAME=BIND */
};

/* Strings may be NULL: the default, or not given. */
struct offline_options {
    const char *data_dir, *name, *region; /* needed */
    const char *zone;
    const char *cluster;     /* init; default "quorumgate" */
    const char *peer;        /* advertised; default 127.0.0.1:7000 */
    const char *peer_listen; /* default: the address of `peer` if that is loopback, else
                                its port on all addresses */
    const char *admin;       /* default 127.0.0.1:7001 */
    const char *health;      /* default 127.0.0.1:7002 */
    const struct offline_listener *listeners;
    size_t listener_count;
    const char *ca_certificate, *ca_key; /* init: files; both or none */
    const char *token_out; /* init: writes a token for OFFLINE_TOKEN_USES joiners, 0600 */
    struct slice token;    /* join: its text */
    const char *role;      /* join: NULL: the token's */
    uint64_t wait_ms;      /* join: how long to try; 0: 10 s */
    bool if_needed;        /* a directory that already is this node is fine */
    bool replace;          /* join: takes the place of the node of this name */
};

struct offline_made {
    char cluster_id[40];
    char name[64];
    uint64_t node_id;
    bool was_there; /* nothing was done: if_needed */
};

/* GW_CONFLICT: the directory is a node already; GW_INVALID: an option; GW_IO. */
enum result offline_init(const struct offline_options *options,
                         struct offline_made *ret_made, struct error *err);
/* Also: GW_MALFORMED token, GW_UNREACHABLE, GW_UNAUTHORISED by the cluster, GW_NO_QUORUM,
 * GW_TIMEOUT. */
enum result offline_join(const struct offline_options *options,
                         struct offline_made *ret_made, struct error *err);

#endif
