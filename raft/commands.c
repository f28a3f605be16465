/* The commands every cluster has.
 *
 * Each looks at everything first and writes only once nothing can refuse any
 * more, so a refused command has changed nothing. Values read from the
 * transaction are valid until it writes: what is needed later is packed before
 * the first write. */
#include "raft/gone.h"
#include "raft/joining.h"
#include "raft/refusal.h"
#include "raft/system.h"
#include "raft/transaction.h"

#include <stdio.h>

/* --- nodes --- */

/* Another node that has the name, or the peer address: two nodes behind one address would
 * take each other's links for ever. */
struct twin_search {
    const struct node_record *node;
    uint64_t named, addressed; /* ids; 0: nobody */
};

static bool match_twin(void *owner, struct slice key, const struct record *record)
{
    struct twin_search *search = owner;
    struct node_record other;

    (void)key;
    if (!node_record_unpack(record->value, &other) || other.id == search->node->id)
        return true;
    if (slice_equal(other.name, search->node->name))
        search->named = other.id;
    if (other.peer.size > 0 && slice_equal(other.peer, search->node->peer))
        search->addressed = other.id;
    return search->named == 0 && search->addressed == 0;
}

/* GW_OK when nobody has; else the refusal is written. *ret_has_twin says which. */
static enum result refuse_twin(struct command_call *call, const struct node_record *node,
                               bool *ret_has_twin)
{
    struct twin_search search = {.node = node};
    enum result result = record_walk(call->txn, NODE_PREFIX, match_twin, &search);

    *ret_has_twin = search.named != 0 || search.addressed != 0;
    if (result != GW_OK || !*ret_has_twin)
        return result;
    if (search.named != 0)
        return command_refuse(
            call, GW_CONFLICT,
            "a node named '%.*s' exists (id %llu); choose another name or remove it",
            SLICE_ARG(node->name), (unsigned long long)search.named);
    return command_refuse(
        call, GW_CONFLICT,
        "peer address '%.*s' is that of node %llu; give this node one of its own",
        SLICE_ARG(node->peer), (unsigned long long)search.addressed);
}

static bool stop_at_first(void *owner, struct slice key, const struct record *record)
{
    (void)key;
    (void)record;
    *(bool *)owner = true;
    return false;
}

/* A region must be defined once any is. */
static enum result region_is_known(struct txn *txn, struct slice region, bool *ret_is_known)
{
    bool has_regions = false;
    struct record record;
    char key[ENV_KEY_LIMIT];
    enum result result = record_walk(txn, SLICE("region/"), stop_at_first, &has_regions);

    *ret_is_known = !has_regions;
    if (result != GW_OK || !has_regions)
        return result;
    int size = snprintf(key, sizeof key, "region/%.*s", SLICE_ARG(region));
    result = record_get(txn, slice_of(key, (size_t)size), &record);
    *ret_is_known = result == GW_OK;
    return result == GW_NOT_FOUND ? GW_OK : result;
}

static enum result put_node(struct command_call *call, const struct node_record *node)
{
    char key[NODE_KEY_SIZE];
    struct buffer out;
    enum result result = GW_NO_MEMORY;

    buffer_init(&out, 0);
    node_record_pack(&out, node);
    if (!out.failed)
        result = record_put(call->txn, node_record_key(node->id, key), buffer_slice(&out),
                            call->index);
    buffer_deinit(&out);
    return result;
}

static enum result put_token(struct command_call *call, const struct token_record *token)
{
    char key[TOKEN_ID_LIMIT + 8];
    struct buffer out;
    enum result result = GW_NO_MEMORY;

    buffer_init(&out, 0);
    token_record_pack(&out, token);
    if (!out.failed)
        result = record_put(call->txn, token_record_key(token->id, key), buffer_slice(&out),
                            call->index);
    buffer_deinit(&out);
    return result;
}

static bool token_is_sound(const struct token_record *token)
{
    return token->id.size > 0 && token->id.size <= TOKEN_ID_LIMIT &&
           node_role_is_known(token->role);
}

