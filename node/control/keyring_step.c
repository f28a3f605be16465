/* From one cluster key to the next, at the leader: two entries, each written once every
 * member has told that it is so far (raft/holding.h).
 *
 *   _keys/next   all put the next key beside the one in force
 *   _keys/old    what was sealed is sealed by the new key; all change over
 *   neither      all delete the old one: nothing is sealed by it then (reseal.h)
 *
 * The first entry carries the new key sealed by the old, so it is nowhere in clear but
 * in the nodes' directories. */
#include "base/instant.h"
#include "base/log.h"
#include "node/control/keyring.h"
#include "node/control/reseal.h"
#include "raft/holding.h"
#include "raft/system.h"
#include "store/records.h"

struct stepping {
    struct record next, old, keys; /* mod_revision 0: absent; borrow */
    struct turning_record turning;
    struct keys_record known;
};

static bool look(struct txn *txn, struct stepping *stepping)
{
    record_get(txn, KEYS_NEXT_KEY, &stepping->next);
    record_get(txn, KEYS_OLD_KEY, &stepping->old);
    if (stepping->next.mod_revision == 0 && stepping->old.mod_revision == 0)
        return false;
    if (record_get(txn, KEYS_KEY, &stepping->keys) == GW_OK)
        keys_record_unpack(stepping->keys.value, &stepping->known);
    return stepping->next.mod_revision == 0 ||
           turning_record_unpack(stepping->next.value, &stepping->turning);
}

static bool is_so_far(struct txn *txn, const struct stepping *stepping, uint64_t id)
{
    struct holding_record holding;
    struct record record;
    char key[NODE_KEY_SIZE];

    if (record_get(txn, holding_record_key(id, key), &record) != GW_OK ||
        !holding_record_unpack(record.value, &holding))
        return false;
    return stepping->next.mod_revision != 0
               ? slice_equal(holding.other_key, stepping->turning.name)
               : slice_equal(holding.key, stepping->known.current);
}

static void stepped(struct control_call *call)
{
    if (call->member.result == GW_OK)
        log_event(LOG_INFO, "keyring", "a step of the cluster key's rotation is done",
                  LOG_U64("index", call->member.index));
    control_call_free(call);
}

/* `more` behind what has to be sealed anew. */
static bool encode(struct txn *txn, const struct seal_key *from, const struct seal_key *to,
                   const struct command_header *header, const struct system_item *more,
                   size_t more_count, struct buffer *command)
{
    struct system_item items[RESEAL_MAX + 3];
    struct reseal reseal;

    bool is_encoded = reseal_init(&reseal, txn, from, to);
    memcpy(items, reseal.items, reseal.count * sizeof *items);
    memcpy(items + reseal.count, more, more_count * sizeof *items);
    is_encoded =
        is_encoded && system_encode(command, header, items, reseal.count + more_count);
    reseal_deinit(&reseal);
    return is_encoded;
}

/* Everything that is sealed is changed by the one entry that puts the key in force. */
static bool encode_change(const struct control *control, struct txn *txn,
                          struct stepping *stepping, uint64_t wall_ms,
                          struct buffer *command)
{
    const struct command_header header = {.wall_ms = wall_ms};
    char old_name[SEAL_NAME_SIZE], name[SEAL_NAME_SIZE];
    struct buffer keys, old;

    if (!control->has_other_key)
        return false;
    seal_key_name(&control->key, old_name);
    seal_key_name(&control->other_key, name);
    if (!slice_equal(slice_from_string(name), stepping->turning.name))
        return false;
    buffer_init(&keys, 4096);
    buffer_init(&old, 4096);
    stepping->known.current = stepping->turning.name;
    stepping->known.rotated_ms = wall_ms;
    keys_record_pack(&keys, &stepping->known);
    turning_record_pack(&old, &(struct turning_record){.name = slice_from_string(old_name),
                                                       .sealed = SLICE("")});
    const struct system_item items[] = {
        {.key = KEYS_KEY,
         .expected_mod_revision = stepping->keys.mod_revision,
         .value = buffer_slice(&keys)},
        {.key = KEYS_NEXT_KEY,
         .expected_mod_revision = stepping->next.mod_revision,
         .is_delete = true},
        {.key = KEYS_OLD_KEY, .value = buffer_slice(&old)}};
    bool is_encoded =
        encode(txn, &control->key, &control->other_key, &header, items, 3, command);
    buffer_deinit(&keys);
    buffer_deinit(&old);
    return is_encoded;
}

bool keyring_step(struct control *control)
{
    const struct command_header header = {.wall_ms = instant_wall_ms()};
    struct stepping stepping = {0};
    struct buffer command;
    struct txn *txn;
    bool is_due, is_sent = false;

    if (env_begin_read(control->env, &txn) != GW_OK)
        return false;
    buffer_init(&command, 0);
    is_due = look(txn, &stepping);
    for (size_t i = 0; is_due && i < control->nodes.count; i++)
        is_due = is_so_far(txn, &stepping, control->nodes.items[i].id);
    if (is_due && stepping.next.mod_revision != 0) {
        is_sent = encode_change(control, txn, &stepping, header.wall_ms, &command);
    } else if (is_due) {
        const struct system_item item = {.key = KEYS_OLD_KEY,
                                         .expected_mod_revision = stepping.old.mod_revision,
                                         .is_delete = true};
        const struct seal_key *from =
            control->has_other_key ? &control->other_key : &control->key;
        is_sent = encode(txn, from, &control->key, &header, &item, 1, &command);
    }
    txn_abort(txn);
    is_sent = is_sent && control_call(control, MEMBER_PROPOSE, buffer_slice(&command), 0, 0,
                                      stepped, NULL);
    buffer_deinit(&command);
    return is_sent;
}
