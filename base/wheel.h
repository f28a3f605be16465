/* A hierarchical timer wheel, told the time [Varghese, Lauck 1987; h2o timerwheel].
 *
 * Starting, moving and stopping a timer cost O(1) and no allocation; a timer is
 * embedded in what it times out. Resolution 1 ms; never early. */
#ifndef GW_BASE_WHEEL_H
#define GW_BASE_WHEEL_H

#include "base/list.h"

#include <stdint.h>

#define WHEEL_BITS   6
#define WHEEL_SLOTS  (1u << WHEEL_BITS)
#define WHEEL_LEVELS 5 /* 2^30 ms, 12 days; later ones wait in a list of their own */

struct wheel_timer;
typedef void (*wheel_fn)(struct wheel_timer *timer, uint64_t now_ms);

struct wheel_timer {
    struct list_link link;
    uint64_t due_ms;
    wheel_fn fire;
};

struct wheel {
    uint64_t now_ms; /* everything due up to here has fired */
    uint64_t occupied[WHEEL_LEVELS];
    struct list_link slots[WHEEL_LEVELS][WHEEL_SLOTS];
    struct list_link overdue; /* due when started: fire at the next run */
    struct list_link far;     /* beyond the present turn of the highest level */
    size_t count;
};

void wheel_init(struct wheel *wheel, uint64_t now_ms);
static inline bool wheel_is_armed(const struct wheel_timer *timer)
{
    return list_is_linked(&timer->link);
}
/* Arms, or moves if armed. A due time in the past fires at the next run. */
void wheel_start(struct wheel *wheel, struct wheel_timer *timer, uint64_t due_ms);
/* Does nothing if not armed. */
void wheel_stop(struct wheel *wheel, struct wheel_timer *timer);
/* Fires what is due, in order of slot; a fired timer may be started again or
 * freed by its function, and may stop others. */
void wheel_run(struct wheel *wheel, uint64_t now_ms);
/* When to run next at the latest; UINT64_MAX when nothing is armed. May be
 * early by the width of a slot, never late. */
uint64_t wheel_next_ms(const struct wheel *wheel);

#endif
