/* Small files written whole: temporary file, fsync, rename, fsync of the
 * directory. The price is two syncs a file; they are written once. */
#include "pki/keyfile.h"

#include "pki/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int sync_directory_of(const char *path)
{
    const char *end = strrchr(path, '/');
    char *directory = end == NULL
                          ? strdup(".")
                          : slice_to_string(slice_of(path, (size_t)(end - path) + 1));
    if (directory == NULL) {
        errno = ENOMEM;
        return -1;
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(directory);
    if (fd < 0)
        return -1;
    int rc = fsync(fd);
    int saved = errno;
    close(fd);
    errno = saved;
    return rc;
}

static int write_all(int fd, struct slice bytes)
{
    while (bytes.size > 0) {
        ssize_t n = write(fd, bytes.data, bytes.size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes = slice_from(bytes, (size_t)n);
    }
    return 0;
}

enum result keyfile_write(const char *path, struct slice bytes, mode_t mode,
                          struct error *err)
{
    char *temporary = NULL, chance[2 * 6 + 1];

    /* Not mkostemp: the thread sanitizer sees neither it open a descriptor nor libuv close
     * one, so a loop that had one of this number seems to race with all that is done here.
     */
    random_hex(chance, 6);
    if (asprintf(&temporary, "%s.%s", path, chance) < 0)
        return error_set(err, GW_NO_MEMORY, "write '%s'", path);

    int fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set(err, GW_IO, "write '%s': %s", path, strerror(errno));
        free(temporary);
        return err->code;
    }
    if (fchmod(fd, mode) != 0 || write_all(fd, bytes) != 0 || fsync(fd) != 0) {
        error_set(err, GW_IO, "write '%s': %s", path, strerror(errno));
        close(fd);
        goto fail;
    }
    if (close(fd) != 0 || rename(temporary, path) != 0) {
        error_set(err, GW_IO, "write '%s': %s", path, strerror(errno));
        goto fail;
    }
    free(temporary);
    if (sync_directory_of(path) != 0)
        return error_set(err, GW_IO, "sync the directory of '%s': %s", path,
                         strerror(errno));
    return GW_OK;

fail:
    unlink(temporary);
    free(temporary);
    return err->code;
}

enum result keyfile_rename(const char *from, const char *to, struct error *err)
{
    if (rename(from, to) != 0)
        return error_set(err, GW_IO, "rename '%s' to '%s': %s", from, to, strerror(errno));
    if (sync_directory_of(to) != 0)
        return error_set(err, GW_IO, "sync the directory of '%s': %s", to, strerror(errno));
    return GW_OK;
}

enum result keyfile_read(const char *path, size_t limit, struct buffer *out,
                         struct error *err)
{
    enum result result = GW_OK;
    size_t total = 0;

    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, errno == ENOENT ? GW_NOT_FOUND : GW_IO, "read '%s': %s", path,
                         strerror(errno));
    for (;;) {
        size_t room = limit - total < 4096 ? limit - total + 1 : 4096;
        char *to = buffer_reserve(out, room);
        if (to == NULL) {
            result = error_set(err, GW_NO_MEMORY, "read '%s'", path);
            break;
        }
        ssize_t n = read(fd, to, room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            result = error_set(err, GW_IO, "read '%s': %s", path, strerror(errno));
        if (n <= 0)
            break;
        total += (size_t)n;
        if (total > limit) {
            result =
                error_set(err, GW_TOO_LARGE, "read '%s': more than %zu bytes", path, limit);
            break;
        }
        buffer_commit(out, (size_t)n);
    }
    close(fd);
    return result;
}
