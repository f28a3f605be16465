/* Requests on their way between nodes: there and back, and garbage. */
#include "node/control/request_inner.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct control control; /* without a member: answers are dropped */

static struct member_forwarded *forwarded_of(struct slice payload)
{
    struct member_forwarded *forwarded = calloc(1, sizeof *forwarded);

    assert_non_null(forwarded);
    forwarded->from = 2;
    buffer_init(&forwarded->payload, 0);
    buffer_append_slice(&forwarded->payload, payload);
    return forwarded;
}

static int begin(void **state)
{
    (void)state;
    memset(&control, 0, sizeof control);
    list_init(&control.requests);
    list_init(&control.waiting);
    list_init(&control.laggards);
    return 0;
}

static void what_is_sent_arrives(void **state)
{
    (void)state;
    struct request sent = {.method = SLICE("PUT"),
                           .path = SLICE("/v1/resources/route/a%2Db"),
                           .query = SLICE("dryRun&ifRevision=7&consistency=stale"),
                           .if_match = SLICE("\"7\""),
                           .idempotency_key = SLICE("k"),
                           .actor = SLICE("admin:ann"),
                           .body = SLICE("{}")};
    struct buffer payload;

    buffer_init(&payload, 0);
    request_encode(&sent, &payload);
    struct request *got =
        request_from_forwarded(&control, forwarded_of(buffer_slice(&payload)));
    assert_non_null(got);
    assert_true(slice_equal(got->method, sent.method));
    assert_true(slice_equal(got->if_match, sent.if_match));
    assert_true(slice_equal(got->actor, sent.actor));
    assert_true(slice_equal(got->body, sent.body));
    assert_int_equal(got->part_count, 4);
    assert_true(slice_equal(got->parts[3], SLICE("a-b")));
    assert_true(got->is_stale);
    assert_true(request_flag(got, "dryRun"));
    struct slice value;
    assert_true(request_query(got, "ifRevision", &value));
    assert_true(slice_equal(value, SLICE("7")));
    assert_false(request_query(got, "prune", &value));
    assert_int_equal(control.request_count, 1);
    assert_int_equal(control.body_bytes, 2);
    request_fail(got, GW_NOT_FOUND, "over");
    assert_int_equal(control.request_count, 0);
    assert_int_equal(control.body_bytes, 0);
    buffer_deinit(&payload);
}

static void every_cut_of_a_request_is_refused(void **state)
{
    (void)state;
    struct request sent = {.method = SLICE("POST"),
                           .path = SLICE("/v1/apply"),
                           .actor = SLICE("socket"),
                           .body = SLICE("{\"objects\":[]}")};
    struct buffer payload;

    buffer_init(&payload, 0);
    request_encode(&sent, &payload);
    for (size_t size = 1; size < payload.size; size++) {
        struct slice cut = slice_sub(buffer_slice(&payload), 0, size);
        assert_null(request_from_forwarded(&control, forwarded_of(cut)));
    }
    assert_int_equal(control.request_count, 0);
    buffer_deinit(&payload);
}

static void random_bytes_never_get_through_half(void **state)
{
    (void)state;
    struct rng rng;

    rng_init(&rng, 7);
    for (int i = 0; i < 20000; i++) {
        char bytes[64] = {'H'};
        size_t size = 1 + rng_below(&rng, sizeof bytes - 1);
        for (size_t at = 1; at < size; at++)
            bytes[at] = (char)rng_next(&rng);
        struct request *request =
            request_from_forwarded(&control, forwarded_of(slice_of(bytes, size)));
        if (request != NULL)
            request_fail(request, GW_NOT_FOUND, "over");
    }
    assert_int_equal(control.request_count, 0);
    assert_int_equal(control.body_bytes, 0);
}

static void too_many_path_parts_match_nothing(void **state)
{
    (void)state;
    struct request sent = {.method = SLICE("GET"), .path = SLICE("/v1/a/b/c/d/e/f")};
    struct buffer payload;

    buffer_init(&payload, 0);
    request_encode(&sent, &payload);
    struct request *got =
        request_from_forwarded(&control, forwarded_of(buffer_slice(&payload)));
    assert_non_null(got);
    assert_int_equal(got->part_count, 0);
    request_fail(got, GW_NOT_FOUND, "over");
    buffer_deinit(&payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_sent_arrives, begin),
        cmocka_unit_test_setup(every_cut_of_a_request_is_refused, begin),
        cmocka_unit_test_setup(random_bytes_never_get_through_half, begin),
        cmocka_unit_test_setup(too_many_path_parts_match_nothing, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
