/* Opens listening sockets and accepts from them on a loop.
 *
 * Accepting is by uv_poll and accept4 rather than uv_listen: the callee gets a bare
 * descriptor, which it may hand to another thread or look into before TLS begins.
 * Out of descriptors, a spare one is given up to accept the connection and drop
 * it: left in the queue it would wake the loop without end. */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 64
#define DIRECT_PATH_MAX  100

static enum result refuse(const char *where, int error, struct error *err)
{
    switch (error) {
    case EADDRINUSE:
        return error_set(
            err, GW_LOCKED,
            "listen on %s: address already in use; next: stop the program that "
            "listens there, or choose another port",
            where);
    case EACCES:
    case EPERM:
        return error_set(
            err, GW_FORBIDDEN,
            "listen on %s: permission denied; next: choose a port above 1023, or "
            "give the program CAP_NET_BIND_SERVICE",
            where);
    case EADDRNOTAVAIL:
        return error_set(
            err, GW_IO,
            "listen on %s: this machine does not have the address; next: choose "
            "one that `ip address` shows",
            where);
    default:
        return error_set(err, GW_IO, "listen on %s: %s", where, strerror(error));
    }
}

/* A bound socket, or -errno. */
static int bind_socket(const struct address *address, bool reuse_port)
{
    int on = 1;
    int off = 0;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* Past connections in TIME_WAIT do not hinder; a listening socket still does. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
        (address->any.sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, address->is_wildcard ? &off : &on,
                    sizeof on) != 0) ||
        bind(fd, &address->any, address->size) != 0) {
        int saved = errno;
        close(fd);
        return -saved;
    }
    return fd;
}

/* A machine without IPv6 has the IPv4 half of the wildcard. */
static struct address ip4_wildcard(const struct address *address)
{
    struct address ip4;
    memset(&ip4, 0, sizeof ip4);
    ip4.ip4.sin_family = AF_INET;
    ip4.ip4.sin_port = htons(address_port(address));
    ip4.size = sizeof ip4.ip4;
    ip4.is_wildcard = true;
    return ip4;
}

enum result listener_open_fds(const struct address *address, unsigned count, int *ret_fds,
                              struct error *err)
{
    char where[ADDRESS_TEXT_SIZE];
    struct address bound = *address;
    unsigned opened = 0;

    address_format(address, where);
    int fd = bind_socket(&bound, false);
    if (bound.is_wildcard && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)) {
        bound = ip4_wildcard(address);
        fd = bind_socket(&bound, false);
    }
    if (fd < 0)
        return refuse(where, -fd, err);
    if (count == 1) {
        if (listen(fd, LISTENER_BACKLOG) != 0) {
            int saved = errno;
            close(fd);
            return refuse(where, saved, err);
        }
        *ret_fds = fd;
        return GW_OK;
    }
    struct address name;
    if (address_of_socket(fd, &name))
        address_set_port(&bound, address_port(&name));
    close(fd);

    for (; opened < count; opened++) {
        ret_fds[opened] = bind_socket(&bound, true);
        if (ret_fds[opened] < 0) {
            refuse(where, -ret_fds[opened], err);
            goto fail;
        }
        if (listen(ret_fds[opened], LISTENER_BACKLOG) != 0) {
            refuse(where, errno, err);
            close(ret_fds[opened]);
            goto fail;
        }
    }
    return GW_OK;

fail:
    while (opened > 0)
        close(ret_fds[--opened]);
    return err->code;
}

enum result listener_open_another(const struct address *address, int *ret_fd,
                                  struct error *err)
{
    char where[ADDRESS_TEXT_SIZE];
    struct address bound = *address;

    address_format(address, where);
    int fd = bind_socket(&bound, true);
    if (bound.is_wildcard && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)) {
        bound = ip4_wildcard(address);
        fd = bind_socket(&bound, true);
    }
    if (fd < 0)
        return refuse(where, -fd, err);
    if (listen(fd, LISTENER_BACKLOG) != 0) {
        int saved = errno;
        close(fd);
        return refuse(where, saved, err);
    }
    *ret_fd = fd;
    return GW_OK;
}

enum result listener_open_fd(struct slice text, int *ret_fd, struct error *err)
{
    struct address address;

    if (address_parse(text, &address, err) != GW_OK)
        return error_wrap(err, "listen");
    return listener_open_fds(&address, 1, ret_fd, err);
}

/* sun_path is short; a longer path is reached by way of its directory's descriptor,
 * which stays open for as long as the name is used. -errno, or that descriptor;
 * -1000: none was needed. */
static int unix_name(const char *path, struct sockaddr_un *name)
{
    size_t size = strlen(path);

    memset(name, 0, sizeof *name);
    name->sun_family = AF_UNIX;
    if (size == 0)
        return -ENOENT;
    if (size <= DIRECT_PATH_MAX) {
        memcpy(name->sun_path, path, size + 1);
        return -1000;
    }
    const char *slash = strrchr(path, '/');
    if (slash == NULL || size >= 4096)
        return -ENAMETOOLONG;
    char directory[4096];
    memcpy(directory, path, (size_t)(slash - path) + 1);
    directory[slash - path + 1] = '\0';
    int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int n = snprintf(name->sun_path, sizeof name->sun_path, "/proc/self/fd/%d/%s", fd,
                     slash + 1);
    if (n >= (int)sizeof name->sun_path) {
        close(fd);
        return -ENAMETOOLONG;
    }
    return fd;
}