static bool node_is_sound(const struct node_record *node)
{
    return node->name.size > 0 && node->region.size > 0 &&
           (node->role.size == 0 || node_role_is_known(node->role));
}

static enum result apply_cluster_create(struct command_call *call)
{
    struct unpack in = unpack_init(call->body);
    struct cluster_record cluster;
    struct ca_record ca;
    struct node_record node;
    struct token_record token;
    struct record record;
    struct slice cluster_bytes, ca_bytes, node_bytes, token_bytes = {"", 0};
    enum result result;

    unpack_array(&in, 4);
    cluster_bytes = unpack_bytes(&in, 65536);
    ca_bytes = unpack_bytes(&in, 1u << 20);
    node_bytes = unpack_bytes(&in, 65536);
    bool has_token = !unpack_nil(&in);
    if (has_token)
        token_bytes = unpack_bytes(&in, 65536);
    if (!unpack_done(&in) || !cluster_record_unpack(cluster_bytes, &cluster) ||
        !ca_record_unpack(ca_bytes, &ca) || !node_record_unpack(node_bytes, &node) ||
        !node_is_sound(&node) || node.id == 0 ||
        (has_token &&
         (!token_record_unpack(token_bytes, &token) || !token_is_sound(&token))))
        return command_malformed(call);
    result = record_get(call->txn, CLUSTER_KEY, &record);
    if (result == GW_OK)
        return command_refuse(call, GW_CONFLICT, "the cluster exists already");
    if (result != GW_NOT_FOUND)
        return result;
    result = record_put(call->txn, CLUSTER_KEY, cluster_bytes, call->index);
    if (result == GW_OK)
        result = record_put(call->txn, CA_KEY, ca_bytes, call->index);
    if (result == GW_OK)
        result = put_node(call, &node);
    if (result == GW_OK && has_token)
        result = put_token(call, &token);
    return result;
}

/* The node that `node` says it replaces must be there, under the same name. */
static enum result refuse_replacing(struct command_call *call,
                                    const struct node_record *node, bool *ret_refused)
{
    struct record record;
    struct node_record old;
    char key[NODE_KEY_SIZE];
    enum result result = record_get(call->txn, node_record_key(node->id, key), &record);

    *ret_refused = result == GW_NOT_FOUND ||
                   (result == GW_OK && (!node_record_unpack(record.value, &old) ||
                                        !slice_equal(old.name, node->name)));
    if (result != GW_OK && result != GW_NOT_FOUND)
        return result;
    if (!*ret_refused)
        return GW_OK;
    return command_refuse(call, GW_CONFLICT, "node %llu is not '%.*s' any more: try again",
                          (unsigned long long)node->id, SLICE_ARG(node->name));
}

struct former_search {
    struct slice name;
    uint64_t ids[8];
    size_t count;
};

static bool match_former(void *owner, struct slice key, const struct record *record)
{
    struct former_search *search = owner;
    struct node_record former;

    (void)key;
    if (node_record_unpack(record->value, &former) &&
        slice_equal(former.name, search->name))
        search->ids[search->count++] = former.id;
    return search->count < sizeof search->ids / sizeof search->ids[0];
}

/* Whoever was left behind under this name is back, as another. */
static enum result forget_former(struct command_call *call, struct slice name)
{
    struct former_search search = {.name = name};
    char key[NODE_KEY_SIZE];
    enum result result = record_walk(call->txn, FORMER_PREFIX, match_former, &search);

    for (size_t i = 0; result == GW_OK && i < search.count; i++)
        result =
            record_delete(call->txn, former_record_key(search.ids[i], key), call->index);
    return result;
}

static enum result apply_node_join(struct command_call *call)
{
    struct unpack in = unpack_init(call->body);
    struct slice token_id, hash, node_bytes;
    struct node_record node;
    struct token_record token;
    struct buffer copy;
    char key[NODE_KEY_SIZE];
    const char *why;
    bool is_known, has_twin;
    enum result result, code;

