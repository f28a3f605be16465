/* Fault points, in simulated time. */
#include "raft/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct fault_record cut = {.kind = FAULT_LINK,
                                        .node = 1,
                                        .directions = FAULT_IN | FAULT_OUT,
                                        .for_ms = 5000,
                                        .at_ms = 1000000};

static bool look(struct faults *faults, const struct fault_record *record, uint64_t now_ms,
                 bool is_start)
{
    faults_begin(faults);
    bool armed = record != NULL &&
                 faults_see(faults, 42, record, now_ms, 1000000 + now_ms, is_start) != NULL;
    faults_end(faults);
    return armed;
}

static unsigned cuts_at(const struct faults *faults, uint64_t peer, uint64_t now_ms)
{
    struct fault_orders orders;
    faults_orders(faults, &orders);
    return fault_cuts_of(orders.cuts, orders.cut_count, peer, now_ms);
}

static void a_fault_lasts_as_long_as_it_says_from_when_it_is_known(void **state)
{
    (void)state;
    struct faults faults = {.node = 1};
    assert_true(look(&faults, &cut, 300, false));
    assert_false(look(&faults, &cut, 4000, false)); /* the same, seen again */
    assert_int_equal(faults_armed(&faults, FAULT_LINK), 1);
    assert_int_equal(cuts_at(&faults, 7, 5299), FAULT_IN | FAULT_OUT);
    assert_int_equal(cuts_at(&faults, 7, 5300), 0); /* by the clock of whoever drops */
    assert_false(faults_lapse(&faults, 5299));
    assert_true(faults_lapse(&faults, 5300));
    assert_false(look(&faults, &cut, 5400, false)); /* its record stands yet */
    assert_int_equal(faults_armed(&faults, FAULT_LINK), 0);
}

static void what_was_there_at_the_start_is_never_armed(void **state)
{
    (void)state;
    struct faults faults = {.node = 1};
    assert_false(look(&faults, &cut, 300, true));
    assert_false(look(&faults, &cut, 400, false));
    assert_int_equal(cuts_at(&faults, 7, 400), 0);
}

static void what_is_learnt_too_late_is_not_armed(void **state)
{
    (void)state;
    struct faults faults = {.node = 1};
    assert_false(look(&faults, &cut, 5001, false));
    assert_int_equal(cuts_at(&faults, 7, 5001), 0);
}

static void other_nodes_faults_are_theirs(void **state)
{
    (void)state;
    struct faults faults = {.node = 2};
    assert_false(look(&faults, &cut, 300, false));
    assert_int_equal(faults.count, 0);
}

static void a_fault_goes_with_its_record(void **state)
{
    (void)state;
    struct faults faults = {.node = 1};
    look(&faults, &cut, 300, false);
    look(&faults, NULL, 400, false);
    assert_int_equal(faults.count, 0);
    assert_int_equal(cuts_at(&faults, 7, 400), 0);
}

static void one_peer_and_one_direction(void **state)
{
    (void)state;
    struct faults faults = {.node = 1};
    struct fault_record record = cut;
    record.peer = 7;
    record.directions = FAULT_OUT;
    look(&faults, &record, 300, false);
    assert_int_equal(cuts_at(&faults, 7, 400), FAULT_OUT);
    assert_int_equal(cuts_at(&faults, 8, 400), 0);
}

static void the_longest_delay_of_the_store_counts(void **state)
{
    (void)state;
    struct faults faults = {.node = 1};
    struct fault_orders orders;
    struct fault_record slow = {
        .kind = FAULT_STORE, .node = 1, .delay_ms = 100, .for_ms = 1000, .at_ms = 1};
    faults_begin(&faults);
    faults_see(&faults, 1, &slow, 10, 1, false);
    slow.delay_ms = 700;
    faults_see(&faults, 2, &slow, 20, 1, false);
    faults_end(&faults);
    faults_orders(&faults, &orders);
    assert_int_equal(orders.delay_ms, 700);
    assert_int_equal(orders.delay_until_ms, 1020);
}

