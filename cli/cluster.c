/* cluster status, members, leader, wait, tokens; ready. */
#include "base/instant.h"
#include "cli/client.h"
#include "cli/output.h"

#include <stdio.h>
#include <unistd.h>

#define LAG_READY                                                          \
    250 /* entries behind that still count as caught up, as for the roster \
         */

static void say_stale(const struct invocation *invocation, const struct answer *answer)
{
    const struct value *root = answer->root;
    char age[24];

    if (!slice_equal(value_text(root, "stale"), SLICE("true")) ||
        invocation->output == OUTPUT_JSON || invocation->output == OUTPUT_YAML)
        return;
    output_lag(answer->lag, age);
    printf("stale: revision %.*s, age %s\n", SLICE_ARG(value_text(root, "revision")), age);
}

static void print_members(const struct invocation *invocation, const struct value *members)
{
    static const char *const headings[] = {"NODE", "REGION",    "ROLE",    "STATE",
                                           "LAG",  "LAST-SEEN", "VERSION", "ADDRESS"};
    struct output_table table;

    if (invocation->output == OUTPUT_NAME) {
        for (const struct value *item = members != NULL ? members->first : NULL;
             item != NULL; item = item->next)
            printf("%.*s\n", SLICE_ARG(value_text(item, "name")));
        return;
    }
    output_table_init(&table, headings, 8);
    for (const struct value *item = members != NULL ? members->first : NULL; item != NULL;
         item = item->next) {
        const struct value *lag = value_get(item, "lag"),
                           *seen = value_get(item, "lastSeenMs");
        char age[24];
        output_age(value_text(item, "lastSeenMs"), age);
        output_cell(&table, value_text(item, "name"));
        output_cell(&table, value_text(item, "region"));
        output_cell(&table, value_text(item, "role"));
        output_cell(&table, value_text(item, "state"));
        output_cell(&table,
                    lag == NULL || lag->type == VALUE_NULL ? SLICE("?") : lag->text);
        output_cell(&table, seen == NULL || seen->type == VALUE_NULL ||
                                    slice_equal(seen->text, SLICE("0"))
                                ? SLICE("-")
                                : slice_from_string(age));
        output_cell(&table, value_text(item, "version"));
        output_cell(&table, value_text(item, "peer"));
    }
    output_table_print(&table);
}

/* The shape of the answer has no word for it, so it is told beside. */
static void say_quarantined(const struct invocation *invocation,
                            const struct answer *answer)
{
    if (answer->quarantined[0] != '\0' && !invocation->quiet)
        fprintf(stderr,
                "quarantined: %s: the state is not that of the majority\n"
                "next: stop it and gwctl cluster join --replace, or restore\n",
                answer->quarantined);
}

static int exit_of_health(const struct value *root)
{
    return slice_equal(value_text(root, "health"), SLICE("ok")) ? EXIT_OK : EXIT_DEGRADED;
}

int run_cluster_status(struct invocation *invocation)
{
    struct answer answer;
    int exit_code = client_get(invocation, SLICE("/v1/cluster/status"), &answer);

    if (exit_code != EXIT_OK)
        return exit_code;
    exit_code = exit_of_health(answer.root);
    say_quarantined(invocation, &answer);
    if (!output_tree(invocation, answer.root)) {
        const struct value *quorum = value_get(answer.root, "quorum");
        struct slice leader = value_text(answer.root, "leader");
        say_stale(invocation, &answer);
        printf("cluster   %.*s\n", SLICE_ARG(value_text(answer.root, "clusterId")));
        printf("health    %.*s\n", SLICE_ARG(value_text(answer.root, "health")));
        printf("leader    %.*s\n", SLICE_ARG(leader.size > 0 ? leader : SLICE("none")));
        printf("term      %.*s\n", SLICE_ARG(value_text(answer.root, "term")));
        printf("revision  %.*s\n", SLICE_ARG(value_text(answer.root, "revision")));
        printf("quorum    %.*s of %.*s, tolerates %.*s more failures\n\n",
               SLICE_ARG(value_text(quorum, "have")), SLICE_ARG(value_text(quorum, "of")),
               SLICE_ARG(value_text(quorum, "tolerates")));
        print_members(invocation, value_get(answer.root, "members"));
    }
    answer_free(&answer);
    return exit_code;
}

