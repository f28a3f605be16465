/* Talking to the admin API: blocking HTTP/1.1 over the UNIX socket or TLS.
 *
 * Endpoints are tried in turn until one answers; each but the last has a share
 * of the time. A write carries an Idempotency-Key, so asking again, there or
 * elsewhere, after an unknown outcome carries it out once; that is done until
 * the timeout. What a node does not remember by that key says what shall be
 * (a role, a rotation), or is of no use when its answer was lost (a token). */
#ifndef GW_CLI_CLIENT_H
#define GW_CLI_CLIENT_H

#include "cli/call.h"
#include "cli/command.h"

struct client;

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
