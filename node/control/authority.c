/* Reads the authority's record at every signature rather than keeping it: it is used
 * some times a year, and a key that is not in memory cannot leak from there. */
#include "node/control/authority.h"

#include "base/instant.h"
#include "model/units.h"
#include "node/control/keyring.h"
#include "store/records.h"

#include <stdio.h>

enum result authority_read(const struct control *control, struct slice record_key,
                           struct buffer *ca_pem, EVP_PKEY **ret_key, struct error *err)
{
    struct txn *txn;
    struct record record;
    struct ca_record ca;
    struct buffer key_pem;

    buffer_init(&key_pem, 64u << 10);
    enum result result = env_begin_read(control->env, &txn);
    if (result != GW_OK)
        return error_set(err, result, "read the CA: %s", result_text(result));
    result = record_get(txn, record_key, &record);
    if (result == GW_NOT_FOUND)
        error_set(err, GW_NOT_FOUND, "there is no record of such a CA");
    else if (result != GW_OK || !ca_record_unpack(record.value, &ca))
        error_set(err, GW_DAMAGED, "the record of the CA cannot be read");
    else if (keyring_open(control, SLICE("_ca/1"), ca.sealed_key, &key_pem, err) == GW_OK &&
             key_from_pem(buffer_slice(&key_pem), ret_key, err) == GW_OK)
        buffer_append_slice(ca_pem, ca.certificate);
    txn_abort(txn);
    key_buffer_wipe(&key_pem);
    return err->code;
}

enum result authority_check_key(const struct control *control, struct error *err)
{
    struct txn *txn;
    struct record record;
    struct ca_record ca;
    struct buffer key_pem;

    enum result result = env_begin_read(control->env, &txn);
    if (result != GW_OK)
        return error_set(err, result, "read the CA: %s", result_text(result));
    buffer_init(&key_pem, 64u << 10);
    result = record_get(txn, CA_KEY, &record);
    if (result == GW_NOT_FOUND)
        result = GW_OK; /* a joiner that has received nothing yet */
    else if (result != GW_OK || !ca_record_unpack(record.value, &ca))
        result = error_set(err, GW_DAMAGED, "the record of the CA cannot be read");
    else if (keyring_open(control, SLICE("_ca/1"), ca.sealed_key, &key_pem, err) != GW_OK)
        result =
            error_set(err, GW_FOREIGN,
                      "'%s/cluster.key' is not this cluster's key; next: restore it from "
                      "a backup, or copy it from another node of the cluster",
                      control->options.data_dir);
    txn_abort(txn);
    key_buffer_wipe(&key_pem);
    return result;
}

/* Names that the certificate bears beside the identity, for browsers and curl. */
static size_t names_of(const struct authority_subject *subject, struct slice *out)
{
    const struct slice addresses[] = {subject->peer, subject->admin};
    size_t count = 0;

    out[count++] = SLICE("localhost");
    out[count++] = SLICE("127.0.0.1");
    for (size_t i = 0; i < 2; i++) {
        struct slice host;
        uint16_t port;
        if (!host_port_parse(addresses[i], false, &host, &port))
            continue;
        bool known = false;
        for (size_t j = 0; j < count; j++)
            known |= slice_equal(out[j], host);
        if (!known)
            out[count++] = host;
    }
    return count;
}

static enum result append_certificate(struct txn *txn, struct slice key, struct buffer *pem)
{
    struct record record;
    struct ca_record ca;
    enum result result = record_get(txn, key, &record);

    if (result != GW_OK)
        return result;
    if (!ca_record_unpack(record.value, &ca))
        return GW_DAMAGED;
    return buffer_append_slice(pem, ca.certificate) ? GW_OK : GW_NO_MEMORY;
}

enum result authority_bundle(struct txn *txn, struct buffer *pem)
{
    enum result result = append_certificate(txn, CA_KEY, pem);

    if (result == GW_OK)
        result = append_certificate(txn, CA_NEXT_KEY, pem);
    if (result == GW_NOT_FOUND && pem->size > 0)
        result = append_certificate(txn, CA_OLD_KEY, pem);
    return result == GW_NOT_FOUND && pem->size > 0 ? GW_OK : result;
}

