/* The order of a renewal: the key is made here and never leaves; the leader signs and
 * remembers nothing; only what is on disk and in use here is told and recorded. So a
 * record never says more than is so. */
#include "node/control/upkeep.h"

#include "base/instant.h"
#include "base/log.h"
#include "node/control/admin_file.h"
#include "node/control/authority.h"
#include "node/control/keyring.h"
#include "node/control/renewal.h"
#include "store/records.h"

#include <stdlib.h>

#define REQUEST_MAX  8192
#define PEM_MAX      65536
#define TEXT_MAX     1024
#define SETTLE_MS    3600000 /* a fresh certificate that looks old: a clock is wrong */
#define NO_ANSWER_MS 10000

struct upkeep {
    struct control *control;
    bool is_busy;
    uint64_t looked_index; /* at which the records were read */
    bool is_retired, is_told;
    uint64_t told_revision; /* modRevision of our record; 0: none */
    uint64_t again_ms;
    unsigned failures;
    enum renewal why;
    EVP_PKEY *key; /* being signed for, owned */
    enum keyring_wish wish;
    bool is_lost;              /* said so once */
    struct buffer authorities; /* as ca.pem is to be */
    struct buffer followed;    /* as admin.yaml was last looked at for */
    struct job job;            /* of admin.yaml */
    struct upkeep_counts counts;
};

struct upkeep *upkeep_new(struct control *control)
{
    struct upkeep *upkeep = calloc(1, sizeof *upkeep);

    if (upkeep != NULL) {
        upkeep->control = control;
        buffer_init(&upkeep->authorities, 4 * PEM_MAX);
        buffer_init(&upkeep->followed, 4 * PEM_MAX);
    }
    return upkeep;
}

void upkeep_free(struct upkeep *upkeep)
{
    if (upkeep == NULL)
        return;
    key_free(upkeep->key);
    buffer_deinit(&upkeep->authorities);
    buffer_deinit(&upkeep->followed);
    free(upkeep);
}

const struct upkeep_counts *upkeep_counts(const struct upkeep *upkeep)
{
    return &upkeep->counts;
}

/* ---- looking ---- */

static void pack_holding(const struct upkeep *upkeep, struct buffer *out)
{
    struct holding_record holding;

    credentials_holding(upkeep->control->credentials, &holding);
    holding_record_pack(out, &holding);
}

static void look_at_own(struct upkeep *upkeep, struct txn *txn)
{
    struct record record;
    struct buffer packed;
    char key[NODE_KEY_SIZE];

    buffer_init(&packed, 2 * PEM_MAX);
    pack_holding(upkeep, &packed);
    upkeep->is_told = false;
    upkeep->told_revision = 0;
    if (record_get(txn, holding_record_key(upkeep->control->options.identity.node_id, key),
                   &record) == GW_OK) {
        upkeep->told_revision = record.mod_revision;
        upkeep->is_told = slice_equal(record.value, buffer_slice(&packed));
    }
    buffer_deinit(&packed);
}

static void look_at_retired(struct upkeep *upkeep, struct txn *txn)
{
    struct record record;
    struct retired_record retired;
    char serial[CERTIFICATE_SERIAL_SIZE];

    certificate_serial(credentials_certificate(upkeep->control->credentials), serial);
    upkeep->is_retired = record_get(txn, RETIRED_KEY, &record) == GW_OK &&
                         retired_record_unpack(record.value, &retired) &&
                         retired_record_has(&retired, slice_from_string(serial));
}

static bool look(struct upkeep *upkeep)
{
    struct txn *txn;

    if (env_begin_read(upkeep->control->env, &txn) != GW_OK)
        return false;
    look_at_own(upkeep, txn);
    look_at_retired(upkeep, txn);
    buffer_reset(&upkeep->authorities);
    enum result result = authority_bundle(txn, &upkeep->authorities);
    upkeep->wish = keyring_wish(upkeep->control, txn);
    txn_abort(txn);
    return result == GW_OK;
}

static enum renewal due(const struct upkeep *upkeep, uint64_t wall_ms)
{
    const struct credentials *credentials = upkeep->control->credentials;
    X509 *certificate = credentials_certificate(credentials);
    struct renewal_facts facts = {.is_retired = upkeep->is_retired};

    certificate_validity(certificate, &facts.from_ms, &facts.until_ms);
    facts.is_signed = certificate_is_signed_by(
        certificate, credentials_authorities(credentials)->items[0]);
    return renewal_due(&facts, wall_ms);
}

/* ---- the end of a step ---- */

static void step_done(struct upkeep *upkeep, uint64_t pause_ms)
{
    upkeep->is_busy = false;
    upkeep->looked_index = 0; /* look again */
    upkeep->failures = 0;
    upkeep->again_ms = control_now_ms(upkeep->control) + pause_ms;
}

