/* Places and a queue. Who comes anew never overtakes who waits: after a limit was
 * raised the queue empties with the next request that ends or comes. */
#include "node/balance/bulkhead.h"

enum bulkhead_result bulkhead_enter(struct bulkhead *bulkhead,
                                    const struct bulkhead_limits *limits)
{
    if (limits->in_flight == 0 ||
        (bulkhead->in_flight < limits->in_flight && bulkhead->queued == 0)) {
        bulkhead->in_flight++;
        return BULKHEAD_ENTERED;
    }
    if (limits->wait_ms == 0 || bulkhead->queued >= limits->queue)
        return BULKHEAD_FULL;
    bulkhead->queued++;
    return BULKHEAD_QUEUED;
}

void bulkhead_leave(struct bulkhead *bulkhead)
{
    if (bulkhead->in_flight > 0)
        bulkhead->in_flight--;
}

bool bulkhead_advance(struct bulkhead *bulkhead, const struct bulkhead_limits *limits)
{
    if (bulkhead->queued == 0 ||
        (limits->in_flight > 0 && bulkhead->in_flight >= limits->in_flight))
        return false;
    bulkhead->queued--;
    bulkhead->in_flight++;
    return true;
}

void bulkhead_give_up(struct bulkhead *bulkhead)
{
    if (bulkhead->queued > 0)
        bulkhead->queued--;
}