static enum result read_bundle(const struct control *control, struct buffer *pem,
                               struct error *err)
{
    struct txn *txn;
    enum result result = env_begin_read(control->env, &txn);

    if (result == GW_OK) {
        result = authority_bundle(txn, pem);
        txn_abort(txn);
    }
    return result == GW_OK
               ? GW_OK
               : error_set(err, result, "read the authorities: %s", result_text(result));
}

static enum result sign(struct slice ca_pem, EVP_PKEY *ca_key, EVP_PKEY *public_key,
                        const struct identity *subject,
                        const struct certificate_names *names,
                        struct buffer *certificate_pem, struct error *err)
{
    X509 *ca = NULL, *certificate = NULL;

    if (certificate_from_pem(ca_pem, &ca, err) == GW_OK &&
        certificate_sign(ca, ca_key, public_key, subject, names, 0, instant_wall_ms(),
                         &certificate, err) == GW_OK)
        certificate_to_pem(certificate, certificate_pem, err);
    certificate_free(certificate);
    certificate_free(ca);
    return err->code;
}

enum result authority_sign(const struct control *control,
                           const struct authority_subject *subject, struct slice request,
                           struct buffer *certificate_pem, struct buffer *ca_pem,
                           struct error *err)
{
    struct identity node = {.kind = IDENTITY_NODE, .node_id = subject->id};
    struct slice items[8];
    const struct certificate_names names = {items, names_of(subject, items)};
    EVP_PKEY *public_key = NULL, *ca_key = NULL;
    struct buffer signs;

    memcpy(node.cluster_id, control->options.identity.cluster_id, sizeof node.cluster_id);
    buffer_init(&signs, 64u << 10);
    if (certificate_request_read(request, &public_key, err) == GW_OK &&
        authority_read(control, CA_KEY, &signs, &ca_key, err) == GW_OK &&
        sign(buffer_slice(&signs), ca_key, public_key, &node, &names, certificate_pem,
             err) == GW_OK)
        read_bundle(control, ca_pem, err);
    buffer_deinit(&signs);
    key_free(public_key);
    key_free(ca_key);
    return err->code;
}

enum result authority_sign_admin(const struct control *control, struct slice ca_pem,
                                 EVP_PKEY *ca_key, struct slice name, EVP_PKEY *public_key,
                                 struct buffer *certificate_pem, struct error *err)
{
    struct identity admin = {.kind = IDENTITY_ADMIN};

    memcpy(admin.cluster_id, control->options.identity.cluster_id, sizeof admin.cluster_id);
    snprintf(admin.name, sizeof admin.name, "%.*s", SLICE_ARG(name));
    return sign(ca_pem, ca_key, public_key, &admin, NULL, certificate_pem, err);
}

enum result authority_make(const struct control *control, struct buffer *record,
                           struct buffer *ca_pem, EVP_PKEY **ret_key, struct error *err)
{
    struct buffer key_pem, sealed;
    EVP_PKEY *key = NULL;
    X509 *ca = NULL;

    buffer_init(&key_pem, 64u << 10);
    buffer_init(&sealed, 64u << 10);
    if (key_generate(&key, err) == GW_OK &&
        certificate_make_ca(key, control->options.identity.cluster_id, instant_wall_ms(),
                            &ca, err) == GW_OK &&
        certificate_to_pem(ca, ca_pem, err) == GW_OK &&
        key_to_pem(key, &key_pem, err) == GW_OK &&
        seal_bytes(keyring_current(control), SLICE("_ca/1"), buffer_slice(&key_pem),
                   &sealed, err) == GW_OK)
        ca_record_pack(record, &(struct ca_record){.certificate = buffer_slice(ca_pem),
                                                   .sealed_key = buffer_slice(&sealed)});
    key_buffer_wipe(&key_pem);
    buffer_deinit(&sealed);
    certificate_free(ca);
    if (err->code == GW_OK)
        *ret_key = key;
    else
        key_free(key);
    return err->code;
}