    unpack_array(&in, 3);
    token_id = unpack_text(&in, TOKEN_ID_LIMIT);
    hash = unpack_bytes(&in, TOKEN_HASH_SIZE);
    node_bytes = unpack_bytes(&in, 65536);
    if (!unpack_done(&in) || !node_record_unpack(node_bytes, &node) ||
        !node_is_sound(&node))
        return command_malformed(call);
    const uint64_t replaced = node.id;
    const struct joining_wish wish = {token_id, hash, call->header->wall_ms, replaced != 0};
    result = joining_check(call->txn, &wish, &token, &code, &why);
    if (result != GW_OK)
        return result;
    if (code != GW_OK)
        return command_refuse(call, code, "%s", why);
    if (replaced != 0) {
        result = refuse_replacing(call, &node, &has_twin);
        if (result != GW_OK || has_twin)
            return result;
    }
    result = refuse_twin(call, &node, &has_twin);
    if (result != GW_OK || has_twin)
        return result;
    result = region_is_known(call->txn, node.region, &is_known);
    if (result != GW_OK)
        return result;
    if (!is_known)
        return command_refuse(call, GW_INVALID,
                              "region '%.*s' is not defined; apply a Region first",
                              SLICE_ARG(node.region));

    /* The token's slices borrow from the page that is about to change. */
    buffer_init(&copy, 0);
    token_record_pack(&copy, &token);
    if (copy.failed || !token_record_unpack(buffer_slice(&copy), &token)) {
        buffer_deinit(&copy);
        return GW_NO_MEMORY;
    }
    token.uses_left--;
    node.id = call->index;
    node.role = token.role; /* who made the token decides, not who joins */
    node.joined_ms = call->header->wall_ms;
    result = put_token(call, &token);
    if (result == GW_OK && replaced != 0)
        result = record_delete(call->txn, node_record_key(replaced, key), call->index);
    if (result == GW_OK)
        result = forget_former(call, node.name);
    if (result == GW_OK)
        result = put_node(call, &node);
    buffer_deinit(&copy);
    if (result == GW_OK)
        command_detail_pack(call->detail, &(struct command_detail){.number = node.id});
    return result;
}

static enum result apply_node_update(struct command_call *call)
{
    struct unpack in = unpack_init(call->body);
    struct node_record node, old;
    struct record record;
    char key[NODE_KEY_SIZE];
    struct buffer copy;
    bool is_known, has_twin = false;
    struct slice bytes;
    enum result result;

    unpack_array(&in, 1);
    bytes = unpack_bytes(&in, 65536);
    if (!unpack_done(&in) || !node_record_unpack(bytes, &node))
        return command_malformed(call);
    result = record_get(call->txn, node_record_key(node.id, key), &record);
    if (result == GW_NOT_FOUND)
        return command_refuse(call, GW_NOT_FOUND, "there is no node %llu",
                              (unsigned long long)node.id);
    if (result != GW_OK)
        return result;
    buffer_init(&copy, 0);
    buffer_append_slice(&copy, record.value);
    if (copy.failed || !node_record_unpack(buffer_slice(&copy), &old)) {
        buffer_deinit(&copy);
        return GW_DAMAGED;
    }
    /* Name, id and time of joining are for life; an empty role keeps the old one. */
    node.name = old.name;
    node.joined_ms = old.joined_ms;
    if (node.role.size == 0)
        node.role = old.role;
    if (node.region.size == 0)
        node.region = old.region;
    if (!node_is_sound(&node)) {
        buffer_deinit(&copy);
        return command_malformed(call);
    }
    result = refuse_twin(call, &node, &has_twin);
    if (result != GW_OK || has_twin) {
        buffer_deinit(&copy);
        return result;
    }
    result = region_is_known(call->txn, node.region, &is_known);
    if (result == GW_OK && !is_known && !slice_equal(node.region, old.region))
        result = command_refuse(call, GW_INVALID,
                                "region '%.*s' is not defined; apply a Region first",
                                SLICE_ARG(node.region));
    else if (result == GW_OK)
        result = put_node(call, &node);
    buffer_deinit(&copy);
    return result;
}

