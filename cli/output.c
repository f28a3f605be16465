#include "cli/output.h"

#include <stdio.h>

void output_table_init(struct output_table *table, const char *const *headings,
                       size_t columns)
{
    memset(table, 0, sizeof *table);
    buffer_init(&table->cells, 0);
    table->columns = columns;
    for (size_t i = 0; i < columns; i++)
        output_cell(table, slice_from_string(headings[i]));
}

/* Columns a text takes: bytes that continue a UTF-8 character take none. */
static size_t width_of(struct slice text)
{
    size_t width = 0;

    for (size_t i = 0; i < text.size; i++)
        width += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return width;
}

void output_cell(struct output_table *table, struct slice text)
{
    size_t column = table->rows % table->columns;

    if (text.size == 0)
        text = SLICE("-");
    if (width_of(text) > table->widths[column])
        table->widths[column] = width_of(text);
    buffer_append_slice(&table->cells, text);
    buffer_append_byte(&table->cells, '\0');
    table->rows++;
}

void output_table_print(struct output_table *table)
{
    const char *at = table->cells.data;

    for (size_t i = 0; i < table->rows; i++) {
        size_t column = i % table->columns;
        bool is_last = column + 1 == table->columns;
        size_t pad = table->widths[column] - width_of(slice_from_string(at));
        printf("%s%*s%s", at, is_last ? 0 : (int)pad, "", is_last ? "\n" : "  ");
        at += strlen(at) + 1;
    }
    buffer_deinit(&table->cells);
}

void output_json(const struct value *value)
{
    struct buffer text;
    struct emit emit;

    buffer_init(&text, 0);
    emit_init(&emit, &text, true);
    value_emit(&emit, value);
    fwrite(text.data, 1, text.size, stdout);
    putchar('\n');
    buffer_deinit(&text);
}

/* A plain scalar that every YAML reader takes for the same string. */
static bool is_plain(struct slice text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n",   "~"};

    if (text.size == 0 || strchr("-?:,[]{}#&*!|>'\"%@` \t.=<", text.data[0]) != NULL ||
        text.data[text.size - 1] == ' ' || text.data[text.size - 1] == ':')
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (slice_equal_nocase(text, slice_from_string(words[i])))
            return false;
    }
    bool is_number = true;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == 0x7f)
            return false;
        if ((c == ':' && i + 1 < text.size && text.data[i + 1] == ' ') ||
            strchr(",[]{}", c) != NULL || (c == '#' && text.data[i - 1] == ' '))
            return false;
        is_number = is_number && strchr("0123456789.+-_eExXoOabcdefABCDEF:", c) != NULL;
    }
    return !is_number;
}

static void print_scalar(const struct value *value)
{
    struct slice text = value->text;

    if (value->type == VALUE_NULL)
        printf("null");
    else if ((value->is_number && !value->quoted) || is_plain(text))
        printf("%.*s", SLICE_ARG(text));
    else {
        /* JSON's quoting is YAML's double-quoted style. */
        struct buffer quoted;
        struct emit emit;
        buffer_init(&quoted, 0);
        emit_init(&emit, &quoted, false);
        emit_string(&emit, text);
        fwrite(quoted.data, 1, quoted.size, stdout);
        buffer_deinit(&quoted);
    }
}

static void print_tree(const struct value *value, int indent, bool on_line);

static void print_child(const struct value *child, int indent)
{
    bool is_nested =
        (child->type == VALUE_LIST || child->type == VALUE_MAP) && child->count > 0;

    if (!is_nested) {
        putchar(' ');
        print_tree(child, indent, true);
        return;
    }
    putchar('\n');
    /* A list may stand at its key's own column, as most writers have it. */
    print_tree(child, child->type == VALUE_LIST ? indent : indent + 2, false);
}

/* `on_line`: the cursor stands where the first line shall begin. */
static void print_tree(const struct value *value, int indent, bool on_line)
{
    const struct value *child;

    if (value->type == VALUE_MAP && value->count > 0) {
        for (child = value->first; child != NULL; child = child->next) {
            struct value key = {.type = VALUE_SCALAR, .text = child->key};
            printf("%*s", on_line ? 0 : indent, "");
            on_line = false;
            print_scalar(&key);
            putchar(':');
            print_child(child, indent);
        }
    } else if (value->type == VALUE_LIST && value->count > 0) {
        for (child = value->first; child != NULL; child = child->next) {
            printf("%*s- ", on_line ? 0 : indent, "");
            on_line = false;
            print_tree(child, indent + 2, true);
        }
    } else {
        if (value->type == VALUE_MAP)
            printf("{}");
        else if (value->type == VALUE_LIST)
            printf("[]");
        else
            print_scalar(value);
        putchar('\n');
    }
}

void output_yaml(const struct value *value)
{
    print_tree(value, 0, true);
}

bool output_tree(const struct invocation *invocation, const struct value *value)
{
    if (value == NULL ||
        (invocation->output != OUTPUT_JSON && invocation->output != OUTPUT_YAML))
        return false;
    if (invocation->output == OUTPUT_JSON)
        output_json(value);
    else
        output_yaml(value);
    return true;
}

void output_lag(const char *lag, char out[24])
{
    struct slice text = slice_from_string(lag);

    if (slice_ends_with(text, SLICE("ms")))
        text = slice_sub(text, 0, text.size - 2);
    output_age(text, out);
}

void output_age(struct slice milliseconds, char out[24])
{
    uint64_t ms;

    if (!slice_parse_u64(milliseconds, &ms))
        snprintf(out, 24, "?");
    else if (ms < 1000)
        snprintf(out, 24, "%llums", (unsigned long long)ms);
    else if (ms < 120000)
        snprintf(out, 24, "%llus", (unsigned long long)ms / 1000);
    else if (ms < 7200000)
        snprintf(out, 24, "%llum", (unsigned long long)ms / 60000);
    else if (ms < 172800000)
        snprintf(out, 24, "%lluh", (unsigned long long)ms / 3600000);
    else
        snprintf(out, 24, "%llud", (unsigned long long)ms / 86400000);
}
