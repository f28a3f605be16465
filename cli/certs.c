/* cluster certs list and rotate. A rotation is asked for once, then looked at until
 * every node that is up has its new certificate. */
#include "base/instant.h"
#include "cli/client.h"
#include "cli/output.h"

#include <stdio.h>
#include <unistd.h>

#define PAUSE_US       100000
#define ROTATE_WAIT_MS 60000
#define NAMES_SIZE     512

static struct slice or_dash(struct slice text)
{
    return text.size == 0 ? SLICE("-") : text;
}

static void print_certs(const struct invocation *invocation, const struct value *root)
{
    static const char *const headings[] = {"NAME",  "STATUS",    "STATE", "DAYS-LEFT",
                                           "UNTIL", "AUTHORITY", "SERIAL"};
    const struct value *items = value_get(root, "items");
    struct output_table table;

    if (invocation->output != OUTPUT_NAME)
        output_table_init(&table, headings, 7);
    for (const struct value *item = items != NULL ? items->first : NULL; item != NULL;
         item = item->next) {
        bool is_ca = slice_equal(value_text(item, "kind"), SLICE("ca"));
        struct slice name = is_ca ? SLICE("(authority)") : value_text(item, "node");
        if (invocation->output == OUTPUT_NAME) {
            printf("%.*s\n", SLICE_ARG(name));
            continue;
        }
        /* Of an authority its own fingerprint, so that one finds it in the rows below. */
        struct slice authority = value_text(item, is_ca ? "fingerprint" : "issuer");
        output_cell(&table, name);
        output_cell(&table, value_text(item, "status"));
        output_cell(&table, or_dash(value_text(item, "state")));
        output_cell(&table, or_dash(value_text(item, "daysLeft")));
        output_cell(&table, or_dash(value_text(item, "notAfter")));
        output_cell(&table, or_dash(invocation->output == OUTPUT_WIDE || authority.size < 16
                                        ? authority
                                        : slice_sub(authority, 0, 16)));
        output_cell(&table, or_dash(value_text(item, "serial")));
    }
    if (invocation->output != OUTPUT_NAME)
        output_table_print(&table);
}

int run_certs_list(struct invocation *invocation)
{
    struct answer answer;
    int exit_code = client_get(invocation, SLICE("/v1/cluster/certs"), &answer);

    if (exit_code != EXIT_OK)
        return exit_code;
    if (!output_tree(invocation, answer.root))
        print_certs(invocation, answer.root);
    answer_free(&answer);
    return EXIT_OK;
}

/* Names of nodes that have an old certificate still: those that are up, or those that are
 * not. Returns how many. */
static size_t name_old(const struct value *root, bool is_up, char out[NAMES_SIZE])
{
    const struct value *items = value_get(root, "items");
    size_t count = 0, used = 0;

    out[0] = '\0';
    for (const struct value *item = items != NULL ? items->first : NULL; item != NULL;
         item = item->next) {
        struct slice status = value_text(item, "status"), name = value_text(item, "node");
        bool is_there = !slice_equal(value_text(item, "state"), SLICE("unreachable"));
        bool is_old = slice_equal(status, SLICE("due")) ||
                      slice_equal(status, SLICE("expired")) ||
                      slice_equal(status, SLICE("unknown"));
        if (name.size == 0 || !is_old || is_there != is_up)
            continue;
        if (used + name.size + 3 < NAMES_SIZE)
            used += (size_t)snprintf(out + used, NAMES_SIZE - used, "%s%.*s",
                                     count == 0 ? "" : ", ", SLICE_ARG(name));
        count++;
    }
    return count;
}

static int ask(struct invocation *invocation, bool *ret_changed)
{
    struct client *client;
    struct answer answer;
    struct error err = ERROR_NONE;
    struct call call = {.method = "POST", .target = SLICE("/v1/cluster/certs/rotate")};
    int exit_code = client_open(invocation, &client);

    if (exit_code != EXIT_OK)
        return exit_code;
    if (client_call(client, &call, &answer, &err) != GW_OK) {
        exit_code = fail_error(&err, "gwctl cluster status");
    } else {
        if (answer.status >= 300)
            exit_code = answer_fail(invocation, &answer);
        *ret_changed = slice_equal(value_text(answer.root, "changed"), SLICE("true"));
        answer_free(&answer);
    }
    client_close(client);
    return exit_code;
}

static void say(const struct invocation *invocation, const struct value *root, bool changed)
{
    char names[NAMES_SIZE];

    if (output_tree(invocation, root))
        return;
    if (!invocation->quiet && !changed)
        printf("a rotation was under way: it is done\n");
    print_certs(invocation, root);
    if (name_old(root, false, names) != 0 && !invocation->quiet)
        printf("not reached, and to renew by themselves when they are back: %s\n", names);
}

int run_certs_rotate(struct invocation *invocation)
{
    const uint64_t wait_ms =
        invocation->has_timeout ? invocation->timeout_ms : (uint64_t)ROTATE_WAIT_MS;
    const uint64_t deadline_ms = instant_monotonic_ms() + wait_ms;
    struct answer answer;
    char names[NAMES_SIZE];
    bool changed = false;
    int exit_code = ask(invocation, &changed);

    while (exit_code == EXIT_OK) {
        exit_code = client_get(invocation, SLICE("/v1/cluster/certs"), &answer);
        if (exit_code != EXIT_OK)
            break;
        size_t left = name_old(answer.root, true, names);
        if (left == 0)
            say(invocation, answer.root, changed);
        else if (instant_monotonic_ms() >= deadline_ms)
            exit_code = fail(GW_TIMEOUT, "gwctl cluster certs list",
                             "the rotation goes on, but not yet done within %llu ms: %s",
                             (unsigned long long)wait_ms, names);
        answer_free(&answer);
        if (left == 0)
            break;
        usleep(PAUSE_US);
    }
    return exit_code;
}
