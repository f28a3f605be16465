/* Reads the authority's record at every signature rather than keeping it: it is used
 * some times a year, and a key that is not in memory cannot leak from there. */
#include "node/control/authority.h"

#include "base/instant.h"
#include "model/units.h"
#include "pki/certificate.h"

static enum result read_ca(const struct control *control, struct buffer *ca_pem,
                           EVP_PKEY **ret_key, struct error *err)
{
    struct txn *txn;
    struct record record;
    struct ca_record ca;
    struct buffer key_pem;

    buffer_init(&key_pem, 64u << 10);
    enum result result = env_begin_read(control->env, &txn);
    if (result != GW_OK)
        return error_set(err, result, "read the CA: %s", result_text(result));
    result = record_get(txn, CA_KEY, &record);
    if (result != GW_OK || !ca_record_unpack(record.value, &ca))
        error_set(err, GW_DAMAGED, "the record of the CA cannot be read");
    else if (seal_open(&control->key, SLICE("_ca/1"), ca.sealed_key, &key_pem, err) ==
                 GW_OK &&
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
    else if (seal_open(&control->key, SLICE("_ca/1"), ca.sealed_key, &key_pem, err) !=
             GW_OK)
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

enum result authority_sign(const struct control *control,
                           const struct authority_subject *subject, struct slice request,
                           struct buffer *certificate_pem, struct buffer *ca_pem,
                           struct error *err)
{
    struct identity node = {.kind = IDENTITY_NODE, .node_id = subject->id};
    struct slice items[8];
    const struct certificate_names names = {items, names_of(subject, items)};
    EVP_PKEY *ca_key = NULL, *public_key = NULL;
    X509 *ca = NULL, *certificate = NULL;

    memcpy(node.cluster_id, control->options.identity.cluster_id, sizeof node.cluster_id);
    if (read_ca(control, ca_pem, &ca_key, err) == GW_OK &&
        certificate_from_pem(buffer_slice(ca_pem), &ca, err) == GW_OK &&
        certificate_request_read(request, &public_key, err) == GW_OK &&
        certificate_sign(ca, ca_key, public_key, &node, &names, 0, instant_wall_ms(),
                         &certificate, err) == GW_OK)
        certificate_to_pem(certificate, certificate_pem, err);
    certificate_free(certificate);
    certificate_free(ca);
    key_free(public_key);
    key_free(ca_key);
    return err->code;
}
