/* A key is tried on the authority's record before it is believed. */
#include "cli/offline/keys.h"

#include "pki/identity.h"
#include "pki/key.h"
#include "raft/node_record.h"
#include "store/records.h"

#include <stdio.h>

static enum result read_identity(const char *data_dir, struct identity_file *ret_identity,
                                 struct error *err)
{
    char path[4200];

    snprintf(path, sizeof path, "%.4000s/identity", data_dir);
    enum result result = identity_file_read(path, ret_identity, err);
    if (result == GW_NOT_FOUND)
        error_set(err, GW_NOT_FOUND,
                  "'%s' is no node's data directory: there is no identity in it", data_dir);
    return err->code;
}

enum result offline_key_read(const char *data_dir, struct seal_key *ret_key,
                             char *ret_cluster_id, struct error *err)
{
    struct identity_file identity;
    char path[4200];

    *err = ERROR_NONE;
    snprintf(path, sizeof path, "%.4000s/cluster.key", data_dir);
    if (read_identity(data_dir, &identity, err) == GW_OK &&
        seal_key_read(path, ret_key, err) == GW_OK)
        snprintf(ret_cluster_id, IDENTITY_CLUSTER_SIZE, "%s", identity.cluster_id);
    return err->code;
}

static enum result try_key(struct env *env, const char *data_dir,
                           const struct seal_key *key, struct error *err)
{
    struct error ignored = ERROR_NONE;
    struct record record;
    struct ca_record ca;
    struct buffer plain;
    struct txn *txn;
    enum result result = env_begin_read(env, &txn);

    if (result != GW_OK)
        return error_set(err, result, "read '%s': %s", data_dir, result_text(result));
    buffer_init(&plain, 1u << 20);
    result = record_get(txn, CA_KEY, &record);
    if (result == GW_NOT_FOUND)
        error_set(err, GW_CONFLICT, "'%s' holds nothing yet that the key could be tried on",
                  data_dir);
    else if (result != GW_OK || !ca_record_unpack(record.value, &ca))
        error_set(err, GW_DAMAGED, "the authority's record in '%s' cannot be read",
                  data_dir);
    else if (seal_open(key, SLICE("_ca/1"), ca.sealed_key, &plain, &ignored) != GW_OK)
        error_set(err, GW_FOREIGN,
                  "the key does not open what is sealed in '%s': it is of another cluster, "
                  "or was rotated",
                  data_dir);
    key_buffer_wipe(&plain);
    txn_abort(txn);
    return err->code;
}

enum result offline_key_write(const char *data_dir, const struct seal_key *key,
                              struct error *err)
{
    const struct env_options options = {.dir = data_dir};
    struct identity_file identity;
    struct env *env = NULL;
    char path[4200];

    *err = ERROR_NONE;
    if (read_identity(data_dir, &identity, err) != GW_OK)
        return err->code;
    if (env_open(&options, &env, err) == GW_LOCKED)
        return error_set(err, GW_LOCKED, "'%s' is in use: stop its gwd first", data_dir);
    snprintf(path, sizeof path, "%.4000s/cluster.key", data_dir);
    if (err->code == GW_OK && try_key(env, data_dir, key, err) == GW_OK)
        seal_key_write(path, key, err);
    env_close(env);
    return err->code;
}
