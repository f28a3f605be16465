/* Nodes that were removed, as the state remembers them: so that removing one twice
 * is told from a slip of the pen. "_gone/ID" holds the name; at most GONE_LIMIT,
 * then the oldest id is forgotten. An id never comes back, whatever is forgotten:
 * ids are log indices. */
#ifndef GW_RAFT_GONE_H
#define GW_RAFT_GONE_H

#include "raft/node_record.h"
#include "store/records.h"

#define GONE_LIMIT  64
#define GONE_PREFIX SLICE("_gone/")

/* Store thread, inside the write transaction that removes the node. */
enum result gone_remember(struct txn *txn, uint64_t index, uint64_t id, struct slice name);
/* Any thread, in a read transaction: was there a node with this name, or this id in
 * decimal? */
bool gone_was(struct txn *txn, struct slice name_or_id);

#endif
