/* The members as the replicated node records describe them, and what stands
 * beside the resources: cluster, tokens, digest. Copied out of a read
 * transaction of some microseconds. Control thread. */
#ifndef GW_NODE_NODES_H
#define GW_NODE_NODES_H

#include "model/catalog.h"
#include "raft/member.h"
#include "raft/node_record.h"

struct node_entry {
    uint64_t id;
    char name[64], region[64], zone[64], role[16], version[64];
    char peer[NODE_ADDRESS_LIMIT + 1], admin[NODE_ADDRESS_LIMIT + 1];
    uint64_t joined_ms;
};

struct nodes {
    struct record_state state; /* at which it was read */
    size_t count;
    struct node_entry items[MEMBER_PEERS];
    char cluster_name[64];
    uint64_t format; /* stored */
};

/* GW_OK, or what the store said. */
enum result nodes_read(struct env *env, struct nodes *ret_nodes);
const struct node_entry *nodes_by_id(const struct nodes *nodes, uint64_t id);
const struct node_entry *nodes_by_name(const struct nodes *nodes, struct slice name);
/* Those whom a recovery left behind. */
size_t nodes_formers(struct env *env, struct member_former *out, size_t max);
/* Tells the member: whom to dial, who wants which role. */
void nodes_tell(const struct nodes *nodes, struct member *member);
/* Name and region of each, copied into `arena`. */
size_t nodes_regions(const struct nodes *nodes, struct arena *arena,
                     struct member_region *out, size_t max);

#endif
