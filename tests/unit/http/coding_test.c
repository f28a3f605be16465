/* What Accept-Encoding says about a coding. */
#include "http/coding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool takes_gzip(const char *accepted)
{
    return coding_is_accepted(slice_from_string(accepted), SLICE("gzip"));
}

static void a_coding_is_taken_by_name_or_star(void **state)
{
    (void)state;
    assert_true(takes_gzip("gzip"));
    assert_true(takes_gzip("br, GZip;q=0.5, *;q=0"));
    assert_true(takes_gzip("deflate , gzip ; q=0.001"));
    assert_true(takes_gzip("*"));
    assert_true(takes_gzip("gzip;q=1.000"));
    assert_false(takes_gzip(""));
    assert_false(takes_gzip("identity"));
    assert_false(takes_gzip("br"));
    assert_false(takes_gzip("xgzip, gzipx"));
    assert_false(takes_gzip("gzip;q=0"));
    assert_false(takes_gzip("*, gzip;q=0.0"));
    assert_false(takes_gzip("gzip;q=0.000, *;q=1"));
    assert_false(takes_gzip("*;q=0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_coding_is_taken_by_name_or_star),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
