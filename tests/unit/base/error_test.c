/* Errors: sentences and their context. */
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void context_is_put_before_the_sentence(void **state)
{
    struct error err = ERROR_NONE;
    (void)state;
    assert_int_equal(error_set(&err, GW_IO, "open '%s'", "x"), GW_IO);
    assert_int_equal(error_wrap(&err, "start node %d", 2), GW_IO);
    assert_string_equal(err.text, "start node 2: open 'x'");
    error_set(&err, GW_DAMAGED, "again: %s", err.text);
    assert_string_equal(err.text, "again: start node 2: open 'x'");
}

static void long_sentences_are_cut_and_end(void **state)
{
    struct error err;
    (void)state;
    error_set(&err, GW_IO, "%2000s", "x");
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    error_wrap(&err, "prefix");
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    error_wrap(&err, "%2000s", "y");
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void words_lead_back_to_their_results(void **state)
{
    (void)state;
    for (unsigned i = 0; i < GW_RESULT_COUNT; i++) {
        enum result result = (enum result)i;
        assert_int_equal(result_from_word(slice_from_string(result_word(result))), result);
    }
    assert_int_equal(result_from_word(SLICE("nonsense")), GW_FAILED);
    assert_int_equal(result_http_status(GW_NO_QUORUM), 503);
    assert_int_equal(result_exit_code(GW_NO_QUORUM), 6);
    assert_string_equal(result_text((enum result)999), "failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(context_is_put_before_the_sentence),
        cmocka_unit_test(long_sentences_are_cut_and_end),
        cmocka_unit_test(words_lead_back_to_their_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
