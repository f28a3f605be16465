/* One connection per call: a command makes one or two, and a fresh connection
 * has no state to go wrong. The price is a TLS handshake each, about a
 * millisecond. */
#include "cli/client.h"

#include "base/instant.h"
#include "cli/context.h"
#include "http/chunked.h"
#include "http/h1_parse.h"
#include "model/problems.h"
#include "net/blocking.h"
#include "pki/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ENDPOINTS_MAX  16
#define BODY_MAX       (256u << 20)
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

/* What is left of a connection's bytes, read as one HTTP response. */
struct reading {
    struct blocking *connection;
    uint64_t deadline_ms;
    uint64_t idle_ms; /* of the body; 0: the deadline is for all */
    struct buffer in;
};

static enum result read_more(struct reading *reading, bool *ret_end, struct error *err)
{
    char *room = buffer_reserve(&reading->in, 65536);
    size_t size = 0;

    if (room == NULL)
        return error_set(err, GW_TOO_LARGE, "the answer is larger than %u MiB",
                         BODY_MAX >> 20);
    if (blocking_read(reading->connection, room, 65536, reading->deadline_ms, &size, err) !=
        GW_OK)
        return err->code;
    buffer_commit(&reading->in, size);
    *ret_end = size == 0;
    return GW_OK;
}

static void copy_header(const struct http_message *head, const char *name, char *out,
                        size_t size)
{
    const struct http_header *header = message_find(head, slice_from_string(name), NULL);

    out[0] = '\0';
    if (header != NULL)
        snprintf(out, size, "%.*s", SLICE_ARG(header->value));
}

static enum result cut_off(struct error *err)
{
    return error_set(err, GW_UNKNOWN_OUTCOME,
                     "the connection ended in the middle of the answer");
}

/* Hands on what has come so far, if somebody takes it. */
static bool deliver(struct answer *answer, struct error *err)
{
    const struct body_taker *taker = answer->taker;

    if (taker == NULL || answer->status != 200 || answer->body.size == 0)
        return true;
    bool is_taken = taker->take(taker->owner, buffer_slice(&answer->body), err);
    buffer_reset(&answer->body);
    answer->is_refused = !is_taken;
    return is_taken;
}

static enum result read_body(struct reading *reading, size_t head_size, uint8_t framing,
                             uint64_t length, struct answer *answer, struct error *err)
{
    struct buffer *body = &answer->body;
    struct chunked chunked;
    bool is_end = false;

    if (answer->taker != NULL && answer->status == 200)
        answer->taker->begin(answer->taker->owner);
    bool is_endless = reading->idle_ms != 0 && answer->status == 200;
    buffer_consume(&reading->in, head_size);
    chunked_init(&chunked);
    for (;;) {
        if (framing == HTTP_FRAMING_NONE)
            return GW_OK;
        if (framing == HTTP_FRAMING_CHUNKED) {
            struct slice input = buffer_slice(&reading->in), data;
            enum chunked_result result;
            while ((result = chunked_next(&chunked, &input, &data)) == CHUNKED_DATA)
                buffer_append_slice(body, data);
            if (!deliver(answer, err))
                return err->code;
            if (result == CHUNKED_DONE)
                return GW_OK;
            if (result != CHUNKED_MORE)
                return error_set(err, GW_FAILED, "the answer's chunks are malformed");
            buffer_reset(&reading->in);
        } else {
            buffer_append(body, reading->in.data, reading->in.size);
            buffer_reset(&reading->in);
            if (framing == HTTP_FRAMING_LENGTH && body->size >= length) {
                body->size = length;
                return deliver(answer, err) ? GW_OK : err->code;
            }
        }
        if (body->failed)
            return error_set(err, GW_TOO_LARGE, "the answer is larger than %u MiB",
                             BODY_MAX >> 20);
        if (is_end)
            return framing == HTTP_FRAMING_UNTIL_CLOSE ? GW_OK : cut_off(err);
        if (is_endless)
            reading->deadline_ms = instant_monotonic_ms() + reading->idle_ms;
        if (read_more(reading, &is_end, err) != GW_OK)
            return err->code;
    }
}

static enum result read_answer(struct reading *reading, enum http_method method,
                               struct answer *answer, struct error *err)
{
    struct http_header headers[H1_HEADERS_DEFAULT];
    struct http_message head;
    struct h1_parse parse;
    struct h1_limits limits = H1_LIMITS_DEFAULT;
    bool is_end = false;

