/* The value types that specs are built of. Plain data; what they point at is
 * owned by the arena of the resource they stand in.
 *
 * Absent values of fields without a default: GW_ABSENT for durations, sizes
 * and numbers that may be 0, GW_ABSENT_SHARE, -1 for choices, port 0, an
 * empty slice, a rate with per_ms 0, a blob with form BLOB_NONE. */
#ifndef GW_MODEL_TYPES_H
#define GW_MODEL_TYPES_H

#include "base/slice.h"

#define GW_ABSENT        UINT64_MAX
#define GW_ABSENT_NUMBER INT64_MIN
#define GW_ABSENT_SHARE  UINT32_MAX

/* Shares are counted in hundredths of a percent: "20%" is 2000. */
#define GW_SHARE_ALL 10000u

/* A run of items, for lists and maps. */
#define ARRAY(type)   \
    struct {          \
        type *items;  \
        size_t count; \
    }

struct rate { /* 100/1s */
    uint64_t count;
    uint64_t per_ms; /* 0: absent */
};

struct cidr {
    uint8_t address[16]; /* network order; IPv4 in the first four */
    uint8_t is_v6;
    uint8_t bits; /* of the prefix */
};

/* An entry of a map from names to strings. Maps are sorted by name. */
struct pair {
    struct slice name;
    struct slice value;
};

/* Content and secrets: by exactly one of these. Only sealed, node-file and
 * inline ever reach the store; file and env are read by gwctl. */
enum blob_form {
    BLOB_NONE,
    BLOB_FILE,
    BLOB_ENV,
    BLOB_SEALED,
    BLOB_NODE_FILE,
    BLOB_INLINE,
};

struct blob {
    int form; /* enum blob_form */
    struct slice value;
};

struct secret_pair {
    struct slice name;
    struct blob value;
};

#endif
