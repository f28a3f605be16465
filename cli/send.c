/* The wait for others to serve a change is the server's, and shorter than the
 * whole time there is, so that its answer is here before time is up. */
#include "cli/send.h"

#include "base/instant.h"
#include "cli/output.h"

#include <stdio.h>

#define SHORT_WAIT_MS 250

static bool waits_for_nodes(const struct invocation *invocation)
{
    const char *wait = option_value(invocation, "--wait");

    return wait != NULL && strcmp(wait, "quorum") != 0;
}

int send_check(const struct invocation *invocation)
{
    const char *wait = option_value(invocation, "--wait");
    const char *if_revision = option_value(invocation, "--if-revision");
    uint64_t revision;

    if (wait != NULL && strcmp(wait, "all") != 0 && strcmp(wait, "quorum") != 0 &&
        strcmp(wait, "region") != 0)
        return fail(GW_USAGE, "gwctl … --wait all",
                    "--wait takes quorum, region or all, not '%s'", wait);
    if (if_revision != NULL && !slice_parse_u64(slice_from_string(if_revision), &revision))
        return fail(GW_USAGE, "gwctl cluster status, which says the revision",
                    "--if-revision takes a revision, not '%s'", if_revision);
    return EXIT_OK;
}

void send_query(struct send *send, const char *key, struct slice value)
{
    buffer_printf(&send->target, "%c%s=", send->has_query ? '&' : '?', key);
    target_encode(&send->target, value);
    send->has_query = true;
}

void send_init(struct send *send, const struct invocation *invocation, const char *method,
               const char *path)
{
    const char *if_revision = option_value(invocation, "--if-revision");
    char wait[24];

    memset(send, 0, sizeof *send);
    send->invocation = invocation;
    send->method = method;
    buffer_init(&send->target, 8192);
    buffer_init(&send->body, 0);
    buffer_append_slice(&send->target, slice_from_string(path));
    if (option_value(invocation, "--dry-run") != NULL)
        send_query(send, "dryRun", SLICE("true"));
    if (if_revision != NULL)
        send_query(send, "ifRevision", slice_from_string(if_revision));
    /* Committed is done; the short wait is only for the line that says where it is
     * served. */
    send->wait_ms =
        waits_for_nodes(invocation) ? invocation->timeout_ms / 5 * 4 : SHORT_WAIT_MS;
    snprintf(wait, sizeof wait, "%llu", (unsigned long long)send->wait_ms);
    send_query(send, "wait", slice_from_string(wait));
    if (waits_for_nodes(invocation))
        send_query(send, "waitFor", slice_from_string(option_value(invocation, "--wait")));
}

void send_deinit(struct send *send)
{
    buffer_deinit(&send->target);
    buffer_deinit(&send->body);
}

enum result send_ask(struct send *send, struct answer *ret_answer, int *ret_exit)
{
    struct client *client;
    struct error err = ERROR_NONE;
    uint64_t started_ms = instant_monotonic_ms();
    struct call call = {
        .method = send->method,
        .target = buffer_slice(&send->target),
        .body = buffer_slice(&send->body),
        .if_match = send->if_match,
        .request_id = option_value(send->invocation, "--request-id"),
        .hold_ms = send->wait_ms,
    };

    *ret_exit = client_open(send->invocation, &client);
    if (*ret_exit != EXIT_OK)
        return GW_FAILED;
    enum result result = client_call(client, &call, ret_answer, &err);
    if (result != GW_OK)
        *ret_exit = fail_error(
            &err, "gwctl cluster status; then the same again with the same --request-id");
    else
        ret_answer->elapsed_ms = instant_monotonic_ms() - started_ms;
    client_close(client);
    return result;
}

static void print_objects(const struct invocation *invocation, const struct value *objects,
                          bool is_dry)
{
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
}

static void print_done(struct send *send, const struct answer *answer)
{
    const struct invocation *invocation = send->invocation;
    const struct value *nodes = value_get(answer->root, "nodes");
    struct slice revision = value_text(answer->root, "revision");
    bool is_dry = slice_equal(value_text(answer->root, "dryRun"), SLICE("true"));
    uint64_t wanted = 0, has;
    size_t served = 0;

    if (output_tree(invocation, answer->root))
        return; /* with the warnings */
    if (send->files != NULL) {
        problems_read(&send->files->problems, value_get(answer->root, "warnings"), true);
        files_complain(send->files, invocation);
    }
    print_objects(invocation, value_get(answer->root, "objects"), is_dry);
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
               served, nodes != NULL ? nodes->count : 0,
               (unsigned long long)answer->elapsed_ms);
}

/* The server's errors, placed where the files have them. */
static bool take_errors(struct send *send, const struct answer *answer)
{
    const struct value *errors = value_get(answer->root, "errors");

    if (send->files == NULL || errors == NULL || errors->count == 0 ||
        (send->invocation->output == OUTPUT_JSON && answer->status != 422))
        return false;
    problems_read(&send->files->problems, errors, false);
    return files_complain(send->files, send->invocation);
}

int send_tell(struct send *send, struct answer *answer)
{
    int exit_code = EXIT_OK;

    if (answer->status < 300) {
        print_done(send, answer);
        if (waits_for_nodes(send->invocation) && answer->laggards[0] != '\0')
            exit_code =
                fail(GW_TIMEOUT, "gwctl cluster members",
                     "the change stands, but is not served yet by: %s", answer->laggards);
    } else if (take_errors(send, answer)) {
        exit_code =
            answer->status == 409 || answer->status == 412 ? EXIT_CONFLICT : EXIT_INVALID;
    } else {
        exit_code = answer_fail(send->invocation, answer);
    }
    answer_free(answer);
    return exit_code;
}

int send_run(struct send *send)
{
    struct answer answer;
    int exit_code;

    return send_ask(send, &answer, &exit_code) == GW_OK ? send_tell(send, &answer)
                                                        : exit_code;
}
