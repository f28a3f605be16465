/* A dump on its way, as bytes: pieces one way, acknowledgements the other.
 *
 * msgpack, an array per message: format, type, fields. They travel among the Raft
 * messages, since they belong to them, but libraft never sees them. */
#ifndef GW_RAFT_WIRE_DUMP_H
#define GW_RAFT_WIRE_DUMP_H

#include "base/buffer.h"

enum wire_dump_type { WIRE_DUMP_PIECE = 32, WIRE_DUMP_ACK = 33 };

#define WIRE_DUMP_PIECE_BYTES (1u << 20)
#define WIRE_DUMP_COUNT       (1u << 24)

struct wire_dump {
    enum wire_dump_type type;
    uint64_t term; /* the sender's */
    uint64_t id;   /* of the dump, store/staging.h */
    uint64_t number, count;
    /* PIECE */
    uint64_t rest_bytes; /* of this one and all behind it */
    uint64_t index;      /* the label that the dump will be installed under … */
    uint64_t label_term; /* … and its term */
    bool is_cut;         /* store/staging.h */
    struct slice bytes;  /* borrows */
    /* ACK: `number` is the next one wanted. */
    bool is_lost; /* something before what just came is missing */
    bool is_full; /* no room: try again later */
};

/* Whether it is one of these at all; then wire_dump_decode. */
bool wire_is_dump(struct slice bytes);
bool wire_dump_encode(struct buffer *out, const struct wire_dump *message);
/* False when malformed, or the piece's checksum is wrong. */
bool wire_dump_decode(struct slice bytes, struct wire_dump *ret_message);

#endif
