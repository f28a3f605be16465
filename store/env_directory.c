/* The files beside LMDB's data: the lock, the mark of a clean end, the reader table. */
#include "store/env_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int env_path(char *out, size_t size, const char *dir, const char *name)
{
    int n = snprintf(out, size, "%s/%s", dir, name);
    return n < 0 || (size_t)n >= size ? -1 : 0;
}

enum result env_lock(struct env *env, struct error *err)
{
    char path[4096], text[64] = "";
    ssize_t n;

    if (env_path(path, sizeof path, env->dir, "lock") != 0)
        return error_set(err, GW_USAGE, "the path '%s' is too long", env->dir);
    env->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (env->lock_fd < 0)
        return error_set(err, GW_IO, "open '%s': %s", path, strerror(errno));
    if (flock(env->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return error_set(err, GW_IO, "lock '%s': %s", path, strerror(errno));
        n = pread(env->lock_fd, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return error_set(
            err, GW_LOCKED,
            "data directory in use by process %s: '%s'; stop that process first, "
            "or give this one a directory of its own",
            text[0] != '\0' ? text : "unknown", env->dir);
    }
    /* Over what stands there, which takes no room; a full disk keeps nobody from starting,
     * the number is only for whoever finds the directory in use. */
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if ((pwrite(env->lock_fd, text, (size_t)size, 0) != size ||
         ftruncate(env->lock_fd, size) != 0) &&
        errno != ENOSPC && errno != EDQUOT)
        return error_set(err, GW_IO, "write '%s': %s", path, strerror(errno));
    return GW_OK;
}

/* The clean mark says which file it was about, so that a file that was changed
 * since is walked although its end was clean. */
static bool mark_text(const char *dir, char *text, size_t size, uint64_t *ret_bytes)
{
    char path[4096];
    struct stat st;

    if (env_path(path, sizeof path, dir, "data.mdb") != 0 || stat(path, &st) != 0)
        return false;
    *ret_bytes = (uint64_t)st.st_size;
    snprintf(text, size, "%lld %lld.%09ld %llu\n", (long long)st.st_size,
             (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
             (unsigned long long)st.st_ino);
    return true;
}

bool env_mark_matches(const char *dir, uint64_t *ret_bytes)
{
    char path[4096], expected[128], found[128] = "";
    ssize_t n;
    int fd;

    if (!mark_text(dir, expected, sizeof expected, ret_bytes) ||
        env_path(path, sizeof path, dir, "clean") != 0)
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, found, sizeof found - 1);
    close(fd);
    return n > 0 && strcmp(found, expected) == 0;
}

void env_mark_write(const char *dir)
{
    char path[4096], text[128];
    uint64_t bytes;
    int fd;

    if (!mark_text(dir, text, sizeof text, &bytes) ||
        env_path(path, sizeof path, dir, "clean") != 0)
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    /* Without it, or with half of it, the next start walks: nothing else. */
    if (write(fd, text, strlen(text)) == (ssize_t)strlen(text))
        fsync(fd);
    close(fd);
}

/* LMDB writes to its reader table through memory: a page of it that the disk then has no
 * room for would be a signal, and the end of the process. */
void env_claim_reader_table(const struct env *env)
{
    char path[4096];
    struct stat st;

    if (env_path(path, sizeof path, env->dir, "lock.mdb") != 0)
        return;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    /* Without room it stays as it is: few pages, most of them used before. */
    if (fstat(fd, &st) == 0)
        (void)!posix_fallocate(fd, 0, st.st_size);
    close(fd);
}
