/* Whoever has this file and the cluster key in one directory can sign for himself as it
 * is; so to renew the one by the other opens no door. Only what an authority that is
 * believed has signed is renewed. */
#include "node/control/admin_file.h"

#include "base/log.h"
#include "model/problems.h"
#include "model/value.h"
#include "node/control/authority.h"
#include "pki/keyfile.h"

#include <stdio.h>

#define FILE_MAX  (256u << 10)
#define PATH_SIZE 4200

static void append_block(struct buffer *out, const char *key, struct slice pem)
{
    struct slice line;

    buffer_printf(out, "%s: |\n", key);
    while (slice_next(&pem, '\n', &line)) {
        if (line.size > 0)
            buffer_printf(out, "  %.*s\n", SLICE_ARG(line));
    }
}

static void write_file(const struct value *root, struct slice ca, struct slice certificate,
                       struct buffer *out)
{
    const struct value *endpoints = value_get(root, "endpoints");
    struct slice name = value_text(root, "clusterName");

    buffer_printf(out, "clusterId: \"%.*s\"\n", SLICE_ARG(value_text(root, "clusterId")));
    if (name.size > 0)
        buffer_printf(out, "clusterName: \"%.*s\"\n", SLICE_ARG(name));
    buffer_printf(out, "endpoints: [");
    for (const struct value *item = endpoints != NULL ? endpoints->first : NULL;
         item != NULL; item = item->next)
        buffer_printf(out, "%s\"%.*s\"", item == endpoints->first ? "" : ", ",
                      SLICE_ARG(item->text));
    buffer_printf(out, "]\n");
    append_block(out, "ca", ca);
    append_block(out, "certificate", certificate);
    append_block(out, "key", value_text(root, "key"));
}

/* Whose it is; false: not to be touched. *ret_is_old: another authority signs now. */
static bool examine(const struct control *control, X509 *certificate,
                    const struct certificate_bundle *authorities,
                    struct identity *ret_identity, bool *ret_is_old)
{
    struct error ignored;
    bool is_signed = false;

    for (size_t i = 0; i < authorities->count; i++)
        is_signed |= certificate_is_signed_by(certificate, authorities->items[i]);
    *ret_is_old = !certificate_is_signed_by(certificate, authorities->items[0]);
    return is_signed &&
           identity_from_certificate(certificate, ret_identity, &ignored) == GW_OK &&
           ret_identity->kind == IDENTITY_ADMIN &&
           strcmp(ret_identity->cluster_id, control->options.identity.cluster_id) == 0;
}

static enum result follow(const struct control *control, const char *path,
                          const struct value *root, struct slice authorities_pem,
                          bool *ret_changed, struct error *err)
{
    struct certificate_bundle authorities = {0};
    struct slice text = value_text(root, "certificate");
    struct identity identity;
    struct buffer certificate_pem, ca_pem, out;
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL, *ca_key = NULL;
    bool is_old = false;

    buffer_init(&certificate_pem, FILE_MAX);
    buffer_init(&ca_pem, FILE_MAX);
    buffer_init(&out, FILE_MAX);
    if (certificate_bundle_from_pem(authorities_pem, &authorities, err) == GW_OK &&
        certificate_from_pem(text, &certificate, err) == GW_OK &&
        key_from_pem(value_text(root, "key"), &key, err) == GW_OK &&
        examine(control, certificate, &authorities, &identity, &is_old) &&
        (is_old ||
         !slice_equal(slice_trim(value_text(root, "ca")), slice_trim(authorities_pem)))) {
        if (!is_old || (authority_read(control, CA_KEY, &ca_pem, &ca_key, err) == GW_OK &&
                        authority_sign_admin(control, buffer_slice(&ca_pem), ca_key,
                                             slice_from_string(identity.name), key,
                                             &certificate_pem, err) == GW_OK)) {
            write_file(root, authorities_pem,
                       is_old ? buffer_slice(&certificate_pem) : text, &out);
            *ret_changed = keyfile_write(path, buffer_slice(&out), 0600, err) == GW_OK;
        }
    }
    certificate_bundle_deinit(&authorities);
    certificate_free(certificate);
    key_free(key);
    key_free(ca_key);
    buffer_deinit(&certificate_pem);
    buffer_deinit(&ca_pem);
    key_buffer_wipe(&out);
    return err->code;
}

void admin_file_follow(const struct control *control, struct slice authorities_pem)
{
    char path[PATH_SIZE];
    struct problems problems;
    struct buffer text;
    struct arena arena;
    struct error err = ERROR_NONE;
    bool changed = false;

    snprintf(path, sizeof path, "%.4000s/admin.yaml", control->options.data_dir);
    buffer_init(&text, FILE_MAX);
    if (keyfile_read(path, FILE_MAX, &text, &err) != GW_OK) {
        key_buffer_wipe(&text);
        return;
    }
    arena_init(&arena, 0, 0);
    problems_init(&problems);
    struct value *list =
        yaml_read(&arena, slice_from_string(path), buffer_slice(&text), &problems);
    problems_deinit(&problems);
    if (list != NULL && list->first != NULL)
        follow(control, path, list->first, authorities_pem, &changed, &err);
    if (err.code != GW_OK)
        log_event(LOG_WARN, "authority", "admin.yaml does not follow the authority",
                  LOG_STR("file", path), LOG_STR("why", err.text));
    else if (changed)
        log_event(LOG_INFO, "authority", "admin.yaml follows the authority",
                  LOG_STR("file", path),
                  LOG_STR("next", "gwctl context import it where its old one is in use"));
    key_buffer_wipe(&text);
    arena_deinit(&arena);
}
