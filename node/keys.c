/* A directory put together from two nodes starts well and fails later: links are
 * refused, joins eat tokens, secrets are sealed to a key nobody has. Four small
 * files are read for that. */
#include "node/keys.h"

#include "base/log.h"
#include "pki/certificate.h"
#include "pki/keyfile.h"
#include "pki/seal.h"

#include <openssl/x509.h>
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
                              X509 *certificate, EVP_PKEY *key, X509 *ca, struct error *err)
{
    struct identity shown;

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
    if (X509_verify(certificate, X509_get0_pubkey(ca)) != 1)
        return error_set(err, GW_FOREIGN,
                         "'%s/node.pem' was not signed by ca.pem beside it; " KEYS_NEXT,
                         data_dir);
    return GW_OK;
}

enum result keys_check(const char *data_dir, const struct identity_file *identity,
                       uint64_t now_ms, struct error *err)
{
    X509 *certificate = NULL, *ca = NULL;
    EVP_PKEY *key = NULL;
    uint64_t from_ms, until_ms;

    enum result result = read_certificate(data_dir, "node.pem", &certificate, err);
    if (result == GW_OK)
        result = read_certificate(data_dir, "ca.pem", &ca, err);
    if (result == GW_OK)
        result = read_key(data_dir, &key, err);
    if (result == GW_OK)
        result = check_pair(data_dir, identity, certificate, key, ca, err);
    if (result == GW_OK)
        result = check_cluster_key(data_dir, err);
    if (result == GW_OK) {
        certificate_validity(certificate, &from_ms, &until_ms);
        if (now_ms < from_ms || now_ms > until_ms)
            log_event(LOG_WARN, "keys", "certificate not valid now; peers will refuse it",
                      LOG_STR("file", "node.pem"));
    }
    certificate_free(certificate);
    certificate_free(ca);
    key_free(key);
    return result;
}
