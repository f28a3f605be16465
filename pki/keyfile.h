/* Files that hold keys, certificates and identity: small, written whole or not
 * at all, surviving a power cut. Blocking; for start, init, join and the pool. */
#ifndef GW_PKI_KEYFILE_H
#define GW_PKI_KEYFILE_H

#include "base/buffer.h"
#include "base/error.h"

#include <sys/types.h>

/* Writes a temporary file beside it, fsyncs it, renames it over `path` and
 * fsyncs the directory. Secrets take mode 0600. GW_IO. */
enum result keyfile_write(const char *path, struct slice bytes, mode_t mode,
                          struct error *err);
/* Renames within a directory and fsyncs it. GW_IO. */
enum result keyfile_rename(const char *from, const char *to, struct error *err);
/* Appends the whole file. GW_NOT_FOUND, GW_TOO_LARGE above `limit`, GW_IO. */
enum result keyfile_read(const char *path, size_t limit, struct buffer *out,
                         struct error *err);

#endif
