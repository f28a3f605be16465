/* The leader's line of writes: each is checked against what is visible plus what
 * is in flight already, so the next one need not wait for the disk. What waits is
 * checked in batches, one after the other against one tentative edition.
 *
 * An entry carries the configuration sequence it extends; where that no longer
 * fits (GW_AGAIN), the line stands still until nothing is in flight, takes up
 * the visible state anew and checks again, a few times at most. Control thread;
 * small batches are checked at once, others on the pool. All of the outside is
 * behind hooks, so tests need no member. */
#ifndef GW_NODE_PROPOSER_H
#define GW_NODE_PROPOSER_H

#include "node/control/write.h"

#define PROPOSER_TRIES       8
#define PROPOSER_QUEUE       1024         /* writes waiting; more are refused: GW_LIMIT */
#define PROPOSER_BATCH       64           /* writes checked in one go … */
#define PROPOSER_BATCH_BYTES (256u << 10) /* … with bodies of so much, or one write */
#define PROPOSER_QUICK_BYTES (32u << 10)  /* what is checked on the loop has less … */
#define PROPOSER_QUICK_WALK  1000         /* … and walks no more resources */

struct proposer_hooks {
    void *owner;
    uv_loop_t *loop;
    struct mailbox *mailbox; /* where calls come back */
    /* Calls proposer_turn in the loop's next turn, so that what came in this one is checked
     * in one go. NULL: it is checked at once. */
    void (*soon)(void *owner);
    /* Takes the call; it comes back by proposer_called. */
    void (*post)(void *owner, struct member_call *call);
    /* The newest edition of what is visible, borrowed; NULL: none yet. */
    struct edition *(*visible)(void *owner);
    /* Fills write->regions. */
    void (*regions)(void *owner, struct write *write);
    uint64_t (*wall_ms)(void *owner);
    /* Any thread: has this client's request been answered before? Then fills result,
     * revision and detail of the write. May be NULL. */
    bool (*session_answer)(void *owner, struct write *write);
};

struct proposer {
    struct proposer_hooks hooks;
    struct list_link queue;     /* to be checked */
    struct list_link in_flight; /* proposed, and what is answered in their order */
    struct list_link again;     /* to be checked once more, in order */
    size_t queued;
    struct list_link checking; /* the batch under way */
    bool is_checking;
    struct job job;
    struct edition *tentative; /* owned; the batch's while one is under way; or NULL */
    uint64_t revision;         /* of the last one answered */
    uint64_t rebuild_index;    /* the visible state must have reached it */
    bool is_rebuilding;
    bool is_ready; /* the barrier of this term has been passed */
    bool is_barrier_out;
    struct member_call barrier;
    uint64_t counters_again; /* writes checked once more */
};

void proposer_init(struct proposer *proposer, const struct proposer_hooks *hooks);
/* Everything must have been answered: after proposer_stop and its calls. */
void proposer_deinit(struct proposer *proposer);

/* Takes the write until write->done. */
void proposer_submit(struct proposer *proposer, struct write *write);
void proposer_turn(struct proposer *proposer);
/* A call that the member gave back: is it the proposer's? */
bool proposer_called(struct proposer *proposer, struct member_call *call);
/* There is a newer visible edition. */
void proposer_visible(struct proposer *proposer);
/* Leadership is gone, or of another term. */
void proposer_lost(struct proposer *proposer);

#endif
