/* A certificate and its key are two files, and a crash may come between them. The key
 * goes first, under another name, then the certificate, then the key to its place: at
 * every moment the certificate has its key in one of two files, and a start finishes
 * what was begun (node/keys.c). */
#include "node/control/credentials.h"

#include "base/log.h"
#include "pki/keyfile.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#define PEM_MAX   (256u << 10)
#define PATH_SIZE 4200

/* A certificate, its key, who is believed: as texts and read. */
struct kit {
    X509 *certificate;
    EVP_PKEY *key;
    struct certificate_bundle authorities;
    struct buffer certificate_pem, key_pem, authorities_pem;
};

struct credentials {
    struct control *control;
    struct kit used;
    struct kit fresh; /* while it is being written */
    struct job job;
    credentials_fn done;
    struct error err;
    uint8_t trust[HOLDING_TRUST_SIZE];
    char key_name[SEAL_NAME_SIZE], other_key_name[SEAL_NAME_SIZE];
};

/* ---- what belongs together ---- */

static void kit_init(struct kit *kit)
{
    memset(kit, 0, sizeof *kit);
    buffer_init(&kit->certificate_pem, PEM_MAX);
    buffer_init(&kit->key_pem, PEM_MAX);
    buffer_init(&kit->authorities_pem, PEM_MAX);
}

static void kit_deinit(struct kit *kit)
{
    certificate_free(kit->certificate);
    key_free(kit->key);
    certificate_bundle_deinit(&kit->authorities);
    key_buffer_wipe(&kit->key_pem);
    buffer_deinit(&kit->certificate_pem);
    buffer_deinit(&kit->authorities_pem);
    kit->certificate = NULL;
    kit->key = NULL;
}

/* From the texts. */
static enum result kit_read(struct kit *kit, struct error *err)
{
    if (certificate_from_pem(buffer_slice(&kit->certificate_pem), &kit->certificate, err) ==
            GW_OK &&
        key_from_pem(buffer_slice(&kit->key_pem), &kit->key, err) == GW_OK)
        certificate_bundle_from_pem(buffer_slice(&kit->authorities_pem), &kit->authorities,
                                    err);
    return err->code;
}

static enum result kit_check(const struct credentials *credentials, const struct kit *kit,
                             struct error *err)
{
    const struct identity_file *own = &credentials->control->options.identity;
    struct identity shown;
    bool is_signed = false;

    for (size_t i = 0; i < kit->authorities.count; i++)
        is_signed |= certificate_is_signed_by(kit->certificate, kit->authorities.items[i]);
    if (!is_signed)
        return error_set(err, GW_INVALID, "the certificate is of no authority believed");
    if (!certificate_key_matches(kit->certificate, kit->key))
        return error_set(err, GW_INVALID, "the certificate is for another key");
    if (identity_from_certificate(kit->certificate, &shown, err) != GW_OK)
        return err->code;
    if (shown.kind != IDENTITY_NODE || shown.node_id != own->node_id ||
        strcmp(shown.cluster_id, own->cluster_id) != 0)
        return error_set(err, GW_INVALID, "the certificate is that of %s",
                         identity_describe(&shown));
    return GW_OK;
}

static void path_of(const struct credentials *credentials, const char *name, char *out)
{
    snprintf(out, PATH_SIZE, "%.4000s/%s", credentials->control->options.data_dir, name);
}

static enum result read_pem(const struct credentials *credentials, const char *name,
                            struct buffer *out, struct error *err)
{
    char path[PATH_SIZE];

    path_of(credentials, name, path);
    return keyfile_read(path, PEM_MAX, out, err);
}

/* ---- what is in use ---- */

static struct tls_self self_of(const struct credentials *credentials)
{
    const struct kit *used = &credentials->used;

    return (struct tls_self){.certificate = used->certificate,
                             .key = used->key,
                             .ca = used->authorities.items[0],
                             .other_ca = used->authorities.items[1],
                             .cluster_id =
                                 credentials->control->options.identity.cluster_id};
}

enum result credentials_peer_tls(const struct credentials *credentials,
                                 struct tls_context **ret_server,
                                 struct tls_context **ret_client, struct error *err)
{
    const struct tls_self self = self_of(credentials);
    struct tls_context *server = NULL;

    if (tls_context_peer_server(&self, &server, err) != GW_OK ||
        tls_context_peer_client(&self, ret_client, err) != GW_OK) {
        tls_context_unref(server);
        return err->code;
    }
    *ret_server = server;
    return GW_OK;
}

enum result credentials_admin_tls(const struct credentials *credentials,
                                  struct tls_context **ret_tls, struct error *err)
{
    const struct tls_self self = self_of(credentials);

    return tls_context_admin_server(&self, ret_tls, err);
}

X509 *credentials_certificate(const struct credentials *credentials)
{
    return credentials->used.certificate;
}

const struct certificate_bundle *
credentials_authorities(const struct credentials *credentials)
{
    return &credentials->used.authorities;
}

struct slice credentials_authorities_pem(const struct credentials *credentials)
{
    return buffer_slice(&credentials->used.authorities_pem);
}

void credentials_holding(const struct credentials *credentials,
                         struct holding_record *ret_record)
{
    *ret_record = (struct holding_record){
        .id = credentials->control->options.identity.node_id,
        .certificate = buffer_slice(&credentials->used.certificate_pem),
        .trust = slice_of(credentials->trust, sizeof credentials->trust),
        .key = slice_from_string(credentials->key_name),
        .other_key = slice_from_string(credentials->other_key_name)};
}

