/* Rotations of the key and of the authority keep out of each other's way, but each only
 * looks before it proposes. So what is sealed is looked for with every step of the key: a
 * record that is passed over could never be opened again once the old key is gone. */
#include "node/control/reseal.h"

#include "pki/key.h"
#include "raft/node_record.h"
#include "store/records.h"

static bool turn(const struct seal_key *from, const struct seal_key *to, struct slice value,
                 struct buffer *out)
{
    struct error err = ERROR_NONE;
    struct buffer plain, sealed;
    struct ca_record ca;
    bool is_open = false;

    buffer_init(&plain, 64u << 10);
    buffer_init(&sealed, 64u << 10);
    if (!ca_record_unpack(value, &ca)) {
        err.code = GW_DAMAGED;
    } else if (ca.sealed_key.size == 0 ||
               seal_open(to, SLICE("_ca/1"), ca.sealed_key, &plain, &err) == GW_OK) {
        is_open = true;
    } else {
        err = (struct error)ERROR_NONE;
        is_open =
            seal_open(from, SLICE("_ca/1"), ca.sealed_key, &plain, &err) == GW_OK &&
            seal_bytes(to, SLICE("_ca/1"), buffer_slice(&plain), &sealed, &err) == GW_OK;
        if (is_open)
            ca_record_pack(out, &(struct ca_record){.certificate = ca.certificate,
                                                    .sealed_key = buffer_slice(&sealed)});
    }
    key_buffer_wipe(&plain);
    buffer_deinit(&sealed);
    return is_open && !out->failed;
}

bool reseal_init(struct reseal *reseal, struct txn *txn, const struct seal_key *from,
                 const struct seal_key *to)
{
    const struct slice keys[RESEAL_MAX] = {CA_KEY, CA_NEXT_KEY};
    bool is_whole = true;

    memset(reseal, 0, sizeof *reseal);
    for (size_t i = 0; i < RESEAL_MAX; i++) {
        struct buffer *value = &reseal->values[i];
        struct record record;
        buffer_init(value, 128u << 10);
        enum result result = record_get(txn, keys[i], &record);
        if (result == GW_NOT_FOUND)
            continue;
        is_whole &= result == GW_OK && turn(from, to, record.value, value);
        if (value->size > 0)
            reseal->items[reseal->count++] =
                (struct system_item){.key = keys[i],
                                     .expected_mod_revision = record.mod_revision,
                                     .value = buffer_slice(value)};
    }
    return is_whole;
}

void reseal_deinit(struct reseal *reseal)
{
    for (size_t i = 0; i < RESEAL_MAX; i++)
        buffer_deinit(&reseal->values[i]);
}
