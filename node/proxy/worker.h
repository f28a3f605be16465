/* A worker: an event loop on a thread of its own, with all it needs to serve:
 * its listening sockets (SO_REUSEPORT), client and upstream connections, timer
 * wheel, rng, metrics shard. It takes no lock and allocates nothing per request
 * once warm; it never sees Raft or the store.
 *
 * Control talks to it by mail; it answers by mail. */
#ifndef GW_NODE_WORKER_H
#define GW_NODE_WORKER_H

#include "net/mailbox.h"
#include "node/observe/metrics.h"
#include "node/snapshot/snapshot.h"

struct access_log;
struct worker;

struct worker_options {
    unsigned number;
    unsigned
        count; /* of workers on this node: limits of the node are shared out evenly; 0: 1 */
    struct metrics *metrics;       /* shared registry; the worker writes its shard */
    struct mailbox *control;       /* gets struct worker_mail */
    struct access_log *access_log; /* has a writer of this number; NULL: none */
    struct slice node_name;        /* copied; in request ids */
};

enum worker_mail_type { WORKER_SERVES, WORKER_DRAINED };
struct worker_mail { /* to control; freed by free() */
    struct mail mail;
    enum worker_mail_type type;
    unsigned worker;
    uint64_t revision; /* SERVES: new exchanges are served from this revision */
};

enum result worker_start(const struct worker_options *options, struct worker **ret_worker,
                         struct error *err);
/* Ends the thread at once: connections are closed. */
void worker_stop(struct worker *worker);

/* Thread-safe. Takes one reference of the snapshot; newest wins. Listening sockets: one
 * descriptor per listener of the snapshot that this worker shall serve, by listener name; a
 * listener that went away is closed after accepting what its queue still holds; -1: keeps
 * the one it has. Connections stay open over a publish. */
struct worker_socket {
    char listener[64];
    int fd;
};
void worker_publish(struct worker *worker, struct snapshot *snapshot,
                    const struct worker_socket *sockets, size_t socket_count);
/* Thread-safe: stop keep-alive (Connection: close), finish what is in flight, close
 * listeners after `delay_ms`, say WORKER_DRAINED when idle or after `wait_ms`. */
void worker_drain(struct worker *worker, uint32_t delay_ms, uint32_t wait_ms);
/* Thread-safe, relaxed: for /livez: how long ago the loop last turned. */
uint64_t worker_turned_ms(const struct worker *worker);

#endif
