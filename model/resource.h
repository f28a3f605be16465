/* A resource: one object of the configuration, decoded and checked by itself.
 *
 * Never changes once built, so any thread may read it; shared by an atomic
 * count, and one arena owns all it points at. Revisions are those of the
 * record's envelope in the store; times and author are part of its value. */
#ifndef GW_MODEL_RESOURCE_H
#define GW_MODEL_RESOURCE_H

#include "model/kind.h"
#include "model/kind_cluster.h"
#include "model/kind_listener.h"
#include "model/kind_policy.h"
#include "model/kind_region.h"
#include "model/kind_route.h"
#include "model/kind_service.h"
#include "model/problems.h"
#include "model/schema.h"
#include "model/value.h"

#define GW_API_VERSION      "gw/v1"
#define RESOURCE_NAME_MAX   63
#define RESOURCE_LABELS_MAX 32
#define RESOURCE_KEY_MAX    80 /* "certificate/" and a name, with the NUL */

struct resource {
    enum kind kind;
    struct slice name;
    struct slice key; /* of its record: "route/hello" */
    ARRAY(struct pair) labels;
    ARRAY(struct pair) annotations;
    union { /* by kind */
        const void *spec;
        const struct cluster_spec *cluster;
        const struct region_spec *region;
        const struct listener_spec *listener;
        const struct service_spec *service;
        const struct route_spec *route;
        const struct policy_spec *policy;
    };
    uint64_t create_revision; /* 0: not stored yet */
    uint64_t mod_revision;
    uint64_t created_ms; /* wall time, for display */
    uint64_t updated_ms;
    struct slice updated_by;
    bool is_broken; /* had errors: for catalog_check alone, never stored or served */
    bool has_holes; /* broken, and values of its spec are missing for their errors */
    /* private */
    unsigned references; /* atomic */
    struct arena arena;
};

/* From a document's root: {apiVersion, kind, metadata, spec}. Every problem is
 * reported; NULL if one was an error. `item` as in struct problem, or 0. The
 * caller owns the one reference. */
struct resource *resource_decode(const struct value *root, struct slice file, int32_t item,
                                 struct problems *problems);
/* The same, but what had errors is given too, broken: with the fields that did
 * decode, and its name as it was written, valid or not. NULL: no kind, or no memory. */
struct resource *resource_decode_broken(const struct value *root, struct slice file,
                                        int32_t item, struct problems *problems);
struct resource *resource_ref(const struct resource *resource);
void resource_unref(const struct resource *resource);

/* Before it is shared: takes created_ms and revisions from `old` (may be NULL),
 * and notes when and by whom. */
void resource_stamp(struct resource *resource, const struct resource *old, uint64_t now_ms,
                    struct slice by);
/* Whether labels, annotations and spec are the same. */
bool resource_equal(const struct resource *a, const struct resource *b);

/* The record's value; a broken resource has none (the buffer fails). Unpacking checks every
 * length, never the references. */
void resource_pack(struct buffer *out, const struct resource *resource);
struct resource *resource_unpack(struct slice key, struct slice value,
                                 uint64_t create_revision, uint64_t mod_revision,
                                 struct error *err);

enum resource_view {
    RESOURCE_EXPORT,   /* what was given, as `export` and `diff` want it */
    RESOURCE_GET,      /* and what the server adds to metadata */
    RESOURCE_EFFECTIVE /* and every default */
};
void resource_emit(struct emit *emit, const struct resource *resource,
                   enum resource_view view);
/* The same as a tree, for merge patches and `gwctl edit`. NULL: out of memory. */
struct value *resource_value(struct arena *arena, const struct resource *resource);

/* "route/hello" into RESOURCE_KEY_MAX bytes; false if it does not fit. */
bool resource_key(enum kind kind, struct slice name, char *out);
/* The reverse; false for other records' keys. */
bool resource_key_parse(struct slice key, enum kind *ret_kind, struct slice *ret_name);

/* Labels against "team=apps,tier!=web,env": all must hold. */
bool selector_is_valid(struct slice selector);
bool selector_matches(struct slice selector, const struct resource *resource);

#endif
