/* Wakes a loop from any thread, once for however often it was rung meanwhile.
 *
 * Not a uv_async: until libuv 1.45 a loop that wakes while the ringer is still inside of
 * uv_async_send spins until it has left, and where both share a core, as they do after a
 * wake-up, it spins for nothing. The memory is the caller's; nobody may ring any more when
 * it is closed. */
#ifndef GW_NET_BELL_H
#define GW_NET_BELL_H

#include "base/error.h"

#include <stdatomic.h>
#include <uv.h>

struct bell;
/* On the loop's thread. */
typedef void (*bell_fn)(struct bell *bell);

struct bell {
    uv_poll_t poll;
    int fd; /* an eventfd, owned */
    atomic_bool is_rung;
    bell_fn rung, closed;
    bool is_open; /* loop's thread only */
};

/* Loop's thread. */
enum result bell_open(struct bell *bell, uv_loop_t *loop, bell_fn rung, struct error *err);
/* Any thread. What was written before is seen by the call of `rung` that follows. */
void bell_ring(struct bell *bell);
/* Loop's thread. `closed` (may be NULL) runs when the handle is gone; never where the bell
 * is not open. */
void bell_close(struct bell *bell, bell_fn closed);

#endif
