/* The disk under the data directory: how much room it has, and what follows from that.
 *
 * Below `store.minFree` this node does not lead: its member is told so, and of a voter
 * whose disk has room, to hand leadership to (raft/fitness.h); where nobody else can lead
 * it takes no proposals (503 disk_low). It follows and serves as before. A log that finds
 * no room at all halts the member, as any failed write does; but once there is room again,
 * and the disk has taken a write whole, a new member is started in the old one's place: to
 * the others it looks like a node that was restarted. Loop's thread. */
#ifndef GW_NODE_DISK_H
#define GW_NODE_DISK_H

#include "base/error.h"
#include "node/control/job.h"

struct control;
struct member;
struct member_call;

struct disk {
    uint64_t free_bytes;
    bool is_low;
    bool is_back_under_way; /* the old member is gone, or about to be */
    bool is_hopeless;       /* the disk is not full but broken */
    struct job job;
    enum result proved;
    struct member *old;
    uint64_t life;     /* of the member: what an earlier one says is of no account */
    uint64_t heir;     /* as the member was told; 0: none */
    uint64_t tried_ms; /* the last attempt to come back; 0: never */
    uint64_t returns, refused; /* only rise */
};

/* Pure: whether a disk with so much room is low. Once it is, some more than the least is
 * asked for, so that it is not on and off. `min_free` 0: never. */
bool disk_is_low(uint64_t free_bytes, uint64_t min_free, bool was_low);

/* Once a second. */
void disk_tick(struct control *control, uint64_t now_ms);
/* Whether a call to the member is not to be made, for want of room: then it has come back
 * already. GW_NOT_LEADER where another is about to lead, GW_DISK_LOW where nobody can. */
bool disk_refuses(struct control *control, struct member_call *call);
/* Before the loop ends: nothing is under way any more. */
void disk_settle(struct control *control);

#endif