static bool is_alive(const struct value *member)
{
    struct slice state = value_text(member, "state");

    return slice_equal(state, SLICE("leader")) || slice_equal(state, SLICE("follower"));
}

int run_cluster_members(struct invocation *invocation)
{
    struct answer answer;
    int exit_code = client_get(invocation, SLICE("/v1/cluster/members"), &answer);

    if (exit_code != EXIT_OK)
        return exit_code;
    const struct value *members = value_get(answer.root, "members");
    bool has_leader = false;
    for (const struct value *item = members != NULL ? members->first : NULL; item != NULL;
         item = item->next) {
        if (!is_alive(item))
            exit_code = EXIT_DEGRADED;
        has_leader = has_leader || slice_equal(value_text(item, "state"), SLICE("leader"));
    }
    if (!has_leader || answer.quarantined[0] != '\0')
        exit_code = EXIT_DEGRADED;
    say_quarantined(invocation, &answer);
    if (!output_tree(invocation, answer.root)) {
        say_stale(invocation, &answer);
        print_members(invocation, members);
    }
    answer_free(&answer);
    return exit_code;
}

int run_cluster_leader(struct invocation *invocation)
{
    struct answer answer;
    int exit_code = client_get(invocation, SLICE("/v1/cluster/leader"), &answer);

    if (exit_code != EXIT_OK)
        return exit_code;
    struct slice name = value_text(answer.root, "name");
    if (!output_tree(invocation, answer.root) && name.size > 0)
        printf("%.*s\n", SLICE_ARG(name));
    if (name.size == 0)
        exit_code = fail(GW_NO_QUORUM, "gwctl cluster status", "no leader");
    answer_free(&answer);
    return exit_code;
}

/* What `wait` waits for, in words, or NULL when it holds. */
static const char *missing(const struct value *root, bool healthy, uint64_t voters,
                           uint64_t revision, char why[160])
{
    const struct value *members = value_get(root, "members");
    uint64_t count = 0, has;

    if (healthy && !slice_equal(value_text(root, "health"), SLICE("ok"))) {
        snprintf(why, 160, "health is %.*s", SLICE_ARG(value_text(root, "health")));
        return why;
    }
    for (const struct value *item = members != NULL ? members->first : NULL; item != NULL;
         item = item->next) {
        count += !slice_equal(value_text(item, "role"), SLICE("standby")) && is_alive(item);
        if (revision > 0 && is_alive(item) &&
            (!slice_parse_u64(value_text(item, "revision"), &has) || has < revision)) {
            snprintf(why, 160, "%.*s serves revision %.*s",
                     SLICE_ARG(value_text(item, "name")),
                     SLICE_ARG(value_text(item, "revision")));
            return why;
        }
    }
    if (count < voters) {
        snprintf(why, 160, "%llu voters of %llu", (unsigned long long)count,
                 (unsigned long long)voters);
        return why;
    }
    return NULL;
}

