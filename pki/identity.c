/* Identities as URIs in certificates, and the identity file of a data directory.
 *
 * Parsing is strict and has one text for each identity: comparing texts and
 * comparing identities must never differ. The file is three lines of key=value
 * that a person can read; it is written once and never edited. */
#include "pki/identity.h"

#include "pki/keyfile.h"
#include "pki/random.h"

#include <inttypes.h>
#include <openssl/x509v3.h>
#include <stdio.h>

void identity_make_cluster_id(char *out)
{
    random_hex(out, (IDENTITY_CLUSTER_SIZE - 1) / 2);
}

bool identity_is_cluster_id(struct slice text)
{
    if (text.size != IDENTITY_CLUSTER_SIZE - 1)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

bool identity_is_name(struct slice text)
{
    if (text.size == 0 || text.size >= IDENTITY_NAME_SIZE)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '@';
        if (!fine)
            return false;
    }
    return true;
}

void identity_format(const struct identity *identity, char *out)
{
    switch (identity->kind) {
    case IDENTITY_NODE:
        snprintf(out, IDENTITY_URI_SIZE, "gw://%s/node/%" PRIu64, identity->cluster_id,
                 identity->node_id);
        return;
    case IDENTITY_ADMIN:
        snprintf(out, IDENTITY_URI_SIZE, "gw://%s/admin/%s", identity->cluster_id,
                 identity->name);
        return;
    case IDENTITY_NONE:
        break;
    }
    out[0] = '\0';
}

static void copy_text(char *out, struct slice text)
{
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
}

static bool parse_node_id(struct slice text, uint64_t *ret_id)
{
    uint64_t id = 0;
    if (text.size == 0 || text.data[0] == '0' || !slice_parse_u64(text, &id))
        return false;
    *ret_id = id;
    return true;
}

bool identity_parse(struct slice uri, struct identity *ret_identity)
{
    struct identity identity = {0};
    const size_t id_size = IDENTITY_CLUSTER_SIZE - 1;

    if (!slice_starts_with(uri, SLICE("gw://")))
        return false;
    uri = slice_from(uri, 5);
    if (!identity_is_cluster_id(slice_sub(uri, 0, id_size)))
        return false;
    copy_text(identity.cluster_id, slice_sub(uri, 0, id_size));
    uri = slice_from(uri, id_size);

    if (slice_starts_with(uri, SLICE("/node/"))) {
        identity.kind = IDENTITY_NODE;
        if (!parse_node_id(slice_from(uri, 6), &identity.node_id))
            return false;
    } else if (slice_starts_with(uri, SLICE("/admin/"))) {
        identity.kind = IDENTITY_ADMIN;
        uri = slice_from(uri, 7);
        if (!identity_is_name(uri))
            return false;
        copy_text(identity.name, uri);
    } else {
        return false;
    }
    *ret_identity = identity;
    return true;
}

enum result identity_from_certificate(X509 *certificate, struct identity *ret_identity,
                                      struct error *err)
{
    struct identity identity = {0};
    unsigned found = 0;
    bool malformed = false;

    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int count = names == NULL ? 0 : sk_GENERAL_NAME_num(names);
    for (int i = 0; i < count; i++) {
        int type = 0;
        const ASN1_STRING *value =
            GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
        if (type != GEN_URI)
            continue;
        struct slice uri =
            slice_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
        if (!slice_starts_with(uri, SLICE("gw://")))
            continue;
        found++;
        if (!identity_parse(uri, &identity))
            malformed = true;
    }
    GENERAL_NAMES_free(names);

    if (found != 1 || malformed)
        return error_set(err, GW_FORBIDDEN,
                         "the certificate is not one of a cluster: %s gw:// name",
                         malformed    ? "a malformed"
                         : found == 0 ? "no"
                                      : "more than one");
    *ret_identity = identity;
    return GW_OK;
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
    return a->kind == b->kind && strcmp(a->cluster_id, b->cluster_id) == 0 &&
           a->node_id == b->node_id && strcmp(a->name, b->name) == 0;
}

const char *identity_describe(const struct identity *identity)
{
    static _Thread_local char text[IDENTITY_NAME_SIZE + 16];

    switch (identity->kind) {
    case IDENTITY_NODE:
        snprintf(text, sizeof text, "node %" PRIu64, identity->node_id);
        return text;
    case IDENTITY_ADMIN:
        snprintf(text, sizeof text, "admin '%s'", identity->name);
        return text;
    case IDENTITY_NONE:
        break;
    }
    return "nobody";
}

enum result identity_file_write(const char *path, const struct identity_file *file,
                                struct error *err)
{
    char text[256];
    int size = snprintf(text, sizeof text, "cluster=%s\nnode=%" PRIu64 "\nname=%s\n",
                        file->cluster_id, file->node_id, file->name);
    return keyfile_write(path, slice_of(text, (size_t)size), 0644, err);
}

/* Takes "KEY=VALUE\n" off the front. */
static bool take_line(struct slice *rest, struct slice key, struct slice *ret_value)
{
    size_t end = slice_find_byte(*rest, '\n');
    if (end == SIZE_MAX)
        return false;
    struct slice line = slice_sub(*rest, 0, end);
    if (!slice_starts_with(line, key))
        return false;
    *ret_value = slice_from(line, key.size);
    *rest = slice_from(*rest, end + 1);
    return true;
}

enum result identity_file_read(const char *path, struct identity_file *ret_file,
                               struct error *err)
{
    struct identity_file file = {0};
    struct slice cluster;
    struct slice node;
    struct slice name;
    struct buffer text;

    buffer_init(&text, 0);
    if (keyfile_read(path, 4096, &text, err) != GW_OK) {
        buffer_deinit(&text);
        return err->code;
    }
    struct slice rest = buffer_slice(&text);
    bool fine = take_line(&rest, SLICE("cluster="), &cluster) &&
                take_line(&rest, SLICE("node="), &node) &&
                take_line(&rest, SLICE("name="), &name) && rest.size == 0 &&
                identity_is_cluster_id(cluster) && parse_node_id(node, &file.node_id) &&
                identity_is_name(name);
    if (fine) {
        copy_text(file.cluster_id, cluster);
        copy_text(file.name, name);
        *ret_file = file;
    }
    buffer_deinit(&text);
    if (!fine)
        return error_set(
            err, GW_DAMAGED,
            "read '%s': not an identity as init or join wrote it; next: restore "
            "the file, or join again with an empty data directory",
            path);
    return GW_OK;
}
