/* The buffer: its limit, and failing for good. */
#include "base/buffer.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void an_append_above_the_limit_adds_nothing_and_fails_until_reset(void **state)
{
    struct buffer buffer;
    (void)state;
    buffer_init(&buffer, 10);
    assert_true(buffer_append_slice(&buffer, SLICE("12345678")));
    assert_false(buffer_append_slice(&buffer, SLICE("abc")));
    assert_true(buffer.failed);
    assert_int_equal(buffer.size, 8);
    assert_false(buffer_append_byte(&buffer, 'x'));
    assert_int_equal(buffer.size, 8);
    assert_null(buffer_reserve(&buffer, 1));
    buffer_reset(&buffer);
    assert_false(buffer.failed);
    assert_true(buffer_printf(&buffer, "%s", "0123456789"));
    assert_int_equal(buffer.size, 10);
    assert_false(buffer_printf(&buffer, "%d", 1));
    buffer_deinit(&buffer);
    buffer_deinit(NULL);
}

static void printing_to_the_last_byte_needs_no_room_for_its_nul(void **state)
{
    (void)state;
    for (unsigned limit = 250; limit < 260; limit++) {
        struct buffer buffer;
        buffer_init(&buffer, limit);
        assert_true(buffer_printf(&buffer, "%*s", (int)limit, "x"));
        assert_int_equal(buffer.size, limit);
        buffer_deinit(&buffer);
    }
}

static void reserved_bytes_count_once_committed(void **state)
{
    struct buffer buffer;
    size_t size;
    (void)state;
    buffer_init(&buffer, 0);
    char *place = buffer_reserve(&buffer, 5000);
    assert_non_null(place);
    memset(place, 'z', 5000);
    assert_int_equal(buffer.size, 0);
    buffer_commit(&buffer, 3);
    buffer_append(&buffer, "abc", 3);
    buffer_consume(&buffer, 2);
    assert_true(slice_equal(buffer_slice(&buffer), SLICE("zabc")));
    buffer_consume(&buffer, 99);
    assert_int_equal(buffer.size, 0);
    buffer_append(&buffer, "q", 1);
    char *taken = buffer_take(&buffer, &size);
    assert_int_equal(size, 1);
    assert_int_equal(taken[0], 'q');
    assert_null(buffer.data);
    free(taken);
    assert_false(buffer_reserve(&buffer, SIZE_MAX) != NULL);
    buffer_deinit(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_append_above_the_limit_adds_nothing_and_fails_until_reset),
        cmocka_unit_test(printing_to_the_last_byte_needs_no_room_for_its_nul),
        cmocka_unit_test(reserved_bytes_count_once_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
