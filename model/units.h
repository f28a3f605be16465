/* Texts of units, both ways: "800ms", "64KiB", "100/1s", "20%", "5xx",
 * "10.0.0.0/8", "host:8080". Pure functions, any thread.
 *
 * Parsers accept the whole slice or return false and write nothing. Printers
 * write the canonical form, NUL-terminated, into UNIT_TEXT_SIZE bytes. */
#ifndef GW_MODEL_UNITS_H
#define GW_MODEL_UNITS_H

#include "model/types.h"

#define UNIT_TEXT_SIZE 64

bool duration_parse(struct slice text, uint64_t *ret_ms);
void duration_print(uint64_t ms, char *out);
bool size_parse(struct slice text, uint64_t *ret_bytes);
void size_print(uint64_t bytes, char *out);
bool rate_parse(struct slice text, struct rate *ret_rate);
void rate_print(struct rate rate, char *out);
/* Hundredths of a percent; two decimals at most, 100000 % at most. */
bool share_parse(struct slice text, uint32_t *ret_share);
void share_print(uint32_t share, char *out);
/* 100 to 599, or a class as its digit: "5xx" is 5. */
bool status_parse(struct slice text, uint16_t *ret_status);
void status_print(uint16_t status, char *out);
bool status_matches(uint16_t pattern, unsigned status);
bool number_parse(struct slice text, int64_t *ret_number);
/* An address alone is a prefix of all its bits. Bits outside the prefix are cleared. */
bool cidr_parse(struct slice text, struct cidr *ret_cidr);
void cidr_print(const struct cidr *cidr, char *out);
/* `address`: 4 or 16 bytes in network order. ::ffff:a.b.c.d counts as a.b.c.d. */
bool cidr_contains(const struct cidr *cidr, const uint8_t *address, bool is_v6);
bool port_parse(struct slice text, uint16_t *ret_port);
/* "name:80", "10.0.0.1:80", "[::1]:80"; an empty host only if `may_be_empty`
 * (":8443", a bind). The host comes without brackets and borrows `text`. */
bool host_port_parse(struct slice text, bool may_be_empty, struct slice *ret_host,
                     uint16_t *ret_port);
/* Where others find a port that listens at `listen`: there, but one on all addresses at
 * the host of `advertise`. What cannot be read is copied. */
void host_port_outside(struct slice listen, struct slice advertise, char *out, size_t size);
/* A DNS name or an IP address; `wildcard` also lets "*.suffix" through. */
bool host_is_valid(struct slice text, bool wildcard);
bool url_is_valid(struct slice text);          /* http or https, a host */
bool token_is_valid(struct slice text);        /* RFC 9110 token: header names, methods */
bool header_value_is_valid(struct slice text); /* no control characters but tab */
/* Header fields that frame a message or end at a hop (RFC 9110 section 7.6.1): no
 * configuration may touch them, or it could smuggle requests. */
bool header_is_free(struct slice lower_case_name);
/* Visible ASCII without '#': what may stand in a request target, variables too.
 * The second refuses '?' as well. */
bool target_is_valid(struct slice text);
bool target_path_is_valid(struct slice text);
bool name_is_valid(struct slice text); /* RFC 1123 label, 63 at most */

/* What a retry or a breaker counts, of texts such as "connect-failure", "503", "5xx". */
struct conditions {
    bool connect_failure, reset, timeout, grpc_unavailable;
    uint64_t statuses[10]; /* bit per status 0 to 639 */
};
bool conditions_add(struct conditions *conditions, struct slice text);
bool conditions_has_status(const struct conditions *conditions, unsigned status);

#endif
