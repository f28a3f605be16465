/* Which endpoint is asked, how often, and what is said of an answer that is no success. */
#include "cli/client.h"

#include "base/instant.h"
#include "cli/context.h"
#include "model/problems.h"
#include "pki/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ENDPOINTS_MAX  16
#define SHARE_LEAST_MS 3000 /* within it a node says that it has no quorum */
/* A node lets a change of such a size take longer at its leader (CONTROL_LONG_WAIT_MS). */
#define LARGE_BODY     (256u << 10)
#define LARGE_HOLD_MS  10000
#define DEFAULT_SOCKET "unix:/var/lib/quorumgate/admin.sock"

struct client {
    struct arena arena;
    struct slice endpoints[ENDPOINTS_MAX];
    size_t endpoint_count;
    size_t first; /* to be asked */
    struct tls_context *tls;
    uint64_t timeout_ms;
    bool verbose;
};

static int load_tls(struct client *client, const struct context *context)
{
    struct certificate_bundle ca = {0};
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    struct error err = ERROR_NONE;

    if (certificate_bundle_from_pem(context->ca, &ca, &err) == GW_OK &&
        certificate_from_pem(context->certificate, &certificate, &err) == GW_OK &&
        key_from_pem(context->key, &key, &err) == GW_OK) {
        char *cluster_id = arena_string(&client->arena, context->cluster_id);
        tls_context_admin_client(&(struct tls_self){.certificate = certificate,
                                                    .key = key,
                                                    .ca = ca.items[0],
                                                    .other_ca = ca.items[1],
                                                    .cluster_id = cluster_id},
                                 &client->tls, &err);
    }
    certificate_bundle_deinit(&ca);
    certificate_free(certificate);
    key_free(key);
    if (err.code != GW_OK) {
        error_wrap(&err, "context '%.*s'", SLICE_ARG(context->name));
        return fail_error(&err, "gwctl context import D/admin.yaml");
    }
    return EXIT_OK;
}

int client_open(const struct invocation *invocation, struct client **ret_client)
{
    struct client *client = calloc(1, sizeof *client);
    struct context context = {0};
    struct error err = ERROR_NONE;
    bool has_context;
    int exit_code = EXIT_OK;

    if (client == NULL)
        return fail(GW_NO_MEMORY, NULL, "out of memory");
    arena_init(&client->arena, 0, 0);
    client->timeout_ms = invocation->timeout_ms;
    client->verbose = invocation->verbose;
    has_context =
        context_load(invocation->context, &client->arena, &context, &err) == GW_OK;
    if (!has_context && invocation->context != NULL) {
        exit_code = fail_error(&err, "gwctl context list");
        goto fail;
    }

    struct slice rest = invocation->endpoints != NULL && invocation->endpoints[0] != '\0'
                            ? slice_from_string(invocation->endpoints)
                        : has_context ? context.endpoints
                                      : SLICE(DEFAULT_SOCKET);
    struct slice endpoint;
    while (slice_next(&rest, ',', &endpoint)) {
        endpoint = slice_trim(endpoint);
        bool is_https = slice_starts_with(endpoint, SLICE("https://"));
        if (!is_https && !slice_starts_with(endpoint, SLICE("unix:"))) {
            exit_code = fail(GW_USAGE, "gwctl -e unix:PATH … or -e https://HOST:PORT …",
                             "endpoint '%.*s' is neither", SLICE_ARG(endpoint));
            goto fail;
        }
        if (is_https && !has_context) {
            exit_code = fail(GW_UNAUTHORISED, "gwctl context import D/admin.yaml",
                             "no credentials for '%.*s'", SLICE_ARG(endpoint));
            goto fail;
        }
        if (is_https && client->tls == NULL) {
            exit_code = load_tls(client, &context);
            if (exit_code != EXIT_OK)
                goto fail;
        }
        if (client->endpoint_count < ENDPOINTS_MAX)
            client->endpoints[client->endpoint_count++] = endpoint;
    }
    *ret_client = client;
    return EXIT_OK;

fail:
    client_close(client);
    return exit_code;
}

void client_close(struct client *client)
{
    if (client == NULL)
        return;
    tls_context_unref(client->tls);
    arena_deinit(&client->arena);
    free(client);
}

void target_encode(struct buffer *target, struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
                        c == '~';
        if (is_plain)
            buffer_append_byte(target, (char)c);
        else
            buffer_printf(target, "%%%02X", c);
    }
}

static bool is_worth_asking_again(const struct answer *answer)
{
    if (answer->status != 504)
        return false;
    return slice_find(buffer_slice(&answer->body), SLICE("outcome_unknown")) != SIZE_MAX;
}

/* What the next of `left` endpoints may take of the time there is: one that takes the
 * question and never answers must leave something to the others. No less than a node needs
 * to say what is wrong, unless that were more than half of it. */
