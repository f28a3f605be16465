/* Parsing and printing units: plain loops over the text, no locale, no strtod. */
#include "model/units.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* From the largest: printing takes the first that divides. */
static const struct unit duration_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                             {"s", 1000},     {"ms", 1},      {NULL, 0}};
static const struct unit size_units[] = {
    {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"B", 1}, {NULL, 0}};

/* Largest value of either: far above any use, far below overflow of sums. */
#define UNIT_MAX ((uint64_t)1 << 53)

static bool unit_parse(const struct unit *units, struct slice text, uint64_t *ret_value)
{
    size_t digits = 0;
    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    uint64_t number;
    if (!slice_parse_u64(slice_sub(text, 0, digits), &number))
        return false;
    struct slice name = slice_from(text, digits);
    for (const struct unit *u = units; u->name != NULL; u++)
        if (slice_equal(name, slice_from_string(u->name))) {
            if (number > UNIT_MAX / u->factor)
                return false;
            *ret_value = number * u->factor;
            return true;
        }
    return false;
}

/* Zero is printed in `zero`, a unit that people expect. */
static void unit_print(const struct unit *units, uint64_t value, const char *zero,
                       char *out)
{
    if (value == 0) {
        snprintf(out, UNIT_TEXT_SIZE, "0%s", zero);
        return;
    }
    const struct unit *u = units;
    while (value % u->factor != 0)
        u++;
    snprintf(out, UNIT_TEXT_SIZE, "%" PRIu64 "%s", value / u->factor, u->name);
}

bool duration_parse(struct slice text, uint64_t *ret_ms)
{
    return unit_parse(duration_units, text, ret_ms);
}

void duration_print(uint64_t ms, char *out)
{
    unit_print(duration_units, ms, "s", out);
}

bool size_parse(struct slice text, uint64_t *ret_bytes)
{
    /* Nothing needs no unit; where it is allowed it means unlimited. */
    if (slice_equal(text, SLICE("0"))) {
        *ret_bytes = 0;
        return true;
    }
    return unit_parse(size_units, text, ret_bytes);
}

void size_print(uint64_t bytes, char *out)
{
    unit_print(size_units, bytes, "B", out);
}

bool rate_parse(struct slice text, struct rate *ret_rate)
{
    size_t slash = slice_find_byte(text, '/');
    struct rate rate;
    if (slash == SIZE_MAX || !slice_parse_u64(slice_sub(text, 0, slash), &rate.count) ||
        !duration_parse(slice_from(text, slash + 1), &rate.per_ms) || rate.per_ms == 0 ||
        rate.count > UNIT_MAX)
        return false;
    *ret_rate = rate;
    return true;
}

void rate_print(struct rate rate, char *out)
{
    char per[UNIT_TEXT_SIZE];
    duration_print(rate.per_ms, per);
    snprintf(out, UNIT_TEXT_SIZE, "%" PRIu64 "/%.20s", rate.count, per);
}

bool share_parse(struct slice text, uint32_t *ret_share)
{
    if (text.size < 2 || text.data[text.size - 1] != '%')
        return false;
    text.size--;
    uint64_t whole, part = 0;
    size_t point = slice_find_byte(text, '.');
    if (point != SIZE_MAX) {
        struct slice decimals = slice_from(text, point + 1);
        if (decimals.size < 1 || decimals.size > 2 || !slice_parse_u64(decimals, &part))
            return false;
        if (decimals.size == 1)
            part *= 10;
        text = slice_sub(text, 0, point);
    }
    if (!slice_parse_u64(text, &whole) || whole > 100000)
        return false;
    *ret_share = (uint32_t)(whole * 100 + part);
    return true;
}

void share_print(uint32_t share, char *out)
{
    unsigned whole = share / 100, part = share % 100;
    if (part == 0)
        snprintf(out, UNIT_TEXT_SIZE, "%u%%", whole);
    else if (part % 10 == 0)
        snprintf(out, UNIT_TEXT_SIZE, "%u.%u%%", whole, part / 10);
    else
        snprintf(out, UNIT_TEXT_SIZE, "%u.%02u%%", whole, part);
}

bool status_parse(struct slice text, uint16_t *ret_status)
{
    if (text.size != 3 || text.data[0] < '1' || text.data[0] > '5')
        return false;
    uint64_t number;
    if (text.data[1] == 'x' && text.data[2] == 'x')
        number = (uint64_t)(text.data[0] - '0');
    else if (!slice_parse_u64(text, &number))
        return false;
    *ret_status = (uint16_t)number;
    return true;
}

