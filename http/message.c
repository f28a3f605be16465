/* Message heads: names of headers and methods, finding a header.
 *
 * A name is resolved by its length, then against the few known names of that
 * length, eight bytes at a time: for a constant of known size the compiler
 * turns `is` into two or three loads and compares. */
#include "http/message.h"

#include "http/fields.h"

static inline uint64_t load(const char *p, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, p, size);
    return word;
}

/* Letters of a token fold to lower case by their bit 5, and no other token byte
 * turns into a letter, a digit or '-' by it. So comparing the folded bytes with
 * a name in lower case is exact. */
__attribute__((always_inline)) static inline bool same(const char *name, const char *lower,
                                                       size_t size)
{
    const uint64_t fold = 0x2020202020202020u;
    uint64_t difference = 0;

    if (size >= 8) {
        for (size_t i = 0; i + 8 <= size; i += 8)
            difference |= (load(name + i, 8) | fold) ^ load(lower + i, 8);
        difference |= (load(name + size - 8, 8) | fold) ^ load(lower + size - 8, 8);
    } else {
        const uint64_t mask = (UINT64_C(1) << (8 * size)) - 1;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        difference = (load(name, size) | (fold & mask)) ^ load(lower, size);
#else
        (void)mask;
        for (size_t i = 0; i < size; i++)
            difference |= (uint64_t)((name[i] | 0x20) ^ lower[i]);
#endif
    }
    return difference == 0;
}

#define IS(text) same(name.data, "" text, sizeof(text) - 1)

enum http_header_id http_header_id_of(struct slice name)
{
    switch (name.size) {
    case 2:
        return IS("te") ? HTTP_HEADER_TE : HTTP_HEADER_OTHER;
    case 3:
        if (IS("age"))
            return HTTP_HEADER_AGE;
        return IS("via") ? HTTP_HEADER_VIA : HTTP_HEADER_OTHER;
    case 4:
        if (IS("host"))
            return HTTP_HEADER_HOST;
        if (IS("date"))
            return HTTP_HEADER_DATE;
        if (IS("etag"))
            return HTTP_HEADER_ETAG;
        return IS("vary") ? HTTP_HEADER_VARY : HTTP_HEADER_OTHER;
    case 5:
        return IS("range") ? HTTP_HEADER_RANGE : HTTP_HEADER_OTHER;
    case 6:
        if (IS("accept"))
            return HTTP_HEADER_ACCEPT;
        if (IS("cookie"))
            return HTTP_HEADER_COOKIE;
        if (IS("expect"))
            return HTTP_HEADER_EXPECT;
        if (IS("origin"))
            return HTTP_HEADER_ORIGIN;
        return IS("server") ? HTTP_HEADER_SERVER : HTTP_HEADER_OTHER;
    case 7:
        if (IS("upgrade"))
            return HTTP_HEADER_UPGRADE;
        if (IS("trailer"))
            return HTTP_HEADER_TRAILER;
        return IS("expires") ? HTTP_HEADER_EXPIRES : HTTP_HEADER_OTHER;
    case 8:
        if (IS("if-match"))
            return HTTP_HEADER_IF_MATCH;
        return IS("location") ? HTTP_HEADER_LOCATION : HTTP_HEADER_OTHER;
    case 9:
        if (IS("x-real-ip"))
            return HTTP_HEADER_X_REAL_IP;
        return IS("forwarded") ? HTTP_HEADER_FORWARDED : HTTP_HEADER_OTHER;
    case 10:
        if (IS("user-agent"))
            return HTTP_HEADER_USER_AGENT;
        if (IS("connection"))
            return HTTP_HEADER_CONNECTION;
        if (IS("keep-alive"))
            return HTTP_HEADER_KEEP_ALIVE;
        if (IS("tracestate"))
            return HTTP_HEADER_TRACESTATE;
        return IS("set-cookie") ? HTTP_HEADER_SET_COOKIE : HTTP_HEADER_OTHER;
    case 11:
        if (IS("traceparent"))
            return HTTP_HEADER_TRACEPARENT;
        return IS("retry-after") ? HTTP_HEADER_RETRY_AFTER : HTTP_HEADER_OTHER;
    case 12:
        if (IS("content-type"))
            return HTTP_HEADER_CONTENT_TYPE;
        if (IS("max-forwards"))
            return HTTP_HEADER_MAX_FORWARDS;
        return IS("x-request-id") ? HTTP_HEADER_X_REQUEST_ID : HTTP_HEADER_OTHER;
    case 13:
        if (IS("authorization"))
            return HTTP_HEADER_AUTHORIZATION;
        if (IS("cache-control"))
            return HTTP_HEADER_CACHE_CONTROL;
        if (IS("if-none-match"))
            return HTTP_HEADER_IF_NONE_MATCH;
        return IS("last-modified") ? HTTP_HEADER_LAST_MODIFIED : HTTP_HEADER_OTHER;
    case 14:
        return IS("content-length") ? HTTP_HEADER_CONTENT_LENGTH : HTTP_HEADER_OTHER;
    case 15:
        if (IS("accept-encoding"))
            return HTTP_HEADER_ACCEPT_ENCODING;
        if (IS("x-forwarded-for"))
            return HTTP_HEADER_X_FORWARDED_FOR;
        return IS("idempotency-key") ? HTTP_HEADER_IDEMPOTENCY_KEY : HTTP_HEADER_OTHER;
    case 16:
        if (IS("content-encoding"))
            return HTTP_HEADER_CONTENT_ENCODING;
        if (IS("x-forwarded-host"))
            return HTTP_HEADER_X_FORWARDED_HOST;
        if (IS("x-forwarded-port"))
            return HTTP_HEADER_X_FORWARDED_PORT;
        if (IS("proxy-connection"))
            return HTTP_HEADER_PROXY_CONNECTION;
        return IS("www-authenticate") ? HTTP_HEADER_WWW_AUTHENTICATE : HTTP_HEADER_OTHER;
    case 17:
        if (IS("x-forwarded-proto"))
            return HTTP_HEADER_X_FORWARDED_PROTO;
        if (IS("transfer-encoding"))
            return HTTP_HEADER_TRANSFER_ENCODING;
        return IS("if-modified-since") ? HTTP_HEADER_IF_MODIFIED_SINCE : HTTP_HEADER_OTHER;
    case 18:
        if (IS("x-forwarded-prefix"))
            return HTTP_HEADER_X_FORWARDED_PREFIX;
        return IS("proxy-authenticate") ? HTTP_HEADER_PROXY_AUTHENTICATE
                                        : HTTP_HEADER_OTHER;
    case 19:
        return IS("proxy-authorization") ? HTTP_HEADER_PROXY_AUTHORIZATION
                                         : HTTP_HEADER_OTHER;
    default:
        return HTTP_HEADER_OTHER;
    }
}

