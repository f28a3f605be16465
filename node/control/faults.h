/* Fault points on this node: what is armed, and who is told of it. Control thread. */
#ifndef GW_NODE_FAULTS_H
#define GW_NODE_FAULTS_H

#include "node/control/request.h"

/* Looks at the records; what is new is armed, unless this is the start. */
void faults_follow(struct control *control, bool is_start);
/* Tells the member and the board what is armed; a new member knows nothing of it. */
void faults_tell(struct control *control);
/* Lets go of what has lapsed; a leader removes the records of what is over. */
void faults_tick(struct control *control);
/* Removes the record of `key`; false: not sent. `done` frees the call. */
bool faults_propose_delete(struct control *control, struct slice key, uint64_t revision,
                           struct slice actor, control_call_fn done, void *owner);

/* fault_requests.c: GET, POST, DELETE of /v1/cluster/faults */
void faults_list(struct request *request);
void faults_create(struct request *request);
void faults_delete(struct request *request);

#endif