void status_print(uint16_t status, char *out)
{
    if (status < 10)
        snprintf(out, UNIT_TEXT_SIZE, "%uxx", (unsigned)status);
    else
        snprintf(out, UNIT_TEXT_SIZE, "%u", (unsigned)status);
}

bool status_matches(uint16_t pattern, unsigned status)
{
    return pattern < 10 ? status / 100 == pattern : status == pattern;
}

bool number_parse(struct slice text, int64_t *ret_number)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    uint64_t number;
    if (!slice_parse_u64(slice_from(text, negative ? 1 : 0), &number) || number > INT64_MAX)
        return false;
    *ret_number = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

bool cidr_parse(struct slice text, struct cidr *ret_cidr)
{
    char address[INET6_ADDRSTRLEN];
    size_t slash = slice_find_byte(text, '/');
    struct slice host = slash == SIZE_MAX ? text : slice_sub(text, 0, slash);
    if (host.size == 0 || host.size >= sizeof address)
        return false;
    memcpy(address, host.data, host.size);
    address[host.size] = '\0';
    if (strlen(address) != host.size)
        return false;

    struct cidr cidr = {.bits = 0};
    if (inet_pton(AF_INET, address, cidr.address) == 1)
        cidr.bits = 32;
    else if (inet_pton(AF_INET6, address, cidr.address) == 1) {
        cidr.is_v6 = 1;
        cidr.bits = 128;
    } else
        return false;
    if (slash != SIZE_MAX) {
        uint64_t bits;
        struct slice digits = slice_from(text, slash + 1);
        if (digits.size > 3 || !slice_parse_u64(digits, &bits) || bits > cidr.bits)
            return false;
        cidr.bits = (uint8_t)bits;
    }
    for (unsigned i = 0; i < sizeof cidr.address; i++) {
        unsigned start = i * 8;
        if (start >= cidr.bits)
            cidr.address[i] = 0;
        else if (cidr.bits - start < 8)
            cidr.address[i] &= (uint8_t)(0xff << (8 - (cidr.bits - start)));
    }
    *ret_cidr = cidr;
    return true;
}

void cidr_print(const struct cidr *cidr, char *out)
{
    char address[INET6_ADDRSTRLEN];
    inet_ntop(cidr->is_v6 ? AF_INET6 : AF_INET, cidr->address, address, sizeof address);
    snprintf(out, UNIT_TEXT_SIZE, "%s/%u", address, (unsigned)cidr->bits);
}

bool cidr_contains(const struct cidr *cidr, const uint8_t *address, bool is_v6)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (is_v6 && !cidr->is_v6 && memcmp(address, mapped, sizeof mapped) == 0) {
        address += sizeof mapped;
        is_v6 = false;
    }
    if (is_v6 != (bool)cidr->is_v6)
        return false;
    unsigned bytes = cidr->bits / 8, rest = cidr->bits % 8;
    if (memcmp(cidr->address, address, bytes) != 0)
        return false;
    return rest == 0 || ((cidr->address[bytes] ^ address[bytes]) >> (8 - rest)) == 0;
}

