/* Heads that are written, and dates. */
#include "http/h1_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char memory[512];
static struct h1_write out;

static void expect(const char *text)
{
    assert_false(out.failed);
    assert_true(slice_equal(h1_write_slice(&out), slice_from_string(text)));
    h1_write_init(&out, memory, sizeof memory);
}

static void lines_are_written_as_they_are_read(void **state)
{
    (void)state;
    h1_write_init(&out, memory, sizeof memory);
    h1_write_request_line(&out, SLICE("GET"), SLICE("/a"), (struct slice){NULL, 0});
    expect("GET /a HTTP/1.1\r\n");
    h1_write_request_line(&out, SLICE("GET"), SLICE("/a"), SLICE(""));
    expect("GET /a? HTTP/1.1\r\n");
    h1_write_request_line(&out, SLICE("GET"), SLICE("/a"), SLICE("b=c"));
    h1_write_header(&out, SLICE("x"), SLICE("y"));
    h1_write_header_u64(&out, SLICE("content-length"), UINT64_MAX);
    h1_write_header_u64(&out, SLICE("n"), 0);
    h1_write_end(&out);
    expect("GET /a?b=c HTTP/1.1\r\nx: y\r\ncontent-length: 18446744073709551615\r\nn: "
           "0\r\n\r\n");
    h1_write_status_line(&out, 404, SLICE(""));
    h1_write_status_line(&out, 200, SLICE("Fine"));
    h1_write_status_line(&out, 299, SLICE(""));
    h1_write_literal(&out, "z");
    expect("HTTP/1.1 404 Not Found\r\nHTTP/1.1 200 Fine\r\nHTTP/1.1 299 \r\nz");
}

static void what_does_not_fit_writes_nothing_and_fails(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity < 40; capacity++) {
        memset(memory, '#', sizeof memory);
        h1_write_init(&out, memory, capacity);
        h1_write_status_line(&out, 200, SLICE(""));
        h1_write_header(&out, SLICE("abc"), SLICE("defgh"));
        h1_write_end(&out);
        assert_int_equal(out.failed, capacity < 17 + 12 + 2);
        assert_true(out.size <= capacity);
        assert_int_equal(memory[capacity], '#');
    }
}

static void values_from_elsewhere_cannot_begin_a_line(void **state)
{
    static const struct slice bad[] = {SLICE("a\r\nb: c"), SLICE("a\nb"), SLICE("a\rb"),
                                       SLICE("a\0b"), SLICE("\x7f")};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        h1_write_init(&out, memory, sizeof memory);
        h1_write_header_checked(&out, SLICE("x"), bad[i]);
        assert_true(out.failed);
        assert_int_equal(out.size, 0);
    }
    h1_write_init(&out, memory, sizeof memory);
    h1_write_header_checked(&out, SLICE("x y"), SLICE("z"));
    assert_true(out.failed);
    h1_write_init(&out, memory, sizeof memory);
    h1_write_header_checked(&out, SLICE("x"), SLICE("gr\xc3\xbc\xc3\x9f\tz"));
    assert_false(out.failed);
    h1_write_init(&out, memory, sizeof memory);
    h1_write_status_line(&out, 99, SLICE(""));
    assert_true(out.failed);
}

static void a_date_is_written_once_a_second(void **state)
{
    struct http_date date = {0};
    (void)state;
    assert_true(slice_equal(http_date_at(&date, 784111777123u),
                            SLICE("Sun, 06 Nov 1994 08:49:37 GMT")));
    memcpy(date.text, "cached", 6);
    assert_true(slice_starts_with(http_date_at(&date, 784111777999u), SLICE("cached")));
    assert_true(slice_equal(http_date_at(&date, 784111778000u),
                            SLICE("Sun, 06 Nov 1994 08:49:38 GMT")));
    struct http_date first = {0};
    assert_true(
        slice_equal(http_date_at(&first, 0), SLICE("Thu, 01 Jan 1970 00:00:00 GMT")));
    h1_write_init(&out, memory, sizeof memory);
    h1_write_date(&out, &date, 1772539445678u);
    expect("date: Tue, 03 Mar 2026 12:04:05 GMT\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_written_as_they_are_read),
        cmocka_unit_test(what_does_not_fit_writes_nothing_and_fails),
        cmocka_unit_test(values_from_elsewhere_cannot_begin_a_line),
        cmocka_unit_test(a_date_is_written_once_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
