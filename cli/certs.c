/* cluster certs list and rotate. A rotation is asked for once, then looked at until
 * every node that is up has its new certificate; that of the authority until nobody
 * believes the old one any more. */
#include "base/instant.h"
#include "cli/client.h"
#include "cli/confirm.h"
#include "cli/context.h"
#include "cli/output.h"
#include "pki/certificate.h"

#include <stdio.h>
#include <unistd.h>

#define ROTATE         SLICE("/v1/cluster/certs/rotate")
#define PAUSE_US       100000
#define ROTATE_WAIT_MS 60000
#define NAMES_SIZE     512
#define PEM_MAX        (256u << 10)
#define BLOCKED_MS     5000 /* only nodes that are down are missing for so long */

static bool is_true(const struct value *root, const char *key)
{
    return slice_equal(value_text(root, key), SLICE("true"));
}

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

static int rotate_certificates(struct invocation *invocation, uint64_t wait_ms)
{
    const uint64_t deadline_ms = instant_monotonic_ms() + wait_ms;
    struct answer answer;
    char names[NAMES_SIZE];
    int exit_code = client_post(invocation, ROTATE, (struct slice){0}, &answer);

    if (exit_code != EXIT_OK)
        return exit_code;
    bool changed = is_true(answer.root, "changed");
    answer_free(&answer);
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

/* ---- another authority ---- */

/* The context this gwctl speaks by, to be renewed along the way. */
struct own {
    struct arena arena;
    struct context context;
    bool is_there;
    EVP_PKEY *key;
    struct buffer key_pem, ca, certificate;
};

static void own_deinit(struct own *own)
{
    key_free(own->key);
    key_buffer_wipe(&own->key_pem);
    buffer_deinit(&own->ca);
    buffer_deinit(&own->certificate);
    arena_deinit(&own->arena);
}

/* And the body to ask by: with a request for a certificate, where there is a context. */
static enum result own_init(struct own *own, const struct invocation *invocation,
                            struct buffer *body, struct error *err)
{
    struct error ignored;
    struct buffer csr;
    struct emit emit;

    memset(own, 0, sizeof *own);
    arena_init(&own->arena, 0, 0);
    buffer_init(&own->key_pem, PEM_MAX);
    buffer_init(&own->ca, PEM_MAX);
    buffer_init(&own->certificate, PEM_MAX);
    buffer_init(&csr, PEM_MAX);
    own->is_there =
        context_load(invocation->context, &own->arena, &own->context, &ignored) == GW_OK;
    if (key_generate(&own->key, err) == GW_OK &&
        key_to_pem(own->key, &own->key_pem, err) == GW_OK)
        certificate_request_make(own->key, SLICE("admin"), &csr, err);
    emit_init(&emit, body, false);
    emit_object(&emit);
    emit_key(&emit, "ca");
    emit_bool(&emit, true);
    if (own->is_there) {
        emit_key(&emit, "csr");
        emit_string(&emit, buffer_slice(&csr));
    }
    emit_object_end(&emit);
    buffer_deinit(&csr);
    return err->code;
}

/* At first it believes both authorities, in the end the new one alone. */
static void renew_context(struct own *own, bool is_done)
{
    struct certificate_bundle before = {0};
    struct buffer both;
    struct error err = ERROR_NONE;

    if (own->certificate.size == 0)
        return;
    buffer_init(&both, PEM_MAX);
    buffer_append_slice(&both, buffer_slice(&own->ca));
    if (!is_done && certificate_bundle_from_pem(own->context.ca, &before, &err) == GW_OK)
        certificate_to_pem(before.items[0], &both, &err);
    certificate_bundle_deinit(&before);
    if (err.code == GW_OK)
        context_renew(&own->context, buffer_slice(&both), buffer_slice(&own->certificate),
                      buffer_slice(&own->key_pem), &err);
    if (err.code != GW_OK)
        fprintf(stderr, "gwctl: context '%.*s' not renewed: %s\n",
                SLICE_ARG(own->context.name), err.text);
    buffer_deinit(&both);
}

static size_t count_authorities(const struct value *root)
{
    const struct value *items = value_get(root, "items");
    size_t count = 0;

    for (const struct value *item = items != NULL ? items->first : NULL; item != NULL;
         item = item->next)
        count += slice_equal(value_text(item, "kind"), SLICE("ca"));
    return count;
}

/* One look. While certificates change a port may show one that is not believed yet, so a
 * failure is none before the time is over. True: seen. */
static bool look(struct invocation *invocation, struct answer *ret_answer,
                 struct error *err)
{
    struct call call = {.method = "GET", .target = SLICE("/v1/cluster/certs")};
    struct client *client;

    if (client_open(invocation, &client) != EXIT_OK)
        return false;
    bool seen = client_call(client, &call, ret_answer, err) == GW_OK;
    client_close(client);
    if (seen && ret_answer->status >= 300) {
        error_set(err, GW_UNREACHABLE, "%.*s",
                  SLICE_ARG(value_text(ret_answer->root, "detail")));
        answer_free(ret_answer);
        return false;
    }
    return seen;
}

static int await_authority(struct invocation *invocation, uint64_t wait_ms)
{
    const uint64_t deadline_ms = instant_monotonic_ms() + wait_ms;
    uint64_t blocked_ms = 0;
    char up[NAMES_SIZE], down[NAMES_SIZE];
    struct answer answer;

    for (;;) {
        struct error err = ERROR_NONE;
        uint64_t now_ms = instant_monotonic_ms();
        if (look(invocation, &answer, &err)) {
            size_t left = name_old(answer.root, true, up),
                   away = name_old(answer.root, false, down);
            bool is_done = count_authorities(answer.root) == 1 && left == 0;
            if (is_done)
                say(invocation, answer.root, true);
            answer_free(&answer);
            if (is_done)
                return EXIT_OK;
            blocked_ms = left != 0 || away == 0 ? 0 : blocked_ms == 0 ? now_ms : blocked_ms;
            if (blocked_ms != 0 && now_ms - blocked_ms >= BLOCKED_MS)
                return fail(
                    GW_TIMEOUT,
                    "start it, or gwctl cluster remove NODE if it is gone for good; "
                    "the rotation goes on by itself",
                    "the old authority is believed until every member has let go "
                    "of it, and %s is not reached",
                    down);
            snprintf(err.text, sizeof err.text, "not so far: %s", up);
        }
        if (now_ms >= deadline_ms)
            return fail(GW_TIMEOUT, "gwctl cluster certs list",
                        "the rotation goes on, but not yet done within %llu ms: %s",
                        (unsigned long long)wait_ms, err.text);
        usleep(PAUSE_US);
    }
}

static int rotate_authority(struct invocation *invocation, uint64_t wait_ms)
{
    struct answer answer;
    struct buffer body;
    struct own own;
    struct error err = ERROR_NONE;
    int exit_code = confirm(
        invocation,
        "every node will come to believe a new authority, and then that one alone: join "
        "tokens made before, and administrators' contexts but this one, end with the old");

    if (exit_code != EXIT_OK)
        return exit_code;
    buffer_init(&body, PEM_MAX);
    if (own_init(&own, invocation, &body, &err) != GW_OK)
        exit_code = fail_error(&err, NULL);
    else
        exit_code = client_post(invocation, ROTATE, buffer_slice(&body), &answer);
    if (exit_code == EXIT_OK) {
        buffer_append_slice(&own.ca, value_text(answer.root, "ca"));
        buffer_append_slice(&own.certificate, value_text(answer.root, "certificate"));
        answer_free(&answer);
        renew_context(&own, false);
        exit_code = await_authority(invocation, wait_ms);
        if (exit_code == EXIT_OK)
            renew_context(&own, true);
        if (exit_code == EXIT_OK && !invocation->quiet &&
            invocation->output == OUTPUT_TABLE)
            printf(
                "%s; other administrators import an admin.yaml anew, and join tokens are "
                "made anew\n",
                own.certificate.size > 0 ? "this context is renewed"
                                         : "no context was in use");
    }
    buffer_deinit(&body);
    own_deinit(&own);
    return exit_code;
}

int run_certs_rotate(struct invocation *invocation)
{
    uint64_t wait_ms =
        invocation->has_timeout ? invocation->timeout_ms : (uint64_t)ROTATE_WAIT_MS;

    return option_value(invocation, "--ca") != NULL
               ? rotate_authority(invocation, wait_ms)
               : rotate_certificates(invocation, wait_ms);
}
