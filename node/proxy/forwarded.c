/* Heads on their way through.
 *
 * One pass over the headers, into one buffer. What a client says about itself
 * (X-Forwarded-*, Forwarded, X-Real-IP, X-Request-Id, and the same spelt with
 * '_', which CGI-like upstreams read as '-') is dropped unless the peer is a
 * trusted proxy; framing and Host are always written anew. */
#include "node/proxy/forwarded.h"

#include <stdio.h>

bool forwarded_is_trusted(const struct client *client)
{
    const struct cidr_set *trusted = client->acceptor->config->trusted_proxies;
    if (trusted == NULL || trusted->count == 0)
        return false;
    return cidr_set_has(trusted, client->ip, client->is_ip6);
}

/* The last element of a list, taken off *list. */
static struct slice last_item(struct slice *list)
{
    size_t at = list->size;
    while (at > 0 && list->data[at - 1] != ',')
        at--;
    struct slice item = slice_trim(slice_from(*list, at));
    list->size = at == 0 ? 0 : at - 1;
    return item;
}

struct slice forwarded_client_ip(const struct client *client,
                                 const struct http_message *message)
{
    struct slice ip = client_ip(client);
    if (!forwarded_is_trusted(client))
        return ip;
    /* Header lines are one list, the last line nearest to us. */
    const struct http_header *lines[8];
    unsigned count = 0;
    for (const struct http_header *line =
             message_header(message, HTTP_HEADER_X_FORWARDED_FOR);
         line != NULL && count < 8;
         line = message_find(message, SLICE("x-forwarded-for"), line))
        lines[count++] = line;
    while (count-- > 0) {
        struct slice list = lines[count]->value;
        while (list.size > 0) {
            struct slice item = last_item(&list);
            if (item.size == 0 || item.size >= CLIENT_IP_SIZE)
                return ip;
            ip = item;
            if (!cidr_set_has_text(client->acceptor->config->trusted_proxies, item))
                return ip;
        }
    }
    return ip;
}

struct slice forwarded_scheme(const struct client *client,
                              const struct http_message *message)
{
    struct slice given = message_value(message, HTTP_HEADER_X_FORWARDED_PROTO);
    if (given.size > 0 && forwarded_is_trusted(client)) {
        if (slice_equal_nocase(given, SLICE("https")))
            return SLICE("https");
        if (slice_equal_nocase(given, SLICE("http")))
            return SLICE("http");
    }
    return SLICE("http");
}

bool forwarded_is_disguised(struct slice name)
{
    char lower[32];
    if (name.size > sizeof lower)
        return false;
    for (size_t i = 0; i < name.size; i++)
        lower[i] = name.data[i] == '_' ? '-' : name.data[i];
    return http_header_id_of(slice_of(lower, name.size)) != HTTP_HEADER_OTHER;
}

static bool is_forwarding(uint8_t id)
{
    switch (id) {
    case HTTP_HEADER_FORWARDED:
    case HTTP_HEADER_X_FORWARDED_FOR:
    case HTTP_HEADER_X_FORWARDED_HOST:
    case HTTP_HEADER_X_FORWARDED_PORT:
    case HTTP_HEADER_X_FORWARDED_PROTO:
        return true;
    default:
        return false;
    }
}

static bool goes_upstream(const struct http_header *header, bool is_trusted,
                          const struct exchange *exchange)
{
    if (header->id == HTTP_HEADER_TRAILER)
        return exchange->framing == HTTP_FRAMING_CHUNKED;
    if ((header->flags & HTTP_HEADER_HOP_BY_HOP) != 0)
        return false;
    switch (header->id) {
    case HTTP_HEADER_HOST:
    case HTTP_HEADER_CONTENT_LENGTH:
    case HTTP_HEADER_TRANSFER_ENCODING:
    case HTTP_HEADER_EXPECT:
    case HTTP_HEADER_X_REQUEST_ID:
        return false;
    case HTTP_HEADER_X_FORWARDED_PREFIX:
    case HTTP_HEADER_X_REAL_IP:
        return is_trusted;
    case HTTP_HEADER_MAX_FORWARDS:
        return !exchange->has_forwards;
    default:
        break;
    }
    if (is_forwarding(header->id))
        return false;
    return (header->flags & HTTP_HEADER_UNDERSCORE) == 0 ||
           !forwarded_is_disguised(header->name);
}

static bool is_changed(const struct header_change *changes, uint32_t count,
                       struct slice name)
{
    for (uint32_t i = 0; i < count; i++)
        if (!changes[i].add && slice_equal_nocase(changes[i].name, name))
            return true;
    return false;
}

