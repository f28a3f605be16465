/* The control side of a node: one loop, on the main thread, between what is
 * replicated and what is served.
 *
 * It opens the store and the member, follows what becomes visible, compiles it
 * on the pool and publishes it; it is the admin API and the status listener;
 * while its node leads, it checks and proposes writes. No slice of its work is
 * longer than 5 ms: more goes to the pool. The data side is reached through
 * struct control_side, so nothing here knows a worker. */
#ifndef GW_NODE_CONTROL_H
#define GW_NODE_CONTROL_H

#include "model/types.h"
#include "node/observe/metrics.h"
#include "node/snapshot/snapshot.h"
#include "pki/identity.h"
#include "raft/command.h"

#include <uv.h>

#define CONTROL_VERSION "0.1.0"

/* One descriptor of a listener for one worker: taken; -1: keep what there is. */
struct control_socket {
    char listener[64];
    int fd;
};

/* The data side, as main hands it over. Functions are called on the loop. */
struct control_side {
    void *owner;
    unsigned workers;
    /* Takes one reference of the snapshot and the descriptors. */
    void (*publish)(void *owner, unsigned worker, struct snapshot *snapshot,
                    const struct control_socket *sockets, size_t count);
    void (*drain)(void *owner, uint32_t delay_ms, uint32_t wait_ms);
    uint64_t (*turned_ms)(void *owner, unsigned worker);
};

enum control_fence {
    CONTROL_FENCE_CLUSTER = -1,
    CONTROL_FENCE_NONE,
    CONTROL_FENCE_MINORITY
};

struct control_options {
    const char *data_dir; /* strings: borrowed for the life of control */
    struct identity_file identity;
    struct slice region, zone;                /* empty: as the node's record says */
    const char *peer_listen, *peer_advertise; /* advertise empty: the record's */
    const char *admin_listen, *admin_socket;
    const char *admin_advertise; /* empty: admin_listen */
    unsigned admin_socket_mode;
    const char *health_listen;
    const struct cidr *metrics_from;
    size_t metrics_from_count;
    const struct bind_override *binds; /* gwd.yaml's `listeners` */
    size_t bind_count;
    int fence; /* enum control_fence */
    bool exit_on_disk_error;
    uint64_t map_size;
    uint64_t min_free; /* with less room on the disk this node does not lead; 0: it may */
    uint32_t drain_delay_ms, drain_wait_ms;
    const char *backup_dir; /* NULL: no backups by the clock */
    uint64_t backup_every_ms, backup_keep;
    const struct command_type *commands;
    size_t command_count;
    struct metrics *metrics; /* borrowed */
    /* HUP: reads gwd.yaml again and fills what may change: the binds. False: as it was. */
    bool (*reload)(void *owner, const struct bind_override **ret_binds, size_t *ret_count);
    void *owner;
    /* The start is over: serving, all listeners open. */
    void (*started)(void *owner);
    void (*stopping)(void *owner);
};

struct control;

/* Opens the environment and reads the last configuration; nothing listens yet. */
enum result control_open(uv_loop_t *loop, const struct control_options *options,
                         struct control **ret_control, struct error *err);
/* Before control_run: the workers run. */
void control_side_set(struct control *control, const struct control_side *side);
/* Publishes the last configuration, starts the member, opens the listeners, and turns
 * the loop until the node has drained, or fails. GW_OK: drained. */
enum result control_run(struct control *control, struct error *err);
/* Ends the member and closes the environment. NULL is fine. */
void control_close(struct control *control);

/* Loop's thread: a worker serves this revision. */
void control_worker_serves(struct control *control, unsigned worker, uint64_t revision);
void control_worker_drained(struct control *control, unsigned worker);

#endif
