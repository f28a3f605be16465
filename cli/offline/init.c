/* The founder: cluster key, CA, its own and an admin's certificate, the first
 * entries of the log. */
#include "base/instant.h"
#include "cli/offline/founding.h"
#include "raft/command.h"
#include "raft/conf.h"
#include "raft/system.h"
#include "store/meta.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

/* The cluster's first words: its creation, as one command. */
static enum result encode_creation(struct founding *founding, struct buffer *command,
                                   struct error *err)
{
    const struct command_header header = {.number = COMMAND_CLUSTER_CREATE,
                                          .wall_ms = founding->now_ms,
                                          .actor = SLICE("init")};
    struct founding_records records;

    if (founding_records(founding, &records, err) != GW_OK)
        return err->code;
    if (!cluster_create_encode(command, &header, &records.cluster, &records.ca,
                               &records.founder,
                               founding->has_token ? &records.token : NULL))
        return error_set(err, GW_INVALID, "a name or an address is too long");
    return GW_OK;
}

/* A new cluster begins with all this program can write. */
static enum result encode_format(const struct founding *founding, struct buffer *command,
                                 struct error *err)
{
    const struct command_header header = {.wall_ms = founding->now_ms,
                                          .actor = SLICE("init")};

    return format_encode(command, &header, format_spoken)
               ? GW_OK
               : error_set(err, GW_NO_MEMORY, "make the first entries");
}

static enum result make_store(struct founding *founding, struct error *err)
{
    const struct env_options env_options = {.dir = founding->options->data_dir,
                                            .create = true};
    struct env *env = NULL;
    struct buffer command, format;
    struct slice conf = {0};
    struct txn *txn;

    buffer_init(&command, 0);
    buffer_init(&format, 0);
    if (encode_creation(founding, &command, err) != GW_OK ||
        encode_format(founding, &format, err) != GW_OK)
        goto out;
    conf = conf_encode_founder(FOUNDER_ID);
    if (conf.data == NULL) {
        error_set(err, GW_NO_MEMORY, "make the first configuration");
        goto out;
    }
    if (env_open(&env_options, &env, err) != GW_OK)
        goto out;
    enum result result = env_begin_write(env, &txn);
    if (result == GW_OK)
        result = txn_end(
            txn, meta_cluster_put(txn, slice_from_string(founding->made->cluster_id)));
    if (result != GW_OK) {
        error_set(err, result, "write the store: %s", result_text(result));
        goto out;
    }
    const struct store_entry entries[] = {
        {.term = 1, .type = RAFT_COMMAND, .bytes = buffer_slice(&command)},
        {.term = 1, .type = RAFT_COMMAND, .bytes = buffer_slice(&format)}};
    store_bootstrap(env, conf, entries, format_spoken > FORMAT_OLDEST ? 2 : 1, err);
out:
    env_close(env);
    free((void *)(uintptr_t)conf.data);
    buffer_deinit(&command);
    buffer_deinit(&format);
    return err->code;
}

enum result offline_init(const struct offline_options *options,
                         struct offline_made *ret_made, struct error *err)
{
    struct offline_made made;
    struct founding founding;
    bool was_there;

    memset(&made, 0, sizeof made);
    *err = ERROR_NONE;
    if (directory_open(options, &made, &was_there, err) != GW_OK)
        return err->code;
    if (was_there) {
        *ret_made = made;
        return GW_OK;
    }
    founding_init(&founding, options, &made, instant_wall_ms());
    founding_remove_half(options);
    if (founding_make(&founding, err) == GW_OK && make_store(&founding, err) == GW_OK &&
        founding_write(&founding, err) == GW_OK)
        *ret_made = made;
    founding_deinit(&founding);
    return err->code == GW_OK ? GW_OK : error_wrap(err, "make the cluster");
}
