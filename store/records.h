/* Records: the replicated state as readers see it, by key, and its bookkeeping.
 *
 * A record's value is opaque here; its envelope holds createRevision and
 * modRevision. Keys: "KIND/NAME" for resources, "_…" for the cluster's own.
 * Every put and delete keeps the digest: an order-independent sum of hashes of
 * (key, envelope, value) over all records. Deletes of resources leave a
 * tombstone in the history only. */
#ifndef GW_STORE_RECORDS_H
#define GW_STORE_RECORDS_H

#include "store/env.h"

struct record {
    struct slice value;
    uint64_t create_revision, mod_revision;
};

/* A record as it is stored, and as a dump's row holds it. */
bool record_unpack(struct slice stored, struct record *ret_record);
enum result record_get(struct txn *txn, struct slice key, struct record *ret_record);
/* Write transactions only. `index`: that of the entry being applied. */
enum result record_put(struct txn *txn, struct slice key, struct slice value,
                       uint64_t index);
enum result record_delete(struct txn *txn, struct slice key, uint64_t index);

/* Walks keys that begin with `prefix`, in order. Stop by returning false. */
typedef bool (*record_fn)(void *owner, struct slice key, const struct record *record);
enum result record_walk(struct txn *txn, struct slice prefix, record_fn fn, void *owner);
/* How many there are; what was counted before an error is told too. */
enum result record_count(struct txn *txn, struct slice prefix, size_t *ret_count);

/* The state beside the records, kept in ENV_META by the same transaction. */
struct record_state {
    uint64_t applied;       /* index */
    uint64_t revision;      /* index of the last configuration entry */
    uint64_t conf_sequence; /* counts configuration entries */
    uint64_t now_ms;        /* log time */
    uint64_t digest;
};
enum result record_state_get(struct txn *txn, struct record_state *ret_state);
/* All but the digest, which record_put and record_delete keep. */
enum result record_state_put(struct txn *txn, const struct record_state *state);
/* The digest too: a dump being installed. */
enum result record_state_install(struct txn *txn, const struct record_state *state);
/* The digest alone. */
enum result record_digest(struct txn *txn, uint64_t *ret_digest);
/* One stored record's share of the digest (key and value as in ENV_RECORDS). */
uint64_t record_digest_of(struct slice key, struct slice stored);

/* When was a key last changed, tombstones included, as far as history reaches.
 * 0: not within history. */
enum result record_last_change(struct txn *txn, struct slice key, uint64_t *ret_revision);
#endif
