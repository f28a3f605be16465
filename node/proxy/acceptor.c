/* Listening sockets over publishes. */
#include "node/proxy/acceptor.h"

#include "base/log.h"
#include "node/proxy/client.h"
#include "node/proxy/drain.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void acceptor_free_if_done(struct acceptor *acceptor)
{
    if (acceptor->is_listening || acceptor->client_count > 0)
        return;
    list_remove(&acceptor->link);
    serving_unpin(acceptor->serving);
    free(acceptor);
}

static void on_accepted(struct listener *listener, int fd, void *owner)
{
    (void)listener;
    client_open(owner, fd);
}

static void on_closed(struct listener *listener, void *owner)
{
    struct acceptor *acceptor = owner;
    (void)listener;
    acceptor->is_listening = false;
    acceptor_free_if_done(acceptor);
}

static void acceptor_open(struct worker *worker, const char *name,
                          const struct snapshot_listener *config, int fd,
                          struct acceptor *before)
{
    struct error err;
    struct address address;
    struct acceptor *acceptor = calloc(1, sizeof *acceptor);
    if (acceptor == NULL) {
        close(fd);
        return;
    }
    acceptor->worker = worker;
    memcpy(acceptor->name, name, sizeof acceptor->name);
    if (address_of_socket(fd, &address))
        acceptor->port = address_port(&address);
    acceptor->active = counts_connections(&worker->counts, slice_from_string(name));
    if (listener_open(&acceptor->listener, &worker->uv, fd, on_accepted, acceptor, &err) !=
        GW_OK) {
        log_event(LOG_ERROR, "proxy", "listener not served", LOG_STR("listener", name),
                  LOG_STR("error", err.text));
        free(acceptor);
        return;
    }
    acceptor->is_listening = true;
    acceptor->serving = serving_pin(worker->serving);
    acceptor->config = config;
    list_append(&worker->acceptors, &acceptor->link);
    if (before == NULL)
        return;
    /* Another socket for the same Listener: its clients stay, and belong here now. */
    list_each (&worker->clients, link) {
        struct client *client = container_of(link, struct client, link);
        if (client->acceptor != before)
            continue;
        client->acceptor = acceptor;
        acceptor->client_count++;
        before->client_count--;
    }
}

void acceptor_close(struct acceptor *acceptor)
{
    if (acceptor->is_closing)
        return;
    acceptor->is_closing = true;
    /* Closing a socket resets what waits in its queue: accept that first. */
    for (;;) {
        int fd = accept4(acceptor->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            break;
        client_open(acceptor, fd);
    }
    listener_close(&acceptor->listener, on_closed);
}

/* Its Listener is gone: idle clients may stay for `drain`, no longer. */
static void retire(struct acceptor *acceptor)
{
    struct worker *worker = acceptor->worker;
    acceptor_close(acceptor);
    uint64_t due_ms = core_now_ms(worker) + acceptor->config->drain_ms;
    list_each (&worker->clients, link) {
        struct client *client = container_of(link, struct client, link);
        if (client->acceptor == acceptor && client->state == CLIENT_IDLE &&
            client->deadline.due_ms > due_ms)
            deadline_set(&client->deadline, due_ms);
    }
}

static struct acceptor *acceptor_named(struct worker *worker, const char *name)
{
    list_each (&worker->acceptors, link) {
        struct acceptor *acceptor = container_of(link, struct acceptor, link);
        if (!acceptor->is_closing && strcmp(acceptor->name, name) == 0)
            return acceptor;
    }
    return NULL;
}

void acceptor_update_all(struct worker *worker, const struct worker_socket *sockets,
                         size_t count)
{
    struct snapshot *snapshot = worker->serving->snapshot;
    list_each (&worker->acceptors, link) {
        struct acceptor *acceptor = container_of(link, struct acceptor, link);
        if (acceptor->is_closing)
            continue;
        const struct snapshot_listener *config =
            snapshot_listener_named(snapshot, slice_from_string(acceptor->name));
        if (config == NULL) {
            retire(acceptor);
            continue;
        }
        struct serving *before = acceptor->serving;
        acceptor->serving = serving_pin(worker->serving);
        acceptor->config = config;
        serving_unpin(before);
    }
    for (size_t i = 0; i < count; i++) {
        int fd = sockets[i].fd;
        if (fd < 0)
            continue;
        const struct snapshot_listener *config =
            snapshot_listener_named(snapshot, slice_from_string(sockets[i].listener));
        if (config == NULL || worker->is_stopping || worker->drain >= DRAIN_CLOSED) {
            close(fd);
            continue;
        }
        struct acceptor *before = acceptor_named(worker, sockets[i].listener);
        if (before != NULL)
            acceptor_close(before);
        acceptor_open(worker, sockets[i].listener, config, fd, before);
    }
}

void acceptor_client_gone(struct acceptor *acceptor)
{
    struct worker *worker = acceptor->worker;
    acceptor->client_count--;
    worker->client_count--;
    metric_set(acceptor->active, acceptor->client_count);
    acceptor_free_if_done(acceptor);
    drain_check(worker);
}
