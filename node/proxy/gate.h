/* Bulkheads on the way: a request passes that of its route, then that of its
 * service, and holds its places to its end. Who finds no place waits in line, for
 * a while.
 *
 * Limits are the node's; each worker has its part. The worker's thread only. */
#ifndef GW_NODE_PROXY_GATE_H
#define GW_NODE_PROXY_GATE_H

#include "base/list.h"
#include "node/balance/bulkhead.h"

struct exchange;
struct serving_service;
struct worker;

struct gate {
    struct bulkhead bulkhead;
    struct list_link waiting; /* struct exchange, by `in_queue`, first come first */
};

void gate_init(struct gate *gate);
/* Starts the first attempt, now or once there is a place. The exchange may end. */
void gate_enter(struct exchange *exchange);
/* It has waited long enough. The exchange ends. */
void gate_due(struct exchange *exchange);
/* The exchange is over: gives its places back, or leaves the line. Those who may go on
 * then do so with gate_run, not in here. */
void gate_leave(struct exchange *exchange);
/* Gives back the service's alone: another one takes its place. */
void gate_leave_service(struct exchange *exchange);
/* A place of the service's for what is no exchange and does not wait: false when there
 * is none; *ret_gate is to be given back, NULL where there is no limit. */
bool gate_try(struct worker *worker, const struct serving_service *service,
              struct gate **ret_gate);
void gate_give(struct worker *worker, struct gate *gate);
/* Once per turn of the loop. */
void gate_run(struct worker *worker);

#endif
