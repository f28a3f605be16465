/* Join tokens: made here, shown once; the cluster keeps the hash of the secret.
 *
 * The token carries up to TOKEN_PEERS_MAX peer addresses, so that a joiner finds
 * the cluster when some of them are away. */
#include "base/instant.h"
#include "model/units.h"
#include "node/control/admin.h"
#include "pki/certificate.h"
#include "pki/keyfile.h"
#include "pki/token.h"

#include <stdio.h>
#include <stdlib.h>

#define TTL_MAX_MS (30ull * 24 * 3600 * 1000)
#define USES_MAX   1000

struct creating {
    struct request *request;
    struct token token;
    uint64_t expires_ms;
};

static void answer(struct request *request, const struct creating *creating)
{
    struct buffer text;
    struct emit emit;
    char expires[INSTANT_TEXT_SIZE];
    struct error err = ERROR_NONE;

    buffer_init(&text, 8192);
    if (token_format(&creating->token, &text, &err) != GW_OK) {
        request_fail_error(request, &err);
    } else {
        instant_format(creating->expires_ms, expires);
        emit_init(&emit, &request->out, false);
        emit_object(&emit);
        emit_key(&emit, "id");
        emit_cstring(&emit, creating->token.id);
        emit_key(&emit, "token");
        emit_string(&emit, buffer_slice(&text));
        emit_key(&emit, "expires");
        emit_cstring(&emit, expires);
        emit_object_end(&emit);
        request_reply(request, 201, buffer_slice(&request->out));
    }
    buffer_deinit(&text);
}

static void created(struct control_call *call)
{
    struct creating *creating = call->owner;
    struct request *request = creating->request;

    if (call->member.result == GW_OK)
        answer(request, creating);
    else
        request_fail_call(request, call);
    token_wipe(&creating->token);
    free(creating);
    control_call_free(call);
}

static enum result ca_hash(const struct control *control, uint8_t *out, struct error *err)
{
    char path[4096];
    struct buffer pem;
    X509 *ca = NULL;

    snprintf(path, sizeof path, "%s/ca.pem", control->options.data_dir);
    buffer_init(&pem, 256u << 10);
    if (keyfile_read(path, 256u << 10, &pem, err) == GW_OK &&
        certificate_from_pem(buffer_slice(&pem), &ca, err) == GW_OK)
        certificate_sha256(ca, out);
    certificate_free(ca);
    buffer_deinit(&pem);
    return err->code;
}

/* What the body asks for; false: answered already. */
static bool read_wish(struct request *request, struct slice *ret_role, uint64_t *ret_ttl_ms,
                      uint64_t *ret_uses)
{
    static const struct form form = {.fields = {{"role", FORM_TEXT},
                                                {"ttl", FORM_TEXT},
                                                {"uses", FORM_TEXT | FORM_NUMBER}},
                                     .refusal = GW_INVALID,
                                     .may_be_missing = true};
    const struct value *body = request_form(request, &form);
    struct slice text;

    *ret_role = SLICE("auto");
    *ret_ttl_ms = 3600 * 1000;
    *ret_uses = 1;
    if (body == NULL)
        return false;
    text = value_text(body, "role");
    if (text.size != 0)
        *ret_role = text;
    if (!node_role_is_known(*ret_role)) {
        request_fail(request, GW_INVALID,
                     "role is '%.*s': auto, voter, standby or witness is needed",
                     SLICE_ARG(*ret_role));
        return false;
    }
    text = value_text(body, "ttl");
    if (text.size != 0 && (!duration_parse(text, ret_ttl_ms) || *ret_ttl_ms == 0 ||
                           *ret_ttl_ms > TTL_MAX_MS)) {
        request_fail(request, GW_INVALID, "ttl is '%.*s': 1ms to 30d is needed",
                     SLICE_ARG(text));
        return false;
    }
    text = value_text(body, "uses");
    if (text.size != 0 &&
        (!slice_parse_u64(text, ret_uses) || *ret_uses == 0 || *ret_uses > USES_MAX)) {
        request_fail(request, GW_INVALID, "uses is '%.*s': 1 to %d is needed",
                     SLICE_ARG(text), USES_MAX);
        return false;
    }
    return true;
}

