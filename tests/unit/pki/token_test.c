/* Join tokens: whole ones come back, altered ones never do. */
#include "pki/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void make(struct token *token, struct buffer *text)
{
    struct error err;
    uint8_t pin[32];
    memset(pin, 7, sizeof pin);
    token_make(token, pin);
    assert_true(token_add_peer(token, SLICE("127.0.0.1:7000")));
    assert_true(token_add_peer(token, SLICE("[::1]:7000")));
    buffer_init(text, 0);
    assert_int_equal(token_format(token, text, &err), GW_OK);
}

static void a_token_comes_back_as_it_went(void **state)
{
    struct token token;
    struct token back;
    struct buffer text;
    struct error err;

    (void)state;
    make(&token, &text);
    buffer_append_byte(&text, '\n');
    assert_int_equal(token_parse(buffer_slice(&text), &back, &err), GW_OK);
    assert_memory_equal(&token, &back, sizeof token);
    buffer_deinit(&text);
}

static void a_token_altered_in_any_byte_is_refused(void **state)
{
    struct token token;
    struct token back;
    struct buffer text;
    struct error err;

    (void)state;
    make(&token, &text);
    for (size_t i = 0; i < text.size; i++) {
        char kept = text.data[i];
        for (int c = 0; c < 256; c++) {
            /* White space at either end is trimmed, so it cuts the token off. */
            if ((char)c == kept)
                continue;
            text.data[i] = (char)c;
            assert_int_equal(token_parse(buffer_slice(&text), &back, &err), GW_MALFORMED);
        }
        text.data[i] = kept;
    }
    assert_int_equal(token_parse(buffer_slice(&text), &back, &err), GW_OK);
    buffer_deinit(&text);
}

static void a_token_cut_off_anywhere_is_refused(void **state)
{
    struct token token;
    struct token back;
    struct buffer text;
    struct error err;

    (void)state;
    make(&token, &text);
    for (size_t i = 0; i < text.size; i++)
        assert_int_equal(token_parse(slice_of(text.data, i), &back, &err), GW_MALFORMED);
    assert_non_null(strstr(err.text, "next:"));
    buffer_deinit(&text);
}

static void hashes_tell_secrets_apart(void **state)
{
    uint8_t a[32] = {1};
    uint8_t b[32] = {2};
    uint8_t hash_a[32];
    uint8_t hash_b[32];

    (void)state;
    token_hash(a, hash_a);
    token_hash(b, hash_b);
    assert_false(token_hash_equal(hash_a, hash_b));
    token_hash(a, hash_b);
    assert_true(token_hash_equal(hash_a, hash_b));
    assert_memory_not_equal(a, hash_a, 32);
}

static void a_token_holds_a_bounded_number_of_peers(void **state)
{
    struct token token;
    uint8_t pin[32] = {0};
    char peer[300];

    (void)state;
    token_make(&token, pin);
    memset(peer, 'a', sizeof peer);
    assert_false(token_add_peer(&token, slice_of(peer, sizeof peer)));
    assert_false(token_add_peer(&token, SLICE("")));
    for (int i = 0; i < TOKEN_PEERS_MAX; i++)
        assert_true(token_add_peer(&token, slice_of(peer, 255)));
    assert_false(token_add_peer(&token, SLICE("a:1")));
    struct buffer text;
    struct token back;
    struct error err;
    buffer_init(&text, 0);
    assert_int_equal(token_format(&token, &text, &err), GW_OK);
    assert_int_equal(token_parse(buffer_slice(&text), &back, &err), GW_OK);
    assert_memory_equal(&token, &back, sizeof token);
    buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_comes_back_as_it_went),
        cmocka_unit_test(a_token_altered_in_any_byte_is_refused),
        cmocka_unit_test(a_token_cut_off_anywhere_is_refused),
        cmocka_unit_test(hashes_tell_secrets_apart),
        cmocka_unit_test(a_token_holds_a_bounded_number_of_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
