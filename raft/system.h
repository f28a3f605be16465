/* The cluster's own records, changed as one: keys, authority, format. Not for nodes
 * and tokens, whose commands know their rules. Does not move the revision.
 *
 * Each item names the modRevision it was thought out against, 0: absent. The
 * leader decides what to write; the state machine only sees to it that nothing
 * came between. */
#ifndef GW_RAFT_SYSTEM_H
#define GW_RAFT_SYSTEM_H

#include "raft/command.h"

#define SYSTEM_ITEMS_MAX 64

struct system_item {
    struct slice key; /* "_keys" */
    uint64_t expected_mod_revision;
    bool is_delete;
    struct slice value;
};

/* Pure, any thread. False: too many items, or a key that is not for it. */
bool system_encode(struct buffer *out, const struct command_header *header,
                   const struct system_item *items, size_t count);
/* COMMAND_SYSTEM of the state machine's table. */
enum result system_apply(struct command_call *call);

/* Raises the stored format to `format`; lower or equal changes nothing. */
bool format_encode(struct buffer *out, const struct command_header *header,
                   uint64_t format);
/* COMMAND_FORMAT, the only one that may be written before its own format is stored. */
enum result format_apply(struct command_call *call);

/* "_keys": what is known of the cluster key, never the key itself. Names of keys are
 * seal_key_name(). */
#define KEYS_KEY SLICE("_keys")
struct keys_record {
    struct slice current;  /* the one in force; empty: that of the beginning */
    uint64_t rotated_ms;   /* wall */
    struct slice exported; /* the newest that was exported; empty: none yet */
    uint64_t exported_ms;
};
/* "_keys/next": a key that is to be in force, sealed by the one that is, while every member
 * takes it; "_keys/old": the name alone of the one before, while every member changes. */
#define KEYS_NEXT_KEY SLICE("_keys/next")
#define KEYS_OLD_KEY  SLICE("_keys/old")
#define KEYS_NEXT_AAD SLICE("_keys/next/1")
struct turning_record {
    struct slice name;
    struct slice sealed; /* empty in "_keys/old" */
};
void turning_record_pack(struct buffer *out, const struct turning_record *record);
bool turning_record_unpack(struct slice bytes, struct turning_record *ret_record);

void keys_record_pack(struct buffer *out, const struct keys_record *record);
bool keys_record_unpack(struct slice bytes, struct keys_record *ret_record);

#endif
