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
    uint64_t rang_ms;
    unsigned again;
};

static bool closed;

static void on_closed(struct loop *loop, void *owner)
{
    (void)loop, (void)owner;
    closed = true;
}

static void on_alarm(struct wheel_timer *timer, uint64_t now_ms)
{
    struct alarm *alarm = container_of(timer, struct alarm, timer);
    alarm->rang_ms = now_ms;
    if (alarm->again > 0) {
        alarm->again--;
        loop_start_timer(alarm->loop, timer, 1);
    }
}

static void timers_go_off_in_order_and_never_early(void **state)
{
    uv_loop_t uv;
    struct loop loop;
    struct error err;
    struct alarm late = {.timer = {.fire = on_alarm}, .loop = &loop};
    struct alarm soon = {.timer = {.fire = on_alarm}, .loop = &loop, .again = 3};
    struct alarm never = {.timer = {.fire = on_alarm}, .loop = &loop};

    (void)state;
    uv_loop_init(&uv);
    assert_int_equal(loop_open(&loop, &uv, &err), GW_OK);
    uint64_t start_ms = loop_now_ms(&loop);
    loop_start_timer(&loop, &late.timer, 40);
    loop_start_timer(&loop, &never.timer, 20);
    loop_start_timer(&loop, &soon.timer, 5);
    loop_stop_timer(&loop, &never.timer);
    cast_until(&uv, late.rang_ms != 0);
    assert_true(late.rang_ms >= start_ms + 40);
    assert_true(soon.rang_ms >= start_ms + 8 && soon.again == 0);
    assert_int_equal(never.rang_ms, 0);
    loop_close(&loop, on_closed, NULL);
    cast_until(&uv, closed);
    assert_int_equal(uv_loop_close(&uv), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_go_off_in_order_and_never_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
