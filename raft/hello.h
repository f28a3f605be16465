/* What is said on a peer link: frame types, their limits, and the first words.
 *
 * Each side sends one hello before anything else; nothing is believed of it
 * that the certificate does not prove. Frame: net/frames.h; bodies: msgpack. */
#ifndef GW_RAFT_HELLO_H
#define GW_RAFT_HELLO_H

#include "base/buffer.h"
#include "net/frames.h"
#include "pki/identity.h"

/* Numbers are part of the protocol: never reused. */
enum peer_frame {
    PEER_HELLO = 1,
    PEER_RAFT = 2,    /* a Raft message, raft/message.h */
    PEER_FORWARD = 3, /* u64 id, then the request */
    PEER_REPLY = 4,   /* u64 id, then the answer */
    PEER_STATUS = 5,  /* a node's status */
    PEER_PING = 6,    /* nothing: I am here */
    PEER_JOIN = 7     /* gw-join only: request, then answer */
};

enum peer_class { PEER_CONSENSUS, PEER_BULK };

/* What is spoken, and the oldest that this program speaks with; docs/UPGRADES.md lists
 * them. Whoever changes what frames or messages look like takes the next number, and
 * speaks the last one still to whoever's hello says so, for one version. */
#define PEER_PROTOCOL        2
#define PEER_PROTOCOL_OLDEST 2
#define PEER_CONSENSUS_BYTES (64u << 10) /* larger Raft messages go by the bulk link */

#define HELLO_LINEAGE_SIZE 17

extern const struct frame_limits peer_limits_consensus, peer_limits_bulk, peer_limits_join;

struct hello {
    uint64_t protocol;
    uint64_t format; /* the newest the program reads: store/format.h */
    uint64_t stored; /* that its data is in; 0: not said, as the version before */
    char cluster_id[IDENTITY_CLUSTER_SIZE];
    uint64_t epoch;                   /* of `cluster recover`; 1 at first */
    char lineage[HELLO_LINEAGE_SIZE]; /* which recovery made it; empty at first */
    uint64_t id;
    enum peer_class class;
    char name[IDENTITY_NAME_SIZE];
    char address[272]; /* where this node is reached now */
};

bool hello_encode(const struct hello *hello, struct buffer *out);
/* GW_MALFORMED. Unknown keys are skipped, so that a later version may add some. */
enum result hello_decode(struct slice body, struct hello *ret_hello, struct error *err);
/* Whether `theirs` may speak to `ours`, given what its certificate says. GW_FOREIGN,
 * GW_NEWER, GW_FORBIDDEN, each with a sentence. */
enum result hello_check(const struct hello *ours, const struct hello *theirs,
                        const struct identity *proved, struct error *err);

#endif
