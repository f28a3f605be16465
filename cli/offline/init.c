/* The founder: cluster key, CA, its own and an admin's certificate, the first two
 * entries of the log. Every secret but the founder's own key is sealed before it
 * is written into the log. */
#include "base/instant.h"
#include "cli/offline/directory.h"
#include "pki/keyfile.h"
#include "pki/seal.h"
#include "pki/token.h"
#include "raft/command.h"
#include "raft/conf.h"
#include "raft/node_record.h"
#include "store/meta.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

#define FOUNDER_ID 1
#define PEM_MAX    (256u << 10)
#define ADMIN_NAME "init"

/* What the steps share; all owned. */
struct founding {
    const struct offline_options *options;
    struct offline_made *made;
    uint64_t now_ms;
    struct seal_key key;
    EVP_PKEY *ca_key, *node_key, *admin_key;
    X509 *ca, *node, *admin;
    struct buffer ca_pem, node_pem, admin_pem, sealed_key;
    struct token token;
    bool has_token;
};

static enum result load_ca(struct founding *founding, struct error *err)
{
    const struct offline_options *options = founding->options;
    struct buffer certificate, key;

    buffer_init(&certificate, PEM_MAX);
    buffer_init(&key, PEM_MAX);
    if (keyfile_read(options->ca_certificate, PEM_MAX, &certificate, err) == GW_OK &&
        keyfile_read(options->ca_key, PEM_MAX, &key, err) == GW_OK &&
        certificate_from_pem(buffer_slice(&certificate), &founding->ca, err) == GW_OK &&
        key_from_pem(buffer_slice(&key), &founding->ca_key, err) == GW_OK)
        certificate_check_ca(founding->ca, founding->ca_key, err);
    buffer_deinit(&certificate);
    key_buffer_wipe(&key);
    return err->code == GW_OK ? GW_OK : error_wrap(err, "--ca-cert, --ca-key");
}

static enum result make_authority(struct founding *founding, struct error *err)
{
    const struct offline_options *options = founding->options;
    struct buffer key_pem;

    if ((options->ca_certificate == NULL) != (options->ca_key == NULL))
        return error_set(err, GW_USAGE, "--ca-cert and --ca-key belong together");
    seal_key_generate(&founding->key);
    identity_make_cluster_id(founding->made->cluster_id);
    if (options->ca_certificate != NULL) {
        if (load_ca(founding, err) != GW_OK)
            return err->code;
    } else if (key_generate(&founding->ca_key, err) != GW_OK ||
               certificate_make_ca(founding->ca_key, founding->made->cluster_id,
                                   founding->now_ms, &founding->ca, err) != GW_OK) {
        return err->code;
    }
    buffer_init(&key_pem, PEM_MAX);
    if (certificate_to_pem(founding->ca, &founding->ca_pem, err) == GW_OK &&
        key_to_pem(founding->ca_key, &key_pem, err) == GW_OK)
        seal_bytes(&founding->key, SLICE("_ca/1"), buffer_slice(&key_pem),
                   &founding->sealed_key, err);
    key_buffer_wipe(&key_pem);
    return err->code;
}

static enum result sign(struct founding *founding, const struct identity *subject,
                        const struct certificate_names *names, EVP_PKEY **ret_key,
                        X509 **ret_certificate, struct buffer *pem, struct error *err)
{
    if (key_generate(ret_key, err) != GW_OK ||
        certificate_sign(founding->ca, founding->ca_key, *ret_key, subject, names, 0,
                         founding->now_ms, ret_certificate, err) != GW_OK)
        return err->code;
    return certificate_to_pem(*ret_certificate, pem, err);
}

static enum result make_certificates(struct founding *founding, struct error *err)
{
    struct identity node = {.kind = IDENTITY_NODE, .node_id = FOUNDER_ID};
    struct identity admin = {.kind = IDENTITY_ADMIN, .name = ADMIN_NAME};
    struct slice items[8];
    const struct certificate_names names = {items,
                                            directory_names(founding->options, items)};

