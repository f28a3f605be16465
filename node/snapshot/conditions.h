/* What a route asks of a call beyond host, path and method: listeners, headers,
 * query. All must hold. Read-only, in the snapshot's arena. */
#ifndef GW_NODE_CONDITIONS_H
#define GW_NODE_CONDITIONS_H

#include "node/snapshot/pattern.h"
#include "node/snapshot/snapshot.h"

enum condition_type {
    CONDITION_PRESENT,
    CONDITION_ABSENT,
    CONDITION_EXACT,
    CONDITION_PREFIX,
    CONDITION_REGEX
};

struct condition { /* of a header or a query parameter */
    uint8_t type;  /* enum condition_type */
    uint8_t id;    /* enum http_header_id */
    struct slice name, text;
    const struct pattern *pattern;
};

struct conditions_of_route {
    const uint64_t *listeners; /* bit per listener; NULL: all */
    uint32_t listener_words;
    uint32_t header_count, query_count;
    const struct condition *headers, *query;
};

/* False: *ret_miss is the condition that failed, NULL if it was the listener. */
bool conditions_hold(const struct conditions_of_route *conditions,
                     const struct route_query *query, const struct condition **ret_miss);

#endif
