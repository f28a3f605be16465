/* Route: which calls it takes, and what becomes of them. */
#ifndef GW_MODEL_KIND_ROUTE_H
#define GW_MODEL_KIND_ROUTE_H

#include "model/kind_policy.h"
#include "model/kind_service.h"

enum split_by { SPLIT_REQUEST, SPLIT_CONSUMER, SPLIT_CLIENT_IP, SPLIT_COOKIE };

/* One of the three; all empty in a match without `path`: any path. */
struct path_match {
    uint64_t set;
    struct slice exact, prefix, regex;
};

/* One of exact, prefix, regex, present; none of them: must be present. */
struct header_match {
    uint64_t set;
    struct slice name; /* lower case */
    struct slice exact, prefix, regex;
    bool present;
};

struct query_match {
    uint64_t set;
    struct slice name;
    struct slice exact, regex;
    bool present;
};

/* Numbers of the fields above, for field_is_set. */
enum {
    MATCH_NAME = 1,
    MATCH_EXACT = 2,
    MATCH_PREFIX = 3,
    MATCH_REGEX = 4,
    MATCH_PRESENT = 5
};

struct route_match {
    uint64_t set;
    ARRAY(struct slice) hosts;     /* lower case; "*.suffix"; empty: any */
    const struct path_match *path; /* NULL: any */
    ARRAY(struct slice) methods;
    ARRAY(struct header_match) headers;
    ARRAY(struct query_match) query;
    ARRAY(struct slice) listeners; /* empty: all */
};

struct split_when {
    uint64_t set;
    struct slice header, cookie, exact; /* exact empty and not set: present is enough */
};

struct split_part {
    uint64_t set;
    struct slice service;
    int64_t weight;
    const struct split_when *when; /* NULL: by weight only */
};

struct redirect_spec {
    uint64_t set;
    int64_t status;
    int scheme; /* enum redirect_scheme; -1: as the request */
    struct slice host;
    uint16_t port;     /* 0: as the request, or the scheme's */
    struct slice path; /* template; empty: as the request */
};
enum redirect_scheme { REDIRECT_HTTP, REDIRECT_HTTPS };

struct respond_spec {
    uint64_t set;
    int64_t status;
    ARRAY(struct pair) headers;
    struct blob body;
};

struct rewrite_spec {
    uint64_t set;
    struct slice host;
    struct slice prefix; /* replaces the matched prefix */
    struct slice regex;
    struct slice path; /* template, with ${capture.N} */
};

struct mirror_spec {
    uint64_t set;
    struct slice service;
    uint32_t share;
};

struct fallback_spec {
    uint64_t set;
    struct slice service;
    const struct respond_spec *respond;
};

struct maintenance_spec {
    uint64_t set;
    bool enabled;
    uint64_t retry_after_ms;
    ARRAY(struct cidr) allow;
};

struct route_spec {
    uint64_t set;
    struct route_match match;
    int64_t priority;
    /* exactly one of these four */
    struct slice service;
    ARRAY(struct split_part) split;
    const struct redirect_spec *redirect;
    const struct respond_spec *respond;
    int split_by;
    const struct rewrite_spec *rewrite;
    const struct mirror_spec *mirror;
    const struct fallback_spec *fallback;
    const struct maintenance_spec *maintenance;
    ARRAY(struct slice) upgrades;
    struct bulkhead_spec bulkhead;
    ARRAY(struct slice) policies;
    struct policy_spec policy; /* sections given inline */
};

extern const struct schema route_schema;

#endif
