/* A disk that loses what was not synced when the power goes: a file system over a
 * directory, which holds every write in memory until it is told to sync that
 * file. SIGTERM is the power cut (end who writes first): of what was not synced each sector
 * is written or lost, by chance, and the process is gone.
 *
 *   unsynced [--lying] [--seed N] BACKING MOUNTPOINT     runs until then
 *
 * With --lying it answers a sync at once and writes what is older than LYING_MS
 * in the order in which it came: a disk whose cache says "done" too early. Then
 * all of what is younger is lost, synced or not.
 *
 * Names, sizes and permissions are not held back: what is lost is content. One
 * thread, so that there is nothing to lock; the price is speed. */
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECTOR   512
#define LYING_MS 400

struct piece { /* a write that is not on the disk yet */
    struct piece *next;
    ino_t inode;
    int fd; /* its own, so that it outlives the file that it came by */
    off_t offset;
    size_t size;
    uint64_t at_ms;
    char bytes[];
};

static struct piece *first, **last = &first;
static int root = -1; /* the backing directory */
static int is_lying;
static uint64_t chance = 1;
static uint64_t held_bytes, lost_sectors, kept_sectors;

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static const char *below(const char *path)
{
    return path[1] == '\0' ? "." : path + 1;
}

static int result_of(int rc)
{
    return rc == -1 ? -errno : 0;
}

static ino_t inode_of(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 ? info.st_ino : 0;
}

/* ---- what is held ---- */

static int write_whole(int fd, const char *bytes, size_t size, off_t offset)
{
    while (size > 0) {
        ssize_t written = pwrite(fd, bytes, size, offset);
        if (written < 0)
            return -errno;
        bytes += written;
        size -= (size_t)written;
        offset += written;
    }
    return 0;
}

/* Writes those of one file (0: of all) that came before `before_ms`, in order. */
static int let_go(ino_t inode, uint64_t before_ms)
{
    struct piece **link = &first;
    int rc = 0;

    while (*link != NULL) {
        struct piece *piece = *link;
        if ((inode != 0 && piece->inode != inode) || piece->at_ms >= before_ms) {
            link = &piece->next;
            continue;
        }
        int written = write_whole(piece->fd, piece->bytes, piece->size, piece->offset);
        if (written != 0)
            rc = written;
        held_bytes -= piece->size;
        close(piece->fd);
        *link = piece->next;
        free(piece);
    }
    last = link;
    return rc;
}

static int hold(int fd, const char *bytes, size_t size, off_t offset)
{
    struct piece *piece = malloc(sizeof *piece + size);

    if (piece == NULL)
        return -ENOMEM;
    *piece = (struct piece){.inode = inode_of(fd),
                            .fd = dup(fd),
                            .offset = offset,
                            .size = size,
                            .at_ms = now_ms()};
    memcpy(piece->bytes, bytes, size);
    *last = piece;
    last = &piece->next;
    held_bytes += size;
    return 0;
}

static uint64_t next_chance(void) /* xorshift64 */
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance;
}

/* The power goes. A lying disk has lost its cache whole; another one had begun to write. */
static void power_cut(void)
{
    for (struct piece *piece = first; piece != NULL && !is_lying; piece = piece->next)
        for (size_t at = 0; at < piece->size; at += SECTOR) {
            size_t part = piece->size - at < SECTOR ? piece->size - at : SECTOR;
            if (next_chance() % 2 == 0) {
                lost_sectors++;
                continue;
            }
            kept_sectors++;
            write_whole(piece->fd, piece->bytes + at, part, piece->offset + (off_t)at);
        }
    fprintf(stderr, "power cut: %llu bytes held, %llu sectors lost, %llu written\n",
            (unsigned long long)held_bytes, (unsigned long long)lost_sectors,
            (unsigned long long)kept_sectors);
}

/* ---- the file system ---- */

static int on_open(const char *path, struct fuse_file_info *file)
{
    int flags = file->flags & ~(O_DSYNC | O_SYNC | O_DIRECT | O_APPEND);
    int fd;

    /* To overlay what is held, even a writer has to read. */
    if ((flags & O_ACCMODE) == O_WRONLY)
        flags = (flags & ~O_ACCMODE) | O_RDWR;
    fd = openat(root, below(path), flags);
    if (fd == -1)
        return -errno;
    file->fh = (uint64_t)fd;
    file->keep_cache = 1;
    return 0;
}

static int on_create(const char *path, mode_t mode, struct fuse_file_info *file)
{
    int fd = openat(root, below(path),
                    O_CREAT | O_RDWR | (file->flags & (O_EXCL | O_TRUNC)), mode);

    if (fd == -1)
        return -errno;
    file->fh = (uint64_t)fd;
    return 0;
}

static int on_read(const char *path, char *out, size_t size, off_t offset,
                   struct fuse_file_info *file)
{
    int fd = (int)file->fh;
    ssize_t got = pread(fd, out, size, offset);
    ino_t inode = inode_of(fd);

    (void)path;
    if (got < 0)
        return -errno;
    for (const struct piece *piece = first; piece != NULL; piece = piece->next) {
        off_t from = piece->offset > offset ? piece->offset : offset;
        off_t to = piece->offset + (off_t)piece->size;
        if (to > offset + (off_t)size)
            to = offset + (off_t)size;
        if (piece->inode != inode || from >= to)
            continue;
        if (from > offset + got) /* a hole that is not on the disk yet */
            memset(out + got, 0, (size_t)(from - offset - got));
        memcpy(out + (from - offset), piece->bytes + (from - piece->offset),
               (size_t)(to - from));
        if (to - offset > got)
            got = to - offset;
    }
    return (int)got;
}