static void unix_name_done(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* A connected descriptor or -errno. */
static int unix_dial(const struct sockaddr_un *name)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)name, sizeof *name) != 0) {
        int saved = errno;
        close(fd);
        return -saved;
    }
    return fd;
}

enum result listener_connect_unix(const char *path, int *ret_fd, struct error *err)
{
    struct sockaddr_un name;

    int directory = unix_name(path, &name);
    if (directory < 0 && directory != -1000)
        return error_set(err, GW_UNREACHABLE, "connect to 'unix:%s': %s", path,
                         strerror(-directory));
    int fd = unix_dial(&name);
    unix_name_done(directory);
    if (fd == -EACCES || fd == -EPERM)
        return error_set(
            err, GW_FORBIDDEN,
            "connect to 'unix:%s': permission denied; next: run as the owner of "
            "the socket or join its group",
            path);
    if (fd == -ENOENT || fd == -ECONNREFUSED)
        return error_set(
            err, GW_UNREACHABLE,
            "connect to 'unix:%s': %s; next: see whether gwd runs on that data "
            "directory",
            path, fd == -ENOENT ? "no such socket" : "nobody answers");
    if (fd < 0)
        return error_set(err, GW_UNREACHABLE, "connect to 'unix:%s': %s", path,
                         strerror(-fd));
    *ret_fd = fd;
    return GW_OK;
}

enum result listener_open_unix(const char *path, unsigned mode, int *ret_fd,
                               struct error *err)
{
    struct sockaddr_un name;
    struct stat st;
    int fd = -1;

    int directory = unix_name(path, &name);
    if (directory < 0 && directory != -1000)
        return error_set(err, GW_IO, "listen on 'unix:%s': %s", path, strerror(-directory));

    if (lstat(path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode)) {
            error_set(
                err, GW_LOCKED,
                "listen on 'unix:%s': a file that is no socket stands there; next: move "
                "it away",
                path);
            goto fail;
        }
        int other = unix_dial(&name);
        if (other >= 0)
            close(other);
        if (other != -ECONNREFUSED && other != -ENOENT) {
            error_set(
                err, GW_LOCKED,
                "listen on 'unix:%s': another process answers there; next: stop it, or "
                "choose another path",
                path);
            goto fail;
        }
        unlink(path);
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* Until listen nobody can connect, so the mode is right from the first. */
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) != 0 ||
        chmod(path, (mode_t)mode) != 0 || listen(fd, LISTENER_BACKLOG) != 0) {
        error_set(err, GW_IO, "listen on 'unix:%s': %s", path, strerror(errno));
        goto fail;
    }
    unix_name_done(directory);
    *ret_fd = fd;
    return GW_OK;

fail:
    if (fd >= 0)
        close(fd);
    unix_name_done(directory);
    return err->code;
}

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    (void)events;

    if (status != 0)
        listener->failed_count++;
    for (int i = 0; i < ACCEPTS_PER_TURN && listener->is_open && !listener->is_paused;
         i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener->accepted_count++;
            listener->accepted(listener, fd, listener->owner);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        listener->failed_count++;
        if ((errno != EMFILE && errno != ENFILE) || listener->spare_fd < 0)
            return;
        close(listener->spare_fd);
        fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            close(fd);
        listener->spare_fd = open_spare();
    }
}

enum result listener_open(struct listener *listener, uv_loop_t *loop, int fd,
                          listener_fn accepted, void *owner, struct error *err)
{
    int rc = uv_poll_init(loop, &listener->poll, fd);
    if (rc != 0) {
        close(fd);
        return error_set(err, GW_IO, "accept connections: %s", uv_strerror(rc));
    }
    listener->poll.data = listener;
    listener->fd = fd;
    listener->spare_fd = open_spare();
    listener->accepted = accepted;
    listener->closed = NULL;
    listener->owner = owner;
    listener->accepted_count = 0;
    listener->failed_count = 0;
    listener->is_open = true;
    listener->is_paused = true;
    listener_resume(listener);
    return GW_OK;
}

void listener_pause(struct listener *listener)
{
    if (listener->is_open && !listener->is_paused) {
        listener->is_paused = true;
        uv_poll_stop(&listener->poll);
    }
}

void listener_resume(struct listener *listener)
{
    if (listener->is_open && listener->is_paused) {
        listener->is_paused = false;
        uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;

    if (listener->closed != NULL)
        listener->closed(listener, listener->owner);
}

void listener_close(struct listener *listener, listener_close_cb closed)
{
    if (listener == NULL || !listener->is_open)
        return;
    listener->is_open = false;
    listener->closed = closed;
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    close(listener->fd);
    if (listener->spare_fd >= 0)
        close(listener->spare_fd);
    listener->fd = listener->spare_fd = -1;
}
