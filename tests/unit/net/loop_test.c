/* A wheel on a loop: timers go off in order and never early. */
#include "net/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/net/cast.h"

struct alarm {
    struct wheel_timer timer;
    struct loop *loop;
    uint64_t due_ms; /* no earlier than */
    unsigned rings, again;
    unsigned first; /* which ring of all was its first, from 1 */
};

static unsigned rings;
static bool closed;

static void on_closed(struct loop *loop, void *owner)
{
    (void)loop, (void)owner;
    closed = true;
}

static void start(struct alarm *alarm, uint64_t delay_ms)
{
    alarm->due_ms = loop_now_ms(alarm->loop) + delay_ms;
    loop_start_timer(alarm->loop, &alarm->timer, delay_ms);
}

static void on_alarm(struct wheel_timer *timer, uint64_t now_ms)
{
    struct alarm *alarm = container_of(timer, struct alarm, timer);

    assert_true(now_ms >= alarm->due_ms);
    assert_int_equal(now_ms, loop_now_ms(alarm->loop));
    rings++;
    if (alarm->rings++ == 0)
        alarm->first = rings;
    if (alarm->rings <= alarm->again)
        start(alarm, 1);
}

/* Three timers; `hold` keeps the loop from running until all are due. However late it is,
 * nothing is said of how many rings of one come before another that is due by then. */
static void story(bool hold)
{
    uv_loop_t uv;
    struct loop loop;
    struct error err;
    struct alarm late = {.timer = {.fire = on_alarm}, .loop = &loop};
    struct alarm soon = {.timer = {.fire = on_alarm}, .loop = &loop, .again = 3};
    struct alarm never = {.timer = {.fire = on_alarm}, .loop = &loop};

    rings = 0;
    closed = false;
    uv_loop_init(&uv);
    assert_int_equal(loop_open(&loop, &uv, &err), GW_OK);
    start(&late, 40);
    start(&never, 20);
    start(&soon, 5);
    loop_stop_timer(&loop, &never.timer);
    while (hold && uv_hrtime() / 1000000 <= late.due_ms)
        continue;
    cast_until(&uv, late.rings != 0 && soon.rings > soon.again);
    assert_int_equal(soon.first, 1);
    assert_int_equal(late.rings, 1);
    assert_int_equal(soon.rings, 4);
    assert_int_equal(never.rings, 0);
    if (hold)
        assert_int_equal(late.first, 2);
    loop_close(&loop, on_closed, NULL);
    cast_until(&uv, closed);
    assert_int_equal(uv_loop_close(&uv), 0);
}

static void timers_go_off_in_order_and_never_early(void **state)
{
    (void)state;
    story(false);
}

static void so_they_do_on_a_loop_that_was_held_up(void **state)
{
    (void)state;
    story(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_go_off_in_order_and_never_early),
        cmocka_unit_test(so_they_do_on_a_loop_that_was_held_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
