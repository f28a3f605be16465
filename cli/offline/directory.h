/* The files of a data directory that init and join write alike. */
#ifndef GW_CLI_OFFLINE_DIRECTORY_H
#define GW_CLI_OFFLINE_DIRECTORY_H

#include "cli/offline/offline.h"
#include "pki/certificate.h"

#define DIRECTORY_PATH 4200

/* Checks options, makes the directory (0700). *ret_was_there: it is this node already and
 * that is fine; then `ret_made` is filled. */
enum result directory_open(const struct offline_options *options,
                           struct offline_made *ret_made, bool *ret_was_there,
                           struct error *err);
/* "DIR/NAME" into `out` of DIRECTORY_PATH. */
const char *directory_path(const struct offline_options *options, const char *name,
                           char *out);
enum result directory_write(const struct offline_options *options, const char *name,
                            struct slice bytes, unsigned mode, struct error *err);
enum result directory_write_key(const struct offline_options *options, const char *name,
                                EVP_PKEY *key, struct error *err);
enum result directory_write_settings(const struct offline_options *options,
                                     struct error *err);
/* The last one: from now on it is a node's. */
enum result directory_write_identity(const struct offline_options *options,
                                     const struct offline_made *made, struct error *err);
const char *directory_peer(const struct offline_options *options);
const char *directory_admin(const struct offline_options *options);
/* What the node's certificate bears beside its identity; `out` holds 8. */
size_t directory_names(const struct offline_options *options, struct slice *out);

#endif
