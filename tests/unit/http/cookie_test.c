/* Finding a cookie among those of a request. */
#include "http/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_cookie(const struct http_message *message, const char *name,
                          const char *wanted)
{
    struct slice value;
    bool found = cookie_find(message, slice_from_string(name), &value);
    assert_int_equal(found, wanted != NULL);
    if (found)
        assert_true(slice_equal(value, slice_from_string(wanted)));
}

static void a_cookie_is_found_by_its_whole_name(void **state)
{
    (void)state;
    struct http_header headers[4];
    struct http_message message;

    message_init(&message, headers, 4);
    assert_cookie(&message, "a", NULL);
    assert_true(message_add(&message, SLICE("Cookie"),
                            SLICE("aa=1; a=2;b = 3;; c; A=4; d=x=y; e=; a=5")));
    assert_true(message_add(&message, SLICE("X-Other"), SLICE("f=6")));
    assert_true(message_add(&message, SLICE("cookie"), SLICE("g=7")));
    assert_cookie(&message, "a", "2");
    assert_cookie(&message, "aa", "1");
    assert_cookie(&message, "A", "4");
    assert_cookie(&message, "c", NULL);
    assert_cookie(&message, "d", "x=y");
    assert_cookie(&message, "e", "");
    assert_cookie(&message, "f", NULL);
    assert_cookie(&message, "g", "7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cookie_is_found_by_its_whole_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
