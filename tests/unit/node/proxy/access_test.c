/* What the access log says of calls, and what it hides. */
#include "cast.h"
#include "node/observe/access_log.h"

#include <jansson.h>

static struct origin origin;
static struct gateway gateway;
static char dir[64], path[128];
static char yaml[4096];

static const char *yaml_with(const char *log)
{
    snprintf(yaml, sizeof yaml,
             "%s---\napiVersion: gw/v1\nkind: Cluster\nmetadata: {name: test}\n"
             "spec: {telemetry: {accessLog: %s}}\n",
             plain_yaml(origin.port), log);
    return yaml;
}

static int set_up(void **state)
{
    struct error err;
    (void)state;
    strcpy(dir, "/tmp/gw-access.XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/access.log", dir);
    origin_start(&origin, "one");
    if (access_log_open(1, &gateway_access_log, &err) != GW_OK)
        return 1;
    access_log_target(gateway_access_log, slice_from_string(path));
    gateway_start(&gateway, yaml_with("{}"));
    return 0;
}

static int tear_down(void **state)
{
    char command[200];
    (void)state;
    gateway_stop(&gateway);
    access_log_close(gateway_access_log);
    origin_stop(&origin);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static char text[1 << 20];

/* The lines so far, and none from now on. */
static const char *all_lines(void)
{
    int fd = open(path, O_RDONLY);
    ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[size < 0 ? 0 : size] = '\0';
    return text;
}

static void forget_lines(void)
{
    usleep(60000); /* for what is still on its way */
    if (access(path, F_OK) == 0)
        assert_int_equal(truncate(path, 0), 0);
}

static const char *line_with(const char *what)
{
    const char *line = NULL;
    eventually((line = strstr(all_lines(), what)) != NULL && strchr(line, '\n') != NULL);
    while (line > text && line[-1] != '\n')
        line--;
    *strchr(line, '\n') = '\0';
    return line;
}

static json_t *json_with(const char *what)
{
    json_error_t error;
    const char *line = line_with(what);
    json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL)
        print_error("no JSON: %s: %s\n", error.text, line);
    assert_non_null(json);
    return json;
}

static const char *member(json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

static void a_line_tells_the_call(void **state)
{
    (void)state;
    assert_int_equal(ask_status(gateway.port,
                                "POST /count/a?b=c HTTP/1.1\r\nHost: a.example\r\n"
                                "User-Agent: a \"quoted\"\\ \xc3\xa9\r\nContent-Length: "
                                "5\r\n\r\nhello"),
                     200);
    json_t *json = json_with("/count/a");
    assert_int_equal(strlen(member(json, "ts")), 24);
    assert_string_equal(member(json, "node"), "eu-1");
    assert_string_equal(member(json, "region"), "eu");
    assert_non_null(member(json, "request_id"));
    assert_string_equal(member(json, "client_ip"), "127.0.0.1");
    assert_string_equal(member(json, "method"), "POST");
    assert_string_equal(member(json, "host"), "a.example");
    assert_string_equal(member(json, "path"), "/count/a?b=c");
    assert_string_equal(member(json, "protocol"), "HTTP/1.1");
    assert_string_equal(member(json, "user_agent"), "a \"quoted\"\\ \xc3\x83\xc2\xa9");
    assert_string_equal(member(json, "route"), "all");
    assert_string_equal(member(json, "service"), "one");
    assert_string_equal(member(json, "endpoint"), "one-1");
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 200);
    assert_int_equal(json_integer_value(json_object_get(json, "attempts")), 1);
    assert_int_equal(json_integer_value(json_object_get(json, "bytes_in")), 5);
    assert_int_equal(json_integer_value(json_object_get(json, "bytes_out")), 1);
    assert_int_equal(json_integer_value(json_object_get(json, "config_revision")), 1);
    assert_true(json_real_value(json_object_get(json, "duration_ms")) >=
                json_real_value(json_object_get(json, "upstream_ms")));
    assert_null(json_object_get(json, "reason"));
    json_decref(json);
}

static void what_never_became_a_call_has_a_line_too(void **state)
{
    (void)state;
    assert_int_equal(ask_status(gateway.port, "GET / HTTP/1.1\r\n\r\n"), 400);
    json_t *json = json_with("bad_request");
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 400);
    assert_string_equal(member(json, "client_ip"), "127.0.0.1");
    json_decref(json);
}

