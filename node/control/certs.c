/* /v1/cluster/certs: the certificates of the cluster itself, as recorded by the nodes
 * that have them, and the wish for other ones.
 *
 * A rotation is a list of serials that are to go. Every node looks whether its own is
 * among them (upkeep.h), so a node that is down finds it when it is back, and asking
 * twice renews nothing twice. That of the authority begins with a record of the next
 * one; the rest is authority.h's. */
#include "base/instant.h"
#include "node/control/admin.h"
#include "node/control/authority.h"
#include "node/control/renewal.h"
#include "pki/certificate.h"
#include "raft/holding.h"
#include "raft/system.h"
#include "store/records.h"

#include <openssl/sha.h>

#define DAY_MS 86400000

/* What the items are judged by; slices borrow from the transaction. */
struct judging {
    struct txn *txn;
    struct retired_record retired;
    X509 *ca;    /* that signs, owned */
    X509 *other; /* believed beside it, owned; NULL: none */
    bool is_next;
    uint8_t trust[HOLDING_TRUST_SIZE]; /* as every node's is to be */
    uint64_t now_ms;
};

static void judging_deinit(struct judging *judging)
{
    certificate_free(judging->ca);
    certificate_free(judging->other);
    txn_abort(judging->txn);
}

static void read_authorities(struct judging *judging, struct error *err)
{
    struct certificate_bundle bundle = {0};
    struct record record;
    struct buffer pem;

    buffer_init(&pem, 256u << 10);
    if (authority_bundle(judging->txn, &pem) != GW_OK ||
        certificate_bundle_from_pem(buffer_slice(&pem), &bundle, err) != GW_OK) {
        error_set(err, GW_DAMAGED, "the record of the CA cannot be read");
    } else {
        SHA256((const unsigned char *)pem.data, pem.size, judging->trust);
        judging->ca = certificate_ref(bundle.items[0]);
        judging->other = certificate_ref(bundle.items[1]);
        judging->is_next = record_get(judging->txn, CA_NEXT_KEY, &record) == GW_OK;
    }
    certificate_bundle_deinit(&bundle);
    buffer_deinit(&pem);
}

static enum result judging_init(struct judging *judging, const struct control *control,
                                struct error *err)
{
    struct record record;

    memset(judging, 0, sizeof *judging);
    judging->now_ms = instant_wall_ms();
    enum result result = env_begin_read(control->env, &judging->txn);
    if (result != GW_OK)
        return error_set(err, result, "read the certificates: %s", result_text(result));
    read_authorities(judging, err);
    if (record_get(judging->txn, RETIRED_KEY, &record) == GW_OK)
        retired_record_unpack(record.value, &judging->retired);
    if (err->code != GW_OK)
        judging_deinit(judging);
    return err->code;
}

/* *ret_believes: it believes whom it is to. */
static bool read_held(const struct judging *judging, uint64_t id, X509 **ret_certificate,
                      bool *ret_believes)
{
    struct holding_record holding;
    struct record record;
    struct error ignored;
    char key[NODE_KEY_SIZE];

    if (record_get(judging->txn, holding_record_key(id, key), &record) != GW_OK ||
        !holding_record_unpack(record.value, &holding))
        return false;
    *ret_believes = memcmp(holding.trust.data, judging->trust, sizeof judging->trust) == 0;
    return certificate_from_pem(holding.certificate, ret_certificate, &ignored) == GW_OK;
}

static enum renewal judge(const struct judging *judging, X509 *certificate)
{
    char serial[CERTIFICATE_SERIAL_SIZE];
    struct renewal_facts facts = {.is_signed =
                                      certificate_is_signed_by(certificate, judging->ca)};

    certificate_serial(certificate, serial);
    certificate_validity(certificate, &facts.from_ms, &facts.until_ms);
    facts.is_retired = retired_record_has(&judging->retired, slice_from_string(serial));
    return renewal_due(&facts, judging->now_ms);
}

/* ---- the list ---- */

static void emit_name(void *owner, struct slice name)
{
    emit_string(owner, name);
}