bool port_parse(struct slice text, uint16_t *ret_port)
{
    uint64_t port;
    if (text.size > 5 || !slice_parse_u64(text, &port) || port == 0 || port > 65535)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

bool host_port_parse(struct slice text, bool may_be_empty, struct slice *ret_host,
                     uint16_t *ret_port)
{
    struct slice host, port;
    if (text.size > 0 && text.data[0] == '[') {
        size_t end = slice_find_byte(text, ']');
        if (end == SIZE_MAX || end + 1 >= text.size || text.data[end + 1] != ':')
            return false;
        host = slice_sub(text, 1, end - 1);
        port = slice_from(text, end + 2);
        if (slice_find_byte(host, ':') == SIZE_MAX || !host_is_valid(host, false))
            return false;
    } else {
        size_t colon = slice_find_byte(text, ':');
        if (colon == SIZE_MAX)
            return false;
        host = slice_sub(text, 0, colon);
        port = slice_from(text, colon + 1);
        if (host.size == 0 ? !may_be_empty : !host_is_valid(host, false))
            return false;
    }
    uint16_t number;
    if (!port_parse(port, &number))
        return false;
    *ret_host = host;
    *ret_port = number;
    return true;
}

void host_port_outside(struct slice listen, struct slice advertise, char *out, size_t size)
{
    struct slice host, other;
    uint16_t port, other_port;

    snprintf(out, size, "%.*s", SLICE_ARG(listen));
    if (!host_port_parse(listen, true, &host, &port) ||
        (host.size != 0 && !slice_equal(host, SLICE("0.0.0.0")) &&
         !slice_equal(host, SLICE("::"))) ||
        !host_port_parse(advertise, false, &other, &other_port))
        return;
    snprintf(out, size, slice_find_byte(other, ':') == SIZE_MAX ? "%.*s:%u" : "[%.*s]:%u",
             SLICE_ARG(other), port);
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool host_is_valid(struct slice text, bool wildcard)
{
    struct cidr cidr;
    if (slice_find_byte(text, ':') != SIZE_MAX)
        return slice_find_byte(text, '/') == SIZE_MAX && cidr_parse(text, &cidr);
    if (wildcard && text.size > 2 && text.data[0] == '*' && text.data[1] == '.')
        text = slice_from(text, 2);
    if (text.size == 0 || text.size > 253)
        return false;
    /* Labels of RFC 1123; '_' as Docker and DNS service names have it. */
    size_t label = 0;
    for (size_t i = 0; i <= text.size; i++) {
        char c = i < text.size ? text.data[i] : '.';
        if (c == '.') {
            bool is_root_dot = i + 1 == text.size;
            if (label == 0 || label > 63 || text.data[i - 1] == '-')
                return false;
            if (is_root_dot)
                return true;
            label = 0;
        } else if (is_alnum(c) || c == '_' || (c == '-' && label > 0)) {
            label++;
        } else {
            return false;
        }
    }
    return true;
}

bool url_is_valid(struct slice text)
{
    if (slice_starts_with(text, SLICE("http://")))
        text = slice_from(text, 7);
    else if (slice_starts_with(text, SLICE("https://")))
        text = slice_from(text, 8);
    else
        return false;
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] <= ' ' || (unsigned char)text.data[i] >= 0x7f)
            return false;
    size_t end = 0;
    while (end < text.size && strchr("/?#", text.data[end]) == NULL)
        end++;
    struct slice authority = slice_sub(text, 0, end), host;
    uint16_t port;
    return host_port_parse(authority, false, &host, &port) ||
           host_is_valid(authority, false);
}

bool token_is_valid(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!is_alnum(text.data[i]) &&
            (text.data[i] == '\0' || strchr("!#$%&'*+-.^_`|~", text.data[i]) == NULL))
            return false;
    return text.size > 0 && text.size <= 256;
}

bool header_value_is_valid(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool header_is_free(struct slice lower_case_name)
{
    static const char *const names[] = {"connection", "content-length",    "keep-alive",
                                        "te",         "proxy-connection",  "trailer",
                                        "upgrade",    "transfer-encoding", NULL};
    for (size_t i = 0; names[i] != NULL; i++)
        if (slice_equal(lower_case_name, slice_from_string(names[i])))
            return false;
    return true;
}

bool target_is_valid(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= ' ' || c >= 0x7f || c == '#')
            return false;
    }
    return true;
}

bool target_path_is_valid(struct slice text)
{
    return target_is_valid(text) && slice_find_byte(text, '?') == SIZE_MAX;
}

bool name_is_valid(struct slice text)
{
    if (text.size == 0 || text.size > 63)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool is_edge = i == 0 || i + 1 == text.size;
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (c != '-' || is_edge))
            return false;
    }
    return true;
}

bool conditions_add(struct conditions *conditions, struct slice text)
{
    uint16_t status;
    if (slice_equal(text, SLICE("connect-failure")))
        conditions->connect_failure = true;
    else if (slice_equal(text, SLICE("reset")))
        conditions->reset = true;
    else if (slice_equal(text, SLICE("timeout")))
        conditions->timeout = true;
    else if (slice_equal(text, SLICE("grpc-unavailable")))
        conditions->grpc_unavailable = true;
    else if (!status_parse(text, &status))
        return false;
    else
        for (unsigned i = 100; i < 600; i++)
            conditions->statuses[i / 64] |= (uint64_t)status_matches(status, i) << i % 64;
    return true;
}

bool conditions_has_status(const struct conditions *conditions, unsigned status)
{
    return status < 640 && (conditions->statuses[status / 64] >> status % 64 & 1);
}
