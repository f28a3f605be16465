/* The commands every cluster has.
 *
 * Each looks at everything first and writes only once nothing can refuse any
 * more, so a refused command has changed nothing. Values read from the
 * transaction are valid until it writes: what is needed later is packed before
 * the first write. */
#include "raft/fsm.h"
#include "raft/gone.h"
#include "raft/joining.h"
#include "raft/system.h"

#include "base/plant.h"
#include "base/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static enum result refuse_keys(struct command_call *call, enum result why, const char *text,
                               struct command_detail *detail)
{
    call->answer->result = why;
    detail->text = slice_from_string(text);
    command_detail_pack(call->detail, detail);
    return GW_OK;
}

static enum result refuse(struct command_call *call, enum result why, const char *format,
                          ...) __attribute__((format(printf, 3, 4)));

static enum result refuse(struct command_call *call, enum result why, const char *format,
                          ...)
{
    struct command_detail detail = {0};
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return refuse_keys(call, why, text, &detail);
}

static enum result malformed(struct command_call *call)
{
    return refuse(call, GW_MALFORMED, "the command does not decode");
}

static void list_key(struct command_detail *detail, struct slice key)
{
    if (detail->key_listed < COMMAND_DETAIL_KEYS)
        detail->keys[detail->key_listed++] = key;
    detail->key_count++;
}

/* --- transaction --- */

/* The keys deleted after `revision`, as far as history goes; keys are owned. */
static enum result deleted_after(struct txn *txn, uint64_t revision, struct table *table)
{
    struct cursor *cursor = NULL;
    enum result result = cursor_open_at(txn, ENV_HISTORY, revision + 1, &cursor);

    for (; result == GW_OK; result = cursor_next(cursor)) {
        struct unpack in;
        struct history_header header;
        struct history_item item;

        if (!history_entry_open(cursor_value(cursor), &in, &header)) {
            result = GW_DAMAGED;
            break;
        }
        for (uint32_t i = 0; i < header.item_count; i++) {
            if (!history_entry_next(&in, &item)) {
                cursor_close(cursor);
                return GW_DAMAGED;
            }
            if (item.action != HISTORY_DELETED || table_get(table, item.key) != NULL)
                continue;
            char *copy = slice_to_string(item.key);
            if (copy == NULL || !table_put(table, slice_of(copy, item.key.size), copy)) {
                free(copy);
                cursor_close(cursor);
                return GW_NO_MEMORY;
            }
        }
    }
    cursor_close(cursor);
    return result == GW_NOT_FOUND ? GW_OK : result;
}

static void table_free(struct table *table)
{
    struct table_slot *slot;
    size_t position = 0;

    while ((slot = table_next(table, &position)) != NULL)
        free(slot->value);
    table_deinit(table);
}

struct plan {
    struct transaction transaction;
    struct transaction_item *items;
    struct table deleted; /* keys deleted after if_revision */
    struct table seen;    /* keys of this transaction */
    struct buffer history;
    uint32_t changed;
    bool is_compacted; /* history does not reach if_revision */
    struct command_detail stale, failed;
};

static enum result plan_item(struct command_call *call, struct plan *plan, size_t i,
                             bool *ret_changes, bool *ret_lost)
{
    const struct transaction_item *item = &plan->items[i];
    bool has_after = plan->transaction.has_if_revision;
    uint64_t after = plan->transaction.if_revision;
    struct record record = {0};
    enum result result = record_get(call->txn, item->key, &record);
    bool exists = result == GW_OK;

    if (result != GW_OK && result != GW_NOT_FOUND)
        return result;
    if (has_after && (exists ? record.mod_revision > after
                             : table_get(&plan->deleted, item->key) != NULL))
        list_key(&plan->stale, item->key);
    if (has_after && !exists && plan->is_compacted)
        *ret_lost = true;
    if (item->has_expected && !GW_PLANTED("precondition-skipped") &&
        item->expected_mod_revision != (exists ? record.mod_revision : 0))
        list_key(&plan->failed, item->key);
    *ret_changes =
        item->is_delete ? exists : !exists || !slice_equal(record.value, item->value);
    if (*ret_changes) {
        history_pack_item(&plan->history, call->format,
                          &(struct history_item){
                              .key = item->key,
                              .action = !exists           ? HISTORY_CREATED
                                        : item->is_delete ? HISTORY_DELETED
                                                          : HISTORY_CHANGED,
                              .old_mod_revision = exists ? record.mod_revision : 0,
                              .old_value = exists ? record.value : (struct slice){"", 0},
                              .old_create_revision = exists ? record.create_revision : 0});
        plan->changed++;
    }
    return GW_OK;
}

static enum result transaction_write(struct command_call *call, struct plan *plan,
                                     const bool *changes)
{
    struct buffer entry;
    enum result result = GW_OK;

    for (size_t i = 0; result == GW_OK && i < plan->transaction.item_count; i++) {
        const struct transaction_item *item = &plan->items[i];

        if (changes[i])
            result = item->is_delete
                         ? record_delete(call->txn, item->key, call->index)
                         : record_put(call->txn, item->key, item->value, call->index);
    }
    buffer_init(&entry, 0);
    history_pack_header(&entry, call->format,
                        &(struct history_header){.stamp_ms = call->state->now_ms,
                                                 .wall_ms = call->header->wall_ms,
                                                 .actor = call->header->actor,
                                                 .item_count = plan->changed,
                                                 .message = plan->transaction.message});
    buffer_append_slice(&entry, buffer_slice(&plan->history));
    if (result == GW_OK && (entry.failed || plan->history.failed))
        result = GW_NO_MEMORY;
    if (result == GW_OK)
        result = history_append(call->txn, call->index, buffer_slice(&entry));
    buffer_deinit(&entry);
    call->state->revision = call->index;
    call->state->conf_sequence++;
    return result;
}