static void create(struct request *request)
{
    struct control *control = request->control;
    struct slice role;
    uint64_t ttl_ms, uses;
    uint8_t hash[TOKEN_HASH_SIZE], ca[CERTIFICATE_SHA256_SIZE];
    struct error err = ERROR_NONE;
    struct buffer command;

    if (!read_wish(request, &role, &ttl_ms, &uses))
        return;
    if (ca_hash(control, ca, &err) != GW_OK) {
        request_fail_error(request, &err);
        return;
    }
    struct creating *creating = calloc(1, sizeof *creating);
    if (creating == NULL) {
        request_fail(request, GW_NO_MEMORY, "make a token");
        return;
    }
    creating->request = request;
    token_make(&creating->token, ca);
    for (size_t i = 0; i < control->nodes.count; i++)
        token_add_peer(&creating->token, slice_from_string(control->nodes.items[i].peer));
    token_hash(creating->token.secret, hash);
    uint64_t now_ms = instant_wall_ms();
    creating->expires_ms = now_ms + ttl_ms;
    const struct token_record record = {.id = slice_from_string(creating->token.id),
                                        .hash = slice_of(hash, sizeof hash),
                                        .role = role,
                                        .created_ms = now_ms,
                                        .expires_ms = creating->expires_ms,
                                        .uses_left = uses};
    const struct command_header header = {
        .number = COMMAND_TOKEN_PUT, .wall_ms = now_ms, .actor = request->actor};
    buffer_init(&command, 0);
    if (!token_put_encode(&command, &header, &record) ||
        !control_call(control, MEMBER_PROPOSE, buffer_slice(&command), 0, 0, created,
                      creating)) {
        free(creating);
        request_fail(request, GW_NO_MEMORY, "make a token");
    }
    buffer_deinit(&command);
}

void tokens_create(struct request *request)
{
    request_at_leader(request, create);
}

/* ---- list and revoke ---- */

static bool emit_token(void *owner, struct slice key, const struct record *record)
{
    struct emit *emit = owner;
    struct token_record token;
    char expires[INSTANT_TEXT_SIZE];

    (void)key;
    if (!token_record_unpack(record->value, &token))
        return true;
    instant_format(token.expires_ms, expires);
    emit_object(emit);
    emit_key(emit, "id");
    emit_string(emit, token.id);
    emit_key(emit, "role");
    emit_string(emit, token.role);
    emit_key(emit, "expires");
    emit_cstring(emit, expires);
    emit_key(emit, "usesLeft");
    emit_u64(emit, token.uses_left);
    emit_key(emit, "revoked");
    emit_bool(emit, token.revoked);
    emit_object_end(emit);
    return true;
}

static void list(struct request *request)
{
    struct txn *txn;
    struct emit emit;

    enum result result = env_begin_read(request->control->env, &txn);
    if (result != GW_OK) {
        request_fail(request, result, "read the tokens: %s", result_text(result));
        return;
    }
    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "revision");
    emit_u64_string(&emit, request->control->visible->catalog.revision);
    emit_key(&emit, "stale");
    emit_bool(&emit, request->is_stale);
    emit_key(&emit, "items");
    emit_array(&emit);
    record_walk(txn, TOKEN_PREFIX, emit_token, &emit);
    emit_array_end(&emit);
    emit_object_end(&emit);
    txn_abort(txn);
    request_reply(request, 200, buffer_slice(&request->out));
}

void tokens_list(struct request *request)
{
    request_linearize(request, list);
}

static void revoke_token(struct request *request)
{
    const struct command_header header = {.number = COMMAND_TOKEN_DELETE,
                                          .wall_ms = instant_wall_ms(),
                                          .actor = request->actor};
    struct buffer command;

    buffer_init(&command, 0);
    if (!token_delete_encode(&command, &header, request->parts[3]) ||
        !control_call(request->control, MEMBER_PROPOSE, buffer_slice(&command), 0, 0,
                      request_removed, request))
        request_fail(request, GW_INVALID, "'%.*s' is no token's id",
                     SLICE_ARG(request->parts[3]));
    buffer_deinit(&command);
}

void tokens_revoke(struct request *request)
{
    request_at_leader(request, revoke_token);
}