static void the_longest_request_still_makes_a_line(void **state)
{
    static char request[32768];
    (void)state;
    size_t size = (size_t)snprintf(request, sizeof request, "GET /long/");
    for (int i = 0; i < 8000; i++)
        request[size++] = '"';
    size += (size_t)snprintf(request + size, sizeof request - size,
                             " HTTP/1.1\r\nHost: a.example\r\nUser-Agent: ");
    for (int i = 0; i < 8000; i++)
        request[size++] = (char)0xff;
    snprintf(request + size, sizeof request - size, "\r\n\r\n");
    assert_int_equal(ask_status(gateway.port, request), 200);
    json_t *json = json_with("/long/");
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 200);
    assert_non_null(member(json, "route"));
    json_decref(json);
}

static void values_named_in_redact_are_hidden(void **state)
{
    (void)state;
    gateway_publish(&gateway,
                    yaml_with("{redact: [query.token, header.x-key, cookie.session], "
                              "headers: [x-key, cookie, x-open]}"),
                    2);
    ask_status(gateway.port,
               "GET /hide?a=1&token=secret&b=2&t%6fken=secret&Token=secret "
               "HTTP/1.1\r\nHost: a.example\r\nX-Key: secret\r\nX-Open: said\r\n"
               "Cookie: session=secret; theme=dark\r\n\r\n");
    json_t *json = json_with("/hide");
    assert_null(strstr(text, "secret"));
    assert_string_equal(member(json, "path"),
                        "/hide?a=1&token=***&b=2&t%6fken=***&Token=***");
    assert_string_equal(member(json, "header_x_key"), "***");
    assert_string_equal(member(json, "header_x_open"), "said");
    assert_string_equal(member(json, "header_cookie"), "session=***; theme=dark");
    json_decref(json);
}

static void a_sample_leaves_lines_out_but_not_those_of_failures(void **state)
{
    (void)state;
    gateway_publish(&gateway, yaml_with("{sample: \"0%\", errors: \"100%\"}"), 3);
    assert_int_equal(ask_status(gateway.port, GET("/unsampled")), 200);
    assert_int_equal(ask_status(gateway.port, GET("/bad")), 502);
    line_with("upstream_invalid");
    assert_null(strstr(all_lines(), "/unsampled"));
    gateway_publish(&gateway, yaml_with("{enabled: false}"), 4);
    assert_int_equal(ask_status(gateway.port, GET("/disabled")), 200);
    gateway_publish(&gateway, yaml_with("{}"), 5);
    assert_int_equal(ask_status(gateway.port, GET("/enabled")), 200);
    line_with("/enabled");
    assert_null(strstr(all_lines(), "/disabled"));
}

static void text_has_the_same_fields(void **state)
{
    (void)state;
    forget_lines();
    gateway_publish(&gateway, yaml_with("{format: text}"), 6);
    ask_status(gateway.port, "GET /in-text?a=b HTTP/1.1\r\nHost: a.example\r\n"
                             "User-Agent: a b\r\n\r\n");
    const char *line = line_with("/in-text");
    assert_memory_equal(line, "ts=20", 5);
    assert_non_null(strstr(line, " method=GET host=a.example path=\"/in-text?a=b\" "
                                 "protocol=HTTP/1.1 user_agent=\"a b\" status=200 "
                                 "route=all service=one endpoint=one-1 "));
}

static void lines_are_counted(void **state)
{
    (void)state;
    eventually(gateway_metric(&gateway, "gw_access_log_lines_total") >= 7);
    assert_true(gateway_metric(&gateway, "gw_access_log_lost_lines_total") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_tells_the_call),
        cmocka_unit_test(what_never_became_a_call_has_a_line_too),
        cmocka_unit_test(the_longest_request_still_makes_a_line),
        cmocka_unit_test(values_named_in_redact_are_hidden),
        cmocka_unit_test(a_sample_leaves_lines_out_but_not_those_of_failures),
        cmocka_unit_test(text_has_the_same_fields),
        cmocka_unit_test(lines_are_counted),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