static const struct slice header_names[HTTP_HEADER_COUNT] = {[HTTP_HEADER_OTHER] = {"", 0},
#define X(name, text) [HTTP_HEADER_##name] = {text, sizeof(text) - 1},
                                                             HTTP_HEADER_IDS(X)
#undef X
};

static const struct slice method_names[HTTP_METHOD_COUNT] = {[HTTP_METHOD_OTHER] = {"", 0},
#define X(name, text) [HTTP_METHOD_##name] = {text, sizeof(text) - 1},
                                                             HTTP_METHODS(X)
#undef X
};

struct slice http_header_name(enum http_header_id id)
{
    return header_names[id];
}

bool http_header_is_hop_by_hop(enum http_header_id id)
{
    switch (id) {
    case HTTP_HEADER_CONNECTION:
    case HTTP_HEADER_KEEP_ALIVE:
    case HTTP_HEADER_PROXY_AUTHENTICATE:
    case HTTP_HEADER_PROXY_AUTHORIZATION:
    case HTTP_HEADER_PROXY_CONNECTION:
    case HTTP_HEADER_TE:
    case HTTP_HEADER_TRAILER:
    case HTTP_HEADER_TRANSFER_ENCODING:
    case HTTP_HEADER_UPGRADE:
        return true;
    default:
        return false;
    }
}

enum http_method http_method_of(struct slice name)
{
    for (unsigned i = 1; i < HTTP_METHOD_COUNT; i++)
        if (slice_equal(name, method_names[i]))
            return (enum http_method)i;
    return HTTP_METHOD_OTHER;
}

struct slice http_method_name(enum http_method method)
{
    return method_names[method];
}

