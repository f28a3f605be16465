/* The cluster key, for an admin who keeps it: sealed to the public key that came with
 * the request, so that it is nowhere in clear but here and there. That it was exported
 * is replicated: until then a backup alone has no secrets. */
#include "base/instant.h"
#include "base/log.h"
#include "node/control/admin.h"
#include "node/control/keyring.h"
#include "pki/base64.h"
#include "raft/holding.h"
#include "raft/system.h"
#include "store/records.h"

#include <stdio.h>
#include <stdlib.h>

static void answer(struct request *request)
{
    const struct control *control = request->control;
    struct buffer public_key, sealed, text;
    char name[SEAL_NAME_SIZE];
    struct emit emit;

    buffer_init(&public_key, 256);
    buffer_init(&sealed, 1024);
    buffer_init(&text, 2048);
    base64_decode(&public_key, request->selector); /* checked before */
    if (seal_to_public((const uint8_t *)public_key.data, SLICE("keys/export"),
                       slice_of(keyring_current(control)->bytes, SEAL_KEY_SIZE), &sealed,
                       &request->err) != GW_OK) {
        request_fail_error(request, &request->err);
        goto done;
    }
    base64_encode(&text, buffer_slice(&sealed));
    seal_key_name(keyring_current(control), name);
    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "clusterId");
    emit_cstring(&emit, control->options.identity.cluster_id);
    emit_key(&emit, "keyName");
    emit_cstring(&emit, name);
    emit_key(&emit, "sealed");
    emit_string(&emit, buffer_slice(&text));
    emit_object_end(&emit);
    log_event(LOG_WARN, "control", "cluster key exported",
              LOG_SLICE("actor", request->actor), LOG_STR("key", name));
    request_reply(request, 200, buffer_slice(&request->out));
done:
    buffer_deinit(&public_key);
    buffer_deinit(&sealed);
    buffer_deinit(&text);
}

static void recorded(struct control_call *call)
{
    struct request *request = call->owner;

    if (call->member.result == GW_OK)
        answer(request);
    else
        request_fail_call(request, call);
    control_call_free(call);
}

/* What is recorded of the key, and at which modRevision. */
static enum result read_record(struct control *control, struct buffer *bytes,
                               struct keys_record *ret_record, uint64_t *ret_revision)
{
    struct record record;
    struct txn *txn;
    enum result result = env_begin_read(control->env, &txn);

    memset(ret_record, 0, sizeof *ret_record);
    *ret_revision = 0;
    if (result != GW_OK)
        return result;
    result = record_get(txn, KEYS_KEY, &record);
    if (result == GW_OK) {
        *ret_revision = record.mod_revision;
        buffer_append_slice(bytes, record.value);
    }
    txn_abort(txn);
    if (result == GW_NOT_FOUND)
        return GW_OK;
    if (result == GW_OK && !keys_record_unpack(buffer_slice(bytes), ret_record))
        return GW_DAMAGED;
    return result;
}

static void export(struct request *request)
{
    struct control *control = request->control;
    struct keys_record record;
    struct system_item item = {.key = KEYS_KEY};
    struct buffer old, value, command;
    char name[SEAL_NAME_SIZE];
    const struct command_header header = {.wall_ms = instant_wall_ms(),
                                          .actor = request->actor};

    buffer_init(&old, 4096);
    buffer_init(&value, 4096);
    buffer_init(&command, 0);
    enum result result = read_record(control, &old, &record, &item.expected_mod_revision);
    seal_key_name(keyring_current(control), name);
    record.exported = slice_from_string(name);
    record.exported_ms = header.wall_ms;
    keys_record_pack(&value, &record);
    item.value = buffer_slice(&value);
    if (control->nodes.format < 2)
        answer(request); /* nothing can be remembered yet */
    else if (result != GW_OK)
        request_fail(request, result, "read what is known of the key: %s",
                     result_text(result));
    else if (!system_encode(&command, &header, &item, 1) ||
             !control_call(control, MEMBER_PROPOSE, buffer_slice(&command), 0, 0, recorded,
                           request))
        request_fail(request, GW_NO_MEMORY, "export the key");
    buffer_deinit(&old);
    buffer_deinit(&value);
    buffer_deinit(&command);
}

void keys_export(struct request *request)
{
    static const struct form form = {.fields = {{"publicKey", FORM_TEXT}},
                                     .refusal = GW_INVALID};
    const struct value *body = request_form(request, &form);
    struct buffer public_key;

    if (body == NULL)
        return;
    request->selector = value_text(body, "publicKey");
    buffer_init(&public_key, 256);
    bool is_key = base64_decode(&public_key, request->selector) &&
                  public_key.size == SEAL_PUBLIC_SIZE;
    buffer_deinit(&public_key);
    if (!is_key)
        request_fail(request, GW_INVALID,
                     "publicKey is to be an X25519 key of %d bytes in base64",
                     SEAL_PUBLIC_SIZE);
    else
        request_at_leader(request, export);
}

/* ---- rotation ---- */