static void step_failed(struct upkeep *upkeep, const char *what, const char *why)
{
    uint64_t pause_ms = renewal_pause_ms(++upkeep->failures);

    upkeep->is_busy = false;
    upkeep->looked_index = 0;
    upkeep->counts.failed += upkeep->why != RENEWAL_NONE;
    upkeep->again_ms = control_now_ms(upkeep->control) + pause_ms;
    /* The first may be an election or a node on its way. */
    log_event(upkeep->failures > 1 ? LOG_WARN : LOG_INFO, "upkeep", what,
              LOG_STR("why", why), LOG_U64("again_in_ms", pause_ms));
}

/* ---- telling ---- */

/* [result, number]: what forward.c answers with, and upkeep_told. */
static enum result read_result(struct slice reply)
{
    struct unpack in = unpack_init(reply);

    unpack_array(&in, 2);
    uint64_t result = unpack_u64_max(&in, GW_RESULT_COUNT - 1);
    unpack_u64(&in);
    return unpack_done(&in) ? (enum result)result : GW_MALFORMED;
}

static void told(struct control_call *call)
{
    struct upkeep *upkeep = call->control->upkeep;
    enum result result = call->member.result;

    if (result == GW_OK && call->member.type == MEMBER_FORWARD)
        result = read_result(buffer_slice(&call->member.reply));
    if (result == GW_OK)
        step_done(upkeep, 0);
    else
        step_failed(upkeep, "the record of what this node holds is not written",
                    result_text(result));
    control_call_free(call);
}

static void tell(struct upkeep *upkeep)
{
    struct control *control = upkeep->control;
    struct buffer holding, payload;
    bool is_sent;

    buffer_init(&holding, 2 * PEM_MAX);
    buffer_init(&payload, 4 * PEM_MAX);
    pack_holding(upkeep, &holding);
    if (control_is_leader(control)) {
        is_sent = upkeep_encode(control, control->options.identity.node_id,
                                buffer_slice(&holding), upkeep->told_revision, &payload) &&
                  control_call(control, MEMBER_PROPOSE, buffer_slice(&payload), 0, 0, told,
                               upkeep);
    } else {
        buffer_append_byte(&payload, 'K');
        buffer_append_slice(&payload, buffer_slice(&holding));
        is_sent =
            !payload.failed && control_call(control, MEMBER_FORWARD, buffer_slice(&payload),
                                            0, NO_ANSWER_MS, told, upkeep);
    }
    upkeep->is_busy = is_sent;
    buffer_deinit(&holding);
    buffer_deinit(&payload);
}

/* ---- renewing ---- */

static void renewed(struct control *control, const struct error *err)
{
    struct upkeep *upkeep = control->upkeep;
    char serial[CERTIFICATE_SERIAL_SIZE];
    uint64_t from_ms, until_ms;

    if (err->code != GW_OK) {
        step_failed(upkeep, "certificate not renewed", err->text);
        return;
    }
    certificate_serial(credentials_certificate(control->credentials), serial);
    certificate_validity(credentials_certificate(control->credentials), &from_ms,
                         &until_ms);
    upkeep->counts.renewed++;
    log_event(LOG_INFO, "upkeep", "certificate renewed",
              LOG_STR("because", renewal_text(upkeep->why)), LOG_STR("serial", serial),
              LOG_U64("days", (until_ms - from_ms) / 86400000));
    step_done(upkeep, 0);
    if (upkeep->why == RENEWAL_AGE && due(upkeep, instant_wall_ms()) == RENEWAL_AGE) {
        log_event(LOG_ERROR, "upkeep", "the new certificate looks old already",
                  LOG_STR("next", "set the clock of this node, or of the leader"));
        upkeep->again_ms = control_now_ms(control) + SETTLE_MS;
    }
}

static void install(struct upkeep *upkeep, struct slice certificate_pem)
{
    EVP_PKEY *key = upkeep->key;

    upkeep->key = NULL;
    credentials_install(upkeep->control->credentials, key, certificate_pem, renewed);
}

/* [result, sentence, certificate] */
static void signed_for(struct control_call *call)
{
    struct upkeep *upkeep = call->control->upkeep;
    struct unpack in = unpack_init(buffer_slice(&call->member.reply));
    char sentence[TEXT_MAX];

    unpack_array(&in, 3);
    uint64_t result = unpack_u64_max(&in, GW_RESULT_COUNT - 1);
    struct slice text = unpack_text(&in, TEXT_MAX - 1);
    struct slice certificate = unpack_bytes(&in, PEM_MAX);
    snprintf(sentence, sizeof sentence, "%.*s", SLICE_ARG(text));
    if (call->control->is_ending)
        upkeep->is_busy = false;
    else if (call->member.result != GW_OK)
        step_failed(upkeep, "certificate not renewed", result_text(call->member.result));
    else if (!unpack_done(&in))
        step_failed(upkeep, "certificate not renewed",
                    "the leader does not sign: another "
                    "version, or not leading any more");
    else if (result != GW_OK)
        step_failed(upkeep, "certificate not renewed", sentence);
    else
        install(upkeep, certificate);
    control_call_free(call);
}

static enum result sign_own(struct upkeep *upkeep, struct slice request,
                            struct buffer *certificate, struct error *err)
{
    const struct control *control = upkeep->control;
    const struct node_entry *self = control_self(control);
    const struct authority_subject subject = {self->id, slice_from_string(self->peer),
                                              slice_from_string(self->admin)};
    struct buffer authority;

