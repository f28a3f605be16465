/* The leader's line of writes: what is proposed, when, and in which order. */
#include "tests/unit/node/control/proposer_cast.h"

static void the_first_write_of_a_term_waits_for_a_barrier(void **state)
{
    (void)state;
    begin();
    struct wish *wish = wish_apply(REGION("eu"));
    submit(wish);
    pass_barrier();
    assert_int_equal(call_count, 1);
    assert_int_equal(calls[0]->type, MEMBER_PROPOSE);
    assert_int_equal(sequence_of(calls[0]), 7);
    answer(0, GW_OK, 6, 6);
    assert_true(wish->done);
    assert_int_equal(wish->write.result, GW_OK);
    assert_int_equal(wish->write.revision, 6);
    forget(wish);
    end();
}

static void only_a_write_that_may_be_repeated_waits_to_be_visible(void **state)
{
    (void)state;
    begin();
    struct wish *once = wish_apply(REGION("eu"));
    struct wish *keyed = wish_apply(REGION_AFTER("us", "eu"));
    keyed->write.has_client = true;
    submit(once);
    pass_barrier();
    submit(keyed);
    assert_int_equal(call_count, 2);
    assert_int_equal(calls[0]->when, REPLICA_WHEN_APPLIED);
    assert_int_equal(calls[1]->when, REPLICA_WHEN_VISIBLE);
    answer(0, GW_OK, 6, 6);
    answer(0, GW_OK, 7, 7);
    forget(once);
    forget(keyed);
    end();
}

static void the_next_write_is_checked_against_what_is_in_flight(void **state)
{
    (void)state;
    begin();
    struct wish *first = wish_apply(REGION("eu"));
    struct wish *second = wish_apply(REGION_AFTER("us", "eu"));
    submit(first);
    pass_barrier();
    submit(second);
    /* Both are proposed though neither is durable; the second extends the first. */
    assert_int_equal(call_count, 2);
    assert_int_equal(sequence_of(calls[0]), 7);
    assert_int_equal(sequence_of(calls[1]), 8);
    answer(0, GW_OK, 6, 6);
    answer(0, GW_OK, 7, 7);
    assert_int_equal(first->write.result, GW_OK);
    assert_int_equal(second->write.result, GW_OK);
    forget(first);
    forget(second);
    end();
}

static void those_that_waited_are_checked_in_one_go(void **state)
{
    (void)state;
    begin();
    struct wish *first = wish_apply(REGION("eu"));
    struct wish *wrong = wish_apply(REGION_AFTER("us", "nowhere"));
    struct wish *dry = wish_apply(REGION("us"));
    struct wish *same = wish_apply(REGION("eu"));
    struct wish *rests_on_dry = wish_apply(REGION_AFTER("ap", "us"));
    struct wish *last = wish_apply(REGION_AFTER("ap", "eu"));
    struct wish *conditional = wish_apply(REGION("af"));
    dry->write.dry_run = true;
    conditional->write.has_if_revision = true;
    conditional->write.if_revision = 20;
    struct wish *const all[] = {first, wrong, dry, same, rests_on_dry, last, conditional};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        submit(all[i]);
    pass_barrier();
    /* What was refused, or only tried, left no trace for those behind it. */
    assert_true(dry->done);
    assert_int_equal(dry->write.result, GW_OK);
    assert_false(wrong->done || same->done || rests_on_dry->done);
    assert_int_equal(call_count, 2);
    assert_int_equal(sequence_of(calls[0]), 7);
    assert_int_equal(sequence_of(calls[1]), 8);
    answer(0, GW_OK, 6, 6);
    /* Refusals and those without effect each wait for a barrier, in their order. */
    struct wish *const none[] = {wrong, same, rests_on_dry};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(call_count, 2);
        assert_false(none[i]->done);
        answer(1, GW_OK, 6, 0);
        assert_true(none[i]->done);
    }
    assert_int_equal(wrong->write.result, GW_INVALID);
    assert_int_equal(same->write.result, GW_OK);
    assert_int_equal(rests_on_dry->write.result, GW_INVALID);
    answer(0, GW_OK, 7, 7);
    /* The one with a precondition waits until all before it are visible. */
    assert_int_equal(call_count, 0);
    become_visible(last, 7);
    assert_int_equal(call_count, 1);
    assert_int_equal(sequence_of(calls[0]), 9);
    answer(0, GW_OK, 8, 8);
    assert_true(conditional->done);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        forget(all[i]);
    end();
}

