/* The cluster's own records, as the state keeps them: who it is, its members,
 * its tokens, its authority.
 *
 *   "_cluster"   struct cluster_record
 *   "_ca"        struct ca_record, of the authority that signs
 *   "_ca/next"   likewise, while everybody learns to believe one that will sign
 *   "_ca/old"    likewise, without the key, while certificates of it are replaced
 *   "_node/ID"   struct node_record, ID in decimal
 *   "_former/ID" struct node_record of who was left behind by a recovery
 *   "_token/ID"  struct token_record, ID as in the token
 *
 * Packing writes msgpack; unpacking borrows from the bytes, so slices are valid
 * as long as those. Both are pure; any thread. */
#ifndef GW_RAFT_NODE_RECORD_H
#define GW_RAFT_NODE_RECORD_H

#include "base/buffer.h"

#define NODE_NAME_LIMIT    63
#define NODE_ADDRESS_LIMIT 271
#define TOKEN_ID_LIMIT     64
#define TOKEN_HASH_SIZE    32
#define NODES_LIMIT        32 /* in a cluster */
#define NODE_KEY_SIZE      32 /* "_holding/18446744073709551615" and NUL */

#define CLUSTER_KEY   SLICE("_cluster")
#define CA_KEY        SLICE("_ca")
#define CA_NEXT_KEY   SLICE("_ca/next")
#define CA_OLD_KEY    SLICE("_ca/old")
#define NODE_PREFIX   SLICE("_node/")
#define FORMER_PREFIX SLICE("_former/")
#define TOKEN_PREFIX  SLICE("_token/")

struct cluster_record {
    struct slice id, name;
    uint64_t epoch;
    uint64_t created_ms; /* wall */
};

struct ca_record {
    struct slice certificate; /* PEM */
    struct slice sealed_key;  /* sealed by the cluster key */
};

struct node_record {
    uint64_t id; /* Raft's */
    struct slice name, region, zone;
    struct slice peer, admin; /* advertised "host:port"; may be empty */
    struct slice role;        /* wanted: "auto", "voter", "standby", "witness" */
    struct slice version;     /* of the program, as last told */
    uint64_t joined_ms;       /* wall */
};

struct token_record {
    struct slice id;
    struct slice hash;               /* TOKEN_HASH_SIZE bytes: SHA-256 of the secret */
    struct slice role;               /* as node_record.role */
    uint64_t created_ms, expires_ms; /* wall */
    uint64_t uses_left;
    bool revoked;
};

void cluster_record_pack(struct buffer *out, const struct cluster_record *record);
bool cluster_record_unpack(struct slice bytes, struct cluster_record *ret_record);
void ca_record_pack(struct buffer *out, const struct ca_record *record);
bool ca_record_unpack(struct slice bytes, struct ca_record *ret_record);
void node_record_pack(struct buffer *out, const struct node_record *record);
bool node_record_unpack(struct slice bytes, struct node_record *ret_record);
void token_record_pack(struct buffer *out, const struct token_record *record);
bool token_record_unpack(struct slice bytes, struct token_record *ret_record);

/* "_node/ID" into `out` of NODE_KEY_SIZE; the slice borrows it. */
struct slice node_record_key(uint64_t id, char *out);
/* "_former/ID", likewise. */
struct slice former_record_key(uint64_t id, char *out);
/* "_token/ID" into `out` of TOKEN_ID_LIMIT + 8; empty when the id is too long or empty. */
struct slice token_record_key(struct slice id, char *out);
/* A wanted role that exists. */
bool node_role_is_known(struct slice role);

#endif
