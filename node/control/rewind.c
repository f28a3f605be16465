/* An edition is a state of the past as soon as it is read, so its revision bounds
 * the walk: what was committed since is not looked at. */
#include "node/control/rewind.h"

#include "store/rewind.h"

struct rewinding {
    struct slice only;
    struct change *change;
    struct error *err;
    enum result result;
};

static enum result compacted(struct txn *txn, uint64_t revision, struct error *err)
{
    uint64_t oldest = 0;
    bool reaches;

    rewind_reaches(txn, revision, &reaches, &oldest);
    return error_set(err, GW_COMPACTED,
                     "revision %llu is older than the history, which begins at %llu",
                     (unsigned long long)revision, (unsigned long long)oldest);
}

static bool take_item(void *owner, const struct history_item *item)
{
    struct rewinding *rewinding = owner;
    enum kind kind;
    struct slice name;

    if ((rewinding->only.size != 0 && !slice_equal(rewinding->only, item->key)) ||
        !resource_key_parse(item->key, &kind, &name))
        return true;
    if (item->action == HISTORY_CREATED) {
        if (!change_delete(rewinding->change, kind, name))
            rewinding->result = error_set(rewinding->err, GW_NO_MEMORY, "rewind");
        return rewinding->result == GW_OK;
    }
    struct resource *resource =
        resource_unpack(item->key, item->old_value, item->old_create_revision,
                        item->old_mod_revision, rewinding->err);
    if (resource == NULL)
        rewinding->result =
            error_wrap(rewinding->err, "read '%.*s' of the history", SLICE_ARG(item->key));
    else if (!change_put(rewinding->change, resource, 0))
        rewinding->result = error_set(rewinding->err, GW_NO_MEMORY, "rewind");
    return rewinding->result == GW_OK && rewinding->only.size == 0;
}

enum result rewind_change(struct env *env, const struct edition *edition, uint64_t revision,
                          struct slice only, struct change *change, struct error *err)
{
    struct rewinding rewinding = {.only = only, .change = change, .err = err};
    struct txn *txn;

    change_init(change);
    if (revision > edition->catalog.revision)
        return error_set(
            err, GW_NOT_FOUND, "there is no revision %llu yet: the newest is %llu",
            (unsigned long long)revision, (unsigned long long)edition->catalog.revision);
    enum result result = env_begin_read(env, &txn);
    if (result != GW_OK)
        return error_set(err, result, "read the history: %s", result_text(result));
    result = rewind_to(txn, revision, edition->catalog.revision, take_item, &rewinding);
    if (result == GW_COMPACTED)
        compacted(txn, revision, err);
    else if (result != GW_OK)
        error_set(err, result, "read the history: %s", result_text(result));
    else
        result = rewinding.result;
    txn_abort(txn);
    return result;
}

struct edition *rewind_edition(struct env *env, const struct edition *edition,
                               uint64_t revision, struct error *err)
{
    struct edition *earlier = edition_new();
    struct change change;

    enum result result =
        rewind_change(env, edition, revision, (struct slice){0}, &change, err);
    if (result == GW_OK && earlier != NULL)
        catalog_clone(&edition->catalog, &earlier->catalog);
    if (result == GW_OK &&
        (earlier == NULL || !catalog_apply(&earlier->catalog, &change, NULL, NULL)))
        result = error_set(err, GW_NO_MEMORY, "rewind the catalog");
    change_deinit(&change);
    if (result != GW_OK) {
        edition_unref(earlier);
        return NULL;
    }
    earlier->catalog.revision = revision;
    return earlier;
}

enum result rewind_last(struct env *env, const struct edition *edition, struct slice only,
                        uint64_t *ret_revision, struct error *err)
{
    struct txn *txn;
    uint64_t last = edition->catalog.revision, oldest = 0;
    bool reaches = false;

    enum result result = env_begin_read(env, &txn);
    if (result == GW_OK && only.size != 0)
        result = record_last_change(txn, only, &last);
    if (result == GW_OK)
        result = rewind_reaches(txn, last == 0 ? 0 : last - 1, &reaches, &oldest);
    if (result != GW_OK)
        error_set(err, result, "read the history: %s", result_text(result));
    else if (last == 0 && oldest == 0)
        result =
            error_set(err, GW_NOT_FOUND, "%.*s%s", SLICE_ARG(only),
                      only.size == 0 ? "nothing has been changed yet" : " was never there");
    else if (last > edition->catalog.revision)
        result = error_set(err, GW_AGAIN, "the configuration is changing");
    else if (!reaches || last == 0)
        result = error_set(err, GW_COMPACTED,
                           "the last change is older than the history, which begins at "
                           "revision %llu",
                           (unsigned long long)oldest);
    else
        *ret_revision = last - 1;
    txn_abort(txn);
    return result;
}