    snprintf(node.cluster_id, sizeof node.cluster_id, "%.32s", founding->made->cluster_id);
    snprintf(admin.cluster_id, sizeof admin.cluster_id, "%.32s",
             founding->made->cluster_id);
    if (sign(founding, &node, &names, &founding->node_key, &founding->node,
             &founding->node_pem, err) != GW_OK)
        return err->code;
    return sign(founding, &admin, NULL, &founding->admin_key, &founding->admin,
                &founding->admin_pem, err);
}

/* The cluster's first words: its creation, as one command. */
static enum result encode_creation(struct founding *founding, struct buffer *command,
                                   struct error *err)
{
    const struct offline_options *options = founding->options;
    uint8_t hash[TOKEN_HASH_SIZE], pin[CERTIFICATE_SHA256_SIZE];
    struct token_record token = {0};

    if (options->token_out != NULL) {
        certificate_sha256(founding->ca, pin);
        token_make(&founding->token, pin);
        founding->has_token = true;
        if (!token_add_peer(&founding->token, slice_from_string(directory_peer(options))))
            return error_set(err, GW_INVALID, "--peer is too long");
        token_hash(founding->token.secret, hash);
        token = (struct token_record){.id = slice_from_string(founding->token.id),
                                      .hash = slice_of(hash, sizeof hash),
                                      .role = SLICE("auto"),
                                      .created_ms = founding->now_ms,
                                      .expires_ms = founding->now_ms + OFFLINE_TOKEN_TTL_MS,
                                      .uses_left = OFFLINE_TOKEN_USES};
    }
    const struct cluster_record cluster = {
        .id = slice_from_string(founding->made->cluster_id),
        .name =
            slice_from_string(options->cluster != NULL ? options->cluster : "quorumgate"),
        .epoch = 1,
        .created_ms = founding->now_ms};
    const struct ca_record ca = {.certificate = buffer_slice(&founding->ca_pem),
                                 .sealed_key = buffer_slice(&founding->sealed_key)};
    const struct node_record founder = {.id = FOUNDER_ID,
                                        .name = slice_from_string(options->name),
                                        .region = slice_from_string(options->region),
                                        .zone = slice_from_string(options->zone),
                                        .peer = slice_from_string(directory_peer(options)),
                                        .admin =
                                            slice_from_string(directory_admin(options)),
                                        .role = SLICE("auto"),
                                        .version = SLICE(OFFLINE_VERSION),
                                        .joined_ms = founding->now_ms};
    const struct command_header header = {.number = COMMAND_CLUSTER_CREATE,
                                          .wall_ms = founding->now_ms,
                                          .actor = SLICE("init")};
    if (!cluster_create_encode(command, &header, &cluster, &ca, &founder,
                               options->token_out != NULL ? &token : NULL))
        return error_set(err, GW_INVALID, "a name or an address is too long");
    return GW_OK;
}

static enum result make_store(struct founding *founding, struct error *err)
{
    const struct env_options env_options = {.dir = founding->options->data_dir,
                                            .create = true};
    struct env *env = NULL;
    struct buffer command;
    struct slice conf = {0};
    struct txn *txn;

    buffer_init(&command, 0);
    if (encode_creation(founding, &command, err) != GW_OK)
        goto out;
    conf = conf_encode_founder(FOUNDER_ID);
    if (conf.data == NULL) {
        error_set(err, GW_NO_MEMORY, "make the first configuration");
        goto out;
    }
    if (env_open(&env_options, &env, err) != GW_OK)
        goto out;
    enum result result = env_begin_write(env, &txn);
    if (result == GW_OK) {
        result = meta_cluster_put(txn, slice_from_string(founding->made->cluster_id));
        if (result == GW_OK)
            result = txn_commit(txn);
        else
            txn_abort(txn);
    }
    if (result != GW_OK) {
        error_set(err, result, "write the store: %s", result_text(result));
        goto out;
    }
    store_bootstrap(env, conf,
                    &(struct store_entry){
                        .term = 1, .type = RAFT_COMMAND, .bytes = buffer_slice(&command)},
                    1, err);
out:
    env_close(env);
    free((void *)(uintptr_t)conf.data);
    buffer_deinit(&command);
    return err->code;
}

/* A PEM as a YAML block under its key. */
static void append_block(struct buffer *out, const char *key, struct slice pem)
{
    struct slice line;

    buffer_printf(out, "%s: |\n", key);
    while (slice_next(&pem, '\n', &line))
        buffer_printf(out, "  %.*s\n", SLICE_ARG(line));
}

