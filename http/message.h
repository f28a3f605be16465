/* An HTTP message head: what the parsers fill and the proxy reads.
 *
 * Everything in it is a slice of the bytes it was parsed from, so it is valid
 * as long as those are. The header array is the caller's. One thread. */
#ifndef GW_HTTP_MESSAGE_H
#define GW_HTTP_MESSAGE_H

#include "base/slice.h"

/* X(name, text). Methods are case-sensitive (RFC 9110 §9.1). */
#define HTTP_METHODS(X)   \
    X(GET, "GET")         \
    X(HEAD, "HEAD")       \
    X(POST, "POST")       \
    X(PUT, "PUT")         \
    X(DELETE, "DELETE")   \
    X(PATCH, "PATCH")     \
    X(OPTIONS, "OPTIONS") \
    X(TRACE, "TRACE")     \
    X(CONNECT, "CONNECT")

enum http_method {
    HTTP_METHOD_OTHER,
#define X(name, text) HTTP_METHOD_##name,
    HTTP_METHODS(X)
#undef X
        HTTP_METHOD_COUNT
};

/* X(name, text in lower case). The headers the gateway itself deals with;
 * resolved once, at parse. New ones go anywhere in the list, and into the
 * switch of message.c (its test walks this list). */
#define HTTP_HEADER_IDS(X)                        \
    X(ACCEPT, "accept")                           \
    X(ACCEPT_ENCODING, "accept-encoding")         \
    X(AGE, "age")                                 \
    X(AUTHORIZATION, "authorization")             \
    X(CACHE_CONTROL, "cache-control")             \
    X(CONNECTION, "connection")                   \
    X(CONTENT_ENCODING, "content-encoding")       \
    X(CONTENT_LENGTH, "content-length")           \
    X(CONTENT_TYPE, "content-type")               \
    X(COOKIE, "cookie")                           \
    X(DATE, "date")                               \
    X(ETAG, "etag")                               \
    X(EXPECT, "expect")                           \
    X(EXPIRES, "expires")                         \
    X(FORWARDED, "forwarded")                     \
    X(HOST, "host")                               \
    X(IDEMPOTENCY_KEY, "idempotency-key")         \
    X(IF_MATCH, "if-match")                       \
    X(IF_MODIFIED_SINCE, "if-modified-since")     \
    X(IF_NONE_MATCH, "if-none-match")             \
    X(KEEP_ALIVE, "keep-alive")                   \
    X(LAST_MODIFIED, "last-modified")             \
    X(LOCATION, "location")                       \
    X(MAX_FORWARDS, "max-forwards")               \
    X(ORIGIN, "origin")                           \
    X(PROXY_AUTHENTICATE, "proxy-authenticate")   \
    X(PROXY_AUTHORIZATION, "proxy-authorization") \
    X(PROXY_CONNECTION, "proxy-connection")       \
    X(RANGE, "range")                             \
    X(RETRY_AFTER, "retry-after")                 \
    X(SERVER, "server")                           \
    X(SET_COOKIE, "set-cookie")                   \
    X(TE, "te")                                   \
    X(TRACEPARENT, "traceparent")                 \
    X(TRACESTATE, "tracestate")                   \
    X(TRAILER, "trailer")                         \
    X(TRANSFER_ENCODING, "transfer-encoding")     \
    X(UPGRADE, "upgrade")                         \
    X(USER_AGENT, "user-agent")                   \
    X(VARY, "vary")                               \
    X(VIA, "via")                                 \
    X(WWW_AUTHENTICATE, "www-authenticate")       \
    X(X_FORWARDED_FOR, "x-forwarded-for")         \
    X(X_FORWARDED_HOST, "x-forwarded-host")       \
    X(X_FORWARDED_PORT, "x-forwarded-port")       \
    X(X_FORWARDED_PREFIX, "x-forwarded-prefix")   \
    X(X_FORWARDED_PROTO, "x-forwarded-proto")     \
    X(X_REAL_IP, "x-real-ip")                     \
    X(X_REQUEST_ID, "x-request-id")

enum http_header_id {
    HTTP_HEADER_OTHER,
#define X(name, text) HTTP_HEADER_##name,
    HTTP_HEADER_IDS(X)
#undef X
        HTTP_HEADER_COUNT
};

