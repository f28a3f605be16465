/* Pairs between ';'. Values are taken as they are: quotes, too. */
#include "http/cookie.h"

bool cookie_find(const struct http_message *message, struct slice name,
                 struct slice *ret_value)
{
    const struct http_header *line = message_header(message, HTTP_HEADER_COOKIE);

    for (; line != NULL; line = message_find(message, SLICE("cookie"), line)) {
        struct slice rest = line->value, pair;
        while (slice_next(&rest, ';', &pair)) {
            pair = slice_trim(pair);
            size_t equals = slice_find_byte(pair, '=');
            if (equals == SIZE_MAX || !slice_equal(slice_sub(pair, 0, equals), name))
                continue;
            *ret_value = slice_from(pair, equals + 1);
            return true;
        }
    }
    return false;
}
