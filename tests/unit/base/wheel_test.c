/* The timer wheel against a list that is searched, under random operations. */
#include "base/rng.h"
#include "base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TIMERS 200

struct subject {
    struct wheel_timer timer;
    uint64_t model_due; /* UINT64_MAX: not armed */
    bool again;
};

static struct wheel wheel;
static struct subject subjects[TIMERS];
static struct rng rng;
static uint64_t now, fired, last_due;

/* The model: what it knows to be armed, and when it is due. */
static void on_fire(struct wheel_timer *timer, uint64_t now_ms)
{
    struct subject *subject = container_of(timer, struct subject, timer);
    assert_true(subject->model_due <= now_ms);
    assert_int_equal(now_ms, now);
    subject->model_due = UINT64_MAX;
    fired++;
    if (subject->again && rng_chance(&rng, 300)) {
        uint64_t due = now_ms + rng_below(&rng, 5000);
        wheel_start(&wheel, timer, due);
        subject->model_due = due;
    }
    if (rng_chance(&rng, 100)) {
        struct subject *other = &subjects[rng_below(&rng, TIMERS)];
        wheel_stop(&wheel, &other->timer);
        other->model_due = UINT64_MAX;
    }
}

static size_t model_count(void)
{
    size_t count = 0;
    for (int i = 0; i < TIMERS; i++)
        count += subjects[i].model_due != UINT64_MAX;
    return count;
}

static uint64_t model_next(void)
{
    uint64_t next = UINT64_MAX;
    for (int i = 0; i < TIMERS; i++)
        if (subjects[i].model_due < next)
            next = subjects[i].model_due;
    return next;
}

static uint64_t random_delay(void)
{
    static const uint64_t scales[] = {1, 10, 64, 100, 4096, 70000, 20000000, 3000000000u};
    return rng_below(&rng, scales[rng_below(&rng, 8)] + 1);
}

static void wheel_agrees_with_a_searched_list(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        rng_init(&rng, seed);
        now = rng_next(&rng) >> rng_between(&rng, 20, 63);
        wheel_init(&wheel, now);
        for (int i = 0; i < TIMERS; i++)
            subjects[i] = (struct subject){
                .timer = {.fire = on_fire}, .model_due = UINT64_MAX, .again = i % 2 == 0};
        for (int step = 0; step < 4000; step++) {
            struct subject *subject = &subjects[rng_below(&rng, TIMERS)];
            uint64_t what = rng_below(&rng, 10);
            if (what < 5) {
                uint64_t due = now + random_delay();
                if (rng_chance(&rng, 50))
                    due = due > 2000 ? due - 2000 : 0;
                wheel_start(&wheel, &subject->timer, due);
                subject->model_due = due;
            } else if (what < 7) {
                wheel_stop(&wheel, &subject->timer);
                subject->model_due = UINT64_MAX;
            } else {
                uint64_t next = model_next();
                if (what == 7)
                    now += random_delay();
                else if (next != UINT64_MAX && next > now)
                    now = rng_chance(&rng, 500) ? next : next - 1;
                wheel_run(&wheel, now);
                /* All that was due before the run, or became so before its
                 * end, has fired; what was started as due "now" waits. */
                for (int i = 0; i < TIMERS; i++)
                    assert_true(subjects[i].model_due >= now);
            }
            assert_int_equal(wheel.count, model_count());
            uint64_t promised = wheel_next_ms(&wheel);
            uint64_t due = model_next();
            if (due == UINT64_MAX)
                assert_true(promised == UINT64_MAX);
            else
                assert_true(promised <= due || (due <= now && promised <= now));
        }
    }
    assert_true(fired > 10000);
}

static void note_order(struct wheel_timer *timer, uint64_t now_ms)
{
    assert_true(timer->due_ms >= last_due);
    assert_true(timer->due_ms <= now_ms);
    last_due = timer->due_ms;
    fired++;
}

static void timers_fire_in_order_of_time_within_one_run(void **state)
{
    static struct wheel_timer timers[1000];
    (void)state;
    rng_init(&rng, 9);
    wheel_init(&wheel, 12345);
    for (int i = 0; i < 1000; i++) {
        timers[i] = (struct wheel_timer){.fire = note_order};
        wheel_start(&wheel, &timers[i], 12346 + rng_below(&rng, 1000000));
    }
    fired = last_due = 0;
    wheel_run(&wheel, 2000000);
    assert_int_equal(fired, 1000);
    assert_int_equal(wheel.count, 0);
    assert_true(wheel_next_ms(&wheel) == UINT64_MAX);
}

static void restart_at_once(struct wheel_timer *timer, uint64_t now_ms)
{
    fired++;
    wheel_start(&wheel, timer, now_ms);
}

static void a_timer_that_restarts_for_now_does_not_hold_the_run(void **state)
{
    struct wheel_timer timer = {.fire = restart_at_once};
    (void)state;
    wheel_init(&wheel, 100);
    wheel_start(&wheel, &timer, 100);
    fired = 0;
    wheel_run(&wheel, 100);
    assert_int_equal(fired, 1);
    assert_true(wheel_next_ms(&wheel) <= 100);
    wheel_run(&wheel, 100);
    assert_int_equal(fired, 2);
    wheel_stop(&wheel, &timer);
    wheel_stop(&wheel, &timer);
    assert_int_equal(wheel.count, 0);
}

static void a_timer_never_fires_early(void **state)
{
    struct wheel_timer timer = {.fire = note_order};
    (void)state;
    for (uint64_t delay = 1; delay < 40000000; delay = delay * 3 + 1) {
        wheel_init(&wheel, 987654321);
        wheel_start(&wheel, &timer, 987654321 + delay);
        fired = last_due = 0;
        wheel_run(&wheel, 987654321 + delay - 1);
        assert_int_equal(fired, 0);
        wheel_run(&wheel, 987654321 + delay);
        assert_int_equal(fired, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wheel_agrees_with_a_searched_list),
        cmocka_unit_test(timers_fire_in_order_of_time_within_one_run),
        cmocka_unit_test(a_timer_that_restarts_for_now_does_not_hold_the_run),
        cmocka_unit_test(a_timer_never_fires_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