bool http_method_is_idempotent(enum http_method method)
{
    switch (method) {
    case HTTP_METHOD_GET:
    case HTTP_METHOD_HEAD:
    case HTTP_METHOD_PUT:
    case HTTP_METHOD_DELETE:
    case HTTP_METHOD_OPTIONS:
    case HTTP_METHOD_TRACE:
        return true;
    default:
        return false;
    }
}

/* RFC 9110 §15 and the registry. */
struct slice http_status_text(unsigned status)
{
    switch (status) {
#define S(number, text) \
    case number:        \
        return SLICE(text)
        S(100, "Continue");
        S(101, "Switching Protocols");
        S(102, "Processing");
        S(103, "Early Hints");
        S(200, "OK");
        S(201, "Created");
        S(202, "Accepted");
        S(203, "Non-Authoritative Information");
        S(204, "No Content");
        S(205, "Reset Content");
        S(206, "Partial Content");
        S(207, "Multi-Status");
        S(208, "Already Reported");
        S(226, "IM Used");
        S(300, "Multiple Choices");
        S(301, "Moved Permanently");
        S(302, "Found");
        S(303, "See Other");
        S(304, "Not Modified");
        S(305, "Use Proxy");
        S(307, "Temporary Redirect");
        S(308, "Permanent Redirect");
        S(400, "Bad Request");
        S(401, "Unauthorized");
        S(402, "Payment Required");
        S(403, "Forbidden");
        S(404, "Not Found");
        S(405, "Method Not Allowed");
        S(406, "Not Acceptable");
        S(407, "Proxy Authentication Required");
        S(408, "Request Timeout");
        S(409, "Conflict");
        S(410, "Gone");
        S(411, "Length Required");
        S(412, "Precondition Failed");
        S(413, "Content Too Large");
        S(414, "URI Too Long");
        S(415, "Unsupported Media Type");
        S(416, "Range Not Satisfiable");
        S(417, "Expectation Failed");
        S(418, "I'm a teapot");
        S(421, "Misdirected Request");
        S(422, "Unprocessable Content");
        S(423, "Locked");
        S(424, "Failed Dependency");
        S(425, "Too Early");
        S(426, "Upgrade Required");
        S(428, "Precondition Required");
        S(429, "Too Many Requests");
        S(431, "Request Header Fields Too Large");
        S(451, "Unavailable For Legal Reasons");
        S(500, "Internal Server Error");
        S(501, "Not Implemented");
        S(502, "Bad Gateway");
        S(503, "Service Unavailable");
        S(504, "Gateway Timeout");
        S(505, "HTTP Version Not Supported");
        S(506, "Variant Also Negotiates");
        S(507, "Insufficient Storage");
        S(508, "Loop Detected");
        S(511, "Network Authentication Required");
#undef S
    default:
        return (struct slice){"", 0};
    }
}

void message_init(struct http_message *message, struct http_header *headers,
                  size_t capacity)
{
    memset(message, 0, sizeof *message);
    message->headers = headers;
    message->header_capacity = capacity < HTTP_HEADERS_MAX ? capacity : HTTP_HEADERS_MAX;
}

struct slice message_value(const struct http_message *message, enum http_header_id id)
{
    const struct http_header *header = message_header(message, id);
    return header == NULL ? (struct slice){NULL, 0} : header->value;
}

const struct http_header *message_find(const struct http_message *message,
                                       struct slice name, const struct http_header *after)
{
    size_t i = after == NULL ? 0 : (size_t)(after - message->headers) + 1;
    for (; i < message->header_count; i++)
        if (slice_equal_nocase(message->headers[i].name, name))
            return &message->headers[i];
    return NULL;
}

bool message_add(struct http_message *message, struct slice name, struct slice value)
{
    if (message->header_count == message->header_capacity)
        return false;
    struct http_header *header = &message->headers[message->header_count++];
    enum http_header_id id = http_header_id_of(name);
    header->name = name;
    header->value = value;
    header->id = (uint8_t)id;
    header->flags = 0;
    if (id == HTTP_HEADER_OTHER) {
        if (memchr(name.data, '_', name.size) != NULL)
            header->flags |= HTTP_HEADER_UNDERSCORE;
        return true;
    }
    if (http_header_is_hop_by_hop(id))
        header->flags |= HTTP_HEADER_HOP_BY_HOP;
    if (message->first[id] == 0)
        message->first[id] = (uint8_t)message->header_count;
    return true;
}
