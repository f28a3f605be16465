/* docs/resources/README.md is made from the schema tables: this test fails when it
 * is out of date, and writes it when GW_WRITE_REFERENCE is set. */
#include "fixture.h"

static void the_reference_is_what_the_tables_say(void **state)
{
    (void)state;
    char path[512];
    const char *end = strstr(__FILE__, "tests/unit/model/");
    assert_non_null(end);
    snprintf(path, sizeof path, "%.*sdocs/resources/README.md", (int)(end - __FILE__),
             __FILE__);
    struct buffer out;
    buffer_init(&out, 0);
    schema_document(&out);
    if (getenv("GW_WRITE_REFERENCE") != NULL) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(out.data, 1, out.size, file), out.size);
        fclose(file);
    }
    char *text = read_whole(path);
    assert_non_null(text);
    bool equal = slice_equal(slice_from_string(text), buffer_slice(&out));
    if (!equal)
        fprintf(stderr, "docs/resources/README.md is out of date: run this test with "
                        "GW_WRITE_REFERENCE=1\n");
    assert_true(equal);
    free(text);
    buffer_deinit(&out);
}

static void check_table(const struct schema *schema)
{
    uint64_t seen = 0;
    for (const struct field *field = schema->fields; field->name != NULL; field++) {
        assert_in_range(field->number, 1, 63);
        assert_false(seen >> field->number & 1);
        seen |= (uint64_t)1 << field->number;
        if (field->type == FIELD_CHOICE)
            assert_non_null(field->values);
        if (field->schema != NULL) {
            assert_int_equal(field->item_size, field->schema->size);
            check_table(field->schema);
        } else if (field->type != FIELD_RESERVED && field->help == NULL) {
            fprintf(stderr, "%s.%s has no help\n", schema->name, field->name);
            assert_non_null(field->help);
        }
    }
    void *object = calloc(1, schema->size);
    schema_defaults(schema, object); /* aborts on a bad default */
    free(object);
}

static void every_table_has_numbers_once_and_help(void **state)
{
    (void)state;
    for (int kind = 0; kind < KIND_COUNT; kind++)
        if (kind_schema((enum kind)kind) != NULL)
            check_table(kind_schema((enum kind)kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_is_what_the_tables_say),
        cmocka_unit_test(every_table_has_numbers_once_and_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
