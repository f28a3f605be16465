/* A connection that looks idle may have a request on its way, so within the
 * delay none is closed: it is told with its next answer. One that was silent for
 * all of the delay is closed when the sockets are. */
#include "node/proxy/drain.h"

#include "node/proxy/client.h"

#include <stdlib.h>

static void say_drained(struct worker *worker)
{
    if (worker->drain == DRAIN_DONE)
        return;
    worker->drain = DRAIN_DONE;
    wheel_stop(&worker->loop.wheel, &worker->drain_timer);
    struct worker_mail *mail = calloc(1, sizeof *mail);
    if (mail == NULL)
        return;
    mail->type = WORKER_DRAINED;
    mail->worker = worker->number;
    if (worker->control == NULL || !mailbox_post(worker->control, &mail->mail))
        free(mail);
}

void drain_check(struct worker *worker)
{
    if (worker->drain == DRAIN_CLOSED && worker->client_count == 0)
        say_drained(worker);
}

static void close_sockets(struct worker *worker)
{
    worker->drain = DRAIN_CLOSED;
    list_each (&worker->acceptors, link) {
        acceptor_close(container_of(link, struct acceptor, link));
    }
    list_each (&worker->clients, link) {
        struct client *client = container_of(link, struct client, link);
        /* Fresh from the queue: it has its header timeout to say something. */
        if (client->state == CLIENT_IDLE && client->served > 0)
            client_close(client);
    }
    drain_check(worker);
}

static void on_timer(struct wheel_timer *timer, uint64_t now_ms)
{
    struct worker *worker = container_of(timer, struct worker, drain_timer);
    if (worker->drain == DRAIN_ANNOUNCED) {
        close_sockets(worker);
        if (worker->drain == DRAIN_CLOSED)
            wheel_start(&worker->loop.wheel, timer, now_ms + worker->drain_wait_ms);
    } else {
        say_drained(worker);
    }
}

void drain_start(struct worker *worker, uint32_t delay_ms, uint32_t wait_ms)
{
    if (worker->drain != DRAIN_NONE)
        return;
    worker->drain = DRAIN_ANNOUNCED;
    worker->drain_wait_ms = wait_ms;
    worker->drain_timer.fire = on_timer;
    loop_start_timer(&worker->loop, &worker->drain_timer, delay_ms);
}
