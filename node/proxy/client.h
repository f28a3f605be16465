/* A client's connection: reads requests, one at a time and in order, and takes
 * the bytes of answers.
 *
 * Idle it holds no buffer. What is read and cannot be used yet (requests sent
 * ahead, a body the upstream is too slow for) waits in one block, and at a
 * limit reading stops. The worker's thread only. */
#ifndef GW_NODE_PROXY_CLIENT_H
#define GW_NODE_PROXY_CLIENT_H

#include "node/proxy/acceptor.h"
#include "node/proxy/flow.h"

#define CLIENT_IP_SIZE 48
/* Requests sent ahead: above this nothing more is read. */
#define CLIENT_CARRY_BYTES ((size_t)16 << 10)
/* How long the rest of what a client sends is read and dropped after an answer that
 * ends the connection, so that no reset overtakes the answer. */
#define CLIENT_LINGER_MS 2000u

enum client_state { CLIENT_IDLE, CLIENT_HEAD, CLIENT_EXCHANGE, CLIENT_LINGER };

struct client {
    struct flow flow; /* first */
    struct worker *worker;
    struct acceptor *acceptor;
    struct list_link link;
    struct client *next_free;
    struct deadline deadline;
    struct exchange *exchange; /* under way, or NULL */
    struct intake intake;
    struct block *carry; /* read ahead; owned */
    size_t carry_at;     /* from here on it is unused */
    size_t stall_bytes;  /* queue when the stall timer was set */
    uint64_t served;
    uint8_t state;    /* enum client_state */
    bool is_at_end;   /* the client said it is done sending */
    bool is_feeding;  /* client_feed is on the stack */
    bool is_blocked;  /* the exchange takes no more of its body now */
    bool wants_close; /* after the answer under way */
    bool is_ip6;
    uint8_t ip[16]; /* network order */
    uint8_t ip_text_size;
    char ip_text[CLIENT_IP_SIZE];
};

/* Takes the descriptor. */
void client_open(struct acceptor *acceptor, int fd);
/* Hands bytes of an answer on. FLOW_QUEUED: exchange_drained follows. */
enum flow_result client_send(struct client *client, uv_buf_t *bufs, unsigned count);
/* The exchange is over and its answer with the kernel. */
void client_exchange_done(struct client *client);
/* The exchange takes bytes of its body again. */
void client_unblock(struct client *client);
/* The answer cannot be finished: the connection ends with a reset. */
void client_abort(struct client *client);
/* Ends quietly: after a whole answer, or while idle. */
void client_close(struct client *client);
/* Frees the kept ones; after all handles are gone. */
void client_free_all(struct worker *worker);

static inline struct slice client_ip(const struct client *client)
{
    return slice_of(client->ip_text, client->ip_text_size);
}

#endif
