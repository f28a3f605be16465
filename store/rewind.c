/* Both walks read the whole of the history behind their beginning, at most 64 MiB
 * of mapped pages, and copy nothing but keys' places. A replay goes backwards:
 * what a change left is what the next one replaced, and behind the last one the
 * record itself. */
#include "store/rewind.h"

#include "base/table.h"

enum result rewind_reaches(struct txn *txn, uint64_t revision, bool *ret_reaches,
                           uint64_t *ret_oldest)
{
    struct record_state state;
    uint64_t oldest, count;
    enum result result = record_state_get(txn, &state);

    if (result == GW_OK)
        result = history_oldest(txn, &oldest);
    if (result == GW_OK)
        result = txn_count(txn, ENV_HISTORY, &count);
    if (result != GW_OK)
        return result;
    /* Before the oldest entry there was the state that it replaced, of one revision or
     * another; where nothing was ever dropped, of none. */
    if (state.conf_sequence <= count)
        oldest = 0;
    else
        oldest = count == 0 ? state.revision : oldest - 1;
    *ret_reaches = revision >= oldest;
    *ret_oldest = oldest;
    return GW_OK;
}

static enum result check_reach(struct txn *txn, uint64_t revision)
{
    bool reaches;
    uint64_t oldest;
    enum result result = rewind_reaches(txn, revision, &reaches, &oldest);

    return result != GW_OK ? result : reaches ? GW_OK : GW_COMPACTED;
}

/* Each key of one entry that is not in `seen` yet. */
static enum result tell_first(struct slice packed, struct table *seen, rewind_fn fn,
                              void *owner, bool *ret_stop)
{
    struct unpack in;
    struct history_header header;
    struct history_item item;

    if (!history_entry_open(packed, &in, &header))
        return GW_DAMAGED;
    for (uint32_t i = 0; i < header.item_count && !*ret_stop; i++) {
        if (!history_entry_next(&in, &item))
            return GW_DAMAGED;
        if (table_get(seen, item.key) != NULL)
            continue;
        if (!table_put(seen, item.key, seen))
            return GW_NO_MEMORY;
        *ret_stop = !fn(owner, &item);
    }
    return GW_OK;
}

enum result rewind_to(struct txn *txn, uint64_t revision, uint64_t until, rewind_fn fn,
                      void *owner)
{
    struct cursor *cursor = NULL;
    struct table seen;
    bool stop = false;
    enum result result = check_reach(txn, revision);

    if (result != GW_OK)
        return result;
    table_init(&seen);
    for (result = cursor_open_at(txn, ENV_HISTORY, revision + 1, &cursor);
         result == GW_OK && cursor_index(cursor) <= until && !stop;
         result = result == GW_OK ? cursor_next(cursor) : result)
        result = tell_first(cursor_value(cursor), &seen, fn, owner, &stop);
    cursor_close(cursor);
    table_deinit(&seen);
    return result == GW_NOT_FOUND ? GW_OK : result;
}

/* ---- replay ---- */

/* What a key is behind the entries read so far; in the replay's arena. */
struct later {
    struct record record;
    bool exists;
};

struct replaying {
    struct txn *txn;
    struct replay *replay;
    struct table later;
    size_t capacity;
};

static enum result later_of(struct replaying *replaying, struct slice key,
                            struct later **ret_later)
{
    struct later *later = table_get(&replaying->later, key);

    if (later == NULL) {
        later = arena_zalloc(&replaying->replay->arena, sizeof *later);
        if (later == NULL || !table_put(&replaying->later, key, later))
            return GW_NO_MEMORY;
        enum result result = record_get(replaying->txn, key, &later->record);
        if (result != GW_OK && result != GW_NOT_FOUND)
            return result;
        later->exists = result == GW_OK;
    }
    *ret_later = later;
    return GW_OK;
}

static enum result replay_entry(struct replaying *replaying, uint64_t revision,
                                struct slice packed, bool is_wanted)
{
    struct arena *arena = &replaying->replay->arena;
    struct replay_entry entry = {.revision = revision};
    struct replay_item *items = NULL;
    struct unpack in;

    if (!history_entry_open(packed, &in, &entry.header))
        return GW_DAMAGED;
    if (is_wanted)
        items = arena_zalloc(arena, ((size_t)entry.header.item_count + 1) * sizeof *items);
    for (uint32_t i = 0; i < entry.header.item_count; i++) {
        struct history_item item;
        struct later *later = NULL;
        if (!history_entry_next(&in, &item))
            return GW_DAMAGED;
        enum result result = later_of(replaying, item.key, &later);
        if (result != GW_OK)
            return result;
        if (is_wanted && items != NULL)
            items[i] = (struct replay_item){item.key, item.action, later->record};
        later->exists = item.action != HISTORY_CREATED;
        later->record = later->exists
                            ? (struct record){item.old_value, item.old_create_revision,
                                              item.old_mod_revision}
                            : (struct record){0};
    }
    if (!is_wanted)
        return GW_OK;
    struct replay_entry *place =
        arena_grow(arena, (void **)&replaying->replay->entries, &replaying->replay->count,
                   &replaying->capacity, sizeof *place);
    if (place == NULL || items == NULL)
        return GW_NO_MEMORY;
    entry.items = items;
    *place = entry;
    return GW_OK;
}

static void reverse(struct replay *replay)
{
    for (size_t i = 0, j = replay->count; i + 1 < j; i++) {
        struct replay_entry swap = replay->entries[i];
        replay->entries[i] = replay->entries[--j];
        replay->entries[j] = swap;
    }
}

enum result replay_read(struct txn *txn, uint64_t since, uint64_t until,
                        struct replay *ret_replay)
{
    struct replaying replaying = {.txn = txn, .replay = ret_replay};
    struct cursor *cursor = NULL;
    enum result result = check_reach(txn, since);

    *ret_replay = (struct replay){0};
    if (result != GW_OK)
        return result;
    arena_init(&ret_replay->arena, 0, 0);
    table_init(&replaying.later);
    for (result = cursor_open_last(txn, ENV_HISTORY, &cursor);
         result == GW_OK && cursor_index(cursor) > since;
         result = result == GW_OK ? cursor_previous(cursor) : result)
        result = replay_entry(&replaying, cursor_index(cursor), cursor_value(cursor),
                              cursor_index(cursor) <= until);
    cursor_close(cursor);
    table_deinit(&replaying.later);
    if (result != GW_OK && result != GW_NOT_FOUND) {
        replay_deinit(ret_replay);
        return result;
    }
    reverse(ret_replay);
    return GW_OK;
}

void replay_deinit(struct replay *replay)
{
    arena_deinit(&replay->arena);
    *replay = (struct replay){0};
}
