/* Headers and query parameters against a route's conditions.
 *
 * A header line of that name whose value fits is enough, however many lines
 * there are. Query parameters are those of HTML forms: separated by '&',
 * percent-encoded, '+' for a space; compared byte by byte as they are decoded,
 * so nothing is copied but for a regex, which sees 8 KiB at most. */
#include "node/snapshot/conditions.h"

#define DECODED_MAX 8192u

static bool value_fits(const struct condition *condition, struct slice value)
{
    switch (condition->type) {
    case CONDITION_EXACT:
        return slice_equal(value, condition->text);
    case CONDITION_PREFIX:
        return slice_starts_with(value, condition->text);
    case CONDITION_REGEX:
        return pattern_matches(condition->pattern, value);
    default:
        return true;
    }
}

static bool header_holds(const struct condition *condition,
                         const struct http_message *message)
{
    const struct http_header *header = NULL;

    if (message == NULL)
        return condition->type == CONDITION_ABSENT;
    if (condition->id != HTTP_HEADER_OTHER)
        header = message_header(message, condition->id);
    else
        header = message_find(message, condition->name, NULL);
    if (condition->type == CONDITION_ABSENT)
        return header == NULL;
    while (header != NULL) {
        if (value_fits(condition, header->value))
            return true;
        header = message_find(message, condition->name, header);
    }
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next byte of an encoded text. A bad encoding stands for itself. */
static char decode_next(struct slice *rest)
{
    char byte = rest->data[0];

    if (byte == '%' && rest->size >= 3) {
        int high = hex_digit(rest->data[1]), low = hex_digit(rest->data[2]);
        if (high >= 0 && low >= 0) {
            *rest = slice_from(*rest, 3);
            return (char)(high << 4 | low);
        }
    }
    *rest = slice_from(*rest, 1);
    return byte == '+' ? ' ' : byte;
}

static bool decoded_equal(struct slice encoded, struct slice text)
{
    size_t at = 0;

    while (encoded.size > 0) {
        char byte = decode_next(&encoded);
        if (at == text.size || text.data[at] != byte)
            return false;
        at++;
    }
    return at == text.size;
}

static bool parameter_fits(const struct condition *condition, struct slice value)
{
    char decoded[DECODED_MAX];
    size_t size = 0;

    if (condition->type == CONDITION_EXACT)
        return decoded_equal(value, condition->text);
    if (condition->type != CONDITION_REGEX)
        return true;
    while (value.size > 0) {
        if (size == sizeof decoded)
            return false;
        decoded[size++] = decode_next(&value);
    }
    return pattern_matches(condition->pattern, slice_of(decoded, size));
}

static bool parameter_holds(const struct condition *condition, struct slice query)
{
    struct slice part;

    while (slice_next(&query, '&', &part)) {
        size_t mark = slice_find_byte(part, '=');
        struct slice name = mark == SIZE_MAX ? part : slice_sub(part, 0, mark);
        struct slice value = mark == SIZE_MAX ? SLICE("") : slice_from(part, mark + 1);
        if (part.size == 0 || !decoded_equal(name, condition->name))
            continue;
        if (condition->type == CONDITION_ABSENT)
            return false;
        if (parameter_fits(condition, value))
            return true;
    }
    return condition->type == CONDITION_ABSENT;
}

bool conditions_hold(const struct conditions_of_route *conditions,
                     const struct route_query *query, const struct condition **ret_miss)
{
    *ret_miss = NULL;
    if (conditions->listeners != NULL) {
        uint32_t number = query->listener == NULL ? UINT32_MAX : query->listener->number;
        if (number / 64 >= conditions->listener_words ||
            (conditions->listeners[number / 64] >> number % 64 & 1) == 0)
            return false;
    }
    for (uint32_t i = 0; i < conditions->header_count; i++) {
        *ret_miss = &conditions->headers[i];
        if (!header_holds(*ret_miss, query->message))
            return false;
    }
    for (uint32_t i = 0; i < conditions->query_count; i++) {
        *ret_miss = &conditions->query[i];
        if (!parameter_holds(*ret_miss, query->query))
            return false;
    }
    return true;
}
