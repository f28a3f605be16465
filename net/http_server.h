/* A small HTTP/1.1 server for the control side: admin API, status, metrics.
 *
 * Requests come whole (head and body, under limits) to one handler and are
 * answered when it suits, from the loop's thread; pipelined requests wait for the
 * answers before them. Not the proxy: no streaming of request bodies, no upgrade.
 * Over UNIX sockets, plain TCP and TLS. Loop's thread only. */
#ifndef GW_NET_HTTP_SERVER_H
#define GW_NET_HTTP_SERVER_H

#include "net/stream.h"

struct http_server;

struct http_field {
    struct slice name;
    struct slice value;
};

/* A request, valid until it has been answered to the end (http_server_reply or
 * http_server_reply_end). The client may be gone before; answering is then
 * without effect, and still has to be done. */
struct http_call {
    struct http_server *server;
    struct slice method; /* "GET" */
    struct slice target; /* as sent: "/v1/a?b=c" */
    struct slice path;   /* "/v1/a", as sent, percent-encoded */
    struct slice query;  /* "b=c", empty without */
    struct slice host;
    struct slice body;
    const struct http_field *fields; /* in the order sent; names as sent */
    size_t field_count;
    enum stream_transport transport;
    const struct identity *identity; /* of the client's certificate; kind NONE without */
    struct address peer;             /* size 0 for a UNIX socket */
    bool is_head;
    bool is_gone;  /* the client went away */
    void *context; /* the handler's, for what it keeps by the call */
    /* The handler's: told once when the client goes away before the answer ended. */
    void (*on_gone)(struct http_call *call);
    /* The handler's: told when a streamed answer's queue has emptied again. */
    void (*on_drain)(struct http_call *call);
};

typedef void (*http_handler_fn)(struct http_call *call, void *owner);
typedef void (*http_server_close_cb)(void *owner);

struct http_server_config {
    http_handler_fn handler;
    void *owner;
    size_t body_limit;          /* 0: 1 MiB; above: 413 */
    size_t head_limit;          /* 0: 32 KiB; above: 431 */
    unsigned connection_limit;  /* 0: 256; above: closed at once, counted */
    unsigned pipeline_limit;    /* 0: 16 requests waiting on one connection */
    uint64_t header_timeout_ms; /* 0: 10 s, from the first byte to the whole head; the
                                   body gets as long again per call: 408 */
    uint64_t idle_timeout_ms;   /* 0: 60 s between requests */
    const char *server_name;    /* Server header; NULL: none */
};

struct http_server_counts {
    uint64_t connections;         /* accepted */
    uint64_t connections_open;    /* now */
    uint64_t connections_refused; /* over the limit */
    uint64_t handshakes_failed;
    uint64_t requests;
    uint64_t requests_malformed; /* answered 400, 413, 431, 501, 505 by the server itself */
    uint64_t timeouts;
};

enum result http_server_open(uv_loop_t *loop, const struct http_server_config *config,
                             struct http_server **ret_server, struct error *err);
/* Serves a listening descriptor too (taken, also on failure). `tls` is shared;
 * NULL: plain. Up to 8 listeners. */
enum result http_server_listen(struct http_server *server, int fd, struct tls_context *tls,
                               struct error *err);
/* The certificate was renewed: the listeners with TLS use this one for new connections. */
void http_server_set_tls(struct http_server *server, struct tls_context *tls);
/* Stops listening; idle connections are closed, busy ones answer with
 * `Connection: close`. */
void http_server_drain(struct http_server *server);
/* Closes all; unanswered calls are told by on_gone and have still to be answered;
 * `closed` runs when the last connection is closed and the last call answered. */
void http_server_close(struct http_server *server, http_server_close_cb closed,
                       void *owner);
const struct http_server_counts *http_server_counts(const struct http_server *server);

/* A header field of the request by name (any case), or the empty slice with
 * data NULL. */
struct slice http_call_field(const struct http_call *call, struct slice name);
/* The value of `name` in the query, percent-decoded into `out` (a string);
 * false when it is not there, is malformed or does not fit. `?dryRun` alone gives "". */
bool http_call_query(const struct http_call *call, struct slice name, char *out,
                     size_t size);
/* Percent-decodes; false when malformed, NUL inside or too long for `out`. */
bool http_call_decode(struct slice text, char *out, size_t size);

/* Answers whole; Content-Length, Date and Connection are the server's business.
 * Everything is copied. The call is gone after it. */
void http_server_reply(struct http_call *call, unsigned status,
                       const struct http_field *fields, size_t field_count,
                       struct slice body);
/* A problem document (application/problem+json) by an error. */
void http_server_reply_error(struct http_call *call, const struct error *err);
/* Answers in pieces (server-sent events, long listings): chunked to HTTP/1.1. */
void http_server_reply_begin(struct http_call *call, unsigned status,
                             const struct http_field *fields, size_t field_count);
/* GW_LIMIT when the client reads too slowly (nothing was taken), GW_CLOSED when gone. */
enum result http_server_reply_write(struct http_call *call, struct slice data);
/* Bytes of the answer that wait for the client. */
size_t http_server_reply_queued(struct http_call *call);
void http_server_reply_end(struct http_call *call);

#endif
