/* A new cluster out of a snapshot's state: other id, authority and members, the same
 * configuration.
 *
 * All of it counts as changed by the restore, at a revision far beyond any that
 * the old cluster can have given out since the snapshot: so a watch from before
 * gets 410, an ETag from before no longer fits, and `--if-revision R` of a lost
 * change is refused. The clock is part of the jump, so that another restore of the
 * same snapshot begins beyond whatever the first has written since. The price is a
 * revision with more digits. Sessions are kept:
 * a write that is repeated with its request id is known if the snapshot has it.
 *
 * The log begins empty behind a label, as after the install of a dump. */
#include "base/instant.h"
#include "cli/offline/founding.h"
#include "cli/offline/snapshot.h"
#include "cli/offline/snapshot_file.h"
#include "raft/conf.h"
#include "store/format.h"
#include "store/history.h"
#include "store/meta.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define REVISION_JUMP 1000000000ull
/* No cluster writes faster for long. 3 x 10^11 a year: a snapshot of a restore of a
 * restore can be restored thousands of times below 2^53, where a JSON number ends. */
#define REVISIONS_PER_MS 10
#define CLOCK_BEGAN_MS   1767225600000ull /* 2026 */

struct restoring {
    struct founding founding;
    struct snapshot_file file;
    uint64_t index;     /* of the restore: applied, and the revision */
    struct buffer keys; /* of all records, packed */
};

/* ---- the state ---- */

static bool take_key(void *owner, struct slice key, const struct record *record)
{
    struct restoring *restoring = owner;

    (void)record;
    pack_bytes(&restoring->keys, key);
    return true;
}

static bool is_of_the_old_cluster(struct slice key)
{
    return key.size > 0 && key.data[0] == '_';
}

/* Every record once more, as changed now; what was the old cluster's own goes. */
static enum result turn_records(struct restoring *restoring, struct txn *txn)
{
    struct buffer copy;
    enum result result = record_walk(txn, (struct slice){"", 0}, take_key, restoring);

    buffer_init(&copy, 0);
    struct unpack in = unpack_init(buffer_slice(&restoring->keys));
    while (result == GW_OK && in.at != in.end && !in.failed) {
        struct slice key = unpack_bytes(&in, ENV_KEY_LIMIT);
        struct record record;
        if (is_of_the_old_cluster(key)) {
            result = record_delete(txn, key, restoring->index);
            continue;
        }
        result = record_get(txn, key, &record);
        if (result != GW_OK)
            break;
        buffer_reset(&copy);
        buffer_append_slice(&copy, record.value);
        result = copy.failed ? GW_NO_MEMORY
                             : record_put(txn, key, buffer_slice(&copy), restoring->index);
    }
    buffer_deinit(&copy);
    if (result == GW_OK && (in.failed || restoring->keys.failed))
        result = GW_NO_MEMORY;
    return result;
}

static enum result put_records(struct restoring *restoring, struct txn *txn,
                               const struct founding_records *records)
{
    char node_key[NODE_KEY_SIZE], token_key[TOKEN_ID_LIMIT + 8];
    const bool has_token = restoring->founding.has_token;
    struct buffer out;
    enum result result = GW_OK;

    buffer_init(&out, 0);
    for (unsigned step = 0; result == GW_OK && step < (has_token ? 4 : 3); step++) {
        struct slice key = CLUSTER_KEY;
        buffer_reset(&out);
        if (step == 0) {
            cluster_record_pack(&out, &records->cluster);
        } else if (step == 1) {
            ca_record_pack(&out, &records->ca);
            key = CA_KEY;
        } else if (step == 2) {
            node_record_pack(&out, &records->founder);
            key = node_record_key(FOUNDER_ID, node_key);
        } else {
            token_record_pack(&out, &records->token);
            key = token_record_key(records->token.id, token_key);
        }
        result = out.failed ? GW_NO_MEMORY
                            : record_put(txn, key, buffer_slice(&out), restoring->index);
    }
    buffer_deinit(&out);
    return result;
}

/* The history begins with the restore, which says nothing of what changed. */
static enum result begin_history(struct restoring *restoring, struct txn *txn,
                                 const struct record_state *state)
{
    const struct history_header header = {.stamp_ms = state->now_ms,
                                          .wall_ms = restoring->founding.now_ms,
                                          .actor = SLICE("restore")};
    struct buffer entry;
    enum result result = txn_clear(txn, ENV_HISTORY);

    if (result == GW_OK)
        result = txn_delete(txn, ENV_META, SLICE("history"));
    if (result == GW_OK)
        result = history_recount(txn);
    buffer_init(&entry, 0);
    history_pack_header(&entry, format_spoken, &header);
    if (result == GW_OK && entry.failed)
        result = GW_NO_MEMORY;
    if (result == GW_OK)
        result = history_append(txn, restoring->index, buffer_slice(&entry));
    buffer_deinit(&entry);
    return result;
}

