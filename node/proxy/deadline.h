/* A timer that is moved far more often than it fires: moving it to later is one
 * store; the wheel is touched only when it must go off sooner, or did go off too
 * early. So a request that ends in time costs the wheel nothing. */
#ifndef GW_NODE_PROXY_DEADLINE_H
#define GW_NODE_PROXY_DEADLINE_H

#include "net/loop.h"

struct deadline;
typedef void (*deadline_fn)(struct deadline *deadline, uint64_t now_ms);

struct deadline {
    struct wheel_timer timer;
    struct loop *loop; /* borrowed */
    uint64_t due_ms;   /* UINT64_MAX: none; the timer may be armed all the same */
    deadline_fn passed;
};

void deadline_init(struct deadline *deadline, struct loop *loop, deadline_fn passed);
/* UINT64_MAX: none. */
void deadline_set(struct deadline *deadline, uint64_t due_ms);
/* Takes it off the wheel: before the memory goes. */
void deadline_stop(struct deadline *deadline);

#endif
