/* gwd.yaml: what it takes, and what it says of what it does not. */
#include "node/settings.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct problems problems;
static struct settings settings;
static struct error err;

static enum result read_text(const char *text)
{
    static const struct identity_file identity = {
        .cluster_id = "0123456789abcdef0123456789abcdef", .node_id = 1, .name = "eu-1"};

    problems_init(&problems);
    err = ERROR_NONE;
    return settings_read(SLICE("gwd.yaml"), slice_from_string(text), &identity, &settings,
                         &problems, &err);
}

static void done(enum result result)
{
    if (result == GW_OK)
        settings_deinit(&settings);
    problems_deinit(&problems);
}

static void an_empty_file_gives_every_default(void **state)
{
    (void)state;
    enum result result = read_text("");
    assert_int_equal(result, GW_OK);
    assert_true(slice_equal(settings.document.peer.listen, SLICE(":7000")));
    assert_true(slice_equal(settings.document.admin.listen, SLICE("127.0.0.1:7001")));
    assert_int_equal(settings.document.health.metrics_from.count, 2);
    assert_int_equal(settings.document.drain.delay_ms, 5000);
    assert_int_equal(settings.document.drain.wait_ms, 30000);
    assert_int_equal(settings.socket_mode, 0660);
    assert_true(settings.workers >= 1);
    assert_int_equal(settings.document.fence, -1);
    assert_int_equal(settings_log_level(&settings), LOG_INFO);
    assert_int_equal(settings_log_format(&settings), LOG_JSON);
    done(result);
}

static void what_is_given_is_taken(void **state)
{
    (void)state;
    enum result result = read_text("node: {name: eu-1, region: eu, zone: a}\n"
                                   "workers: 3\n"
                                   "fence: minority\n"
                                   "drain: {delay: 1s}\n"
                                   "listeners: {http: \"127.0.0.1:8081\"}\n"
                                   "log: {level: warn, format: text}\n");
    assert_int_equal(result, GW_OK);
    assert_int_equal(settings.workers, 3);
    assert_int_equal(settings.document.drain.delay_ms, 1000);
    assert_int_equal(settings.document.drain.wait_ms, 30000);
    assert_int_equal(settings.document.listeners.count, 1);
    assert_true(slice_equal(settings.document.listeners.items[0].name, SLICE("http")));
    assert_int_equal(settings.document.fence, FENCE_MINORITY);
    assert_int_equal(settings_log_level(&settings), LOG_WARN);
    assert_int_equal(settings_log_format(&settings), LOG_TEXT);
    done(result);
}

static void an_unknown_key_is_named_with_its_place_and_the_nearest(void **state)
{
    (void)state;
    enum result result = read_text("peer: {listen: \":7000\"}\nhealht: {}\n");
    assert_int_equal(result, GW_INVALID);
    assert_int_equal(problems.count, 1);
    assert_int_equal(problems.items[0].line, 2);
    assert_int_equal(problems.items[0].column, 1);
    assert_true(slice_find(problems.items[0].hint, SLICE("health")) != SIZE_MAX);
    done(result);
}

static void all_errors_are_told_not_the_first_alone(void **state)
{
    (void)state;
    enum result result = read_text("workers: many\ndrain: {delay: soon}\nfence: maybe\n");
    assert_int_equal(result, GW_INVALID);
    assert_int_equal(problems.errors, 3);
    done(result);
}

static void another_nodes_name_stops_the_start(void **state)
{
    (void)state;
    enum result result = read_text("node: {name: us-1}\n");
    assert_int_equal(result, GW_INVALID);
    assert_non_null(strstr(err.text, "us-1"));
    assert_non_null(strstr(err.text, "eu-1"));
    assert_int_equal(problems.items[0].line, 1);
    done(result);
}

static void an_override_needs_an_address_and_a_port(void **state)
{
    (void)state;
    enum result result = read_text("listeners:\n  http: everywhere\n");
    assert_int_equal(result, GW_INVALID);
    assert_int_equal(problems.items[0].line, 2);
    done(result);
}

static void deep_brackets_are_refused(void **state)
{
    char text[4096];
    (void)state;
    memset(text, '[', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    enum result result = read_text(text);
    assert_int_equal(result, GW_INVALID);
    done(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_gives_every_default),
        cmocka_unit_test(what_is_given_is_taken),
        cmocka_unit_test(an_unknown_key_is_named_with_its_place_and_the_nearest),
        cmocka_unit_test(all_errors_are_told_not_the_first_alone),
        cmocka_unit_test(another_nodes_name_stops_the_start),
        cmocka_unit_test(an_override_needs_an_address_and_a_port),
        cmocka_unit_test(deep_brackets_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
