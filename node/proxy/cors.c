/* The upstream's own access-control headers are dropped where the policy rules: two
 * of them would be none. Answers that depend on the origin say so to caches. */
#include "node/proxy/cors.h"

#include "node/proxy/reply.h"

const struct plan *cors_preflight_plan(const struct exchange *exchange,
                                       const struct route_query *query)
{
    const struct http_message *message = query->message;
    uint32_t allowed = 0;

    if (message->method != HTTP_METHOD_OPTIONS ||
        message_header(message, HTTP_HEADER_ORIGIN) == NULL)
        return NULL;
    const struct http_header *method =
        message_find(message, SLICE("access-control-request-method"), NULL);
    if (method == NULL)
        return NULL;
    struct http_message asked = *message;
    asked.method = (uint8_t)http_method_of(method->value);
    asked.method_name = method->value;
    struct route_query asked_query = *query;
    asked_query.message = &asked;
    const struct plan *plan =
        snapshot_plan(exchange->serving->snapshot, &asked_query, &allowed);
    return plan != NULL && plan->cors != NULL ? plan : NULL;
}

/* An empty value takes the header away. */
static void change(struct exchange *exchange, struct slice name, struct slice value)
{
    if (value.size == 0)
        value.data = NULL;
    exchange_add_change(exchange, name, value, false);
}

void cors_add(struct exchange *exchange, const struct http_message *message,
              bool is_preflight)
{
    const struct cors_plan *cors = exchange->plan->cors;

    if (cors == NULL)
        return;
    struct slice none = {NULL, 0};
    struct slice origin = cors_allowed(cors, message_value(message, HTTP_HEADER_ORIGIN));
    bool is_allowed = origin.data != NULL;
    change(exchange, SLICE("access-control-allow-origin"), origin);
    change(exchange, SLICE("access-control-allow-credentials"),
           is_allowed && cors->credentials ? SLICE("true") : none);
    if (is_preflight) {
        if (!is_allowed)
            return;
        change(exchange, SLICE("access-control-allow-methods"), cors->methods);
        change(exchange, SLICE("access-control-allow-headers"), cors->headers);
        change(exchange, SLICE("access-control-max-age"), cors->max_age);
    } else {
        change(exchange, SLICE("access-control-expose-headers"),
               is_allowed ? cors->expose : none);
    }
    if (cors->any_origin)
        return;
    exchange_add_change(exchange, SLICE("vary"), SLICE("origin"), true);
}

void cors_answer(struct exchange *exchange)
{
    static const struct plan answer = {.action = PLAN_RESPOND, .status = 204};

    exchange->reply = &answer;
    reply_plan(exchange, NULL);
}
