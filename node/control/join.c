/* A joiner's request, at whichever node it knocked: carried to the leader, where
 * consuming the token is the log entry that adds the node; then its certificate
 * is signed.
 *
 * The request's digest is its session, so a joiner that repeats the same request
 * after a lost answer gets the same id again and not "token used". */
#include "base/instant.h"
#include "base/log.h"
#include "model/units.h"
#include "model/wire.h"
#include "node/control/admin.h"
#include "node/control/authority.h"
#include "node/control/keyring.h"
#include "pki/certificate.h"
#include "pki/token.h"
#include "raft/joining.h"
#include "raft/session.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#define JOIN_FIELD_MAX 512
#define JOIN_CSR_MAX   8192

struct joining {
    struct control *control;
    struct member_forwarded *forwarded;
    /* Borrowed from its payload. */
    struct slice token, secret, csr, name, region, zone, peer, admin, version, role;
    struct slice format;  /* the newest it reads; empty: 1 */
    struct slice replace; /* "yes": take the place of the node of this name */
};

/* ---- answers ---- */

static void refuse(struct joining *joining, enum result code, const char *sentence)
{
    struct buffer out;

    joining->control->joins_refused++;
    log_event(LOG_WARN, "control", "join refused", LOG_SLICE("name", joining->name),
              LOG_STR("code", result_word(code)), LOG_STR("why", sentence));
    buffer_init(&out, 4096);
    pack_map(&out, 3);
    pack_text(&out, SLICE("ok"));
    pack_bool(&out, false);
    pack_text(&out, SLICE("code"));
    pack_text(&out, slice_from_string(result_word(code)));
    pack_text(&out, SLICE("text"));
    pack_text(&out, slice_from_string(sentence));
    control_answer(joining->control, joining->forwarded, buffer_slice(&out));
    buffer_deinit(&out);
    free(joining);
}

