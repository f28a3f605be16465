/* Raft messages as bytes, between replicas.
 *
 * msgpack, an array per message: format, type, then the fields of libraft's
 * struct. Besides those, AppendEntries carries a round number and its result
 * echoes the last one seen: so a leader knows which answers were given after it
 * asked, and can confirm its leadership to a reader without writing.
 *
 * Decoding checks every length and everything libraft asserts about a message
 * by itself; what depends on the receiver's state is the filter's business. */
#ifndef GW_RAFT_WIRE_H
#define GW_RAFT_WIRE_H

#include "base/buffer.h"

#include <raft.h>

#define WIRE_ENTRIES_LIMIT 65536
#define WIRE_INDEX_LIMIT   (1ull << 62) /* terms and indexes: sums never overflow */

struct wire_message {
    struct raft_message raft;
    uint64_t round; /* AppendEntries and its result */
    uint64_t dump;  /* InstallSnapshot: the id of the dump that came before it
                       (raft/wire_dump.h); raft.data is left empty */
};

/* Appends. Of InstallSnapshot's data there is only the name, `dump`. */
bool wire_encode(struct buffer *out, const struct wire_message *message);
/* An AppendEntries in parts: entries one by one, then the message around them, whose
 * n_entries they are. */
void wire_encode_entry(struct buffer *out, const struct raft_entry *entry);
bool wire_encode_append(struct buffer *out, const struct raft_append_entries *args,
                        uint64_t round, struct slice entries);
/* Fills a message whose memory is libraft's to free once delivered, else
 * wire_free. False, with nothing to free, when malformed. */
bool wire_decode(struct slice bytes, struct wire_message *ret_message);
void wire_free(struct wire_message *message);

#endif
