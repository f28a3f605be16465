/* An event:
 *
 *   event: changed
 *   data: {"revision","action","kind","name","at","by","message","resource"}
 *   id: 4183                                     only the last one of a revision
 *
 * Where nothing of the kind changed in the last revision that was looked at, an id alone
 * goes behind: a client remembers it and dispatches nothing, so a watch of what seldom
 * changes can be resumed though the history has moved on. */
#include "node/control/watch_events.h"

#include "base/instant.h"
#include "base/plant.h"
#include "model/resource.h"
#include "node/control/history_emit.h"

static enum result emit_resource(struct emit *emit, const struct replay_item *item,
                                 struct error *err)
{
    const struct record *after = &item->after;

    emit_key(emit, "resource");
    if (item->action == HISTORY_DELETED) {
        emit_null(emit);
        return GW_OK;
    }
    struct resource *resource = resource_unpack(
        item->key, after->value, after->create_revision, after->mod_revision, err);
    if (resource == NULL)
        return error_wrap(err, "read '%.*s' of the history", SLICE_ARG(item->key));
    resource_emit(emit, resource, RESOURCE_GET);
    resource_unref(resource);
    return GW_OK;
}

static enum result write_event(struct buffer *text, const struct replay_entry *entry,
                               const struct replay_item *item, enum kind kind,
                               struct slice name, struct error *err)
{
    const char *action = history_action_word(item->action);
    char at[INSTANT_TEXT_SIZE];
    struct emit emit;

    instant_format(entry->header.wall_ms, at);
    buffer_printf(text, "event: %s\ndata: ", action);
    emit_init(&emit, text, false);
    emit_object(&emit);
    emit_key(&emit, "revision");
    emit_u64_string(&emit, entry->revision);
    emit_key(&emit, "action");
    emit_cstring(&emit, action);
    emit_key(&emit, "kind");
    emit_cstring(&emit, kind_name(kind));
    emit_key(&emit, "name");
    emit_string(&emit, name);
    emit_key(&emit, "at");
    emit_cstring(&emit, at);
    emit_key(&emit, "by");
    emit_string(&emit, entry->header.actor);
    emit_key(&emit, "message");
    emit_string(&emit, entry->header.message);
    enum result result = emit_resource(&emit, item, err);
    emit_object_end(&emit);
    buffer_append_byte(text, '\n');
    return result;
}

/* The id goes behind the last event, so each one is ended by the next or by the id. */
static enum result write_entry(struct buffer *text, const struct replay_entry *entry,
                               const struct history_filter *filter, bool *ret_has_any,
                               struct error *err)
{
    enum result result = GW_OK;
    bool has_any = false;

    for (uint32_t i = 0; result == GW_OK && i < entry->header.item_count; i++) {
        const struct replay_item *item = &entry->items[i];
        enum kind kind;
        struct slice name;
        if (!history_filter_takes(filter, item->key, &kind, &name))
            continue;
        if (has_any)
            buffer_append_byte(text, '\n');
        has_any = true;
        result = write_event(text, entry, item, kind, name, err);
    }
    if (has_any)
        buffer_printf(text, "id: %llu\n\n", (unsigned long long)entry->revision);
    *ret_has_any = has_any;
    return result;
}

static enum result write_replay(struct txn *txn, enum kind kind, uint64_t since,
                                struct buffer *text, uint64_t *until, struct error *err)
{
    const struct history_filter filter = {.kind = kind};
    struct replay replay;
    bool has_any = true;

    enum result result = replay_read(txn, since, *until, &replay);
    if (result != GW_OK)
        return error_set(err, result, "read the history: %s", result_text(result));
    for (size_t i = 0; result == GW_OK && i < replay.count; i++) {
        if (GW_PLANTED("watch-gap") && replay.entries[i].revision % 64 == 0)
            continue;
        result = write_entry(text, &replay.entries[i], &filter, &has_any, err);
        if (text->size >= WATCH_EVENTS_BYTES) {
            *until = replay.entries[i].revision;
            break;
        }
    }
    if (!has_any)
        buffer_printf(text, "id: %llu\n\n", (unsigned long long)*until);
    replay_deinit(&replay);
    if (result == GW_OK && text->failed)
        result = error_set(err, GW_NO_MEMORY, "write the events");
    return result;
}

enum result watch_events_read(struct env *env, enum kind kind, uint64_t since,
                              struct buffer *text, uint64_t *ret_until, struct error *err)
{
    struct record_state state;
    struct txn *txn;
    uint64_t until = since;

    enum result result = env_begin_read(env, &txn);
    if (result == GW_OK)
        result = record_state_get(txn, &state);
    if (result != GW_OK)
        error_set(err, result, "read the history: %s", result_text(result));
    else if (state.revision > since) {
        until = state.revision;
        result = write_replay(txn, kind, since, text, &until, err);
    }
    txn_abort(txn);
    if (result == GW_OK)
        *ret_until = until;
    return result;
}
