/* Calls under way: who asked, what for, until when. Each goes back to its
 * asker exactly once, however it ends. Member thread only. */
#ifndef GW_RAFT_CALLS_H
#define GW_RAFT_CALLS_H

#include "raft/peers.h"

struct calls {
    struct loop *loop;
    struct replica *replica;
    struct peers *peers;
    uint64_t self;
    struct list_link pending;
    uint64_t forward_next;
};

void calls_init(struct calls *calls, struct loop *loop, struct replica *replica,
                struct peers *peers, uint64_t self);
/* Takes the call. */
void calls_take(struct calls *calls, struct member_call *call);
/* The replica's answer to a proposal or barrier. */
void calls_replica_reply(struct calls *calls, void *tag, const struct replica_reply *reply);
/* A forwarded request's answer; ignored when nobody waits for it any more. */
void calls_forward_reply(struct calls *calls, uint64_t from, uint64_t id,
                         struct slice payload);
/* The bulk link to a peer broke: what was sent over it has an unknown outcome. */
void calls_link_down(struct calls *calls, uint64_t peer);
/* Tries again to forward what waits for a leader. */
void calls_retry(struct calls *calls);
/* Everything comes back: what may be done as GW_UNKNOWN_OUTCOME, the rest as GW_CLOSED. */
void calls_close(struct calls *calls);

#endif