static void emit_hash(struct emit *emit, X509 *certificate)
{
    uint8_t hash[CERTIFICATE_SHA256_SIZE];
    char text[2 * CERTIFICATE_SHA256_SIZE + 1];

    if (certificate == NULL) {
        emit_null(emit);
        return;
    }
    certificate_sha256(certificate, hash);
    slice_to_hex(slice_of(hash, sizeof hash), text);
    emit_cstring(emit, text);
}

static void emit_instant(struct emit *emit, const char *key, uint64_t wall_ms)
{
    char text[INSTANT_TEXT_SIZE];

    instant_format(wall_ms, text);
    emit_key(emit, key);
    emit_cstring(emit, text);
}

/* The keys that all items share; without a certificate, nulls. */
static void emit_certificate(struct emit *emit, const struct judging *judging,
                             X509 *certificate, X509 *issuer)
{
    static const char *const keys[] = {"subject",  "names",    "serial", "notBefore",
                                       "notAfter", "daysLeft", "issuer", "fingerprint"};
    char serial[CERTIFICATE_SERIAL_SIZE], uri[IDENTITY_URI_SIZE];
    uint64_t from_ms, until_ms;
    struct identity identity;
    struct error ignored;

    if (certificate == NULL) {
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            emit_key(emit, keys[i]);
            emit_null(emit);
        }
        return;
    }
    certificate_serial(certificate, serial);
    certificate_validity(certificate, &from_ms, &until_ms);
    emit_key(emit, "subject");
    if (identity_from_certificate(certificate, &identity, &ignored) == GW_OK) {
        identity_format(&identity, uri);
        emit_cstring(emit, uri);
    } else {
        char text[128];
        certificate_common_name(certificate, text, sizeof text);
        emit_cstring(emit, text);
    }
    emit_key(emit, "names");
    emit_array(emit);
    certificate_each_name(certificate, emit_name, emit);
    emit_array_end(emit);
    emit_key(emit, "serial");
    emit_cstring(emit, serial);
    emit_instant(emit, "notBefore", from_ms);
    emit_instant(emit, "notAfter", until_ms);
    emit_key(emit, "daysLeft");
    emit_i64(emit, ((int64_t)until_ms - (int64_t)judging->now_ms) / DAY_MS);
    emit_key(emit, "issuer");
    emit_hash(emit, issuer);
    emit_key(emit, "fingerprint");
    emit_hash(emit, certificate);
}

static void emit_ca(struct emit *emit, const struct judging *judging, X509 *ca,
                    const char *status)
{
    emit_object(emit);
    emit_key(emit, "kind");
    emit_cstring(emit, "ca");
    emit_key(emit, "node");
    emit_null(emit);
    emit_key(emit, "nodeId");
    emit_null(emit);
    emit_key(emit, "state");
    emit_null(emit);
    emit_key(emit, "status");
    emit_cstring(emit, status);
    emit_certificate(emit, judging, ca, certificate_is_signed_by(ca, ca) ? ca : NULL);
    emit_object_end(emit);
}

static const char *status_of(const struct judging *judging, X509 *certificate,
                             bool believes)
{
    uint64_t from_ms, until_ms;

    if (certificate == NULL)
        return "unknown";
    certificate_validity(certificate, &from_ms, &until_ms);
    if (judging->now_ms > until_ms)
        return "expired";
    return believes && judge(judging, certificate) == RENEWAL_NONE ? "current" : "due";
}

static void emit_node(struct emit *emit, const struct judging *judging,
                      const struct member_line *line)
{
    X509 *certificate = NULL, *issuer = NULL;
    bool believes = false;

    read_held(judging, line->id, &certificate, &believes);
    if (certificate != NULL && certificate_is_signed_by(certificate, judging->ca))
        issuer = judging->ca;
    else if (certificate != NULL && judging->other != NULL &&
             certificate_is_signed_by(certificate, judging->other))
        issuer = judging->other;
    emit_object(emit);
    emit_key(emit, "kind");
    emit_cstring(emit, "node");
    emit_key(emit, "node");
    emit_cstring(emit, line->node->name);
    emit_key(emit, "nodeId");
    emit_u64_string(emit, line->id);
    emit_key(emit, "state");
    emit_cstring(emit, line->state);
    emit_key(emit, "status");
    emit_cstring(emit, status_of(judging, certificate, believes));
    emit_certificate(emit, judging, certificate, issuer);
    emit_object_end(emit);
    certificate_free(certificate);
}

