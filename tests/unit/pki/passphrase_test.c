/* A key under a passphrase: opened by that alone, and every byte of the file counts. */
#include "pki/passphrase.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CLUSTER "00112233445566778899aabbccddeeff"

static void make(struct seal_key *key, struct buffer *out)
{
    struct error err = ERROR_NONE;

    seal_key_generate(key);
    buffer_init(out, 0);
    assert_int_equal(
        passphrase_wrap(SLICE("correct horse"), key, CLUSTER, 1700000000000, out, &err),
        GW_OK);
}

static void the_right_passphrase_opens_it(void **state)
{
    struct seal_key key, got;
    struct passphrase_about about;
    struct error err = ERROR_NONE;
    struct buffer text;
    char name[SEAL_NAME_SIZE];

    (void)state;
    make(&key, &text);
    assert_int_equal(
        passphrase_unwrap(buffer_slice(&text), SLICE("correct horse"), &got, &about, &err),
        GW_OK);
    assert_memory_equal(key.bytes, got.bytes, sizeof key.bytes);
    assert_string_equal(about.cluster_id, CLUSTER);
    seal_key_name(&key, name);
    assert_string_equal(about.key_name, name);
    buffer_deinit(&text);
}

static void another_passphrase_is_told_from_damage(void **state)
{
    struct seal_key key, got;
    struct passphrase_about about;
    struct error err = ERROR_NONE;
    struct buffer text;

    (void)state;
    make(&key, &text);
    assert_int_equal(
        passphrase_unwrap(buffer_slice(&text), SLICE("correct house"), &got, &about, &err),
        GW_UNAUTHORISED);
    assert_int_equal(passphrase_unwrap(SLICE("nothing of the kind"), SLICE("correct horse"),
                                       &got, &about, &err),
                     GW_MALFORMED);
    buffer_deinit(&text);
}

static void every_altered_or_missing_byte_is_seen(void **state)
{
    struct seal_key key, got;
    struct passphrase_about about;
    struct buffer text;

    (void)state;
    make(&key, &text);
    for (size_t i = 0; i < text.size; i++) {
        struct error err = ERROR_NONE;
        text.data[i] ^= 1;
        assert_int_not_equal(passphrase_unwrap(buffer_slice(&text), SLICE("correct horse"),
                                               &got, &about, &err),
                             GW_OK);
        text.data[i] ^= 1;
    }
    for (size_t size = 0; size + 1 < text.size; size++) {
        struct error err = ERROR_NONE;
        char *cut = malloc(size + 1); /* so that a read past the end is a fault */
        memcpy(cut, text.data, size);
        assert_int_not_equal(passphrase_unwrap(slice_of(cut, size), SLICE("correct horse"),
                                               &got, &about, &err),
                             GW_OK);
        free(cut);
    }
    buffer_deinit(&text);
}

static void a_short_passphrase_is_refused(void **state)
{
    struct seal_key key;
    struct error err = ERROR_NONE;
    struct buffer text;

    (void)state;
    seal_key_generate(&key);
    buffer_init(&text, 0);
    assert_int_equal(passphrase_wrap(SLICE("1234567"), &key, CLUSTER, 0, &text, &err),
                     GW_INVALID);
    assert_int_equal(text.size, 0);
    buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_passphrase_opens_it),
        cmocka_unit_test(another_passphrase_is_told_from_damage),
        cmocka_unit_test(every_altered_or_missing_byte_is_seen),
        cmocka_unit_test(a_short_passphrase_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
