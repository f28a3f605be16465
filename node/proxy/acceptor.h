/* A listening socket of a worker, by the name of its Listener.
 *
 * Lives as long as it listens or has clients. It pins the serving that its
 * clients' calls go by: the newest that still has this Listener. When a Listener
 * goes away, what the kernel's queue holds is accepted, the socket closed, and
 * its clients finish by the last configuration that knew it. */
#ifndef GW_NODE_PROXY_ACCEPTOR_H
#define GW_NODE_PROXY_ACCEPTOR_H

#include "net/listener.h"
#include "node/proxy/serving.h"

struct acceptor {
    struct listener listener;
    struct worker *worker;
    struct list_link link;
    char name[64];
    uint16_t port;
    struct serving *serving;                /* pinned */
    const struct snapshot_listener *config; /* in it */
    unsigned client_count;
    struct metric_cell *active;
    bool is_listening; /* the socket is open, or not closed to the end */
    bool is_closing;   /* accepts no more; clients are told to go */
};

/* After worker->serving changed: moves the acceptors to it, opens and closes
 * sockets as worker_publish says. Takes the descriptors. */
void acceptor_update_all(struct worker *worker, const struct worker_socket *sockets,
                         size_t count);
/* Accepts what waits, then closes the socket. */
void acceptor_close(struct acceptor *acceptor);
void acceptor_client_gone(struct acceptor *acceptor);

#endif
