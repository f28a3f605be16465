/* Policies as compiled from effective sections, and templates. */
#include "node/policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct arena arena;
static struct error err;
static char warned[200];

static int start(void **state)
{
    (void)state;
    arena_init(&arena, 0, 0);
    warned[0] = '\0';
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static void warn(void *context, const char *text)
{
    (void)context;
    snprintf(warned, sizeof warned, "%s", text);
}

static struct slice value_of(void *context, const struct template_part *part)
{
    (void)context;
    switch (part->variable) {
    case TEMPLATE_REGION:
        return SLICE("eu");
    case TEMPLATE_HEADER:
        return slice_equal(part->text, SLICE("x-user")) ? SLICE("ann") : SLICE("");
    case TEMPLATE_CAPTURE:
        return part->number == 3 ? SLICE("three") : SLICE("");
    default:
        return SLICE("");
    }
}

static void assert_expands(const char *text, const char *wanted)
{
    const struct template *template;
    assert_int_equal(template_compile(&arena, slice_from_string(text), &template, &err),
                     GW_OK);
    struct slice got = template_write(template, value_of, NULL, &arena);
    assert_non_null(got.data);
    if (!slice_equal(got, slice_from_string(wanted)))
        print_error("%s: got '%.*s'\n", text, SLICE_ARG(got));
    assert_true(slice_equal(got, slice_from_string(wanted)));
}

static void templates_put_values_between_literals(void **state)
{
    (void)state;
    assert_expands("", "");
    assert_expands("plain $ {text}", "plain $ {text}");
    assert_expands("${region}", "eu");
    assert_expands("a${region}b${region}c", "aeubeuc");
    assert_expands("$${region} $$${region}", "${region} $${region}");
    assert_expands("u=${header.X-User};c=${capture.3}", "u=ann;c=three");
    assert_expands("${consumer}|${jwt.sub}|${cert.subject}", "||");
    char text[600] = "";
    for (int i = 0; i < 40; i++)
        strcat(text, "${region}/-/");
    char wanted[600] = "";
    for (int i = 0; i < 40; i++)
        strcat(wanted, "eu/-/");
    assert_expands(text, wanted);
}

static void templates_refuse_what_they_do_not_know(void **state)
{
    (void)state;
    static const char *const bad[] = {"${regoin}",    "${header.}",    "${capture.}",
                                      "${capture.x}", "${capture.10}", "a ${region",
                                      "${}"};
    const struct template *template;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(
            template_compile(&arena, slice_from_string(bad[i]), &template, &err),
            GW_INVALID);
}

static void compile_headers(const struct headers_policy *sections, size_t count,
                            enum result wanted, struct policy_set *ret_set)
{
    struct effective_section items[4] = {{0}};
    struct effective effective = {.headers = {items, count, count}};
    struct policy_compile compile = {&arena, warn, NULL};
    for (size_t i = 0; i < count; i++)
        items[i].section = &sections[i];
    assert_int_equal(policies_compile(&compile, &effective, ret_set, &err), wanted);
}

static void header_changes_stack_in_order(void **state)
{
    (void)state;
    struct pair set_a = {SLICE("x-a"), SLICE("1")}, add_b = {SLICE("x-b"), SLICE("2")};
    struct slice remove = SLICE("server");
    struct headers_policy sections[2] = {{0}};
    struct policy_set set;
    sections[0].response.replace.items = &set_a;
    sections[0].response.replace.count = 1;
    sections[0].response.remove.items = &remove;
    sections[0].response.remove.count = 1;
    sections[1].response.add.items = &add_b;
    sections[1].response.add.count = 1;
    sections[1].request.replace.items = &set_a;
    sections[1].request.replace.count = 1;
    compile_headers(sections, 2, GW_OK, &set);

    assert_int_equal(set.request_header_count, 1);
    assert_int_equal(set.response_header_count, 3);
    assert_true(slice_equal(set.response_headers[0].name, SLICE("server")));
    assert_null(set.response_headers[0].value);
    assert_true(slice_equal(set.response_headers[1].name, SLICE("x-a")));
    assert_false(set.response_headers[1].add);
    assert_true(slice_equal(set.response_headers[2].name, SLICE("x-b")));
    assert_true(set.response_headers[2].add);
}

static void framing_headers_cannot_be_changed(void **state)
{
    (void)state;
    static const char *const names[] = {"connection",
                                        "transfer-encoding",
                                        "content-length",
                                        "keep-alive",
                                        "te",
                                        "trailer",
                                        "upgrade",
                                        "proxy-connection",
                                        "host",
                                        "Host",
                                        "bad name",
                                        ""};
    struct policy_set set;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct pair pair = {slice_from_string(names[i]), SLICE("x")};
        struct headers_policy section = {0};
        section.request.add.items = &pair;
        section.request.add.count = 1;
        compile_headers(&section, 1, GW_INVALID, &set);
    }
    struct pair evil = {SLICE("x-a"), SLICE("a\r\nset-cookie: b")};
    struct headers_policy section = {0};
    section.response.replace.items = &evil;
    section.response.replace.count = 1;
    compile_headers(&section, 1, GW_INVALID, &set);
    assert_non_null(strstr(err.text, "headers: response: header 'x-a'"));
}