static void a_hole_is_one_endpoints_or_all_of_a_service(void **state)
{
    (void)state;
    struct faults faults = {.node = 1};
    struct fault_record hole = {.kind = FAULT_UPSTREAM,
                                .service = SLICE("hello"),
                                .endpoint = SLICE("hello-1"),
                                .for_ms = 1000,
                                .at_ms = 1};
    faults_see(&faults, 1, &hole, 10, 1, false);
    assert_int_equal(faults_hole(&faults, SLICE("hello"), SLICE("hello-1")), 1010);
    assert_int_equal(faults_hole(&faults, SLICE("hello"), SLICE("hello-2")), 0);
    assert_int_equal(faults_hole(&faults, SLICE("other"), SLICE("hello-1")), 0);
    hole.endpoint = SLICE("");
    faults_see(&faults, 2, &hole, 20, 1, false);
    assert_int_equal(faults_hole(&faults, SLICE("hello"), SLICE("hello-1")), 1020);
    assert_int_equal(faults_hole(&faults, SLICE("hello"), SLICE("hello-2")), 1020);
}

static void there_is_an_end_to_how_many(void **state)
{
    (void)state;
    struct faults faults = {.node = 1};
    struct fault_orders orders;
    for (uint64_t id = 1; id <= FAULTS_MAX + 4; id++)
        faults_see(&faults, id, &cut, 1, 1000000, false);
    assert_int_equal(faults.count, FAULTS_MAX);
    faults_orders(&faults, &orders);
    assert_int_equal(orders.cut_count, FAULTS_MAX);
}

static void a_record_comes_back_as_it_went(void **state)
{
    (void)state;
    struct fault_record record = {.kind = FAULT_UPSTREAM,
                                  .service = SLICE("hello"),
                                  .endpoint = SLICE("hello-1"),
                                  .for_ms = 5000,
                                  .at_ms = 7,
                                  .actor = SLICE("admin:ann"),
                                  .reason = SLICE("a drill")};
    struct fault_record back;
    struct buffer out;
    buffer_init(&out, 4096);
    fault_record_pack(&out, &record);
    assert_true(fault_record_unpack(buffer_slice(&out), &back));
    assert_int_equal(back.kind, FAULT_UPSTREAM);
    assert_true(slice_equal(back.endpoint, SLICE("hello-1")));
    assert_true(slice_equal(back.reason, SLICE("a drill")));
    for (size_t size = 0; size < out.size; size++)
        assert_false(fault_record_unpack(slice_of(out.data, size), &back));
    buffer_reset(&out);
    record.for_ms = FAULT_FOR_MAX_MS + 1;
    fault_record_pack(&out, &record);
    assert_false(fault_record_unpack(buffer_slice(&out), &back));
    buffer_deinit(&out);
}

static void two_of_one_moment_have_two_names(void **state)
{
    (void)state;
    char first[FAULT_ID_SIZE], second[FAULT_ID_SIZE], later[FAULT_ID_SIZE];
    struct rng rng;

    rng_init(&rng, 1);
    fault_id(first, 1794000000000, &rng);
    fault_id(second, 1794000000000, &rng);
    fault_id(later, 1794000000001, &rng);
    assert_string_not_equal(first, second);
    assert_true(strcmp(first, later) < 0 && strcmp(second, later) < 0);
    fault_id(first, UINT64_MAX, &rng);
    assert_true(strlen(first) < FAULT_ID_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_lasts_as_long_as_it_says_from_when_it_is_known),
        cmocka_unit_test(what_was_there_at_the_start_is_never_armed),
        cmocka_unit_test(what_is_learnt_too_late_is_not_armed),
        cmocka_unit_test(other_nodes_faults_are_theirs),
        cmocka_unit_test(a_fault_goes_with_its_record),
        cmocka_unit_test(one_peer_and_one_direction),
        cmocka_unit_test(the_longest_delay_of_the_store_counts),
        cmocka_unit_test(a_hole_is_one_endpoints_or_all_of_a_service),
        cmocka_unit_test(there_is_an_end_to_how_many),
        cmocka_unit_test(a_record_comes_back_as_it_went),
        cmocka_unit_test(two_of_one_moment_have_two_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
