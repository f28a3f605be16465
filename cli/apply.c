/* validate, diff, apply: what is in files against what is in the cluster. */
#include "base/instant.h"
#include "cli/client.h"
#include "cli/files.h"
#include "cli/output.h"
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

static bool waits_for_all(const struct invocation *invocation)
{
    const char *wait = option_value(invocation, "--wait");

    return wait != NULL && strcmp(wait, "all") == 0;
}

static void write_target(struct buffer *target, const struct invocation *invocation,
                         const char *selector)
{
    const char *if_revision = option_value(invocation, "--if-revision");
    char separator = '?';

    buffer_append_slice(target, SLICE("/v1/apply"));
    if (option_value(invocation, "--dry-run") != NULL) {
        buffer_printf(target, "%cdryRun=true", separator);
        separator = '&';
    }
    if (selector != NULL) {
        buffer_printf(target, "%cprune=", separator);
        target_encode(target, slice_from_string(selector));
        separator = '&';
    }
    if (if_revision != NULL) {
        buffer_printf(target, "%cifRevision=", separator);
        target_encode(target, slice_from_string(if_revision));
        separator = '&';
    }
    /* Committed is done; the short wait is only for the line that says where it is served.
     */
    buffer_printf(target, "%cwait=%llu", separator,
                  (unsigned long long)(waits_for_all(invocation)
                                           ? invocation->timeout_ms / 5 * 4
                                           : 250));
}

static void print_applied(const struct invocation *invocation, struct files *files,
                          const struct answer *answer, uint64_t elapsed_ms)
{
    const struct value *objects = value_get(answer->root, "objects");
    const struct value *nodes = value_get(answer->root, "nodes");
    struct slice revision = value_text(answer->root, "revision");
    bool is_dry = slice_equal(value_text(answer->root, "dryRun"), SLICE("true"));
    uint64_t wanted = 0, has;
    size_t served = 0;

    if (output_tree(invocation, answer->root))
        return; /* with the warnings */
    problems_read(&files->problems, value_get(answer->root, "warnings"), true);
    files_complain(files, invocation);
    for (const struct value *object = objects != NULL ? objects->first : NULL;
         object != NULL; object = object->next) {
        enum kind kind = kind_by_name(value_text(object, "kind"));
        struct slice name = value_text(object, "name"),
                     action = value_text(object, "action");
        if (kind == KIND_NONE)
            continue;
        if (invocation->output == OUTPUT_NAME)
            printf("%s/%.*s\n", kind_word(kind), SLICE_ARG(name));
        else if (!invocation->quiet)
            printf("%s/%.*s %.*s%s\n", kind_word(kind), SLICE_ARG(name), SLICE_ARG(action),
                   is_dry ? " (dry run)" : "");
    }
    if (invocation->output == OUTPUT_NAME || invocation->quiet)
        return;
    slice_parse_u64(revision, &wanted);
    for (const struct value *node = nodes != NULL ? nodes->first : NULL; node != NULL;
         node = node->next)
        served += slice_parse_u64(value_text(node, "revision"), &has) && has >= wanted;
    if (is_dry)
        printf("dry run against revision %.*s; nothing applied\n", SLICE_ARG(revision));
    else
        printf("revision %.*s, on %zu of %zu nodes in %llu ms\n", SLICE_ARG(revision),
               served, nodes != NULL ? nodes->count : 0, (unsigned long long)elapsed_ms);
}

/* Names the nodes that do not serve it yet; how many. */
static size_t name_laggards(const struct answer *answer, char *out, size_t size)
{
    const struct value *nodes = value_get(answer->root, "nodes");
    uint64_t wanted = 0, has;
    size_t count = 0;

    out[0] = '\0';
    slice_parse_u64(value_text(answer->root, "revision"), &wanted);
    for (const struct value *node = nodes != NULL ? nodes->first : NULL; node != NULL;
         node = node->next) {
        if (slice_parse_u64(value_text(node, "revision"), &has) && has >= wanted)
            continue;
        snprintf(out + strlen(out), size - strlen(out), "%s%.*s", count > 0 ? ", " : "",
                 SLICE_ARG(value_text(node, "name")));
        count++;
    }
    return count;
}

/* The server's errors, placed where the files have them. */
static bool take_errors(struct files *files, const struct answer *answer)
{
    const struct value *errors = value_get(answer->root, "errors");

    if (errors == NULL || errors->count == 0)
        return false;
    problems_read(&files->problems, errors, false);
    return true;
}

int run_apply(struct invocation *invocation)
{
    struct files files;
    struct client *client = NULL;
    struct buffer body, target;
    struct answer answer;
    struct error err = ERROR_NONE;
    uint64_t started_ms = instant_monotonic_ms();
    const char *wait = option_value(invocation, "--wait");
    char laggards[1024];
    int exit_code;
    const char *selector = prune_selector(invocation, &exit_code);

    if (exit_code != EXIT_OK)
        return exit_code;
    if (wait != NULL && strcmp(wait, "all") != 0 && strcmp(wait, "quorum") != 0)
        return fail(GW_USAGE, "gwctl apply --wait all -f FILE",
                    "--wait takes quorum or all, not '%s'", wait);
    exit_code = files_open(&files, invocation);
    if (exit_code != EXIT_OK) {
        files_close(&files);
        return exit_code;
    }
    if (problems_failed(&files.problems)) {
        files_check_alone(&files);
        files_complain(&files, invocation);
        files_close(&files);
        return EXIT_INVALID;
    }
    exit_code = client_open(invocation, &client);
    if (exit_code != EXIT_OK) {
        files_close(&files);
        return exit_code;
    }
    buffer_init(&body, 0);
    buffer_init(&target, 8192);
    write_body(&body, &files, option_value(invocation, "--message"));
    write_target(&target, invocation, selector);
    struct call call = {
        .method = "POST",
        .target = buffer_slice(&target),
        .body = buffer_slice(&body),
        .request_id = option_value(invocation, "--request-id"),
    };
    /* What the files warn of, the server says too. */
    files.problems.count = 0;
    files.problems.warnings = 0;
    if (client_call(client, &call, &answer, &err) != GW_OK) {
        exit_code = fail_error(
            &err, "gwctl cluster status; then apply again with the same --request-id");
    } else {
        if (answer.status < 300)
            print_applied(invocation, &files, &answer, instant_monotonic_ms() - started_ms);
        else if ((invocation->output != OUTPUT_JSON || answer.status == 422) &&
                 take_errors(&files, &answer) && files_complain(&files, invocation))
            exit_code =
                answer.status == 409 || answer.status == 412 ? EXIT_CONFLICT : EXIT_INVALID;
        else
            exit_code = answer_fail(invocation, &answer);
        if (answer.status < 300 && waits_for_all(invocation) &&
            name_laggards(&answer, laggards, sizeof laggards) > 0)
            exit_code = fail(GW_TIMEOUT, "gwctl cluster members",
                             "the change stands, but is not served yet by: %s", laggards);
        answer_free(&answer);
    }
    client_close(client);
    buffer_deinit(&body);
    buffer_deinit(&target);
    files_close(&files);
    return exit_code;
}