static void a_variable_without_value_is_warned_of(void **state)
{
    (void)state;
    struct pair pair = {SLICE("x-a"), SLICE("${consumer}")};
    struct headers_policy section = {0};
    struct policy_set set;
    section.request.replace.items = &pair;
    section.request.replace.count = 1;
    compile_headers(&section, 1, GW_OK, &set);
    assert_non_null(strstr(warned, "consumer"));
}

static void retries_are_built_in_and_may_be_set(void **state)
{
    (void)state;
    struct policy_compile compile = {&arena, warn, NULL};
    struct slice when[] = {SLICE("timeout"), SLICE("5xx"), SLICE("429")};
    struct slice methods[] = {SLICE("GET"), SLICE("POST")};
    struct retry_policy policy = {
        .max = 3, .per_try_ms = 500, .backoff_ms = 10, .backoff_max_ms = 20};
    struct effective effective = {.timeout_ms = 2000, .idle_ms = 60000, .body_bytes = 7};
    struct policy_set set;

    assert_int_equal(policies_compile(&compile, &effective, &set, &err), GW_OK);
    assert_int_equal(set.timeout_ms, 2000);
    assert_int_equal(set.idle_ms, 60000);
    assert_int_equal(set.body_bytes, 7);
    assert_int_equal(set.retry.max, 1);
    assert_true(set.retry.connect_failure && set.retry.reset && !set.retry.timeout);
    assert_true((set.retry.methods & 1u << HTTP_METHOD_GET) != 0);
    assert_true((set.retry.methods & 1u << HTTP_METHOD_POST) == 0);
    assert_int_equal(set.retry.backoff_ms, 25);

    policy.when.items = when;
    policy.when.count = 3;
    policy.methods.items = methods;
    policy.methods.count = 2;
    effective.retry = &policy;
    effective.timeout_ms = UINT64_C(1) << 40;
    assert_int_equal(policies_compile(&compile, &effective, &set, &err), GW_OK);
    assert_int_equal(set.timeout_ms, UINT32_MAX);
    assert_int_equal(set.retry.max, 3);
    assert_true(set.retry.timeout && !set.retry.connect_failure);
    assert_true(set.retry.status_5xx);
    assert_int_equal(set.retry.status_count, 1);
    assert_int_equal(set.retry.statuses[0], 429);
    assert_true(retry_plan_has_status(&set.retry, 503));
    assert_true(retry_plan_has_status(&set.retry, 429));
    assert_false(retry_plan_has_status(&set.retry, 404));
    assert_false(retry_plan_has_status(&set.retry, 9999));
    assert_int_equal(set.retry.methods, 1u << HTTP_METHOD_GET | 1u << HTTP_METHOD_POST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(templates_put_values_between_literals),
        TEST(templates_refuse_what_they_do_not_know),
        TEST(header_changes_stack_in_order),
        TEST(framing_headers_cannot_be_changed),
        TEST(a_variable_without_value_is_warned_of),
        TEST(retries_are_built_in_and_may_be_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
