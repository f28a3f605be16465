/* The rest of the log is run through the state machine here, then a label stands in
 * its place, with this node alone in the configuration, one term and one index on:
 * as after a dump. So nothing is left that a restart would have to decide, whatever
 * changes of membership the log held. All in one transaction: it is done or not.
 *
 * The epoch's lineage is drawn at random: a second recovery of the same epoch,
 * elsewhere, makes another one of the same number, and the two refuse each other. */
#include "cli/offline/recover.h"

#include "pki/identity.h"
#include "pki/random.h"
#include "raft/conf.h"
#include "raft/fsm.h"
#include "raft/node_record.h"
#include "store/meta.h"

#include <stdio.h>
#include <stdlib.h>

struct recovering {
    const char *data_dir;
    struct identity_file identity;
    struct env *env;
    struct recover_facts facts;
};

/* ---- looking ---- */

static enum result open_directory(struct recovering *recovering, struct error *err)
{
    const struct env_options options = {.dir = recovering->data_dir, .cluster_id = NULL};
    char path[4200];

    snprintf(path, sizeof path, "%.4000s/identity", recovering->data_dir);
    enum result result = identity_file_read(path, &recovering->identity, err);
    if (result == GW_NOT_FOUND)
        return error_set(err, GW_NOT_FOUND,
                         "'%s' is no node's data directory: there is no identity in it",
                         recovering->data_dir);
    if (result != GW_OK)
        return result;
    result = env_open(&options, &recovering->env, err);
    if (result == GW_LOCKED)
        return error_set(err, GW_LOCKED,
                         "'%s' is in use: a node recovers only while its gwd is stopped",
                         recovering->data_dir);
    if (result == GW_NOT_FOUND)
        return error_set(err, GW_DAMAGED, "'%s' has no data.mdb: there is nothing in it",
                         recovering->data_dir);
    return result;
}

static bool take_member(void *owner, struct slice key, const struct record *record)
{
    struct recover_facts *facts = owner;
    struct node_record node;

    (void)key;
    if (!node_record_unpack(record->value, &node) || node.id == facts->node_id)
        return true;
    struct recover_member *member = &facts->members[facts->member_count++];
    member->id = node.id;
    snprintf(member->name, sizeof member->name, "%.*s", SLICE_ARG(node.name));
    snprintf(member->peer, sizeof member->peer, "%.*s", SLICE_ARG(node.peer));
    return facts->member_count < RECOVER_MEMBERS;
}

/* The newest configuration of all, committed or not. */
static enum result newest_conf(struct txn *txn, const struct store_label *base,
                               struct raft_configuration *ret_conf)
{
    struct cursor *cursor = NULL;
    struct slice bytes = base->conf;
    enum result result = cursor_open_last(txn, ENV_CONF, &cursor);

    if (result == GW_OK && cursor_index(cursor) > base->conf_index)
        bytes = cursor_value(cursor);
    bool is_sound = bytes.size > 0 && conf_decode(bytes, ret_conf);
    cursor_close(cursor);
    if (result != GW_OK && result != GW_NOT_FOUND)
        return result;
    return is_sound ? GW_OK : GW_DAMAGED;
}

static enum result look_at_log(struct txn *txn, struct recover_facts *facts,
                               const struct store_label *base)
{
    struct cursor *cursor = NULL;
    struct store_entry entry;
    enum result result = cursor_open_last(txn, ENV_LOG, &cursor);

    facts->last = base->index;
    facts->last_term = base->term;
    if (result == GW_OK && cursor_index(cursor) > base->index) {
        result = meta_entry_parse(cursor_value(cursor), &entry);
        facts->last = cursor_index(cursor);
        facts->last_term = entry.term;
    }
    cursor_close(cursor);
    return result == GW_NOT_FOUND ? GW_OK : result;
}

static enum result look(struct recovering *recovering, struct txn *txn)
{
    struct recover_facts *facts = &recovering->facts;
    struct raft_configuration conf;
    struct meta_epoch epoch;
    struct record_state state;
    struct store_label base;
    uint64_t vote;
    enum result result;

