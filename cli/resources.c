/* get, describe, delete, export, schema: objects one by one and all together. */
#include "cli/output.h"
#include "cli/send.h"
#include "model/resource.h"
#include "pki/keyfile.h"

#include <stdio.h>
#include <sys/stat.h>

static void write_target(struct buffer *target, const struct invocation *invocation,
                         enum kind kind, const char *name)
{
    const char *selector = option_value(invocation, "--selector");
    char separator = '?';

    buffer_printf(target, "/v1/resources/%s", kind_word(kind));
    if (name != NULL) {
        buffer_append_byte(target, '/');
        target_encode(target, slice_from_string(name));
    }
    if (invocation->stale) {
        buffer_printf(target, "%cconsistency=stale", separator);
        separator = '&';
    }
    if (selector != NULL) {
        buffer_printf(target, "%cselector=", separator);
        target_encode(target, slice_from_string(selector));
        separator = '&';
    }
    if (option_value(invocation, "--revision") != NULL) {
        buffer_printf(target, "%crevision=", separator);
        target_encode(target, slice_from_string(option_value(invocation, "--revision")));
        separator = '&';
    }
    if (option_value(invocation, "--effective") != NULL)
        buffer_printf(target, "%ceffective=true", separator);
}

static int fetch(const struct invocation *invocation, enum kind kind, const char *name,
                 struct answer *ret_answer)
{
    struct buffer target;

    buffer_init(&target, 8192);
    write_target(&target, invocation, kind, name);
    int exit_code = client_get(invocation, buffer_slice(&target), ret_answer);
    buffer_deinit(&target);
    return exit_code;
}

/* A stale answer says of when it is. */
static void say_stale(const struct invocation *invocation, const struct answer *answer)
{
    char age[24];

    output_lag(answer->lag, age);
    if (invocation->stale && !invocation->quiet && answer->revision[0] != '\0')
        fprintf(stderr, "stale: revision %s, age %s\n", answer->revision, age);
}

/* What stands in the last column: enough to tell objects apart. */
static void summarise(enum kind kind, const struct value *spec, struct buffer *out)
{
    const struct value *list;

    switch (kind) {
    case KIND_LISTENER:
        buffer_append_slice(out, value_text(spec, "bind"));
        break;
    case KIND_SERVICE:
        list = value_get(spec, "endpoints");
        buffer_printf(out, "%zu endpoints", list != NULL ? list->count : 0);
        break;
    case KIND_REGION:
        list = value_get(spec, "failover");
        for (const struct value *item = list != NULL ? list->first : NULL; item != NULL;
             item = item->next)
            buffer_printf(out, "%s%.*s", out->size > 0 ? " > " : "", SLICE_ARG(item->text));
        break;
    case KIND_ROUTE: {
        const struct value *match = value_get(spec, "match");
        list = value_get(match, "hosts");
        for (const struct value *item = list != NULL ? list->first : NULL; item != NULL;
             item = item->next)
            buffer_printf(out, "%s%.*s", out->size > 0 ? "," : "", SLICE_ARG(item->text));
        const struct value *path = value_get(match, "path");
        for (const struct value *item = path != NULL ? path->first : NULL; item != NULL;
             item = item->next)
            buffer_printf(out, "%s%.*s %.*s", out->size > 0 ? " " : "",
                          SLICE_ARG(item->key), SLICE_ARG(item->text));
        break;
    }
    default:
        for (const struct value *item = spec != NULL ? spec->first : NULL; item != NULL;
             item = item->next)
            buffer_printf(out, "%s%.*s", out->size > 0 ? "," : "", SLICE_ARG(item->key));
        break;
    }
}

static void add_row(struct output_table *table, const struct invocation *invocation,
                    enum kind kind, const struct value *item)
{
    const struct value *metadata = value_get(item, "metadata");
    struct buffer summary;

    buffer_init(&summary, 256);
    summarise(kind, value_get(item, "spec"), &summary);
    output_cell(table, slice_from_string(kind_name(kind)));
    output_cell(table, value_text(metadata, "name"));
    output_cell(table, value_text(metadata, "revision"));
    if (invocation->output == OUTPUT_WIDE) {
        output_cell(table, value_text(metadata, "updatedAt"));
        output_cell(table, value_text(metadata, "updatedBy"));
    }
    output_cell(table, buffer_slice(&summary));
    buffer_deinit(&summary);
}

static void print_names(enum kind kind, const struct value *items)
{
    for (const struct value *item = items != NULL ? items->first : NULL; item != NULL;
         item = item->next)
        printf("%s/%.*s\n", kind_word(kind),
               SLICE_ARG(value_text(value_get(item, "metadata"), "name")));
}

static void open_table(struct output_table *table, const struct invocation *invocation)
{
    static const char *const narrow[] = {"KIND", "NAME", "REVISION", "SUMMARY"};
    static const char *const wide[] = {"KIND",    "NAME", "REVISION",
                                       "UPDATED", "BY",   "SUMMARY"};

    if (invocation->output == OUTPUT_WIDE)
        output_table_init(table, wide, 6);
    else
        output_table_init(table, narrow, 4);
}

