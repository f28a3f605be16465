/* The small things in ENV_META that Raft must find again: term and vote, the
 * snapshot label, the cluster's id. One thread per transaction. */
#ifndef GW_STORE_META_H
#define GW_STORE_META_H

#include "store/store.h"
#include "store/unpack.h"

#define META_CONF_LIMIT 65536

enum result meta_vote_get(struct txn *txn, uint64_t *ret_term, uint64_t *ret_vote);
enum result meta_vote_put(struct txn *txn, uint64_t term, uint64_t vote);

/* The label as recorded. index 0 and an empty conf when there is none. The conf
 * borrows from the transaction. */
enum result meta_label_get(struct txn *txn, struct store_label *ret_label);
enum result meta_label_put(struct txn *txn, const struct store_label *label);
/* What a start, or a dump, begins from: max(label, applied), with the term from
 * the log and the configuration in force there. conf borrows from the transaction. */
enum result meta_base_get(struct txn *txn, struct store_label *ret_base);

void meta_label_pack(struct buffer *out, const struct store_label *label);
void meta_label_unpack(struct unpack *in, struct store_label *ret_label);

/* store_load in a transaction of the caller's (boot.c). */
enum result store_boot_read(struct txn *txn, struct store_boot *ret_boot,
                            struct error *err);

/* Which life of the cluster this directory belongs to: 1 at first, one more with each
 * `cluster recover`. Two recoveries of one epoch have the same number and different
 * lineages. Never recorded: epoch 1, lineage empty. */
#define META_LINEAGE_SIZE 17 /* 8 bytes as hex, NUL */
struct meta_epoch {
    uint64_t number;
    char lineage[META_LINEAGE_SIZE];
};
enum result meta_epoch_get(struct txn *txn, struct meta_epoch *ret_epoch);
enum result meta_epoch_put(struct txn *txn, const struct meta_epoch *epoch);

/* The id of the cluster this directory belongs to: GW_NOT_FOUND before it is known. */
enum result meta_cluster_get(struct txn *txn, struct slice *ret_id);
enum result meta_cluster_put(struct txn *txn, struct slice id);

/* A stored log entry: term, type, bytes. */
enum result meta_entry_parse(struct slice stored, struct store_entry *ret_entry);
enum result meta_entry_put(struct txn *txn, uint64_t index, const struct store_entry *entry,
                           struct buffer *scratch);

#endif