static struct call_deadlines share(const struct call *call, uint64_t now_ms,
                                   uint64_t deadline_ms, size_t left)
{
    uint64_t rest_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    uint64_t fair_ms = rest_ms / left,
             least_ms = rest_ms / 2 < SHARE_LEAST_MS ? rest_ms / 2 : SHARE_LEAST_MS;
    uint64_t share_ms = left == 1 ? rest_ms : fair_ms > least_ms ? fair_ms : least_ms;
    uint64_t hold_ms =
        call->hold_ms + (call->body.size > LARGE_BODY ? (uint64_t)LARGE_HOLD_MS : 0);

    return (struct call_deadlines){
        .connected_ms = now_ms + share_ms,
        .begun_ms = now_ms + (hold_ms < rest_ms - share_ms ? share_ms + hold_ms : rest_ms),
        .whole_ms = now_ms + rest_ms};
}

enum result client_call(struct client *client, const struct call *call,
                        struct answer *ret_answer, struct error *err)
{
    uint64_t deadline_ms = instant_monotonic_ms() + client->timeout_ms;
    bool is_write = strcmp(call->method, "GET") != 0 && strcmp(call->method, "HEAD") != 0;
    bool may_have_run = false;
    char drawn[40] = "";
    const char *request_id = call->request_id;

    if (is_write && request_id == NULL) {
        uint8_t bytes[16];
        random_bytes(bytes, sizeof bytes);
        slice_to_hex(slice_of(bytes, sizeof bytes), drawn);
        request_id = drawn;
    }
    for (;;) {
        for (size_t i = 0; i < client->endpoint_count; i++) {
            const struct call_deadlines by = share(call, instant_monotonic_ms(),
                                                   deadline_ms, client->endpoint_count - i);
            bool was_sent;
            err->code = GW_OK;
            answer_init(ret_answer);
            ret_answer->taker = call->taker;
            enum result result =
                call_run(call, client->endpoints[i], client->tls,
                         is_write ? request_id : NULL, &by, ret_answer, &was_sent, err);
            if (client->verbose)
                fprintf(stderr, "gwctl: %s %.*s at %.*s: %s\n", call->method,
                        SLICE_ARG(call->target), SLICE_ARG(client->endpoints[i]),
                        result == GW_OK ? "answered" : err->text);
            if (result == GW_OK && !is_worth_asking_again(ret_answer)) {
                struct error ignored = ERROR_NONE;
                ret_answer->root = json_read(&ret_answer->arena,
                                             buffer_slice(&ret_answer->body), &ignored);
                return GW_OK;
            }
            may_have_run = may_have_run || (was_sent && is_write);
            answer_free(ret_answer);
        }
        /* Nobody reached and nothing sent: at once an error. Sent and no answer: the same
         * request id is asked again until there is one. */
        if (!may_have_run || instant_monotonic_ms() + 100 >= deadline_ms)
            break;
        usleep(100 * 1000);
    }
    if (may_have_run)
        return error_set(
            err, GW_UNKNOWN_OUTCOME,
            "no answer within %llu ms: whether it was done is unknown (request id %s)",
            (unsigned long long)client->timeout_ms, request_id);
    return err->code;
}

/* Another node may have what this one refuses for now: room, a leader, time to live. */
static bool is_for_another(const struct answer *answer)
{
    return answer->status == 429 || answer->status >= 500;
}

enum result client_follow(struct client *client, const struct call *call,
                          struct answer *ret_answer, struct error *err)
{
    for (size_t i = 0; i < client->endpoint_count; i++) {
        struct slice endpoint = client->endpoints[client->first];
        const uint64_t by_ms = instant_monotonic_ms() + client->timeout_ms;
        const struct call_deadlines by = {by_ms, by_ms, by_ms};
        bool was_sent;
        *err = ERROR_NONE;
        answer_init(ret_answer);
        ret_answer->taker = call->taker;
        enum result result =
            call_run(call, endpoint, client->tls, NULL, &by, ret_answer, &was_sent, err);
        if (client->verbose)
            fprintf(stderr, "gwctl: %s %.*s at %.*s: %s\n", call->method,
                    SLICE_ARG(call->target), SLICE_ARG(endpoint),
                    result == GW_OK ? "ended" : err->text);
        client->first = (client->first + 1) % client->endpoint_count;
        if (result == GW_OK &&
            (i + 1 == client->endpoint_count || !is_for_another(ret_answer))) {
            struct error ignored = ERROR_NONE;
            ret_answer->root =
                json_read(&ret_answer->arena, buffer_slice(&ret_answer->body), &ignored);
            return GW_OK;
        }
        bool is_refused = ret_answer->is_refused;
        answer_free(ret_answer);
        if (is_refused)
            break;
    }
    return err->code;
}

/* What is not there is listed by another command than that for objects. */
static const char *list_of(const char *words)
{
    static const struct {
        const char *words, *next;
    } lists[] = {
        {"cluster token revoke", "gwctl cluster token list"},
        {"rollback", "gwctl history"},
        {"watch", "gwctl history"},
        {"history", "gwctl history"},
    };

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (strcmp(words, lists[i].words) == 0)
            return lists[i].next;
    }
    return "gwctl get all";
}

