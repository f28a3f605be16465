/* Lazy timers on the worker's wheel. */
#include "node/proxy/deadline.h"

static void on_timer(struct wheel_timer *timer, uint64_t now_ms)
{
    struct deadline *deadline = container_of(timer, struct deadline, timer);
    if (deadline->due_ms <= now_ms) {
        deadline->due_ms = UINT64_MAX;
        deadline->passed(deadline, now_ms);
    } else if (deadline->due_ms != UINT64_MAX) {
        wheel_start(&deadline->loop->wheel, timer, deadline->due_ms);
    }
}

void deadline_init(struct deadline *deadline, struct loop *loop, deadline_fn passed)
{
    *deadline = (struct deadline){.loop = loop, .due_ms = UINT64_MAX, .passed = passed};
    deadline->timer.fire = on_timer;
}

void deadline_set(struct deadline *deadline, uint64_t due_ms)
{
    deadline->due_ms = due_ms;
    if (due_ms == UINT64_MAX)
        return;
    if (wheel_is_armed(&deadline->timer) && deadline->timer.due_ms <= due_ms)
        return;
    wheel_start(&deadline->loop->wheel, &deadline->timer, due_ms);
    loop_rearm(deadline->loop);
}

void deadline_stop(struct deadline *deadline)
{
    deadline->due_ms = UINT64_MAX;
    wheel_stop(&deadline->loop->wheel, &deadline->timer);
}
