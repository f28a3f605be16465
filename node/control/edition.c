/* Reading takes from the history what changed since the edition before, and reads those
 * records only; what did not change is shared. Where the history does not reach
 * back that far, and at the start, two sorted runs are merged, the records and the
 * catalog before: an object that did not change costs a comparison and a count, and
 * only changed ones are decoded. That walk costs a microsecond per record. */
#include "node/control/edition.h"

#include "store/history.h"

#include <stdlib.h>

struct edition *edition_new(void)
{
    struct edition *edition = calloc(1, sizeof *edition);
    if (edition == NULL)
        return NULL;
    catalog_init(&edition->catalog);
    atomic_init(&edition->references, 1);
    return edition;
}

struct edition *edition_ref(struct edition *edition)
{
    atomic_fetch_add_explicit(&edition->references, 1, memory_order_relaxed);
    return edition;
}

void edition_unref(struct edition *edition)
{
    if (edition == NULL ||
        atomic_fetch_sub_explicit(&edition->references, 1, memory_order_acq_rel) != 1)
        return;
    catalog_deinit(&edition->catalog);
    free(edition);
}

struct edition *edition_tentative(const struct edition *visible)
{
    struct edition *edition = edition_new();

    if (edition == NULL)
        return NULL;
    catalog_clone(&visible->catalog, &edition->catalog);
    edition->applied = visible->applied;
    edition->conf_sequence = visible->conf_sequence;
    return edition;
}

struct reading {
    enum kind kind;
    struct shelf_cursor before;   /* names up to here are passed */
    const struct resource *ahead; /* the next of `before` */
    struct catalog *catalog;
    enum result result;
    struct error *err;
};

static const struct resource *kept(struct reading *reading, struct slice name,
                                   const struct record *record)
{
    const struct resource *old;

    while ((old = reading->ahead) != NULL) {
        int order = slice_compare(old->name, name);
        if (order > 0)
            return NULL;
        reading->ahead = shelf_next(&reading->before);
        if (order == 0)
            return old->mod_revision == record->mod_revision ? old : NULL;
    }
    return NULL;
}

static enum result no_memory(struct error *err)
{
    return error_set(err, GW_NO_MEMORY, "read the catalog");
}

static enum result decode_record(struct catalog *catalog, struct slice key,
                                 const struct record *record, struct error *err)
{
    struct resource *resource = resource_unpack(key, record->value, record->create_revision,
                                                record->mod_revision, err);

    if (resource == NULL)
        return error_wrap(err, "read record '%.*s'", SLICE_ARG(key));
    bool ok = catalog_put(catalog, resource);
    resource_unref(resource);
    return ok ? GW_OK : no_memory(err);
}

static bool take_record(void *owner, struct slice key, const struct record *record)
{
    struct reading *reading = owner;
    enum kind kind;
    struct slice name;

    if (!resource_key_parse(key, &kind, &name) || kind != reading->kind)
        return true; /* a kind whose name begins with this one's */

    const struct resource *old = kept(reading, name, record);
    if (old == NULL)
        reading->result = decode_record(reading->catalog, key, record, reading->err);
    else if (!catalog_put(reading->catalog, old))
        reading->result = no_memory(reading->err);
    return reading->result == GW_OK;
}

static enum result read_kinds(struct txn *txn, const struct edition *before,
                              struct edition *edition, struct error *err)
{
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        struct reading reading = {
            .kind = (enum kind)kind, .catalog = &edition->catalog, .err = err};
        if (before != NULL) {
            reading.before = shelf_first(&before->catalog.shelves[kind]);
            reading.ahead = shelf_next(&reading.before);
        }
        char prefix[RESOURCE_KEY_MAX];
        size_t size = strlen(kind_word((enum kind)kind));
        memcpy(prefix, kind_word((enum kind)kind), size);
        prefix[size++] = '/';

        enum result result =
            record_walk(txn, slice_of(prefix, size), take_record, &reading);
        if (reading.result != GW_OK)
            return reading.result;
        if (result != GW_OK && result != GW_NOT_FOUND)
            return error_set(err, result, "read the records of kind %s: %s",
                             kind_name((enum kind)kind), result_text(result));
    }
    return GW_OK;
}

/* What may be looked at in one go. */
struct budget {
    uint64_t records, bytes;
};

static const struct budget few = {.records = 256, .bytes = 256 << 10};

/* Without a budget, whatever it takes. */
static bool spend(struct budget *budget, uint64_t records, uint64_t bytes)
{
    if (budget == NULL)
        return true;
    if (budget->records < records || budget->bytes < bytes)
        return false;
    budget->records -= records;
    budget->bytes -= bytes;
    return true;
}

/* The record of a key that some entry of the history changed, as it is now. */
static enum result take_changed(struct txn *txn, struct slice key, struct catalog *catalog,
                                struct budget *budget, struct error *err)
{
    enum kind kind;
    struct slice name;
    struct record record;

