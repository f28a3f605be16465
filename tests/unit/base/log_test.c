/* The log: a value never makes a second line, and what does not fit is left out. */
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char output[65536];
static size_t output_size;

static void write_event(const struct log_pair *pairs)
{
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_non_null(file);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    log_write(LOG_INFO, "test", "some event", pairs);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    output_size = fread(output, 1, sizeof output - 1, file);
    output[output_size] = '\0';
    fclose(file);
}

static void expect_one_line(void)
{
    assert_true(output_size > 0);
    assert_ptr_equal(strchr(output, '\n'), output + output_size - 1);
    for (size_t i = 0; i + 1 < output_size; i++)
        assert_true((unsigned char)output[i] >= 0x20 && output[i] != 0x7f);
}

static const struct log_pair nasty[] = {
    {.key = "a", .type = LOG_PAIR_SLICE, .text = {"x\ny\r\"z\"\\\t\x1b[31m\0\x7f", 16}},
    {.key = "b", .type = LOG_PAIR_SLICE, .text = {"plain", 5}},
    {.key = "c", .type = LOG_PAIR_SLICE, .text = {"", 0}},
    {.key = "d", .type = LOG_PAIR_SLICE, .text = {"k=v", 3}},
    {.key = "e", .type = LOG_PAIR_SLICE, .text = {"\xff\xc2\x9b", 3}},
    {.key = "f", .type = LOG_PAIR_SIGNED, .number = (uint64_t)-5},
    {.key = "g", .type = LOG_PAIR_UNSIGNED, .number = UINT64_MAX},
    {.key = NULL},
};

static void text_values_are_quoted_and_escaped(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_TEXT, "n1");
    write_event(nasty);
    expect_one_line();
    assert_non_null(strstr(output,
                           " level=info node=n1 module=test event=\"some event\" "
                           "a=\"x\\ny\\r\\\"z\\\"\\\\\\t\\x1b[31m\\x00\\x7f\" b=plain "
                           "c=\"\" d=\"k=v\" e=\"\\xff\\u009b\" f=-5 "
                           "g=18446744073709551615\n"));
}

static void json_values_are_escaped(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_JSON, "n1");
    write_event(nasty);
    expect_one_line();
    assert_non_null(strstr(output,
                           "\"a\":\"x\\ny\\r\\\"z\\\"\\\\\\t\\u001b[31m\\u0000\\u007f\","
                           "\"b\":\"plain\",\"c\":\"\",\"d\":\"k=v\","
                           "\"e\":\"\\ufffd\\u009b\",\"f\":-5,"
                           "\"g\":18446744073709551615}\n"));
}

static void a_pair_too_large_is_left_out_and_the_line_says_so(void **state)
{
    static char big[5000];
    (void)state;
    memset(big, 'x', sizeof big);
    const struct log_pair pairs[] = {
        LOG_SLICE("big", slice_of(big, sizeof big)), LOG_U64("after", 1), {.key = NULL}};
    log_configure(LOG_INFO, LOG_TEXT, NULL);
    write_event(pairs);
    expect_one_line();
    assert_null(strstr(output, "big="));
    assert_non_null(strstr(output, " after=1 truncated=true\n"));
    log_configure(LOG_INFO, LOG_JSON, NULL);
    write_event(pairs);
    expect_one_line();
    assert_non_null(strstr(output, ",\"after\":1,\"truncated\":true}\n"));
    memset(big, '\n', sizeof big);
    write_event(pairs);
    expect_one_line();
}

static void levels_below_the_configured_one_are_off(void **state)
{
    (void)state;
    log_level_set(LOG_WARN);
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_ERROR));
    log_event(LOG_DEBUG, "test", "never seen");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_values_are_quoted_and_escaped),
        cmocka_unit_test(json_values_are_escaped),
        cmocka_unit_test(a_pair_too_large_is_left_out_and_the_line_says_so),
        cmocka_unit_test(levels_below_the_configured_one_are_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
