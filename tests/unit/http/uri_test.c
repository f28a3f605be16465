/* Paths in normal form, hosts, and targets. */
#include "http/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct row {
    const char *path;
    const char *normal; /* NULL: refused */
};

static const struct row rows[] = {
    {"/", "/"},
    {"", "/"},
    {"/a/b", "/a/b"},
    {"/a/b/", "/a/b/"},
    {"/a.b/c..d/...", "/a.b/c..d/..."},
    {"/.well-known/x", "/.well-known/x"},
    {"/..a/.b", "/..a/.b"},
    /* Dot segments, RFC 3986 §5.2.4. */
    {"/a/./b", "/a/b"},
    {"/a/../b", "/b"},
    {"/a/b/../../c", "/c"},
    {"/a/b/..", "/a/"},
    {"/a/b/.", "/a/b/"},
    {"/a/.", "/a/"},
    {"/.", "/"},
    {"/..", "/"},
    {"/../../a", "/a"},
    {"/a/../..", "/"},
    {"/a/../../b", "/b"},
    {"/mid/content=5/../6", "/mid/6"},
    /* Slashes. */
    {"//", "/"},
    {"//a", "/a"},
    {"/a//b///c", "/a/b/c"},
    {"/a//", "/a/"},
    {"/a//../b", "/b"},
    /* Encodings. */
    {"/%61%2D%2e%5f%7E%7a", "/a-._~z"},
    {"/%2e%2e", "/"},
    {"/a/%2E%2e/b", "/b"},
    {"/a/.%2E/b", "/b"},
    {"/a/%2e/b", "/a/b"},
    {"/%3a%20%c3%bc", "/%3A%20%C3%BC"},
    {"/%3A%20", "/%3A%20"},
    {"/%252e%252e/a", "/%252e%252e/a"},
    {"/%25%32%65", "/%252e"},
    {"/%0a%7f", "/%0A%7F"},
    {"/%3f%23", "/%3F%23"},
    {"/a;b=c/d", "/a;b=c/d"},
    /* Refused. */
    {"/%", NULL},
    {"/%2", NULL},
    {"/%zz", NULL},
    {"/%2g", NULL},
    {"/%u002e", NULL},
    {"/%00", NULL},
    {"/a%2fb", NULL},
    {"/a%2Fb", NULL},
    {"/a%5cb", NULL},
    {"/a%5C..", NULL},
    {"/a\\b", NULL},
    {"/..\\a", NULL},
    {"/..;/a", NULL},
    {"/..;x=y/a", NULL},
    {"/.;/a", NULL},
    {"/%2e%2e;/a", NULL},
    {"/..%3b/a", NULL},
    {"/;/a", NULL},
    {"/a/;x=1", NULL},
    {"/a/%3Bx/b", NULL},
    {"/.%3b", NULL},
    {"/...;a", "/...;a"},
    {"/.a;b", "/.a;b"},
    {"/%c0%ae%c0%ae/a", NULL},
    {"/%C0%AF", NULL},
    {"/%e0%80%ae", NULL},
    {"/%e0%9f%80", NULL},
    {"/%f0%80%80%ae", NULL},
    {"/%e0%a0%80", "/%E0%A0%80"},
    {"a/b", NULL},
    {"%2f", NULL},
};

static void paths_get_the_form_of_the_table_which_is_its_own_normal_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice path = slice_from_string(rows[i].path), normal, again;
        char out[64], out_again[64], same[64];
        bool good = uri_path_normalise(path, out, &normal);
        if (good != (rows[i].normal != NULL) ||
            (good && !slice_equal(normal, slice_from_string(rows[i].normal))))
            print_error("'%s' gave '%.*s'\n", rows[i].path, good ? (int)normal.size : 2,
                        good ? normal.data : "no");
        assert_int_equal(good, rows[i].normal != NULL);
        if (!good)
            continue;
        assert_true(slice_equal(normal, slice_from_string(rows[i].normal)));
        if (slice_equal(normal, path) && path.size > 0)
            assert_ptr_equal(normal.data, path.data);
        assert_true(uri_path_normalise(normal, out_again, &again));
        assert_true(slice_equal(again, normal));
        /* In place. */
        memcpy(same, path.data, path.size);
        assert_true(uri_path_normalise(slice_of(same, path.size), same, &again));
        assert_true(slice_equal(again, normal));
    }
}

