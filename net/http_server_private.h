/* Inside the HTTP server: shared by its rooms, http_server.c (listeners, connections,
 * time), http_intake.c (requests) and http_answer.c. */
#ifndef GW_NET_HTTP_SERVER_PRIVATE_H
#define GW_NET_HTTP_SERVER_PRIVATE_H

#include "net/http_server.h"

#include "http/chunked.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"
#include "net/listener.h"
#include "net/loop.h"

#define LISTENERS_MAX 8
#define QUEUE_HIGH    (1024 * 1024) /* above: no more requests, no more pieces */

struct http_server {
    uv_loop_t *uv;
    struct http_server_config config;
    struct loop loop; /* the connections' timers */
    struct listener listeners[LISTENERS_MAX];
    struct tls_context *tls[LISTENERS_MAX]; /* shared; NULL: plain */
    unsigned listener_count;
    unsigned listeners_open;
    struct list_link connections;
    unsigned connections_held; /* until their streams are closed */
    unsigned calls_held;       /* not answered yet */
    struct http_server_counts counts;
    struct http_date date;
    http_server_close_cb closed;
    void *closed_owner;
    bool draining;
    bool closing;
    bool loop_closing;
    bool loop_closed;
};

enum connection_phase { PHASE_NONE, PHASE_IDLE, PHASE_HEAD, PHASE_BODY, PHASE_BROKEN };

struct connection {
    struct list_link link;
    struct http_server *server;
    struct stream *stream; /* owned; NULL: closing */
    struct wheel_timer timer;
    enum connection_phase phase; /* what the timer waits for */
    size_t stalled_bytes;        /* queued when the idle timer was set */
    struct buffer input; /* from the start of a head, or of what is left of a body */
    struct h1_parse parse;
    struct http_message message;
    struct http_header headers[H1_HEADERS_DEFAULT];
    struct call *reading; /* owned; its head is read, its body is not */
    struct chunked chunked;
    uint64_t body_left;
    bool body_chunked;
    struct list_link calls; /* in line for answers */
    unsigned call_count;
    bool last_read;  /* reads no further request: an error, or a close was agreed */
    bool peer_ended; /* the client sends no more */
    bool processing;
    bool paused;
};

struct call {
    struct http_call public;
    struct list_link link;
    struct connection *connection; /* NULL: gone */
    struct identity identity;
    struct buffer body;
    struct buffer answer; /* waits for its turn */
    bool begun;           /* the head of the answer is written */
    bool ended;           /* the answer is whole */
    bool chunked;
    bool keep_alive; /* what the client wants */
    bool is_1_0;
    bool continue_due; /* 100 Continue is awaited */
    struct http_field fields[];
};

struct call *call_of(struct http_call *public);
void call_free(struct call *call);

/* After what stands in line has gone out, or with an answer cut off. */
void connection_close(struct connection *connection, bool gently);
void connection_break(struct connection *connection);
/* Sets the timer to what is waited for now. */
void connection_choose_phase(struct connection *connection);

/* Reads requests out of the input, as far as it goes. */
void connection_process(struct connection *connection);
/* Answers with an error that is not a handler's, and reads no further request. */
void connection_refuse(struct connection *connection, unsigned status, const char *what);

/* What may go out now, in order. */
void connection_send_answers(struct connection *connection);
bool call_has_body(const struct call *call, unsigned status);
void call_write_head(struct call *call, unsigned status, const struct http_field *fields,
                     size_t field_count, size_t size);
void http_write_problem(struct buffer *out, unsigned status, enum result code,
                        const char *detail);

#endif
