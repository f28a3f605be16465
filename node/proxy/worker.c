/* The thread: its loop, its mail, its end.
 *
 * A publish is mail with a snapshot and descriptors. Of several the newest
 * counts, but the descriptors of all are taken, in order. Joining a snapshot to
 * the live state happens here, between requests: microseconds per service. */
#include "node/proxy/worker.h"

#include "base/instant.h"
#include "base/log.h"
#include "node/proxy/acceptor.h"
#include "node/proxy/access.h"
#include "node/proxy/client.h"
#include "node/proxy/compress.h"
#include "node/proxy/drain.h"
#include "node/proxy/exchange.h"
#include "node/proxy/gate.h"
#include "node/proxy/mirror.h"
#include "node/proxy/pool.h"
#include "node/proxy/request_id.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum command_type { COMMAND_PUBLISH, COMMAND_DRAIN, COMMAND_STOP };

struct command {
    struct mail mail;
    enum command_type type;
    struct snapshot *snapshot; /* shares */
    uint32_t delay_ms, wait_ms;
    size_t socket_count;
    struct worker_socket sockets[];
};

/* ---- on the worker's thread ---- */

static void say_serves(struct worker *worker)
{
    if (worker->control == NULL)
        return;
    struct worker_mail *mail = calloc(1, sizeof *mail);
    if (mail == NULL)
        return;
    mail->type = WORKER_SERVES;
    mail->worker = worker->number;
    mail->revision = worker->serving->revision;
    if (!mailbox_post(worker->control, &mail->mail))
        free(mail);
}

static void close_descriptors(const struct command *command)
{
    for (size_t i = 0; i < command->socket_count; i++)
        if (command->sockets[i].fd >= 0)
            close(command->sockets[i].fd);
}

static void publish(struct worker *worker, struct command *command)
{
    struct snapshot *snapshot = command->snapshot;
    bool is_newer =
        worker->serving == NULL || snapshot_revision(snapshot) >= worker->serving->revision;
    if (worker->is_stopping) {
        snapshot_unref(snapshot);
        close_descriptors(command);
        return;
    }
    if (is_newer) {
        struct serving *serving = serving_new(worker, snapshot);
        if (serving == NULL) {
            log_event(LOG_ERROR, "proxy", "snapshot not adopted: out of memory",
                      LOG_U64("worker", worker->number));
            close_descriptors(command);
            return;
        }
        struct serving *before = worker->serving;
        worker->serving = serving;
        worker->counts.endpoint_label = snapshot_settings(snapshot)->endpoint_label;
        acceptor_update_all(worker, command->sockets, command->socket_count);
        serving_unpin(before);
    } else {
        snapshot_unref(snapshot);
        acceptor_update_all(worker, command->sockets, command->socket_count);
    }
    say_serves(worker);
}

static void on_prepare_closed(uv_handle_t *handle)
{
    (void)handle;
}

static void stop(struct worker *worker)
{
    if (worker->is_stopping)
        return;
    worker->is_stopping = true;
    list_each (&worker->clients, link) {
        client_close(container_of(link, struct client, link));
    }
    mirror_close_all(worker);
    pool_close_idle(worker);
    list_each (&worker->acceptors, link) {
        acceptor_close(container_of(link, struct acceptor, link));
    }
    serving_unpin(worker->serving);
    worker->serving = NULL;
    uv_close((uv_handle_t *)&worker->prepare, on_prepare_closed);
    loop_close(&worker->loop, NULL, NULL);
    mailbox_close(&worker->inbox, NULL);
}

static void deliver(struct mail *mail, void *owner)
{
    struct worker *worker = owner;
    struct command *command = container_of(mail, struct command, mail);
    switch (command->type) {
    case COMMAND_PUBLISH:
        publish(worker, command);
        break;
    case COMMAND_DRAIN:
        if (!worker->is_stopping)
            drain_start(worker, command->delay_ms, command->wait_ms);
        break;
    case COMMAND_STOP:
        stop(worker);
        break;
    }
    free(command);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct worker *worker = prepare->data;
    gate_run(worker);
    atomic_store_explicit(&worker->turned_ms, uv_now(&worker->uv), memory_order_relaxed);
}

static void set_wall_clock(struct worker *worker)
{
    worker->wall_offset_ms = instant_wall_ms() - uv_now(&worker->uv);
}

static void on_sweep(struct wheel_timer *timer, uint64_t now_ms)
{
    struct worker *worker = container_of(timer, struct worker, sweep);
    set_wall_clock(worker);
    access_sweep(worker);
    pool_sweep(worker);
    wheel_start(&worker->loop.wheel, timer, now_ms + CORE_SWEEP_MS);
}

static void run(void *argument)
{
    struct worker *worker = argument;
    sigset_t pipe;
    /* A write to a closed connection is an error of that connection only. */
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    uv_run(&worker->uv, UV_RUN_DEFAULT);
}

/* ---- any thread ---- */

static void worker_free(struct worker *worker)
{
    pool_deinit(worker);
    table_deinit(&worker->route_gates);
    exchange_free_all(worker);
    mirror_free_all(worker);
    compress_free_all(worker);
    client_free_all(worker);
    counts_deinit(&worker->counts);
    blocks_deinit(&worker->blocks);
    free((void *)(uintptr_t)worker->read_buffer.data);
    free(worker->request);
    free(worker->response);
    free(worker->head);
    free(worker);
}