int run_cluster_wait(struct invocation *invocation)
{
    const char *voters_text = option_value(invocation, "--voters");
    const char *revision_text = option_value(invocation, "--revision");
    bool healthy = option_value(invocation, "--healthy") != NULL;
    uint64_t voters = 0, revision = 0;
    uint64_t deadline_ms =
        instant_monotonic_ms() + (invocation->has_timeout ? invocation->timeout_ms : 60000);
    char why[160] = "no answer";
    bool was_reached = false;
    struct client *client;

    if ((voters_text != NULL &&
         !slice_parse_u64(slice_from_string(voters_text), &voters)) ||
        (revision_text != NULL &&
         !slice_parse_u64(slice_from_string(revision_text), &revision)))
        return fail(GW_USAGE, "gwctl cluster wait --help",
                    "--voters and --revision take numbers");
    healthy = healthy || (voters_text == NULL && revision_text == NULL);
    invocation->timeout_ms = 2000;
    int exit_code = client_open(invocation, &client);
    if (exit_code != EXIT_OK)
        return exit_code;
    for (;;) {
        struct call call = {.method = "GET", .target = SLICE("/v1/cluster/status")};
        struct error err = ERROR_NONE;
        struct answer answer;
        if (client_call(client, &call, &answer, &err) == GW_OK) {
            was_reached = was_reached || answer.status == 200;
            bool is_done = answer.status == 200 &&
                           missing(answer.root, healthy, voters, revision, why) == NULL;
            if (answer.status == 401 || answer.status == 403) { /* time mends neither */
                exit_code = answer_fail(invocation, &answer);
                answer_free(&answer);
                break;
            }
            if (is_done && !output_tree(invocation, answer.root) && !invocation->quiet)
                printf("ready at revision %.*s\n",
                       SLICE_ARG(value_text(answer.root, "revision")));
            answer_free(&answer);
            if (is_done)
                break;
        } else {
            snprintf(why, sizeof why, "%.150s", err.text);
        }
        if (instant_monotonic_ms() >= deadline_ms) {
            /* Seen, and not as wished: degraded. Never seen: unreachable. */
            exit_code =
                fail(GW_UNREACHABLE, "gwctl cluster status", "still not there: %s", why);
            if (was_reached)
                exit_code = EXIT_DEGRADED;
            break;
        }
        usleep(50 * 1000);
    }
    client_close(client);
    return exit_code;
}

int run_token_create(struct invocation *invocation)
{
    const char *role = option_value(invocation, "--role"),
               *ttl = option_value(invocation, "--ttl");
    const char *uses = option_value(invocation, "--uses");
    struct client *client;
    struct buffer body;
    struct answer answer;
    struct error err = ERROR_NONE;
    struct emit emit;
    uint64_t count = 1;

    if (uses != NULL && (!slice_parse_u64(slice_from_string(uses), &count) || count == 0))
        return fail(GW_USAGE, "gwctl cluster token create --uses 3",
                    "--uses '%s' is no number", uses);
    int exit_code = client_open(invocation, &client);
    if (exit_code != EXIT_OK)
        return exit_code;
    buffer_init(&body, 4096);
    emit_init(&emit, &body, false);
    emit_object(&emit);
    emit_key(&emit, "role");
    emit_cstring(&emit, role != NULL ? role : "auto");
    emit_key(&emit, "ttl");
    emit_cstring(&emit, ttl != NULL ? ttl : "1h");
    emit_key(&emit, "uses");
    emit_u64(&emit, count);
    emit_object_end(&emit);
    struct call call = {.method = "POST",
                        .target = SLICE("/v1/cluster/tokens"),
                        .body = buffer_slice(&body)};
    if (client_call(client, &call, &answer, &err) != GW_OK) {
        exit_code = fail_error(&err, "gwctl cluster status");
    } else {
        if (answer.status >= 300)
            exit_code = answer_fail(invocation, &answer);
        else if (!output_tree(invocation, answer.root))
            printf("%.*s\n", SLICE_ARG(value_text(answer.root, "token")));
        answer_free(&answer);
    }
    buffer_deinit(&body);
    client_close(client);
    return exit_code;
}

int run_token_list(struct invocation *invocation)
{
    static const char *const headings[] = {"ID", "ROLE", "USES-LEFT", "EXPIRES"};
    struct output_table table;
    struct answer answer;
    int exit_code = client_get(invocation, SLICE("/v1/cluster/tokens"), &answer);

    if (exit_code != EXIT_OK)
        return exit_code;
    if (!output_tree(invocation, answer.root)) {
        const struct value *items = value_get(answer.root, "items");
        output_table_init(&table, headings, 4);
        for (const struct value *item = items != NULL ? items->first : NULL; item != NULL;
             item = item->next) {
            output_cell(&table, value_text(item, "id"));
            output_cell(&table, value_text(item, "role"));
            output_cell(&table, value_text(item, "usesLeft"));
            output_cell(&table, value_text(item, "expires"));
        }
        output_table_print(&table);
    }
    answer_free(&answer);
    return EXIT_OK;
}