static enum result apply_node_remove(struct command_call *call)
{
    struct unpack in = unpack_init(call->body);
    struct node_record node;
    struct record record;
    char key[NODE_KEY_SIZE], name[NODE_NAME_LIMIT + 1];
    uint64_t id;
    enum result result;

    unpack_array(&in, 1);
    id = unpack_u64(&in);
    if (!unpack_done(&in))
        return command_malformed(call);
    result = record_get(call->txn, node_record_key(id, key), &record);
    if (result == GW_NOT_FOUND)
        return command_refuse(call, GW_NOT_FOUND, "there is no node %llu",
                              (unsigned long long)id);
    if (result != GW_OK)
        return result;
    if (!node_record_unpack(record.value, &node))
        return GW_DAMAGED;
    memcpy(name, node.name.data, node.name.size); /* the page is about to change */
    size_t size = node.name.size;
    result = record_delete(call->txn, node_record_key(id, key), call->index);
    return result != GW_OK
               ? result
               : gone_remember(call->txn, call->index, id, slice_of(name, size));
}

/* --- tokens --- */

static enum result apply_token_put(struct command_call *call)
{
    struct unpack in = unpack_init(call->body);
    struct token_record token;
    struct record record;
    char key[TOKEN_ID_LIMIT + 8];
    struct slice bytes;
    enum result result;

    unpack_array(&in, 1);
    bytes = unpack_bytes(&in, 65536);
    if (!unpack_done(&in) || !token_record_unpack(bytes, &token) || !token_is_sound(&token))
        return command_malformed(call);
    result = record_get(call->txn, token_record_key(token.id, key), &record);
    if (result == GW_OK)
        return command_refuse(call, GW_CONFLICT, "a token with this id exists");
    return result == GW_NOT_FOUND ? put_token(call, &token) : result;
}

static enum result apply_token_delete(struct command_call *call)
{
    struct unpack in = unpack_init(call->body);
    struct token_record token;
    struct record record;
    char key[TOKEN_ID_LIMIT + 8];
    struct buffer copy;
    struct slice id;
    enum result result;

    unpack_array(&in, 1);
    id = unpack_text(&in, TOKEN_ID_LIMIT);
    if (!unpack_done(&in))
        return command_malformed(call);
    result = record_get(call->txn, token_record_key(id, key), &record);
    if (result == GW_NOT_FOUND)
        return command_refuse(call, GW_NOT_FOUND, "there is no token '%.*s'",
                              SLICE_ARG(id));
    if (result != GW_OK)
        return result;
    buffer_init(&copy, 0);
    buffer_append_slice(&copy, record.value);
    if (copy.failed || !token_record_unpack(buffer_slice(&copy), &token)) {
        result = GW_DAMAGED;
    } else {
        token.revoked = true;
        result = put_token(call, &token);
    }
    buffer_deinit(&copy);
    return result;
}

static enum result apply_tick(struct command_call *call)
{
    return slice_is_empty(call->body) ? GW_OK : command_malformed(call);
}

const struct command_type cluster_commands[] = {
    {COMMAND_TRANSACTION, "transaction", true, transaction_apply},
    {COMMAND_CLUSTER_CREATE, "cluster-create", false, apply_cluster_create},
    {COMMAND_NODE_JOIN, "node-join", false, apply_node_join},
    {COMMAND_NODE_UPDATE, "node-update", false, apply_node_update},
    {COMMAND_NODE_REMOVE, "node-remove", false, apply_node_remove},
    {COMMAND_TOKEN_PUT, "token-put", false, apply_token_put},
    {COMMAND_TOKEN_DELETE, "token-delete", false, apply_token_delete},
    {COMMAND_TICK, "tick", false, apply_tick},
    {COMMAND_SYSTEM, "system", false, system_apply, .since = 2},
    {COMMAND_FORMAT, "format", false, format_apply, .since = 2},
};
const size_t cluster_command_count = sizeof cluster_commands / sizeof cluster_commands[0];