static enum result apply_transaction(struct command_call *call)
{
    struct plan plan = {0};
    bool *changes = NULL, is_lost = false;
    enum result result = GW_OK;

    table_init(&plan.deleted);
    table_init(&plan.seen);
    buffer_init(&plan.history, 0);
    if (!transaction_decode(call->body, &plan.transaction, &plan.items))
        return malformed(call);
    if (call->format < 2 && plan.transaction.message.size > 0) {
        result = malformed(call); /* as a program that knows no messages says */
        goto done;
    }
    if (plan.transaction.conf_sequence != call->state->conf_sequence) {
        result = refuse(call, GW_AGAIN, "another change came first");
        goto done;
    }
    changes = calloc(plan.transaction.item_count + 1, sizeof *changes);
    if (changes == NULL) {
        result = GW_NO_MEMORY;
        goto done;
    }
    if (plan.transaction.has_if_revision) {
        uint64_t oldest;

        result = history_oldest(call->txn, &oldest);
        if (result == GW_OK)
            result = deleted_after(call->txn, plan.transaction.if_revision, &plan.deleted);
        if (result != GW_OK)
            goto done;
        uint64_t count;
        result = txn_count(call->txn, ENV_HISTORY, &count);
        if (result != GW_OK)
            goto done;
        /* Only a history that has dropped something can be silent about a deletion. */
        plan.is_compacted = oldest > plan.transaction.if_revision + 1 &&
                            (count >= HISTORY_LIMIT || call->state->conf_sequence > count);
    }
    for (size_t i = 0; i < plan.transaction.item_count; i++) {
        struct transaction_item *item = &plan.items[i];

        if (item->key.data[0] == '_' || table_get(&plan.seen, item->key) != NULL) {
            result = refuse(call, GW_INVALID, "key '%.*s' is reserved or named twice",
                            SLICE_ARG(item->key));
            goto done;
        }
        if (!table_put(&plan.seen, item->key, item))
            result = GW_NO_MEMORY;
        if (result == GW_OK)
            result = plan_item(call, &plan, i, &changes[i], &is_lost);
        if (result != GW_OK)
            goto done;
    }
    if (plan.stale.key_count > 0)
        result =
            refuse_keys(call, GW_CONFLICT, "changed after the revision given", &plan.stale);
    else if (is_lost)
        result = refuse(call, GW_COMPACTED, "revision %llu is older than the history",
                        (unsigned long long)plan.transaction.if_revision);
    else if (plan.failed.key_count > 0)
        result = refuse_keys(call, GW_PRECONDITION, "not at the revision expected",
                             &plan.failed);
    else if (plan.changed > 0)
        result = transaction_write(call, &plan, changes);

done:
    free(changes);
    free(plan.items);
    table_free(&plan.deleted);
    table_deinit(&plan.seen);
    buffer_deinit(&plan.history);
    return result;
}

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
        return refuse(
            call, GW_CONFLICT,
            "a node named '%.*s' exists (id %llu); choose another name or remove it",
            SLICE_ARG(node->name), (unsigned long long)search.named);
    return refuse(call, GW_CONFLICT,
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
        return malformed(call);
    result = record_get(call->txn, CLUSTER_KEY, &record);
    if (result == GW_OK)
        return refuse(call, GW_CONFLICT, "the cluster exists already");
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
    return refuse(call, GW_CONFLICT, "node %llu is not '%.*s' any more: try again",
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
        return malformed(call);
    const uint64_t replaced = node.id;
    const struct joining_wish wish = {token_id, hash, call->header->wall_ms, replaced != 0};
    result = joining_check(call->txn, &wish, &token, &code, &why);
    if (result != GW_OK)
        return result;
    if (code != GW_OK)
        return refuse(call, code, "%s", why);
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
        return refuse(call, GW_INVALID,
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
        return malformed(call);
    result = record_get(call->txn, node_record_key(node.id, key), &record);
    if (result == GW_NOT_FOUND)
        return refuse(call, GW_NOT_FOUND, "there is no node %llu",
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
        return malformed(call);
    }
    result = refuse_twin(call, &node, &has_twin);
    if (result != GW_OK || has_twin) {
        buffer_deinit(&copy);
        return result;
    }
    result = region_is_known(call->txn, node.region, &is_known);
    if (result == GW_OK && !is_known && !slice_equal(node.region, old.region))
        result =
            refuse(call, GW_INVALID, "region '%.*s' is not defined; apply a Region first",
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
        return malformed(call);
    result = record_get(call->txn, node_record_key(id, key), &record);
    if (result == GW_NOT_FOUND)
        return refuse(call, GW_NOT_FOUND, "there is no node %llu", (unsigned long long)id);
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
        return malformed(call);
    result = record_get(call->txn, token_record_key(token.id, key), &record);
    if (result == GW_OK)
        return refuse(call, GW_CONFLICT, "a token with this id exists");
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
        return malformed(call);
    result = record_get(call->txn, token_record_key(id, key), &record);
    if (result == GW_NOT_FOUND)
        return refuse(call, GW_NOT_FOUND, "there is no token '%.*s'", SLICE_ARG(id));
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
    return slice_is_empty(call->body) ? GW_OK : malformed(call);
}

const struct command_type cluster_commands[] = {
    {COMMAND_TRANSACTION, "transaction", true, apply_transaction},
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
