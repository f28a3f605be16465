/* Base64: the texts of RFC 4648, and that no second text decodes. */
#include "pki/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(const char *plain, const char *text, const char *url)
{
    struct buffer out;
    buffer_init(&out, 0);
    assert_true(base64_encode(&out, slice_from_string(plain)));
    assert_true(slice_equal(buffer_slice(&out), slice_from_string(text)));
    buffer_reset(&out);
    assert_true(base64url_encode(&out, slice_from_string(plain)));
    assert_true(slice_equal(buffer_slice(&out), slice_from_string(url)));
    buffer_reset(&out);
    assert_true(base64_decode(&out, slice_from_string(text)));
    assert_true(slice_equal(buffer_slice(&out), slice_from_string(plain)));
    buffer_reset(&out);
    assert_true(base64url_decode(&out, slice_from_string(url)));
    assert_true(slice_equal(buffer_slice(&out), slice_from_string(plain)));
    buffer_deinit(&out);
}

static void base64_gives_the_texts_of_the_rfc(void **state)
{
    (void)state;
    check("", "", "");
    check("f", "Zg==", "Zg");
    check("fo", "Zm8=", "Zm8");
    check("foo", "Zm9v", "Zm9v");
    check("foob", "Zm9vYg==", "Zm9vYg");
    check("fooba", "Zm9vYmE=", "Zm9vYmE");
    check("foobar", "Zm9vYmFy", "Zm9vYmFy");
    check("\xff\xfe\xfd?", "//79Pw==", "__79Pw");
}

static void base64_refuses_what_is_not_canonical(void **state)
{
    static const char *const texts[] = {"Zg",   "Zg=",      "Zh==",   "Zm9=",
                                        "Z===", "====",     "Zm9v\n", " Zm9v",
                                        "Zm9_", "Zg==Zg==", "=Zg="};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buffer out;
        buffer_init(&out, 0);
        assert_false(base64_decode(&out, slice_from_string(texts[i])));
        buffer_deinit(&out);
    }
    struct buffer out;
    buffer_init(&out, 0);
    assert_false(base64url_decode(&out, SLICE("Zh")));
    assert_false(base64url_decode(&out, SLICE("Z")));
    assert_false(base64url_decode(&out, SLICE("Zm9+")));
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_gives_the_texts_of_the_rfc),
        cmocka_unit_test(base64_refuses_what_is_not_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
