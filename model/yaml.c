/* YAML by libyaml's events, into the document tree.
 *
 * Events rather than libyaml's own documents, so that depth, aliases and double
 * keys are judged as they come: a hundred thousand brackets end at the 65th.
 * An alias is copied, at most VALUE_ALIAS_NODE_MAX nodes in a text, so a small
 * file cannot grow into a huge one. Tags and merge keys are refused: types come
 * from the schema. Price: the tree takes about 130 bytes a node. */
#include "model/value.h"

#include "base/table.h"
#include "model/problems.h"

#include <stdio.h>
#include <yaml.h>

struct reader {
    struct arena *arena;
    struct problems *problems;
    struct slice file;
    yaml_parser_t parser;
    struct table anchors;
    size_t alias_nodes;
    struct value *roots;
    struct value *stack[VALUE_DEPTH_MAX + 1]; /* open lists and maps */
    unsigned depth;
    struct value *key; /* of the open map, waiting for its value */
    bool failed;
};

static void report(struct reader *reader, yaml_mark_t mark, uint32_t width,
                   const char *code, const char *text)
{
    struct problem place = {
        .file = reader->file,
        .line = (uint32_t)mark.line + 1,
        .column = (uint32_t)mark.column + 1,
        .width = width,
    };
    problems_add(reader->problems, &place, code, "%s", text);
    reader->failed = true;
}

static void report_no_memory(struct reader *reader)
{
    problems_add(reader->problems, &(struct problem){.file = reader->file}, "no_memory",
                 "out of memory");
    reader->failed = true;
}

static struct value *copy_alias(struct reader *reader, const struct value *value)
{
    if (++reader->alias_nodes > VALUE_ALIAS_NODE_MAX)
        return NULL;
    struct value *copy = arena_alloc(reader->arena, sizeof *copy);
    if (copy == NULL)
        return NULL;
    *copy = *value;
    copy->first = copy->last = copy->next = NULL;
    copy->count = 0;
    for (const struct value *v = value->first; v != NULL; v = v->next) {
        struct value *child = copy_alias(reader, v);
        if (child == NULL)
            return NULL;
        value_append(copy, child);
    }
    return copy;
}

