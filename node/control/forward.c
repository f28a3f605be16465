/* What other nodes and joiners ask of this one. The first byte says what it is:
 * 'H' a request to the admin API, 'B' the index of a linearizable read, 'N' a
 * node's own record, 'J' a joiner (join.c). Answers never go further: a node
 * that does not lead says so, and the asker looks for the leader again. */
#include "base/instant.h"
#include "model/wire.h"
#include "node/control/admin.h"
#include "node/control/upkeep.h"

static void answer_index(struct control *control, struct member_forwarded *forwarded,
                         enum result result, uint64_t index)
{
    struct buffer out;

    buffer_init(&out, 64);
    pack_array(&out, 2);
    pack_u64(&out, (uint64_t)result);
    pack_u64(&out, index);
    control_answer(control, forwarded, buffer_slice(&out));
    buffer_deinit(&out);
}

static void index_came(struct control_call *call)
{
    answer_index(call->control, call->owner, call->member.result, call->member.index);
    control_call_free(call);
}

static void barrier(struct control *control, struct member_forwarded *forwarded)
{
    if (!control_call(control, MEMBER_BARRIER, (struct slice){0}, 0, 0, index_came,
                      forwarded))
        answer_index(control, forwarded, GW_NO_MEMORY, 0);
}

/* A node says where it stands. It may speak for itself only. */
static void node_record(struct control *control, struct member_forwarded *forwarded)
{
    const struct command_header header = {.number = COMMAND_NODE_UPDATE,
                                          .wall_ms = instant_wall_ms()};
    struct node_record record;
    struct buffer command;

    if (!node_record_unpack(slice_from(buffer_slice(&forwarded->payload), 1), &record) ||
        record.id != forwarded->from) {
        answer_index(control, forwarded, GW_MALFORMED, 0);
        return;
    }
    record.role =
        (struct slice){NULL, 0}; /* keeps the one it has: that is the admins' to change */
    struct command_header with_actor = header;
    with_actor.actor = record.name;
    buffer_init(&command, 0);
    if (!node_update_encode(&command, &with_actor, &record))
        answer_index(control, forwarded, GW_MALFORMED, 0);
    else if (!control_call(control, MEMBER_PROPOSE, buffer_slice(&command), 0, 0,
                           index_came, forwarded))
        answer_index(control, forwarded, GW_NO_MEMORY, 0);
    buffer_deinit(&command);
}

void forward_arrived(struct control *control, struct member_forwarded *forwarded)
{
    struct slice payload = buffer_slice(&forwarded->payload);

    if (control->member == NULL || control->is_ending || payload.size == 0 ||
        (forwarded->from == 0 && payload.data[0] != 'J')) {
        answer_index(control, forwarded, GW_MALFORMED, 0);
        return;
    }
    switch (payload.data[0]) {
    case 'H': {
        struct request *request = request_from_forwarded(control, forwarded);
        if (request != NULL)
            admin_route(request);
        return;
    }
    case 'B':
        barrier(control, forwarded);
        return;
    case 'N':
        node_record(control, forwarded);
        return;
    case 'C':
        upkeep_sign(control, forwarded);
        return;
    case 'K':
        upkeep_told(control, forwarded);
        return;
    case 'J':
        join_arrived(control, forwarded);
        return;
    default:
        answer_index(control, forwarded, GW_MALFORMED, 0);
    }
}
