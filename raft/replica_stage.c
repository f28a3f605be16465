/* Dumps in: pieces go to the store as they come, and how far it is goes back.
 *
 * What is staged is on the disk with the state, and outlives a restart: the sender goes on
 * from there if it still has the same dump. Only the present leader is listened to. The
 * install itself is libraft's matter: its message names the dump, and reaches the core
 * once that is here as a whole.
 *
 * Back-pressure: a piece is acknowledged when it is committed, so a slow disk slows the
 * sender down; more than STAGE_PENDING are never waiting, whatever a peer sends. */
#include "raft/replica_inner.h"

#include "raft/wire_dump.h"
#include "store/dump.h"

#include <stdlib.h>

#define STAGE_PENDING 16

static void acknowledge(struct replica *replica, uint64_t to, uint64_t id, bool is_lost,
                        bool is_full, uint64_t number)
{
    struct wire_dump ack = {.type = WIRE_DUMP_ACK,
                            .term = raft_current_term(&replica->raft),
                            .id = id,
                            .number = number,
                            .count = number,
                            .is_lost = is_lost,
                            .is_full = is_full};
    struct buffer bytes;

    buffer_init(&bytes, 0);
    if (wire_dump_encode(&bytes, &ack))
        send_bytes(replica, to, buffer_slice(&bytes), false);
    buffer_deinit(&bytes);
}

/* How much of a dump is committed here. */
static uint64_t have(const struct replica *replica, uint64_t id)
{
    return replica->staged.id == id ? replica->staged.next : 0;
}

bool stage_is_wanted(const struct replica *replica, uint64_t index, uint64_t term)
{
    const struct raft *raft = &replica->raft;

    /* As replicationInstallSnapshot sees it. */
    return raft->trail.snapshot.index < index && term_at(raft, index) != term;
}

static bool is_from_leader(const struct replica *replica, const struct peer *peer,
                           uint64_t term)
{
    const struct raft *raft = &replica->raft;

    return raft->state == RAFT_FOLLOWER && term == raft_current_term(raft) &&
           raft->follower_state.current_leader.id == peer->id;
}

static void ahead_drop(struct replica *replica)
{
    for (unsigned i = 0; i < DUMP_WINDOW; i++) {
        free((void *)(uintptr_t)replica->ahead[i].bytes.data);
        replica->ahead[i] = (struct wire_dump){0};
    }
}

static void forget(struct replica *replica)
{
    ahead_drop(replica);
    replica->staging_id = replica->staging_next = 0;
}

/* Another dump begins: what is staged of an older one goes with its first piece. */
static bool begins_well(struct replica *replica, const struct wire_dump *piece)
{
    struct dump_header header;

    if (piece->is_cut || piece->id != staging_id(piece->bytes) ||
        dump_header_parse(piece->bytes, &header) != GW_OK ||
        !conf_is_sound(header.label.conf) || header.label.index < piece->index ||
        (header.label.index == piece->index && header.label.term != piece->label_term))
        return false;
    if (replica->staging_id != 0)
        replica->counters.dump_aborts++;
    forget(replica);
    replica->staging_id = piece->id;
    return true;
}

/* Takes `bytes`, which is piece->bytes. */
static void push_piece(struct replica *replica, uint64_t from,
                       const struct wire_dump *piece)
{
    struct io_job *job = io_job_new(replica, STORE_STAGE);

    job->job.bytes = piece->bytes;
    job->job.rest_bytes = piece->rest_bytes;
    job->job.piece = (struct staging_piece){.id = piece->id,
                                            .number = piece->number,
                                            .count = piece->count,
                                            .is_cut = piece->is_cut};
    job->from = from;
    replica->counters.dump_pieces_received++;
    replica->counters.dump_bytes_received += piece->bytes.size;
    replica->staging_next++;
    replica->staging_pending++;
    store_push(replica->options.store, &job->job);
}

/* One that comes before its turn waits for it: bulk messages may overtake each other,
 * where one is cut from a link and the next goes by another. */
static void keep_ahead(struct replica *replica, const struct wire_dump *piece)
{
    struct wire_dump *slot = &replica->ahead[piece->number % DUMP_WINDOW];

    free((void *)(uintptr_t)slot->bytes.data);
    *slot = *piece;
}

