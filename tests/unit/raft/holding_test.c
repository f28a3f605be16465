/* What nodes hold, and what is to go, survive packing; nonsense does not decode. */
#include "raft/holding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void what_a_node_holds_survives_packing(void **state)
{
    char trust[HOLDING_TRUST_SIZE], key[NODE_KEY_SIZE];
    struct holding_record read;
    struct buffer out;

    (void)state;
    memset(trust, 7, sizeof trust);
    const struct holding_record record = {.id = 12,
                                          .certificate = SLICE("PEM"),
                                          .trust = slice_of(trust, sizeof trust),
                                          .key = SLICE("0123456789abcdef")};
    buffer_init(&out, 0);
    holding_record_pack(&out, &record);
    assert_true(holding_record_unpack(buffer_slice(&out), &read));
    assert_int_equal(read.id, 12);
    assert_true(slice_equal(read.certificate, record.certificate));
    assert_true(slice_equal(read.trust, record.trust));
    assert_true(slice_equal(read.key, record.key));
    assert_int_equal(read.other_key.size, 0);
    for (size_t size = 0; size < out.size; size++)
        assert_false(holding_record_unpack(slice_of(out.data, size), &read));
    buffer_deinit(&out);
    assert_int_equal(holding_record_id(holding_record_key(12, key)), 12);
    assert_int_equal(holding_record_id(SLICE("_node/12")), 0);
    assert_int_equal(holding_record_id(SLICE("_holding/x")), 0);
}

static void serials_that_are_to_go_are_found_again(void **state)
{
    struct retired_record record = {.at_ms = 5}, read;
    struct buffer out;
    char serials[RETIRED_SERIALS_MAX + 1][8];

    (void)state;
    for (size_t i = 0; i < RETIRED_SERIALS_MAX; i++) {
        int size = snprintf(serials[i], sizeof serials[i], "s%zu", i);
        record.serials[record.count++] = slice_of(serials[i], (size_t)size);
    }
    buffer_init(&out, 0);
    retired_record_pack(&out, &record);
    assert_true(retired_record_unpack(buffer_slice(&out), &read));
    assert_int_equal(read.at_ms, 5);
    assert_int_equal(read.count, RETIRED_SERIALS_MAX);
    assert_true(retired_record_has(&read, SLICE("s63")));
    assert_false(retired_record_has(&read, SLICE("s6x")));
    assert_false(retired_record_has(&read, SLICE("")));
    assert_false(retired_record_unpack(SLICE("nonsense"), &read));
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_node_holds_survives_packing),
        cmocka_unit_test(serials_that_are_to_go_are_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
