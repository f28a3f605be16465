/* Talking to the admin API: blocking HTTP/1.1 over the UNIX socket or TLS.
 *
 * Endpoints are tried in turn until one is reached. A write carries an
 * Idempotency-Key, so asking again after an unknown outcome carries it out
 * once; that is done until the timeout. */
#ifndef GW_CLI_CLIENT_H
#define GW_CLI_CLIENT_H

#include "base/buffer.h"
#include "cli/command.h"
#include "model/value.h"

struct client;

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
    uint64_t idle_ms; /* an answer without end: how long it may be silent; 0: a whole one */
    const char *after; /* of events: the id of the last one that was taken, or "" */
};

/* Finds the endpoints and credentials of the invocation. After a sentence on
 * stderr returns an exit code. */
int client_open(const struct invocation *invocation, struct client **ret_client);
void client_close(struct client *client);

/* GW_OK when there was an answer, whatever its status. */
enum result client_call(struct client *client, const struct call *call,
                        struct answer *ret_answer, struct error *err);
/* The same for an answer without end. One that is cut off, or that an endpoint refuses for
 * now, is asked of the next until each had its turn; `after` is read anew. GW_OK: it ended,
 * or was refused; the next call begins behind the endpoint that did. */
enum result client_follow(struct client *client, const struct call *call,
                          struct answer *ret_answer, struct error *err);
void answer_free(struct answer *answer);
/* Prints the problem document of an answer that is no success: as JSON with -o json, else
 * as sentences with the next step. Returns the exit code. */
int answer_fail(const struct invocation *invocation, const struct answer *answer);

/* The usual: opens, calls, complains. EXIT_OK: *ret_answer is to be freed. */
int client_get(const struct invocation *invocation, struct slice target,
               struct answer *ret_answer);
/* Likewise of a write; what is wrong with the answer is said, too. */
int client_post(struct invocation *invocation, struct slice target, struct slice body,
                struct answer *ret_answer);
/* Appends text to a target, percent-encoded. */
void target_encode(struct buffer *target, struct slice text);

#endif
