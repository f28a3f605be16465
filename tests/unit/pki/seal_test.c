/* Sealing: what was sealed opens with the same key at the same place, and in no
 * other way. */
#include "pki/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct seal_key key;
static struct error err;

static int setup(void **state)
{
    (void)state;
    seal_key_generate(&key);
    return 0;
}

typedef enum result (*open_fn)(const struct seal_key *, struct slice, struct slice,
                               struct buffer *, struct error *);

static void check_blob(struct buffer *blob, open_fn open, struct slice plain)
{
    struct buffer out;
    struct seal_key other;

    buffer_init(&out, 0);
    assert_true(blob->size <= plain.size + SEAL_OVERHEAD);
    assert_int_equal(open(&key, SLICE("place"), buffer_slice(blob), &out, &err), GW_OK);
    assert_true(slice_equal(buffer_slice(&out), plain));
    buffer_reset(&out);

    assert_int_equal(open(&key, SLICE("other"), buffer_slice(blob), &out, &err),
                     GW_DAMAGED);
    assert_int_equal(open(&key, SLICE(""), buffer_slice(blob), &out, &err), GW_DAMAGED);
    seal_key_generate(&other);
    assert_int_equal(open(&other, SLICE("place"), buffer_slice(blob), &out, &err),
                     GW_DAMAGED);
    for (size_t i = 0; i < blob->size; i++) {
        blob->data[i] ^= 1;
        assert_int_not_equal(open(&key, SLICE("place"), buffer_slice(blob), &out, &err),
                             GW_OK);
        blob->data[i] ^= 1;
        struct slice cut = slice_of(blob->data, i);
        assert_int_not_equal(open(&key, SLICE("place"), cut, &out, &err), GW_OK);
    }
    assert_int_equal(out.size, 0);
    buffer_deinit(&out);
}

static void a_sealed_value_opens_only_with_its_key_and_place(void **state)
{
    static const struct slice plains[] = {{"", 0}, {"x", 1}, {"a longer secret value", 21}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct buffer blob;
        buffer_init(&blob, 0);
        assert_int_equal(seal_bytes(&key, SLICE("place"), plains[i], &blob, &err), GW_OK);
        check_blob(&blob, seal_open, plains[i]);
        buffer_deinit(&blob);
    }
}

static void a_value_sealed_to_the_public_key_opens_with_the_cluster_key(void **state)
{
    static const struct slice plains[] = {{"", 0}, {"a longer secret value", 21}};
    uint8_t public_key[SEAL_PUBLIC_SIZE];

    (void)state;
    seal_public_key(&key, public_key);
    for (size_t i = 0; i < 2; i++) {
        struct buffer blob;
        buffer_init(&blob, 0);
        assert_int_equal(seal_to_public(public_key, SLICE("place"), plains[i], &blob, &err),
                         GW_OK);
        check_blob(&blob, unseal_from_public, plains[i]);
        buffer_deinit(&blob);
    }
}

static void a_public_key_of_low_order_is_refused(void **state)
{
    uint8_t zero[SEAL_PUBLIC_SIZE] = {0};
    struct buffer blob;

    (void)state;
    buffer_init(&blob, 0);
    assert_int_equal(seal_to_public(zero, SLICE(""), SLICE("x"), &blob, &err), GW_INVALID);
    assert_int_equal(blob.size, 0);
    buffer_deinit(&blob);
}

static void derived_keys_follow_key_and_label(void **state)
{
    uint8_t a[16];
    uint8_t b[16];

    (void)state;
    seal_derive(&key, "one", a, sizeof a);
    seal_derive(&key, "one", b, sizeof b);
    assert_memory_equal(a, b, sizeof a);
    seal_derive(&key, "two", b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void the_cluster_key_file_is_private_and_checked(void **state)
{
    char path[] = "/tmp/seal-test.XXXXXX";
    char file[64];
    struct seal_key back;
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(path));
    snprintf(file, sizeof file, "%s/cluster.key", path);
    assert_int_equal(seal_key_read(file, &back, &err), GW_NOT_FOUND);
    assert_int_equal(seal_key_write(file, &key, &err), GW_OK);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(seal_key_read(file, &back, &err), GW_OK);
    assert_memory_equal(&key, &back, sizeof key);
    assert_int_equal(truncate(file, 20), 0);
    assert_int_equal(seal_key_read(file, &back, &err), GW_DAMAGED);
    unlink(file);
    rmdir(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_value_opens_only_with_its_key_and_place),
        cmocka_unit_test(a_value_sealed_to_the_public_key_opens_with_the_cluster_key),
        cmocka_unit_test(a_public_key_of_low_order_is_refused),
        cmocka_unit_test(derived_keys_follow_key_and_label),
        cmocka_unit_test(the_cluster_key_file_is_private_and_checked),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
