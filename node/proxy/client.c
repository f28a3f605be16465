/* Reading requests in order.
 *
 * client_feed is the one loop: bytes go to the parser, or to the body of the
 * exchange under way; when neither takes them they wait in `carry`. An exchange
 * that ends inside the loop lets it go on, so a run of requests sent ahead costs
 * no stack. Reading is stopped only while the carry is at its limit or the
 * exchange is blocked. */
#include "node/proxy/client.h"

#include "node/proxy/exchange.h"
#include "node/proxy/reply.h"
#include "node/proxy/tunnel.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

static struct client *client_of(struct flow *flow)
{
    return container_of(flow, struct client, flow);
}

/* ---- memory ---- */

static void on_closed(struct flow *flow)
{
    struct client *client = client_of(flow);
    struct worker *worker = client->worker;
    struct acceptor *acceptor = client->acceptor;
    block_give(&worker->blocks, client->carry);
    client->carry = NULL;
    intake_reset(&client->intake, &worker->blocks);
    client->next_free = worker->free_clients;
    worker->free_clients = client;
    acceptor_client_gone(acceptor);
}

void client_free_all(struct worker *worker)
{
    struct client *client;
    while ((client = worker->free_clients) != NULL) {
        worker->free_clients = client->next_free;
        free(client);
    }
}

static void forget(struct client *client)
{
    if (client->exchange != NULL)
        exchange_client_gone(client->exchange);
    deadline_stop(&client->deadline);
    list_remove(&client->link);
}

void client_close(struct client *client)
{
    if (!client->flow.is_open)
        return;
    forget(client);
    flow_close(&client->flow);
}

void client_abort(struct client *client)
{
    if (!client->flow.is_open)
        return;
    forget(client);
    flow_reset(&client->flow);
}

/* ---- sending ---- */

enum flow_result client_send(struct client *client, uv_buf_t *bufs, unsigned count)
{
    enum flow_result result = flow_send(&client->flow, bufs, count, NULL);
    if (result == FLOW_QUEUED) {
        client->stall_bytes = flow_queued_bytes(&client->flow);
        deadline_set(&client->deadline,
                     core_after(client->worker, client->acceptor->config->write_stall_ms));
    }
    return result;
}

/* Our side is done; what the client still sends is read and dropped for a while. */
static void linger(struct client *client)
{
    client->state = CLIENT_LINGER;
    if (flow_is_writing(&client->flow))
        return; /* on_drained comes here again */
    if (client->is_at_end) {
        client_close(client);
        return;
    }
    flow_shutdown(&client->flow);
    deadline_set(&client->deadline, core_after(client->worker, CLIENT_LINGER_MS));
    if (!flow_read(&client->flow))
        client_close(client);
}

static void on_drained(struct flow *flow, int error)
{
    struct client *client = client_of(flow);
    if (error != 0) {
        client_close(client);
        return;
    }
    deadline_set(&client->deadline, UINT64_MAX);
    if (client->state == CLIENT_LINGER)
        linger(client);
    else if (client->exchange != NULL)
        exchange_drained(client->exchange);
}

/* ---- reading ---- */

static size_t carry_size(const struct client *client)
{
    return client->carry == NULL ? 0 : client->carry->size - client->carry_at;
}

/* Keeps what was not used: a tail of the carry, or of the read buffer. */
static void keep(struct client *client, struct slice data)
{
    struct block *carry = client->carry;
    struct blocks *blocks = &client->worker->blocks;
    if (data.size == 0) {
        block_give(blocks, carry);
        client->carry = NULL;
        return;
    }
    if (carry != NULL && data.data >= carry->data &&
        data.data < carry->data + carry->size) {
        client->carry_at = (size_t)(data.data - carry->data);
        return;
    }
    block_give(blocks, carry);
    client->carry = NULL;
    client->carry_at = 0;
    if (!block_append(blocks, &client->carry, data))
        client_close(client); /* out of memory */
}

