/* The bytes of one TCP connection: how a worker reads and writes, to either
 * side. The one place that calls libuv's stream functions, so that another kind
 * of I/O can take its place.
 *
 * Reading starts once and is paused only for back-pressure; all flows of a
 * worker read into its one buffer, so the bytes of a read callback are valid
 * until it returns. Writing tries at once; only what the kernel did not take is
 * copied into a block and written later. Whoever gets FLOW_QUEUED stops feeding
 * until `drained`. The worker's thread only. */
#ifndef GW_NODE_PROXY_FLOW_H
#define GW_NODE_PROXY_FLOW_H

#include "net/address.h"
#include "node/proxy/blocks.h"

#include <uv.h>

/* Most buffers of one send: a head, the framing of a chunk, its pieces. */
#define FLOW_BUFS 40

struct flow;

/* Writing only reads it. */
static inline uv_buf_t flow_buf(struct slice bytes)
{
    return uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned)bytes.size);
}

enum flow_result {
    FLOW_SENT,   /* all with the kernel */
    FLOW_QUEUED, /* the rest is copied; `drained` follows */
    FLOW_FAILED  /* the connection is broken */
};

/* What happens to a flow; `flow` may be closed in any of them. */
struct flow_events {
    /* Bytes, borrowed for the call; or error: UV_EOF or a negative errno. */
    void (*read)(struct flow *flow, struct slice data, int error);
    /* The queue is empty again, or writing failed (a negative errno). */
    void (*drained)(struct flow *flow, int error);
    void (*connected)(struct flow *flow, int error);
    /* The handle is gone; the memory may go. */
    void (*closed)(struct flow *flow);
};

struct flow {
    uv_tcp_t tcp;
    union {
        uv_write_t write;
        uv_connect_t connect;
        uv_shutdown_t shutdown;
    } request; /* one at a time */
    const struct flow_events *events;
    struct blocks *blocks; /* borrowed */
    struct slice read_buffer;
    struct block *queue; /* first is being written; owned chain */
    bool is_open;
    bool is_reading;
    bool is_shut; /* our side is closed for writing */
};

/* Makes the handle. After false there is nothing to close. */
bool flow_init(struct flow *flow, uv_loop_t *loop, struct blocks *blocks,
               struct slice read_buffer, const struct flow_events *events);
/* Takes the descriptor; on failure it is closed with the flow. */
bool flow_adopt(struct flow *flow, int fd);
/* `connected` follows, unless false. */
bool flow_connect(struct flow *flow, const struct address *address);
bool flow_read(struct flow *flow);
void flow_pause(struct flow *flow);
/* Sends all buffers in order. Bytes taken by the kernel at once: *ret_sent, may be NULL. */
enum flow_result flow_send(struct flow *flow, uv_buf_t *bufs, unsigned count,
                           size_t *ret_sent);
static inline bool flow_is_writing(const struct flow *flow)
{
    return flow->queue != NULL;
}
/* Bytes the kernel has not taken yet. */
size_t flow_queued_bytes(const struct flow *flow);
/* Says the end of our side. Only with an empty queue. */
void flow_shutdown(struct flow *flow);
/* Drops what is queued. `closed` follows. Does nothing the second time. */
void flow_close(struct flow *flow);
/* The same with a reset, so that the peer takes no torn answer for a whole one. */
void flow_reset(struct flow *flow);

#endif
