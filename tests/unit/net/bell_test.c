/* The bell: no ring is lost, and many are one. */
#include "net/bell.h"

#include "base/list.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RINGS 20000

struct fixture {
    uv_loop_t loop;
    struct bell bell;
    _Atomic unsigned written; /* before each ring */
    unsigned seen, calls, closed;
};

static void on_rung(struct bell *bell)
{
    struct fixture *f = container_of(bell, struct fixture, bell);

    f->calls++;
    f->seen = atomic_load(&f->written);
    if (f->seen == RINGS)
        uv_stop(&f->loop);
}

static void on_closed(struct bell *bell)
{
    container_of(bell, struct fixture, bell)->closed++;
}

static void f_open(struct fixture *f)
{
    struct error err = ERROR_NONE;

    memset(f, 0, sizeof *f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(bell_open(&f->bell, &f->loop, on_rung, &err), GW_OK);
}

static void f_close(struct fixture *f)
{
    bell_close(&f->bell, on_closed);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->closed, 1);
    bell_close(&f->bell, on_closed); /* not open: nothing happens */
    assert_int_equal(uv_loop_close(&f->loop), 0);
}

static void many_rings_are_one_call(void **state)
{
    struct fixture f;
    (void)state;

    f_open(&f);
    for (int i = 0; i < 100; i++)
        bell_ring(&f.bell);
    uv_run(&f.loop, UV_RUN_NOWAIT);
    assert_int_equal(f.calls, 1);
    uv_run(&f.loop, UV_RUN_NOWAIT);
    assert_int_equal(f.calls, 1);
    bell_ring(&f.bell);
    uv_run(&f.loop, UV_RUN_NOWAIT);
    assert_int_equal(f.calls, 2);
    f_close(&f);
}

static void *ring_often(void *owner)
{
    struct fixture *f = owner;

    for (int i = 0; i < RINGS / 4; i++) {
        atomic_fetch_add(&f->written, 1);
        bell_ring(&f->bell);
    }
    return NULL;
}

static void what_was_written_before_a_ring_is_seen(void **state)
{
    struct fixture f;
    pthread_t threads[4];
    (void)state;

    f_open(&f);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ring_often, &f), 0);
    uv_run(&f.loop, UV_RUN_DEFAULT); /* for ever, should the last ring be lost */
    assert_int_equal(f.seen, RINGS);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    f_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_rings_are_one_call),
        cmocka_unit_test(what_was_written_before_a_ring_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
