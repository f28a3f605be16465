/* What a start reads, and how a cluster begins.
 *
 * A restart replays nothing: the state is at `applied`, and libraft is told of
 * a snapshot there, plus the log. A log that ends before that point is useless
 * (all of it is in the state) and is dropped. */
#include "store/meta.h"
#include "store/records.h"

#include "base/plant.h"

#include <stdio.h>
#include <stdlib.h>

static enum result load_log(struct txn *txn, struct store_boot *boot, struct error *err)
{
    struct cursor *cursor = NULL;
    uint64_t expected = 0;
    size_t capacity = 0;
    enum result result = cursor_open_at(txn, ENV_LOG, 0, &cursor);

    for (; result == GW_OK; result = cursor_next(cursor)) {
        struct store_entry entry;
        uint64_t index = cursor_index(cursor);

        if (boot->entry_count == 0)
            boot->first = expected = index;
        if (index != expected++ ||
            meta_entry_parse(cursor_value(cursor), &entry) != GW_OK) {
            result = error_set(err, GW_DAMAGED,
                               "log entry %llu is missing or malformed; remove this data "
                               "directory and join again, or restore a backup",
                               (unsigned long long)index);
            break;
        }
        if (boot->entry_count == capacity) {
            capacity = capacity == 0 ? 256 : capacity * 2;
            struct store_entry *grown =
                realloc(boot->entries, capacity * sizeof *boot->entries);
            if (grown == NULL) {
                result = error_set(err, GW_NO_MEMORY, "load the log");
                break;
            }
            boot->entries = grown;
        }
        /* One allocation each: entries live as long as libraft's copy takes. */
        char *copy = malloc(entry.bytes.size + 1);
        if (copy == NULL) {
            result = error_set(err, GW_NO_MEMORY, "load the log");
            break;
        }
        if (entry.bytes.size > 0)
            memcpy(copy, entry.bytes.data, entry.bytes.size);
        entry.bytes.data = copy;
        boot->entries[boot->entry_count++] = entry;
    }
    cursor_close(cursor);
    return result == GW_NOT_FOUND ? GW_OK : result;
}

enum result store_boot_read(struct txn *txn, struct store_boot *ret_boot, struct error *err)
{
    struct store_boot boot = {0};
    struct record_state state;
    struct store_label base;
    enum result result = meta_vote_get(txn, &boot.term, &boot.vote);

    if (result == GW_OK)
        result = record_state_get(txn, &state);
    if (result == GW_OK)
        result = GW_PLANTED("applied-twice") ? meta_label_get(txn, &base)
                                             : meta_base_get(txn, &base);
    if (result == GW_OK)
        result = staging_get(txn, &boot.staging);
    if (result != GW_OK)
        return error_set(
            err, result,
            "the Raft state of this data directory is %s; remove the directory "
            "and join again, or restore a backup",
            result == GW_DAMAGED ? "damaged" : result_text(result));
    boot.applied = GW_PLANTED("applied-twice") ? base.index : state.applied;
    boot.revision = state.revision;
    boot.now_ms = state.now_ms;
    boot.label = base;
    if (base.index > 0) {
        char *conf = malloc(base.conf.size + 1);
        if (conf == NULL)
            return error_set(err, GW_NO_MEMORY, "load the configuration");
        if (base.conf.size > 0)
            memcpy(conf, base.conf.data, base.conf.size);
        boot.label.conf.data = conf;
    } else {
        boot.label.conf = (struct slice){NULL, 0};
    }
    result = load_log(txn, &boot, err);
    if (result == GW_OK && boot.entry_count > 0 && base.index == 0 && boot.first != 1)
        result = error_set(err, GW_DAMAGED,
                           "the log begins at %llu without a snapshot; remove "
                           "this data directory and join again",
                           (unsigned long long)boot.first);
    if (result == GW_OK && boot.entry_count > 0 && boot.first > base.index + 1)
        result =
            error_set(err, GW_DAMAGED,
                      "the log begins at %llu but the state ends at %llu; remove this data "
                      "directory and join again",
                      (unsigned long long)boot.first, (unsigned long long)base.index);
    if (result != GW_OK) {
        store_boot_free(&boot);
        return result;
    }
    if (boot.entry_count == 0)
        boot.first = base.index + 1;
    *ret_boot = boot;
    return GW_OK;
}

void store_boot_free(struct store_boot *boot)
{
    if (boot == NULL)
        return;
    for (size_t i = 0; i < boot->entry_count; i++)
        free((void *)(uintptr_t)boot->entries[i].bytes.data);
    free(boot->entries);
    free((void *)(uintptr_t)boot->label.conf.data);
    *boot = (struct store_boot){0};
}

enum result store_bootstrap(struct env *env, struct slice conf,
                            const struct store_entry *entries, size_t count,
                            struct error *err)
{
    struct txn *txn = NULL;
    struct buffer scratch;
    uint64_t term, vote, logged = 0;
    struct store_entry first = {.term = 1, .type = STORE_CHANGE, .bytes = conf};
    enum result result = env_begin_write(env, &txn);

    if (result != GW_OK)
        return error_set(err, result, "begin a cluster: %s", result_text(result));
    buffer_init(&scratch, 0);
    result = meta_vote_get(txn, &term, &vote);
    if (result == GW_OK)
        result = txn_count(txn, ENV_LOG, &logged);
    if (result == GW_OK && (term != 0 || logged != 0)) {
        result = error_set(err, GW_CONFLICT, "this data directory has a log already");
        goto fail;
    }
    if (result == GW_OK)
        result = meta_vote_put(txn, 1, 0);
    if (result == GW_OK)
        result = meta_entry_put(txn, 1, &first, &scratch);
    for (size_t i = 0; result == GW_OK && i < count; i++) {
        struct store_entry entry = entries[i];
        entry.term = 1;
        result = meta_entry_put(txn, 2 + i, &entry, &scratch);
    }
    if (result == GW_OK) {
        result = txn_commit(txn);
        txn = NULL;
    }
    if (result == GW_OK)
        result = env_sync(env);
    if (result != GW_OK)
        error_set(err, result, "begin a cluster: %s", result_text(result));

fail:
    txn_abort(txn);
    buffer_deinit(&scratch);
    return result;
}
