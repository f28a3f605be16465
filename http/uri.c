/* Targets, paths and hosts.
 *
 * Most paths need no change: one scan for the few bytes that could call for
 * one says so, and the input is returned. Else segments are decoded one by one
 * into the output, which never gets ahead of the input, so both may be the
 * same memory. */
#include "http/uri.h"

#include "http/fields.h"

#include <arpa/inet.h>

size_t uri_target_span(struct slice s)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    size_t i = 0;

    /* As fields_value_span; SP and bytes above 0x7f end the run as well. */
    while (s.size - i >= 8) {
        uint64_t word;
        memcpy(&word, s.data + i, 8);
        uint64_t delete = word ^ (ones * 0x7f);
        delete = (delete - ones) & ~delete;
        if ((((word - ones * 0x21) | word | delete) & highs) != 0)
            break;
        i += 8;
    }
    while (i < s.size && (unsigned char)s.data[i] > ' ' && (unsigned char)s.data[i] < 0x7f)
        i++;
    return i;
}

bool uri_split(struct slice target, struct uri *ret_uri)
{
    struct uri uri = {.scheme = {"", 0}, .authority = {"", 0}};
    struct slice rest = target;

    /* A fragment is never sent (RFC 9112 §3.2). */
    if (target.size == 0 || uri_target_span(target) != target.size ||
        slice_find_byte(target, '#') != SIZE_MAX)
        return false;
    if (target.data[0] != '/') {
        size_t colon = slice_find_byte(slice_sub(target, 0, 6), ':');
        if (colon == SIZE_MAX)
            return false;
        uri.scheme = slice_sub(target, 0, colon);
        if (!slice_equal_nocase(uri.scheme, SLICE("http")) &&
            !slice_equal_nocase(uri.scheme, SLICE("https")))
            return false;
        rest = slice_from(target, colon);
        if (!slice_starts_with(rest, SLICE("://")))
            return false;
        rest = slice_from(rest, 3);
        size_t end = 0;
        while (end < rest.size && rest.data[end] != '/' && rest.data[end] != '?')
            end++;
        uri.authority = slice_sub(rest, 0, end);
        rest = slice_from(rest, end);
        struct uri_host host;
        if (!uri_host_split(uri.authority, &host))
            return false;
    }
    size_t mark = slice_find_byte(rest, '?');
    if (mark == SIZE_MAX) {
        uri.path = rest;
        uri.query = (struct slice){NULL, 0};
    } else {
        uri.path = slice_sub(rest, 0, mark);
        uri.query = (struct slice){rest.data + mark + 1, rest.size - mark - 1};
    }
    if (uri.path.size == 0)
        uri.path = SLICE("/");
    *ret_uri = uri;
    return true;
}