/* Ours behind what a trusted proxy sent. */
static void write_list(struct h1_write *out, struct slice name,
                       const struct http_message *message, bool keep, struct slice ours)
{
    const struct http_header *line = keep ? message_find(message, name, NULL) : NULL;
    h1_write_bytes(out, name.data, name.size);
    h1_write_literal(out, ": ");
    for (; line != NULL; line = message_find(message, name, line)) {
        if (line->value.size == 0)
            continue;
        h1_write_bytes(out, line->value.data, line->value.size);
        h1_write_literal(out, ", ");
    }
    h1_write_bytes(out, ours.data, ours.size);
    h1_write_literal(out, "\r\n");
}

static void write_forwarded_x(struct h1_write *out, const struct client *client,
                              const struct http_message *message, bool is_trusted)
{
    char digits[8];
    struct slice given;
    write_list(out, SLICE("x-forwarded-for"), message, is_trusted, client_ip(client));
    h1_write_header(out, SLICE("x-forwarded-proto"), forwarded_scheme(client, message));
    given = message_value(message, HTTP_HEADER_X_FORWARDED_HOST);
    if (!is_trusted || given.size == 0)
        given = message->host;
    if (given.size > 0)
        h1_write_header(out, SLICE("x-forwarded-host"), given);
    given = message_value(message, HTTP_HEADER_X_FORWARDED_PORT);
    if (!is_trusted || given.size == 0)
        given = slice_of(digits, (size_t)snprintf(digits, sizeof digits, "%u",
                                                  (unsigned)client->acceptor->port));
    h1_write_header(out, SLICE("x-forwarded-port"), given);
}

static void write_forwarded_rfc7239(struct h1_write *out, const struct client *client,
                                    const struct http_message *message, bool is_trusted)
{
    char text[CLIENT_IP_SIZE + 320];
    struct slice ip = client_ip(client);
    struct slice scheme = forwarded_scheme(client, message);
    int size = snprintf(text, sizeof text, client->is_ip6 ? "for=\"[%.*s]\"" : "for=%.*s",
                        SLICE_ARG(ip));
    if (message->host.size > 0 && message->host.size < 256)
        size += snprintf(text + size, sizeof text - (size_t)size, ";host=\"%.*s\"",
                         SLICE_ARG(message->host));
    size +=
        snprintf(text + size, sizeof text - (size_t)size, ";proto=%.*s", SLICE_ARG(scheme));
    write_list(out, SLICE("forwarded"), message, is_trusted, slice_of(text, (size_t)size));
}

void forwarded_request(struct h1_write *out, const struct exchange *exchange,
                       const struct http_message *message, struct slice target,
                       struct template_vars *vars)
{
    const struct plan *plan = exchange->plan;
    const struct client *client = exchange->client;
    const struct snapshot_listener *config = client->acceptor->config;
    struct arena *arena = (struct arena *)(uintptr_t)&exchange->arena;
    bool is_trusted = forwarded_is_trusted(client);

    h1_write_request_line(out, message->method_name, target, (struct slice){NULL, 0});
    if (plan->rewrite_host != NULL)
        h1_write_header_checked(out, SLICE("host"),
                                template_expand(plan->rewrite_host, vars, arena));
    else
        h1_write_header(out, SLICE("host"), message->host);

    for (size_t i = 0; i < message->header_count; i++) {
        const struct http_header *header = &message->headers[i];
        if (!goes_upstream(header, is_trusted, exchange))
            continue;
        if (plan->request_header_count > 0 &&
            is_changed(plan->request_headers, plan->request_header_count, header->name))
            continue;
        h1_write_header(out, header->name, header->value);
    }
    if (config->forwarded_x)
        write_forwarded_x(out, client, message, is_trusted);
    if (config->forwarded_rfc7239)
        write_forwarded_rfc7239(out, client, message, is_trusted);
    h1_write_header(out, SLICE("x-request-id"), exchange->request_id);
    for (uint32_t i = 0; i < plan->request_header_count; i++) {
        const struct header_change *change = &plan->request_headers[i];
        if (change->value != NULL)
            h1_write_header_checked(out, change->name,
                                    template_expand(change->value, vars, arena));
    }
    if (exchange->has_forwards)
        h1_write_header_u64(out, SLICE("max-forwards"), exchange->forwards);
    if (exchange->expects)
        h1_write_literal(out, "expect: 100-continue\r\n");
    if (exchange->wants_trailers)
        h1_write_literal(out, "te: trailers\r\n");
    if (exchange->wants_trailers && exchange->upgrade.size > 0)
        h1_write_literal(out, "connection: te, upgrade\r\n");
    else if (exchange->wants_trailers)
        h1_write_literal(out, "connection: te\r\n");
    else if (exchange->upgrade.size > 0)
        h1_write_literal(out, "connection: upgrade\r\n");
    if (exchange->upgrade.size > 0)
        h1_write_header(out, SLICE("upgrade"), exchange->upgrade);
    if (exchange->framing == HTTP_FRAMING_CHUNKED)
        h1_write_literal(out, "transfer-encoding: chunked\r\n");
    else if (exchange->framing == HTTP_FRAMING_LENGTH || message->has_length)
        h1_write_header_u64(out, SLICE("content-length"), message->content_length);
    h1_write_end(out);
}

