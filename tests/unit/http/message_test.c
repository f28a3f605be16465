/* Names resolved, headers found, and the helpers for field values. */
#include "http/fields.h"
#include "http/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void every_known_name_resolves_in_any_case_and_none_near_it(void **state)
{
    (void)state;
    for (unsigned i = 1; i < HTTP_HEADER_COUNT; i++) {
        struct slice name = http_header_name((enum http_header_id)i);
        char text[64];
        memcpy(text, name.data, name.size);
        assert_int_equal(http_header_id_of(slice_of(text, name.size)), i);
        for (size_t j = 0; j < name.size; j++) {
            memcpy(text, name.data, name.size);
            if (text[j] >= 'a' && text[j] <= 'z')
                text[j] = (char)(text[j] - 'a' + 'A');
            assert_int_equal(http_header_id_of(slice_of(text, name.size)), i);
            /* Every other byte a token may have there. */
            for (unsigned c = 0x21; c < 0x7f; c++) {
                if (!fields_is((char)c, FIELDS_TOKEN) ||
                    (c | 0x20) == (unsigned char)name.data[j])
                    continue;
                text[j] = (char)c;
                unsigned id = http_header_id_of(slice_of(text, name.size));
                if (id != HTTP_HEADER_OTHER)
                    assert_true(
                        slice_equal_nocase(http_header_name((enum http_header_id)id),
                                           slice_of(text, name.size)));
            }
        }
        assert_int_equal(http_header_id_of(slice_sub(name, 1, 99)), HTTP_HEADER_OTHER);
    }
    assert_int_equal(http_header_id_of(SLICE("x")), HTTP_HEADER_OTHER);
    assert_int_equal(http_header_id_of(SLICE("x_forwarded_for")), HTTP_HEADER_OTHER);
}

static void methods_are_case_sensitive(void **state)
{
    (void)state;
    for (unsigned i = 1; i < HTTP_METHOD_COUNT; i++)
        assert_int_equal(http_method_of(http_method_name((enum http_method)i)), i);
    assert_int_equal(http_method_of(SLICE("get")), HTTP_METHOD_OTHER);
    assert_true(http_method_is_idempotent(HTTP_METHOD_PUT));
    assert_false(http_method_is_idempotent(HTTP_METHOD_POST));
    assert_false(http_method_is_idempotent(HTTP_METHOD_OTHER));
}

static void headers_are_found_and_the_array_has_an_end(void **state)
{
    struct http_header headers[3];
    struct http_message message;
    (void)state;
    message_init(&message, headers, 3);
    assert_true(message_add(&message, SLICE("Via"), SLICE("1")));
    assert_true(message_add(&message, SLICE("A"), SLICE("2")));
    assert_true(message_add(&message, SLICE("via"), SLICE("3")));
    assert_false(message_add(&message, SLICE("b"), SLICE("4")));
    assert_ptr_equal(message_header(&message, HTTP_HEADER_VIA), &headers[0]);
    assert_null(message_header(&message, HTTP_HEADER_HOST));
    const struct http_header *found = message_find(&message, SLICE("VIA"), NULL);
    assert_ptr_equal(found, &headers[0]);
    found = message_find(&message, SLICE("VIA"), found);
    assert_ptr_equal(found, &headers[2]);
    assert_null(message_find(&message, SLICE("VIA"), found));
}

static void lists_know_quotes_and_skip_empty_elements(void **state)
{
    struct slice rest = SLICE(" a ,, \"b,\\\",c\" ,d=\",\", "), item;
    (void)state;
    assert_true(fields_list_next(&rest, &item) && slice_equal(item, SLICE("a")));
    assert_true(fields_list_next(&rest, &item) && slice_equal(item, SLICE("\"b,\\\",c\"")));
    assert_true(fields_list_next(&rest, &item) && slice_equal(item, SLICE("d=\",\"")));
    assert_false(fields_list_next(&rest, &item));
    assert_int_equal(fields_list_count(SLICE(",,")), 0);
    assert_int_equal(fields_list_count(SLICE("\"a,b")), 1);
    assert_int_equal(fields_list_count(SLICE("\"a\\")), 1);
    assert_true(fields_list_has(SLICE("x, Close"), SLICE("close")));
    assert_false(fields_list_has(SLICE("x, closed"), SLICE("close")));
}

static void media_types_and_parameters_are_read(void **state)
{
    struct slice value = SLICE("text/html ; charset=\"utf-8\"; q=0.5"), found;
    (void)state;
    assert_true(slice_equal(fields_media(value), SLICE("text/html")));
    assert_true(fields_parameter(value, SLICE("Charset"), &found));
    assert_true(slice_equal(found, SLICE("utf-8")));
    assert_true(fields_parameter(value, SLICE("q"), &found) &&
                slice_equal(found, SLICE("0.5")));
    assert_false(fields_parameter(value, SLICE("x"), &found));
}

static void value_runs_end_at_the_first_control_byte_wherever_it_stands(void **state)
{
    char text[64];
    (void)state;
    for (size_t size = 0; size < 40; size++)
        for (size_t at = 0; at < size; at++)
            for (unsigned c = 0; c < 256; c++) {
                memset(text, c & 1 ? '\xff' : '\t', sizeof text);
                text[at] = (char)c;
                bool control = (c < 0x20 && c != '\t') || c == 0x7f;
                assert_int_equal(fields_value_span(slice_of(text, size)),
                                 control ? at : size);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_known_name_resolves_in_any_case_and_none_near_it),
        cmocka_unit_test(methods_are_case_sensitive),
        cmocka_unit_test(headers_are_found_and_the_array_has_an_end),
        cmocka_unit_test(lists_know_quotes_and_skip_empty_elements),
        cmocka_unit_test(media_types_and_parameters_are_read),
        cmocka_unit_test(value_runs_end_at_the_first_control_byte_wherever_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