static void print_next(const struct invocation *invocation, struct slice code)
{
    const struct {
        const char *code, *next;
    } steps[] = {
        {"no_quorum",
         "gwctl cluster status; if nodes are gone for good: gwctl cluster recover "
         "--inspect --data-dir D"},
        {"conflict",
         "gwctl get the changed objects, then apply again with the new revision"},
        {"precondition_failed",
         "gwctl get the object, then try again with its new revision"},
        {"unauthorised", "gwctl context import D/admin.yaml"},
        {"not_found", list_of(invocation->command->words)},
        {"compacted", "gwctl get all, which says the revision to go on from"},
        {"outcome_unknown", "run the same command again with the same --request-id"},
    };

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (slice_equal(code, slice_from_string(steps[i].code))) {
            fprintf(stderr, "next: %s\n", steps[i].next);
            return;
        }
    }
    if (slice_equal(code, SLICE("invalid")) || slice_equal(code, SLICE("malformed")))
        fprintf(stderr, "next: correct it and try again; gwctl %s --help\n",
                invocation->command->words);
    else
        fprintf(stderr, "next: gwctl cluster status\n");
}

static int exit_of_status(int status)
{
    switch (status) {
    case 400:
    case 413:
    case 422:
        return EXIT_INVALID;
    case 401:
    case 403:
        return EXIT_UNAUTHORISED;
    case 404:
    case 410:
        return EXIT_NOT_FOUND;
    case 409:
    case 412:
        return EXIT_CONFLICT;
    case 504:
        return EXIT_TIMEOUT;
    default:
        return EXIT_ERROR;
    }
}

int answer_fail(const struct invocation *invocation, const struct answer *answer)
{
    struct slice code = value_text(answer->root, "code");
    struct slice detail = value_text(answer->root, "detail");
    int exit_code = exit_of_status(answer->status);

    if (answer->status == 503 &&
        (slice_equal(code, SLICE("no_quorum")) || slice_equal(code, SLICE("not_leader")) ||
         slice_equal(code, SLICE("member_halted")) ||
         slice_equal(code, SLICE("unreachable"))))
        exit_code = EXIT_UNREACHABLE;
    /* Not everything that answers is a gwd: a problem is printed whatever came. */
    if (invocation->output == OUTPUT_JSON && code.size > 0) {
        fprintf(stderr, "%.*s\n", SLICE_ARG(buffer_slice(&answer->body)));
        return exit_code;
    }
    if (invocation->output == OUTPUT_JSON) {
        fail(GW_FAILED, "check the endpoint", "status %d, and no problem document",
             answer->status);
        return exit_code;
    }
    if (detail.size == 0)
        detail = value_text(answer->root, "title");

    struct problems problems;
    problems_init(&problems);
    problems_read(&problems, value_get(answer->root, "errors"), false);
    if (problems.count > 0) {
        struct buffer text;
        buffer_init(&text, 0);
        problems_print(&problems, &text, NULL, NULL);
        fwrite(text.data, 1, text.size, stderr);
        buffer_deinit(&text);
    } else {
        failure_print(detail.size > 0 ? detail : SLICE("the server gave no reason"));
    }
    problems_deinit(&problems);

    const struct value *changed = value_get(answer->root, "changed");
    if (changed != NULL && changed->type == VALUE_LIST && changed->count > 0) {
        fprintf(stderr, "changed since:");
        for (const struct value *key = changed->first; key != NULL; key = key->next)
            fprintf(stderr, " %.*s", SLICE_ARG(key->text));
        fputc('\n', stderr);
    }
    if (slice_find(detail, SLICE("next: ")) == SIZE_MAX)
        print_next(invocation, code);
    return exit_code;
}

int client_get(const struct invocation *invocation, struct slice target,
               struct answer *ret_answer)
{
    struct client *client;
    struct call call = {.method = "GET", .target = target};
    struct error err = ERROR_NONE;
    int exit_code = client_open(invocation, &client);

    if (exit_code != EXIT_OK)
        return exit_code;
    if (client_call(client, &call, ret_answer, &err) != GW_OK)
        exit_code =
            fail_error(&err, "check that gwd runs, and the endpoint: gwctl -e unix:PATH …");
    else if (ret_answer->status >= 300) {
        exit_code = answer_fail(invocation, ret_answer);
        answer_free(ret_answer);
    }
    client_close(client);
    return exit_code;
}

int client_post(struct invocation *invocation, struct slice target, struct slice body,
                struct answer *ret_answer)
{
    const struct call call = {.method = "POST", .target = target, .body = body};
    struct client *client;
    struct error err = ERROR_NONE;
    int exit_code = client_open(invocation, &client);

    if (exit_code != EXIT_OK)
        return exit_code;
    if (client_call(client, &call, ret_answer, &err) != GW_OK) {
        exit_code = fail_error(&err, "gwctl cluster status");
    } else if (ret_answer->status >= 300) {
        exit_code = answer_fail(invocation, ret_answer);
        answer_free(ret_answer);
    }
    client_close(client);
    return exit_code;
}
