/* The strict HTTP/1 head parser.
 *
 * It goes line by line over the bytes, each error found at its first byte, so
 * that a head in pieces gets the same answer as one in a piece. A line that is
 * not yet whole is parsed anew once its LF has come, and only then: for the
 * bytes between, memchr looks once. So each byte is touched at most three
 * times however it is dripped in.
 *
 * What the head means for framing (RFC 9112 §6) is settled when it is whole,
 * in one pass over the headers. The price of strictness: a few old or broken
 * peers get a 400 that others would have guessed at. */
#include "http/h1_parse.h"

#include "http/fields.h"
#include "http/uri.h"

#define METHOD_MAX             32u /* RFC 9112 §3: longer than any we know: 501 */
#define VERSION_SIZE           8u  /* "HTTP/1.1" */
#define CONNECTION_OPTIONS_MAX 64u /* each is compared with every header */

/* The bytes of a line yet to be read. */
struct cursor {
    const char *at;
    const char *end;
};

static struct slice rest_of(const struct cursor *cursor)
{
    return (struct slice){cursor->at, (size_t)(cursor->end - cursor->at)};
}

/* "HTTP/1.0" or "HTTP/1.1", then `tail`, byte by byte so that a short line is
 * refused at its wrong byte rather than waited for. */
static enum h1_result read_version(struct cursor *cursor, struct slice tail,
                                   uint8_t *ret_minor)
{
    static const char pattern[] = "HTTP/d.d";
    const char *at = cursor->at;

    for (size_t i = 0; i < VERSION_SIZE + tail.size; i++) {
        if (at + i == cursor->end)
            return H1_MORE;
        char wanted = i < VERSION_SIZE ? pattern[i] : tail.data[i - VERSION_SIZE];
        bool right = wanted == 'd' ? at[i] >= '0' && at[i] <= '9' : at[i] == wanted;
        if (!right)
            return H1_BAD;
    }
    if (at[5] != '1' || at[7] > '1')
        return H1_VERSION;
    *ret_minor = (uint8_t)(at[7] - '0');
    cursor->at = at + VERSION_SIZE + tail.size;
    return H1_DONE;
}

static enum h1_result read_request_line(struct cursor *cursor, struct http_message *message,
                                        const struct h1_limits *limits)
{
    const char *at = cursor->at, *end = cursor->end, *begin = at;

    while (at < end && fields_is(*at, FIELDS_TOKEN))
        at++;
    if ((size_t)(at - begin) > METHOD_MAX)
        return H1_NOT_IMPLEMENTED;
    if (at == end)
        return H1_MORE;
    if (*at != ' ' || at == begin)
        return H1_BAD;
    message->method_name = slice_of(begin, (size_t)(at - begin));

    cursor->at = begin = ++at;
    at += uri_target_span(rest_of(cursor));
    if ((size_t)(at - begin) > limits->target_bytes)
        return H1_TARGET_TOO_LONG;
    if (at == end)
        return H1_MORE;
    if (*at != ' ' || at == begin)
        return H1_BAD;
    message->target = slice_of(begin, (size_t)(at - begin));

    cursor->at = at + 1;
    enum h1_result result = read_version(cursor, SLICE("\r\n"), &message->minor);
    if (result != H1_DONE)
        return result;
    message->method = (uint8_t)http_method_of(message->method_name);
    return message->method == HTTP_METHOD_CONNECT ? H1_CONNECT : H1_DONE;
}

/* CR LF, and nothing else, ends a line. */
static enum h1_result read_line_end(struct cursor *cursor)
{
    if (cursor->at == cursor->end)
        return H1_MORE;
    if (*cursor->at != '\r')
        return H1_BAD;
    if (cursor->at + 1 == cursor->end)
        return H1_MORE;
    if (cursor->at[1] != '\n')
        return H1_BAD;
    cursor->at += 2;
    return H1_DONE;
}

