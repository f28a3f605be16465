/* Parses HTTP/1 heads, strictly (RFC 9112): what the RFC calls invalid is
 * refused, and so is what two implementations have been seen to read
 * differently.
 *
 * Works on the read buffer in place and over a head that comes in pieces: call
 * again with all bytes since the head began, once there are more. The bytes
 * may have moved between calls; lines parsed are not looked at again. No
 * allocation. One thread. Errors: a result of its own for each answer; after
 * one the connection is to be closed, as its framing is lost. */
#ifndef GW_HTTP_H1_PARSE_H
#define GW_HTTP_H1_PARSE_H

#include "http/message.h"

/* X(name, HTTP status, reason word of the contract) */
#define H1_RESULTS(X)                                                         \
    X(H1_DONE, 200, "")                                                       \
    X(H1_MORE, 200, "")                                                       \
    X(H1_BAD, 400, "bad_request")                                             \
    X(H1_CONNECT, 405, "method_not_allowed")                                  \
    X(H1_TARGET_TOO_LONG, 414, "target_too_long")                             \
    X(H1_HEADER_TOO_LARGE, 431, "header_too_large")                           \
    X(H1_NOT_IMPLEMENTED, 501, "bad_request") /* method or transfer coding */ \
    X(H1_VERSION, 505, "bad_request")

enum h1_result {
#define X(name, status, reason) name,
    H1_RESULTS(X)
#undef X
        H1_RESULT_COUNT
};

struct h1_limits {
    size_t head_bytes;   /* start line, headers, line ends */
    size_t target_bytes; /* of the request target */
    /* The number of headers: the capacity of the array given. */
};

#define H1_LIMITS_DEFAULT  ((struct h1_limits){.head_bytes = 32768, .target_bytes = 8192})
#define H1_HEADERS_DEFAULT 100

/* Where a parse stands; embed it beside the message. */
struct h1_parse {
    uintptr_t base;  /* where the bytes were at the last call */
    size_t at;       /* start of the first line not yet parsed */
    size_t scanned;  /* bytes known to hold no further line end */
    bool past_start; /* the start line is parsed */
    bool skipped_empty;
};

/* Also empties the message: call before each head. */
void h1_parse_init(struct h1_parse *parse, struct http_message *message,
                   struct http_header *headers, size_t capacity);
/* `data`: all bytes there are, from the start of the head. H1_MORE: call again
 * with more. H1_DONE: message->head_size bytes were the head. */
enum h1_result h1_parse_request(struct h1_parse *parse, struct http_message *message,
                                struct slice data, const struct h1_limits *limits);
/* `method` is that of the request it answers: it decides the framing. Interim
 * responses (1xx) are given like others: init and parse again for the next. */
enum h1_result h1_parse_response(struct h1_parse *parse, struct http_message *message,
                                 struct slice data, const struct h1_limits *limits,
                                 enum http_method method);

int h1_result_http_status(enum h1_result result);
/* A reason word of the contract; "" for H1_DONE and H1_MORE. */
const char *h1_result_reason(enum h1_result result);

#endif
