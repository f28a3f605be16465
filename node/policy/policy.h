/* Policies: what happens to a call on its way, compiled from the sections that
 * hold for a route on a listener (model/effective.h).
 *
 * Each policy is one file and one line in policies.c. So far every policy is
 * settled when the snapshot is compiled: it fills its part of a policy_set,
 * which the plan carries and the proxy acts on. Pool thread; errors name the
 * policy's section. */
#ifndef GW_NODE_POLICY_H
#define GW_NODE_POLICY_H

#include "http/message.h"
#include "model/effective.h"
#include "node/policy/template.h"

/* Of a header: remove (value NULL), add, or else set. In order. */
struct header_change {
    struct slice name; /* lower case */
    const struct template *value;
    bool add;
};

struct retry_plan {
    uint8_t max;         /* tries after the first */
    uint32_t per_try_ms; /* 0: the rest of timeout */
    bool connect_failure, reset, timeout;
    uint64_t status_bits[10]; /* every status to retry, by bit: retry_plan_has_status */
    uint16_t statuses[16];    /* the same for the first 16, but those of status_5xx */
    uint8_t status_count;
    bool status_5xx;
    uint32_t methods; /* bits of enum http_method; do not bind connect failures */
    uint32_t backoff_ms, backoff_max_ms;
    bool retry_after;
    uint64_t buffer_bytes; /* bodies above this are not sent twice */
};

static inline bool retry_plan_has_status(const struct retry_plan *retry, unsigned status)
{
    return status < 640 && (retry->status_bits[status / 64] >> status % 64 & 1) != 0;
}

struct cors_plan {
    const struct slice *origins;
    uint32_t origin_count;
    bool any_origin; /* then without credentials */
    bool credentials;
    struct slice methods, headers, expose; /* header values; empty: none */
    struct slice max_age;                  /* in seconds */
};

struct compress_plan {
    const struct slice *types; /* as configured: whole, or ending in a star */
    uint32_t type_count;
    uint64_t min_bytes;
    int level;
};

bool compress_has_type(const struct compress_plan *compress, struct slice content_type);
/* What Access-Control-Allow-Origin says to this origin; data NULL: it may not. */
struct slice cors_allowed(const struct cors_plan *cors, struct slice origin);

struct policy_set {
    uint32_t timeout_ms; /* 0: none */
    uint32_t idle_ms;
    uint64_t body_bytes; /* 0: unlimited */
    struct retry_plan retry;
    const struct header_change *request_headers, *response_headers;
    uint32_t request_header_count, response_header_count;
    const struct cors_plan *cors;         /* NULL: none */
    const struct compress_plan *compress; /* NULL: none */
};

struct policy_compile {
    struct arena *arena; /* owns what the set points at */
    /* A field that cannot be honoured; may be NULL. */
    void (*warn)(void *context, const char *text);
    void *context;
};

struct policy_type {
    const char *name; /* of the section */
    enum result (*compile)(struct policy_compile *compile,
                           const struct effective *effective, struct policy_set *ret_set,
                           struct error *err);
};

extern const struct policy_type *const policy_list[]; /* ends with NULL */

/* All of them; *ret_set is filled anew. */
enum result policies_compile(struct policy_compile *compile,
                             const struct effective *effective, struct policy_set *ret_set,
                             struct error *err);
/* Framing and hop-by-hop headers, and Host in requests, which the gateway writes
 * itself: no change may touch them. */
bool headers_is_reserved(struct slice name, bool is_request);
/* Compiles one change and adds it to a list in the arena. */
enum result headers_compile_pair(struct policy_compile *compile, const struct pair *pair,
                                 bool is_request, struct header_change *ret_change,
                                 struct error *err);
/* Milliseconds for 32 bits: what is longer is as good as for ever. */
static inline uint32_t policy_ms(uint64_t ms)
{
    return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

extern const struct policy_type policy_compress, policy_cors, policy_headers, policy_limits,
    policy_retry;

#endif
