/* What follows from sameness (raft/sameness.h): a node whose state is not that of a
 * majority serves on what it had, takes no writes and does not lead, until it agrees
 * again. Control thread. */
#ifndef GW_NODE_QUARANTINE_H
#define GW_NODE_QUARANTINE_H

#include "base/buffer.h"

struct control;
struct member_call;
struct request;

/* Compares, and begins or ends this node's quarantine. */
void quarantine_tick(struct control *control, uint64_t now_ms);
/* A proposal of this node's own as leader, which it is about to be no more: it comes back.
 */
bool quarantine_refuses(struct control *control, struct member_call *call);
/* Of a write, or of a read that is to be linearizable. False: the request is over. */
bool quarantine_admits(struct request *request);
/* The names of those that say they are quarantined, this node included, with commas; in
 * the request's arena. Empty: none. */
struct slice quarantine_names(struct request *request);

#endif