static enum result write_state(struct restoring *restoring, struct txn *txn,
                               const struct founding_records *records, struct slice conf)
{
    const struct backup *backup = &restoring->file.backup;
    const uint64_t term = backup->header.label.term + 1;
    struct record_state state;
    enum result result = dump_install(txn, backup->dump);

    if (result == GW_OK)
        result = turn_records(restoring, txn);
    if (result == GW_OK)
        result = put_records(restoring, txn, records);
    if (result == GW_OK)
        result = format_put(txn, restoring->index, format_spoken);
    if (result == GW_OK)
        result = record_state_get(txn, &state);
    if (result != GW_OK)
        return result;
    state.applied = state.revision = restoring->index;
    state.conf_sequence++;
    result = begin_history(restoring, txn, &state);
    if (result == GW_OK)
        result = record_state_put(txn, &state);
    if (result == GW_OK)
        result = meta_vote_put(txn, term, 0);
    if (result == GW_OK)
        result = meta_label_put(txn, &(struct store_label){.index = restoring->index,
                                                           .term = term,
                                                           .conf_index = restoring->index,
                                                           .conf = conf});
    if (result == GW_OK)
        result = meta_cluster_put(txn, records->cluster.id);
    return result;
}

static enum result make_store(struct restoring *restoring, struct error *err)
{
    const struct offline_options *options = restoring->founding.options;
    const struct env_options env_options = {
        .dir = options->data_dir,
        .create = true,
        /* Pages of one large transaction are written twice over, at most. */
        .map_size_bytes = (8ull << 30) + 4 * restoring->file.size};
    struct founding_records records;
    struct slice conf = conf_encode_founder(FOUNDER_ID);
    struct env *env = NULL;
    struct txn *txn;

    if (conf.data == NULL)
        return error_set(err, GW_NO_MEMORY, "make the first configuration");
    if (founding_records(&restoring->founding, &records, err) != GW_OK ||
        env_open(&env_options, &env, err) != GW_OK)
        goto out;
    enum result result = env_begin_write(env, &txn);
    if (result == GW_OK)
        result = txn_end(txn, write_state(restoring, txn, &records, conf));
    if (result == GW_OK)
        result = env_sync(env);
    if (result != GW_OK)
        error_set(err, result, "write the store: %s", result_text(result));
out:
    env_close(env);
    free((void *)(uintptr_t)conf.data);
    return err->code;
}

/* ---- whose it becomes ---- */

/* What is in it, as far as fits a sentence: "data.mdb, identity, …". */
static enum result check_empty(const char *dir, struct error *err)
{
    struct buffer names;
    struct dirent *entry;
    size_t count = 0;
    DIR *handle = opendir(dir);

    if (handle == NULL)
        return errno == ENOENT
                   ? GW_OK
                   : error_set(err, GW_IO, "read '%s': %s", dir, strerror(errno));
    buffer_init(&names, 0);
    while ((entry = readdir(handle)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (count < 4)
            buffer_printf(&names, "%s%s", count == 0 ? "" : ", ", entry->d_name);
        count++;
    }
    closedir(handle);
    if (count > 0)
        error_set(err, GW_CONFLICT,
                  "'%s' is not empty (%.*s%s): a restore needs an empty directory, and "
                  "leaves this one as it is",
                  dir, SLICE_ARG(buffer_slice(&names)), count > 4 ? ", …" : "");
    buffer_deinit(&names);
    return err->code;
}

static void note_region(void *owner, enum env_table table, struct slice key, uint64_t index,
                        struct slice value)
{
    struct buffer *regions = owner;

    (void)index;
    (void)value;
    if (table == ENV_RECORDS && slice_starts_with(key, SLICE("region/")))
        buffer_printf(regions, "%.*s\n", SLICE_ARG(slice_from(key, 7)));
}

/* As for a joiner: a region must be defined once any is. */
static enum result check_region(struct restoring *restoring, const char *region,
                                struct error *err)
{
    struct buffer regions;
    struct slice rest, name;
    bool is_known;