static void hosts_are_checked_and_taken_apart(void **state)
{
    static const struct {
        const char *text;
        const char *host; /* NULL: refused */
        uint16_t port;
    } hosts[] = {
        {"a", "a", 0},
        {"A.Example", "A.Example", 0},
        {"a.example.", "a.example", 0},
        {"a.example.:80", "a.example", 80},
        {"a_b-c.1:65535", "a_b-c.1", 65535},
        {"127.0.0.1:1", "127.0.0.1", 1},
        {"[::1]", "[::1]", 0},
        {"[2001:DB8::ffff:1.2.3.4]:8080", "[2001:DB8::ffff:1.2.3.4]", 8080},
        {"", NULL, 0},
        {".", NULL, 0},
        {".a", NULL, 0},
        {"a..b", NULL, 0},
        {"a..", NULL, 0},
        {":80", NULL, 0},
        {"a:", NULL, 0},
        {"a:0", NULL, 0},
        {"a:65536", NULL, 0},
        {"a:00080", "a", 80},
        {"a:000080", NULL, 0},
        {"a:8o", NULL, 0},
        {"u@a", NULL, 0},
        {"a/b", NULL, 0},
        {"a b", NULL, 0},
        {"a,b", NULL, 0},
        {"a%41", NULL, 0},
        {"::1", NULL, 0},
        {"[]", NULL, 0},
        {"[::1", NULL, 0},
        {"[::1]a", NULL, 0},
        {"[::1]:", NULL, 0},
        {"[1.2.3.4]", NULL, 0},
        {"[::g]", NULL, 0},
        {"[v1.x]", NULL, 0},
        {"[fe80::1%25eth0]", NULL, 0},
        {"[1:2:3:4:5:6:7:8:9]", NULL, 0},
        {"[0000000000000000000000000000000000000000000000000000000000000000:]", NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct uri_host host;
        bool good = uri_host_split(slice_from_string(hosts[i].text), &host);
        if (good != (hosts[i].host != NULL))
            print_error("'%s'\n", hosts[i].text);
        assert_int_equal(good, hosts[i].host != NULL);
        if (!good)
            continue;
        assert_true(slice_equal(host.host, slice_from_string(hosts[i].host)));
        assert_int_equal(host.port, hosts[i].port);
        assert_int_equal(host.is_ipv6, hosts[i].host[0] == '[');
    }
    char name[300];
    struct uri_host host;
    memset(name, 'a', sizeof name);
    assert_true(uri_host_split(slice_of(name, 255), &host));
    assert_false(uri_host_split(slice_of(name, 256), &host));
}

static void lowering_a_host_copies_only_if_it_must(void **state)
{
    char out[16];
    struct slice lower = SLICE("a-1.b");
    (void)state;
    assert_ptr_equal(uri_host_lower(lower, out).data, lower.data);
    assert_true(slice_equal(uri_host_lower(SLICE("A-1.B"), out), lower));
}

static void targets_are_split(void **state)
{
    struct uri uri;
    (void)state;
    assert_true(uri_split(SLICE("/a?b?c"), &uri));
    assert_true(slice_equal(uri.path, SLICE("/a")) && slice_equal(uri.query, SLICE("b?c")));
    assert_int_equal(uri.scheme.size, 0);
    assert_true(uri_split(SLICE("https://h:1?q"), &uri));
    assert_true(slice_equal(uri.authority, SLICE("h:1")) &&
                slice_equal(uri.path, SLICE("/")) && slice_equal(uri.query, SLICE("q")) &&
                slice_equal(uri.scheme, SLICE("https")));
    assert_true(uri_split(SLICE("//h/x"), &uri));
    assert_true(slice_equal(uri.path, SLICE("//h/x")));
    assert_int_equal(uri.authority.size, 0);
    static const char *const bad[] = {
        "",        "*",         "a:80",     "http",    "http:",      "http:/",
        "http://", "http:///a", "ftp://a/", "http//a", "/a#",        "/a b",
        "/\x80",   "/\x7f",     "/\x01",    "?a",      "http://a b/"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(uri_split(slice_from_string(bad[i]), &uri));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_get_the_form_of_the_table_which_is_its_own_normal_form),
        cmocka_unit_test(hosts_are_checked_and_taken_apart),
        cmocka_unit_test(lowering_a_host_copies_only_if_it_must),
        cmocka_unit_test(targets_are_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