static bool read_request(struct joining *joining)
{
    const struct {
        struct slice key;
        struct slice *out;
        size_t max;
    } fields[] = {{SLICE("token"), &joining->token, TOKEN_ID_SIZE},
                  {SLICE("secret"), &joining->secret, TOKEN_SECRET_SIZE},
                  {SLICE("csr"), &joining->csr, JOIN_CSR_MAX},
                  {SLICE("name"), &joining->name, 63},
                  {SLICE("region"), &joining->region, 63},
                  {SLICE("zone"), &joining->zone, 63},
                  {SLICE("peer"), &joining->peer, NODE_ADDRESS_LIMIT},
                  {SLICE("admin"), &joining->admin, NODE_ADDRESS_LIMIT},
                  {SLICE("version"), &joining->version, 63},
                  {SLICE("role"), &joining->role, 16},
                  {SLICE("replace"), &joining->replace, 8},
                  {SLICE("format"), &joining->format, 8}};
    struct wire wire;
    size_t count;

    wire_init(&wire, slice_from(buffer_slice(&joining->forwarded->payload), 1));
    if (!wire_read_map(&wire, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct slice key, value;
        bool taken = false;
        if (!wire_read_string(&wire, &key))
            return false;
        for (size_t f = 0; f < sizeof fields / sizeof fields[0] && !taken; f++) {
            if (!slice_equal(key, fields[f].key))
                continue;
            if (!wire_read_string(&wire, &value) || value.size > fields[f].max)
                return false;
            *fields[f].out = value;
            taken = true;
        }
        if (!taken && !wire_skip(&wire, NULL))
            return false;
    }
    return joining->secret.size == TOKEN_SECRET_SIZE && name_is_valid(joining->name) &&
           joining->token.size != 0;
}

static void welcome(struct joining *joining, uint64_t id)
{
    struct control *control = joining->control;
    struct buffer certificate, ca, out;
    struct error err = ERROR_NONE;

    buffer_init(&certificate, 0);
    buffer_init(&ca, 0);
    buffer_init(&out, 0);
    const struct authority_subject subject = {id, joining->peer, joining->admin};
    if (authority_sign(control, &subject, joining->csr, &certificate, &ca, &err) != GW_OK) {
        refuse(joining, err.code, err.text);
    } else {
        pack_map(&out, 10);
        pack_text(&out, SLICE("ok"));
        pack_bool(&out, true);
        pack_text(&out, SLICE("epoch"));
        pack_u64(&out, control->epoch.number);
        pack_text(&out, SLICE("lineage"));
        pack_text(&out, slice_from_string(control->epoch.lineage));
        pack_text(&out, SLICE("id"));
        pack_u64(&out, id);
        pack_text(&out, SLICE("certificate"));
        pack_text(&out, buffer_slice(&certificate));
        pack_text(&out, SLICE("ca"));
        pack_text(&out, buffer_slice(&ca));
        pack_text(&out, SLICE("clusterKey"));
        pack_bytes(&out, slice_of(keyring_current(control)->bytes, SEAL_KEY_SIZE));
        pack_text(&out, SLICE("clusterId"));
        pack_text(&out, slice_from_string(control->options.identity.cluster_id));
        pack_text(&out, SLICE("clusterName"));
        pack_text(&out, slice_from_string(control->nodes.cluster_name));
        pack_text(&out, SLICE("peers"));
        pack_array(&out, control->nodes.count);
        for (size_t i = 0; i < control->nodes.count; i++)
            pack_text(&out, slice_from_string(control->nodes.items[i].peer));
        log_event(LOG_INFO, "control", "node joined", LOG_SLICE("name", joining->name),
                  LOG_U64("id", id), LOG_SLICE("region", joining->region));
        control_answer(control, joining->forwarded, buffer_slice(&out));
        free(joining);
    }
    key_buffer_wipe(&out);
    buffer_deinit(&certificate);
    buffer_deinit(&ca);
}

static void joined(struct control_call *call)
{
    struct joining *joining = call->owner;
    struct command_detail detail;
    enum result result = call->member.result;

    bool has_detail = command_detail_unpack(buffer_slice(&call->member.reply), &detail);
    if (result == GW_OK && has_detail && detail.number != 0) {
        welcome(joining, detail.number);
    } else {
        char sentence[512];
        if (has_detail && detail.text.size != 0)
            snprintf(sentence, sizeof sentence, "%.*s", SLICE_ARG(detail.text));
        else
            snprintf(sentence, sizeof sentence, "%s: try again", result_text(result));
        refuse(joining, result == GW_OK ? GW_FAILED : result, sentence);
    }
    control_call_free(call);
}

/* Whose place it takes. A node that is up keeps its own: whoever has a token may add
 * nodes, not remove them. False: it was refused. */
static bool find_replaced(struct joining *joining, uint64_t *ret_id)
{
    const struct control *control = joining->control;
    const struct node_entry *old = nodes_by_name(&control->nodes, joining->name);
    char sentence[256];
    bool is_up = false;

    *ret_id = 0;
    if (joining->replace.size == 0 || old == NULL)
        return true;
    if (old->id == control->options.identity.node_id)
        is_up = true;
    for (unsigned i = 0; control->view != NULL && i < control->view->peer_count; i++)
        is_up |= control->view->peers[i].id == old->id && control->view->peers[i].connected;
    if (is_up) {
        snprintf(
            sentence, sizeof sentence,
            "node '%s' (id %llu) is up: stop its gwd first, or join under another name",
            old->name, (unsigned long long)old->id);
        refuse(joining, GW_CONFLICT, sentence);
        return false;
    }
    *ret_id = old->id;
    return true;
}

/* False: it was refused. Its links would be, too, with a token spent. */
static bool reads_format(struct joining *joining)
{
    uint64_t format = 1, stored = joining->control->nodes.format;
    char sentence[256];

    if (joining->format.size != 0 && !slice_parse_u64(joining->format, &format))
        format = 1;
    if (format >= stored)
        return true;
    snprintf(sentence, sizeof sentence,
             "the joiner's program reads formats up to %llu, the cluster stores format "
             "%llu: use a newer gwctl and gwd",
             (unsigned long long)format, (unsigned long long)stored);
    refuse(joining, GW_CONFLICT, sentence);
    return false;
}

/* What the state machine would refuse is refused here, without a log entry: anybody may
 * knock. But who was answered before gets that answer again, which only the log has.
 * False: it was refused. */
static bool may_join(struct joining *joining, const struct joining_wish *wish,
                     struct slice client)
{
    struct token_record token;
    enum result code = GW_OK;
    const char *why = "";
    bool is_known = false;
    struct txn *txn;

    enum result result = env_begin_read(joining->control->env, &txn);
    if (result == GW_OK) {
        result = session_is_known(txn, client, &is_known);
        if (result == GW_OK && !is_known)
            result = joining_check(txn, wish, &token, &code, &why);
        txn_abort(txn);
    }
    if (result == GW_OK && code == GW_OK)
        return true;
    if (result != GW_OK)
        refuse(joining, result, "the token cannot be looked up: try again");
    else
        refuse(joining, code, why);
    return false;
}

static void propose(struct joining *joining)
{
    uint64_t replaced;
    struct control *control = joining->control;
    uint8_t hash[TOKEN_HASH_SIZE], digest[SHA256_DIGEST_LENGTH];
    EVP_PKEY *public_key = NULL;
    struct error err = ERROR_NONE;
    struct buffer command;

    /* Before the token is spent: is there anything to sign? */
    if (certificate_request_read(joining->csr, &public_key, &err) != GW_OK) {
        refuse(joining, err.code, err.text);
        return;
    }
    key_free(public_key);
    if (!reads_format(joining) || !find_replaced(joining, &replaced))
        return;
    SHA256((const unsigned char *)joining->csr.data, joining->csr.size, digest);
    token_hash((const uint8_t *)joining->secret.data, hash);
    const struct joining_wish wish = {joining->token, slice_of(hash, sizeof hash),
                                      instant_wall_ms(), replaced != 0};
    if (!may_join(joining, &wish, slice_of(digest, 16)))
        return;
    const struct command_header header = {.number = COMMAND_NODE_JOIN,
                                          .wall_ms = wish.wall_ms,
                                          .client = slice_of(digest, 16),
                                          .sequence = 1,
                                          .actor = joining->name};
    const struct node_record record = {.id = replaced,
                                       .name = joining->name,
                                       .region = joining->region,
                                       .zone = joining->zone,
                                       .peer = joining->peer,
                                       .admin = joining->admin,
                                       .role = joining->role,
                                       .version = joining->version};
    buffer_init(&command, 0);
    if (!node_join_encode(&command, &header, joining->token, slice_of(hash, sizeof hash),
                          &record))
        refuse(joining, GW_MALFORMED, "name, region or an address is too long");
    else if (!control_call(control, MEMBER_PROPOSE, buffer_slice(&command), 0, 0, joined,
                           joining))
        refuse(joining, GW_NO_MEMORY, "out of memory");
    buffer_deinit(&command);
}

static void carried(struct control_call *call)
{
    struct joining *joining = call->owner;

    if (call->member.result == GW_OK) {
        control_answer(joining->control, joining->forwarded,
                       buffer_slice(&call->member.reply));
        free(joining);
    } else if (call->member.result == GW_AGAIN) {
        propose(joining);
    } else {
        refuse(joining, GW_NO_QUORUM, "the cluster has no leader now: try again");
    }
    control_call_free(call);
}

void join_arrived(struct control *control, struct member_forwarded *forwarded)
{
    struct joining *joining = calloc(1, sizeof *joining);

    if (joining == NULL) {
        control_answer(control, forwarded, (struct slice){0});
        return;
    }
    joining->control = control;
    joining->forwarded = forwarded;
    if (!read_request(joining)) {
        refuse(joining, GW_MALFORMED, "the join request does not decode");
    } else if (control_is_leader(control)) {
        propose(joining);
    } else if (forwarded->from != 0) {
        refuse(joining, GW_NOT_LEADER, "leadership is moving: try again");
    } else if (!control_call(control, MEMBER_FORWARD, buffer_slice(&forwarded->payload), 0,
                             0, carried, joining)) {
        refuse(joining, GW_NO_MEMORY, "out of memory");
    }
}
