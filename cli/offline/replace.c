/* Nothing is deleted: what the cluster lost by going on without this node may be in
 * here, and only here. */
#include "cli/offline/replace.h"

#include "pki/identity.h"
#include "raft/node_record.h"
#include "store/records.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void copy(char *out, size_t size, struct slice text)
{
    snprintf(out, size, "%.*s", SLICE_ARG(text));
}

static void read_record(struct env *env, struct replaced *replaced)
{
    char key[NODE_KEY_SIZE];
    struct record record;
    struct node_record node;
    struct txn *txn;

    if (env_begin_read(env, &txn) != GW_OK)
        return;
    if (record_get(txn, node_record_key(replaced->id, key), &record) == GW_OK &&
        node_record_unpack(record.value, &node)) {
        copy(replaced->region, sizeof replaced->region, node.region);
        copy(replaced->zone, sizeof replaced->zone, node.zone);
        copy(replaced->peer, sizeof replaced->peer, node.peer);
        copy(replaced->admin, sizeof replaced->admin, node.admin);
    }
    txn_abort(txn);
}

enum result replaced_read(const char *data_dir, struct replaced *ret_replaced,
                          struct error *err)
{
    const struct env_options options = {.dir = data_dir};
    struct identity_file identity;
    struct replaced replaced = {0};
    struct error ignored = ERROR_NONE;
    struct env *env;
    char path[DIRECTORY_PATH];

    snprintf(path, sizeof path, "%.4000s/identity", data_dir);
    enum result result = identity_file_read(path, &identity, err);
    if (result == GW_NOT_FOUND) {
        *err = ERROR_NONE;
        *ret_replaced = replaced;
        return GW_OK;
    }
    if (result != GW_OK)
        return result;
    replaced.is_there = true;
    replaced.id = identity.node_id;
    copy(replaced.name, sizeof replaced.name, slice_from_string(identity.name));
    result = env_open(&options, &env, &ignored);
    if (result == GW_LOCKED)
        return error_set(err, GW_LOCKED,
                         "'%s' is in use: stop the gwd of '%s' before it is replaced",
                         data_dir, identity.name);
    if (result == GW_OK) {
        read_record(env, &replaced);
        env_close(env);
    }
    *ret_replaced = replaced;
    return GW_OK;
}

static void fill(const char **option, const char *text)
{
    if (*option == NULL && text[0] != '\0')
        *option = text;
}

void replaced_fill(const struct replaced *replaced, struct offline_options *options)
{
    fill(&options->name, replaced->name);
    fill(&options->region, replaced->region);
    fill(&options->zone, replaced->zone);
    fill(&options->peer, replaced->peer);
    fill(&options->admin, replaced->admin);
}

enum result replaced_put_aside(const char *data_dir, const struct replaced *replaced,
                               struct error *err)
{
    static const char *const files[] = {
        "data.mdb",        "lock.mdb",   "cluster.key",   "ca.pem",
        "node.pem",        "node.key",   "node.key.next", "cluster.key.next",
        "cluster.key.old", "admin.yaml", "identity"};
    char aside[DIRECTORY_PATH], from[DIRECTORY_PATH], to[2 * DIRECTORY_PATH];

    snprintf(aside, sizeof aside, "%.4000s/replaced-%llu", data_dir,
             (unsigned long long)replaced->id);
    if (mkdir(aside, 0700) != 0 && errno != EEXIST)
        return error_set(err, GW_IO, "make '%s': %s", aside, strerror(errno));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(from, sizeof from, "%.4000s/%s", data_dir, files[i]);
        snprintf(to, sizeof to, "%s/%s", aside, files[i]);
        if (rename(from, to) != 0 && errno != ENOENT)
            return error_set(err, GW_IO, "move '%s' to '%s': %s", from, to,
                             strerror(errno));
    }
    return GW_OK;
}
