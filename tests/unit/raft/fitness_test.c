/* Who should lead, in simulated time. */
#include "raft/fitness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct fitness_advice ask(struct fitness *fitness, bool is_leader, uint64_t wait_ms,
                                 uint64_t now_ms)
{
    return fitness_next(fitness,
                        &(struct fitness_news){.is_leader = is_leader,
                                               .disk_wait_ms = wait_ms,
                                               .election_ms = 300},
                        now_ms);
}

static void a_leader_in_peace_leads_on(void **state)
{
    struct fitness fitness = {0};

    (void)state;
    for (uint64_t now = 1; now < 600000; now += 100) {
        struct fitness_advice advice = ask(&fitness, true, 30, now);
        assert_false(advice.hand_over);
        assert_int_equal(advice.handicap, 1);
    }
}

static void a_stalled_disk_ends_leadership_and_makes_shy(void **state)
{
    struct fitness fitness = {0};

    (void)state;
    assert_false(ask(&fitness, true, 1900, 1000).hand_over);
    assert_true(ask(&fitness, true, 2000, 1100).hand_over);
    assert_false(ask(&fitness, true, 2100, 1200).hand_over); /* under way */
    assert_int_equal(ask(&fitness, false, 2200, 1300).handicap, FITNESS_HANDICAP);
    assert_int_equal(ask(&fitness, false, 0, 1400).handicap, FITNESS_HANDICAP);
    assert_int_equal(ask(&fitness, false, 0, 1300 + FITNESS_SHY_MS).handicap, 1);
}

static void a_slow_profile_stalls_later(void **state)
{
    struct fitness fitness = {0};
    struct fitness_news news = {
        .is_leader = true, .disk_wait_ms = 2500, .election_ms = 1500};

    (void)state;
    assert_false(fitness_next(&fitness, &news, 1000).hand_over);
    news.disk_wait_ms = 6000;
    assert_true(fitness_next(&fitness, &news, 5000).hand_over);
}

static void who_keeps_losing_leadership_is_shy(void **state)
{
    struct fitness fitness = {0};
    uint64_t now = 1000;

    (void)state;
    for (int loss = 0; loss < FITNESS_LOSSES; loss++) {
        assert_int_equal(ask(&fitness, true, 0, now).handicap, 1);
        struct fitness_advice advice = ask(&fitness, false, 0, now + 500);
        assert_int_equal(advice.handicap,
                         loss == FITNESS_LOSSES - 1 ? FITNESS_HANDICAP : 1);
        now += 1000;
    }
    /* Elected all the same, it gives it to another, if there is one. */
    assert_true(ask(&fitness, true, 0, now).hand_over);
    assert_false(ask(&fitness, true, 0, now + 100).hand_over);
    assert_true(ask(&fitness, true, 0, now + FITNESS_PATIENCE_MS).hand_over);
    assert_false(ask(&fitness, true, 0, now + 2 * FITNESS_SHY_MS).hand_over);
}

static void losses_far_apart_are_nothing(void **state)
{
    struct fitness fitness = {0};

    (void)state;
    for (uint64_t now = 1000; now < 1000000; now += 40000) {
        ask(&fitness, true, 0, now);
        assert_int_equal(ask(&fitness, false, 0, now + 100).handicap, 1);
    }
}

static void what_is_given_away_is_no_loss(void **state)
{
    struct fitness fitness = {0};

    (void)state;
    for (uint64_t now = 1000; now < 30000; now += 6000) {
        struct fitness_news news = {
            .is_leader = true, .election_ms = 300, .transfers = now / 6000};
        assert_false(fitness_next(&fitness, &news, now).hand_over);
        news.transfers++;
        news.is_leader = false;
        assert_int_equal(fitness_next(&fitness, &news, now + 100).handicap, 1);
    }
}

static void a_node_that_stops_hands_over_until_it_is_done(void **state)
{
    struct fitness fitness = {0};
    struct fitness_news news = {.is_leader = true, .is_stopping = true, .election_ms = 300};

    (void)state;
    assert_true(fitness_next(&fitness, &news, 1000).hand_over);
    assert_false(fitness_next(&fitness, &news, 1100).hand_over);
    assert_true(fitness_next(&fitness, &news, 1500).hand_over);
    news.is_leader = false;
    assert_int_equal(fitness_next(&fitness, &news, 1600).handicap, FITNESS_HANDICAP);
}

static void a_low_disk_makes_slow_and_no_more_where_nobody_has_room(void **state)
{
    struct fitness fitness = {0};
    struct fitness_news news = {.is_disk_low = true, .election_ms = 300};

    (void)state;
    assert_int_equal(fitness_next(&fitness, &news, 1000).handicap, FITNESS_HANDICAP);
    news.is_leader = true;
    assert_false(fitness_next(&fitness, &news, 1100).hand_over);
    news.is_leader = news.is_disk_low = false;
    assert_int_equal(fitness_next(&fitness, &news, 1200).handicap, 1);
}

static void a_low_disk_hands_over_to_whoever_has_room(void **state)
{
    struct fitness fitness = {0};
    struct fitness_news news = {
        .is_leader = true, .is_disk_low = true, .has_heir = true, .election_ms = 300};

    (void)state;
    struct fitness_advice advice = fitness_next(&fitness, &news, 1000);
    assert_true(advice.hand_over);
    assert_string_equal(advice.why, "its disk is low");
    assert_false(fitness_next(&fitness, &news, 2900).hand_over); /* under way */
    assert_true(fitness_next(&fitness, &news, 1000 + FITNESS_LOW_MS).hand_over);
    news.is_leader = false;
    assert_false(fitness_next(&fitness, &news, 9000).hand_over);
    news.is_leader = true;
    news.is_disk_low = false;
    assert_false(fitness_next(&fitness, &news, 9100).hand_over);
}

static void who_is_quarantined_gives_leadership_on_until_it_is_not(void **state)
{
    struct fitness fitness = {0};
    struct fitness_news news = {
        .is_leader = true, .is_quarantined = true, .election_ms = 300};

    (void)state;
    struct fitness_advice advice = fitness_next(&fitness, &news, 1000);
    assert_true(advice.hand_over);
    assert_string_equal(advice.why, "its state is wrong");
    assert_false(fitness_next(&fitness, &news, 1100).hand_over); /* under way */
    assert_true(fitness_next(&fitness, &news, 1500).hand_over);
    news.transfers = 1;
    news.is_leader = false;
    assert_int_equal(fitness_next(&fitness, &news, 1600).handicap, FITNESS_HANDICAP);
    news.is_quarantined = false;
    assert_int_equal(fitness_next(&fitness, &news, 1700).handicap, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_in_peace_leads_on),
        cmocka_unit_test(a_stalled_disk_ends_leadership_and_makes_shy),
        cmocka_unit_test(a_slow_profile_stalls_later),
        cmocka_unit_test(who_keeps_losing_leadership_is_shy),
        cmocka_unit_test(losses_far_apart_are_nothing),
        cmocka_unit_test(what_is_given_away_is_no_loss),
        cmocka_unit_test(a_low_disk_makes_slow_and_no_more_where_nobody_has_room),
        cmocka_unit_test(a_low_disk_hands_over_to_whoever_has_room),
        cmocka_unit_test(a_node_that_stops_hands_over_until_it_is_done),
        cmocka_unit_test(who_is_quarantined_gives_leadership_on_until_it_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
