/* What a write is refused for, when that may be said, and what its repetition is told. */
#include "tests/unit/node/control/proposer_fixture.h"

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

static void an_answered_request_gets_the_same_answer(void **state)
{
    (void)state;
    begin();
    session_known = true;
    struct wish *wish = wish_apply(REGION_AFTER("us", "nowhere"));
    wish->write.has_client = true;
    submit(wish);
    pass_barrier();
    assert_int_equal(call_count, 0);
    assert_int_equal(wish->write.result, GW_OK);
    assert_int_equal(wish->write.revision, 6);
    assert_true(wish->write.is_session_known);
    forget(wish);
    end();
}

/* Found by jepsen: a read after the refusal still saw nothing. */
static void a_refusal_waits_for_what_it_rests_on(void **state)
{
    (void)state;
    begin();
    struct wish *first = wish_apply(REGION("eu"));
    struct wish *second = wish_create("eu");
    submit(first);
    pass_barrier();
    submit(second);
    assert_false(second->done);
    assert_int_equal(call_count, 1);
    answer(0, GW_OK, 6, 6);
    assert_false(second->done);
    assert_int_equal(calls[0]->type, MEMBER_BARRIER);
    answer(0, GW_OK, 6, 0);
    assert_int_equal(second->write.result, GW_PRECONDITION);
    forget(first);
    forget(second);
    end();
}

static void a_refusal_is_none_when_what_it_rests_on_fails(void **state)
{
    (void)state;
    begin();
    struct wish *first = wish_apply(REGION("eu"));
    struct wish *second = wish_create("eu");
    submit(first);
    pass_barrier();
    submit(second);
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

/* Sent again because the answer was slow, say: the first try is still in flight. */
static void a_repeat_gets_the_answer_of_its_first_try(void **state)
{
    (void)state;
    begin();
    struct wish *first = wish_create("eu");
    struct wish *again = wish_create("eu");
    first->write.has_client = again->write.has_client = true;
    submit(first);
    pass_barrier();
    submit(again);
    assert_int_equal(call_count, 1);
    session_known = true;
    answer(0, GW_OK, 6, 6);
    assert_int_equal(first->write.result, GW_OK);
    assert_false(again->done);
    answer(0, GW_OK, 6, 0);
    assert_true(again->done);
    assert_int_equal(again->write.result, GW_OK);
    assert_int_equal(again->write.revision, 6);
    assert_true(again->write.is_session_known);
    assert_int_equal(call_count, 0);
    forget(first);
    forget(again);
    end();
}

static void and_is_refused_where_that_one_came_to_nothing(void **state)
{
    (void)state;
    begin();
    struct wish *other = wish_apply(REGION("eu"));
    struct wish *again = wish_create("eu");
    again->write.has_client = true;
    submit(other);
    pass_barrier();
    submit(again);
    answer(0, GW_OK, 6, 6);
    answer(0, GW_OK, 6, 0);
    assert_int_equal(again->write.result, GW_PRECONDITION);
    forget(other);
    forget(again);
    end();
}

static struct wish *wish_stale(void)
{
    return wish_apply("{\"objects\":[{\"apiVersion\":\"gw/v1\",\"kind\":\"Region\","
                      "\"metadata\":{\"name\":\"us\"},\"spec\":{}}],\"preconditions\":"
                      "[{\"kind\":\"Region\",\"name\":\"eu\",\"revision\":\"5\"}]}");
}

static void a_refusal_still_says_what_it_rests_on(void **state)
{
    struct command_detail detail;

    (void)state;
    begin();
    struct wish *stale = wish_stale();
    submit(stale);
    pass_barrier();
    assert_int_equal(calls[0]->type, MEMBER_BARRIER);
    answer(0, GW_OK, 6, 0);
    assert_int_equal(stale->write.result, GW_PRECONDITION);
    assert_true(command_detail_unpack(buffer_slice(&stale->write.detail), &detail));
    assert_int_equal(detail.key_listed, 1);
    assert_true(slice_equal(detail.keys[0], SLICE("region/eu")));
    forget(stale);

    /* Without proof it is no refusal, and says nothing of one. */
    stale = wish_stale();
    submit(stale);
    answer(0, GW_NO_QUORUM, 0, 0);
    assert_int_equal(stale->write.result, GW_NO_QUORUM);
    assert_string_equal(stale->write.err.text, result_text(GW_NO_QUORUM));
    assert_false(command_detail_unpack(buffer_slice(&stale->write.detail), &detail) &&
                 detail.key_listed > 0);
    forget(stale);
    end();
}

/* However the body spells it. */
static void a_precondition_is_held_against_what_is_visible(void **state)
{
    (void)state;
    begin();
    struct wish *first = wish_apply(REGION("eu"));
    struct wish *second = wish_apply(
        "{\"objects\":[{\"apiVersion\":\"gw/v1\",\"kind\":\"Region\",\"metadata\":{"
        "\"name\":\"us\"},\"spec\":{}}],\"\\u0070reconditions\":[{\"kind\":\"Region\","
        "\"name\":\"us\",\"revision\":\"0\"}]}");
    submit(first);
    pass_barrier();
    submit(second);
    assert_int_equal(call_count, 1);
    answer(0, GW_OK, 6, 6);
    assert_int_equal(call_count, 0);
    assert_false(second->done);
    become_visible(first, 6);
    assert_int_equal(call_count, 1);
    answer(0, GW_OK, 7, 7);
    assert_int_equal(second->write.result, GW_OK);
    forget(first);
    forget(second);
    end();
}

static void an_etag_that_moved_on_is_refused(void **state)
{
    (void)state;
    begin();
    struct wish *first = wish_apply(REGION("eu"));
    submit(first);
    pass_barrier();
    answer(0, GW_OK, 6, 6);
    become_visible(first, 6);
    struct wish *delete = wish_apply("");
    delete->write.type = WRITE_DELETE;
    delete->write.kind = KIND_REGION;
    delete->write.name = SLICE("eu");
    delete->write.has_if_match = true;
    delete->write.if_match = 3;
    submit(delete);
    /* It tells of the state, so this node has to lead still. */
    assert_false(delete->done);
    assert_int_equal(call_count, 1);
    assert_int_equal(calls[0]->type, MEMBER_BARRIER);
    answer(0, GW_OK, 6, 0);
    assert_true(delete->done);
    assert_int_equal(delete->write.result, GW_PRECONDITION);
    assert_int_equal(call_count, 0);
    forget(first);
    forget(delete);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_write_never_reaches_the_log),
        cmocka_unit_test(a_wrong_body_is_wrong_whatever_the_state),
        cmocka_unit_test(a_422_waits_for_what_it_rests_on),
        cmocka_unit_test(an_answered_request_gets_the_same_answer),
        cmocka_unit_test(a_refusal_waits_for_what_it_rests_on),
        cmocka_unit_test(a_refusal_is_none_when_what_it_rests_on_fails),
        cmocka_unit_test(a_repeat_gets_the_answer_of_its_first_try),
        cmocka_unit_test(and_is_refused_where_that_one_came_to_nothing),
        cmocka_unit_test(a_refusal_still_says_what_it_rests_on),
        cmocka_unit_test(a_precondition_is_held_against_what_is_visible),
        cmocka_unit_test(an_etag_that_moved_on_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
