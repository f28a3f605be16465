/* A bell is an eventfd and a flag: who finds the flag set need not write, since the loop
 * has not looked yet. The loop clears it before it looks. */
#include "net/bell.h"

#include "base/list.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct bell *bell = container_of(poll, struct bell, poll);
    uint64_t count;

    (void)status;
    (void)events;
    while (read(bell->fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
    atomic_store(&bell->is_rung, false);
    bell->rung(bell);
}

enum result bell_open(struct bell *bell, uv_loop_t *loop, bell_fn rung, struct error *err)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0)
        return error_set(err, GW_IO, "open an eventfd: %s", strerror(errno));
    int rc = uv_poll_init(loop, &bell->poll, fd);
    if (rc == 0)
        rc = uv_poll_start(&bell->poll, UV_READABLE, on_poll);
    if (rc != 0) {
        close(fd);
        return error_set(err, GW_IO, "poll an eventfd: %s", uv_strerror(rc));
    }
    bell->fd = fd;
    bell->is_open = true;
    bell->rung = rung;
    bell->closed = NULL;
    atomic_init(&bell->is_rung, false);
    return GW_OK;
}

void bell_ring(struct bell *bell)
{
    const uint64_t one = 1;

    if (atomic_exchange(&bell->is_rung, true))
        return;
    while (write(bell->fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct bell *bell = container_of((uv_poll_t *)handle, struct bell, poll);

    close(bell->fd);
    if (bell->closed != NULL)
        bell->closed(bell);
}

void bell_close(struct bell *bell, bell_fn closed)
{
    if (!bell->is_open)
        return;
    bell->is_open = false;
    bell->closed = closed;
    uv_poll_stop(&bell->poll);
    uv_close((uv_handle_t *)&bell->poll, on_closed);
}