static enum h1_result read_status_line(struct cursor *cursor, struct http_message *message)
{
    enum h1_result result = read_version(cursor, SLICE(" "), &message->minor);
    if (result != H1_DONE)
        return result;
    unsigned status = 0;
    for (int i = 0; i < 3; i++, cursor->at++) {
        if (cursor->at == cursor->end)
            return H1_MORE;
        if (*cursor->at < '0' || *cursor->at > '9')
            return H1_BAD;
        status = status * 10 + (unsigned)(*cursor->at - '0');
    }
    if (status < 100 || status > 599)
        return H1_BAD;
    message->status = status;
    /* The SP before an empty reason is left out by enough servers, and its
     * absence misleads nobody. */
    if (cursor->at < cursor->end && *cursor->at == ' ') {
        cursor->at++;
        size_t span = fields_value_span(rest_of(cursor));
        message->reason = slice_of(cursor->at, span);
        cursor->at += span;
    }
    return read_line_end(cursor);
}

/* One header; H1_DONE with *ret_last at the empty line. */
static enum h1_result read_header(struct cursor *cursor, struct http_message *message,
                                  bool *ret_last)
{
    const char *at = cursor->at, *end = cursor->end, *begin = at;

    if (at == end)
        return H1_MORE;
    if (*at == '\r') {
        *ret_last = true;
        return read_line_end(cursor);
    }
    if (message->header_count == message->header_capacity)
        return H1_HEADER_TOO_LARGE;
    while (at < end && fields_is(*at, FIELDS_TOKEN))
        at++;
    if (at == end)
        return H1_MORE;
    /* A space before the colon, a folded line, no name, no colon: all here. */
    if (*at != ':' || at == begin)
        return H1_BAD;
    struct slice name = slice_of(begin, (size_t)(at - begin));

    at++;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    cursor->at = at;
    struct slice value = slice_of(at, fields_value_span(rest_of(cursor)));
    cursor->at += value.size;
    enum h1_result result = read_line_end(cursor);
    if (result != H1_DONE)
        return result;
    message_add(message, name, slice_trim(value));
    return H1_DONE;
}

static void move(struct slice *s, uintptr_t by)
{
    if (s->data != NULL)
        s->data = (const char *)((uintptr_t)s->data + by);
}

/* The bytes have moved: so must what points at them. */
static void rebase(struct h1_parse *parse, struct http_message *message, struct slice data)
{
    uintptr_t by = (uintptr_t)data.data - parse->base;
    if (parse->base != 0 && by != 0 && parse->past_start) {
        move(&message->method_name, by);
        move(&message->target, by);
        move(&message->reason, by);
        for (size_t i = 0; i < message->header_count; i++) {
            move(&message->headers[i].name, by);
            move(&message->headers[i].value, by);
        }
    }
    parse->base = (uintptr_t)data.data;
}

/* Whether bytes new since the last call could finish, or doom, the line. */
static bool is_worth_parsing(const struct h1_parse *parse, struct slice data,
                             const struct h1_limits *limits)
{
    if (parse->scanned <= parse->at)
        return true;
    if (!parse->past_start && data.size - parse->at > METHOD_MAX + 1 + limits->target_bytes)
        return true;
    /* A CR must have its LF next. */
    if (data.data[parse->scanned - 1] == '\r')
        return true;
    return slice_find_byte(slice_from(data, parse->scanned), '\n') != SIZE_MAX;
}

static enum h1_result parse_lines(struct h1_parse *parse, struct http_message *message,
                                  struct slice data, const struct h1_limits *limits,
                                  bool is_request)
{
    bool at_limit = data.size >= limits->head_bytes;
    bool last = false;

    rebase(parse, message, data);
    data = slice_sub(data, 0, limits->head_bytes);
    if (!at_limit && !is_worth_parsing(parse, data, limits)) {
        parse->scanned = data.size;
        return H1_MORE;
    }
    while (!last) {
        struct cursor cursor = {data.data + parse->at, data.data + data.size};
        enum h1_result result;
        bool empty_line = false;
        if (parse->past_start) {
            result = read_header(&cursor, message, &last);
        } else if (is_request && !parse->skipped_empty && cursor.at < cursor.end &&
                   *cursor.at == '\r') {
            /* RFC 9112 §2.2: one empty line before a request, left over from a
             * body by old clients. */
            result = read_line_end(&cursor);
            empty_line = true;
        } else {
            result = is_request ? read_request_line(&cursor, message, limits)
                                : read_status_line(&cursor, message);
        }
        if (result == H1_MORE) {
            parse->scanned = data.size;
            return at_limit ? H1_HEADER_TOO_LARGE : H1_MORE;
        }
        if (result != H1_DONE)
            return result;
        if (empty_line)
            parse->skipped_empty = true;
        else
            parse->past_start = true;
        parse->at = (size_t)(cursor.at - data.data);
    }
    message->head_size = parse->at;
    return H1_DONE;
}

