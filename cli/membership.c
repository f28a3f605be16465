/* cluster role, promote, demote, transfer, remove: each says what shall be, and asks
 * again until it is, or until the time is over. */
#include "base/instant.h"
#include "cli/client.h"
#include "cli/confirm.h"
#include "cli/output.h"

#include <stdio.h>
#include <unistd.h>

#define PAUSE_US     100000
#define ROLE_WAIT_MS 3000 /* a vote may take longer than anybody likes to watch */

static bool is_true(const struct value *root, const char *key)
{
    return slice_equal(value_text(root, key), SLICE("true"));
}

/* Repeats the call until its answer says done, or `wait_ms` is over: then the last
 * answer is left, not done. *ret_changed: any of them changed something. */
static int insist(struct invocation *invocation, const struct call *call, uint64_t wait_ms,
                  struct answer *ret_answer, bool *ret_changed)
{
    const uint64_t deadline_ms = instant_monotonic_ms() + wait_ms;
    struct client *client;
    struct error err = ERROR_NONE;
    int exit_code = client_open(invocation, &client);

    *ret_changed = false;
    if (exit_code != EXIT_OK)
        return exit_code;
    for (;;) {
        if (client_call(client, call, ret_answer, &err) != GW_OK) {
            exit_code = fail_error(&err, "gwctl cluster status");
            break;
        }
        if (ret_answer->status >= 300) {
            exit_code = answer_fail(invocation, ret_answer);
            answer_free(ret_answer);
            break;
        }
        *ret_changed |= is_true(ret_answer->root, "changed");
        if (is_true(ret_answer->root, "done") || instant_monotonic_ms() >= deadline_ms)
            break;
        answer_free(ret_answer);
        usleep(PAUSE_US);
    }
    client_close(client);
    return exit_code;
}

static void member_target(struct buffer *target, const char *node)
{
    buffer_init(target, 1024);
    buffer_append_slice(target, SLICE("/v1/cluster/members/"));
    target_encode(target, slice_from_string(node));
}

static int set_role(struct invocation *invocation, const char *node, const char *role)
{
    struct buffer target, body;
    struct answer answer;
    bool changed;

    member_target(&target, node);
    buffer_init(&body, 128);
    buffer_printf(&body, "{\"role\":\"%s\"}", role);
    struct call call = {
        .method = "PATCH", .target = buffer_slice(&target), .body = buffer_slice(&body)};
    uint64_t wait_ms =
        invocation->has_timeout ? invocation->timeout_ms : (uint64_t)ROLE_WAIT_MS;
    int exit_code = insist(invocation, &call, wait_ms, &answer, &changed);
    buffer_deinit(&target);
    buffer_deinit(&body);
    if (exit_code != EXIT_OK)
        return exit_code;
    if (!output_tree(invocation, answer.root) && !invocation->quiet) {
        struct slice why = value_text(answer.root, "why");
        printf("%.*s: role %s%s", SLICE_ARG(value_text(answer.root, "name")), role,
               changed ? "" : " already");
        if (is_true(answer.root, "done"))
            printf(", now %.*s\n", SLICE_ARG(value_text(answer.root, "role")));
        else
            printf("; %.*s\n", SLICE_ARG(why));
    }
    answer_free(&answer);
    return EXIT_OK;
}

int run_cluster_role(struct invocation *invocation)
{
    static const char *const roles[] = {"auto", "voter", "standby", "witness"};
    const char *wanted = invocation->arguments[1], *best = NULL;
    size_t best_distance = 4;

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        size_t distance = slice_distance(slice_from_string(wanted),
                                         slice_from_string(roles[i]), best_distance);
        if (distance == 0)
            return set_role(invocation, invocation->arguments[0], roles[i]);
        if (distance < best_distance) {
            best = roles[i];
            best_distance = distance;
        }
    }
    return fail(GW_USAGE, "gwctl cluster role NODE auto|voter|standby|witness",
                "unknown role '%s'%s%s%s", wanted, best == NULL ? "" : " (did you mean '",
                best == NULL ? "" : best, best == NULL ? "" : "'?)");
}

