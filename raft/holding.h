/* What each node has of keys and certificates, by its own word, and which of them
 * are to go: records of the cluster's own, written by COMMAND_SYSTEM.
 *
 *   "_holding/ID" struct holding_record, told by the node after it is so on its disk
 *   "_retired"    struct retired_record: what an administrator wants renewed
 *
 * So the leader knows when a change has arrived everywhere, also of a node that is
 * down. Packing writes msgpack; unpacking borrows. Pure; any thread. */
#ifndef GW_RAFT_HOLDING_H
#define GW_RAFT_HOLDING_H

#include "raft/node_record.h"

#define HOLDING_PREFIX SLICE("_holding/")
#define RETIRED_KEY    SLICE("_retired")

#define HOLDING_TRUST_SIZE  32
#define RETIRED_SERIALS_MAX 64

struct holding_record {
    uint64_t id;
    struct slice certificate; /* PEM */
    struct slice trust;       /* SHA-256 of its ca.pem, HOLDING_TRUST_SIZE bytes */
    struct slice key;         /* seal_key_name() of the cluster key it seals by */
    struct slice other_key;   /* of one more that it can open by; empty: none */
};

struct retired_record {
    uint64_t at_ms; /* wall */
    size_t count;
    struct slice serials[RETIRED_SERIALS_MAX]; /* certificate_serial() */
};

void holding_record_pack(struct buffer *out, const struct holding_record *record);
bool holding_record_unpack(struct slice bytes, struct holding_record *ret_record);
void retired_record_pack(struct buffer *out, const struct retired_record *record);
bool retired_record_unpack(struct slice bytes, struct retired_record *ret_record);
bool retired_record_has(const struct retired_record *record, struct slice serial);

/* "_holding/ID" into `out` of NODE_KEY_SIZE; the slice borrows it. */
struct slice holding_record_key(uint64_t id, char *out);
/* The id of such a key; 0: it is none. */
uint64_t holding_record_id(struct slice key);

#endif
