/* A timer wheel on a libuv loop: many timers, one uv_timer.
 *
 * The only place under net/ that reads a clock: loop_now_ms is the loop's
 * monotonic time. Loop's thread only. */
#ifndef GW_NET_LOOP_H
#define GW_NET_LOOP_H

#include "base/error.h"
#include "base/wheel.h"

#include <uv.h>

struct loop;
typedef void (*loop_close_cb)(struct loop *loop, void *owner);

struct loop {
    uv_loop_t *uv; /* borrowed */
    uv_timer_t timer;
    struct wheel wheel;
    uint64_t armed_ms; /* when `timer` goes off; UINT64_MAX: not armed */
    loop_close_cb closed;
    void *owner;
    bool is_running; /* inside wheel_run: the end of it arms */
    bool is_open;
};

enum result loop_open(struct loop *loop, uv_loop_t *uv, struct error *err);
uint64_t loop_now_ms(const struct loop *loop);
/* `delay_ms` from now; moves it if armed. */
void loop_start_timer(struct loop *loop, struct wheel_timer *timer, uint64_t delay_ms);
void loop_stop_timer(struct loop *loop, struct wheel_timer *timer);
/* After timers were put into `wheel` directly: makes the uv_timer fit. */
void loop_rearm(struct loop *loop);
/* Timers still armed are forgotten. */
void loop_close(struct loop *loop, loop_close_cb closed, void *owner);

#endif