/* RFC 9110 §7.6.1: fields that Connection names end here. */
static void mark_named(struct http_message *message, struct slice name)
{
    enum http_header_id id = http_header_id_of(name);
    if (id != HTTP_HEADER_OTHER && message->first[id] == 0)
        return;
    for (size_t i = 0; i < message->header_count; i++) {
        struct http_header *header = &message->headers[i];
        if (header->id == id &&
            (id != HTTP_HEADER_OTHER || slice_equal_nocase(header->name, name)))
            header->flags |= HTTP_HEADER_HOP_BY_HOP;
    }
}

static enum h1_result read_connection(struct http_message *message)
{
    bool close = false, keep = false, upgrade = false, te = false;
    unsigned count = 0;
    size_t i = message->first[HTTP_HEADER_CONNECTION];

    for (i = i == 0 ? message->header_count : i - 1; i < message->header_count; i++) {
        if (message->headers[i].id != HTTP_HEADER_CONNECTION)
            continue;
        struct slice list = message->headers[i].value, option;
        while (fields_list_next(&list, &option)) {
            if (++count > CONNECTION_OPTIONS_MAX || !fields_is_token(option))
                return H1_BAD;
            if (slice_equal_nocase(option, SLICE("close")))
                close = true;
            else if (slice_equal_nocase(option, SLICE("keep-alive")))
                keep = true;
            else if (slice_equal_nocase(option, SLICE("upgrade")))
                upgrade = true;
            else if (slice_equal_nocase(option, SLICE("te")))
                te = true;
            else
                mark_named(message, option);
        }
    }
    message->keep_alive = !close && (message->minor == 1 || keep);
    message->te_listed = te;
    message->upgrade =
        upgrade && message->minor == 1 && message->first[HTTP_HEADER_UPGRADE] != 0;
    return H1_DONE;
}

/* Content-Length and Transfer-Encoding, each at most once, and not both: that
 * is how requests are smuggled (RFC 9112 §6.3, §11.2). */
static enum h1_result read_framing(struct http_message *message, bool *ret_chunked)
{
    const struct http_header *length = message_header(message, HTTP_HEADER_CONTENT_LENGTH);
    const struct http_header *coding =
        message_header(message, HTTP_HEADER_TRANSFER_ENCODING);

    *ret_chunked = false;
    for (size_t i = 0; i < message->header_count; i++) {
        const struct http_header *header = &message->headers[i];
        if ((header->id == HTTP_HEADER_CONTENT_LENGTH && header != length) ||
            (header->id == HTTP_HEADER_TRANSFER_ENCODING && header != coding))
            return H1_BAD;
    }
    if (length != NULL) {
        /* Below 2^63, so that sums with it cannot wrap. */
        if (coding != NULL || !slice_parse_u64(length->value, &message->content_length) ||
            message->content_length > INT64_MAX)
            return H1_BAD;
        message->has_length = true;
    }
    if (coding != NULL) {
        if (message->minor == 0)
            return H1_BAD;
        if (!slice_equal_nocase(coding->value, SLICE("chunked")))
            return fields_is_token(coding->value) ? H1_NOT_IMPLEMENTED : H1_BAD;
        *ret_chunked = true;
    }
    return H1_DONE;
}

/* Exactly one Host in 1.1, and what the target says must be the same host. */
static enum h1_result read_target(struct http_message *message)
{
    const struct http_header *host = message_header(message, HTTP_HEADER_HOST);
    struct uri_host host_parts, target_parts;
    struct uri uri;

    if (host != NULL) {
        if (!uri_host_split(host->value, &host_parts))
            return H1_BAD;
        for (size_t i = 0; i < message->header_count; i++)
            if (message->headers[i].id == HTTP_HEADER_HOST && &message->headers[i] != host)
                return H1_BAD;
        message->host = host->value;
    } else if (message->minor == 1) {
        return H1_BAD;
    }

