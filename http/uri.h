/* Request targets, paths and hosts: taken apart, checked, put into one form.
 *
 * A path is normalised once, before matching, and what was matched is what is
 * forwarded; so no two parts of the system can differ about it. The output is
 * never longer than the input; where nothing changes it is the input itself,
 * and nothing is written. Any thread, no state. */
#ifndef GW_HTTP_URI_H
#define GW_HTTP_URI_H

#include "base/slice.h"

struct uri {
    struct slice scheme;    /* empty: origin form */
    struct slice authority; /* empty: origin form */
    struct slice path;      /* never empty: "/" for an absolute form without one */
    struct slice query;     /* without '?'; data NULL: there was none */
};

/* Origin form "/path?query" or absolute form "http(s)://authority/path?query".
 * False for all else: "*", authority form, another scheme, user info, bytes
 * other than visible ASCII, a fragment. */
bool uri_split(struct slice target, struct uri *ret_uri);

/* How many bytes at the front are visible ASCII. */
size_t uri_target_span(struct slice s);

/* RFC 3986 §6.2.2: decodes percent-encoded unreserved characters, puts other
 * encodings in upper case, merges "//", resolves "." and ".." (above the root:
 * the root), and makes an empty path "/". Decodes once only: %252e stays.
 * False (answer 400) for what upstreams read differently: a bad encoding, %00,
 * an encoded slash or backslash, a raw backslash, overlong UTF-8, and a segment
 * that is nothing but dots and parameters (";x", ".;", "..;x"). Other parameters
 * are bytes like any.
 * `out` holds at least path.size bytes and may be path.data itself,
 * which is then spoilt where the path is refused. */
bool uri_path_normalise(struct slice path, char *out, struct slice *ret_path);

struct uri_host {
    struct slice host; /* without port; IPv6 with its brackets; without a final dot */
    uint16_t port;     /* 0: none given */
    bool is_ipv6;
};

#define URI_HOST_MAX 255u

/* Takes a Host header or an authority apart. False unless it is a name of
 * letters, digits, '-', '_', '.', or an IPv4 address, or a bracketed IPv6
 * address, and perhaps a port from 1 to 65535. */
bool uri_host_split(struct slice authority, struct uri_host *ret_host);
/* In lower case; `out` holds at least host.size bytes. */
struct slice uri_host_lower(struct slice host, char *out);
/* Same host, any case, and same port, where none means `default_port`. */
bool uri_host_equal(const struct uri_host *a, const struct uri_host *b,
                    uint16_t default_port);

#endif