    memset(facts, 0, sizeof *facts);
    snprintf(facts->cluster_id, sizeof facts->cluster_id, "%s",
             recovering->identity.cluster_id);
    snprintf(facts->name, sizeof facts->name, "%s", recovering->identity.name);
    facts->node_id = recovering->identity.node_id;
    raft_configuration_init(&conf);
    if ((result = meta_vote_get(txn, &facts->term, &vote)) != GW_OK ||
        (result = meta_epoch_get(txn, &epoch)) != GW_OK ||
        (result = record_state_get(txn, &state)) != GW_OK ||
        (result = meta_base_get(txn, &base)) != GW_OK ||
        (result = look_at_log(txn, facts, &base)) != GW_OK ||
        (result = record_walk(txn, NODE_PREFIX, take_member, facts)) != GW_OK)
        return result;
    facts->epoch = epoch.number;
    facts->applied = state.applied;
    facts->revision = state.revision;
    /* A joiner that has received nothing yet has none. */
    result = newest_conf(txn, &base, &conf);
    if (result != GW_OK)
        return facts->last == 0 ? GW_OK : result;
    for (size_t i = 0; i < facts->member_count; i++) {
        const struct raft_server *server = conf_find(&conf, facts->members[i].id);
        facts->members[i].is_voter = server != NULL && server->role == RAFT_VOTER;
    }
    const struct raft_server *self = conf_find(&conf, facts->node_id);
    facts->is_voter = self != NULL && self->role == RAFT_VOTER;
    raft_configuration_close(&conf);
    return GW_OK;
}

enum result offline_recover_inspect(const char *data_dir, struct recover_facts *ret_facts,
                                    struct error *err)
{
    struct recovering recovering = {.data_dir = data_dir};
    struct txn *txn;

    *err = ERROR_NONE;
    if (open_directory(&recovering, err) == GW_OK) {
        enum result result = env_begin_read(recovering.env, &txn);
        if (result == GW_OK) {
            result = look(&recovering, txn);
            txn_abort(txn);
        }
        if (result == GW_OK)
            *ret_facts = recovering.facts;
        else
            error_set(err, result, "read '%s': %s", data_dir, result_text(result));
    }
    env_close(recovering.env);
    return err->code;
}

/* ---- recovering ---- */

/* Runs what the log holds beyond the state. */
static enum result run_log(struct txn *txn, uint64_t applied)
{
    struct fsm fsm = {.types = cluster_commands, .type_count = cluster_command_count};
    enum result result = GW_OK;

    for (uint64_t index = applied + 1; result == GW_OK; index++) {
        struct store_answer answer = {0};
        struct store_entry entry;
        struct slice stored;
        struct buffer copy;

        result = txn_get_at(txn, ENV_LOG, index, &stored);
        if (result == GW_NOT_FOUND)
            return GW_OK;
        if (result == GW_OK)
            result = meta_entry_parse(stored, &entry);
        if (result != GW_OK || entry.type != STORE_COMMAND)
            continue;
        buffer_init(&copy, 0); /* applying writes, and moves what was read */
        buffer_append_slice(&copy, entry.bytes);
        result = copy.failed ? GW_NO_MEMORY
                             : fsm_apply(&fsm, txn, index, buffer_slice(&copy), &answer);
        free((void *)(uintptr_t)answer.detail.data);
        buffer_deinit(&copy);
    }
    return result;
}

/* The other members become former ones. Of itself the node says that it votes. */
static enum result turn_members(const struct recover_facts *facts, struct txn *txn,
                                uint64_t index)
{
    char key[NODE_KEY_SIZE];
    struct buffer copy, out;
    struct record record;
    enum result result = GW_OK;

    buffer_init(&copy, 0);
    buffer_init(&out, 0);
    for (size_t i = 0; result == GW_OK && i < facts->member_count; i++) {
        const uint64_t id = facts->members[i].id;
        result = record_get(txn, node_record_key(id, key), &record);
        if (result == GW_OK) {
            buffer_reset(&copy);
            buffer_append_slice(&copy, record.value);
            result = record_delete(txn, node_record_key(id, key), index);
        }
        if (result == GW_OK)
            result =
                record_put(txn, former_record_key(id, key), buffer_slice(&copy), index);
    }
    struct node_record self;
    if (result == GW_OK)
        result = record_get(txn, node_record_key(facts->node_id, key), &record);
    if (result == GW_OK) {
        buffer_reset(&copy);
        buffer_append_slice(&copy, record.value);
        if (!node_record_unpack(buffer_slice(&copy), &self))
            result = GW_DAMAGED;
    }
    if (result == GW_OK && (slice_equal(self.role, SLICE("standby")) ||
                            slice_equal(self.role, SLICE("witness")))) {
        self.role = SLICE("auto");
        node_record_pack(&out, &self);
        result = record_put(txn, node_record_key(facts->node_id, key), buffer_slice(&out),
                            index);
    }
    if (result == GW_OK && (copy.failed || out.failed))
        result = GW_NO_MEMORY;
    buffer_deinit(&copy);
    buffer_deinit(&out);
    return result;
}

