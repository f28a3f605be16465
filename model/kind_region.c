/* The fields of Region. The failover list and weights order the endpoints of other
 * regions; entry steering will act on the rest. */
#include "model/kind_region.h"

#include "model/rows.h"

static const char *const failbacks[] = {"auto", "manual", NULL};

static const struct field nodes_fields[] = {
    NUMBER(1, struct region_nodes, min, "min", .initial = "1", .min = 0, .max = 10000,
           .help = "Fewest nodes wanted."),
    NUMBER(2, struct region_nodes, max, "max", .min = 1, .max = 10000,
           .help = "Most nodes wanted."),
    SHARE(3, struct region_nodes, target, "target", .initial = "60%", .min = 1,
          .max = 10000, .help = "Load per node that desired_nodes aims at."),
    DURATION(4, struct region_nodes, cool_down_ms, "coolDown", .initial = "5m",
             .help = "Least time between changes."),
    END,
};
SCHEMA(nodes_schema, struct region_nodes, "nodes", .fields = nodes_fields);

static const struct field fields[] = {
    REF_LIST(1, struct region_spec, failover, "failover", KIND_REGION, HONOURED,
             .help = "Where traffic goes when this region fails, in order; default: the "
                     "others by weight."),
    NUMBER(2, struct region_spec, weight, "weight", .initial = "100", .min = 0, .max = 1000,
           HONOURED, .help = "Share of entry traffic; 0: last resort."),
    RATE(3, struct region_spec, capacity, "capacity",
         .help = "What the region can take; default: the sum of its nodes'."),
    SHARE(4, struct region_spec, spill, "spill", .initial = "140%", .min = 0, .max = 100000,
          .help = "Traffic leaves when its healthy share times this is below 100 %."),
    CHOICE(5, struct region_spec, failback, "failback", .values = failbacks,
           .help = "Overrides Cluster.failover.failback."),
    SHARE(6, struct region_spec, quota_share, "quotaShare", .min = 0, .max = 10000,
          .help = "Fixed part of cluster rate limits; default: by demand."),
    LIST(CIDR, 7, struct region_spec, clients, "clients",
         .help = "Clients that DNS sends here as the nearest."),
    STRUCT(8, struct region_spec, nodes, "nodes", nodes_schema,
           .help = "Bounds of the number of nodes."),
    END,
};

PUBLIC_SCHEMA(region_schema, struct region_spec, "Region", .fields = fields,
              .help =
                  "A place with nodes and endpoints. Once any exists, joins and endpoints "
                  "may name no other.");
