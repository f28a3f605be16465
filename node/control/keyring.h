/* The cluster key that is in force here, and beside it, while it is rotated, the one that
 * will be or was: cluster.key, and cluster.key.next or cluster.key.old, each 0600.
 *
 * What is sealed opens by either, so nothing has to happen everywhere at one moment.
 * Control thread; files are written on the pool, opening is for any thread. */
#ifndef GW_NODE_KEYRING_H
#define GW_NODE_KEYRING_H

#include "node/control/room.h"

/* Reads the files; at start. */
enum result keyring_read(struct control *control, struct error *err);
/* By either key. As seal_open. */
enum result keyring_open(const struct control *control, struct slice associated,
                         struct slice blob, struct buffer *out, struct error *err);
/* The one that the records say is in force: for joiners, exports and sealing. */
const struct seal_key *keyring_current(const struct control *control);

/* What the visible records want of this node. */
enum keyring_wish {
    KEYRING_FINE,
    KEYRING_TAKE,   /* put the next one beside */
    KEYRING_CHANGE, /* the next one is in force */
    KEYRING_RETIRE, /* nobody needs the one beside */
    KEYRING_LOST    /* one is in force that this node has never seen */
};
enum keyring_wish keyring_wish(const struct control *control, struct txn *txn);
/* Does it; `done` with GW_OK or why not. One at a time. */
typedef void (*keyring_fn)(struct control *control, const struct error *err);
void keyring_do(struct control *control, enum keyring_wish wish, keyring_fn done);
/* At the leader: the next step's entry, if all members are so far. False: none. */
bool keyring_step(struct control *control);

#endif