static bool answer_is_changed(const struct exchange *exchange, struct slice name)
{
    for (uint32_t i = 0; i < exchange->change_count; i++)
        if (!exchange->changes[i].add &&
            slice_equal_nocase(exchange->changes[i].name, name))
            return true;
    return false;
}

bool forwarded_is_changed(const struct exchange *exchange, struct slice name,
                          bool is_request)
{
    if (!is_request)
        return answer_is_changed(exchange, name);
    return is_changed(exchange->plan->request_headers, exchange->plan->request_header_count,
                      name);
}

/* Of an answer. `Trailer` only announces; it goes where the trailers go. */
static bool goes_downstream(const struct http_header *header,
                            const struct exchange *exchange)
{
    if (header->id == HTTP_HEADER_TRAILER)
        return exchange->client_chunked && exchange->wants_trailers;
    return (header->flags & HTTP_HEADER_HOP_BY_HOP) == 0 &&
           header->id != HTTP_HEADER_CONTENT_LENGTH &&
           header->id != HTTP_HEADER_TRANSFER_ENCODING &&
           header->id != HTTP_HEADER_X_REQUEST_ID;
}

static void write_framing(struct h1_write *out, const struct exchange *exchange,
                          const struct http_message *message)
{
    if (exchange->gzip == NULL && (message->framing == HTTP_FRAMING_LENGTH ||
                                   (message->has_length && message->status != 204)))
        h1_write_header_u64(out, SLICE("content-length"), message->content_length);
    else if (exchange->client_chunked)
        h1_write_literal(out, "transfer-encoding: chunked\r\n");
}

static void write_changed(struct h1_write *out, const struct exchange *exchange,
                          const struct http_message *message)
{
    for (size_t i = 0; i < message->header_count; i++) {
        const struct http_header *header = &message->headers[i];
        if (!goes_downstream(header, exchange))
            continue;
        if (exchange->change_count > 0 && answer_is_changed(exchange, header->name))
            continue;
        h1_write_header(out, header->name, header->value);
    }
    for (uint32_t i = 0; i < exchange->change_count; i++) {
        const struct exchange_change *change = &exchange->changes[i];
        if (change->value.data != NULL)
            h1_write_header_checked(out, change->name, change->value);
    }
}

void forwarded_switch(struct h1_write *out, const struct exchange *exchange,
                      const struct http_message *message)
{
    h1_write_status_line(out, message->status, message->reason);
    write_changed(out, exchange, message);
    affinity_write(out, exchange);
    h1_write_header(out, SLICE("x-request-id"), exchange->request_id);
    h1_write_literal(out, "connection: upgrade\r\n");
    h1_write_header(out, SLICE("upgrade"), message_value(message, HTTP_HEADER_UPGRADE));
    h1_write_end(out);
}

void forwarded_answer(struct h1_write *out, struct exchange *exchange,
                      const struct http_message *message)
{
    struct worker *worker = exchange->worker;
    h1_write_status_line(out, message->status, message->reason);
    write_changed(out, exchange, message);
    affinity_write(out, exchange);
    write_framing(out, exchange, message);
    if (message_header(message, HTTP_HEADER_DATE) == NULL)
        h1_write_date(out, &worker->date, core_wall_ms(worker));
    h1_write_header(out, SLICE("x-request-id"), exchange->request_id);
    if (exchange_closes(exchange))
        h1_write_literal(out, "connection: close\r\n");
    else if (exchange->minor == 0)
        h1_write_literal(out, "connection: keep-alive\r\n");
    h1_write_end(out);
}

void forwarded_interim(struct h1_write *out, const struct exchange *exchange,
                       const struct http_message *message)
{
    h1_write_status_line(out, message->status, message->reason);
    for (size_t i = 0; i < message->header_count; i++)
        if (goes_downstream(&message->headers[i], exchange))
            h1_write_header(out, message->headers[i].name, message->headers[i].value);
    h1_write_end(out);
}
