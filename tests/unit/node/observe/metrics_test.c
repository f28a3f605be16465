/* Metrics: sums over shards, a cap that holds, a page that Prometheus takes. */
#include "node/observe/metrics.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct slice labels_of(struct buffer *buffer, const char *key, const char *value)
{
    buffer_reset(buffer);
    metric_label(buffer, key, slice_from_string(value));
    return buffer_slice(buffer);
}

static char *page_of(struct metrics *metrics)
{
    struct buffer out;
    buffer_init(&out, 0);
    metrics_render(metrics, &out);
    buffer_append_byte(&out, '\0');
    size_t size;
    return buffer_take(&out, &size);
}

static int times(const char *page, const char *text)
{
    int count = 0;
    for (const char *at = page; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static void assert_has(const char *page, const char *line)
{
    if (strstr(page, line) == NULL)
        print_error("missing: %s\nin:\n%s", line, page);
    assert_non_null(strstr(page, line));
}

static void shards_are_summed(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new(100);
    struct buffer labels;
    buffer_init(&labels, 0);
    struct slice route = labels_of(&labels, "route", "hello");
    const char *name = "gw_http_requests_total";

    metric_add(metrics_counter(metrics, name, "Requests.", route, 0), 3);
    metric_add(metrics_counter(metrics, name, "Requests.", route, 1), 4);
    metric_add(metrics_counter(metrics, name, "Requests.", route, -1), 5);
    struct metric_cell *active =
        metrics_gauge(metrics, "gw_connections_active", "Open.", route, 0);
    metric_add(active, 2);
    metric_add(active, (uint64_t)-3);
    metric_set(
        metrics_gauge_seconds(metrics, "gw_event_loop_lag_seconds", "Lag.", SLICE(""), 0),
        1500);
    assert_ptr_equal(metrics_counter(metrics, name, "Requests.", route, 0),
                     metrics_counter(metrics, name, "Requests.", route, 0));

    char *page = page_of(metrics);
    assert_has(page, "# HELP gw_http_requests_total Requests.\n"
                     "# TYPE gw_http_requests_total counter\n"
                     "gw_http_requests_total{route=\"hello\"} 12\n");
    assert_has(page, "gw_connections_active{route=\"hello\"} -1\n");
    assert_has(page, "gw_event_loop_lag_seconds 0.001500\n");
    assert_has(page, "gw_metrics_series_dropped_total 0\n");
    assert_int_equal(times(page, "# TYPE gw_http_requests_total"), 1);
    free(page);
    buffer_deinit(&labels);
    metrics_free(metrics);
    metrics_free(NULL);
}

static void a_histogram_is_cumulative(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new(100);
    struct metric_histogram *h = metrics_histogram(
        metrics, "gw_http_request_duration_seconds", "Time.", SLICE("route=\"a\""), 0);

    metric_observe_us(h, 1000);
    metric_observe_us(h, 1001);
    metric_observe_us(h, 60000000);
    char *page = page_of(metrics);
    assert_has(page, "_seconds_bucket{route=\"a\",le=\"0.001\"} 1\n");
    assert_has(page, "_seconds_bucket{route=\"a\",le=\"0.0025\"} 2\n");
    assert_has(page, "_seconds_bucket{route=\"a\",le=\"10\"} 2\n");
    assert_has(page, "_seconds_bucket{route=\"a\",le=\"+Inf\"} 3\n");
    assert_has(page, "_seconds_sum{route=\"a\"} 60.002001\n");
    assert_has(page, "_seconds_count{route=\"a\"} 3\n");
    free(page);
    metrics_free(metrics);
}

static void above_the_cap_series_count_as_other(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new(10);
    struct buffer labels;
    char text[16];
    buffer_init(&labels, 0);

    for (int i = 0; i < 50; i++) {
        snprintf(text, sizeof text, "r\"%d", i);
        labels_of(&labels, "route", text);
        metric_label(&labels, "code", SLICE("200"));
        metric_add(metrics_counter(metrics, "gw_x_total", "X.", buffer_slice(&labels), 0),
                   1);
    }
    char *page = page_of(metrics);
    assert_int_equal(times(page, "\ngw_x_total{"), 11);
    assert_has(page, "gw_x_total{route=\"_other\",code=\"_other\"} 40\n");
    assert_has(page, "gw_x_total{route=\"r\\\"3\",code=\"200\"} 1\n");
    assert_has(page, "gw_metrics_series_dropped_total 40\n");
    free(page);
    buffer_deinit(&labels);
    metrics_free(metrics);
}

static void label_values_are_escaped(void **state)
{
    (void)state;
    struct buffer labels;
    buffer_init(&labels, 0);
    metric_label(&labels, "a", SLICE("x\"y\\z\n"));
    metric_label(&labels, "b", SLICE("\xff\xc3\xa9"));
    assert_true(slice_equal(buffer_slice(&labels),
                            SLICE("a=\"x\\\"y\\\\z\\n\",b=\"\xef\xbf\xbd\xc3\xa9\"")));
    buffer_deinit(&labels);
}

/* promtool, where the machine has it, has the last word. */
static void promtool_has_nothing_to_say(void **state)
{
    (void)state;
    if (system("command -v promtool >/dev/null 2>&1") != 0)
        skip();
    struct metrics *metrics = metrics_new(1000);
    metric_add(metrics_counter(metrics, "gw_http_requests_total", "Requests.",
                               SLICE("route=\"a\\\"b\""), 0),
               1);
    metric_set(metrics_gauge(metrics, "gw_config_revision", "Revision.", SLICE(""), -1), 7);
    metric_observe_us(metrics_histogram(metrics, "gw_http_request_duration_seconds",
                                        "Time.", SLICE(""), 0),
                      5);
    char *page = page_of(metrics);
    FILE *pipe = popen("promtool check metrics", "w");
    assert_non_null(pipe);
    fputs(page, pipe);
    assert_int_equal(pclose(pipe), 0);
    free(page);
    metrics_free(metrics);
}

enum { WRITERS = 4, ROUNDS = 20000 };
struct writer {
    struct metrics *metrics;
    int shard;
    _Atomic bool *done;
};

static void *write_metrics(void *context)
{
    struct writer *writer = context;
    struct buffer labels;
    char text[16];

    buffer_init(&labels, 0);
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(text, sizeof text, "r%d", i % 300);
        struct slice route = labels_of(&labels, "route", text);
        metric_add(
            metrics_counter(writer->metrics, "gw_a_total", "A.", route, writer->shard), 1);
        metric_observe_us(metrics_histogram(writer->metrics, "gw_b_seconds", "B.",
                                            SLICE(""), writer->shard),
                          (uint64_t)i);
    }
    buffer_deinit(&labels);
    return NULL;
}

static void *render_metrics(void *context)
{
    struct writer *writer = context;
    while (!atomic_load(writer->done))
        free(page_of(writer->metrics));
    return NULL;
}

static void four_writers_and_a_reader_lose_nothing(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new(200);
    pthread_t threads[WRITERS + 1];
    struct writer writers[WRITERS + 1];
    _Atomic bool done = false;

    for (int i = 0; i <= WRITERS; i++)
        writers[i] = (struct writer){metrics, i, &done};
    for (int i = 0; i < WRITERS; i++)
        pthread_create(&threads[i], NULL, write_metrics, &writers[i]);
    pthread_create(&threads[WRITERS], NULL, render_metrics, &writers[WRITERS]);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&done, true);
    pthread_join(threads[WRITERS], NULL);

    char *page = page_of(metrics);
    char line[64];
    snprintf(line, sizeof line, "gw_b_seconds_count %d\n", WRITERS * ROUNDS);
    assert_has(page, line);
    long sum = 0;
    for (const char *at = page; (at = strstr(at, "\ngw_a_total{")) != NULL; at++)
        sum += strtol(strchr(at, '}') + 1, NULL, 10);
    assert_int_equal(sum, WRITERS * ROUNDS);
    free(page);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_are_summed),
        cmocka_unit_test(a_histogram_is_cumulative),
        cmocka_unit_test(above_the_cap_series_count_as_other),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(promtool_has_nothing_to_say),
        cmocka_unit_test(four_writers_and_a_reader_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
