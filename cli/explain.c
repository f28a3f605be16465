/* explain METHOD URL: what would happen to a request, and why. */
#include "cli/client.h"
#include "cli/output.h"

#include <stdio.h>

#define SKIPPED_SHOWN 10 /* lines: the nearest come first */
#define SKIPPED_TOLD  64 /* a node tells of no more */

static int write_body(struct buffer *body, const struct invocation *invocation)
{
    const char *from = option_value(invocation, "--from"),
               *region = option_value(invocation, "--region");
    const char *header;
    struct emit emit;
    int position = 0;

    emit_init(&emit, body, false);
    emit_object(&emit);
    emit_key(&emit, "method");
    emit_cstring(&emit, invocation->arguments[0]);
    emit_key(&emit, "url");
    emit_cstring(&emit, invocation->arguments[1]);
    emit_key(&emit, "headers");
    emit_array(&emit);
    while ((header = option_next(invocation, "--header", &position)) != NULL) {
        struct slice text = slice_from_string(header);
        size_t colon = slice_find_byte(text, ':');
        if (colon == SIZE_MAX || colon == 0)
            return fail(GW_USAGE, "gwctl explain GET URL -H 'name: value'",
                        "header '%s' has no ':'", header);
        emit_object(&emit);
        emit_key(&emit, "name");
        emit_string(&emit, slice_trim(slice_sub(text, 0, colon)));
        emit_key(&emit, "value");
        emit_string(&emit, slice_trim(slice_from(text, colon + 1)));
        emit_object_end(&emit);
    }
    emit_array_end(&emit);
    if (from != NULL) {
        emit_key(&emit, "from");
        emit_cstring(&emit, from);
    }
    if (region != NULL) {
        emit_key(&emit, "region");
        emit_cstring(&emit, region);
    }
    emit_object_end(&emit);
    return EXIT_OK;
}

/* A value of any type in one line. */
static void print_inline(const struct value *value)
{
    struct buffer text;
    struct emit emit;

    if (value == NULL || value->type == VALUE_NULL) {
        printf("-");
        return;
    }
    if (value->type == VALUE_SCALAR) {
        printf("%.*s", SLICE_ARG(value->text));
        return;
    }
    if (value->type == VALUE_MAP && value_get(value, "name") != NULL) {
        printf("%.*s", SLICE_ARG(value_text(value, "name")));
        for (const struct value *item = value->first; item != NULL; item = item->next) {
            if (item->type == VALUE_SCALAR && !slice_equal(item->key, SLICE("name")))
                printf("  %.*s %.*s", SLICE_ARG(item->key), SLICE_ARG(item->text));
        }
        return;
    }
    if (value->type == VALUE_LIST) {
        for (const struct value *item = value->first; item != NULL; item = item->next) {
            printf("%s", item == value->first ? "" : ", ");
            print_inline(item);
        }
        if (value->count == 0)
            printf("none");
        return;
    }
    buffer_init(&text, 0);
    emit_init(&emit, &text, false);
    value_emit(&emit, value);
    printf("%.*s", SLICE_ARG(buffer_slice(&text)));
    buffer_deinit(&text);
}

static void print_explained(const struct value *root)
{
    static const char *const parts[] = {"listener", "route",    "policies",
                                        "service",  "endpoint", "result"};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        printf("%-9s ", parts[i]);
        print_inline(value_get(root, parts[i]));
        printf("\n");
        if (strcmp(parts[i], "route") != 0)
            continue;
        const struct value *skipped = value_get(root, "skipped");
        size_t shown = 0;
        for (const struct value *item = skipped != NULL ? skipped->first : NULL;
             item != NULL && shown < SKIPPED_SHOWN; item = item->next, shown++)
            printf("            skipped %.*s: %.*s\n", SLICE_ARG(value_text(item, "route")),
                   SLICE_ARG(value_text(item, "why")));
        if (skipped != NULL && skipped->count > shown)
            printf("            … and %s%zu more\n",
                   skipped->count >= SKIPPED_TOLD ? "at least " : "",
                   skipped->count - shown);
    }
    printf("at revision %.*s\n", SLICE_ARG(value_text(root, "revision")));
}

int run_explain(struct invocation *invocation)
{
    struct client *client;
    struct buffer body;
    struct answer answer;
    struct error err = ERROR_NONE;

    buffer_init(&body, 1u << 20);
    int exit_code = write_body(&body, invocation);
    if (exit_code == EXIT_OK)
        exit_code = client_open(invocation, &client);
    if (exit_code != EXIT_OK) {
        buffer_deinit(&body);
        return exit_code;
    }
    struct call call = {
        .method = "POST", .target = SLICE("/v1/explain"), .body = buffer_slice(&body)};
    if (client_call(client, &call, &answer, &err) != GW_OK) {
        exit_code =
            fail_error(&err, "check that gwd runs, and the endpoint: gwctl -e unix:PATH …");
    } else {
        if (answer.status >= 300)
            exit_code = answer_fail(invocation, &answer);
        else if (!output_tree(invocation, answer.root))
            print_explained(answer.root);
        answer_free(&answer);
    }
    buffer_deinit(&body);
    client_close(client);
    return exit_code;
}
