/* One request and its answer: from the parsed head to the last byte with the
 * kernel. It pins a serving, owns an arena, and keeps one deadline on the wheel.
 *
 * The rooms: exchange.c begins, decides and ends; attempt.c tries upstreams;
 * relay.c moves bodies; forwarded.c writes heads; reply.c answers for the
 * gateway. Exchanges are kept and used again, arena included, so that a warm
 * worker allocates nothing for one. The worker's thread only. */
#ifndef GW_NODE_PROXY_EXCHANGE_H
#define GW_NODE_PROXY_EXCHANGE_H

#include "http/chunked.h"
#include "node/proxy/affinity.h"
#include "node/proxy/client.h"

/* Most of a request's body that is kept to be sent again. */
#define EXCHANGE_HELD_BYTES CORE_READ_BYTES
#define EXCHANGE_GATES      2u /* the route's bulkhead, then the service's */

enum exchange_phase {
    PHASE_FREE,
    PHASE_QUEUE,   /* for a place in a bulkhead */
    PHASE_WAIT,    /* for a retry's time */
    PHASE_RESOLVE, /* for a name */
    PHASE_CONNECT,
    PHASE_HOLE,   /* a fault point: the endpoint never answers */
    PHASE_SENT,   /* the head is on its way; waiting for the answer's head */
    PHASE_RELAY,  /* the answer's head is relayed */
    PHASE_TUNNEL, /* after 101: bytes both ways, see tunnel.h */
    PHASE_FLUSH   /* all is said; the client's queue empties */
};

/* A response header to change, expanded while the request's bytes were there. */
struct exchange_change {
    struct slice name;
    struct slice value; /* data NULL: remove */
    bool add;
};

struct exchange {
    struct worker *worker;
    struct client *client;
    struct serving *serving; /* pinned */
    const struct plan *plan; /* NULL: none */
    struct route_counts *route;
    struct exchange *next_free;
    struct arena arena;
    struct deadline deadline;
    uint8_t phase; /* enum exchange_phase */

    /* The request. */
    uint8_t method; /* enum http_method */
    uint8_t minor;
    bool client_keep_alive;
    uint8_t reason; /* enum reason of what went wrong */
    struct slice request_id;
    struct slice log_part; /* of the access log's line, see access.h; in the arena */
    bool is_sampled;       /* it gets a line whatever becomes of it */
    uint64_t started_us;   /* instant_monotonic_us */
    uint64_t total_due_ms, try_due_ms, active_ms;
    uint32_t idle_ms;
    uint8_t framing; /* enum http_framing of the body */
    bool body_done;  /* all of it is taken from the client */
    bool body_discard;
    uint64_t body_left, body_size, body_limit;
    struct chunked body_chunked;
    struct block *held;  /* body as framed for the upstream: not sent yet, or kept */
    bool held_is_all;    /* it is everything of the body so far: can be sent again */
    bool keep_held;      /* worth keeping once sent */
    bool expects;        /* the client waits for 100 before it sends its body */
    bool wants_trailers; /* it said "TE: trailers" */
    uint32_t forwards;   /* Max-Forwards of TRACE and OPTIONS, counted down */
    bool has_forwards;
    struct slice upgrade; /* protocols that go upstream; in the arena */
    struct block *body_trailers, *answer_trailers; /* see trailers.h; owned */

    /* Attempts. */
    struct slice head; /* for the upstream; in the arena */
    struct serving_service *service;
    struct affinity affinity;
    struct gate *gates[EXCHANGE_GATES]; /* passed */
    uint8_t gate_count;                 /* passed, or none there */
    struct gate *waits_at;
    struct list_link in_queue; /* of that gate, or of those that may go on */
    struct mirror *mirror;     /* a copy not sent yet; owned (mirror.c) */
    struct exchange_change *changes;
    uint32_t change_count;
    const struct plan *reply;         /* whose answer reply_plan gives; NULL: the plan's */
    const struct slice *reply_values; /* of its headers, made early */
    uint64_t retry_after_s;           /* told with a problem; 0: not */
    bool is_fallback;                 /* the route's fallback has been used */
    uint32_t tried[BALANCE_TRIED_MAX];
    uint32_t tried_count;
    uint32_t endpoint_index;
    struct endpoint *endpoint; /* of the attempt under way */
    struct upstream *upstream;
    struct list_link waiting; /* at a resolver */
    uint8_t retries;
    bool is_retrying; /* holds a retry of the budget */
    bool is_in_budget;
    bool stale_used; /* the one retry for a kept connection that had died */
    bool was_reused;
    bool anything_sent;   /* the kernel took bytes of this attempt */
    bool head_sent;       /* to the upstream */
    bool upstream_broken; /* takes no more of the body; its answer may yet come */
    uint64_t attempt_ms;  /* when it began, by the loop's clock */
    uint64_t attempt_us;  /* the same, finer */
    uint64_t took_us;     /* to the head of its answer; 0: not there yet */

    /* The answer. */
    unsigned status;
    uint8_t answer_framing; /* of the upstream's */
    bool answer_started;    /* bytes went to the client */
    bool answer_done;       /* all of it came */
    bool client_chunked;
    bool upstream_ended;   /* in a tunnel: it says nothing more */
    bool accepts_gzip;     /* the client; only asked where the plan compresses */
    struct gzip *gzip;     /* what compresses the answer; NULL: nothing (compress.c) */
    uint8_t interim_count; /* 1xx of this attempt */
    bool upstream_keep_alive;
    uint64_t answer_left, answer_size;
    struct chunked answer_chunked;
};

/* A request's head has come; `*rest` is what followed and loses what is taken
 * of it. The message is borrowed for the call. The exchange may be over on return. */
void exchange_begin(struct client *client, const struct http_message *message,
                    struct slice *rest);
/* More of the body. Takes what it can from *data; the exchange may be over on return. */
void exchange_body(struct exchange *exchange, struct slice *data);
/* The client went away: everything is given up. Does not touch the client. */
void exchange_client_gone(struct exchange *exchange);
/* The client's queue is empty again. */
void exchange_drained(struct exchange *exchange);
/* No more attempts: answers for the gateway if nothing was relayed, else aborts. */
void exchange_fail(struct exchange *exchange, enum reason reason);
/* All of the answer is with the client's flow. */
void exchange_finish(struct exchange *exchange, bool is_queued);
/* Fits the deadline to the phase. */
void exchange_rearm(struct exchange *exchange);
/* There is room for what exchange.c counted before: the plan's, CORS_CHANGES,
 * COMPRESS_CHANGES. */
static inline void exchange_add_change(struct exchange *exchange, struct slice name,
                                       struct slice value, bool add)
{
    exchange->changes[exchange->change_count++] =
        (struct exchange_change){.name = name, .value = value, .add = add};
}

/* Something moved: the idle time begins anew. */
static inline void exchange_touch(struct exchange *exchange)
{
    exchange->active_ms = core_now_ms(exchange->worker);
}
/* Whether the connection to the client ends after this answer. */
bool exchange_closes(const struct exchange *exchange);
void exchange_free_all(struct worker *worker);

#endif