    if (slice_equal(message->target, SLICE("*"))) {
        message->target_form = HTTP_TARGET_ASTERISK;
        message->path = message->target;
        return message->method == HTTP_METHOD_OPTIONS ? H1_DONE : H1_BAD;
    }
    if (!uri_split(message->target, &uri))
        return H1_BAD;
    message->path = uri.path;
    message->query = uri.query;
    if (uri.scheme.size == 0)
        return H1_DONE;

    message->target_form = HTTP_TARGET_ABSOLUTE;
    uint16_t default_port = uri.scheme.size == 5 ? 443 : 80;
    if (!uri_host_split(uri.authority, &target_parts))
        return H1_BAD;
    if (host == NULL)
        message->host = uri.authority;
    else if (!uri_host_equal(&host_parts, &target_parts, default_port))
        return H1_BAD;
    return H1_DONE;
}

/* RFC 9110 §10.1.1: one is known. In HTTP/1.0 none is looked at. */
static void read_expectations(struct http_message *message)
{
    for (size_t i = message->first[HTTP_HEADER_EXPECT] - 1u; i < message->header_count;
         i++) {
        if (message->headers[i].id != HTTP_HEADER_EXPECT)
            continue;
        struct slice list = message->headers[i].value, item;
        while (fields_list_next(&list, &item)) {
            if (slice_equal_nocase(item, SLICE("100-continue")))
                message->expect_continue = true;
            else
                message->expect_unknown = true;
        }
    }
}

void h1_parse_init(struct h1_parse *parse, struct http_message *message,
                   struct http_header *headers, size_t capacity)
{
    *parse = (struct h1_parse){0};
    message_init(message, headers, capacity);
}

enum h1_result h1_parse_request(struct h1_parse *parse, struct http_message *message,
                                struct slice data, const struct h1_limits *limits)
{
    bool chunked;
    enum h1_result result = parse_lines(parse, message, data, limits, true);
    if (result != H1_DONE)
        return result;
    result = read_target(message);
    if (result != H1_DONE)
        return result;
    result = read_framing(message, &chunked);
    if (result != H1_DONE)
        return result;
    result = read_connection(message);
    if (result != H1_DONE)
        return result;

    if (chunked)
        message->framing = HTTP_FRAMING_CHUNKED;
    else if (message->content_length > 0)
        message->framing = HTTP_FRAMING_LENGTH;
    if (message->minor == 1 && message->first[HTTP_HEADER_EXPECT] != 0)
        read_expectations(message);
    message->te_trailers =
        fields_list_has(message_value(message, HTTP_HEADER_TE), SLICE("trailers"));
    return H1_DONE;
}

enum h1_result h1_parse_response(struct h1_parse *parse, struct http_message *message,
                                 struct slice data, const struct h1_limits *limits,
                                 enum http_method method)
{
    bool chunked;
    enum h1_result result = parse_lines(parse, message, data, limits, false);
    if (result != H1_DONE)
        return result;
    result = read_framing(message, &chunked);
    if (result != H1_DONE)
        return result;
    result = read_connection(message);
    if (result != H1_DONE)
        return result;

    if (message->status < 200 || message->status == 204) {
        /* RFC 9110 §8.6, RFC 9112 §6.1: must have neither. Bytes announced here
         * would be taken for the next response. */
        return chunked || message->content_length > 0 ? H1_BAD : H1_DONE;
    }
    if (method == HTTP_METHOD_HEAD || message->status == 304)
        return H1_DONE;
    if (chunked) {
        message->framing = HTTP_FRAMING_CHUNKED;
    } else if (message->has_length) {
        message->framing =
            message->content_length > 0 ? HTTP_FRAMING_LENGTH : HTTP_FRAMING_NONE;
    } else {
        message->framing = HTTP_FRAMING_UNTIL_CLOSE;
        message->keep_alive = false;
    }
    return H1_DONE;
}

static const struct {
    int http_status;
    const char *reason;
} results[] = {
#define X(name, status, reason) [name] = {status, reason},
    H1_RESULTS(X)
#undef X
};

int h1_result_http_status(enum h1_result result)
{
    return results[result].http_status;
}

const char *h1_result_reason(enum h1_result result)
{
    return results[result].reason;
}