static void a_broken_run_is_checked_again_in_order(void **state)
{
    (void)state;
    begin();
    struct wish *first = wish_apply(REGION("eu"));
    struct wish *second = wish_apply(REGION_AFTER("us", "eu"));
    submit(first);
    pass_barrier();
    submit(second);
    answer(0, GW_AGAIN, 9, 8);
    answer(0, GW_AGAIN, 10, 8);
    /* Nothing before the visible state has reached the failed entries. */
    assert_int_equal(call_count, 0);
    assert_int_equal(done_count, 0);
    visible->conf_sequence = 8;
    visible->catalog.revision = 8;
    visible->applied = 10;
    proposer_visible(&proposer);
    turn();
    assert_int_equal(call_count, 2);
    assert_int_equal(sequence_of(calls[0]), 8);
    assert_int_equal(sequence_of(calls[1]), 9);
    answer(0, GW_OK, 11, 11);
    answer(0, GW_OK, 12, 12);
    assert_int_equal(first->write.revision, 11);
    assert_int_equal(second->write.revision, 12);
    forget(first);
    forget(second);
    end();
}

static void a_write_is_not_tried_for_ever(void **state)
{
    (void)state;
    begin();
    struct wish *wish = wish_apply(REGION("eu"));
    submit(wish);
    pass_barrier();
    for (unsigned i = 0; i < PROPOSER_TRIES && !wish->done; i++) {
        assert_int_equal(call_count, 1);
        visible->applied = 20 + i;
        answer(0, GW_AGAIN, 20 + i, 8);
    }
    assert_true(wish->done);
    assert_int_equal(wish->write.result, GW_AGAIN);
    forget(wish);
    end();
}

static void a_change_without_effect_makes_no_entry(void **state)
{
    (void)state;
    begin();
    struct wish *first = wish_apply(REGION("eu"));
    submit(first);
    pass_barrier();
    answer(0, GW_OK, 6, 6);
    become_visible(first, 6);
    struct wish *same = wish_apply(REGION("eu"));
    submit(same);
    assert_int_equal(call_count, 1);
    assert_int_equal(calls[0]->type, MEMBER_BARRIER);
    answer(0, GW_OK, 6, 0);
    assert_int_equal(same->write.result, GW_OK);
    assert_int_equal(same->write.changed_count, 0);
    assert_int_equal(same->write.revision, 6);
    forget(first);
    forget(same);
    end();
}

static void a_change_without_effect_waits_for_what_it_rests_on(void **state)
{
    (void)state;
    begin();
    struct wish *first = wish_apply(REGION("eu"));
    struct wish *same = wish_apply(REGION("eu"));
    submit(first);
    pass_barrier();
    submit(same);
    assert_int_equal(call_count, 1); /* the first one's proposal alone */
    assert_false(same->done);
    answer(0, GW_UNKNOWN_OUTCOME, 0, 0);
    assert_int_equal(first->write.result, GW_UNKNOWN_OUTCOME);
    /* What it rested on may not have happened: it is checked again, and proposed. */
    assert_false(same->done);
    assert_int_equal(call_count, 1);
    assert_int_equal(calls[0]->type, MEMBER_PROPOSE);
    answer(0, GW_OK, 8, 8);
    assert_int_equal(same->write.result, GW_OK);
    forget(first);
    forget(same);
    end();
}

