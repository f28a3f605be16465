/* Writes heads: copies into place, one check of room for a line. */
#include "http/h1_write.h"

#include "base/instant.h"
#include "http/fields.h"

/* `size` bytes at the end, to be filled; NULL, and failed, when they do not fit. */
static char *take(struct h1_write *out, size_t size)
{
    if (out->failed || size > out->capacity - out->size) {
        out->failed = true;
        return NULL;
    }
    char *place = out->data + out->size;
    out->size += size;
    return place;
}

static char *copy(char *place, struct slice s)
{
    if (s.size > 0)
        memcpy(place, s.data, s.size);
    return place + s.size;
}

void h1_write_request_line(struct h1_write *out, struct slice method, struct slice path,
                           struct slice query)
{
    bool has_query = query.data != NULL;
    char *place =
        take(out, method.size + 1 + path.size + (has_query ? 1 + query.size : 0) + 11);
    if (place == NULL)
        return;
    place = copy(place, method);
    *place++ = ' ';
    place = copy(place, path);
    if (has_query) {
        *place++ = '?';
        place = copy(place, query);
    }
    copy(place, SLICE(" HTTP/1.1\r\n"));
}

void h1_write_status_line(struct h1_write *out, unsigned status, struct slice reason)
{
    if (status < 100 || status > 999) {
        out->failed = true;
        return;
    }
    if (reason.size == 0)
        reason = http_status_text(status);
    char *place = take(out, 13 + reason.size + 2);
    if (place == NULL)
        return;
    place = copy(place, SLICE("HTTP/1.1 "));
    *place++ = (char)('0' + status / 100);
    *place++ = (char)('0' + status / 10 % 10);
    *place++ = (char)('0' + status % 10);
    *place++ = ' ';
    place = copy(place, reason);
    copy(place, SLICE("\r\n"));
}

void h1_write_header(struct h1_write *out, struct slice name, struct slice value)
{
    char *place = take(out, name.size + 2 + value.size + 2);
    if (place == NULL)
        return;
    place = copy(place, name);
    *place++ = ':';
    *place++ = ' ';
    place = copy(place, value);
    *place++ = '\r';
    *place = '\n';
}

void h1_write_header_checked(struct h1_write *out, struct slice name, struct slice value)
{
    if (!fields_is_token(name) || !fields_is_value(value)) {
        out->failed = true;
        return;
    }
    h1_write_header(out, name, value);
}

void h1_write_header_u64(struct h1_write *out, struct slice name, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    h1_write_header(out, name, (struct slice){digits + at, sizeof digits - at});
}

void h1_write_end(struct h1_write *out)
{
    h1_write_literal(out, "\r\n");
}

static char *two_digits(char *place, unsigned value)
{
    *place++ = (char)('0' + value / 10 % 10);
    *place++ = (char)('0' + value % 10);
    return place;
}

struct slice http_date_at(struct http_date *date, uint64_t wall_ms)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    uint64_t second = wall_ms / 1000;

    if (!date->has_text || date->second != second) {
        struct instant_civil c;
        instant_civil(wall_ms, &c);
        /* RFC 9110 §5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT". */
        char *place = copy(date->text, (struct slice){days + 3 * c.weekday, 3});
        place = copy(place, SLICE(", "));
        place = two_digits(place, c.day);
        *place++ = ' ';
        place = copy(place, (struct slice){months + 3 * (c.month - 1), 3});
        *place++ = ' ';
        place = two_digits(place, (unsigned)(c.year / 100));
        place = two_digits(place, (unsigned)(c.year % 100));
        *place++ = ' ';
        place = two_digits(place, c.hour);
        *place++ = ':';
        place = two_digits(place, c.minute);
        *place++ = ':';
        place = two_digits(place, c.second);
        place = copy(place, SLICE(" GMT"));
        *place = '\0';
        date->second = second;
        date->has_text = true;
    }
    return (struct slice){date->text, HTTP_DATE_SIZE};
}

void h1_write_date(struct h1_write *out, struct http_date *date, uint64_t wall_ms)
{
    h1_write_header(out, SLICE("date"), http_date_at(date, wall_ms));
}
