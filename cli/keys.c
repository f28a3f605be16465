/* cluster keys export, import and rotate. */
#include "cli/offline/keys.h"

#include "base/instant.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/passphrase.h"
#include "pki/base64.h"
#include "pki/identity.h"
#include "pki/key.h"
#include "pki/keyfile.h"
#include "pki/passphrase.h"

#include <stdio.h>
#include <unistd.h>

/* From a running cluster: sealed to a key that is drawn for this once. */
static int fetch(const struct invocation *invocation, struct seal_key *ret_key,
                 char *ret_cluster_id)
{
    struct seal_key once;
    uint8_t public_key[SEAL_PUBLIC_SIZE];
    struct buffer body, blob, plain;
    struct client *client;
    struct answer answer;
    struct error err = ERROR_NONE;
    struct call call = {.method = "POST", .target = SLICE("/v1/cluster/keys/export")};
    int exit_code = client_open(invocation, &client);

    if (exit_code != EXIT_OK)
        return exit_code;
    seal_key_generate(&once);
    seal_public_key(&once, public_key);
    buffer_init(&body, 1024);
    buffer_init(&blob, 1024);
    buffer_init(&plain, 1024);
    buffer_append_slice(&body, SLICE("{\"publicKey\":\""));
    base64_encode(&body, slice_of(public_key, sizeof public_key));
    buffer_append_slice(&body, SLICE("\"}"));
    call.body = buffer_slice(&body);
    if (client_call(client, &call, &answer, &err) != GW_OK) {
        exit_code =
            fail_error(&err, "gwctl cluster status; without a quorum: gwctl cluster "
                             "keys export F --data-dir D on a node");
    } else {
        if (answer.status >= 300) {
            exit_code = answer_fail(invocation, &answer);
        } else if (!base64_decode(&blob, value_text(answer.root, "sealed")) ||
                   unseal_from_public(&once, SLICE("keys/export"), buffer_slice(&blob),
                                      &plain, &err) != GW_OK ||
                   plain.size != sizeof ret_key->bytes) {
            exit_code = fail(GW_FAILED, "the same again", "the answer cannot be opened");
        } else {
            memcpy(ret_key->bytes, plain.data, sizeof ret_key->bytes);
            snprintf(ret_cluster_id, IDENTITY_CLUSTER_SIZE, "%.*s",
                     SLICE_ARG(value_text(answer.root, "clusterId")));
        }
        answer_free(&answer);
    }
    seal_key_wipe(&once);
    buffer_deinit(&body);
    buffer_deinit(&blob);
    key_buffer_wipe(&plain);
    client_close(client);
    return exit_code;
}

static void say(const struct invocation *invocation, const char *what, const char *file,
                const char *cluster_id, const char *key_name)
{
    if (invocation->output == OUTPUT_JSON)
        printf("{\"file\":\"%s\",\"clusterId\":\"%s\",\"keyName\":\"%s\"}\n", file,
               cluster_id, key_name);
    else if (!invocation->quiet)
        printf("%s: key %s of cluster %s %s\n", file, key_name, cluster_id, what);
}

int run_keys_export(struct invocation *invocation)
{
    const char *file = invocation->arguments[0];
    const char *data_dir = option_value(invocation, "--data-dir");
    char cluster_id[IDENTITY_CLUSTER_SIZE] = "", name[SEAL_NAME_SIZE];
    struct buffer passphrase, text;
    struct seal_key key;
    struct error err = ERROR_NONE;

    if (access(file, F_OK) == 0)
        return fail(GW_CONFLICT, "choose another file, or remove it",
                    "'%s' exists: a key is not written over", file);
    buffer_init(&passphrase, 1024);
    buffer_init(&text, PASSPHRASE_FILE_MAX);
    int exit_code = passphrase_read(invocation, true, &passphrase);
    if (exit_code == EXIT_OK && passphrase.size < PASSPHRASE_MIN)
        exit_code = fail(GW_INVALID, "choose a longer one",
                         "the passphrase is too short: %d bytes at least", PASSPHRASE_MIN);
    if (exit_code == EXIT_OK && data_dir == NULL)
        exit_code = fetch(invocation, &key, cluster_id);
    else if (exit_code == EXIT_OK &&
             offline_key_read(data_dir, &key, cluster_id, &err) != GW_OK)
        exit_code = fail_error(&err, "gwctl cluster keys export F --data-dir a node's "
                                     "directory");
    if (exit_code == EXIT_OK) {
        seal_key_name(&key, name);
        if (passphrase_wrap(buffer_slice(&passphrase), &key, cluster_id, instant_wall_ms(),
                            &text, &err) != GW_OK ||
            keyfile_write(file, buffer_slice(&text), 0600, &err) != GW_OK)
            exit_code = fail_error(&err, "choose another file");
        else
            say(invocation,
                "exported; keep it apart from the snapshots, and the passphrase "
                "apart from it",
                file, cluster_id, name);
    }
    seal_key_wipe(&key);
    key_buffer_wipe(&passphrase);
    buffer_deinit(&text);
    return exit_code;
}

