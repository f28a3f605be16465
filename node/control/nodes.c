/* At most MEMBER_PEERS records, read whole whenever more is visible: cheaper
 * than knowing which entries were about nodes. */
#include "node/control/nodes.h"

#include "base/hash.h"

#include <stdio.h>

static void copy(char *out, size_t size, struct slice text)
{
    if (text.size >= size)
        text.size = size - 1;
    if (text.size != 0)
        memcpy(out, text.data, text.size);
    out[text.size] = '\0';
}

static bool take_node(void *owner, struct slice key, const struct record *record)
{
    struct nodes *nodes = owner;
    struct node_record node;

    (void)key;
    if (nodes->count == MEMBER_PEERS)
        return false;
    if (!node_record_unpack(record->value, &node))
        return true;
    struct node_entry *entry = &nodes->items[nodes->count++];
    memset(entry, 0, sizeof *entry); /* compared as bytes */
    entry->id = node.id;
    entry->joined_ms = node.joined_ms;
    copy(entry->name, sizeof entry->name, node.name);
    copy(entry->region, sizeof entry->region, node.region);
    copy(entry->zone, sizeof entry->zone, node.zone);
    copy(entry->role, sizeof entry->role, node.role);
    copy(entry->version, sizeof entry->version, node.version);
    copy(entry->peer, sizeof entry->peer, node.peer);
    copy(entry->admin, sizeof entry->admin, node.admin);
    return true;
}

static void sort_by_id(struct nodes *nodes)
{
    for (size_t i = 1; i < nodes->count; i++) {
        for (size_t j = i; j > 0 && nodes->items[j - 1].id > nodes->items[j].id; j--) {
            struct node_entry swap = nodes->items[j];
            nodes->items[j] = nodes->items[j - 1];
            nodes->items[j - 1] = swap;
        }
    }
}

enum result nodes_read(struct env *env, struct nodes *ret_nodes)
{
    struct txn *txn;
    struct record record;

    memset(ret_nodes, 0, sizeof *ret_nodes);
    enum result result = env_begin_read(env, &txn);
    if (result != GW_OK)
        return result;
    result = record_state_get(txn, &ret_nodes->state);
    if (result == GW_OK || result == GW_NOT_FOUND)
        result = record_walk(txn, NODE_PREFIX, take_node, ret_nodes);
    if (result == GW_NOT_FOUND)
        result = GW_OK;
    if (result == GW_OK)
        result = format_get(txn, &ret_nodes->format);
    if (result == GW_OK && record_get(txn, CLUSTER_KEY, &record) == GW_OK) {
        struct cluster_record cluster;
        if (cluster_record_unpack(record.value, &cluster))
            copy(ret_nodes->cluster_name, sizeof ret_nodes->cluster_name, cluster.name);
    }
    txn_abort(txn);
    sort_by_id(ret_nodes);
    return result;
}

struct formers {
    struct member_former *out;
    size_t count, max;
};

static bool take_former(void *owner, struct slice key, const struct record *record)
{
    struct formers *formers = owner;
    struct node_record node;

    (void)key;
    if (node_record_unpack(record->value, &node)) {
        struct member_former *former = &formers->out[formers->count++];
        former->id = node.id;
        copy(former->address, sizeof former->address, node.peer);
    }
    return formers->count < formers->max;
}

size_t nodes_formers(struct env *env, struct member_former *out, size_t max)
{
    struct formers formers = {.out = out, .max = max};
    struct txn *txn;

    if (env_begin_read(env, &txn) != GW_OK)
        return 0;
    record_walk(txn, FORMER_PREFIX, take_former, &formers);
    txn_abort(txn);
    return formers.count;
}

const struct node_entry *nodes_by_id(const struct nodes *nodes, uint64_t id)
{
    for (size_t i = 0; i < nodes->count; i++) {
        if (nodes->items[i].id == id)
            return &nodes->items[i];
    }
    return NULL;
}

const struct node_entry *nodes_by_name(const struct nodes *nodes, struct slice name)
{
    for (size_t i = 0; i < nodes->count; i++) {
        if (slice_equal(slice_from_string(nodes->items[i].name), name))
            return &nodes->items[i];
    }
    return NULL;
}

static enum roster_wish wish_of(const char *role)
{
    if (strcmp(role, "voter") == 0)
        return ROSTER_VOTER;
    if (strcmp(role, "standby") == 0)
        return ROSTER_STANDBY;
    if (strcmp(role, "witness") == 0)
        return ROSTER_WITNESS;
    return ROSTER_AUTO;
}

void nodes_tell(const struct nodes *nodes, struct member *member)
{
    struct member_node told[MEMBER_PEERS];

    for (size_t i = 0; i < nodes->count; i++) {
        const struct node_entry *entry = &nodes->items[i];
        memset(&told[i], 0, sizeof told[i]);
        told[i].id = entry->id;
        snprintf(told[i].address, sizeof told[i].address, "%s", entry->peer);
        told[i].wish = wish_of(entry->role);
        told[i].region = hash_stable(slice_from_string(entry->region));
    }
    member_nodes_set(member, told, nodes->count, nodes->state.applied, nodes->format);
}

size_t nodes_regions(const struct nodes *nodes, struct arena *arena,
                     struct member_region *out, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < nodes->count && count < max; i++) {
        out[count].node = arena_copy(arena, slice_from_string(nodes->items[i].name));
        out[count].region = arena_copy(arena, slice_from_string(nodes->items[i].region));
        count++;
    }
    return count;
}
