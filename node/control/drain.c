/* What signals do: TERM and INT drain, a second one cuts that short, HUP has the
 * settings read again. Draining: not ready, leadership handed over, the workers
 * finish what is in flight; then the loop ends. */
#include "base/log.h"
#include "node/control/room.h"

#include <signal.h>

#define HANDOVER_MS 2000

static void drain_over(uv_timer_t *timer)
{
    struct control *control = timer->data;

    log_event(LOG_WARN, "control", "drain ran out of time");
    control_end(control, GW_OK, "");
}

static bool has_heirs(const struct control *control)
{
    unsigned voters = 0;

    for (unsigned i = 0; control->view != NULL && i < control->view->replica.server_count;
         i++)
        voters += control->view->replica.servers[i].role == REPLICA_VOTER;
    return voters > 1;
}

static void await_handover(uv_timer_t *timer)
{
    struct control *control = timer->data;

    if (control_is_leader(control) && has_heirs(control) &&
        control_now_ms(control) < control->drain_until_ms)
        return;
    control_end(control, GW_OK, "");
}

/* The traffic is gone; leadership goes before the node does. */
void drain_finish(struct control *control)
{
    control->drain_until_ms = control_now_ms(control) + HANDOVER_MS;
    uv_timer_start(&control->drain_timer, await_handover, 0, 20);
}

void drain_on_signal(uv_signal_t *handle, int number)
{
    struct control *control = handle->data;
    uint32_t delay_ms = number == SIGINT ? 0 : control->options.drain_delay_ms;

    if (control->is_draining) {
        log_event(LOG_WARN, "control", "drain cut short");
        control_end(control, GW_OK, "");
        return;
    }
    log_event(LOG_INFO, "control", "draining", LOG_U64("delay_ms", delay_ms),
              LOG_U64("wait_ms", control->options.drain_wait_ms));
    control->is_draining = true;
    if (control->options.stopping != NULL)
        control->options.stopping(control->options.owner);
    control_status_send(control);
    if (control->member != NULL)
        member_stopping(control->member);
    if (!control->has_side) {
        drain_finish(control);
        return;
    }
    control->side.drain(control->side.owner, delay_ms, control->options.drain_wait_ms);
    uv_timer_start(&control->drain_timer, drain_over,
                   (uint64_t)delay_ms + control->options.drain_wait_ms + 1000, 0);
}

void drain_on_hangup(uv_signal_t *handle, int number)
{
    struct control *control = handle->data;

    (void)number;
    log_event(LOG_INFO, "control", "reading gwd.yaml again");
    if (control->options.reload == NULL ||
        !control->options.reload(control->options.owner, &control->options.binds,
                                 &control->options.bind_count))
        return;
    publish_again(control);
}