void credentials_note_keys(struct credentials *credentials)
{
    const struct control *control = credentials->control;

    seal_key_name(&control->key, credentials->key_name);
    credentials->other_key_name[0] = '\0';
    if (control->has_other_key)
        seal_key_name(&control->other_key, credentials->other_key_name);
}

static void note_trust(struct credentials *credentials)
{
    struct slice pem = buffer_slice(&credentials->used.authorities_pem);

    SHA256((const unsigned char *)pem.data, pem.size, credentials->trust);
}

/* ---- replacing ---- */

/* Pool. */
static void run_certificate(struct job *job)
{
    struct credentials *credentials = job->owner;
    struct kit *fresh = &credentials->fresh;
    struct error *err = &credentials->err;
    char next[PATH_SIZE], key[PATH_SIZE], certificate[PATH_SIZE];

    path_of(credentials, "node.key.next", next);
    path_of(credentials, "node.key", key);
    path_of(credentials, "node.pem", certificate);
    if (keyfile_write(next, buffer_slice(&fresh->key_pem), 0600, err) == GW_OK &&
        keyfile_write(certificate, buffer_slice(&fresh->certificate_pem), 0644, err) ==
            GW_OK)
        keyfile_rename(next, key, err);
}

/* Pool. */
static void run_authorities(struct job *job)
{
    struct credentials *credentials = job->owner;
    char path[PATH_SIZE];

    path_of(credentials, "ca.pem", path);
    keyfile_write(path, buffer_slice(&credentials->fresh.authorities_pem), 0644,
                  &credentials->err);
}

/* From here on new connections have them. */
static enum result use(struct credentials *credentials, struct error *err)
{
    struct control *control = credentials->control;
    struct tls_context *server = NULL, *client = NULL, *admin = NULL;

    if (credentials_peer_tls(credentials, &server, &client, err) == GW_OK &&
        credentials_admin_tls(credentials, &admin, err) == GW_OK) {
        if (control->member != NULL)
            member_credentials_set(control->member, server, client);
        if (control->admin != NULL)
            http_server_set_tls(control->admin, admin);
    }
    tls_context_unref(server);
    tls_context_unref(client);
    tls_context_unref(admin);
    return err->code;
}

static void installed(struct job *job)
{
    struct credentials *credentials = job->owner;
    struct error *err = &credentials->err;

    if (err->code == GW_OK) {
        struct kit old = credentials->used;
        credentials->used = credentials->fresh;
        kit_init(&credentials->fresh);
        kit_deinit(&old);
        note_trust(credentials);
        if (!credentials->control->is_ending)
            use(credentials, err);
    }
    kit_deinit(&credentials->fresh);
    kit_init(&credentials->fresh);
    credentials->done(credentials->control, err);
}

/* Checks what stands in `fresh` as texts, and writes it. */
static void install(struct credentials *credentials, job_fn run, credentials_fn done)
{
    struct kit *fresh = &credentials->fresh;
    struct error *err = &credentials->err;

    *err = ERROR_NONE;
    credentials->done = done;
    if (fresh->certificate_pem.failed || fresh->key_pem.failed ||
        fresh->authorities_pem.failed)
        error_set(err, GW_NO_MEMORY, "take new credentials");
    else if (kit_read(fresh, err) == GW_OK)
        kit_check(credentials, fresh, err);
    if (err->code == GW_OK) {
        job_start(&credentials->job, credentials->control->loop, run, installed,
                  credentials);
        return;
    }
    kit_deinit(fresh);
    kit_init(fresh);
    done(credentials->control, err);
}

void credentials_install(struct credentials *credentials, EVP_PKEY *key,
                         struct slice certificate_pem, credentials_fn done)
{
    struct kit *fresh = &credentials->fresh;
    struct error ignored;

    buffer_append_slice(&fresh->certificate_pem, certificate_pem);
    buffer_append_slice(&fresh->authorities_pem, credentials_authorities_pem(credentials));
    key_to_pem(key, &fresh->key_pem, &ignored); /* an empty one does not read */
    key_free(key);
    install(credentials, run_certificate, done);
}

void credentials_install_authorities(struct credentials *credentials, struct slice pem,
                                     credentials_fn done)
{
    struct kit *fresh = &credentials->fresh;

    buffer_append_slice(&fresh->certificate_pem,
                        buffer_slice(&credentials->used.certificate_pem));
    buffer_append_slice(&fresh->key_pem, buffer_slice(&credentials->used.key_pem));
    buffer_append_slice(&fresh->authorities_pem, pem);
    install(credentials, run_authorities, done);
}

/* ---- life ---- */

enum result credentials_open(struct control *control, struct credentials **ret_credentials,
                             struct error *err)
{
    struct credentials *credentials = calloc(1, sizeof *credentials);

    if (credentials == NULL)
        return error_set(err, GW_NO_MEMORY, "open the credentials");
    credentials->control = control;
    kit_init(&credentials->used);
    kit_init(&credentials->fresh);
    credentials_note_keys(credentials);
    if (read_pem(credentials, "node.pem", &credentials->used.certificate_pem, err) !=
            GW_OK ||
        read_pem(credentials, "node.key", &credentials->used.key_pem, err) != GW_OK ||
        read_pem(credentials, "ca.pem", &credentials->used.authorities_pem, err) != GW_OK ||
        kit_read(&credentials->used, err) != GW_OK) {
        credentials_free(credentials);
        return error_wrap(err, "open the credentials");
    }
    note_trust(credentials);
    *ret_credentials = credentials;
    return GW_OK;
}

void credentials_free(struct credentials *credentials)
{
    if (credentials == NULL)
        return;
    kit_deinit(&credentials->used);
    kit_deinit(&credentials->fresh);
    free(credentials);
}
