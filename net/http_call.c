/* Looking into a request: its fields and its query. */
#include "net/http_server.h"

struct slice http_call_field(const struct http_call *call, struct slice name)
{
    for (size_t i = 0; i < call->field_count; i++) {
        if (slice_equal_nocase(call->fields[i].name, name))
            return call->fields[i].value;
    }
    return (struct slice){0};
}

bool http_call_decode(struct slice text, char *out, size_t size)
{
    size_t made = 0;

    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '%') {
            uint8_t byte;
            if (text.size - i < 3 || !slice_from_hex(slice_sub(text, i + 1, 2), &byte, 1))
                return false;
            c = (char)byte;
            i += 2;
        }
        if (c == '\0' || made + 1 >= size)
            return false;
        out[made++] = c;
    }
    if (size == 0)
        return false;
    out[made] = '\0';
    return true;
}

bool http_call_query(const struct http_call *call, struct slice name, char *out,
                     size_t size)
{
    struct slice rest = call->query;
    struct slice part;

    while (slice_next(&rest, '&', &part)) {
        size_t equals = slice_find_byte(part, '=');
        struct slice key = equals == SIZE_MAX ? part : slice_sub(part, 0, equals);
        struct slice value =
            equals == SIZE_MAX ? (struct slice){0} : slice_from(part, equals + 1);
        if (slice_equal(key, name))
            return http_call_decode(value, out, size);
    }
    return false;
}
