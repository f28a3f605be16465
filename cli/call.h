/* One question to the admin API and its answer: HTTP/1.1 over a connection of its own,
 * blocking. */
#ifndef GW_CLI_CALL_H
#define GW_CLI_CALL_H

#include "base/buffer.h"
#include "model/value.h"
#include "net/tls.h"

#define ANSWER_MAX (256u << 20)

/* Takes the body of a 200 piece by piece instead of keeping it. */
struct body_taker {
    void (*begin)(void *owner); /* from the start, perhaps not for the first time */
    bool (*take)(void *owner, struct slice piece, struct error *err);
    void *owner;
};

struct answer {
    int status;
    const struct body_taker *taker; /* borrowed; NULL: none */
    bool is_refused;                /* by the taker */
    char etag[32], revision[24], lag[32];
    char quarantined[1024]; /* nodes whose state is wrong */
    char laggards[1024];    /* nodes that do not serve the change yet */
    uint64_t elapsed_ms;    /* from question to answer, by send_ask */
    struct buffer body;
    struct arena arena;
    struct value *root; /* the body as a tree; NULL when it is no JSON */
};

struct call {
    const char *method;
    struct slice target;
    struct slice body; /* JSON */
    const char *if_match;
    const char *content_type; /* NULL: application/json */
    const char *request_id;   /* NULL: one is drawn for writes */
    const struct body_taker *taker;
    uint64_t hold_ms; /* the server may take so long before it answers, besides the usual */
    uint64_t idle_ms; /* an answer without end: how long it may be silent; 0: a whole one */
    const char *after; /* of events: the id of the last one that was taken, or "" */
};

/* By when, on instant_monotonic_ms: each later than the one before, or the same. */
struct call_deadlines {
    uint64_t connected_ms; /* and the handshake over */
    uint64_t begun_ms;     /* the head of the answer is here */
    uint64_t whole_ms;
};

/* Before each call_run. */
void answer_init(struct answer *answer);
void answer_free(struct answer *answer);

/* Fills `answer`, up to the tree. `tls` may be NULL where the endpoint is a socket;
 * `request_id` NULL: none. *ret_was_sent: it may have been carried out, whatever comes
 * back. GW_UNREACHABLE, GW_UNAUTHORISED or GW_FORBIDDEN where it was not. */
enum result call_run(const struct call *call, struct slice endpoint,
                     struct tls_context *tls, const char *request_id,
                     const struct call_deadlines *by, struct answer *answer,
                     bool *ret_was_sent, struct error *err);

#endif
