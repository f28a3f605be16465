/* The chunk decoder by a table, in one piece and byte by byte. */
#include "http/chunked.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct row {
    struct slice input;
    enum chunked_result result;
    const char *body; /* when done */
    size_t left;      /* bytes of the next message */
};
#define ROW(text, result)                       \
    {                                           \
        {text, sizeof(text) - 1}, result, "", 0 \
    }
#define DONE(text, body)                                \
    {                                                   \
        {text, sizeof(text) - 1}, CHUNKED_DONE, body, 0 \
    }

static const struct row rows[] = {
    DONE("0\r\n\r\n", ""),
    DONE("5\r\nhello\r\n0\r\n\r\n", "hello"),
    DONE("5\r\nhello\r\n00006\r\n world\r\n000\r\n\r\n", "hello world"),
    DONE("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
    DONE("5;a=b;c=\"d e\"\r\nhello\r\n0;x\r\n\r\n", "hello"),
    DONE("1\r\nx\r\n0\r\nContent-Length: 7\r\nHost: evil\r\nA:\r\n\r\n", "x"),
    {SLICE("1\r\nx\r\n0\r\n\r\nGET /"), CHUNKED_DONE, "x", 5},
    /* Sizes. */
    ROW("0x5\r\nhello\r\n", CHUNKED_BAD),
    ROW("+5\r\nhello\r\n", CHUNKED_BAD),
    ROW("-1\r\nhello\r\n", CHUNKED_BAD),
    ROW("0_5\r\nhello\r\n", CHUNKED_BAD),
    ROW(" 5\r\nhello\r\n", CHUNKED_BAD),
    ROW("5 \r\nhello\r\n", CHUNKED_BAD),
    ROW("5 ;a\r\nhello\r\n", CHUNKED_BAD),
    ROW("5x\r\nhello\r\n", CHUNKED_BAD),
    ROW("g\r\n", CHUNKED_BAD),
    ROW("\r\n", CHUNKED_BAD),
    ROW(";a\r\n", CHUNKED_BAD),
    ROW("10000000000000000\r\n", CHUNKED_BAD), /* 2^64 */
    ROW("10000000000000005\r\nhello\r\n", CHUNKED_BAD),
    ROW("ffffffffffffffff\r\n", CHUNKED_BAD),
    ROW("00000000000000000000\r\n\r\n", CHUNKED_BAD),
    /* Data too long or too short, and its end. */
    ROW("5\r\nhello!\r\n0\r\n\r\n", CHUNKED_BAD),
    ROW("5\r\nhell\r\n0\r\n\r\n", CHUNKED_BAD),
    ROW("5\r\nhello\n0\r\n\r\n", CHUNKED_BAD),
    ROW("5\r\nhello\r0\r\n\r\n", CHUNKED_BAD),
    ROW("5\r\nhelloXX0\r\n\r\n", CHUNKED_BAD),
    ROW("5\nhello\r\n0\r\n\r\n", CHUNKED_BAD),
    ROW("5\rhello\r\n0\r\n\r\n", CHUNKED_BAD),
    /* TERM.EXT, EXT.TERM. */
    ROW("5;\nhello\r\n0\r\n\r\n", CHUNKED_BAD),
    ROW("5;a\nb\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD),
    ROW("5;a\rb\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD),
    ROW("5;a\0b\r\nhello\r\n0\r\n\r\n", CHUNKED_BAD),
    /* Trailers. */
    ROW("0\r\n: x\r\n\r\n", CHUNKED_BAD),
    ROW("0\r\nA : x\r\n\r\n", CHUNKED_BAD),
    ROW("0\r\nA\r\n\r\n", CHUNKED_BAD),
    ROW("0\r\nA: x\r\n y\r\n\r\n", CHUNKED_BAD),
    ROW("0\r\nA: x\n\r\n", CHUNKED_BAD),
    ROW("0\r\nA: x\0\r\n\r\n", CHUNKED_BAD),
    ROW("0\r\n\n", CHUNKED_BAD),
    ROW("0\r\n\rX", CHUNKED_BAD),
    ROW("0\n\n", CHUNKED_BAD),
    /* Not yet all. */
    ROW("", CHUNKED_MORE),
    ROW("5", CHUNKED_MORE),
    ROW("5\r\nhel", CHUNKED_MORE),
    ROW("0\r\n", CHUNKED_MORE),
    ROW("0\r\nA: b\r\n\r", CHUNKED_MORE),
};

static char body[65536];
static size_t body_size;

static enum chunked_result decode(struct slice input, size_t step, size_t *ret_left)
{
    struct chunked chunked;
    enum chunked_result result = CHUNKED_MORE;
    size_t at = 0;

    chunked_init(&chunked);
    body_size = 0;
    while (result == CHUNKED_MORE && at < input.size) {
        struct slice piece = slice_sub(input, at, step), data;
        at += piece.size;
        while ((result = chunked_next(&chunked, &piece, &data)) == CHUNKED_DATA) {
            assert_true(data.size > 0);
            memcpy(body + body_size, data.data, data.size);
            body_size += data.size;
        }
        at -= piece.size;
    }
    assert_int_equal(chunked_is_done(&chunked), result == CHUNKED_DONE);
    *ret_left = input.size - at;
    return result;
}

static void bodies_get_the_answer_of_the_table_however_they_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t step = 1; step <= rows[i].input.size + 1; step++) {
            size_t left;
            enum chunked_result result = decode(rows[i].input, step, &left);
            if (result != rows[i].result)
                print_error("input '%.*s' gave %d\n", SLICE_ARG(rows[i].input), result);
            assert_int_equal(result, rows[i].result);
            if (result != CHUNKED_DONE)
                continue;
            assert_true(
                slice_equal(slice_of(body, body_size), slice_from_string(rows[i].body)));
            assert_int_equal(left, rows[i].left);
        }
    }
}

