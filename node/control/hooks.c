/* What the line of writes asks of the node around it (node/control/proposer.h). */
#include "base/instant.h"
#include "node/control/quarantine.h"
#include "node/control/request.h"
#include "raft/session.h"

#include <stdlib.h>

/* An idle handle keeps the loop from waiting, so the next turn is at once. */
static void on_idle(uv_idle_t *idle)
{
    struct control *control = idle->data;

    uv_idle_stop(idle);
    proposer_turn(&control->proposer);
}

static void hook_soon(void *owner)
{
    struct control *control = owner;

    if (!control->is_ending)
        uv_idle_start(&control->proposing, on_idle);
}

static void hook_post(void *owner, struct member_call *call)
{
    struct control *control = owner;

    if (control->member != NULL) {
        if (!quarantine_refuses(control, call) && !disk_refuses(control, call))
            member_post(control->member, call);
        return;
    }
    call->result = GW_CLOSED;
    mailbox_post(&control->mailbox, &call->head.mail);
}

static struct edition *hook_visible(void *owner)
{
    struct control *control = owner;
    return control->visible;
}

static void hook_regions(void *owner, struct write *write)
{
    struct control *control = owner;
    write->region_count =
        nodes_regions(&control->nodes, &write->arena, write->regions, WRITE_REGIONS_MAX);
    write->format = control->nodes.format;
    write->cluster_name =
        arena_copy(&write->arena, slice_from_string(control->nodes.cluster_name));
}

static uint64_t hook_wall_ms(void *owner)
{
    (void)owner;
    return instant_wall_ms();
}

/* Pool. */
static bool hook_session_answer(void *owner, struct write *write)
{
    struct control *control = owner;
    struct store_answer answer = {0};
    enum session_verdict verdict = SESSION_RUN;
    struct record_state state;
    struct txn *txn;

    if (env_begin_read(control->env, &txn) != GW_OK)
        return false;
    if (record_state_get(txn, &state) != GW_OK ||
        session_check(txn, slice_of(write->client, sizeof write->client), 1, state.now_ms,
                      &verdict, &answer) != GW_OK)
        verdict = SESSION_RUN;
    txn_abort(txn);
    if (verdict != SESSION_REPEAT)
        return false;
    write->result = answer.result;
    write->revision = answer.revision;
    buffer_append_slice(&write->detail, answer.detail);
    free((void *)(uintptr_t)answer.detail.data);
    return true;
}

void hooks_init(struct control *control)
{
    const struct proposer_hooks hooks = {.owner = control,
                                         .loop = control->loop,
                                         .mailbox = &control->mailbox,
                                         .soon = hook_soon,
                                         .post = hook_post,
                                         .visible = hook_visible,
                                         .regions = hook_regions,
                                         .wall_ms = hook_wall_ms,
                                         .session_answer = hook_session_answer};
    proposer_init(&control->proposer, &hooks);
}