static int get_all(struct invocation *invocation)
{
    struct arena arena;
    struct output_table table;
    struct value *all;
    bool is_tree = invocation->output == OUTPUT_JSON || invocation->output == OUTPUT_YAML;

    arena_init(&arena, 0, 0);
    struct answer answers[KIND_COUNT];
    enum kind kinds[KIND_COUNT];
    size_t count = 0;
    int exit_code = EXIT_OK;
    for (enum kind kind = 0; kind < KIND_COUNT && exit_code == EXIT_OK; kind++) {
        if (!kind_is_supported(kind))
            continue;
        kinds[count] = kind;
        exit_code = fetch(invocation, kind, NULL, &answers[count]);
        count += exit_code == EXIT_OK;
    }
    if (exit_code == EXIT_OK && is_tree) {
        struct value *items = value_new(&arena, VALUE_LIST);
        all = value_new(&arena, VALUE_MAP);
        if (count > 0) {
            const struct value *root = answers[count - 1].root;
            struct value *stale = value_scalar(&arena, value_text(root, "stale"), false);
            stale->is_number = true; /* printed bare */
            value_set(all, SLICE("revision"),
                      value_scalar(&arena, value_text(root, "revision"), true));
            value_set(all, SLICE("stale"), stale);
        }
        for (size_t i = 0; i < count; i++) {
            struct value *list = value_get(answers[i].root, "items");
            for (struct value *item = list != NULL ? list->first : NULL, *next;
                 item != NULL; item = next) {
                next = item->next;
                value_append(items, item);
            }
        }
        value_set(all, SLICE("items"), items);
        output_tree(invocation, all);
    } else if (exit_code == EXIT_OK && invocation->output == OUTPUT_NAME) {
        for (size_t i = 0; i < count; i++)
            print_names(kinds[i], value_get(answers[i].root, "items"));
    } else if (exit_code == EXIT_OK) {
        open_table(&table, invocation);
        for (size_t i = 0; i < count; i++) {
            const struct value *list = value_get(answers[i].root, "items");
            for (const struct value *item = list != NULL ? list->first : NULL; item != NULL;
                 item = item->next)
                add_row(&table, invocation, kinds[i], item);
        }
        output_table_print(&table);
    }
    for (size_t i = 0; i < count; i++)
        answer_free(&answers[i]);
    arena_deinit(&arena);
    return exit_code;
}

int run_get(struct invocation *invocation)
{
    const char *name = invocation->argument_count > 1 ? invocation->arguments[1] : NULL;
    struct output_table table;
    struct answer answer;

    if (strcmp(invocation->arguments[0], "all") == 0 && name == NULL)
        return get_all(invocation);
    enum kind kind = kind_by_name(slice_from_string(invocation->arguments[0]));
    if (kind == KIND_NONE)
        return fail_kind(invocation->arguments[0]);
    int exit_code = fetch(invocation, kind, name, &answer);
    if (exit_code != EXIT_OK)
        return exit_code;
    say_stale(invocation, &answer);
    if (output_tree(invocation, answer.root)) {
        answer_free(&answer);
        return EXIT_OK;
    }
    const struct value *items = value_get(answer.root, "items");
    if (option_value(invocation, "--effective") != NULL && name != NULL) {
        output_yaml(answer.root);
    } else if (invocation->output == OUTPUT_NAME) {
        if (name != NULL)
            printf("%s/%s\n", kind_word(kind), name);
        else
            print_names(kind, items);
    } else {
        open_table(&table, invocation);
        if (name != NULL)
            add_row(&table, invocation, kind, answer.root);
        for (const struct value *item = name == NULL && items != NULL ? items->first : NULL;
             item != NULL; item = item->next)
            add_row(&table, invocation, kind, item);
        output_table_print(&table);
    }
    answer_free(&answer);
    return EXIT_OK;
}

int run_describe(struct invocation *invocation)
{
    enum kind kind = kind_by_name(slice_from_string(invocation->arguments[0]));
    struct answer answer;

    if (kind == KIND_NONE)
        return fail_kind(invocation->arguments[0]);
    int exit_code = fetch(invocation, kind, invocation->arguments[1], &answer);
    if (exit_code != EXIT_OK)
        return exit_code;
    say_stale(invocation, &answer);
    if (!output_tree(invocation, answer.root)) {
        const struct value *metadata = value_get(answer.root, "metadata");
        printf("%s %.*s\n", kind_name(kind), SLICE_ARG(value_text(metadata, "name")));
        printf("revision %.*s, changed %.*s by %.*s\n\n",
               SLICE_ARG(value_text(metadata, "revision")),
               SLICE_ARG(value_text(metadata, "updatedAt")),
               SLICE_ARG(value_text(metadata, "updatedBy")));
        const struct value *spec = value_get(answer.root, "spec");
        if (spec != NULL)
            output_yaml(spec);
    }
    answer_free(&answer);
    return EXIT_OK;
}