int run_keys_import(struct invocation *invocation)
{
    const char *file = invocation->arguments[0];
    const char *data_dir = option_value(invocation, "--data-dir");
    struct passphrase_about about;
    struct seal_key key;
    struct error err = ERROR_NONE;

    if (data_dir == NULL)
        return fail(GW_USAGE, "gwctl cluster keys import F --data-dir D",
                    "--data-dir is needed: a key is imported while gwd is stopped");
    int exit_code = passphrase_open(invocation, file, &key, &about);
    if (exit_code != EXIT_OK)
        return exit_code;
    if (offline_key_write(data_dir, &key, &err) != GW_OK)
        exit_code =
            fail_error(&err, err.code == GW_LOCKED ? "stop gwd, then the same again"
                                                   : "gwctl cluster keys import the "
                                                     "newest export");
    else
        say(invocation, "imported", file, about.cluster_id, about.key_name);
    seal_key_wipe(&key);
    return exit_code;
}

/* ---- rotation ---- */

#define PAUSE_US       100000
#define ROTATE_WAIT_MS 60000
#define BLOCKED_MS     5000 /* only nodes that are down are missing for so long */

/* Names of the members that hold it up because they are down. */
static size_t name_down(const struct value *root, char *out, size_t size)
{
    const struct value *items = value_get(root, "items");
    size_t count = 0, used = 0;

    out[0] = '\0';
    for (const struct value *item = items != NULL ? items->first : NULL; item != NULL;
         item = item->next) {
        struct slice name = value_text(item, "node");
        if (!slice_equal(value_text(item, "state"), SLICE("unreachable")))
            continue;
        if (used + name.size + 3 < size)
            used += (size_t)snprintf(out + used, size - used, "%s%.*s",
                                     count == 0 ? "" : ", ", SLICE_ARG(name));
        count++;
    }
    return count;
}

int run_keys_rotate(struct invocation *invocation)
{
    const uint64_t wait_ms =
        invocation->has_timeout ? invocation->timeout_ms : (uint64_t)ROTATE_WAIT_MS;
    const uint64_t deadline_ms = instant_monotonic_ms() + wait_ms;
    uint64_t blocked_ms = 0;
    char down[512];
    struct answer answer;
    int exit_code = client_post(invocation, SLICE("/v1/cluster/keys/rotate"),
                                (struct slice){0}, &answer);

    if (exit_code == EXIT_OK)
        answer_free(&answer);
    while (exit_code == EXIT_OK) {
        exit_code = client_get(invocation, SLICE("/v1/cluster/keys"), &answer);
        if (exit_code != EXIT_OK)
            break;
        uint64_t now_ms = instant_monotonic_ms();
        bool is_done = value_text(answer.root, "rotation").size == 0;
        size_t away = name_down(answer.root, down, sizeof down);
        blocked_ms = away == 0 ? 0 : blocked_ms == 0 ? now_ms : blocked_ms;
        if (is_done && !output_tree(invocation, answer.root) && !invocation->quiet)
            printf("cluster key %.*s is in force; exports made before open snapshots made "
                   "before: keep them, and export this one: gwctl cluster keys export F\n",
                   SLICE_ARG(value_text(answer.root, "key")));
        else if (!is_done && blocked_ms != 0 && now_ms - blocked_ms >= BLOCKED_MS)
            exit_code =
                fail(GW_TIMEOUT,
                     "start it, or gwctl cluster remove NODE if it is gone for good; "
                     "the rotation goes on by itself",
                     "every member must have the new key, and %s is not reached", down);
        else if (!is_done && now_ms >= deadline_ms)
            exit_code = fail(GW_TIMEOUT, "the same again: it waits for this rotation",
                             "the rotation goes on, but is not done within %llu ms",
                             (unsigned long long)wait_ms);
        answer_free(&answer);
        if (is_done)
            break;
        usleep(PAUSE_US);
    }
    return exit_code;
}
