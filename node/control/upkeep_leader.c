/* The leader's side of upkeep: signs, records what others say of themselves, and
 * forgets what nodes held that are no more. */
#include "base/instant.h"
#include "base/log.h"
#include "node/control/authority.h"
#include "node/control/upkeep.h"
#include "raft/system.h"
#include "store/records.h"

#define PEM_MAX 65536

bool upkeep_encode(struct control *control, uint64_t id, struct slice holding,
                   uint64_t revision, struct buffer *command)
{
    const struct node_entry *node = nodes_by_id(&control->nodes, id);
    char key[NODE_KEY_SIZE];
    const struct command_header header = {
        .wall_ms = instant_wall_ms(),
        .actor = slice_from_string(node == NULL ? "" : node->name)};
    const struct system_item item = {.key = holding_record_key(id, key),
                                     .expected_mod_revision = revision,
                                     .value = holding};

    return node != NULL && control->nodes.format >= 2 &&
           system_encode(command, &header, &item, 1);
}

static void answer_told(struct control *control, struct member_forwarded *forwarded,
                        enum result result)
{
    struct buffer out;

    buffer_init(&out, 64);
    pack_array(&out, 2);
    pack_u64(&out, (uint64_t)result);
    pack_u64(&out, 0);
    control_answer(control, forwarded, buffer_slice(&out));
    buffer_deinit(&out);
}

static void recorded(struct control_call *call)
{
    answer_told(call->control, call->owner, call->member.result);
    control_call_free(call);
}

void upkeep_told(struct control *control, struct member_forwarded *forwarded)
{
    struct slice bytes = slice_from(buffer_slice(&forwarded->payload), 1);
    struct holding_record holding;
    struct record record = {0};
    struct buffer command;
    struct txn *txn;
    char key[NODE_KEY_SIZE];

    if (!holding_record_unpack(bytes, &holding) || holding.id != forwarded->from) {
        answer_told(control, forwarded, GW_MALFORMED);
        return;
    }
    if (env_begin_read(control->env, &txn) != GW_OK) {
        answer_told(control, forwarded, GW_AGAIN);
        return;
    }
    record_get(txn, holding_record_key(holding.id, key), &record);
    txn_abort(txn);
    buffer_init(&command, 4 * PEM_MAX);
    if (!upkeep_encode(control, holding.id, bytes, record.mod_revision, &command) ||
        !control_call(control, MEMBER_PROPOSE, buffer_slice(&command), 0, 0, recorded,
                      forwarded))
        answer_told(control, forwarded, GW_AGAIN);
    buffer_deinit(&command);
}

void upkeep_sign(struct control *control, struct member_forwarded *forwarded)
{
    const struct node_entry *node = nodes_by_id(&control->nodes, forwarded->from);
    struct buffer certificate, authority, out;
    struct error err = ERROR_NONE;

    buffer_init(&certificate, PEM_MAX);
    buffer_init(&authority, PEM_MAX);
    buffer_init(&out, 2 * PEM_MAX);
    if (!control_is_leader(control)) {
        error_set(&err, GW_NOT_LEADER, "leadership is moving: try again");
    } else if (node == NULL) {
        error_set(&err, GW_FORBIDDEN, "node %llu is no member",
                  (unsigned long long)forwarded->from);
    } else {
        const struct authority_subject subject = {node->id, slice_from_string(node->peer),
                                                  slice_from_string(node->admin)};
        authority_sign(control, &subject, slice_from(buffer_slice(&forwarded->payload), 1),
                       &certificate, &authority, &err);
    }
    if (err.code == GW_OK)
        log_event(LOG_INFO, "upkeep", "certificate signed", LOG_STR("name", node->name),
                  LOG_U64("id", node->id));
    pack_array(&out, 3);
    pack_u64(&out, (uint64_t)err.code);
    pack_text(&out, slice_from_string(err.text));
    pack_bytes(&out, buffer_slice(&certificate));
    control_answer(control, forwarded, buffer_slice(&out));
    buffer_deinit(&certificate);
    buffer_deinit(&authority);
    buffer_deinit(&out);
}

/* ---- tidying ---- */

struct search {
    const struct nodes *nodes;
    uint64_t gone, revision; /* 0: none found */
};

static bool find_gone(void *owner, struct slice key, const struct record *record)
{
    struct search *search = owner;
    uint64_t id = holding_record_id(key);

    if (id == 0 || id > search->nodes->state.applied ||
        nodes_by_id(search->nodes, id) != NULL)
        return true;
    search->gone = id;
    search->revision = record->mod_revision;
    return false;
}

/* Whether it worked or not: the next look will tell. */
static void tidied(struct control_call *call)
{
    control_call_free(call);
}

bool upkeep_tidy(struct control *control)
{
    struct search search = {.nodes = &control->nodes};
    const struct command_header header = {.wall_ms = instant_wall_ms()};
    struct buffer command;
    struct txn *txn;
    char key[NODE_KEY_SIZE];
    bool is_sent = false;

    if (env_begin_read(control->env, &txn) != GW_OK)
        return false;
    record_walk(txn, HOLDING_PREFIX, find_gone, &search);
    txn_abort(txn);
    if (search.gone == 0)
        return false;
    const struct system_item item = {.key = holding_record_key(search.gone, key),
                                     .expected_mod_revision = search.revision,
                                     .is_delete = true};
    buffer_init(&command, 4096);
    is_sent =
        system_encode(&command, &header, &item, 1) &&
        control_call(control, MEMBER_PROPOSE, buffer_slice(&command), 0, 0, tidied, NULL);
    buffer_deinit(&command);
    return is_sent;
}