/* Ends at this hop: one of RFC 9110 §7.6.1's, or named by Connection. A
 * gateway drops it and writes its own Host, framing and Connection. */
#define HTTP_HEADER_HOP_BY_HOP 1u
/* Its name has '_', which CGI-like upstreams take for '-': X_Forwarded_For. */
#define HTTP_HEADER_UNDERSCORE 2u

struct http_header {
    struct slice name;  /* as sent */
    struct slice value; /* without white space at its ends */
    uint8_t id;         /* enum http_header_id */
    uint8_t flags;
};

enum http_framing {
    HTTP_FRAMING_NONE,       /* no body */
    HTTP_FRAMING_LENGTH,     /* content_length bytes */
    HTTP_FRAMING_CHUNKED,    /* see http/chunked.h */
    HTTP_FRAMING_UNTIL_CLOSE /* responses only */
};

enum http_target_form { HTTP_TARGET_ORIGIN, HTTP_TARGET_ABSOLUTE, HTTP_TARGET_ASTERISK };

#define HTTP_HEADERS_MAX 250 /* more than any limit; indices fit a byte */

struct http_message {
    struct http_header *headers; /* borrowed array */
    size_t header_count;
    size_t header_capacity; /* <= HTTP_HEADERS_MAX */
    /* 1 + index of the first header of an id, 0: none. */
    uint8_t first[HTTP_HEADER_COUNT];

    /* Requests. */
    uint8_t method; /* enum http_method */
    uint8_t target_form;
    struct slice method_name;
    struct slice target; /* as sent */
    /* From the target: path begins with '/', but for "*" in OPTIONS. */
    struct slice path;
    struct slice query; /* without '?'; data NULL: there was no '?' */
    /* The Host header, which an absolute target was checked to equal. With
     * port, case as sent. Empty only in HTTP/1.0 without Host. */
    struct slice host;

    /* Responses. */
    unsigned status;
    struct slice reason;

    /* Both. */
    uint8_t minor;   /* HTTP/1.minor: 0 or 1 */
    uint8_t framing; /* enum http_framing */
    bool has_length; /* a Content-Length stood there, perhaps with framing none (HEAD, 304)
                      */
    bool keep_alive; /* the sender means to go on after this message */
    bool upgrade;    /* "Connection: upgrade" and an Upgrade header, in HTTP/1.1 */
    bool expect_continue;
    bool expect_unknown; /* an expectation other than that: 417, RFC 9110 §10.1.1 */
    bool te_trailers;    /* "TE: trailers" */
    bool te_listed;      /* by Connection; else it may come from behind a hop that knows
                            nothing of it (RFC 9110 §10.1.4) */
    uint64_t content_length;
    size_t head_size; /* bytes of the head, its last CRLF included */
};

/* Empties; `headers` is kept by the message until it is parsed anew. */
void message_init(struct http_message *message, struct http_header *headers,
                  size_t capacity);
/* The first header of the id, or NULL. O(1). */
static inline const struct http_header *message_header(const struct http_message *message,
                                                       enum http_header_id id)
{
    unsigned index = message->first[id];
    return index == 0 ? NULL : &message->headers[index - 1];
}
/* Its value; empty (data NULL) when there is none. */
struct slice message_value(const struct http_message *message, enum http_header_id id);
/* By name, any case; `after` NULL: the first, else the next after it. */
const struct http_header *message_find(const struct http_message *message,
                                       struct slice name, const struct http_header *after);
/* Adds one, as a parser does (id, first[], underscore flag; always-hop-by-hop
 * flag). False when the array is full. */
bool message_add(struct http_message *message, struct slice name, struct slice value);

/* `name` must be a token: letters are folded by setting a bit. */
enum http_header_id http_header_id_of(struct slice name);
/* In lower case; "" for OTHER. */
struct slice http_header_name(enum http_header_id id);
bool http_header_is_hop_by_hop(enum http_header_id id);
enum http_method http_method_of(struct slice name);
struct slice http_method_name(enum http_method method);
/* RFC 9110 §9.2: may be repeated without further effect. */
bool http_method_is_idempotent(enum http_method method);
/* "Not Found"; empty for a status without a name. */
struct slice http_status_text(unsigned status);

#endif