/* One transaction, so that deleting several is all or nothing. */
static void write_deletes(struct buffer *body, const struct invocation *invocation,
                          enum kind kind)
{
    const char *message = option_value(invocation, "--message");
    struct emit emit;

    emit_init(&emit, body, false);
    emit_object(&emit);
    emit_key(&emit, "delete");
    emit_array(&emit);
    for (int i = 1; i < invocation->argument_count; i++) {
        emit_object(&emit);
        emit_key(&emit, "kind");
        emit_cstring(&emit, kind_name(kind));
        emit_key(&emit, "name");
        emit_cstring(&emit, invocation->arguments[i]);
        emit_object_end(&emit);
    }
    emit_array_end(&emit);
    if (message != NULL) {
        emit_key(&emit, "message");
        emit_cstring(&emit, message);
    }
    emit_object_end(&emit);
}

int run_delete(struct invocation *invocation)
{
    enum kind kind = kind_by_name(slice_from_string(invocation->arguments[0]));
    struct send send;

    if (kind == KIND_NONE)
        return fail_kind(invocation->arguments[0]);
    int exit_code = send_check(invocation);
    if (exit_code != EXIT_OK)
        return exit_code;
    send_init(&send, invocation, "POST", "/v1/apply");
    write_deletes(&send.body, invocation, kind);
    exit_code = send_run(&send);
    send_deinit(&send);
    return exit_code;
}

/* As it was given: without what the server adds. */
static struct value *as_given(struct arena *arena, const struct value *item)
{
    struct problems problems;
    struct value *value = NULL;

    problems_init(&problems);
    struct resource *resource = resource_decode(item, SLICE(""), 0, &problems);
    if (resource != NULL)
        value = resource_value(arena, resource);
    resource_unref(resource);
    problems_deinit(&problems);
    return value;
}

static int export_one(const char *dir, enum kind kind, struct slice name,
                      const struct value *value, bool *is_first)
{
    char path[2048];

    if (dir == NULL) {
        if (!*is_first)
            printf("---\n");
        *is_first = false;
        output_yaml(value);
        return EXIT_OK;
    }
    snprintf(path, sizeof path, "%s/%s-%.*s.yaml", dir, kind_word(kind), SLICE_ARG(name));
    /* output_yaml writes to stdout: send that to the file for as long as it takes. */
    fflush(stdout);
    FILE *file = freopen(path, "w", stdout);
    if (file == NULL)
        return fail(GW_FAILED, "choose another --dir", "%s: cannot be written", path);
    output_yaml(value);
    fflush(stdout);
    fprintf(stderr, "%s\n", path);
    return EXIT_OK;
}

int run_export(struct invocation *invocation)
{
    const char *dir = option_value(invocation, "--dir");
    bool is_first = true;
    int exit_code = EXIT_OK;

    if (invocation->output != OUTPUT_TABLE && invocation->output != OUTPUT_YAML)
        return fail(GW_USAGE, "gwctl get all -o json",
                    "export writes YAML, for files to apply again");
    if (dir != NULL)
        mkdir(dir, 0755);
    for (enum kind kind = 0; kind < KIND_COUNT && exit_code == EXIT_OK; kind++) {
        struct answer answer;
        struct arena arena;
        if (!kind_is_supported(kind))
            continue;
        exit_code = fetch(invocation, kind, NULL, &answer);
        if (exit_code != EXIT_OK)
            break;
        arena_init(&arena, 0, 0);
        const struct value *items = value_get(answer.root, "items");
        for (const struct value *item = items != NULL ? items->first : NULL;
             item != NULL && exit_code == EXIT_OK; item = item->next) {
            const struct value *value = as_given(&arena, item);
            if (value != NULL)
                exit_code =
                    export_one(dir, kind, value_text(value_get(item, "metadata"), "name"),
                               value, &is_first);
        }
        arena_deinit(&arena);
        answer_free(&answer);
    }
    return exit_code;
}

int run_schema(struct invocation *invocation)
{
    struct slice rest = slice_from_string(invocation->arguments[0]), kind_text, path = {0};
    struct error err = ERROR_NONE;
    struct buffer text;
    size_t dot = slice_find_byte(rest, '.');

    kind_text = dot == SIZE_MAX ? rest : slice_sub(rest, 0, dot);
    if (dot != SIZE_MAX)
        path = slice_from(rest, dot + 1);
    enum kind kind = kind_by_name(kind_text);
    if (kind == KIND_NONE)
        return fail_kind(invocation->arguments[0]);
    if (!kind_is_supported(kind))
        return fail(GW_USAGE, "gwctl --help", "kind %s is not supported yet",
                    kind_name(kind));
    if (slice_starts_with(path, SLICE("spec.")))
        path = slice_from(path, 5);
    else if (slice_equal(path, SLICE("spec")))
        path.size = 0;
    buffer_init(&text, 0);
    if (schema_describe(kind_schema(kind), path, &text, &err) == GW_OK)
        fwrite(text.data, 1, text.size, stdout);
    buffer_deinit(&text);
    return err.code == GW_OK ? EXIT_OK : fail_error(&err, "gwctl schema KIND");
}
