/* What the member's own rooms share: the thread's state. Not for others. */
#ifndef GW_RAFT_MEMBER_INNER_H
#define GW_RAFT_MEMBER_INNER_H

#include "raft/calls.h"
#include "raft/fitness.h"
#include "raft/fsm.h"
#include "raft/member.h"

#include <stdatomic.h>

struct member {
    uv_loop_t uv;
    uv_thread_t thread;
    uv_timer_t tick;
    struct bell store_wake;
    uv_check_t turn_end; /* messages of one turn go together */
    struct loop loop;
    struct mailbox inbox;
    struct mailbox *control; /* borrowed */
    struct env *env;         /* borrowed */
    struct fsm fsm;
    struct store *store;
    struct replica *replica;
    struct peers peers;
    struct calls calls;
    struct roster roster;
    struct member_shape shape;
    struct pace pace;
    struct fitness fitness;
    unsigned told_heartbeat_ms, told_election_ms; /* to the replica */
    struct member_node nodes[MEMBER_PEERS];
    struct member_former formers[MEMBER_PEERS];
    size_t former_count;
    uint64_t formers_at_ms;
    size_t node_count;
    uint64_t id;
    uint64_t peers_at_ms, roster_at_ms, pace_at_ms, view_at_ms;
    uint64_t visible_told;
    uint64_t life;
    bool is_disk_low;
    uint64_t heir;          /* of a low disk; 0: none */
    char *data_dir;         /* owned */
    struct list_link dumps; /* dump_work */
    uint64_t dumps_refused_told, dumps_damaged_told, dump_told_ms;
    bool view_wanted, is_stopping, is_quarantined, has_thread, has_peers, is_closing,
        is_halted;
    _Atomic uint64_t turned_ms;
};

/* member_news.c: after whatever happened, what others need to know. */
void member_settle(struct member *member);

/* member_shape.c: the leader keeps the shape, everybody the pace. */
void member_shape_tick(struct member *member, uint64_t now_ms);

/* member_former.c: greets those a recovery left behind, every ten seconds. */
void member_formers_take(struct member *member, const struct member_options *options);
void member_formers_tick(struct member *member, uint64_t now_ms);

/* member_dump.c: dumps for peers, made and read on libuv's pool. */
void member_dump_options(struct replica_options *options);
/* What an operator should know of a dump that comes to this node. */
void member_dump_tell(struct member *member);

/* member_ears.c: what the replica asks for, and what the links bring. `owner` is the
 * member. */
extern const struct peers_events member_peers_events;
void member_replica_options(struct member *member, struct replica_options *options);

#endif
