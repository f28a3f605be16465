/* Why the gateway itself answered: the reason words of the contract, each with
 * its HTTP status and a sentence. The same in header, body, metrics and log. */
#ifndef GW_NODE_PROXY_REASON_H
#define GW_NODE_PROXY_REASON_H

#include "base/slice.h"

/* X(name, HTTP status, word, detail) */
#define REASONS(X)                                                                        \
    X(NONE, 200, "", "")                                                                  \
    X(BAD_REQUEST, 400, "bad_request", "the request is not valid HTTP")                   \
    X(NO_ROUTE, 404, "no_route", "no route matches this host and path")                   \
    X(METHOD_NOT_ALLOWED, 405, "method_not_allowed", "the route takes other methods")     \
    X(BODY_TOO_LARGE, 413, "body_too_large", "the request body is over the limit")        \
    X(TARGET_TOO_LONG, 414, "target_too_long", "the request target is over the limit")    \
    X(EXPECTATION, 417, "bad_request", "the expectation is not known")                    \
    X(HEADER_TOO_LARGE, 431, "header_too_large", "the headers are over the limit")        \
    X(CLIENT_CLOSED, 499, "client_closed", "the client went away")                        \
    X(UPSTREAM_CONNECT, 502, "upstream_connect", "no connection to the upstream")         \
    X(UPSTREAM_RESET, 502, "upstream_reset", "the upstream closed the connection")        \
    X(UPSTREAM_INVALID, 502, "upstream_invalid", "the upstream sent no valid HTTP")       \
    X(NO_ENDPOINT, 503, "no_endpoint", "the service has no endpoint to use")              \
    X(OVERLOADED, 503, "overloaded", "the gateway is at a limit")                         \
    X(BULKHEAD_FULL, 503, "bulkhead_full", "too many requests are under way and waiting") \
    X(UPSTREAM_TIMEOUT, 504, "upstream_timeout", "the upstream did not answer in time")   \
    X(MAINTENANCE, 503, "maintenance", "the route is closed for a while")                 \
    X(REQUEST_TIMEOUT, 504, "request_timeout", "the request took too long")               \
    X(QUEUE_TIMEOUT, 504, "queue_timeout", "the request waited too long for its turn")

enum reason {
#define X(name, status, word, detail) REASON_##name,
    REASONS(X)
#undef X
        REASON_COUNT
};

struct reason_text {
    unsigned status;
    struct slice word;
    struct slice detail;
};

/* The entry of a reason. */
const struct reason_text *reason_text(enum reason reason);
/* By word, as parsers give it; BAD_REQUEST for an unknown one. */
enum reason reason_from_word(const char *word);

#endif
