/* Drives a base/wheel by one uv_timer, set to when the wheel wants to run next.
 * Restarting a uv_timer costs a heap operation, so it is moved only when the new
 * timer is earlier than what it waits for; an early wake-up costs less. */
#include "net/loop.h"

static void arm(struct loop *loop);

static void on_timer(uv_timer_t *timer)
{
    struct loop *loop = timer->data;

    loop->armed_ms = UINT64_MAX;
    loop->is_running = true;
    wheel_run(&loop->wheel, uv_now(loop->uv));
    loop->is_running = false;
    if (loop->is_open)
        arm(loop);
}

static void arm(struct loop *loop)
{
    uint64_t due_ms = wheel_next_ms(&loop->wheel);
    if (due_ms >= loop->armed_ms)
        return;
    uint64_t now_ms = uv_now(loop->uv);
    uv_timer_start(&loop->timer, on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
    loop->armed_ms = due_ms;
}

enum result loop_open(struct loop *loop, uv_loop_t *uv, struct error *err)
{
    int rc = uv_timer_init(uv, &loop->timer);
    if (rc != 0)
        return error_set(err, GW_IO, "open a loop's timer: %s", uv_strerror(rc));
    loop->timer.data = loop;
    loop->uv = uv;
    loop->armed_ms = UINT64_MAX;
    loop->closed = NULL;
    loop->owner = NULL;
    loop->is_running = false;
    loop->is_open = true;
    wheel_init(&loop->wheel, uv_now(uv));
    return GW_OK;
}

uint64_t loop_now_ms(const struct loop *loop)
{
    return uv_now(loop->uv);
}

void loop_start_timer(struct loop *loop, struct wheel_timer *timer, uint64_t delay_ms)
{
    uint64_t now_ms = uv_now(loop->uv);
    wheel_start(&loop->wheel, timer,
                delay_ms > UINT64_MAX / 2 - now_ms ? UINT64_MAX / 2 : now_ms + delay_ms);
    loop_rearm(loop);
}

void loop_stop_timer(struct loop *loop, struct wheel_timer *timer)
{
    wheel_stop(&loop->wheel, timer);
}

void loop_rearm(struct loop *loop)
{
    if (loop->is_open && !loop->is_running)
        arm(loop);
}

static void on_closed(uv_handle_t *handle)
{
    struct loop *loop = handle->data;

    if (loop->closed != NULL)
        loop->closed(loop, loop->owner);
}

void loop_close(struct loop *loop, loop_close_cb closed, void *owner)
{
    if (loop == NULL || !loop->is_open)
        return;
    loop->is_open = false;
    loop->closed = closed;
    loop->owner = owner;
    uv_close((uv_handle_t *)&loop->timer, on_closed);
}