    if (!spend(budget, 1, 0))
        return GW_LIMIT;
    if (!resource_key_parse(key, &kind, &name))
        return GW_OK;
    const struct resource *old = catalog_get(catalog, kind, name);
    enum result result = record_get(txn, key, &record);
    if (result == GW_NOT_FOUND)
        return old == NULL || catalog_delete(catalog, kind, name) ? GW_OK : no_memory(err);
    if (result != GW_OK)
        return error_set(err, result, "read record '%.*s': %s", SLICE_ARG(key),
                         result_text(result));
    if (old != NULL && old->mod_revision == record.mod_revision)
        return GW_OK; /* changed more than once, and read */
    if (!spend(budget, 0, record.value.size))
        return GW_LIMIT;
    return decode_record(catalog, key, &record, err);
}

/* GW_NOT_FOUND: the history does not tell all that changed. Entries are dropped from its
 * old end only, so if one no newer than `before` is left, none after is missing. */
static enum result read_changes(struct txn *txn, const struct edition *before,
                                uint64_t revision, struct edition *edition,
                                struct budget *budget, struct error *err)
{
    uint64_t since = before->catalog.revision, oldest;
    struct cursor *cursor = NULL;
    enum result result = history_oldest(txn, &oldest);

    if (result == GW_OK &&
        (revision < since || (revision > since && (oldest == 0 || oldest > since))))
        return GW_NOT_FOUND;
    catalog_clone(&before->catalog, &edition->catalog);
    if (result == GW_OK && revision > since)
        result = cursor_open_at(txn, ENV_HISTORY, since + 1, &cursor);
    while (result == GW_OK && cursor != NULL) {
        struct history_header header;
        struct history_item item;
        struct unpack in;

        if (!history_entry_open(cursor_value(cursor), &in, &header))
            result = GW_DAMAGED;
        for (uint32_t i = 0; result == GW_OK && i < header.item_count; i++)
            result = history_entry_next(&in, &item)
                         ? take_changed(txn, item.key, &edition->catalog, budget, err)
                         : GW_DAMAGED;
        if (result == GW_OK)
            result = cursor_next(cursor);
    }
    cursor_close(cursor);
    return result == GW_NOT_FOUND ? GW_OK : result;
}

static enum result read_catalog(struct txn *txn, const struct edition *before,
                                uint64_t revision, struct edition *edition,
                                struct budget *budget, struct error *err)
{
    enum result result = GW_NOT_FOUND;

    if (before != NULL && !before->is_tentative)
        result = read_changes(txn, before, revision, edition, budget, err);
    if (result == GW_OK || result == GW_LIMIT)
        return result;
    if (result == GW_NOT_FOUND && budget != NULL)
        return GW_LIMIT;
    if (result != GW_NOT_FOUND && err->code == GW_OK)
        error_set(err, result, "read the history: %s", result_text(result));
    if (result != GW_NOT_FOUND)
        return result;
    return read_kinds(txn, before, edition, err);
}

static enum result read_edition(struct env *env, const struct edition *before,
                                bool has_index, struct budget *budget,
                                struct edition **ret_edition, struct error *err)
{
    struct edition *edition = edition_new();
    struct txn *txn = NULL;
    struct record_state state = {0};
    enum result result;

    if (edition == NULL)
        return no_memory(err);
    result = env_begin_read(env, &txn);
    if (result != GW_OK) {
        error_set(err, result, "read the catalog: %s", result_text(result));
        goto fail;
    }
    result = record_state_get(txn, &state);
    if (result != GW_OK && result != GW_NOT_FOUND) {
        error_set(err, result, "read the state: %s", result_text(result));
        goto fail;
    }
    result = read_catalog(txn, before, state.revision, edition, budget, err);
    if (result != GW_OK)
        goto fail;
    txn_abort(txn);
    txn = NULL;
    if (has_index && !catalog_index(&edition->catalog)) {
        result = no_memory(err);
        goto fail;
    }
    edition->applied = state.applied;
    edition->conf_sequence = state.conf_sequence;
    edition->catalog.revision = state.revision;
    *ret_edition = edition;
    return GW_OK;

fail:
    txn_abort(txn);
    edition_unref(edition);
    return result;
}

enum result edition_read(struct env *env, const struct edition *before, bool has_index,
                         struct edition **ret_edition, struct error *err)
{
    return read_edition(env, before, has_index, NULL, ret_edition, err);
}

enum result edition_read_few(struct env *env, const struct edition *before, bool has_index,
                             struct edition **ret_edition, struct error *err)
{
    struct budget budget = few;

    if (before == NULL || (has_index && !before->catalog.is_indexed))
        return GW_LIMIT; /* all of it has to be looked at */
    return read_edition(env, before, has_index, &budget, ret_edition, err);
}
