/* Reading merges two sorted runs, the records and the catalog before, so an
 * object that did not change costs a comparison and a count, and only changed
 * ones are decoded. The price is a walk over all resource records for every
 * configuration entry: 1 µs each, on the pool. */
#include "node/control/edition.h"

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

struct reading {
    enum kind kind;
    const struct catalog_shelf *before; /* may be NULL */
    size_t at;                          /* in `before`: names up to here are passed */
    struct catalog *catalog;
    enum result result;
    struct error *err;
};

static const struct resource *kept(struct reading *reading, struct slice name,
                                   const struct record *record)
{
    if (reading->before == NULL)
        return NULL;
    while (reading->at < reading->before->count) {
        const struct resource *old = reading->before->items[reading->at];
        int order = slice_compare(old->name, name);
        if (order > 0)
            return NULL;
        reading->at++;
        if (order == 0)
            return old->mod_revision == record->mod_revision ? old : NULL;
    }
    return NULL;
}

static bool take_record(void *owner, struct slice key, const struct record *record)
{
    struct reading *reading = owner;
    enum kind kind;
    struct slice name;

    if (!resource_key_parse(key, &kind, &name) || kind != reading->kind)
        return true; /* a kind whose name begins with this one's */

    const struct resource *old = kept(reading, name, record);
    if (old != NULL) {
        if (!catalog_put(reading->catalog, old))
            reading->result = error_set(reading->err, GW_NO_MEMORY, "read the catalog");
        return reading->result == GW_OK;
    }
    struct resource *resource = resource_unpack(key, record->value, record->create_revision,
                                                record->mod_revision, reading->err);
    if (resource == NULL) {
        reading->result = error_wrap(reading->err, "read record '%.*s'", SLICE_ARG(key));
        return false;
    }
    if (!catalog_put(reading->catalog, resource))
        reading->result = error_set(reading->err, GW_NO_MEMORY, "read the catalog");
    resource_unref(resource);
    return reading->result == GW_OK;
}

static enum result read_kinds(struct txn *txn, const struct edition *before,
                              struct edition *edition, struct error *err)
{
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        struct reading reading = {.kind = (enum kind)kind,
                                  .before = before == NULL ? NULL
                                                           : &before->catalog.shelves[kind],
                                  .catalog = &edition->catalog,
                                  .err = err};
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

enum result edition_read(struct env *env, const struct edition *before,
                         struct edition **ret_edition, struct error *err)
{
    struct edition *edition = edition_new();
    struct txn *txn = NULL;
    struct record_state state = {0};

    if (edition == NULL)
        return error_set(err, GW_NO_MEMORY, "read the catalog");
    enum result result = env_begin_read(env, &txn);
    if (result != GW_OK) {
        error_set(err, result, "read the catalog: %s", result_text(result));
        goto fail;
    }
    result = record_state_get(txn, &state);
    if (result != GW_OK && result != GW_NOT_FOUND) {
        error_set(err, result, "read the state: %s", result_text(result));
        goto fail;
    }
    result = read_kinds(txn, before, edition, err);
    if (result != GW_OK)
        goto fail;
    txn_abort(txn);
    edition->applied = state.applied;
    edition->conf_sequence = state.conf_sequence;
    edition->catalog.revision = state.revision;
    *ret_edition = edition;
    return GW_OK;

fail:
    txn_abort(txn);
    edition_unref(edition);
    return err->code;
}