static void list(struct request *request)
{
    const struct control *control = request->control;
    struct member_list members;
    struct judging judging;
    struct emit emit;

    if (judging_init(&judging, control, &request->err) != GW_OK) {
        request_fail_error(request, &request->err);
        return;
    }
    members_gather(control, &members);
    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "revision");
    emit_u64_string(&emit, control->visible->catalog.revision);
    emit_key(&emit, "stale");
    emit_bool(&emit, request->is_stale);
    emit_key(&emit, "items");
    emit_array(&emit);
    emit_ca(&emit, &judging, judging.ca, "signing");
    if (judging.other != NULL)
        emit_ca(&emit, &judging, judging.other, judging.is_next ? "coming" : "leaving");
    for (size_t i = 0; i < members.count; i++) {
        if (members.lines[i].node != NULL)
            emit_node(&emit, &judging, &members.lines[i]);
    }
    emit_array_end(&emit);
    emit_object_end(&emit);
    judging_deinit(&judging);
    request_reply(request, 200, buffer_slice(&request->out));
}

void certs_list(struct request *request)
{
    request_linearize(request, list);
}

/* ---- rotation ---- */

/* All serials there are, into the arena. */
struct gathered {
    struct retired_record retired;
    bool is_under_way; /* some node that is up is at it */
    bool is_early;     /* some node that is up has not said what it has */
};

static void gather(struct request *request, const struct judging *judging,
                   struct gathered *ret_gathered)
{
    struct member_list members;
    struct gathered gathered = {.retired = {.at_ms = judging->now_ms}};

    members_gather(request->control, &members);
    for (size_t i = 0; i < members.count; i++) {
        const struct member_line *line = &members.lines[i];
        X509 *certificate = NULL;
        char serial[CERTIFICATE_SERIAL_SIZE];
        bool believes;
        if (line->node == NULL || !read_held(judging, line->id, &certificate, &believes)) {
            gathered.is_early |= line->is_reachable;
            continue;
        }
        certificate_serial(certificate, serial);
        gathered.is_under_way |=
            line->is_reachable && judge(judging, certificate) != RENEWAL_NONE;
        gathered.retired.serials[gathered.retired.count++] =
            arena_copy(&request->arena, slice_from_string(serial));
        certificate_free(certificate);
    }
    *ret_gathered = gathered;
}

static void rotate(struct request *request)
{
    struct control *control = request->control;
    const struct command_header header = {.wall_ms = instant_wall_ms(),
                                          .actor = request->actor};
    struct system_item item = {.key = RETIRED_KEY};
    struct judging judging;
    struct gathered gathered;
    struct record record;
    struct buffer value, command;

    if (judging_init(&judging, control, &request->err) != GW_OK) {
        request_fail_error(request, &request->err);
        return;
    }
    if (!upgrade_allows(request, 2, "a rotation of certificates")) {
        judging_deinit(&judging);
        return;
    }
    gather(request, &judging, &gathered);
    if (record_get(judging.txn, RETIRED_KEY, &record) == GW_OK)
        item.expected_mod_revision = record.mod_revision;
    judging_deinit(&judging);
    if (gathered.is_early) {
        request_try_again(request, rotate);
        return;
    }
    if (gathered.is_under_way) {
        request_reply_changed(request, false);
        return;
    }
    buffer_init(&value, 64u << 10);
    buffer_init(&command, 0);
    retired_record_pack(&value, &gathered.retired);
    item.value = buffer_slice(&value);
    if (value.failed || !system_encode(&command, &header, &item, 1) ||
        !control_call(control, MEMBER_PROPOSE, buffer_slice(&command), 0, 0,
                      request_changed, request))
        request_fail(request, GW_NO_MEMORY, "rotate the certificates");
    buffer_deinit(&value);
    buffer_deinit(&command);
}

/* ---- another authority ---- */

/* What the asker needs to go on as an administrator: the authority that will be, and his
 * certificate by it. Who asks by the socket has no certificate and gets none. */
