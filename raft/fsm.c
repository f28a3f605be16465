/* Applies one entry: envelope, log time, session, command, session again, state.
 *
 * Log time only ever rises: an entry stamped lower (a leader that lost some
 * time) leaves it where it is. A command that is refused still is an entry: it
 * moves `applied`, and its refusal is what its session remembers, but for
 * GW_AGAIN, which is no answer: the leader will propose the same again. */
#include "raft/fsm.h"

#include "base/plant.h"
#include "raft/session.h"

#include <stdlib.h>

static const struct command_type *type_of(const struct fsm *fsm, uint32_t number)
{
    for (size_t i = 0; i < fsm->type_count; i++)
        if (fsm->types[i].number == number)
            return &fsm->types[i];
    return NULL;
}

static enum result run(const struct fsm *fsm, struct txn *txn, uint64_t index,
                       const struct command_header *header, struct slice body,
                       struct record_state *state, struct store_answer *answer)
{
    const struct command_type *type = type_of(fsm, header->number);
    struct buffer detail;
    struct command_call call = {.txn = txn,
                                .index = index,
                                .header = header,
                                .body = body,
                                .state = state,
                                .answer = answer,
                                .detail = &detail};
    uint64_t revision = state->revision;
    enum result result = format_get(txn, &call.format);

    if (result != GW_OK)
        return result;
    /* What the version before does not know it calls malformed. All members must say the
     * same, so until the stored format allows it, who knows it says so too. */
    if (type == NULL || type->since > format_spoken ||
        (type->since > call.format && type->number != COMMAND_FORMAT)) {
        answer->result = GW_MALFORMED;
        return GW_OK;
    }
    buffer_init(&detail, 0);
    result = type->apply(&call);
    answer->configuration = type->configuration && state->revision != revision;
    answer->revision = state->revision;
    if (result == GW_OK && detail.failed)
        result = GW_NO_MEMORY;
    if (result == GW_OK && detail.size > 0) {
        size_t size;
        char *bytes = buffer_take(&detail, &size);
        answer->detail = slice_of(bytes, size);
    }
    buffer_deinit(&detail);
    return result;
}

enum result fsm_apply(void *owner, struct txn *txn, uint64_t index, struct slice entry,
                      struct store_answer *answer)
{
    const struct fsm *fsm = owner;
    struct record_state state;
    struct command_header header;
    struct slice body;
    enum session_verdict verdict = SESSION_RUN;
    enum result result = record_state_get(txn, &state);

    if (result != GW_OK)
        return result;
    *answer = (struct store_answer){.result = GW_OK, .revision = state.revision};
    if (!command_decode(entry, &header, &body)) {
        answer->result = GW_MALFORMED;
        goto done;
    }
    if (header.stamp_ms > state.now_ms)
        state.now_ms = header.stamp_ms;
    bool has_session = header.client.size > 0 && !GW_PLANTED("session-lost");
    if (header.number != COMMAND_TICK)
        result = session_expire(txn, state.now_ms);
    if (result == GW_OK && has_session)
        result = session_check(txn, header.client, header.sequence, state.now_ms, &verdict,
                               answer);
    if (result != GW_OK)
        return result;
    if (verdict == SESSION_EXPIRED) {
        answer->result = GW_SESSION_EXPIRED;
    } else if (verdict == SESSION_RUN) {
        result = run(fsm, txn, index, &header, body, &state, answer);
        if (result == GW_OK && has_session && answer->result != GW_AGAIN)
            result =
                session_record(txn, header.client, header.sequence, state.now_ms, answer);
        if (result != GW_OK)
            goto fail;
    }

done:
    state.applied = index;
    answer->now_ms = state.now_ms;
    result = record_state_put(txn, &state);
    if (result == GW_OK)
        return GW_OK;

fail:
    free((void *)(uintptr_t)answer->detail.data);
    answer->detail = (struct slice){NULL, 0};
    return result;
}
