/* The file is mapped, not read: it may be larger than what one wants to hold. */
#include "cli/offline/snapshot.h"
#include "cli/offline/snapshot_file.h"
#include "raft/node_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum result snapshot_file_open(const char *path, struct snapshot_file *ret_file,
                               struct error *err)
{
    struct snapshot_file file = {.map = MAP_FAILED};
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return error_set(err, errno == ENOENT ? GW_NOT_FOUND : GW_IO, "read '%s': %s", path,
                         strerror(errno));
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return error_set(err, GW_INVALID, "'%s' is no file", path);
    }
    file.size = (size_t)status.st_size;
    if (file.size > 0)
        file.map = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
    int saved = errno;
    close(fd);
    if (file.size == 0)
        return error_set(err, GW_DAMAGED, "'%s' is cut short: it is empty", path);
    if (file.map == MAP_FAILED)
        return error_set(err, GW_IO, "read '%s': %s", path, strerror(saved));
    if (backup_check(slice_of(file.map, file.size), &file.backup, err) != GW_OK) {
        char why[512];
        snprintf(why, sizeof why, "%s", err->text);
        munmap(file.map, file.size);
        return error_set(err, err->code, "'%s' %s", path, why);
    }
    *ret_file = file;
    return GW_OK;
}

void snapshot_file_close(struct snapshot_file *file)
{
    if (file->map != NULL)
        munmap(file->map, file->size);
    memset(file, 0, sizeof *file);
}

static void copy(char *out, size_t size, struct slice text)
{
    snprintf(out, size, "%.*s", SLICE_ARG(text));
}

static void count_kind(struct snapshot_facts *facts, struct slice kind)
{
    for (size_t i = 0; i < facts->kind_count; i++) {
        if (slice_equal(kind, slice_from_string(facts->kinds[i].name))) {
            facts->kinds[i].count++;
            return;
        }
    }
    if (facts->kind_count == SNAPSHOT_KINDS)
        return;
    struct snapshot_kind *fresh = &facts->kinds[facts->kind_count++];
    copy(fresh->name, sizeof fresh->name, kind);
    fresh->count = 1;
}

static void take_row(void *owner, enum env_table table, struct slice key, uint64_t index,
                     struct slice value)
{
    struct snapshot_facts *facts = owner;
    struct record record;
    struct node_record node;
    size_t slash = slice_find_byte(key, '/');

    (void)index;
    if (table != ENV_RECORDS)
        return;
    if (slice_starts_with(key, NODE_PREFIX) && record_unpack(value, &record) &&
        node_record_unpack(record.value, &node) && facts->member_count < SNAPSHOT_MEMBERS)
        copy(facts->members[facts->member_count++], sizeof facts->members[0], node.name);
    else if (slash != SIZE_MAX && key.data[0] != '_')
        count_kind(facts, slice_sub(key, 0, slash));
}

enum result offline_snapshot_inspect(const char *path, struct snapshot_facts *ret_facts,
                                     struct error *err)
{
    struct snapshot_file file;

    *err = ERROR_NONE;
    if (snapshot_file_open(path, &file, err) != GW_OK)
        return err->code;
    const struct backup_about *about = &file.backup.about;
    memset(ret_facts, 0, sizeof *ret_facts);
    ret_facts->made_ms = about->made_ms;
    copy(ret_facts->cluster_id, sizeof ret_facts->cluster_id, about->cluster_id);
    copy(ret_facts->cluster_name, sizeof ret_facts->cluster_name, about->cluster_name);
    copy(ret_facts->node, sizeof ret_facts->node, about->node);
    copy(ret_facts->region, sizeof ret_facts->region, about->region);
    copy(ret_facts->zone, sizeof ret_facts->zone, about->zone);
    copy(ret_facts->peer, sizeof ret_facts->peer, about->peer);
    copy(ret_facts->admin, sizeof ret_facts->admin, about->admin);
    copy(ret_facts->version, sizeof ret_facts->version, about->version);
    ret_facts->size_bytes = file.size;
    ret_facts->checksum = file.backup.checksum;
    ret_facts->format = BACKUP_FORMAT;
    ret_facts->revision = file.backup.header.state.revision;
    ret_facts->index = file.backup.header.label.index;
    ret_facts->term = file.backup.header.label.term;
    dump_walk(file.backup.dump, take_row, ret_facts);
    snapshot_file_close(&file);
    return GW_OK;
}