/* Returns false when no more can be done with what there is. */
static bool parse(struct client *client, struct slice *data)
{
    struct worker *worker = client->worker;
    const struct snapshot_listener *config = client->acceptor->config;
    const struct intake_rules rules = {
        .limits = {.head_bytes = config->header_bytes,
                   .target_bytes = config->target_bytes},
        .header_count = config->header_count,
    };
    const struct http_message *message;
    struct slice rest;
    enum h1_result result = intake_feed(&client->intake, &worker->blocks, worker->request,
                                        &rules, *data, &message, &rest);
    if (result == H1_MORE) {
        *data = (struct slice){NULL, 0};
        if (client->state != CLIENT_HEAD) {
            client->state = CLIENT_HEAD;
            deadline_set(&client->deadline, core_after(worker, config->header_timeout_ms));
        }
        return false;
    }
    client->state = CLIENT_EXCHANGE;
    deadline_set(&client->deadline, UINT64_MAX);
    if (result != H1_DONE) {
        *data = (struct slice){NULL, 0};
        reply_malformed(client, (unsigned)h1_result_http_status(result),
                        reason_from_word(h1_result_reason(result)));
        return false;
    }
    struct block *state = client->intake.state;
    if (client->intake.bytes != NULL) {
        /* The head came in pieces: what follows it becomes the carry. */
        block_give(&worker->blocks, client->carry);
        client->carry = client->intake.bytes;
        client->carry_at = client->carry->size - rest.size;
        client->intake.bytes = client->intake.state = NULL;
    } else {
        state = NULL;
    }
    exchange_begin(client, message, &rest);
    block_give(&worker->blocks, state);
    *data = rest;
    return true;
}

static void feed(struct client *client, struct slice data)
{
    assert(!client->is_feeding);
    client->is_feeding = true;
    while (data.size > 0 && client->flow.is_open && client->state != CLIENT_LINGER) {
        struct exchange *exchange = client->exchange;
        if (exchange == NULL) {
            if (!parse(client, &data))
                break;
            continue;
        }
        if (exchange->body_done || exchange->phase == PHASE_FLUSH || client->is_blocked)
            break;
        exchange_body(exchange, &data);
    }
    client->is_feeding = false;
    if (!client->flow.is_open)
        return;
    if (client->state == CLIENT_LINGER)
        data.size = 0;
    keep(client, data);
}

/* Reads on if there is room for it. */
static void set_reading(struct client *client)
{
    if (!client->flow.is_open || client->is_at_end || client->state == CLIENT_LINGER)
        return;
    bool body_waits = client->exchange != NULL && !client->exchange->body_done;
    if ((body_waits && client->is_blocked) || carry_size(client) >= CLIENT_CARRY_BYTES)
        flow_pause(&client->flow);
    else if (!flow_read(&client->flow))
        client_close(client);
}

/* The end of input has come and nothing is under way: no request can follow. */
static void close_at_end(struct client *client)
{
    if (client->flow.is_open && client->is_at_end && client->exchange == NULL &&
        client->state != CLIENT_LINGER)
        client_close(client);
}

/* Goes on with what was kept. */
static void resume(struct client *client)
{
    if (client->is_feeding || !client->flow.is_open)
        return;
    if (client->carry != NULL)
        feed(client, slice_from(block_slice(client->carry), client->carry_at));
    close_at_end(client);
    set_reading(client);
}

void client_unblock(struct client *client)
{
    client->is_blocked = false;
    resume(client);
}

void client_exchange_done(struct client *client)
{
    client->served++;
    client->is_blocked = false;
    if (!client->flow.is_open)
        return;
    if (client->wants_close) {
        linger(client);
        return;
    }
    client->state = CLIENT_IDLE;
    deadline_set(&client->deadline,
                 core_after(client->worker, client->acceptor->config->idle_ms));
    resume(client);
}

static void on_end(struct client *client, int error)
{
    client->is_at_end = true;
    struct exchange *exchange = client->exchange;
    if (error == UV_EOF && exchange != NULL && exchange->phase == PHASE_TUNNEL) {
        tunnel_client_ended(exchange);
        return;
    }
    /* Half a close is no reason to drop the answer (RFC 9112 §9.6 lets a client close its
     * side); a request cut short is. */
    if (error == UV_EOF && exchange != NULL && exchange->body_done &&
        client->state != CLIENT_LINGER)
        return;
    client_close(client);
}