static void trailers_are_given_to_who_asks_for_them(void **state)
{
    static const char text[] = "1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\nGET /";
    (void)state;
    for (size_t step = 1; step <= sizeof text; step++) {
        struct chunked chunked;
        enum chunked_result result = CHUNKED_MORE;
        char trailers[64];
        size_t at = 0, size = 0;
        chunked_init(&chunked);
        chunked.gives_trailers = true;
        while (result != CHUNKED_DONE) {
            struct slice piece = slice_sub(slice_of(text, sizeof text - 1), at, step), data;
            at += piece.size;
            do {
                result = chunked_next(&chunked, &piece, &data);
                if (result != CHUNKED_TRAILER)
                    continue;
                assert_true(data.size > 0);
                memcpy(trailers + size, data.data, data.size);
                size += data.size;
            } while (result == CHUNKED_DATA || result == CHUNKED_TRAILER);
            at -= piece.size;
            assert_true(result == CHUNKED_MORE || result == CHUNKED_DONE);
        }
        assert_true(slice_equal(slice_of(trailers, size), SLICE("A: b\r\nC:\r\n")));
        assert_int_equal(at, sizeof text - 1 - 5);
    }
}

static void extensions_and_trailers_are_bounded(void **state)
{
    static char text[70000];
    size_t left, size = 0;
    (void)state;

    memset(text, 'x', sizeof text);
    memcpy(text, "5;", 2);
    assert_int_equal(decode(slice_of(text, sizeof text), 1000, &left), CHUNKED_TOO_LARGE);

    memcpy(text, "0\r\nA:", 5);
    assert_int_equal(decode(slice_of(text, sizeof text), 1000, &left), CHUNKED_TOO_LARGE);

    /* 300 chunks of a byte with 30 bytes of extension each. */
    for (int i = 0; i < 300; i++)
        size += (size_t)sprintf(text + size, "1;%029d\r\nx\r\n", i);
    assert_int_equal(decode(slice_of(text, size), 1000, &left), CHUNKED_TOO_LARGE);
    /* Without them any number of chunks is fine. */
    size = 0;
    for (int i = 0; i < 3000; i++)
        size += (size_t)sprintf(text + size, "1\r\nx\r\n");
    assert_int_equal(decode(slice_of(text, size), 1000, &left), CHUNKED_MORE);
    assert_int_equal(body_size, 3000);
}

static void an_error_stays_an_error(void **state)
{
    struct chunked chunked;
    struct slice input = SLICE("x5\r\nhello\r\n"), data;
    (void)state;
    chunked_init(&chunked);
    for (int i = 0; i < 5; i++)
        assert_int_equal(chunked_next(&chunked, &input, &data), CHUNKED_BAD);
}

static void heads_that_are_written_are_read_back(void **state)
{
    (void)state;
    for (uint64_t size = 1; size < UINT64_C(1) << 59; size = size * 2 + size % 3) {
        char head[CHUNKED_HEAD_MAX + 1], wanted[40];
        size_t length = chunked_head(size, head);
        head[length] = '\0';
        snprintf(wanted, sizeof wanted, "%llx\r\n", (unsigned long long)size);
        assert_string_equal(head, wanted);
    }
    char head[CHUNKED_HEAD_MAX];
    assert_int_equal(chunked_head(UINT64_MAX, head), 18);
    assert_int_equal(chunked_head(0, head), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_get_the_answer_of_the_table_however_they_come),
        cmocka_unit_test(trailers_are_given_to_who_asks_for_them),
        cmocka_unit_test(extensions_and_trailers_are_bounded),
        cmocka_unit_test(an_error_stays_an_error),
        cmocka_unit_test(heads_that_are_written_are_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
