/* From one authority to the next, at the leader. Nothing is remembered here: what the
 * records say is where it stands, so a leader that comes new goes on where the last one
 * was. A member that is down holds it up, as it would be shut out for good otherwise. */
#include "base/instant.h"
#include "base/log.h"
#include "node/control/authority.h"
#include "raft/holding.h"
#include "raft/system.h"
#include "store/records.h"

#include <openssl/sha.h>

struct stepping {
    struct record ca, next, old; /* mod_revision 0: absent; borrow from the transaction */
    struct buffer bundle;
    uint8_t trust[HOLDING_TRUST_SIZE];
    X509 *signs; /* the authority that signs now, owned */
};

static bool look(struct txn *txn, struct stepping *stepping)
{
    struct ca_record ca;
    struct error ignored;

    record_get(txn, CA_NEXT_KEY, &stepping->next);
    record_get(txn, CA_OLD_KEY, &stepping->old);
    if (stepping->next.mod_revision == 0 && stepping->old.mod_revision == 0)
        return false;
    if (record_get(txn, CA_KEY, &stepping->ca) != GW_OK ||
        !ca_record_unpack(stepping->ca.value, &ca) ||
        certificate_from_pem(ca.certificate, &stepping->signs, &ignored) != GW_OK ||
        authority_bundle(txn, &stepping->bundle) != GW_OK)
        return false;
    SHA256((const unsigned char *)stepping->bundle.data, stepping->bundle.size,
           stepping->trust);
    return true;
}

static bool is_so_far(struct txn *txn, const struct stepping *stepping, uint64_t id)
{
    struct holding_record holding;
    struct record record;
    struct error ignored;
    X509 *certificate = NULL;
    char key[NODE_KEY_SIZE];

    if (record_get(txn, holding_record_key(id, key), &record) != GW_OK ||
        !holding_record_unpack(record.value, &holding) ||
        memcmp(holding.trust.data, stepping->trust, sizeof stepping->trust) != 0)
        return false;
    if (stepping->next.mod_revision != 0)
        return true;
    bool is_renewed =
        certificate_from_pem(holding.certificate, &certificate, &ignored) == GW_OK &&
        certificate_is_signed_by(certificate, stepping->signs);
    certificate_free(certificate);
    return is_renewed;
}

/* The old one's key is gone with this entry. */
static size_t turn(const struct stepping *stepping, struct buffer *old,
                   struct system_item *items)
{
    struct ca_record ca;
    size_t count = 0;

    if (stepping->next.mod_revision == 0) {
        items[count++] =
            (struct system_item){.key = CA_OLD_KEY,
                                 .expected_mod_revision = stepping->old.mod_revision,
                                 .is_delete = true};
        return count;
    }
    ca_record_unpack(stepping->ca.value, &ca);
    ca_record_pack(
        old, &(struct ca_record){.certificate = ca.certificate, .sealed_key = SLICE("")});
    items[count++] =
        (struct system_item){.key = CA_KEY,
                             .expected_mod_revision = stepping->ca.mod_revision,
                             .value = stepping->next.value};
    items[count++] =
        (struct system_item){.key = CA_NEXT_KEY,
                             .expected_mod_revision = stepping->next.mod_revision,
                             .is_delete = true};
    items[count++] = (struct system_item){.key = CA_OLD_KEY, .value = buffer_slice(old)};
    return count;
}

/* Refused where something came between: then the next look decides anew. */
static void stepped(struct control_call *call)
{
    if (call->member.result == GW_OK)
        log_event(LOG_INFO, "authority", "a step of its rotation is done",
                  LOG_U64("index", call->member.index));
    control_call_free(call);
}

bool authority_step(struct control *control)
{
    const struct command_header header = {.wall_ms = instant_wall_ms()};
    struct stepping stepping = {0};
    struct system_item items[3];
    struct buffer old, command;
    struct txn *txn;
    bool is_due, is_sent = false;

    if (env_begin_read(control->env, &txn) != GW_OK)
        return false;
    buffer_init(&stepping.bundle, 256u << 10);
    buffer_init(&old, 128u << 10);
    buffer_init(&command, 0);
    is_due = look(txn, &stepping);
    for (size_t i = 0; is_due && i < control->nodes.count; i++)
        is_due = is_so_far(txn, &stepping, control->nodes.items[i].id);
    if (is_due) {
        size_t count = turn(&stepping, &old, items);
        is_sent = !old.failed && system_encode(&command, &header, items, count) &&
                  control_call(control, MEMBER_PROPOSE, buffer_slice(&command), 0, 0,
                               stepped, NULL);
    }
    txn_abort(txn);
    certificate_free(stepping.signs);
    buffer_deinit(&stepping.bundle);
    buffer_deinit(&old);
    buffer_deinit(&command);
    return is_sent;
}