static enum result write_admin(struct founding *founding, struct error *err)
{
    struct buffer out, key;

    buffer_init(&out, PEM_MAX);
    buffer_init(&key, PEM_MAX);
    if (key_to_pem(founding->admin_key, &key, err) == GW_OK) {
        buffer_printf(&out, "clusterId: \"%s\"\nendpoints: [\"https://%s\"]\n",
                      founding->made->cluster_id, directory_admin(founding->options));
        append_block(&out, "ca", buffer_slice(&founding->ca_pem));
        append_block(&out, "certificate", buffer_slice(&founding->admin_pem));
        append_block(&out, "key", buffer_slice(&key));
        directory_write(founding->options, "admin.yaml", buffer_slice(&out), 0600, err);
    }
    key_buffer_wipe(&key);
    key_buffer_wipe(&out);
    return err->code;
}

static enum result write_files(struct founding *founding, struct error *err)
{
    const struct offline_options *options = founding->options;
    char path[DIRECTORY_PATH];

    if (seal_key_write(directory_path(options, "cluster.key", path), &founding->key, err) !=
            GW_OK ||
        directory_write(options, "ca.pem", buffer_slice(&founding->ca_pem), 0644, err) !=
            GW_OK ||
        directory_write(options, "node.pem", buffer_slice(&founding->node_pem), 0644,
                        err) != GW_OK ||
        directory_write_key(options, "node.key", founding->node_key, err) != GW_OK ||
        write_admin(founding, err) != GW_OK)
        return err->code;
    return directory_write_settings(options, err);
}

static enum result write_token(struct founding *founding, struct error *err)
{
    struct buffer text;

    if (!founding->has_token)
        return GW_OK;
    buffer_init(&text, 65536);
    if (token_format(&founding->token, &text, err) == GW_OK) {
        buffer_append_byte(&text, '\n');
        keyfile_write(founding->options->token_out, buffer_slice(&text), 0600, err);
    }
    key_buffer_wipe(&text);
    return err->code;
}

/* A log left by a run that broke off before the identity was written. */
static void remove_half(const struct offline_options *options)
{
    char path[DIRECTORY_PATH];

    remove(directory_path(options, "data.mdb", path));
    remove(directory_path(options, "lock.mdb", path));
}

enum result offline_init(const struct offline_options *options,
                         struct offline_made *ret_made, struct error *err)
{
    struct offline_made made;
    struct founding founding = {
        .options = options, .made = &made, .now_ms = instant_wall_ms()};
    bool was_there;

    memset(&made, 0, sizeof made);
    *err = ERROR_NONE;
    if (directory_open(options, &made, &was_there, err) != GW_OK)
        return err->code;
    if (was_there) {
        *ret_made = made;
        return GW_OK;
    }
    made.node_id = FOUNDER_ID;
    snprintf(made.name, sizeof made.name, "%.63s", options->name);
    buffer_init(&founding.ca_pem, PEM_MAX);
    buffer_init(&founding.node_pem, PEM_MAX);
    buffer_init(&founding.admin_pem, PEM_MAX);
    buffer_init(&founding.sealed_key, PEM_MAX);
    remove_half(options);
    if (make_authority(&founding, err) == GW_OK &&
        make_certificates(&founding, err) == GW_OK && make_store(&founding, err) == GW_OK &&
        write_files(&founding, err) == GW_OK && write_token(&founding, err) == GW_OK &&
        directory_write_identity(options, &made, err) == GW_OK)
        *ret_made = made;

    certificate_free(founding.ca);
    certificate_free(founding.node);
    certificate_free(founding.admin);
    key_free(founding.ca_key);
    key_free(founding.node_key);
    key_free(founding.admin_key);
    buffer_deinit(&founding.ca_pem);
    buffer_deinit(&founding.node_pem);
    buffer_deinit(&founding.admin_pem);
    buffer_deinit(&founding.sealed_key);
    seal_key_wipe(&founding.key);
    token_wipe(&founding.token);
    return err->code == GW_OK ? GW_OK : error_wrap(err, "make the cluster");
}