    buffer_init(&regions, 0);
    dump_walk(restoring->file.backup.dump, note_region, &regions);
    rest = buffer_slice(&regions);
    is_known = rest.size == 0;
    while (!is_known && slice_next(&rest, '\n', &name))
        is_known = slice_equal(name, slice_from_string(region));
    if (!is_known) {
        for (size_t i = 0; i + 1 < regions.size; i++) {
            if (regions.data[i] == '\n')
                regions.data[i] = ' ';
        }
        error_set(
            err, GW_INVALID,
            "region '%s' is not defined in the snapshot; --region takes one of: %.*s",
            region,
            SLICE_ARG(slice_trim(slice_sub(buffer_slice(&regions), 0, regions.size - 1))));
    }
    buffer_deinit(&regions);
    return err->code;
}

struct key_check {
    const struct seal_key *key;
    bool is_found, is_open;
};

static void try_key(void *owner, enum env_table table, struct slice key, uint64_t index,
                    struct slice value)
{
    struct key_check *check = owner;
    struct error ignored = ERROR_NONE;
    struct record record;
    struct ca_record ca;
    struct buffer plain;

    (void)index;
    if (table != ENV_RECORDS || !slice_equal(key, CA_KEY) ||
        !record_unpack(value, &record) || !ca_record_unpack(record.value, &ca))
        return;
    buffer_init(&plain, 1u << 20);
    check->is_found = true;
    check->is_open =
        seal_open(check->key, SLICE("_ca/1"), ca.sealed_key, &plain, &ignored) == GW_OK;
    key_buffer_wipe(&plain);
}

/* A key that does not open what is sealed in the snapshot is the wrong one. */
static enum result check_key(struct restoring *restoring, const struct seal_key *key,
                             struct error *err)
{
    struct key_check check = {.key = key};

    dump_walk(restoring->file.backup.dump, try_key, &check);
    if (check.is_found && !check.is_open)
        return error_set(err, GW_FOREIGN,
                         "the key does not open what is sealed in the snapshot: it is of "
                         "another cluster, or was rotated");
    return GW_OK;
}

static uint64_t revision_after(uint64_t index, uint64_t wall_ms)
{
    uint64_t since_ms = wall_ms > CLOCK_BEGAN_MS ? wall_ms - CLOCK_BEGAN_MS : 0;

    return index + REVISION_JUMP + since_ms * REVISIONS_PER_MS;
}

/* Text of the snapshot as a string; NULL where it has none. Owned. */
static char *text_or_null(struct slice text)
{
    return text.size == 0 ? NULL : slice_to_string(text);
}

enum result offline_snapshot_restore(const struct offline_options *options,
                                     const char *path, const struct seal_key *key,
                                     struct restored *ret_restored, struct error *err)
{
    struct restored restored = {0};
    struct restoring restoring = {0};
    struct offline_options filled = *options;
    bool was_there;

    *err = ERROR_NONE;
    if (check_empty(options->data_dir, err) != GW_OK ||
        snapshot_file_open(path, &restoring.file, err) != GW_OK)
        return err->code;
    if (key != NULL && check_key(&restoring, key, err) != GW_OK) {
        snapshot_file_close(&restoring.file);
        return err->code;
    }
    const struct backup *backup = &restoring.file.backup;
    char *texts[] = {
        text_or_null(backup->about.node),  text_or_null(backup->about.region),
        text_or_null(backup->about.zone),  text_or_null(backup->about.peer),
        text_or_null(backup->about.admin), text_or_null(backup->about.cluster_name)};
    const char **fields[] = {&filled.name, &filled.region, &filled.zone,
                             &filled.peer, &filled.admin,  &filled.cluster};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (*fields[i] == NULL)
            *fields[i] = texts[i];
    }
    buffer_init(&restoring.keys, 0);
    filled.if_needed = false;
    if (directory_open(&filled, &restored.made, &was_there, err) == GW_OK &&
        check_region(&restoring, filled.region, err) == GW_OK) {
        founding_init(&restoring.founding, &filled, &restored.made, instant_wall_ms());
        if (key != NULL) {
            restoring.founding.key = *key;
            restoring.founding.has_key = true;
        }
        restoring.index = revision_after(backup->header.label.index, instant_wall_ms());
        restored.revision = restoring.index;
        restored.from_revision = backup->header.state.revision;
        snprintf(restored.from_cluster, sizeof restored.from_cluster, "%.*s",
                 SLICE_ARG(backup->about.cluster_id));
        if (founding_make(&restoring.founding, err) == GW_OK &&
            make_store(&restoring, err) == GW_OK &&
            founding_write(&restoring.founding, err) == GW_OK)
            *ret_restored = restored;
        else
            founding_remove_half(&filled);
        founding_deinit(&restoring.founding);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    buffer_deinit(&restoring.keys);
    snapshot_file_close(&restoring.file);
    return err->code == GW_OK ? GW_OK : error_wrap(err, "restore");
}