int run_token_revoke(struct invocation *invocation)
{
    struct client *client;
    struct buffer target;
    struct answer answer;
    struct error err = ERROR_NONE;
    int exit_code = client_open(invocation, &client);

    if (exit_code != EXIT_OK)
        return exit_code;
    buffer_init(&target, 1024);
    buffer_append_slice(&target, SLICE("/v1/cluster/tokens/"));
    target_encode(&target, slice_from_string(invocation->arguments[0]));
    struct call call = {.method = "DELETE", .target = buffer_slice(&target)};
    if (client_call(client, &call, &answer, &err) != GW_OK) {
        exit_code = fail_error(&err, "gwctl cluster status");
    } else {
        if (answer.status >= 300)
            exit_code = answer_fail(invocation, &answer);
        else if (!invocation->quiet)
            printf("token %s revoked\n", invocation->arguments[0]);
        answer_free(&answer);
    }
    buffer_deinit(&target);
    client_close(client);
    return exit_code;
}

/* Another node's readiness, as this one knows it: reached, and serving what is visible
 * here. */
static bool is_ready_here(const struct value *root, const char *name, char why[256])
{
    const struct value *members = value_get(root, "members");

    for (const struct value *item = members != NULL ? members->first : NULL; item != NULL;
         item = item->next) {
        if (!slice_equal(value_text(item, "name"), slice_from_string(name)))
            continue;
        struct slice state = value_text(item, "state"), lag = value_text(item, "lag");
        uint64_t behind;
        bool is_ready =
            is_alive(item) && slice_parse_u64(lag, &behind) && behind <= LAG_READY;
        snprintf(why, 256, "not ready: %s is %.*s, %.*s behind", name, SLICE_ARG(state),
                 SLICE_ARG(lag.size > 0 ? lag : SLICE("unknown")));
        return is_ready;
    }
    snprintf(why, 256, "not ready: there is no node '%s'", name);
    return false;
}

static bool is_ready_itself(const struct value *root, char why[256])
{
    const struct value *reasons = value_get(root, "reasons");

    snprintf(why, 256, "not ready: %.*s",
             SLICE_ARG(reasons != NULL && reasons->first != NULL
                           ? reasons->first->text
                           : SLICE("no reason given")));
    return slice_equal(value_text(root, "ready"), SLICE("true"));
}

int run_ready(struct invocation *invocation)
{
    const char *node = invocation->argument_count > 0 ? invocation->arguments[0] : NULL;
    bool waits = option_value(invocation, "--wait") != NULL;
    uint64_t deadline_ms =
        instant_monotonic_ms() + (invocation->has_timeout ? invocation->timeout_ms
                                  : waits                 ? 60000
                                                          : 10000);
    struct client *client;
    char why[256] = "";
    int exit_code = client_open(invocation, &client);

    if (exit_code != EXIT_OK)
        return exit_code;
    for (;;) {
        struct call call = {.method = "GET",
                            .target = node != NULL ? SLICE("/v1/cluster/members")
                                                   : SLICE("/v1/ready")};
        struct error err = ERROR_NONE;
        struct answer answer;
        if (client_call(client, &call, &answer, &err) == GW_OK) {
            bool is_ready = node != NULL ? is_ready_here(answer.root, node, why)
                                         : is_ready_itself(answer.root, why);
            if ((is_ready || !waits) && !output_tree(invocation, answer.root) && is_ready &&
                !invocation->quiet)
                printf("ready\n");
            answer_free(&answer);
            exit_code = is_ready ? EXIT_OK : EXIT_DEGRADED;
        } else {
            snprintf(why, sizeof why, "%.250s", err.text);
            exit_code = EXIT_UNREACHABLE;
        }
        if (exit_code == EXIT_OK || !waits)
            break;
        if (instant_monotonic_ms() >= deadline_ms)
            break;
        usleep(50 * 1000);
    }
    if (exit_code != EXIT_OK)
        fail(exit_code == EXIT_UNREACHABLE ? GW_UNREACHABLE : GW_FAILED,
             "gwctl cluster status", "%s", why);
    client_close(client);
    return exit_code;
}