/* How far a member is: the names of the keys it has told. */
static void emit_member(struct emit *emit, struct txn *txn, const struct member_line *line)
{
    struct holding_record holding = {0};
    struct record record;
    char key[NODE_KEY_SIZE];
    bool is_known = record_get(txn, holding_record_key(line->id, key), &record) == GW_OK &&
                    holding_record_unpack(record.value, &holding);

    emit_object(emit);
    emit_key(emit, "node");
    emit_cstring(emit, line->node->name);
    emit_key(emit, "state");
    emit_cstring(emit, line->state);
    emit_key(emit, "key");
    if (is_known)
        emit_string(emit, holding.key);
    else
        emit_null(emit);
    emit_key(emit, "otherKey");
    if (is_known && holding.other_key.size != 0)
        emit_string(emit, holding.other_key);
    else
        emit_null(emit);
    emit_object_end(emit);
}

static void status(struct request *request)
{
    const struct control *control = request->control;
    struct member_list members;
    struct record record;
    struct txn *txn;
    struct emit emit;
    char name[SEAL_NAME_SIZE];

    seal_key_name(keyring_current(control), name);
    if (env_begin_read(control->env, &txn) != GW_OK) {
        request_fail(request, GW_IO, "read what is known of the key");
        return;
    }
    bool is_taking = record_get(txn, KEYS_NEXT_KEY, &record) == GW_OK;
    bool is_changing = record_get(txn, KEYS_OLD_KEY, &record) == GW_OK;
    members_gather(control, &members);
    emit_init(&emit, &request->out, false);
    emit_object(&emit);
    emit_key(&emit, "revision");
    emit_u64_string(&emit, control->visible->catalog.revision);
    emit_key(&emit, "stale");
    emit_bool(&emit, request->is_stale);
    emit_key(&emit, "key");
    emit_cstring(&emit, name);
    emit_key(&emit, "rotation");
    emit_cstring(&emit, is_taking ? "taking" : is_changing ? "changing" : NULL);
    emit_key(&emit, "items");
    emit_array(&emit);
    for (size_t i = 0; i < members.count; i++) {
        if (members.lines[i].node != NULL)
            emit_member(&emit, txn, &members.lines[i]);
    }
    emit_array_end(&emit);
    emit_object_end(&emit);
    txn_abort(txn);
    request_reply(request, 200, buffer_slice(&request->out));
}

void keys_status(struct request *request)
{
    request_linearize(request, status);
}

static void propose_next(struct request *request)
{
    const struct command_header header = {.wall_ms = instant_wall_ms(),
                                          .actor = request->actor};
    struct system_item item = {.key = KEYS_NEXT_KEY};
    struct buffer sealed, value, command;
    struct seal_key next;
    char name[SEAL_NAME_SIZE];

    buffer_init(&sealed, 1024);
    buffer_init(&value, 4096);
    buffer_init(&command, 0);
    seal_key_generate(&next);
    seal_key_name(&next, name);
    if (seal_bytes(&request->control->key, KEYS_NEXT_AAD,
                   slice_of(next.bytes, sizeof next.bytes), &sealed,
                   &request->err) != GW_OK) {
        request_fail_error(request, &request->err);
    } else {
        turning_record_pack(&value,
                            &(struct turning_record){.name = slice_from_string(name),
                                                     .sealed = buffer_slice(&sealed)});
        item.value = buffer_slice(&value);
        if (value.failed || !system_encode(&command, &header, &item, 1) ||
            !control_call(request->control, MEMBER_PROPOSE, buffer_slice(&command), 0, 0,
                          request_changed, request))
            request_fail(request, GW_NO_MEMORY, "rotate the cluster key");
    }
    seal_key_wipe(&next);
    buffer_deinit(&sealed);
    buffer_deinit(&value);
    buffer_deinit(&command);
}

static void rotate(struct request *request)
{
    struct control *control = request->control;
    struct record record;
    struct txn *txn;

    if (!upgrade_allows(request, 2, "a rotation of the cluster key"))
        return;
    if (env_begin_read(control->env, &txn) != GW_OK) {
        request_fail(request, GW_IO, "read what is known of the key");
        return;
    }
    bool is_under_way = record_get(txn, KEYS_NEXT_KEY, &record) == GW_OK ||
                        record_get(txn, KEYS_OLD_KEY, &record) == GW_OK;
    bool has_authority_step = record_get(txn, CA_NEXT_KEY, &record) == GW_OK ||
                              record_get(txn, CA_OLD_KEY, &record) == GW_OK;
    txn_abort(txn);
    if (is_under_way)
        request_reply_changed(request, false);
    else if (has_authority_step)
        request_fail(request, GW_CONFLICT,
                     "another authority is on its way; next: gwctl cluster certs list, and "
                     "the same again when it is done");
    else if (control->has_other_key)
        request_try_again(request, rotate); /* the last one is being cleared away */
    else
        propose_next(request);
}

void keys_rotate(struct request *request)
{
    request_at_leader(request, rotate);
}
