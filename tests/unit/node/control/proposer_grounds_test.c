/* What an answer rests on: refusals, repeats and preconditions of writes, while those
 * before them are in flight. */
#include "tests/unit/node/control/proposer_cast.h"

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

static struct wish *wish_create(const char *name)
{
    struct wish *wish = wish_apply("");

    snprintf(wish->body, sizeof wish->body,
             "{\"apiVersion\":\"gw/v1\",\"kind\":\"Region\",\"metadata\":{\"name\":\"%s\"},"
             "\"spec\":{}}",
             name);
    wish->write.body = slice_from_string(wish->body);
    wish->write.type = WRITE_PUT;
    wish->write.kind = KIND_REGION;
    wish->write.name = slice_from_string(name);
    wish->write.if_none_match = true;
    return wish;
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

/* Six at once, each made from what is visible, must not all be taken. */
static void what_names_revisions_waits_until_those_before_are_visible(void **state)
{
    (void)state;
    begin();
    struct wish *first = wish_apply(REGION("eu")), *second = wish_apply(REGION("us"));
    second->write.needs_visible = true;
    proposer_submit(&proposer, &first->write);
    proposer_submit(&proposer, &second->write);
    pass_barrier();
    assert_int_equal(call_count, 1);
    answer(0, GW_OK, 6, 6);
    assert_int_equal(call_count, 0); /* committed is not visible */
    become_visible(first, 6);
    assert_int_equal(call_count, 1);
    answer(0, GW_OK, 7, 7);
    assert_int_equal(second->write.result, GW_OK);
    forget(first);
    forget(second);
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

/* Its answer has the ETag of what it found: that of the write before. */
static void a_put_without_effect_waits_for_the_revision_of_what_it_found(void **state)
{
    (void)state;
    begin();
    struct wish *first = wish_create("eu"), *same = wish_create("eu");
    first->write.if_none_match = same->write.if_none_match = false;
    submit(first);
    pass_barrier();
    submit(same);
    assert_int_equal(call_count, 1);
    answer(0, GW_OK, 6, 6);
    assert_int_equal(call_count, 0);
    /* As the store would have it. */
    const struct resource *made =
        catalog_get(&proposer.tentative->catalog, KIND_REGION, SLICE("eu"));
    ((struct resource *)(uintptr_t)made)->mod_revision = 6;
    become_visible(first, 6);
    assert_int_equal(call_count, 1);
    assert_int_equal(calls[0]->type, MEMBER_BARRIER);
    answer(0, GW_OK, 6, 0);
    assert_int_equal(same->write.result, GW_OK);
    assert_int_equal(same->write.changed_count, 0);
    assert_int_equal(same->write.mod_revision, 6);
    forget(first);
    forget(same);
    end();
}

static void merge_patch_changes_one_field(void **state)
{
    (void)state;
    begin();
    struct wish *first = wish_apply(REGION_AFTER("eu", "eu"));
    snprintf(first->body, sizeof first->body, "%s",
             "{\"objects\":[{\"apiVersion\":\"gw/v1\",\"kind\":\"Region\",\"metadata\":{"
             "\"name\":\"eu\",\"labels\":{\"a\":\"1\"}},\"spec\":{\"weight\":50}}]}");
    first->write.body = slice_from_string(first->body);
    submit(first);
    pass_barrier();
    answer(0, GW_OK, 6, 6);
    become_visible(first, 6);

    struct wish *patch = wish_apply("{\"metadata\":{\"labels\":{\"a\":null,\"b\":\"2\"}}}");
    patch->write.type = WRITE_PATCH;
    patch->write.kind = KIND_REGION;
    patch->write.name = SLICE("eu");
    submit(patch);
    assert_int_equal(call_count, 1);
    const struct resource *eu =
        catalog_get(&proposer.tentative->catalog, KIND_REGION, SLICE("eu"));
    assert_non_null(eu);
    assert_int_equal(eu->region->weight, 50);
    assert_int_equal(eu->labels.count, 1);
    assert_true(slice_equal(eu->labels.items[0].name, SLICE("b")));
    answer(0, GW_OK, 7, 7);
    forget(first);
    forget(patch);
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
        cmocka_unit_test(an_answered_request_gets_the_same_answer),
        cmocka_unit_test(a_refusal_waits_for_what_it_rests_on),
        cmocka_unit_test(a_refusal_is_none_when_what_it_rests_on_fails),
        cmocka_unit_test(a_repeat_gets_the_answer_of_its_first_try),
        cmocka_unit_test(and_is_refused_where_that_one_came_to_nothing),
        cmocka_unit_test(a_refusal_still_says_what_it_rests_on),
        cmocka_unit_test(what_names_revisions_waits_until_those_before_are_visible),
        cmocka_unit_test(a_precondition_is_held_against_what_is_visible),
        cmocka_unit_test(a_put_without_effect_waits_for_the_revision_of_what_it_found),
        cmocka_unit_test(merge_patch_changes_one_field),
        cmocka_unit_test(an_etag_that_moved_on_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
