/* Who somebody is, as their certificate says: the URI in its subject
 * alternative name, gw://CLUSTERID/node/ID or gw://CLUSTERID/admin/NAME.
 * And the file D/identity, which says who this data directory is. Any thread. */
#ifndef GW_PKI_IDENTITY_H
#define GW_PKI_IDENTITY_H

#include "base/error.h"

#include <openssl/types.h>

#define IDENTITY_CLUSTER_SIZE 33 /* 16 bytes as hex, NUL */
#define IDENTITY_NAME_SIZE    64
#define IDENTITY_URI_SIZE     128

enum identity_kind { IDENTITY_NONE, IDENTITY_NODE, IDENTITY_ADMIN };

struct identity {
    enum identity_kind kind;
    char cluster_id[IDENTITY_CLUSTER_SIZE];
    uint64_t node_id;              /* of a node: never 0 */
    char name[IDENTITY_NAME_SIZE]; /* of an admin */
};

/* 16 random bytes as hex; `out` holds IDENTITY_CLUSTER_SIZE. */
void identity_make_cluster_id(char *out);
bool identity_is_cluster_id(struct slice text);
/* Names of admins: letters, digits, - _ . @, 1 to 63. */
bool identity_is_name(struct slice text);

/* `out` holds IDENTITY_URI_SIZE. */
void identity_format(const struct identity *identity, char *out);
/* Strict: lower-case hex, a decimal id without leading zeros. */
bool identity_parse(struct slice uri, struct identity *ret_identity);
/* GW_FORBIDDEN when the certificate bears no such URI, or more than one. */
enum result identity_from_certificate(X509 *certificate, struct identity *ret_identity,
                                      struct error *err);
bool identity_equal(const struct identity *a, const struct identity *b);
/* "node 3" or "admin 'ann'", for sentences. Borrowed until the thread's next call. */
const char *identity_describe(const struct identity *identity);

/* What D/identity holds: written once, at init or join. */
struct identity_file {
    char cluster_id[IDENTITY_CLUSTER_SIZE];
    uint64_t node_id;
    char name[IDENTITY_NAME_SIZE]; /* of the node */
};

enum result identity_file_write(const char *path, const struct identity_file *file,
                                struct error *err);
/* GW_NOT_FOUND; GW_DAMAGED when it is not as written. */
enum result identity_file_read(const char *path, struct identity_file *ret_file,
                               struct error *err);

#endif