static unsigned depth_of(const struct value *value)
{
    unsigned deepest = 0;
    for (const struct value *v = value->first; v != NULL; v = v->next) {
        unsigned depth = depth_of(v);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + (value->type == VALUE_LIST || value->type == VALUE_MAP);
}

/* Double keys: by comparing in small maps, by a table in large ones. */
static void check_keys(struct reader *reader, const struct value *map)
{
    struct table seen;
    table_init(&seen);
    for (const struct value *v = map->first; v != NULL && !reader->failed; v = v->next) {
        bool is_double = false;
        if (map->count <= 16) {
            for (const struct value *w = map->first; w != v && !is_double; w = w->next)
                is_double = slice_equal(v->key, w->key);
        } else {
            struct slice key = v->key.size > 0 ? v->key : SLICE("");
            is_double = table_get(&seen, key) != NULL;
            if (!is_double && !table_put(&seen, key, reader))
                report_no_memory(reader);
        }
        if (is_double) {
            char text[160];
            snprintf(text, sizeof text, "key '%.*s' stands here twice",
                     v->key.size > 100 ? 100 : (int)v->key.size, v->key.data);
            report(reader,
                   (yaml_mark_t){.line = v->key_line - 1, .column = v->key_column - 1},
                   (uint32_t)v->key.size, "duplicate_key", text);
        }
    }
    table_deinit(&seen);
}

/* Puts a finished or just opened node in its place. */
static void place(struct reader *reader, struct value *node, yaml_mark_t mark)
{
    if (reader->depth == 0) {
        if (node->type != VALUE_NULL)
            value_append(reader->roots, node);
        return;
    }
    struct value *parent = reader->stack[reader->depth - 1];
    if (parent->type == VALUE_LIST) {
        value_append(parent, node);
        return;
    }
    if (reader->key == NULL) {
        if (node->type != VALUE_SCALAR && node->type != VALUE_NULL) {
            report(reader, mark, 1, "bad_key", "a key must be a plain text");
            return;
        }
        if (node->type == VALUE_SCALAR && !node->quoted &&
            slice_equal(node->text, SLICE("<<"))) {
            report(reader, mark, 2, "bad_key", "merge keys are not supported");
            return;
        }
        reader->key = node;
        return;
    }
    node->key = reader->key->text;
    node->key_line = reader->key->line;
    node->key_column = reader->key->column;
    reader->key = NULL;
    value_append(parent, node);
}

static struct value *new_node(struct reader *reader, enum value_type type, yaml_mark_t mark)
{
    struct value *node = value_new(reader->arena, type);
    if (node == NULL) {
        report_no_memory(reader);
        return NULL;
    }
    node->line = (uint32_t)mark.line + 1;
    node->column = (uint32_t)mark.column + 1;
    return node;
}

static void remember(struct reader *reader, const yaml_char_t *anchor, struct value *node)
{
    if (anchor == NULL)
        return;
    struct slice name = arena_copy(reader->arena, slice_from_string((const char *)anchor));
    if (name.data == NULL || !table_put(&reader->anchors, name, node))
        report_no_memory(reader);
}

static void on_scalar(struct reader *reader, const yaml_event_t *event)
{
    bool quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    struct slice text = slice_of(event->data.scalar.value, event->data.scalar.length);
    bool is_null = !quoted && (text.size == 0 || slice_equal(text, SLICE("null")) ||
                               slice_equal(text, SLICE("~")));
    if (event->data.scalar.tag != NULL) {
        report(reader, event->start_mark, 1, "tag", "tags are not supported");
        return;
    }
    struct value *node =
        new_node(reader, is_null ? VALUE_NULL : VALUE_SCALAR, event->start_mark);
    if (node == NULL)
        return;
    node->quoted = quoted;
    node->text = arena_copy(reader->arena, text);
    if (node->text.data == NULL) {
        if (text.size > 0) {
            report_no_memory(reader);
            return;
        }
        node->text = SLICE("");
    }
    remember(reader, event->data.scalar.anchor, node);
    if (!reader->failed)
        place(reader, node, event->start_mark);
}

static void on_alias(struct reader *reader, const yaml_event_t *event)
{
    struct slice name = slice_from_string((const char *)event->data.alias.anchor);
    const struct value *target = table_get(&reader->anchors, name);
    if (target == NULL) {
        report(reader, event->start_mark, (uint32_t)name.size + 1, "unknown_alias",
               "no anchor of this name stands before this alias");
        return;
    }
    for (unsigned i = 0; i < reader->depth; i++)
        if (reader->stack[i] == target) {
            report(reader, event->start_mark, (uint32_t)name.size + 1, "alias_of_itself",
                   "an alias must not stand inside what it names");
            return;
        }
    if (reader->depth + depth_of(target) > VALUE_DEPTH_MAX) {
        report(reader, event->start_mark, 1, "too_deep", "nested more than 64 deep");
        return;
    }
    struct value *copy = copy_alias(reader, target);
    if (copy == NULL) {
        report(reader, event->start_mark, (uint32_t)name.size + 1, "too_many_aliases",
               "aliases expand to more than 10000 nodes");
        return;
    }
    copy->line = (uint32_t)event->start_mark.line + 1;
    copy->column = (uint32_t)event->start_mark.column + 1;
    place(reader, copy, event->start_mark);
}

static void on_open(struct reader *reader, const yaml_event_t *event, enum value_type type)
{
    const yaml_char_t *tag, *anchor;
    if (type == VALUE_LIST) {
        tag = event->data.sequence_start.tag;
        anchor = event->data.sequence_start.anchor;
    } else {
        tag = event->data.mapping_start.tag;
        anchor = event->data.mapping_start.anchor;
    }
    if (tag != NULL) {
        report(reader, event->start_mark, 1, "tag", "tags are not supported");
        return;
    }
    if (reader->depth == VALUE_DEPTH_MAX) {
        report(reader, event->start_mark, 1, "too_deep", "nested more than 64 deep");
        return;
    }
    struct value *node = new_node(reader, type, event->start_mark);
    if (node == NULL)
        return;
    remember(reader, anchor, node);
    if (!reader->failed)
        place(reader, node, event->start_mark);
    if (!reader->failed)
        reader->stack[reader->depth++] = node;
}

static void on_close(struct reader *reader)
{
    struct value *node = reader->stack[--reader->depth];
    if (node->type == VALUE_MAP)
        check_keys(reader, node);
}

static void on_event(struct reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        on_scalar(reader, event);
        break;
    case YAML_ALIAS_EVENT:
        on_alias(reader, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        on_open(reader, event, VALUE_LIST);
        break;
    case YAML_MAPPING_START_EVENT:
        on_open(reader, event, VALUE_MAP);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        on_close(reader);
        break;
    case YAML_DOCUMENT_START_EVENT: /* anchors hold within a document */
        table_deinit(&reader->anchors);
        table_init(&reader->anchors);
        break;
    default:
        break;
    }
}

static void report_parser(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    char text[256];
    if (parser->error == YAML_MEMORY_ERROR) {
        report_no_memory(reader);
        return;
    }
    yaml_mark_t mark = parser->problem_mark;
    if (parser->error == YAML_READER_ERROR)
        mark = parser->mark;
    snprintf(
        text, sizeof text, "%s%s%s", parser->problem != NULL ? parser->problem : "not YAML",
        parser->context != NULL ? " " : "", parser->context != NULL ? parser->context : "");
    report(reader, mark, 1, "syntax", text);
}

struct value *yaml_read(struct arena *arena, struct slice file, struct slice text,
                        struct problems *problems)
{
    struct reader reader = {.arena = arena, .problems = problems, .file = file};
    if (text.size > VALUE_DOCUMENT_MAX) {
        problems_add(problems, &(struct problem){.file = file}, "too_large",
                     "the text is larger than 16 MiB");
        return NULL;
    }
    reader.roots = value_new(arena, VALUE_LIST);
    if (reader.roots == NULL || !yaml_parser_initialize(&reader.parser)) {
        report_no_memory(&reader);
        return NULL;
    }
    table_init(&reader.anchors);
    /* libyaml asserts that there is an input, even for no bytes. */
    yaml_parser_set_input_string(
        &reader.parser, (const unsigned char *)(text.data != NULL ? text.data : ""),
        text.size);
    bool done = false;
    while (!done && !reader.failed) {
        yaml_event_t event;
        if (!yaml_parser_parse(&reader.parser, &event)) {
            report_parser(&reader);
            break;
        }
        on_event(&reader, &event);
        done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    table_deinit(&reader.anchors);
    yaml_parser_delete(&reader.parser);
    return reader.failed ? NULL : reader.roots;
}