static void a_wrong_write_never_reaches_the_log(void **state)
{
    (void)state;
    begin();
    struct wish *wish = wish_apply(REGION_AFTER("us", "nowhere"));
    submit(wish);
    pass_barrier();
    /* That there is no such Region, only one who leads still can say. */
    assert_false(wish->done);
    assert_int_equal(call_count, 1);
    assert_int_equal(calls[0]->type, MEMBER_BARRIER);
    answer(0, GW_OK, 6, 0);
    assert_true(wish->done);
    assert_int_equal(wish->write.result, GW_INVALID);
    assert_int_equal(wish->write.problems.errors, 1);
    forget(wish);
    end();
}

static void a_wrong_body_is_wrong_whatever_the_state(void **state)
{
    (void)state;
    begin();
    struct wish *wish =
        wish_apply("{\"objects\":[{\"apiVersion\":\"gw/v1\",\"kind\":\"Region\","
                   "\"metadata\":{\"name\":\"us\"},\"spec\":{\"wait\":1}}]}");
    submit(wish);
    pass_barrier();
    assert_true(wish->done);
    assert_int_equal(wish->write.result, GW_INVALID);
    assert_int_equal(call_count, 0);
    forget(wish);
    end();
}

/* 422 for a reference to what another write was about to make, which came to nothing. */
static void a_422_waits_for_what_it_rests_on(void **state)
{
    (void)state;
    begin();
    struct wish *first = wish_apply(REGION("eu"));
    struct wish *second = wish_apply(
        "{\"objects\":[{\"apiVersion\":\"gw/v1\",\"kind\":\"Service\",\"metadata\":{"
        "\"name\":\"s\"},\"spec\":{\"endpoints\":[{\"name\":\"a\",\"address\":"
        "\"x:1\",\"region\":\"us\"}]}}]}");
    submit(first);
    pass_barrier();
    submit(second); /* the first Region ends that any may be named */
    assert_false(second->done);
    answer(0, GW_UNKNOWN_OUTCOME, 0, 0);
    assert_false(second->done);
    assert_int_equal(call_count, 1);
    assert_int_equal(calls[0]->type, MEMBER_PROPOSE);
    answer(0, GW_OK, 8, 8);
    assert_int_equal(second->write.result, GW_OK);
    forget(first);
    forget(second);
    end();
}

static void a_dry_run_is_checked_and_nothing_more(void **state)
{
    (void)state;
    begin();
    struct wish *wish = wish_apply(REGION("eu"));
    wish->write.dry_run = true;
    submit(wish);
    pass_barrier();
    assert_int_equal(call_count, 0);
    assert_int_equal(wish->write.result, GW_OK);
    assert_int_equal(wish->write.changed_count, 1);
    forget(wish);
    end();
}

static void lost_leadership_sends_the_waiting_elsewhere(void **state)
{
    (void)state;
    begin();
    struct wish *first = wish_apply(REGION("eu"));
    struct wish *second = wish_apply(REGION("us"));
    submit(first);
    submit(second);
    assert_int_equal(call_count, 1);
    proposer_lost(&proposer);
    assert_int_equal(first->write.result, GW_NOT_LEADER);
    assert_int_equal(second->write.result, GW_NOT_LEADER);
    answer(0, GW_NOT_LEADER, 0, 0);
    forget(first);
    forget(second);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_write_of_a_term_waits_for_a_barrier),
        cmocka_unit_test(only_a_write_that_may_be_repeated_waits_to_be_visible),
        cmocka_unit_test(the_next_write_is_checked_against_what_is_in_flight),
        cmocka_unit_test(those_that_waited_are_checked_in_one_go),
        cmocka_unit_test(a_broken_run_is_checked_again_in_order),
        cmocka_unit_test(a_write_is_not_tried_for_ever),
        cmocka_unit_test(a_change_without_effect_makes_no_entry),
        cmocka_unit_test(a_change_without_effect_waits_for_what_it_rests_on),
        cmocka_unit_test(a_wrong_write_never_reaches_the_log),
        cmocka_unit_test(a_wrong_body_is_wrong_whatever_the_state),
        cmocka_unit_test(a_422_waits_for_what_it_rests_on),
        cmocka_unit_test(a_dry_run_is_checked_and_nothing_more),
        cmocka_unit_test(lost_leadership_sends_the_waiting_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
