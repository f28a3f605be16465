/* Every secret but the founder's own key is sealed before it is written into the
 * store; keys are files of their owner alone. */
#include "cli/offline/founding.h"

#include "model/units.h"
#include "pki/keyfile.h"

#include <stdio.h>

#define PEM_MAX    (256u << 10)
#define ADMIN_NAME "init"

void founding_init(struct founding *founding, const struct offline_options *options,
                   struct offline_made *made, uint64_t now_ms)
{
    memset(founding, 0, sizeof *founding);
    memset(made, 0, sizeof *made);
    founding->options = options;
    founding->made = made;
    founding->now_ms = now_ms;
    made->node_id = FOUNDER_ID;
    snprintf(made->name, sizeof made->name, "%.63s", options->name);
    buffer_init(&founding->ca_pem, PEM_MAX);
    buffer_init(&founding->node_pem, PEM_MAX);
    buffer_init(&founding->admin_pem, PEM_MAX);
    buffer_init(&founding->sealed_key, PEM_MAX);
}

void founding_deinit(struct founding *founding)
{
    certificate_free(founding->ca);
    certificate_free(founding->node);
    certificate_free(founding->admin);
    key_free(founding->ca_key);
    key_free(founding->node_key);
    key_free(founding->admin_key);
    buffer_deinit(&founding->ca_pem);
    buffer_deinit(&founding->node_pem);
    buffer_deinit(&founding->admin_pem);
    buffer_deinit(&founding->sealed_key);
    seal_key_wipe(&founding->key);
    token_wipe(&founding->token);
}

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
    if (!founding->has_key)
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

enum result founding_make(struct founding *founding, struct error *err)
{
    if (make_authority(founding, err) == GW_OK)
        make_certificates(founding, err);
    return err->code;
}

enum result founding_records(struct founding *founding,
                             struct founding_records *ret_records, struct error *err)
{
    const struct offline_options *options = founding->options;
    uint8_t pin[CERTIFICATE_SHA256_SIZE];

    memset(ret_records, 0, sizeof *ret_records);
    if (options->token_out != NULL) {
        certificate_sha256(founding->ca, pin);
        token_make(&founding->token, pin);
        founding->has_token = true;
        if (!token_add_peer(&founding->token, slice_from_string(directory_peer(options))))
            return error_set(err, GW_INVALID, "--peer is too long");
        token_hash(founding->token.secret, founding->token_hash);
        ret_records->token = (struct token_record){
            .id = slice_from_string(founding->token.id),
            .hash = slice_of(founding->token_hash, sizeof founding->token_hash),
            .role = SLICE("auto"),
            .created_ms = founding->now_ms,
            .expires_ms = founding->now_ms + OFFLINE_TOKEN_TTL_MS,
            .uses_left = OFFLINE_TOKEN_USES};
    }
    ret_records->cluster = (struct cluster_record){
        .id = slice_from_string(founding->made->cluster_id),
        .name =
            slice_from_string(options->cluster != NULL ? options->cluster : "quorumgate"),
        .epoch = 1,
        .created_ms = founding->now_ms};
    ret_records->ca = (struct ca_record){.certificate = buffer_slice(&founding->ca_pem),
                                         .sealed_key = buffer_slice(&founding->sealed_key)};
    ret_records->founder =
        (struct node_record){.id = FOUNDER_ID,
                             .name = slice_from_string(options->name),
                             .region = slice_from_string(options->region),
                             .zone = slice_from_string(options->zone),
                             .peer = slice_from_string(directory_peer(options)),
                             .admin = slice_from_string(directory_admin(options)),
                             .role = SLICE("auto"),
                             .version = SLICE(OFFLINE_VERSION),
                             .joined_ms = founding->now_ms};
    return GW_OK;
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
    char endpoint[600];

    host_port_outside(slice_from_string(directory_admin(founding->options)),
                      slice_from_string(directory_peer(founding->options)), endpoint,
                      sizeof endpoint);
    buffer_init(&out, PEM_MAX);
    buffer_init(&key, PEM_MAX);
    if (key_to_pem(founding->admin_key, &key, err) == GW_OK) {
        buffer_printf(&out, "clusterId: \"%s\"\nendpoints: [\"https://%s\"]\n",
                      founding->made->cluster_id, endpoint);
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

enum result founding_write(struct founding *founding, struct error *err)
{
    if (write_files(founding, err) == GW_OK && write_token(founding, err) == GW_OK)
        directory_write_identity(founding->options, founding->made, err);
    return err->code;
}

void founding_remove_half(const struct offline_options *options)
{
    char path[DIRECTORY_PATH];

    remove(directory_path(options, "data.mdb", path));
    remove(directory_path(options, "lock.mdb", path));
}
