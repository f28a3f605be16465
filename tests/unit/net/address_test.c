/* Addresses: what is read, what is refused, what is looked up. */
#include "net/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/net/cast.h"

static void check(const char *text, const char *expected)
{
    struct address address;
    struct error err;
    char out[ADDRESS_TEXT_SIZE];

    assert_int_equal(address_parse(slice_from_string(text), &address, &err), GW_OK);
    assert_string_equal(address_format(&address, out), expected);
}

static void numeric_addresses_are_read_and_printed(void **state)
{
    (void)state;
    check("127.0.0.1:80", "127.0.0.1:80");
    check("[::1]:80", "[::1]:80");
    check(":7000", "[::]:7000");
    check("0.0.0.0:0", "0.0.0.0:0");
    check("[2001:db8::0:1]:65535", "[2001:db8::1]:65535");
}

static void other_texts_are_refused_with_a_sentence(void **state)
{
    static const char *const texts[] = {
        "",      "80",      "localhost",   "a:",       "a:b",   "::1:80",
        "[::1]", "[::1:80", "a:65536",     "a:-1",     "[]:80", "a b:80",
        "a:80 ", "a:+1",    "http://a:80", "[::1]x:80"};
    struct slice host;
    uint16_t port;
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(address_split(slice_from_string(texts[i]), &host, &port, &err),
                         GW_MALFORMED);
        assert_non_null(strstr(err.text, "next:"));
    }
    assert_false(address_is_numeric(SLICE("localhost:80")));
    assert_int_equal(address_split(SLICE("localhost:80"), &host, &port, &err), GW_OK);
    assert_true(slice_equal(host, SLICE("localhost")));
    assert_int_equal(port, 80);
}

static void loopback_is_told_apart(void **state)
{
    struct address address;
    struct error err;

    (void)state;
    address_parse(SLICE("127.9.9.9:1"), &address, &err);
    assert_true(address_is_loopback(&address));
    address_parse(SLICE("[::ffff:127.0.0.1]:1"), &address, &err);
    assert_true(address_is_loopback(&address));
    address_parse(SLICE("128.0.0.1:1"), &address, &err);
    assert_false(address_is_loopback(&address));
}

static size_t found;
static bool done;

static void on_lookup(struct address_lookup *lookup, const struct address *addresses,
                      size_t count, const struct error *err)
{
    (void)lookup, (void)err;
    found = count;
    done = true;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(address_port(&addresses[i]), 80);
}

static void names_are_looked_up_on_the_loop(void **state)
{
    uv_loop_t loop;
    struct address_lookup lookup;
    struct error err;

    (void)state;
    uv_loop_init(&loop);
    done = false;
    assert_int_equal(
        address_resolve(&loop, &lookup, SLICE("127.0.0.1:80"), on_lookup, NULL, &err),
        GW_OK);
    assert_true(done);
    assert_int_equal(found, 1);
    done = false;
    assert_int_equal(
        address_resolve(&loop, &lookup, SLICE("localhost:80"), on_lookup, NULL, &err),
        GW_OK);
    cast_until(&loop, done);
    assert_true(found >= 1);
    assert_int_equal(address_resolve(&loop, &lookup, SLICE("x"), on_lookup, NULL, &err),
                     GW_MALFORMED);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numeric_addresses_are_read_and_printed),
        cmocka_unit_test(other_texts_are_refused_with_a_sentence),
        cmocka_unit_test(loopback_is_told_apart),
        cmocka_unit_test(names_are_looked_up_on_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
