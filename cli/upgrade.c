/* cluster upgrade status and finalize. */
#include "cli/client.h"
#include "cli/confirm.h"
#include "cli/output.h"

#include <stdio.h>

static bool is_true(const struct value *root, const char *key)
{
    return slice_equal(value_text(root, key), SLICE("true"));
}

static struct slice or_unknown(struct slice text)
{
    return text.size == 0 ? SLICE("?") : text;
}

static void print_members(const struct value *root)
{
    static const char *const headings[] = {"NODE", "STATE", "VERSION", "PROTOCOL",
                                           "FORMAT"};
    const struct value *members = value_get(root, "members");
    struct output_table table;

    output_table_init(&table, headings, 5);
    for (const struct value *item = members != NULL ? members->first : NULL; item != NULL;
         item = item->next) {
        output_cell(&table, value_text(item, "name"));
        output_cell(&table, value_text(item, "state"));
        output_cell(&table, value_text(item, "version"));
        output_cell(&table, or_unknown(value_text(item, "protocol")));
        output_cell(&table, or_unknown(value_text(item, "format")));
    }
    output_table_print(&table);
}

/* What finalize would do, or why it cannot. */
static void print_outlook(const struct value *root)
{
    const struct value *brings = value_get(root, "brings");
    struct slice why = value_text(root, "why");

    printf("stored format  %.*s\n", SLICE_ARG(value_text(root, "storedFormat")));
    if (is_true(root, "finalized")) {
        printf("finalize       nothing to do\n\n");
        return;
    }
    printf("finalize       to format %.*s: ", SLICE_ARG(value_text(root, "targetFormat")));
    for (const struct value *text = brings != NULL ? brings->first : NULL; text != NULL;
         text = text->next)
        printf("%s%.*s", text == brings->first ? "" : "; ", SLICE_ARG(text->text));
    if (why.size != 0)
        printf("\nnot yet        %.*s\n\n", SLICE_ARG(why));
    else
        printf(
            "\nready          every member reads it: gwctl cluster upgrade finalize\n\n");
}

int run_upgrade_status(struct invocation *invocation)
{
    struct answer answer;
    int exit_code = client_get(invocation, SLICE("/v1/cluster/upgrade"), &answer);

    if (exit_code != EXIT_OK)
        return exit_code;
    if (!output_tree(invocation, answer.root)) {
        print_outlook(answer.root);
        print_members(answer.root);
    }
    answer_free(&answer);
    return EXIT_OK;
}

static int finalize(struct invocation *invocation)
{
    struct answer answer;
    int exit_code = client_post(invocation, SLICE("/v1/cluster/upgrade/finalize"),
                                (struct slice){0}, &answer);

    if (exit_code != EXIT_OK)
        return exit_code;
    if (!output_tree(invocation, answer.root) && !invocation->quiet)
        printf("stored format %.*s%s\n", SLICE_ARG(value_text(answer.root, "storedFormat")),
               is_true(answer.root, "changed") ? "" : " already");
    answer_free(&answer);
    return EXIT_OK;
}

/* Asked only where something would change: a script that runs it after every upgrade
 * needs no terminal for nothing. */
int run_upgrade_finalize(struct invocation *invocation)
{
    struct answer answer;
    int exit_code = client_get(invocation, SLICE("/v1/cluster/upgrade"), &answer);

    if (exit_code != EXIT_OK)
        return exit_code;
    bool is_due =
        !is_true(answer.root, "finalized") && value_text(answer.root, "why").size == 0;
    if (is_due)
        exit_code = confirm(
            invocation,
            "the stored format will be %.*s for good: an older gwd will not start on this "
            "cluster's data, nor join it",
            SLICE_ARG(value_text(answer.root, "targetFormat")));
    answer_free(&answer);
    return exit_code == EXIT_OK ? finalize(invocation) : exit_code;
}