static unsigned hex_value(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

/* Whether the path is in normal form for sure, by a look at each byte. */
static bool is_plain(struct slice path)
{
    char before = 0;
    if (path.size == 0 || path.data[0] != '/')
        return false;
    for (size_t i = 0; i < path.size; i++) {
        char c = path.data[i];
        if (c == '%' || c == '\\' || c == '\0' ||
            (before == '/' && (c == '/' || c == '.' || c == ';')))
            return false;
        before = c;
    }
    return true;
}

/* Decodes one segment from *at on, up to '/' or the end, to `out`; false when
 * it must be refused. */
static bool decode_segment(struct slice path, size_t *at, char *out, size_t *ret_size)
{
    size_t size = 0, i = *at;
    unsigned lead = 0; /* the encoded byte just before, for overlong UTF-8 */

    while (i < path.size && path.data[i] != '/') {
        char c = path.data[i];
        if (c == '\\' || c == '\0')
            return false;
        if (c != '%') {
            out[size++] = c;
            i++;
            lead = 0;
            continue;
        }
        if (path.size - i < 3 || !fields_is(path.data[i + 1], FIELDS_HEX) ||
            !fields_is(path.data[i + 2], FIELDS_HEX))
            return false;
        unsigned byte = hex_value(path.data[i + 1]) << 4 | hex_value(path.data[i + 2]);
        i += 3;
        if (byte == 0 || byte == '/' || byte == '\\')
            return false;
        /* Overlong forms of UTF-8 hide '/' and '.' from those who do not check. */
        if (byte == 0xc0 || byte == 0xc1 || (lead == 0xe0 && byte < 0xa0) ||
            (lead == 0xf0 && byte < 0x90))
            return false;
        lead = byte;
        if (byte < 0x80 && fields_is((char)byte, FIELDS_UNRESERVED)) {
            out[size++] = (char)byte;
        } else {
            static const char digits[] = "0123456789ABCDEF";
            out[size++] = '%';
            out[size++] = digits[byte >> 4];
            out[size++] = digits[byte & 15];
        }
    }
    *at = i;
    *ret_size = size;
    return true;
}

/* Some upstreams cut parameters off first, and then see "..", "." or an empty
 * segment, which they resolve or merge away. */
static bool hides_a_segment(struct slice s)
{
    for (int dots = 0; dots < 2 && s.size > 0 && s.data[0] == '.'; dots++)
        s = slice_from(s, 1);
    return slice_starts_with(s, SLICE(";")) || slice_starts_with(s, SLICE("%3B"));
}

bool uri_path_normalise(struct slice path, char *out, struct slice *ret_path)
{
    if (path.size == 0) {
        *ret_path = SLICE("/");
        return true;
    }
    if (is_plain(path)) {
        *ret_path = path;
        return true;
    }
    if (path.data[0] != '/')
        return false;

    /* Invariant: out holds complete segments and ends with '/'; `size` <= `at`. */
    size_t size = 0, at = 1;
    out[size++] = '/';
    while (at < path.size) {
        size_t segment;
        if (!decode_segment(path, &at, out + size, &segment))
            return false;
        bool last = at == path.size;
        at++; /* the slash */
        struct slice s = {out + size, segment};
        if (s.size == 0 || slice_equal(s, SLICE(".")))
            continue;
        if (slice_equal(s, SLICE(".."))) {
            while (size > 1 && out[size - 2] != '/')
                size--;
            if (size > 1)
                size--;
            continue;
        }
        /* Some upstreams cut parameters off first and see ".." then. */
        if (hides_a_segment(s))
            return false;
        size += segment;
        if (!last)
            out[size++] = '/';
    }
    *ret_path =
        slice_equal((struct slice){out, size}, path) ? path : (struct slice){out, size};
    return true;
}

static bool read_port(struct slice text, uint16_t *ret_port)
{
    uint64_t port;
    if (text.size > 5 || !slice_parse_u64(text, &port) || port == 0 || port > 65535)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

bool uri_host_split(struct slice authority, struct uri_host *ret_host)
{
    struct uri_host host = {.port = 0};
    struct slice rest;

    if (authority.size == 0)
        return false;
    if (authority.data[0] == '[') {
        char text[INET6_ADDRSTRLEN];
        struct in6_addr address;
        size_t end = slice_find_byte(authority, ']');
        if (end == SIZE_MAX || end < 2 || end > sizeof text)
            return false;
        /* Through inet_pton for the grammar; a NUL cannot shorten it, since it
         * is no hex digit. */
        for (size_t i = 1; i < end; i++)
            if (!fields_is(authority.data[i], FIELDS_HEX) && authority.data[i] != ':' &&
                authority.data[i] != '.')
                return false;
        memcpy(text, authority.data + 1, end - 1);
        text[end - 1] = '\0';
        if (inet_pton(AF_INET6, text, &address) != 1)
            return false;
        host.is_ipv6 = true;
        host.host = slice_sub(authority, 0, end + 1);
        rest = slice_from(authority, end + 1);
    } else {
        size_t end = 0;
        while (end < authority.size && fields_is(authority.data[end], FIELDS_HOST))
            end++;
        host.host = slice_sub(authority, 0, end);
        rest = slice_from(authority, end);
        if (end > 1 && authority.data[end - 1] == '.')
            host.host.size--;
        if (end == 0 || host.host.size > URI_HOST_MAX || host.host.data[0] == '.' ||
            host.host.data[host.host.size - 1] == '.' ||
            slice_find(host.host, SLICE("..")) != SIZE_MAX)
            return false;
    }
    if (rest.size > 0 &&
        (rest.data[0] != ':' || !read_port(slice_from(rest, 1), &host.port)))
        return false;
    *ret_host = host;
    return true;
}

struct slice uri_host_lower(struct slice host, char *out)
{
    size_t i = 0;
    while (i < host.size && !(host.data[i] >= 'A' && host.data[i] <= 'Z'))
        i++;
    if (i == host.size)
        return host;
    for (i = 0; i < host.size; i++) {
        char c = host.data[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    return (struct slice){out, host.size};
}

bool uri_host_equal(const struct uri_host *a, const struct uri_host *b,
                    uint16_t default_port)
{
    uint16_t port_a = a->port == 0 ? default_port : a->port;
    uint16_t port_b = b->port == 0 ? default_port : b->port;
    return port_a == port_b && slice_equal_nocase(a->host, b->host);
}
