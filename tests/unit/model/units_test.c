#include "fixture.h"

#include "model/units.h"

static void check_duration(const char *text, const char *printed)
{
    uint64_t ms;
    char out[UNIT_TEXT_SIZE];
    assert_true(duration_parse(slice_from_string(text), &ms));
    duration_print(ms, out);
    assert_string_equal(out, printed);
}

static void durations_print_in_their_largest_whole_unit(void **state)
{
    (void)state;
    check_duration("800ms", "800ms");
    check_duration("2000ms", "2s");
    check_duration("300s", "5m");
    check_duration("24h", "1d");
    check_duration("0s", "0s");
    uint64_t ms;
    assert_false(duration_parse(SLICE("5"), &ms));
    assert_false(duration_parse(SLICE("-5s"), &ms));
    assert_false(duration_parse(SLICE("5 s"), &ms));
    assert_false(duration_parse(SLICE("99999999999999999d"), &ms));
    assert_false(duration_parse(SLICE(""), &ms));
}

static void sizes_rates_and_shares_come_back_as_they_went(void **state)
{
    (void)state;
    uint64_t bytes;
    struct rate rate;
    uint32_t share;
    char out[UNIT_TEXT_SIZE];
    assert_true(size_parse(SLICE("65536B"), &bytes));
    size_print(bytes, out);
    assert_string_equal(out, "64KiB");
    assert_true(rate_parse(SLICE("100/1s"), &rate));
    rate_print(rate, out);
    assert_string_equal(out, "100/1s");
    assert_false(rate_parse(SLICE("100/0s"), &rate));
    assert_true(share_parse(SLICE("12.5%"), &share));
    assert_int_equal(share, 1250);
    share_print(share, out);
    assert_string_equal(out, "12.5%");
    assert_true(share_parse(SLICE("0.05%"), &share));
    share_print(share, out);
    assert_string_equal(out, "0.05%");
    assert_false(share_parse(SLICE("1.234%"), &share));
    assert_false(share_parse(SLICE("20"), &share));
}

static void statuses_and_classes_match(void **state)
{
    (void)state;
    uint16_t status;
    assert_true(status_parse(SLICE("5xx"), &status));
    assert_true(status_matches(status, 503));
    assert_false(status_matches(status, 404));
    assert_true(status_parse(SLICE("503"), &status));
    assert_false(status_parse(SLICE("600"), &status));
    struct conditions conditions = {.reset = false};
    assert_true(conditions_add(&conditions, SLICE("5xx")));
    assert_true(conditions_add(&conditions, SLICE("reset")));
    assert_true(conditions_has_status(&conditions, 599));
    assert_false(conditions_has_status(&conditions, 499));
    assert_false(conditions_add(&conditions, SLICE("whenever")));
}

static void prefixes_hold_what_is_in_them(void **state)
{
    (void)state;
    struct cidr cidr;
    char out[UNIT_TEXT_SIZE];
    assert_true(cidr_parse(SLICE("10.1.2.3/8"), &cidr));
    cidr_print(&cidr, out);
    assert_string_equal(out, "10.0.0.0/8");
    assert_true(cidr_contains(&cidr, (const uint8_t[]){10, 200, 0, 1}, false));
    assert_false(cidr_contains(&cidr, (const uint8_t[]){11, 0, 0, 1}, false));
    assert_true(cidr_contains(
        &cidr, (const uint8_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1},
        true));
    assert_true(cidr_parse(SLICE("2001:db8::/33"), &cidr));
    assert_false(cidr_parse(SLICE("10.0.0.0/33"), &cidr));
    assert_false(cidr_parse(SLICE("host"), &cidr));
}

static void addresses_need_a_port(void **state)
{
    (void)state;
    struct slice host;
    uint16_t port;
    assert_true(host_port_parse(SLICE("[::1]:80"), false, &host, &port));
    assert_true(slice_equal(host, SLICE("::1")));
    assert_true(host_port_parse(SLICE(":8443"), true, &host, &port));
    assert_int_equal(port, 8443);
    assert_false(host_port_parse(SLICE(":8443"), false, &host, &port));
    assert_false(host_port_parse(SLICE("a:0"), false, &host, &port));
    assert_false(host_port_parse(SLICE("a"), false, &host, &port));
    assert_false(host_port_parse(SLICE("::1:80"), false, &host, &port));
    assert_true(host_is_valid(SLICE("*.shop.example"), true));
    assert_false(host_is_valid(SLICE("*.shop.example"), false));
    assert_false(host_is_valid(SLICE("a..b"), false));
    assert_false(host_is_valid(SLICE("-a"), false));
    assert_true(url_is_valid(SLICE("https://id.shop.example/jwks?x")));
    assert_false(url_is_valid(SLICE("ftp://x")));
}

static void a_port_on_all_addresses_is_found_where_peers_dial(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {":7001", "eu-1:7000", "eu-1:7001"},
        {"0.0.0.0:7001", "10.0.1.1:7000", "10.0.1.1:7001"},
        {"[::]:7001", "[2001:db8::1]:7000", "[2001:db8::1]:7001"},
        {"127.0.0.1:7001", "eu-1:7000", "127.0.0.1:7001"},
        {":7001", "nonsense", ":7001"},
    };
    char out[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        host_port_outside(slice_from_string(cases[i][0]), slice_from_string(cases[i][1]),
                          out, sizeof out);
        assert_string_equal(out, cases[i][2]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_print_in_their_largest_whole_unit),
        cmocka_unit_test(sizes_rates_and_shares_come_back_as_they_went),
        cmocka_unit_test(statuses_and_classes_match),
        cmocka_unit_test(prefixes_hold_what_is_in_them),
        cmocka_unit_test(addresses_need_a_port),
        cmocka_unit_test(a_port_on_all_addresses_is_found_where_peers_dial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