static void on_read(struct flow *flow, struct slice data, int error)
{
    struct client *client = client_of(flow);
    if (error != 0) {
        on_end(client, error);
        return;
    }
    if (client->state == CLIENT_LINGER)
        return;
    if (client->carry == NULL) {
        feed(client, data);
    } else {
        struct block *carry = client->carry;
        if (client->carry_at > 0) {
            carry->size -= client->carry_at;
            memmove(carry->data, carry->data + client->carry_at, carry->size);
            client->carry_at = 0;
        }
        if (!block_append(&client->worker->blocks, &client->carry, data)) {
            client_close(client);
            return;
        }
        feed(client, block_slice(client->carry));
    }
    set_reading(client);
}

static void on_connected(struct flow *flow, int error)
{
    (void)flow, (void)error; /* never: this side accepts */
}

static const struct flow_events events = {
    .read = on_read, .drained = on_drained, .connected = on_connected, .closed = on_closed};

/* ---- time ---- */

static void on_deadline(struct deadline *deadline, uint64_t now_ms)
{
    struct client *client = container_of(deadline, struct client, deadline);
    (void)now_ms;
    if (client->state == CLIENT_EXCHANGE ||
        (client->state == CLIENT_LINGER && flow_is_writing(&client->flow))) {
        size_t queued = flow_queued_bytes(&client->flow);
        if (queued > 0 && queued < client->stall_bytes) { /* slow, but not still */
            client->stall_bytes = queued;
            deadline_set(deadline, core_after(client->worker,
                                              client->acceptor->config->write_stall_ms));
            return;
        }
        client_abort(client);
        return;
    }
    client_close(client);
}

/* ---- the beginning ---- */

static void take_peer(struct client *client, int fd)
{
    struct address address;
    const char *text = NULL;
    if (!address_of_peer(fd, &address))
        return;
    if (address.any.sa_family == AF_INET6) {
        const struct in6_addr *ip = &address.ip6.sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(ip)) {
            memcpy(client->ip, &ip->s6_addr[12], 4);
        } else {
            memcpy(client->ip, ip, 16);
            client->is_ip6 = true;
        }
    } else {
        memcpy(client->ip, &address.ip4.sin_addr, 4);
    }
    text = inet_ntop(client->is_ip6 ? AF_INET6 : AF_INET, client->ip, client->ip_text,
                     sizeof client->ip_text);
    client->ip_text_size = text == NULL ? 0 : (uint8_t)strlen(text);
}

void client_open(struct acceptor *acceptor, int fd)
{
    struct worker *worker = acceptor->worker;
    const struct snapshot_listener *config = acceptor->config;
    if (worker->is_stopping) {
        close(fd);
        return;
    }
    if (config->connections > 0 &&
        acceptor->client_count >= worker_share(worker, config->connections)) {
        reply_overloaded(worker, fd);
        return;
    }
    struct client *client = worker->free_clients;
    if (client != NULL) {
        worker->free_clients = client->next_free;
    } else {
        client = malloc(sizeof *client);
        if (client == NULL) {
            close(fd);
            return;
        }
        worker->allocated++;
    }
    *client = (struct client){.worker = worker, .acceptor = acceptor};
    deadline_init(&client->deadline, &worker->loop, on_deadline);
    if (!flow_init(&client->flow, &worker->uv, &worker->blocks, worker->read_buffer,
                   &events)) {
        close(fd);
        client->next_free = worker->free_clients;
        worker->free_clients = client;
        return;
    }
    acceptor->client_count++;
    worker->client_count++;
    metric_set(acceptor->active, acceptor->client_count);
    list_append(&worker->clients, &client->link);
    take_peer(client, fd);
    if (!flow_adopt(&client->flow, fd) || !flow_read(&client->flow)) {
        client_close(client);
        return;
    }
    deadline_set(&client->deadline, core_after(worker, config->header_timeout_ms));
}
