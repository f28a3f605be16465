/* Heartbeats and elections by profile and round trip. */
#include "raft/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_pace(struct pace_options options, uint64_t round_trip_ms,
                        unsigned heartbeat_ms, unsigned election_ms)
{
    struct pace pace = pace_of(&options, round_trip_ms);

    assert_int_equal(pace.heartbeat_ms, heartbeat_ms);
    assert_int_equal(pace.election_ms, election_ms);
}

static void lan_is_the_same_whatever_a_short_round_trip(void **state)
{
    (void)state;
    assert_pace((struct pace_options){0}, 0, 50, 300);
    assert_pace((struct pace_options){0}, 20, 50, 300);
}

static void wan_goes_by_the_round_trip(void **state)
{
    const struct pace_options wan = {.is_wan = true};

    (void)state;
    assert_pace(wan, 0, 100, 1500);
    assert_pace(wan, 40, 100, 1500);
    assert_pace(wan, 100, 100, 1500);
    assert_pace(wan, 150, 150, 2250);
    assert_pace(wan, 250, 250, 3000);
}

static void what_is_asked_for_wins(void **state)
{
    (void)state;
    assert_pace((struct pace_options){.heartbeat_ms = 20}, 0, 20, 300);
    assert_pace((struct pace_options){.is_wan = true, .election_ms = 5000}, 40, 100, 5000);
}

static void an_election_is_never_shorter_than_heartbeats_and_round_trips_allow(void **state)
{
    const struct pace_options lan = {0};

    (void)state;
    assert_pace((struct pace_options){.heartbeat_ms = 200}, 0, 200, 1000);
    assert_false(pace_of(&lan, 50).is_stretched);
    assert_pace(lan, 150, 50, 900);
    assert_true(pace_of(&lan, 150).is_stretched);
    assert_pace((struct pace_options){.is_wan = true}, 700, 700, 4200);
}

static void small_differences_change_nothing(void **state)
{
    const struct pace now = {100, 1500, false};

    (void)state;
    assert_false(pace_differs(&now, &(struct pace){100, 1600, false}));
    assert_false(pace_differs(&now, &(struct pace){105, 1500, false}));
    assert_true(pace_differs(&now, &(struct pace){100, 1800, false}));
    assert_true(pace_differs(&now, &(struct pace){150, 1500, false}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lan_is_the_same_whatever_a_short_round_trip),
        cmocka_unit_test(wan_goes_by_the_round_trip),
        cmocka_unit_test(what_is_asked_for_wins),
        cmocka_unit_test(
            an_election_is_never_shorter_than_heartbeats_and_round_trips_allow),
        cmocka_unit_test(small_differences_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