static void push_in_turn(struct replica *replica, uint64_t from)
{
    for (;;) {
        struct wire_dump *slot = &replica->ahead[replica->staging_next % DUMP_WINDOW];

        if (slot->id == 0 || slot->id != replica->staging_id ||
            slot->number != replica->staging_next ||
            replica->staging_pending >= STAGE_PENDING)
            return;
        push_piece(replica, from, slot);
        *slot = (struct wire_dump){0};
    }
}

enum result stage_receive(struct replica *replica, struct peer *peer,
                          const struct wire_dump *piece)
{
    if (!is_from_leader(replica, peer, piece->term))
        return GW_OK; /* it is sent again once we know the leader, if it is that */
    if (!stage_is_wanted(replica, piece->index, piece->label_term)) {
        acknowledge(replica, peer->id, piece->id, false, false, piece->count);
        return GW_OK;
    }
    if (replica->installs_in_flight > 0 || replica->has_held)
        return GW_OK; /* what is staged is about to become the state */
    if (replica->staging_id != piece->id) {
        if (piece->number != 0) {
            acknowledge(replica, peer->id, piece->id, true, false,
                        have(replica, piece->id));
            return GW_OK;
        }
        if (!begins_well(replica, piece))
            return GW_MALFORMED;
    }
    if (piece->number < replica->staging_next ||
        piece->number >= replica->staging_next + DUMP_WINDOW) {
        acknowledge(replica, peer->id, piece->id, piece->number > replica->staging_next,
                    false, have(replica, piece->id));
        return GW_OK;
    }
    struct wire_dump copy = *piece;
    char *bytes = malloc(piece->bytes.size);
    if (bytes == NULL)
        return GW_OK; /* as if lost */
    memcpy(bytes, piece->bytes.data, piece->bytes.size);
    copy.bytes = slice_of(bytes, piece->bytes.size);
    keep_ahead(replica, &copy);
    push_in_turn(replica, peer->id);
    if (replica->staging_pending == 0) /* it waits for one that may not come by itself */
        acknowledge(replica, peer->id, piece->id, false, false, have(replica, piece->id));
    return GW_OK;
}

void stage_complete(struct replica *replica, struct io_job *job)
{
    const struct store_job *done = &job->job;
    uint64_t id = done->piece.id;

    replica->staged = done->staging;
    if (id == 0) {
        replica->staging_pending--;
        return;
    }
    if (--replica->staging_pending == 0 && done->outcome != STAGING_TAKEN) {
        forget(replica);
        replica->staging_id = replica->staged.id;
        replica->staging_next = replica->staged.next;
    }
    if (done->outcome == STAGING_DAMAGED)
        replica->counters.dumps_damaged++;
    if (done->outcome == STAGING_FULL)
        replica->counters.dumps_refused++;
    acknowledge(replica, job->from, id,
                done->outcome == STAGING_DAMAGED || done->outcome == STAGING_PASSED,
                done->outcome == STAGING_FULL, have(replica, id));
    push_in_turn(replica, job->from);
}

bool stage_is_whole(struct replica *replica, struct peer *peer, uint64_t id)
{
    if (replica->staging_pending == 0 && replica->staged.id == id &&
        replica->staged.is_whole)
        return true;
    acknowledge(replica, peer->id, id, true, false, have(replica, id));
    return false;
}

void stage_boot(struct replica *replica, const struct staging *staging)
{
    replica->staged = *staging;
    replica->staging_id = staging->id;
    replica->staging_next = staging->next;
    stage_drop_stale(replica);
}

void stage_drop_stale(struct replica *replica)
{
    struct io_job *job;

    if (replica->staged.id == 0 || replica->staging_pending > 0 ||
        replica->installs_in_flight > 0 || replica->has_held ||
        replica->staged.index > replica->label.index)
        return;
    forget(replica);
    replica->staged = (struct staging){0};
    job = io_job_new(replica, STORE_STAGE); /* of id 0 */
    replica->staging_pending++;
    store_push(replica->options.store, &job->job);
}

void stage_installed(struct replica *replica)
{
    replica->staged = (struct staging){0};
    forget(replica);
}