int run_cluster_promote(struct invocation *invocation)
{
    return set_role(invocation, invocation->arguments[0], "voter");
}

int run_cluster_demote(struct invocation *invocation)
{
    return set_role(invocation, invocation->arguments[0], "standby");
}

/* Who leads now, into `out`; without a leader, EXIT_UNREACHABLE. */
static int current_leader(struct invocation *invocation, char out[128])
{
    struct answer answer;
    int exit_code = client_get(invocation, SLICE("/v1/cluster/leader"), &answer);

    if (exit_code != EXIT_OK)
        return exit_code;
    snprintf(out, 128, "%.*s", SLICE_ARG(value_text(answer.root, "name")));
    answer_free(&answer);
    return EXIT_OK;
}

int run_cluster_transfer(struct invocation *invocation)
{
    bool has_target = invocation->argument_count > 0;
    char from[128] = "";
    struct buffer body;
    struct emit emit;
    struct answer answer;
    bool changed;

    /* Named once, so that asking again does not hand it on and on. */
    if (!has_target) {
        int exit_code = current_leader(invocation, from);
        if (exit_code != EXIT_OK)
            return exit_code;
    }
    buffer_init(&body, 1024);
    emit_init(&emit, &body, false);
    emit_object(&emit);
    emit_key(&emit, has_target ? "to" : "from");
    emit_cstring(&emit, has_target ? invocation->arguments[0] : from);
    emit_object_end(&emit);
    struct call call = {.method = "POST",
                        .target = SLICE("/v1/cluster/transfer"),
                        .body = buffer_slice(&body)};
    int exit_code = insist(invocation, &call, invocation->timeout_ms, &answer, &changed);
    buffer_deinit(&body);
    if (exit_code != EXIT_OK)
        return exit_code;
    if (!is_true(answer.root, "done"))
        exit_code = fail(GW_TIMEOUT, "gwctl cluster members", "%.*s",
                         SLICE_ARG(value_text(answer.root, "why")));
    else if (!output_tree(invocation, answer.root) && !invocation->quiet)
        printf("%.*s leads%s\n", SLICE_ARG(value_text(answer.root, "leader")),
               changed ? "" : " already");
    answer_free(&answer);
    return exit_code;
}

int run_cluster_remove(struct invocation *invocation)
{
    const char *node = invocation->arguments[0];
    bool is_forced = option_value(invocation, "--force") != NULL;
    struct buffer target;
    struct answer answer;
    char consequence[512];
    bool changed;

    snprintf(consequence, sizeof consequence,
             "'%s' will be cut off from the cluster for good: to come back it must join "
             "anew, under a new id%s",
             node,
             is_forced ? ". With --force nobody makes sure that a quorum is left" : "");
    int exit_code = confirm(invocation, "%s", consequence);
    if (exit_code != EXIT_OK)
        return exit_code;
    member_target(&target, node);
    if (is_forced)
        buffer_append_slice(&target, SLICE("?force"));
    struct call call = {.method = "DELETE", .target = buffer_slice(&target)};
    exit_code = insist(invocation, &call, invocation->timeout_ms, &answer, &changed);
    buffer_deinit(&target);
    if (exit_code != EXIT_OK)
        return exit_code;
    if (!is_true(answer.root, "done"))
        exit_code =
            fail(GW_TIMEOUT, "gwctl cluster members; to undo: gwctl cluster role NODE auto",
                 "not removed yet: %.*s", SLICE_ARG(value_text(answer.root, "why")));
    else if (!output_tree(invocation, answer.root) && !invocation->quiet)
        printf("%.*s %s\n", SLICE_ARG(value_text(answer.root, "name")),
               changed ? "removed" : "was removed before");
    answer_free(&answer);
    return exit_code;
}
