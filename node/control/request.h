/* One request to the admin API, from wherever it came: this node's socket or TLS
 * port, or another node that forwarded it. Handlers see only this; one answer
 * ends it. Control thread. */
#ifndef GW_NODE_REQUEST_H
#define GW_NODE_REQUEST_H

#include "model/form.h"
#include "model/problem_document.h"
#include "node/control/room.h"

#define REQUEST_PATH_PARTS 5
#define REQUEST_TRIES      5

struct request;
struct admin_route;
typedef void (*request_fn)(struct request *request);

struct request {
    struct list_link link;
    struct list_link lag_link; /* while it waits for an index, or for others to serve */
    struct control *control;
    struct http_call *call;             /* or */
    struct member_forwarded *forwarded; /* from another node; never forwarded again */
    struct arena arena;

    /* Borrowed from the call or the forwarded payload. */
    struct slice method, path, query, body;
    struct slice if_match, if_none_match, idempotency_key, content_type;
    struct slice actor;                     /* "admin:ann", "socket" */
    struct slice parts[REQUEST_PATH_PARTS]; /* of the path behind /v1, decoded */
    size_t part_count;
    bool is_stale; /* ?consistency=stale */
    const struct admin_route *route;

    uint64_t began_ms, deadline_ms;
    unsigned tries;
    request_fn next; /* after what is waited for */
    uint64_t wait_index;
    uv_timer_t *timer; /* a pause before the next try */

    /* For the answer. */
    char etag[24];
    char allow[64];            /* of 405 */
    uint64_t revision;         /* header gw-revision; 0: this node's */
    struct problems *problems; /* borrowed */
    const struct slice *changed;
    size_t changed_count;

    struct write *write; /* owned */
    struct job job;
    struct buffer out;      /* the body, where a job writes it */
    struct buffer prepared; /* the body of a write that was made here: rollback.c */
    request_fn again;       /* where that has to be made once more */
    struct error err;
    struct slice selector;
    enum kind kind;

    /* laggards.c */
    uint64_t wait_ms, wait_revision;
    struct slice wait_region; /* empty: all */
    uint64_t *awaited;        /* node ids, in the arena */
    size_t awaited_count;
    struct slice laggards;    /* names, for the answer's header; empty: none */
    struct slice quarantined; /* the same */
};

/* From the HTTP server. */
struct request *request_from_call(struct control *control, struct http_call *call,
                                  struct slice actor);
/* From another node: takes `forwarded`. NULL: it did not decode, and is answered. */
struct request *request_from_forwarded(struct control *control,
                                       struct member_forwarded *forwarded);
/* A query parameter, decoded into the arena; false when absent. A bare name is "". */
bool request_query(struct request *request, const char *name, struct slice *ret_value);
bool request_flag(struct request *request, const char *name);
/* The body of a request that is read by hand, as `form` says; NULL: answered already. */
const struct value *request_form(struct request *request, const struct form *form);
/* Milliseconds left until the deadline. */
uint64_t request_left_ms(const struct request *request);

/* Each ends the request and frees it. */
void request_reply(struct request *request, unsigned status, struct slice body);
void request_fail(struct request *request, enum result code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void request_fail_error(struct request *request, const struct error *err);
/* {"changed": …}: of a write that says no more. */
void request_reply_changed(struct request *request, bool changed);
/* For control_call: a proposal that changed something, or request_fail_call. `owner` is
 * the request. */
void request_changed(struct control_call *call);
/* As request_changed, where something went: the answer is {}. */
void request_removed(struct control_call *call);
/* A proposal came back with what is no success: its sentence, or another try where the
 * leader moved. The call stays the caller's. */
void request_fail_call(struct request *request, const struct control_call *call);
/* 503 no_quorum, with who is reachable and since when the others are not. */
void request_fail_no_quorum(struct request *request);

/* Ends the request without an answer: that is the caller's from now on, in pieces. Only of
 * a request that came here itself. */
struct http_call *request_detach(struct request *request);

/* Runs `next` on this node once it may answer linearizably: passes a barrier at the
 * leader and waits until that index is visible here. Stale requests go on at once. */
void request_linearize(struct request *request, request_fn next);
/* Runs `next` if this node leads; else the request goes to the leader, whole, and its
 * answer is this one's. */
void request_at_leader(struct request *request, request_fn next);
/* Starts over after a short while: leadership moved. */
void request_try_again(struct request *request, request_fn next);

/* For catalog_source.c: more is visible. */
void request_visible(struct control *control);

#endif
