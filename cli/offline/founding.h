/* A new cluster's own things: its key, its authority, the first node's and the first
 * admin's certificate, and the files that hold them. What init and restore have in
 * common. Blocking; one thread. */
#ifndef GW_CLI_OFFLINE_FOUNDING_H
#define GW_CLI_OFFLINE_FOUNDING_H

#include "cli/offline/directory.h"
#include "pki/seal.h"
#include "pki/token.h"
#include "raft/node_record.h"

#define FOUNDER_ID 1

/* What the steps share; all owned. */
struct founding {
    const struct offline_options *options; /* borrowed */
    struct offline_made *made;             /* borrowed */
    uint64_t now_ms;
    struct seal_key key;
    bool has_key; /* given, not drawn */
    EVP_PKEY *ca_key, *node_key, *admin_key;
    X509 *ca, *node, *admin;
    struct buffer ca_pem, node_pem, admin_pem, sealed_key;
    struct token token;
    uint8_t token_hash[TOKEN_HASH_SIZE];
    bool has_token;
};

/* The first records of the cluster; slices borrow from the founding. */
struct founding_records {
    struct cluster_record cluster;
    struct ca_record ca;
    struct node_record founder;
    struct token_record token; /* if has_token */
};

/* `made` gets the name and the id at once. */
void founding_init(struct founding *founding, const struct offline_options *options,
                   struct offline_made *made, uint64_t now_ms);
void founding_deinit(struct founding *founding);
/* Draws the cluster's id and keys and signs the certificates. */
enum result founding_make(struct founding *founding, struct error *err);
enum result founding_records(struct founding *founding,
                             struct founding_records *ret_records, struct error *err);
/* Writes all files, the identity last: then the directory is a node's. */
enum result founding_write(struct founding *founding, struct error *err);
/* A store left by a run that broke off before the identity was written. */
void founding_remove_half(const struct offline_options *options);

#endif