    h1_parse_init(&parse, &head, headers, H1_HEADERS_DEFAULT);
    for (;;) {
        enum h1_result result =
            reading->in.size == 0
                ? H1_MORE
                : h1_parse_response(&parse, &head, buffer_slice(&reading->in), &limits,
                                    method);
        if (result == H1_DONE && head.status >= 200)
            break;
        if (result == H1_DONE) {
            buffer_consume(&reading->in, head.head_size);
            h1_parse_init(&parse, &head, headers, H1_HEADERS_DEFAULT);
            continue;
        }
        if (result != H1_MORE)
            return error_set(err, GW_FAILED, "the answer is no HTTP/1.1");
        if (is_end)
            return cut_off(err);
        if (read_more(reading, &is_end, err) != GW_OK)
            return err->code;
    }
    answer->status = (int)head.status;
    copy_header(&head, "etag", answer->etag, sizeof answer->etag);
    copy_header(&head, "gw-revision", answer->revision, sizeof answer->revision);
    copy_header(&head, "gw-lag", answer->lag, sizeof answer->lag);
    copy_header(&head, "gw-quarantined", answer->quarantined, sizeof answer->quarantined);
    copy_header(&head, "gw-laggards", answer->laggards, sizeof answer->laggards);
    return read_body(reading, head.head_size, head.framing, head.content_length, answer,
                     err);
}

static void write_head(struct buffer *out, const struct call *call, const char *request_id)
{
    buffer_printf(out,
                  "%s %.*s HTTP/1.1\r\nhost: gwd\r\nconnection: close\r\naccept: "
                  "application/json\r\n",
                  call->method, SLICE_ARG(call->target));
    if (request_id != NULL)
        buffer_printf(out, "idempotency-key: %s\r\n", request_id);
    if (call->after != NULL && call->after[0] != '\0')
        buffer_printf(out, "last-event-id: %s\r\n", call->after);
    if (call->if_match != NULL)
        buffer_printf(out, "if-match: %s\r\n", call->if_match);
    if (call->body.size > 0 || request_id != NULL)
        buffer_printf(out, "content-type: %s\r\ncontent-length: %zu\r\n",
                      call->content_type != NULL ? call->content_type : "application/json",
                      call->body.size);
    buffer_append_slice(out, SLICE("\r\n"));
}

static enum result call_once(struct client *client, struct slice endpoint,
                             const struct call *call, const char *request_id,
                             uint64_t deadline_ms, struct answer *answer,
                             bool *ret_was_sent, struct error *err)
{
    bool is_tls = slice_starts_with(endpoint, SLICE("https://"));
    struct slice target = is_tls ? slice_from(endpoint, 8) : endpoint;
    struct tls_expect expect = {.kind = IDENTITY_NODE};
    struct reading reading = {.deadline_ms = deadline_ms, .idle_ms = call->idle_ms};
    uint64_t now_ms = instant_monotonic_ms();
    struct buffer head;

    *ret_was_sent = false;
    if (slice_ends_with(target, SLICE("/")))
        target.size--;
    if (blocking_connect(target, is_tls ? client->tls : NULL, is_tls ? &expect : NULL,
                         deadline_ms > now_ms ? deadline_ms - now_ms : 1,
                         &reading.connection, err) != GW_OK) {
        /* Whoever does not speak TLS, or not ours, is not the node that was meant. */
        if (err->code != GW_UNAUTHORISED && err->code != GW_FORBIDDEN)
            err->code = GW_UNREACHABLE;
        return err->code;
    }
    *ret_was_sent = true;
    buffer_init(&head, 0);
    buffer_init(&reading.in, BODY_MAX);
    write_head(&head, call, request_id);
    enum result result =
        blocking_write(reading.connection, buffer_slice(&head), deadline_ms, err);
    if (result == GW_OK && call->body.size > 0)
        result = blocking_write(reading.connection, call->body, deadline_ms, err);
    /* An answer may have come before the body was taken in: a refusal says more than EPIPE.
     */
    struct error read_err = ERROR_NONE;
    enum result read_result = read_answer(
        &reading, strcmp(call->method, "HEAD") == 0 ? HTTP_METHOD_HEAD : HTTP_METHOD_GET,
        answer, &read_err);
    if (read_result == GW_OK) {
        result = GW_OK;
    } else if (result == GW_OK) {
        *err = read_err;
        result = read_result;
    }
    buffer_deinit(&head);
    buffer_deinit(&reading.in);
    blocking_close(reading.connection);
    return result;
}

static void answer_init(struct answer *answer)
{
    memset(answer, 0, sizeof *answer);
    buffer_init(&answer->body, BODY_MAX);
    arena_init(&answer->arena, 0, 0);
}

void answer_free(struct answer *answer)
{
    buffer_deinit(&answer->body);
    arena_deinit(&answer->arena);
}

static bool is_worth_asking_again(const struct answer *answer)
{
    if (answer->status != 504)
        return false;
    return slice_find(buffer_slice(&answer->body), SLICE("outcome_unknown")) != SIZE_MAX;
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
            bool was_sent;
            err->code = GW_OK;
            answer_init(ret_answer);
            ret_answer->taker = call->taker;
            enum result result =
                call_once(client, client->endpoints[i], call, is_write ? request_id : NULL,
                          deadline_ms, ret_answer, &was_sent, err);
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
        bool was_sent;
        *err = ERROR_NONE;
        answer_init(ret_answer);
        ret_answer->taker = call->taker;
        enum result result = call_once(client, endpoint, call, NULL,
                                       instant_monotonic_ms() + client->timeout_ms,
                                       ret_answer, &was_sent, err);
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

static void print_next(const struct invocation *invocation, struct slice code)
{
    static const struct {
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
        {"not_found", "gwctl get all"},
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