static enum result put_epoch(const struct recover_facts *facts, struct txn *txn,
                             uint64_t index)
{
    struct meta_epoch epoch = {.number = facts->epoch + 1};
    struct cluster_record cluster;
    struct record record;
    struct buffer copy, out;
    enum result result = record_get(txn, CLUSTER_KEY, &record);

    random_hex(epoch.lineage, (META_LINEAGE_SIZE - 1) / 2);
    if (result != GW_OK)
        return result;
    buffer_init(&copy, 0);
    buffer_init(&out, 0);
    buffer_append_slice(&copy, record.value);
    if (cluster_record_unpack(buffer_slice(&copy), &cluster)) {
        cluster.epoch = epoch.number;
        cluster_record_pack(&out, &cluster);
        result = out.failed ? GW_NO_MEMORY
                            : record_put(txn, CLUSTER_KEY, buffer_slice(&out), index);
    } else {
        result = GW_DAMAGED;
    }
    buffer_deinit(&copy);
    buffer_deinit(&out);
    return result == GW_OK ? meta_epoch_put(txn, &epoch) : result;
}

static enum result recover(struct recovering *recovering, struct txn *txn)
{
    struct recover_facts *facts = &recovering->facts;
    const uint64_t index = facts->last + 1;
    const uint64_t term =
        (facts->term > facts->last_term ? facts->term : facts->last_term) + 1;
    struct slice conf = conf_encode_founder(facts->node_id);
    struct recover_facts after;
    struct record_state state;
    enum result result = conf.data == NULL ? GW_NO_MEMORY : run_log(txn, facts->applied);

    /* The log may have added or removed members. */
    after = *facts;
    after.member_count = 0;
    if (result == GW_OK)
        result = record_walk(txn, NODE_PREFIX, take_member, &after);
    if (result == GW_OK)
        result = turn_members(&after, txn, index);
    if (result == GW_OK)
        result = put_epoch(facts, txn, index);
    if (result == GW_OK)
        result = record_state_get(txn, &state);
    if (result == GW_OK) {
        facts->revision = state.revision;
        state.applied = index;
        result = record_state_put(txn, &state);
    }
    if (result == GW_OK)
        result = meta_vote_put(txn, term, 0);
    if (result == GW_OK)
        result = txn_clear(txn, ENV_LOG);
    if (result == GW_OK)
        result = txn_clear(txn, ENV_CONF);
    if (result == GW_OK)
        result = meta_label_put(
            txn, &(struct store_label){
                     .index = index, .term = term, .conf_index = index, .conf = conf});
    facts->epoch++;
    free((void *)(uintptr_t)conf.data);
    return result;
}

enum result offline_recover(const char *data_dir, struct recover_facts *ret_facts,
                            struct error *err)
{
    struct recovering recovering = {.data_dir = data_dir};
    struct txn *txn;

    *err = ERROR_NONE;
    if (open_directory(&recovering, err) != GW_OK)
        goto out;
    enum result result = env_begin_write(recovering.env, &txn);
    if (result == GW_OK) {
        result = look(&recovering, txn);
        if (result == GW_OK && recovering.facts.last == 0)
            error_set(err, GW_CONFLICT,
                      "'%s' holds nothing yet: recover a node that has been a member",
                      data_dir);
        else if (result == GW_OK)
            result = recover(&recovering, txn);
        if (result == GW_OK && err->code == GW_OK)
            result = txn_commit(txn);
        else
            txn_abort(txn);
    }
    if (result == GW_OK && err->code == GW_OK)
        result = env_sync(recovering.env);
    if (result == GW_OK && err->code == GW_OK)
        *ret_facts = recovering.facts;
    else if (err->code == GW_OK)
        error_set(err, result, "recover '%s': %s; it is as it was", data_dir,
                  result_text(result));
out:
    env_close(recovering.env);
    return err->code;
}
