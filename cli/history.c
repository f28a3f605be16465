/* history, rollback: what was changed, and back again. */
#include "cli/output.h"
#include "cli/send.h"

#include <stdio.h>

/* The arguments [KIND [NAME]]: an exit code after a sentence if the kind is none. */
static int read_kind(const struct invocation *invocation, enum kind *ret_kind)
{
    const char *text = invocation->argument_count > 0 ? invocation->arguments[0] : "all";

    *ret_kind = KIND_NONE;
    if (strcmp(text, "all") == 0 && invocation->argument_count < 2)
        return EXIT_OK;
    *ret_kind = kind_by_name(slice_from_string(text));
    return *ret_kind == KIND_NONE ? fail_kind(text) : EXIT_OK;
}

static void summarise(const struct value *item, struct buffer *out)
{
    const struct value *changes = value_get(item, "changes");
    uint64_t count = 0;
    size_t told = 0;

    slice_parse_u64(value_text(item, "changeCount"), &count);
    for (const struct value *change = changes != NULL ? changes->first : NULL;
         change != NULL && told < 3; change = change->next, told++)
        buffer_printf(out, "%s%.*s/%.*s %.*s", told > 0 ? ", " : "",
                      SLICE_ARG(value_text(change, "kind")),
                      SLICE_ARG(value_text(change, "name")),
                      SLICE_ARG(value_text(change, "action")));
    if (count > told)
        buffer_printf(out, " and %llu more", (unsigned long long)(count - told));
}

static void print_table(const struct value *items)
{
    static const char *const headings[] = {"REVISION", "AT", "BY", "CHANGES", "MESSAGE"};
    struct output_table table;

    output_table_init(&table, headings, 5);
    for (const struct value *item = items != NULL ? items->first : NULL; item != NULL;
         item = item->next) {
        struct buffer summary;
        buffer_init(&summary, 2048);
        summarise(item, &summary);
        output_cell(&table, value_text(item, "revision"));
        output_cell(&table, value_text(item, "at"));
        output_cell(&table, value_text(item, "by"));
        output_cell(&table, buffer_slice(&summary));
        output_cell(&table, value_text(item, "message"));
        buffer_deinit(&summary);
    }
    output_table_print(&table);
}

static void print_names(const struct value *items)
{
    for (const struct value *item = items != NULL ? items->first : NULL; item != NULL;
         item = item->next)
        printf("%.*s\n", SLICE_ARG(value_text(item, "revision")));
}

int run_history(struct invocation *invocation)
{
    const char *limit = option_value(invocation, "--limit");
    struct buffer target;
    struct answer answer;
    enum kind kind;
    int exit_code = read_kind(invocation, &kind);

    if (exit_code != EXIT_OK)
        return exit_code;
    buffer_init(&target, 8192);
    buffer_printf(&target, "/v1/history?kind=%s",
                  kind == KIND_NONE ? "all" : kind_word(kind));
    if (invocation->argument_count > 1) {
        buffer_append_slice(&target, SLICE("&name="));
        target_encode(&target, slice_from_string(invocation->arguments[1]));
    }
    if (limit != NULL) {
        buffer_append_slice(&target, SLICE("&limit="));
        target_encode(&target, slice_from_string(limit));
    }
    if (invocation->stale)
        buffer_append_slice(&target, SLICE("&consistency=stale"));
    exit_code = client_get(invocation, buffer_slice(&target), &answer);
    buffer_deinit(&target);
    if (exit_code != EXIT_OK)
        return exit_code;
    if (!output_tree(invocation, answer.root)) {
        const struct value *items = value_get(answer.root, "items");
        if (invocation->output == OUTPUT_NAME)
            print_names(items);
        else
            print_table(items);
    }
    answer_free(&answer);
    return EXIT_OK;
}

static void write_wish(struct buffer *body, const struct invocation *invocation,
                       enum kind kind)
{
    const char *to = option_value(invocation, "--to");
    const char *message = option_value(invocation, "--message");
    struct emit emit;

    emit_init(&emit, body, false);
    emit_object(&emit);
    if (to != NULL) {
        emit_key(&emit, "to");
        emit_cstring(&emit, to);
    }
    if (kind != KIND_NONE) {
        emit_key(&emit, "kind");
        emit_cstring(&emit, kind_name(kind));
        emit_key(&emit, "name");
        emit_cstring(&emit, invocation->arguments[1]);
    }
    if (message != NULL) {
        emit_key(&emit, "message");
        emit_cstring(&emit, message);
    }
    emit_object_end(&emit);
}

int run_rollback(struct invocation *invocation)
{
    const char *to = option_value(invocation, "--to");
    uint64_t revision;
    enum kind kind;
    struct send send;
    int exit_code = read_kind(invocation, &kind);

    if (exit_code == EXIT_OK && invocation->argument_count == 1)
        exit_code = fail_help(invocation->command, "rollback of one object needs its name");
    if (exit_code == EXIT_OK && to != NULL &&
        !slice_parse_u64(slice_from_string(to), &revision))
        exit_code = fail(GW_USAGE, "gwctl history", "--to takes a revision, not '%s'", to);
    if (exit_code == EXIT_OK)
        exit_code = send_check(invocation);
    if (exit_code != EXIT_OK)
        return exit_code;
    send_init(&send, invocation, "POST", "/v1/rollback");
    write_wish(&send.body, invocation, kind);
    exit_code = send_run(&send);
    send_deinit(&send);
    return exit_code;
}