    buffer_init(&authority, PEM_MAX);
    authority_sign(control, &subject, request, certificate, &authority, err);
    buffer_deinit(&authority);
    return err->code;
}

static void renew(struct upkeep *upkeep)
{
    struct control *control = upkeep->control;
    struct buffer request, certificate;
    struct error err = ERROR_NONE;

    buffer_init(&request, REQUEST_MAX);
    buffer_init(&certificate, PEM_MAX);
    key_free(upkeep->key);
    upkeep->key = NULL;
    upkeep->is_busy = true;
    buffer_append_byte(&request, 'C');
    if (key_generate(&upkeep->key, &err) != GW_OK ||
        certificate_request_make(upkeep->key,
                                 slice_from_string(control->options.identity.name),
                                 &request, &err) != GW_OK) {
        step_failed(upkeep, "certificate not renewed", err.text);
    } else if (!control_is_leader(control)) {
        if (!control_call(control, MEMBER_FORWARD, buffer_slice(&request), 0, NO_ANSWER_MS,
                          signed_for, upkeep))
            step_failed(upkeep, "certificate not renewed", "out of memory");
    } else if (sign_own(upkeep, slice_from(buffer_slice(&request), 1), &certificate,
                        &err) != GW_OK) {
        step_failed(upkeep, "certificate not renewed", err.text);
    } else {
        install(upkeep, buffer_slice(&certificate));
    }
    buffer_deinit(&request);
    buffer_deinit(&certificate);
}

/* ---- the authorities ---- */

static void believed(struct control *control, const struct error *err)
{
    if (err->code != GW_OK) {
        step_failed(control->upkeep, "authorities not taken", err->text);
        return;
    }
    log_event(LOG_INFO, "upkeep", "authorities taken",
              LOG_U64("count", credentials_authorities(control->credentials)->count));
    step_done(control->upkeep, 0);
}

static void believe(struct upkeep *upkeep)
{
    upkeep->is_busy = true;
    credentials_install_authorities(upkeep->control->credentials,
                                    buffer_slice(&upkeep->authorities), believed);
}

/* Pool. */
static void run_follow(struct job *job)
{
    struct upkeep *upkeep = job->owner;

    admin_file_follow(upkeep->control, buffer_slice(&upkeep->followed));
}

static void followed(struct job *job)
{
    step_done(job->owner, 0);
}

/* Before anything is told: when the old authority goes, the file has followed. */
static void follow(struct upkeep *upkeep)
{
    buffer_reset(&upkeep->followed);
    buffer_append_slice(&upkeep->followed, buffer_slice(&upkeep->authorities));
    upkeep->is_busy = true;
    job_start(&upkeep->job, upkeep->control->loop, run_follow, followed, upkeep);
}

/* ---- the cluster key ---- */

static void keyed(struct control *control, const struct error *err)
{
    if (err->code != GW_OK) {
        step_failed(control->upkeep, "the cluster key is not changed", err->text);
        return;
    }
    credentials_note_keys(control->credentials);
    step_done(control->upkeep, 0);
}

/* The directory is older than the rotation. Serving and voting need no key. */
static void say_lost(struct upkeep *upkeep)
{
    if (!upkeep->is_lost)
        log_event(LOG_ERROR, "upkeep", "the cluster key in force is not on this node",
                  LOG_STR("effect", "it cannot sign or unseal"),
                  LOG_STR("next", "stop it, gwctl cluster keys import F --data-dir D"));
    upkeep->is_lost = true;
}

/* ---- step by step ---- */

void upkeep_tick(struct upkeep *upkeep, uint64_t now_ms)
{
    struct control *control = upkeep->control;

    if (upkeep->is_busy || control->is_ending || control->is_halted ||
        control->member == NULL || control_leader(control) == 0 ||
        control_self(control) == NULL || now_ms < upkeep->again_ms)
        return;
    if (upkeep->looked_index != control->visible_index || upkeep->looked_index == 0) {
        if (control_is_leader(control) &&
            (upkeep_tidy(control) || authority_step(control) || keyring_step(control)))
            return;
        if (!look(upkeep))
            return;
        upkeep->looked_index = control->visible_index;
    }
    upkeep->why = due(upkeep, instant_wall_ms());
    struct slice authorities = buffer_slice(&upkeep->authorities);
    if (upkeep->wish == KEYRING_LOST)
        say_lost(upkeep);
    if (upkeep->wish != KEYRING_FINE && upkeep->wish != KEYRING_LOST) {
        upkeep->is_busy = true;
        keyring_do(control, upkeep->wish, keyed);
    } else if (!slice_equal(credentials_authorities_pem(control->credentials), authorities))
        believe(upkeep);
    else if (upkeep->why != RENEWAL_NONE)
        renew(upkeep);
    else if (!slice_equal(buffer_slice(&upkeep->followed), authorities))
        follow(upkeep);
    else if (!upkeep->is_told && control->nodes.format >= 2)
        tell(upkeep);
}
