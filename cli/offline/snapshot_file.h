/* A snapshot file, mapped and checked. Private to cli/offline. */
#ifndef GW_CLI_OFFLINE_SNAPSHOT_FILE_H
#define GW_CLI_OFFLINE_SNAPSHOT_FILE_H

#include "store/backup.h"

struct snapshot_file {
    void *map;
    size_t size;
    struct backup backup; /* borrows the map */
};

enum result snapshot_file_open(const char *path, struct snapshot_file *ret_file,
                               struct error *err);
void snapshot_file_close(struct snapshot_file *file);

#endif
