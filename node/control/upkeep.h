/* Keeps this node's credentials as the records want them, and the record of what it
 * holds as its directory has it. One step at a time: asks the leader to sign for a
 * fresh key, installs, tells; what fails is tried again, later and later.
 *
 * Nothing of this is in a hurry and nothing is remembered beyond the directory and the
 * records, so a node that was down, or fell in the middle, goes on by itself. Control
 * thread. */
#ifndef GW_NODE_UPKEEP_H
#define GW_NODE_UPKEEP_H

#include "node/control/credentials.h"

struct upkeep_counts {
    uint64_t renewed, failed;
};

struct upkeep;

struct upkeep *upkeep_new(struct control *control);
/* When no call and no job is under way any more. NULL is fine. */
void upkeep_free(struct upkeep *upkeep);
/* Takes the next step, if there is one. Every 200 ms or so. */
void upkeep_tick(struct upkeep *upkeep, uint64_t now_ms);
const struct upkeep_counts *upkeep_counts(const struct upkeep *upkeep);

/* upkeep_leader.c: what other nodes' upkeep asks of the leader. Take `forwarded`. */
/* A request to be signed for. */
void upkeep_sign(struct control *control, struct member_forwarded *forwarded);
/* What a node holds now. */
void upkeep_told(struct control *control, struct member_forwarded *forwarded);
/* Encodes the entry that records `holding`, packed, in place of what stands there at
 * `revision`. */
bool upkeep_encode(struct control *control, uint64_t id, struct slice holding,
                   uint64_t revision, struct buffer *command);
/* Deletes a record of a node that is no more; false: there is none. */
bool upkeep_tidy(struct control *control);

#endif