enum result worker_start(const struct worker_options *options, struct worker **ret_worker,
                         struct error *err)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        return error_set(err, GW_NO_MEMORY, "start worker %u", options->number);
    worker->number = options->number;
    worker->count = options->count == 0 ? 1 : options->count;
    worker->control = options->control;
    worker->access_log = options->access_log;
    struct slice name = slice_sub(options->node_name, 0, sizeof worker->node_name - 1);
    if (name.size > 0)
        memcpy(worker->node_name, name.data, name.size);
    rng_init_random(&worker->rng);
    blocks_init(&worker->blocks);
    table_init(&worker->endpoints);
    table_init(&worker->services);
    table_init(&worker->route_gates);
    list_init(&worker->with_idle);
    list_init(&worker->unused);
    list_init(&worker->unused_services);
    list_init(&worker->through_gates);
    list_init(&worker->mirrors);
    list_init(&worker->acceptors);
    list_init(&worker->clients);
    request_id_start(worker);
    char *memory = malloc(CORE_READ_BYTES);
    worker->read_buffer = slice_of(memory, CORE_READ_BYTES);
    worker->request = malloc(sizeof *worker->request);
    worker->response = malloc(sizeof *worker->response);
    worker->head = malloc(CORE_HEAD_BYTES);
    if (memory == NULL || worker->request == NULL || worker->response == NULL ||
        worker->head == NULL ||
        !counts_init(&worker->counts, options->metrics, (int)options->number)) {
        worker_free(worker);
        return error_set(err, GW_NO_MEMORY, "start worker %u", options->number);
    }
    worker->log_written = metrics_counter(options->metrics, "gw_access_log_lines_total",
                                          "Lines of the access log.",
                                          (struct slice){NULL, 0}, (int)options->number);
    worker->log_lost = metrics_counter(options->metrics, "gw_access_log_lost_lines_total",
                                       "Lines lost: nobody took them fast enough, or they "
                                       "could not be written.",
                                       (struct slice){NULL, 0}, (int)options->number);
    int rc = uv_loop_init(&worker->uv);
    if (rc != 0) {
        worker_free(worker);
        return error_set(err, GW_IO, "start worker %u: %s", options->number,
                         uv_strerror(rc));
    }
    uv_prepare_init(&worker->uv, &worker->prepare);
    worker->prepare.data = worker;
    uv_prepare_start(&worker->prepare, on_prepare);
    uv_unref((uv_handle_t *)&worker->prepare);
    if (loop_open(&worker->loop, &worker->uv, err) != GW_OK ||
        mailbox_open(&worker->inbox, &worker->uv, deliver, worker, err) != GW_OK)
        goto fail;
    set_wall_clock(worker);
    atomic_store(&worker->turned_ms, uv_now(&worker->uv));
    worker->sweep.fire = on_sweep;
    loop_start_timer(&worker->loop, &worker->sweep, CORE_SWEEP_MS);
    rc = uv_thread_create(&worker->thread, run, worker);
    if (rc != 0) {
        error_set(err, GW_IO, "start worker %u: %s", options->number, uv_strerror(rc));
        goto fail;
    }
    *ret_worker = worker;
    return GW_OK;

fail:
    stop(worker);
    uv_run(&worker->uv, UV_RUN_DEFAULT);
    uv_loop_close(&worker->uv);
    worker_free(worker);
    return err->code;
}

/* Takes the command. */
static void post(struct worker *worker, struct command *command)
{
    if (mailbox_post(&worker->inbox, &command->mail))
        return;
    snapshot_unref(command->snapshot);
    close_descriptors(command);
    free(command);
}

static struct command *command_new(enum command_type type, size_t socket_count)
{
    struct command *command =
        calloc(1, sizeof *command + socket_count * sizeof command->sockets[0]);
    if (command != NULL) {
        command->type = type;
        command->socket_count = socket_count;
    }
    return command;
}

void worker_stop(struct worker *worker)
{
    if (worker == NULL)
        return;
    struct command *command;
    while ((command = command_new(COMMAND_STOP, 0)) == NULL)
        usleep(1000); /* without it the thread cannot end */
    post(worker, command);
    uv_thread_join(&worker->thread);
    uv_loop_close(&worker->uv);
    worker_free(worker);
}

void worker_publish(struct worker *worker, struct snapshot *snapshot,
                    const struct worker_socket *sockets, size_t socket_count)
{
    struct command *command = command_new(COMMAND_PUBLISH, socket_count);
    if (command == NULL) {
        snapshot_unref(snapshot);
        for (size_t i = 0; i < socket_count; i++)
            if (sockets[i].fd >= 0)
                close(sockets[i].fd);
        return;
    }
    command->snapshot = snapshot;
    if (socket_count > 0)
        memcpy(command->sockets, sockets, socket_count * sizeof sockets[0]);
    post(worker, command);
}

void worker_drain(struct worker *worker, uint32_t delay_ms, uint32_t wait_ms)
{
    struct command *command = command_new(COMMAND_DRAIN, 0);
    if (command == NULL)
        return;
    command->delay_ms = delay_ms;
    command->wait_ms = wait_ms;
    post(worker, command);
}

uint64_t worker_turned_ms(const struct worker *worker)
{
    uint64_t turned_ms = atomic_load_explicit(&worker->turned_ms, memory_order_relaxed);
    uint64_t now_ms = instant_monotonic_ms();
    return now_ms > turned_ms ? now_ms - turned_ms : 0;
}