static enum result write_welcome(struct request *request, bool changed, struct slice ca_pem,
                                 EVP_PKEY *ca_key)
{
    const struct slice prefix = SLICE("admin:");
    struct buffer certificate;
    EVP_PKEY *public_key = NULL;
    struct emit emit;

    buffer_init(&certificate, 64u << 10);
    if (request->selector.size != 0 && slice_starts_with(request->actor, prefix) &&
        certificate_request_read(request->selector, &public_key, &request->err) == GW_OK)
        authority_sign_admin(request->control, ca_pem, ca_key,
                             slice_from(request->actor, prefix.size), public_key,
                             &certificate, &request->err);
    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "changed");
    emit_bool(&emit, changed);
    emit_key(&emit, "ca");
    emit_string(&emit, ca_pem);
    emit_key(&emit, "certificate");
    if (certificate.size == 0)
        emit_null(&emit);
    else
        emit_string(&emit, buffer_slice(&certificate));
    emit_object_end(&emit);
    buffer_deinit(&certificate);
    key_free(public_key);
    return request->err.code;
}

static void begun(struct control_call *call)
{
    struct request *request = call->owner;

    if (call->member.result == GW_OK)
        request_reply(request, 200, buffer_slice(&request->out));
    else
        request_fail_call(request, call);
    control_call_free(call);
}

static void propose_next(struct request *request, struct slice record)
{
    const struct command_header header = {.wall_ms = instant_wall_ms(),
                                          .actor = request->actor};
    const struct system_item item = {.key = CA_NEXT_KEY, .value = record};
    struct buffer command;

    buffer_init(&command, 0);
    if (!system_encode(&command, &header, &item, 1) ||
        !control_call(request->control, MEMBER_PROPOSE, buffer_slice(&command), 0, 0, begun,
                      request))
        request_fail(request, GW_NO_MEMORY, "rotate the authority");
    buffer_deinit(&command);
}

/* Asked for again while it is under way: the same answer, for an asker that lost it. */
static void rotate_authority(struct request *request)
{
    struct control *control = request->control;
    struct judging judging;
    struct buffer record, ca_pem;
    EVP_PKEY *ca_key = NULL;

    buffer_reset(&request->out);
    if (!upgrade_allows(request, 2, "another authority"))
        return;
    if (judging_init(&judging, control, &request->err) != GW_OK) {
        request_fail_error(request, &request->err);
        return;
    }
    const bool is_under_way = judging.other != NULL, is_next = judging.is_next;
    struct record turning;
    if (!is_under_way && (record_get(judging.txn, KEYS_NEXT_KEY, &turning) == GW_OK ||
                          record_get(judging.txn, KEYS_OLD_KEY, &turning) == GW_OK)) {
        judging_deinit(&judging);
        request_fail(request, GW_CONFLICT,
                     "the cluster key is being rotated; next: the same again when that is "
                     "done");
        return;
    }
    judging_deinit(&judging);
    buffer_init(&record, 128u << 10);
    buffer_init(&ca_pem, 64u << 10);
    if (is_under_way)
        authority_read(control, is_next ? CA_NEXT_KEY : CA_KEY, &ca_pem, &ca_key,
                       &request->err);
    else
        authority_make(control, &record, &ca_pem, &ca_key, &request->err);
    if (request->err.code == GW_OK)
        write_welcome(request, !is_under_way, buffer_slice(&ca_pem), ca_key);
    if (request->err.code != GW_OK)
        request_fail_error(request, &request->err);
    else if (is_under_way)
        request_reply(request, 200, buffer_slice(&request->out));
    else
        propose_next(request, buffer_slice(&record));
    key_free(ca_key);
    buffer_deinit(&record);
    buffer_deinit(&ca_pem);
}

/* Body: nothing, or {"ca": true, "csr": PEM}. */
void certs_rotate(struct request *request)
{
    static const struct form form = {.fields = {{"ca", FORM_FLAG}, {"csr", FORM_TEXT}},
                                     .refusal = GW_INVALID,
                                     .may_be_missing = true};
    const struct value *body = request_form(request, &form);

    if (body == NULL)
        return;
    if (!slice_equal(value_text(body, "ca"), SLICE("true"))) {
        request_at_leader(request, rotate);
        return;
    }
    request->selector = value_text(body, "csr");
    request_at_leader(request, rotate_authority);
}
