/* What a log entry says: an envelope and one command of a table.
 *
 * Envelope: format version, command number, log-time stamp, the leader's wall
 * time (for display and validity only), client id and sequence (exactly once),
 * actor (for the audit), then the command's body, all msgpack. Applying uses no
 * clock and no chance. Bodies are checked when decoded: a command that does not
 * decode answers GW_MALFORMED on every node alike. */
#ifndef GW_RAFT_COMMAND_H
#define GW_RAFT_COMMAND_H

#include "store/format.h"
#include "store/history.h"
#include "store/records.h"
#include "store/store.h"

/* Numbers are part of the format: never reused. */
enum command_number {
    COMMAND_TRANSACTION = 1, /* puts and deletes of records, all or nothing */
    COMMAND_CLUSTER_CREATE = 2,
    COMMAND_NODE_JOIN = 3, /* consumes a token; its index is the new node's id; may replace
                              one */
    COMMAND_NODE_UPDATE = 4, /* addresses, region, zone, wanted role */
    COMMAND_NODE_REMOVE = 5,
    COMMAND_TOKEN_PUT = 6,
    COMMAND_TOKEN_DELETE = 7,
    COMMAND_TICK = 8,
    COMMAND_SYSTEM = 16, /* raft/system.h */
    COMMAND_FORMAT = 17  /* raises the stored format: raft/system.h */
};

struct command_header {
    uint32_t number;
    uint64_t stamp_ms; /* log time, by the leader */
    uint64_t wall_ms;
    struct slice client; /* 16 bytes, or empty: no session */
    uint64_t sequence;
    struct slice actor;
};

/* One row of the const table that node/main passes in. */
struct command_call {
    struct txn *txn;
    uint64_t index;
    const struct command_header *header;
    struct slice body;
    struct record_state *state;  /* to be changed by the command: revision, conf_sequence */
    struct store_answer *answer; /* out */
    struct buffer *detail;       /* out: goes into the answer */
    uint64_t format;             /* stored: store/format.h */
};
struct command_type {
    uint32_t number;
    const char *name;
    bool configuration; /* moves the revision when it changed something */
    enum result (*apply)(struct command_call *call); /* GW_OK, or GW_IO/GW_DAMAGED: halts */
    uint64_t since; /* stored format from which on it may be written; 0: always */
};

/* Transaction: expected sequence, optional if_revision, then items. */
struct transaction_item {
    struct slice key;
    bool is_delete;
    struct slice value;             /* packed resource */
    bool has_expected;              /* precondition on this key */
    uint64_t expected_mod_revision; /* 0: must be absent */
};
struct transaction {
    uint64_t
        conf_sequence; /* that it extends; mismatch: GW_AGAIN, the leader validates again */
    bool has_if_revision;
    uint64_t if_revision; /* any touched key changed after it: GW_CONFLICT + changed keys;
                             0: none of them may ever have been there */
    const struct transaction_item *items;
    size_t item_count;
    struct slice message; /* why, for the history; at most HISTORY_MESSAGE bytes, from
                             stored format 2 on */
};
/* Each _encode writes a whole command, envelope and body, ready to be proposed;
 * false when it did not fit the buffer or a field is out of bounds. */
bool transaction_encode(struct buffer *out, const struct command_header *header,
                        const struct transaction *transaction);
/* The body only. `items` is malloc'd, freed by the caller; slices borrow the body. */
bool transaction_decode(struct slice body, struct transaction *ret_transaction,
                        struct transaction_item **ret_items);

/* The envelope alone; the body follows it in `out`. */
void command_begin(struct buffer *out, const struct command_header *header);
bool command_decode(struct slice command, struct command_header *ret_header,
                    struct slice *ret_body);
/* Writes log time and wall time into an encoded command. False if it is none. */
bool command_stamp(char *command, size_t size, uint64_t stamp_ms, uint64_t wall_ms);

/* The other commands' bodies (raft/node_record.h has the records). */
struct cluster_record;
struct ca_record;
struct node_record;
struct token_record;
bool cluster_create_encode(struct buffer *out, const struct command_header *header,
                           const struct cluster_record *cluster, const struct ca_record *ca,
                           const struct node_record *founder,
                           const struct token_record *token /* NULL: none */);
/* `secret_hash`: TOKEN_HASH_SIZE bytes. The node's id is that of the node of the same name
 * that it replaces, 0: none; its own becomes the index. Its role is the token's. */
bool node_join_encode(struct buffer *out, const struct command_header *header,
                      struct slice token_id, struct slice secret_hash,
                      const struct node_record *node);
bool node_update_encode(struct buffer *out, const struct command_header *header,
                        const struct node_record *node);
bool node_remove_encode(struct buffer *out, const struct command_header *header,
                        uint64_t id);
bool token_put_encode(struct buffer *out, const struct command_header *header,
                      const struct token_record *token);
/* Sets `revoked`. */
bool token_delete_encode(struct buffer *out, const struct command_header *header,
                         struct slice id);
bool tick_encode(struct buffer *out, const struct command_header *header);

/* What an answer's detail says: a sentence for people, a number (the id of the
 * node that joined), the keys it is about (changed keys of a conflict). */
#define COMMAND_DETAIL_KEYS 100 /* more are counted, not listed */
struct command_detail {
    struct slice text;
    uint64_t number;
    uint64_t key_count; /* in all */
    struct slice keys[COMMAND_DETAIL_KEYS];
    unsigned key_listed;
};
void command_detail_pack(struct buffer *out, const struct command_detail *detail);
/* Slices borrow the bytes. An empty detail decodes to an empty one. */
bool command_detail_unpack(struct slice bytes, struct command_detail *ret_detail);

#endif
