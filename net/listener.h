/* Listening sockets.
 *
 * Opening works on descriptors, so that control can open what workers will
 * serve; a struct listener wraps one in a loop. A plain bind is probed first: a
 * second process of the same user would bind a reuse-port socket silently and
 * take half the connections. Errors are sentences with what to do next. */
#ifndef GW_NET_LISTENER_H
#define GW_NET_LISTENER_H

#include "net/address.h"

#define LISTENER_BACKLOG 1024

/* `count` sockets on one address, with SO_REUSEPORT when count > 1, listening.
 * Port 0: one free port for all. All or none. GW_LOCKED when the address is in
 * use, GW_FORBIDDEN without the right, GW_IO. Blocking for microseconds. */
enum result listener_open_fds(const struct address *address, unsigned count, int *ret_fds,
                              struct error *err);
/* One more beside those of listener_open_fds (which had count > 1): no probe. */
enum result listener_open_another(const struct address *address, int *ret_fd,
                                  struct error *err);
/* Text form of the above for one socket: "127.0.0.1:0", ":7000". */
enum result listener_open_fd(struct slice text, int *ret_fd, struct error *err);
/* A UNIX socket with mode `mode`. A path over 100 bytes is bound through a short
 * one by way of its directory (/proc/self/fd), as sun_path holds 107. A stale
 * file is removed only when nobody answers there and it is a socket; somebody
 * answering is GW_LOCKED. */
enum result listener_open_unix(const char *path, unsigned mode, int *ret_fd,
                               struct error *err);
/* Connects to a UNIX socket of any path length: nonblocking descriptor. */
enum result listener_connect_unix(const char *path, int *ret_fd, struct error *err);

struct listener;
/* An accepted descriptor: nonblocking, close-on-exec, owned by the callee. */
typedef void (*listener_fn)(struct listener *listener, int fd, void *owner);
typedef void (*listener_close_cb)(struct listener *listener, void *owner);

/* The caller's memory, until its close callback ran. Loop's thread only. */
struct listener {
    uv_poll_t poll;
    int fd;       /* owned */
    int spare_fd; /* given up to accept and drop a connection when out of descriptors */
    listener_fn accepted;
    listener_close_cb closed;
    void *owner;
    uint64_t accepted_count;
    uint64_t failed_count; /* accepts that failed: out of descriptors or memory */
    bool is_open;
    bool is_paused;
};

/* Takes `fd`, also on failure. */
enum result listener_open(struct listener *listener, uv_loop_t *loop, int fd,
                          listener_fn accepted, void *owner, struct error *err);
/* Leaves connections in the kernel's queue. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);
/* Closes the descriptor; `closed` may be NULL. Never called for one not open. */
void listener_close(struct listener *listener, listener_close_cb closed);

#endif