static int on_write(const char *path, const char *bytes, size_t size, off_t offset,
                    struct fuse_file_info *file)
{
    struct stat info;

    (void)path;
    if (is_lying)
        let_go(0, now_ms() - LYING_MS);
    /* The size is no content: the file grows at once, with nothing in it. */
    if (fstat((int)file->fh, &info) == 0 && info.st_size < offset + (off_t)size &&
        ftruncate((int)file->fh, offset + (off_t)size) != 0)
        return -errno;
    int rc = hold((int)file->fh, bytes, size, offset);
    return rc == 0 ? (int)size : rc;
}

static int on_fsync(const char *path, int data_only, struct fuse_file_info *file)
{
    (void)path;
    (void)data_only;
    if (is_lying)
        return let_go(0, now_ms() - LYING_MS);
    return let_go(inode_of((int)file->fh), UINT64_MAX);
}

static int on_release(const char *path, struct fuse_file_info *file)
{
    (void)path;
    return result_of(close((int)file->fh));
}

static int on_getattr(const char *path, struct stat *info, struct fuse_file_info *file)
{
    (void)file;
    return result_of(fstatat(root, below(path), info, AT_SYMLINK_NOFOLLOW));
}

static int on_truncate(const char *path, off_t size, struct fuse_file_info *file)
{
    int fd = file != NULL ? (int)file->fh : openat(root, below(path), O_RDWR);
    int rc;

    if (fd == -1)
        return -errno;
    let_go(inode_of(fd), UINT64_MAX); /* none of it may come back behind the new end */
    rc = result_of(ftruncate(fd, size));
    if (file == NULL)
        close(fd);
    return rc;
}

static int on_readdir(const char *path, void *out, fuse_fill_dir_t fill, off_t offset,
                      struct fuse_file_info *file, enum fuse_readdir_flags flags)
{
    int fd = openat(root, below(path), O_RDONLY | O_DIRECTORY);
    DIR *directory = fd == -1 ? NULL : fdopendir(fd);
    struct dirent *entry;

    (void)offset;
    (void)file;
    (void)flags;
    if (directory == NULL)
        return -errno;
    while ((entry = readdir(directory)) != NULL)
        fill(out, entry->d_name, NULL, 0, 0);
    closedir(directory);
    return 0;
}

static int on_mknod(const char *path, mode_t mode, dev_t device)
{
    return result_of(mknodat(root, below(path), mode, device));
}
static int on_mkdir(const char *path, mode_t mode)
{
    return result_of(mkdirat(root, below(path), mode));
}
static int on_unlink(const char *path)
{
    return result_of(unlinkat(root, below(path), 0));
}
static int on_rmdir(const char *path)
{
    return result_of(unlinkat(root, below(path), AT_REMOVEDIR));
}
static int on_rename(const char *from, const char *to, unsigned flags)
{
    return flags != 0 ? -EINVAL : result_of(renameat(root, below(from), root, below(to)));
}
static int on_link(const char *from, const char *to)
{
    return result_of(linkat(root, below(from), root, below(to), 0));
}
static int on_chmod(const char *path, mode_t mode, struct fuse_file_info *file)
{
    (void)file;
    return result_of(fchmodat(root, below(path), mode, 0));
}
static int on_chown(const char *path, uid_t user, gid_t group, struct fuse_file_info *file)
{
    (void)file;
    return result_of(fchownat(root, below(path), user, group, AT_SYMLINK_NOFOLLOW));
}
static int on_utimens(const char *path, const struct timespec times[2],
                      struct fuse_file_info *file)
{
    (void)file;
    return result_of(utimensat(root, below(path), times, AT_SYMLINK_NOFOLLOW));
}
static int on_statfs(const char *path, struct statvfs *info)
{
    (void)path;
    return result_of(fstatvfs(root, info));
}
static int on_fsyncdir(const char *path, int data_only, struct fuse_file_info *file)
{
    (void)path;
    (void)data_only;
    (void)file;
    return 0;
}

static const struct fuse_operations operations = {
    .open = on_open,
    .create = on_create,
    .read = on_read,
    .write = on_write,
    .fsync = on_fsync,
    .release = on_release,
    .getattr = on_getattr,
    .truncate = on_truncate,
    .readdir = on_readdir,
    .mknod = on_mknod,
    .mkdir = on_mkdir,
    .unlink = on_unlink,
    .rmdir = on_rmdir,
    .rename = on_rename,
    .link = on_link,
    .chmod = on_chmod,
    .chown = on_chown,
    .utimens = on_utimens,
    .statfs = on_statfs,
    .fsyncdir = on_fsyncdir,
};

int main(int argc, char **argv)
{
    char foreground[] = "-f", single[] = "-s";
    int at = 1;

    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--lying") == 0)
            is_lying = 1;
        else if (strcmp(argv[at], "--seed") == 0 && at + 1 < argc)
            chance = strtoull(argv[++at], NULL, 10) | 1;
        else
            break;
    }
    if (argc - at != 2) {
        fprintf(stderr, "usage: unsynced [--lying] [--seed N] BACKING MOUNTPOINT\n");
        return 2;
    }
    root = open(argv[at], O_RDONLY | O_DIRECTORY);
    if (root == -1) {
        fprintf(stderr, "unsynced: open '%s': %s\n", argv[at], strerror(errno));
        return 1;
    }
    umask(0);
    char *fuse_argv[] = {argv[0], foreground, single, argv[at + 1], NULL};
    int rc = fuse_main(4, fuse_argv, &operations, NULL); /* until SIGTERM */
    power_cut();
    return rc;
}
