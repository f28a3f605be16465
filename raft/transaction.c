/* A change of the configuration: preconditions first, over all keys, then records and one
 * entry of the history.
 *
 * Values read from the transaction are valid until it writes: what the history needs of
 * the old ones is packed before the first write. */
#include "raft/transaction.h"

#include "raft/refusal.h"

#include "base/plant.h"
#include "base/table.h"

#include <stdlib.h>

static void list_key(struct command_detail *detail, struct slice key)
{
    if (detail->key_listed < COMMAND_DETAIL_KEYS)
        detail->keys[detail->key_listed++] = key;
    detail->key_count++;
}

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

enum result transaction_apply(struct command_call *call)
{
    struct plan plan = {0};
    bool *changes = NULL, is_lost = false;
    enum result result = GW_OK;

    table_init(&plan.deleted);
    table_init(&plan.seen);
    buffer_init(&plan.history, 0);
    if (!transaction_decode(call->body, &plan.transaction, &plan.items))
        return command_malformed(call);
    if (call->format < 2 && plan.transaction.message.size > 0) {
        result = command_malformed(call); /* as a program that knows no messages says */
        goto done;
    }
    if (plan.transaction.conf_sequence != call->state->conf_sequence) {
        result = command_refuse(call, GW_AGAIN, "another change came first");
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
            result =
                command_refuse(call, GW_INVALID, "key '%.*s' is reserved or named twice",
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
        result = command_refuse_keys(call, GW_CONFLICT, "changed after the revision given",
                                     &plan.stale);
    else if (is_lost)
        result =
            command_refuse(call, GW_COMPACTED, "revision %llu is older than the history",
                           (unsigned long long)plan.transaction.if_revision);
    else if (plan.failed.key_count > 0)
        result = command_refuse_keys(call, GW_PRECONDITION, "not at the revision expected",
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
