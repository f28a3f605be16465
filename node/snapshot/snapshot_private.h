/* Inside a snapshot: shared by what compiles it and what reads it. */
#ifndef GW_NODE_SNAPSHOT_PRIVATE_H
#define GW_NODE_SNAPSHOT_PRIVATE_H

#include "node/snapshot/router.h"
#include "node/snapshot/snapshot.h"

#include <stdatomic.h>

#define WARNINGS_MAX_KEPT 100u

struct path_regex {
    const struct pattern *pattern; /* NULL: any path */
    const struct template *path;
};

struct snapshot {
    atomic_uint references;
    struct arena arena; /* owns all below, but for patterns and the board's slots */
    uint64_t revision;
    struct slice node_name, node_region, node_zone;
    struct snapshot_settings settings;

    struct target_service *services; /* by name */
    uint32_t service_count;
    struct snapshot_listener *listeners; /* by name */
    uint32_t listener_count;
    /* Listeners with the same policies share the plans of a route; the last class
     * is that of a call without a listener. */
    uint32_t *listener_classes; /* by number */
    uint32_t class_count;
    struct router_route *routes; /* by name */
    uint32_t route_count;
    struct plan *plans; /* route by route, one for each class */
    struct router *router;

    struct board *board; /* borrowed; outlives all snapshots */
    struct board_slot **slots;
    size_t slot_count, slot_capacity;
    struct pattern **patterns; /* owned */
    size_t pattern_count, pattern_capacity;
    struct slice *warnings;
    size_t warning_count, warning_capacity;

    void (*on_unused)(void *context, struct snapshot *snapshot);
    void *context;
};

/* What a compile carries along. */
struct compile {
    struct snapshot *snapshot;
    const struct catalog *catalog;
    const struct compile_options *options;
    const struct resource **class_listeners; /* one of each class; NULL: none */
    struct arena scratch;
    struct slice subject; /* "Route/hello", for warnings */
};

void compile_warn(struct compile *compile, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A pattern that the snapshot owns. */
enum result compile_pattern(struct compile *compile, struct slice text,
                            const struct pattern **ret_pattern, struct error *err);
struct bulkhead_limits compile_bulkhead(const struct bulkhead_spec *spec);
/* By place in the catalog's lists. */
enum result compile_services(struct compile *compile, struct error *err);
enum result compile_listeners(struct compile *compile, struct error *err);
enum result compile_routes(struct compile *compile, struct error *err);
/* The plan of a route for one class of listeners, whose policies are added. */
enum result compile_plan(struct compile *compile, const struct resource *resource,
                         const struct router_route *route, struct plan *ret_plan,
                         struct error *err);

#endif
