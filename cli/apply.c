/* validate, diff, apply: what is in files against what is in the cluster. */
#include "cli/send.h"
#include "model/diff.h"

#include <stdio.h>

/* Every object of the kinds that there are, decoded. */
static int fetch_catalog(const struct invocation *invocation, struct catalog *ret_catalog)
{
    catalog_init(ret_catalog);
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        char target[128];
        struct answer answer;
        struct problems problems;
        if (!kind_is_supported(kind))
            continue;
        snprintf(target, sizeof target, "/v1/resources/%s%s", kind_word(kind),
                 invocation->stale ? "?consistency=stale" : "");
        int exit_code = client_get(invocation, slice_from_string(target), &answer);
        if (exit_code != EXIT_OK) {
            catalog_deinit(ret_catalog);
            return exit_code;
        }
        problems_init(&problems);
        const struct value *items = value_get(answer.root, "items");
        for (const struct value *item = items != NULL ? items->first : NULL; item != NULL;
             item = item->next) {
            struct resource *resource = resource_decode(item, SLICE(""), 0, &problems);
            if (resource != NULL) {
                catalog_put(ret_catalog, resource);
                resource_unref(resource);
            }
        }
        problems_deinit(&problems);
        answer_free(&answer);
    }
    return EXIT_OK;
}

int run_validate(struct invocation *invocation)
{
    struct files files;
    struct catalog known;
    bool has_server = option_value(invocation, "--server") != NULL;
    int exit_code = files_open(&files, invocation);

    if (exit_code == EXIT_OK && has_server)
        exit_code = fetch_catalog(invocation, &known);
    if (exit_code == EXIT_OK) {
        files_check(&files, has_server ? &known : NULL);
        if (has_server)
            catalog_deinit(&known);
        if (files_complain(&files, invocation))
            exit_code = EXIT_INVALID;
        else if (!invocation->quiet)
            printf("%zu objects valid\n", files.change.count);
    }
    files_close(&files);
    return exit_code;
}

static const char *prune_selector(const struct invocation *invocation, int *ret_exit)
{
    const char *selector = option_value(invocation, "--selector");

    *ret_exit = EXIT_OK;
    if (option_value(invocation, "--prune") == NULL)
        return NULL;
    if (selector == NULL)
        *ret_exit = fail(GW_USAGE, "gwctl apply --prune -l team=apps -f FILE",
                         "--prune needs a selector, so that it deletes only what is yours");
    return selector;
}

int run_diff(struct invocation *invocation)
{
    struct files files;
    struct catalog known;
    struct buffer text;
    size_t lines = 0;
    int exit_code;
    const char *selector = prune_selector(invocation, &exit_code);

    if (exit_code != EXIT_OK)
        return exit_code;
    exit_code = files_open(&files, invocation);
    if (exit_code == EXIT_OK && files_complain(&files, invocation))
        exit_code = EXIT_INVALID;
    if (exit_code == EXIT_OK)
        exit_code = fetch_catalog(invocation, &known);
    if (exit_code != EXIT_OK) {
        files_close(&files);
        return exit_code == EXIT_ERROR ? EXIT_USAGE
                                       : exit_code; /* above 1: diff's own "trouble" */
    }
    if (selector != NULL)
        change_prune(&files.change, &known, slice_from_string(selector));
    buffer_init(&text, 0);
    for (size_t i = 0; i < files.change.count; i++) {
        const struct change_item *item = &files.change.items[i];
        const struct resource *before = catalog_get(&known, item->kind, item->name);
        size_t start = text.size;
        bool is_same = before != NULL && item->resource != NULL &&
                       resource_equal(before, item->resource);
        if (is_same)
            continue;
        buffer_printf(&text, "%s %s/%.*s\n",
                      item->resource == NULL ? "-"
                      : before == NULL       ? "+"
                                             : "~",
                      kind_name(item->kind), SLICE_ARG(item->name));
        size_t printed = diff_print(&text, before, item->resource);
        if (printed == 0 && before != NULL && item->resource != NULL)
            text.size = start;
        else
            lines++;
    }
    if (text.size > 0)
        fwrite(text.data, 1, text.size, stdout);
    buffer_deinit(&text);
    catalog_deinit(&known);
    files_close(&files);
    return lines == 0 ? EXIT_OK : 1;
}

static void write_body(struct buffer *body, const struct files *files, const char *message)
{
    struct emit emit;

    emit_init(&emit, body, false);
    source_emit_objects(&emit, &files->source);
    if (message != NULL) {
        emit_key(&emit, "message");
        emit_cstring(&emit, message);
    }
    emit_object_end(&emit);
}

int run_apply(struct invocation *invocation)
{
    struct files files;
    struct send send;
    int exit_code;
    const char *selector = prune_selector(invocation, &exit_code);

    if (exit_code == EXIT_OK)
        exit_code = send_check(invocation);
    if (exit_code != EXIT_OK)
        return exit_code;
    exit_code = files_open(&files, invocation);
    if (exit_code == EXIT_OK && problems_failed(&files.problems)) {
        files_check_alone(&files);
        files_complain(&files, invocation);
        exit_code = EXIT_INVALID;
    }
    if (exit_code == EXIT_OK) {
        send_init(&send, invocation, "POST", "/v1/apply");
        if (selector != NULL)
            send_query(&send, "prune", slice_from_string(selector));
        write_body(&send.body, &files, option_value(invocation, "--message"));
        /* What the files warn of, the server says too. */
        files.problems.count = 0;
        files.problems.warnings = 0;
        send.files = &files;
        exit_code = send_run(&send);
        send_deinit(&send);
    }
    files_close(&files);
    return exit_code;
}
