/* The leader's line of writes, with a member and a store that are this file. */
#include "node/control/proposer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define CALLS 64

static uv_loop_t loop;
static struct proposer proposer;
static struct edition *visible;
static struct member_call *calls[CALLS]; /* posted, not answered */
static unsigned call_count;
static unsigned done_count;
static bool session_known;

static void take_call(void *owner, struct member_call *call)
{
    (void)owner;
    assert_true(call_count < CALLS);
    calls[call_count++] = call;
}

static struct edition *get_visible(void *owner)
{
    (void)owner;
    return visible;
}

static void no_regions(void *owner, struct write *write)
{
    (void)owner;
    write->region_count = 0;
}

static uint64_t wall_ms(void *owner)
{
    (void)owner;
    return 1000;
}

static bool answered_before(void *owner, struct write *write)
{
    (void)owner;
    if (!session_known)
        return false;
    write->result = GW_OK;
    write->revision = 6;
    return true;
}

static void count_done(struct write *write)
{
    done_count++;
    *(bool *)write->owner = true;
}

/* Until the pool has nothing left and the loop is idle. */
static void turn(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void answer(unsigned which, enum result result, uint64_t index, uint64_t revision)
{
    struct member_call *call = calls[which];

    for (unsigned i = which + 1; i < call_count; i++)
        calls[i - 1] = calls[i];
    call_count--;
    call->result = result;
    call->index = index;
    call->revision = revision;
    assert_true(proposer_called(&proposer, call));
    turn();
}

struct wish {
    struct write write;
    bool done;
    char body[512];
};

static struct wish *wish_apply(const char *body)
{
    struct wish *wish = calloc(1, sizeof *wish);

    assert_non_null(wish);
    write_init(&wish->write);
    snprintf(wish->body, sizeof wish->body, "%s", body);
    wish->write.type = WRITE_APPLY;
    wish->write.body = slice_from_string(wish->body);
    wish->write.actor = SLICE("test");
    wish->write.owner = &wish->done;
    wish->write.done = count_done;
    return wish;
}

static void submit(struct wish *wish)
{
    proposer_submit(&proposer, &wish->write);
    turn();
}

static void forget(struct wish *wish)
{
    write_deinit(&wish->write);
    free(wish);
}

#define REGION(name)                      \
    "{\"objects\":[{\"apiVersion\":\"gw/" \
    "v1\",\"kind\":\"Region\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{}}]}"
#define REGION_AFTER(name, other)                             \
    "{\"objects\":[{\"apiVersion\":\"gw/"                     \
    "v1\",\"kind\":\"Region\",\"metadata\":{\"name\":\"" name \
    "\"},\"spec\":{\"failover\":[\"" other "\"]}}]}"

static void begin(void)
{
    const struct proposer_hooks hooks = {.loop = &loop,
                                         .post = take_call,
                                         .visible = get_visible,
                                         .regions = no_regions,
                                         .wall_ms = wall_ms,
                                         .session_answer = answered_before};
    uv_loop_init(&loop);
    call_count = done_count = 0;
    session_known = false;
    visible = edition_new();
    visible->applied = 5;
    visible->conf_sequence = 7;
    visible->catalog.revision = 5;
    proposer_init(&proposer, &hooks);
}

static void end(void)
{
    proposer_deinit(&proposer);
    edition_unref(visible);
    turn();
    uv_loop_close(&loop);
}

/* The barrier of a new term, answered. */
static void pass_barrier(void)
{
    assert_int_equal(call_count, 1);
    assert_int_equal(calls[0]->type, MEMBER_BARRIER);
    answer(0, GW_OK, 5, 0);
}

/* The visible edition becomes what the write left behind. */
static void become_visible(struct wish *wish, uint64_t index)
{
    edition_unref(visible);
    (void)wish;
    visible = edition_tentative(proposer.tentative);
    visible->applied = index;
    visible->catalog.revision = index;
    proposer_visible(&proposer);
    turn();
}

static uint64_t sequence_of(const struct member_call *call)
{
    struct command_header header;
    struct slice body;
    struct transaction transaction;
    struct transaction_item *items;

    assert_true(command_decode(buffer_slice(&call->payload), &header, &body));
    assert_true(transaction_decode(body, &transaction, &items));
    free(items);
    return transaction.conf_sequence;
}

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
        cmocka_unit_test(an_answered_request_gets_the_same_answer),
        cmocka_unit_test(a_repeat_gets_the_answer_of_its_first_try),
        cmocka_unit_test(and_is_refused_where_that_one_came_to_nothing),
        cmocka_unit_test(a_refusal_still_says_what_it_rests_on),
        cmocka_unit_test(what_names_revisions_waits_until_those_before_are_visible),
        cmocka_unit_test(a_precondition_is_held_against_what_is_visible),
        cmocka_unit_test(a_put_without_effect_waits_for_the_revision_of_what_it_found),
        cmocka_unit_test(a_refusal_waits_for_what_it_rests_on),
        cmocka_unit_test(a_refusal_is_none_when_what_it_rests_on_fails),
        cmocka_unit_test(merge_patch_changes_one_field),
        cmocka_unit_test(an_etag_that_moved_on_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
