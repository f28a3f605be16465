/* A directory put together from two nodes starts well and fails later: links are
 * refused, joins eat tokens, secrets are sealed to a key nobody has. Four small
 * files are read for that, five after a renewal that was cut off. */
#include "node/keys.h"

#include "base/log.h"
#include "pki/certificate.h"
#include "pki/keyfile.h"
#include "pki/seal.h"

#include <stdio.h>
#include <string.h>

#define KEYS_FILE_MAX (1u << 20)
#define KEYS_NEXT \
    "next: restore the directory from a backup, or join again with an empty directory"

static enum result read_file(const char *data_dir, const char *name, struct buffer *out,
                             struct error *err)
{
    char path[4200];

    snprintf(path, sizeof path, "%s/%s", data_dir, name);
    enum result result = keyfile_read(path, KEYS_FILE_MAX, out, err);
    if (result == GW_NOT_FOUND)
        return error_set(err, GW_DAMAGED, "'%s' is missing; " KEYS_NEXT, path);
    return result;
}

static enum result read_authorities(const char *data_dir,
                                    struct certificate_bundle *ret_cas, struct error *err)
{
    struct buffer pem;

    buffer_init(&pem, KEYS_FILE_MAX);
    enum result result = read_file(data_dir, "ca.pem", &pem, err);
    if (result == GW_OK &&
        certificate_bundle_from_pem(buffer_slice(&pem), ret_cas, err) != GW_OK)
        result =
            error_set(err, GW_DAMAGED,
                      "'%s/ca.pem' is not one or two certificates; " KEYS_NEXT, data_dir);
    buffer_deinit(&pem);
    return result;
}

static enum result read_certificate(const char *data_dir, const char *name,
                                    X509 **ret_certificate, struct error *err)
{
    struct buffer pem;

    buffer_init(&pem, KEYS_FILE_MAX);
    enum result result = read_file(data_dir, name, &pem, err);
    if (result == GW_OK &&
        certificate_from_pem(buffer_slice(&pem), ret_certificate, err) != GW_OK)
        result = error_set(err, GW_DAMAGED, "'%s/%s' is no certificate; " KEYS_NEXT,
                           data_dir, name);
    buffer_deinit(&pem);
    return result;
}

static enum result read_key(const char *data_dir, EVP_PKEY **ret_key, struct error *err)
{
    struct buffer pem;

    buffer_init(&pem, KEYS_FILE_MAX);
    enum result result = read_file(data_dir, "node.key", &pem, err);
    if (result == GW_OK && key_from_pem(buffer_slice(&pem), ret_key, err) != GW_OK)
        result = error_set(err, GW_DAMAGED, "'%s/node.key' is no private key; " KEYS_NEXT,
                           data_dir);
    key_buffer_wipe(&pem);
    return result;
}

/* A renewal (node/control/credentials.c) may have been cut off between the certificate
 * and its key: then the key waits beside its place. Whatever is not so stays as it is,
 * for the checks to speak of; a key without a certificate is written over by the next
 * renewal. */
static void finish_renewal(const char *data_dir)
{
    char next[4200], place[4200];
    struct buffer pem;
    struct error ignored;
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;

    snprintf(next, sizeof next, "%s/node.key.next", data_dir);
    snprintf(place, sizeof place, "%s/node.key", data_dir);
    buffer_init(&pem, KEYS_FILE_MAX);
    if (keyfile_read(next, KEYS_FILE_MAX, &pem, &ignored) == GW_OK &&
        read_certificate(data_dir, "node.pem", &certificate, &ignored) == GW_OK) {
        if (key_from_pem(buffer_slice(&pem), &key, &ignored) == GW_OK &&
            certificate_key_matches(certificate, key) &&
            keyfile_rename(next, place, &ignored) == GW_OK)
            log_event(LOG_INFO, "keys", "a renewal that was cut off is finished",
                      LOG_STR("file", "node.key"));
    }
    key_buffer_wipe(&pem);
    key_free(key);
    certificate_free(certificate);
}

static enum result check_cluster_key(const char *data_dir, struct error *err)
{
    struct seal_key key;
    char path[4200];

    snprintf(path, sizeof path, "%s/cluster.key", data_dir);
    enum result result = seal_key_read(path, &key, err);
    memset(&key, 0, sizeof key);
    if (result == GW_OK)
        return GW_OK;
    return error_set(err, GW_DAMAGED, "'%s' is missing or no cluster key; " KEYS_NEXT,
                     path);
}

static enum result check_pair(const char *data_dir, const struct identity_file *identity,
                              X509 *certificate, EVP_PKEY *key,
                              const struct certificate_bundle *cas, struct error *err)
{
    struct identity shown;
    bool is_signed = false;

    if (identity_from_certificate(certificate, &shown, err) != GW_OK ||
        shown.kind != IDENTITY_NODE)
        return error_set(err, GW_FOREIGN,
                         "'%s/node.pem' is no node's certificate; " KEYS_NEXT, data_dir);
    if (strcmp(shown.cluster_id, identity->cluster_id) != 0 ||
        shown.node_id != identity->node_id)
        return error_set(
            err, GW_FOREIGN,
            "'%s/node.pem' is of node %llu of cluster %s, this directory of node "
            "%llu of cluster %s; " KEYS_NEXT,
            data_dir, (unsigned long long)shown.node_id, shown.cluster_id,
            (unsigned long long)identity->node_id, identity->cluster_id);
    if (!certificate_key_matches(certificate, key))
        return error_set(err, GW_FOREIGN,
                         "'%s/node.key' is not the key of node.pem beside it; " KEYS_NEXT,
                         data_dir);
    for (size_t i = 0; i < cas->count; i++)
        is_signed |= certificate_is_signed_by(certificate, cas->items[i]);
    if (!is_signed)
        return error_set(err, GW_FOREIGN,
                         "'%s/node.pem' was not signed by ca.pem beside it; " KEYS_NEXT,
                         data_dir);
    return GW_OK;
}

enum result keys_check(const char *data_dir, const struct identity_file *identity,
                       uint64_t now_ms, struct error *err)
{
    struct certificate_bundle cas = {0};
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    uint64_t from_ms, until_ms;

    finish_renewal(data_dir);
    enum result result = read_certificate(data_dir, "node.pem", &certificate, err);
    if (result == GW_OK)
        result = read_authorities(data_dir, &cas, err);
    if (result == GW_OK)
        result = read_key(data_dir, &key, err);
    if (result == GW_OK)
        result = check_pair(data_dir, identity, certificate, key, &cas, err);
    if (result == GW_OK)
        result = check_cluster_key(data_dir, err);
    if (result == GW_OK) {
        certificate_validity(certificate, &from_ms, &until_ms);
        if (now_ms < from_ms || now_ms > until_ms)
            log_event(LOG_WARN, "keys", "certificate not valid now; peers will refuse it",
                      LOG_STR("file", "node.pem"));
    }
    certificate_free(certificate);
    certificate_bundle_deinit(&cas);
    key_free(key);
    return result;
}
