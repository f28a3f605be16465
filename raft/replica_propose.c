/* Proposals: from the owner to the core, and their answers back.
 *
 * One waits until the leader is ready, is submitted to libraft, answered when it is
 * applied, and replied to from replica_after only, never from inside libraft. */
#include "raft/replica_inner.h"

#include "base/plant.h"
#include "raft/command.h"

#include <stdlib.h>

static void proposal_end(struct replica *replica, struct proposal *proposal,
                         enum result result)
{
    proposal->reply.result = result;
    list_remove(&proposal->link);
    list_append(&replica->ended, &proposal->link);
}

static void proposal_done(struct raft_apply *request, int status, void *result)
{
    struct proposal *proposal = request->data;

    (void)result;
    proposal->is_held = false;
    if (proposal->is_replied) {
        list_remove(&proposal->link);
        free(proposal);
        return;
    }
    if (status == 0)
        proposal->is_committed = true; /* the answer comes with the APPLY job */
    else
        proposal_end(proposal->replica, proposal, GW_UNKNOWN_OUTCOME);
}

void proposals_submit(struct replica *replica, struct proposal *proposal)
{
    uint64_t stamp = replica->stamp_base_ms + (replica->now_ms - replica->stamp_at_ms) *
                                                  (GW_PLANTED("fast-stamps") ? 2 : 1);
    struct raft_buffer buffer = {.base = raft_malloc(proposal->size),
                                 .len = proposal->size};
    int rv = RAFT_NOMEM;

    list_remove(&proposal->link);
    list_append(&replica->submitted, &proposal->link);
    if (buffer.base != NULL) {
        memcpy(buffer.base, proposal->command, proposal->size);
        command_stamp(buffer.base, buffer.len, stamp, proposal->wall_ms);
        proposal->request.data = proposal;
        rv = raft_apply(&replica->raft, &proposal->request, &buffer, 1, proposal_done);
    }
    free(proposal->command);
    proposal->command = NULL;
    if (rv != 0) {
        raft_free(buffer.base);
        proposal_end(replica, proposal,
                     rv == RAFT_NOTLEADER ? GW_NOT_LEADER
                     : rv == RAFT_NOMEM   ? GW_NO_MEMORY
                                          : GW_UNKNOWN_OUTCOME);
        return;
    }
    proposal->is_held = true;
    proposal->index = proposal->request.index;
    if (GW_PLANTED("ack-early")) {
        proposal->reply.index = proposal->reply.answer.revision = proposal->index;
        proposal_end(replica, proposal, GW_OK);
    }
}

enum result replica_propose(struct replica *replica, struct slice command,
                            enum replica_when when, uint64_t now_ms, uint64_t wall_ms,
                            void *tag)
{
    struct command_header header;
    struct slice body;
    struct proposal *proposal;

    if (replica->is_halted)
        return GW_HALTED;
    replica_set_now(replica, now_ms);
    if (!is_leading(replica) || raft_transferee(&replica->raft) != 0)
        return GW_NOT_LEADER;
    if (replica->now_ms - read_quorum_heard(replica) > 2ull * replica->options.election_ms)
        return GW_NO_QUORUM;
    if (command.size > COMMAND_BYTES)
        return GW_TOO_LARGE;
    if (!command_decode(command, &header, &body))
        return GW_MALFORMED;
    if (replica->proposal_count >= PROPOSALS_LIMIT ||
        (replica->proposal_count > 0 &&
         replica->proposal_bytes + command.size > PROPOSALS_BYTES))
        return GW_LIMIT;
    proposal = calloc(1, sizeof *proposal);
    if (proposal == NULL || (proposal->command = malloc(command.size)) == NULL) {
        free(proposal);
        return GW_NO_MEMORY;
    }
    memcpy(proposal->command, command.data, command.size);
    proposal->size = command.size;
    proposal->replica = replica;
    proposal->tag = tag;
    proposal->when = when;
    proposal->wall_ms = wall_ms;
    list_append(&replica->waiting, &proposal->link);
    replica->proposal_count++;
    replica->proposal_bytes += proposal->size;
    replica->counters.proposals++;
    replica_after(replica);
    return GW_OK;
}

void proposals_fail(struct replica *replica, enum result result)
{
    list_each (&replica->waiting, link) {
        proposal_end(replica, container_of(link, struct proposal, link), result);
    }
}

void proposals_answer(struct replica *replica)
{
    uint64_t visible = store_visible(replica->options.store);

    list_each (&replica->answered, link) {
        struct proposal *proposal = container_of(link, struct proposal, link);

        if (proposal->index > visible) {
            store_want_visible(replica->options.store);
            return;
        }
        list_remove(link);
        list_append(&replica->ended, link);
    }
}

void proposals_reply(struct replica *replica)
{
    struct list_link *link;

    if (replica->is_replying)
        return; /* a reply proposed again: the loop below goes on */
    replica->is_replying = true;
    while ((link = list_take_first(&replica->ended)) != NULL) {
        struct proposal *proposal = container_of(link, struct proposal, link);

        replica->proposal_count--;
        replica->proposal_bytes -= proposal->size;
        replica->options.reply(replica->options.owner, proposal->tag, &proposal->reply);
        free((void *)(uintptr_t)proposal->reply.answer.detail.data);
        free(proposal->command);
        proposal->command = NULL;
        proposal->is_replied = true;
        if (proposal->is_held) /* after a halt: libraft still has the request */
            list_append(&replica->abandoned, &proposal->link);
        else
            free(proposal);
    }
    while ((link = list_take_first(&replica->ended_barriers)) != NULL) {
        struct barrier *barrier = container_of(link, struct barrier, link);
        struct replica_reply reply = {.result = barrier->result, .index = barrier->index};

        replica->options.reply(replica->options.owner, barrier->tag, &reply);
        free(barrier);
    }
    replica->is_replying = false;
}

/* What was handed to the core may yet come true. */
void proposals_leave(struct replica *replica)
{
    list_each (&replica->submitted, link) {
        proposal_end(replica, container_of(link, struct proposal, link),
                     GW_UNKNOWN_OUTCOME);
    }
    list_each (&replica->answered, link) {
        proposal_end(replica, container_of(link, struct proposal, link),
                     GW_UNKNOWN_OUTCOME);
    }
}
