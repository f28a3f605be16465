/* TCP over libuv, with a copy only of what a socket did not take.
 *
 * A request costs its four payload system calls and no epoll_ctl: reading is
 * never stopped but for back-pressure, and uv_try_write leaves the poll set
 * alone. uv_write, which does not, is used for remainders only. */
#include "node/proxy/flow.h"

#include <errno.h>
#include <unistd.h>

#define FLOW_JOIN_BYTES 4096

static struct flow *flow_of(void *handle)
{
    return ((uv_handle_t *)handle)->data;
}

bool flow_init(struct flow *flow, uv_loop_t *loop, struct blocks *blocks,
               struct slice read_buffer, const struct flow_events *events)
{
    if (uv_tcp_init(loop, &flow->tcp) != 0)
        return false;
    flow->tcp.data = flow;
    flow->events = events;
    flow->blocks = blocks;
    flow->read_buffer = read_buffer;
    flow->queue = NULL;
    flow->is_open = true;
    flow->is_reading = false;
    flow->is_shut = false;
    return true;
}

bool flow_adopt(struct flow *flow, int fd)
{
    if (uv_tcp_open(&flow->tcp, fd) != 0) {
        close(fd);
        return false;
    }
    uv_tcp_nodelay(&flow->tcp, 1);
    return true;
}

static void on_connected(uv_connect_t *request, int status)
{
    struct flow *flow = flow_of(request->handle);
    if (!flow->is_open)
        return;
    if (status == 0)
        uv_tcp_nodelay(&flow->tcp, 1);
    flow->events->connected(flow, status);
}

bool flow_connect(struct flow *flow, const struct address *address)
{
    return uv_tcp_connect(&flow->request.connect, &flow->tcp, &address->any,
                          on_connected) == 0;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct flow *flow = flow_of(handle);
    (void)suggested;
    buf->base = (char *)(uintptr_t)flow->read_buffer.data;
    buf->len = flow->read_buffer.size;
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct flow *flow = flow_of(stream);
    if (size == 0 || !flow->is_open)
        return;
    if (size < 0) {
        flow->is_reading = false; /* libuv stopped */
        flow->events->read(flow, (struct slice){NULL, 0}, (int)size);
        return;
    }
    flow->events->read(flow, slice_of(buf->base, (size_t)size), 0);
}

bool flow_read(struct flow *flow)
{
    if (flow->is_reading)
        return true;
    if (uv_read_start((uv_stream_t *)&flow->tcp, on_alloc, on_read) != 0)
        return false;
    flow->is_reading = true;
    return true;
}

void flow_pause(struct flow *flow)
{
    if (!flow->is_reading)
        return;
    uv_read_stop((uv_stream_t *)&flow->tcp);
    flow->is_reading = false;
}

static int write_first(struct flow *flow);

static void on_written(uv_write_t *request, int status)
{
    struct flow *flow = flow_of(request->handle);
    struct block *block = flow->queue;
    if (block == NULL) /* flow_close took the queue */
        return;
    flow->queue = block->next;
    block_give(flow->blocks, block);
    if (!flow->is_open)
        return;
    if (status == 0 && flow->queue != NULL)
        status = write_first(flow);
    if (status != 0 || flow->queue == NULL)
        flow->events->drained(flow, status);
}

static int write_first(struct flow *flow)
{
    uv_buf_t buf = uv_buf_init(flow->queue->data, (unsigned)flow->queue->size);
    return uv_write(&flow->request.write, (uv_stream_t *)&flow->tcp, &buf, 1, on_written);
}

/* Copies the buffers from byte `sent` on behind the queue. */
static bool queue_rest(struct flow *flow, const uv_buf_t *bufs, unsigned count, size_t sent)
{
    size_t rest = 0;
    for (unsigned i = 0; i < count; i++)
        rest += bufs[i].len;
    rest -= sent;
    struct block *block = block_take(flow->blocks, rest);
    if (block == NULL)
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (sent >= bufs[i].len) {
            sent -= bufs[i].len;
            continue;
        }
        memcpy(block->data + block->size, bufs[i].base + sent, bufs[i].len - sent);
        block->size += bufs[i].len - sent;
        sent = 0;
    }
    struct block **end = &flow->queue;
    while (*end != NULL)
        end = &(*end)->next;
    *end = block;
    return true;
}

enum flow_result flow_send(struct flow *flow, uv_buf_t *bufs, unsigned count,
                           size_t *ret_sent)
{
    size_t size = 0, sent = 0;
    for (unsigned i = 0; i < count; i++)
        size += bufs[i].len;
    if (ret_sent != NULL)
        *ret_sent = 0;
    if (!flow->is_open || flow->is_shut)
        return FLOW_FAILED;
    bool was_writing = flow_is_writing(flow);
    /* One write(2) of a few kilobytes costs less than a writev(2) of their pieces. */
    char joined[FLOW_JOIN_BYTES];
    uv_buf_t one;
    if (!was_writing && count > 1 && size <= sizeof joined) {
        size_t at = 0;
        for (unsigned i = 0; i < count; i++) {
            memcpy(joined + at, bufs[i].base, bufs[i].len);
            at += bufs[i].len;
        }
        one = uv_buf_init(joined, (unsigned)size);
        bufs = &one;
        count = 1;
    }
    if (!was_writing) {
        int written = uv_try_write((uv_stream_t *)&flow->tcp, bufs, count);
        if (written < 0 && written != UV_EAGAIN)
            return FLOW_FAILED;
        sent = written < 0 ? 0 : (size_t)written;
        if (ret_sent != NULL)
            *ret_sent = sent;
        if (sent == size)
            return FLOW_SENT;
    }
    if (!queue_rest(flow, bufs, count, sent))
        return FLOW_FAILED;
    if (!was_writing && write_first(flow) != 0)
        return FLOW_FAILED;
    return FLOW_QUEUED;
}

size_t flow_queued_bytes(const struct flow *flow)
{
    size_t bytes = uv_stream_get_write_queue_size((const uv_stream_t *)&flow->tcp);
    if (flow->queue != NULL)
        for (const struct block *block = flow->queue->next; block != NULL;
             block = block->next)
            bytes += block->size;
    return bytes;
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)request, (void)status; /* the end of the other side closes */
}

void flow_shutdown(struct flow *flow)
{
    if (flow->is_shut || !flow->is_open || flow_is_writing(flow))
        return;
    flow->is_shut = true;
    uv_shutdown(&flow->request.shutdown, (uv_stream_t *)&flow->tcp, on_shutdown);
}

static void on_closed(uv_handle_t *handle)
{
    struct flow *flow = flow_of(handle);
    /* libuv has cancelled the write by now, so nobody looks at the blocks. */
    while (flow->queue != NULL) {
        struct block *block = flow->queue;
        flow->queue = block->next;
        block_give(flow->blocks, block);
    }
    flow->events->closed(flow);
}

void flow_close(struct flow *flow)
{
    if (!flow->is_open)
        return;
    flow->is_open = false;
    flow->is_reading = false;
    uv_close((uv_handle_t *)&flow->tcp, on_closed);
}

void flow_reset(struct flow *flow)
{
    if (!flow->is_open)
        return;
    /* SO_LINGER 0: close sends RST. uv_tcp_close_reset refuses while shutting down. */
    if (!flow->is_shut && uv_tcp_close_reset(&flow->tcp, on_closed) == 0) {
        flow->is_open = false;
        flow->is_reading = false;
        return;
    }
    flow_close(flow);
}
