/* A caller's place on a split is a number of 64 bits, from its address or its
 * cookie, hashed with the route's name: a change of weights moves only callers
 * near the border that moved, and two routes split their callers independently.
 *
 * Cookies are set once, not with every answer: an answer with Set-Cookie is one
 * that caches leave alone. A sticky cookie so ends at its age, and the caller is
 * placed anew. It names the endpoint by a hash: addresses are nobody's business. */
#include "node/proxy/affinity.h"

#include "base/hash.h"
#include "http/cookie.h"
#include "node/proxy/exchange.h"

#include <stdio.h>

#define POINT_COOKIE SLICE("gw-split")

static bool parse_id(struct slice text, uint64_t *ret_id)
{
    uint64_t id = 0;

    if (text.size != 16)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c >= '0' && c <= '9')
            id = id << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            id = id << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *ret_id = id;
    return true;
}

static bool holds(const struct plan_split *split, const struct http_message *message)
{
    struct slice value;

    if (split->when_header.size > 0) {
        const struct http_header *header = message_find(message, split->when_header, NULL);
        if (header == NULL)
            return false;
        value = header->value;
    } else if (split->when_cookie.size == 0 ||
               !cookie_find(message, split->when_cookie, &value)) {
        return false;
    }
    return split->when_present || slice_equal(value, split->when_exact);
}

/* Below the plan's total weight. Without a Consumer `consumer` is the address. */
static uint64_t place_on(struct exchange *exchange, const struct route_query *query,
                         struct slice client_ip)
{
    const struct plan *plan = exchange->plan;
    struct affinity *affinity = &exchange->affinity;
    struct slice text;
    uint64_t point;

    switch (plan->split_by) {
    case SPLIT_CLIENT_IP:
    case SPLIT_CONSUMER:
        point = hash_stable(client_ip);
        break;
    case SPLIT_COOKIE:
        if (!cookie_find(query->message, POINT_COOKIE, &text) || !parse_id(text, &point)) {
            point = rng_next(&exchange->worker->rng);
            affinity->split_point = point;
            affinity->sets_split_point = true;
        }
        break;
    default:
        return rng_below(&exchange->worker->rng, plan->weight_total);
    }
    point = hash_stable_seeded(plan->route, point);
    return (uint64_t)((unsigned __int128)point * plan->weight_total >> 64);
}

const struct target_service *affinity_service(struct exchange *exchange,
                                              const struct route_query *query,
                                              struct slice client_ip)
{
    const struct plan *plan = exchange->plan;
    const struct plan_split *splits = plan->splits;

    if (plan->split_count == 1 && splits[0].when_header.size == 0 &&
        splits[0].when_cookie.size == 0)
        return splits[0].service;
    for (uint32_t i = 0; i < plan->split_count; i++)
        if (holds(&splits[i], query->message))
            return splits[i].service;
    if (plan->weight_total == 0)
        return NULL;
    uint64_t at = place_on(exchange, query, client_ip);
    for (uint32_t i = 0; i < plan->split_count; i++) {
        if (at < splits[i].weight)
            return splits[i].service;
        at -= splits[i].weight;
    }
    return NULL;
}

static bool key_of(const struct target_service *target, const struct route_query *query,
                   struct slice client_ip, struct slice *ret_key)
{
    const struct http_header *header;

    switch (target->hash_by) {
    case HASH_HEADER:
        header = message_find(query->message, target->hash_name, NULL);
        if (header == NULL)
            return false;
        *ret_key = header->value;
        return true;
    case HASH_COOKIE:
        return cookie_find(query->message, target->hash_name, ret_key);
    case HASH_PATH:
        *ret_key = query->path;
        return true;
    default:
        *ret_key = client_ip;
        return true;
    }
}

void affinity_read(struct exchange *exchange, const struct route_query *query,
                   struct slice client_ip)
{
    const struct target_service *target = exchange->service->target;
    struct affinity *affinity = &exchange->affinity;
    struct slice text;

    affinity->has_key =
        target->balance == BALANCE_HASH && key_of(target, query, client_ip, &text);
    if (affinity->has_key)
        affinity->key = hash_stable(text);
    if (target->sticky_cookie.size > 0 &&
        (!cookie_find(query->message, target->sticky_cookie, &text) ||
         !parse_id(text, &affinity->sticky_id)))
        affinity->sticky_id = 0;
}

static void write_id(struct h1_write *out, uint64_t id)
{
    char text[16];

    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = "0123456789abcdef"[id >> (60 - 4 * i) & 15];
    h1_write_bytes(out, text, sizeof text);
}

void affinity_write(struct h1_write *out, const struct exchange *exchange)
{
    const struct affinity *affinity = &exchange->affinity;

    if (affinity->sets_split_point) {
        h1_write_literal(out, "set-cookie: gw-split=");
        write_id(out, affinity->split_point);
        h1_write_literal(out, "; Path=/; HttpOnly\r\n");
    }
    if (exchange->service == NULL || exchange->endpoint == NULL)
        return;
    const struct target_service *target = exchange->service->target;
    uint64_t id = target->endpoints[exchange->endpoint_index].id;
    if (target->sticky_cookie.size == 0 || affinity->sticky_id == id)
        return;
    h1_write_literal(out, "set-cookie: ");
    h1_write_bytes(out, target->sticky_cookie.data, target->sticky_cookie.size);
    h1_write_literal(out, "=");
    write_id(out, id);
    h1_write_literal(out, "; Path=/; HttpOnly");
    if (target->sticky_ttl_s > 0) {
        char digits[24];
        int size = snprintf(digits, sizeof digits, "%llu",
                            (unsigned long long)target->sticky_ttl_s);
        h1_write_literal(out, "; Max-Age=");
        h1_write_bytes(out, digits, (size_t)size);
    }
    if (target->sticky_secure)
        h1_write_literal(out, "; Secure");
    h1_write_literal(out, "\r\n");
}
