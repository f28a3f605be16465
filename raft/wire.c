/* The codec. Entries of one AppendEntries share one block, which is what
 * libraft calls a batch and frees as one. */
#include "raft/wire.h"

#include "raft/conf.h"
#include "store/unpack.h"

#include <stdlib.h>

#define FORMAT      1
#define CONF_LIMIT  65536
#define ENTRY_LIMIT (64u << 20)

static void pack_conf(struct buffer *out, const struct raft_configuration *conf)
{
    struct slice bytes = conf_encode(conf);

    if (bytes.data == NULL)
        out->failed = true;
    pack_bytes(out, bytes);
    free((void *)(uintptr_t)bytes.data);
}

void wire_encode_entry(struct buffer *out, const struct raft_entry *entry)
{
    pack_array(out, 3);
    pack_u64(out, entry->term);
    pack_u64(out, (uint64_t)entry->type);
    pack_bytes(out, slice_of(entry->buf.base, entry->buf.len));
}

#define APPEND_FIELDS 6

static void encode_append(struct buffer *out, const struct raft_append_entries *args,
                          uint64_t round)
{
    pack_u64(out, args->term);
    pack_u64(out, args->prev_log_index);
    pack_u64(out, args->prev_log_term);
    pack_u64(out, args->leader_commit);
    pack_u64(out, round);
    pack_array(out, args->n_entries);
}

bool wire_encode_append(struct buffer *out, const struct raft_append_entries *args,
                        uint64_t round, struct slice entries)
{
    pack_array(out, 2 + APPEND_FIELDS);
    pack_u64(out, FORMAT);
    pack_u64(out, RAFT_APPEND_ENTRIES);
    encode_append(out, args, round);
    buffer_append_slice(out, entries);
    return !out->failed;
}

bool wire_encode(struct buffer *out, const struct wire_message *message)
{
    const struct raft_message *raft = &message->raft;
    static const unsigned fields[] = {
        [RAFT_APPEND_ENTRIES] = APPEND_FIELDS,
        [RAFT_APPEND_ENTRIES_RESULT] = 6,
        [RAFT_REQUEST_VOTE] = 6,
        [RAFT_REQUEST_VOTE_RESULT] = 5,
        [RAFT_INSTALL_SNAPSHOT] = 6,
        [RAFT_TIMEOUT_NOW] = 3,
    };

    if (raft->type < RAFT_APPEND_ENTRIES || raft->type > RAFT_TIMEOUT_NOW)
        return false;
    pack_array(out, 2 + fields[raft->type]);
    pack_u64(out, FORMAT);
    pack_u64(out, (uint64_t)raft->type);
    switch (raft->type) {
    case RAFT_APPEND_ENTRIES:
        encode_append(out, &raft->append_entries, message->round);
        for (unsigned i = 0; i < raft->append_entries.n_entries; i++)
            wire_encode_entry(out, &raft->append_entries.entries[i]);
        break;
    case RAFT_APPEND_ENTRIES_RESULT:
        pack_u64(out, raft->append_entries_result.term);
        pack_u64(out, raft->append_entries_result.rejected);
        pack_u64(out, raft->append_entries_result.last_log_index);
        pack_u64(out, raft->append_entries_result.features);
        pack_u64(out, raft->append_entries_result.capacity);
        pack_u64(out, message->round);
        break;
    case RAFT_REQUEST_VOTE:
        pack_u64(out, raft->request_vote.term);
        pack_u64(out, raft->request_vote.candidate_id);
        pack_u64(out, raft->request_vote.last_log_index);
        pack_u64(out, raft->request_vote.last_log_term);
        pack_bool(out, raft->request_vote.disrupt_leader);
        pack_bool(out, raft->request_vote.pre_vote);
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        pack_u64(out, raft->request_vote_result.term);
        pack_bool(out, raft->request_vote_result.vote_granted);
        pack_bool(out, raft->request_vote_result.pre_vote);
        pack_u64(out, raft->request_vote_result.features);
        pack_u64(out, raft->request_vote_result.capacity);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        pack_u64(out, raft->install_snapshot.term);
        pack_u64(out, raft->install_snapshot.last_index);
        pack_u64(out, raft->install_snapshot.last_term);
        pack_u64(out, raft->install_snapshot.conf_index);
        pack_conf(out, &raft->install_snapshot.conf);
        pack_fixed_u64(out, message->dump);
        break;
    case RAFT_TIMEOUT_NOW:
        pack_u64(out, raft->timeout_now.term);
        pack_u64(out, raft->timeout_now.last_log_index);
        pack_u64(out, raft->timeout_now.last_log_term);
        break;
    }
    return !out->failed;
}

static uint64_t number(struct unpack *in)
{
    return unpack_u64_max(in, WIRE_INDEX_LIMIT);
}

/* A log position: both parts or neither. */
static void check_position(struct unpack *in, uint64_t index, uint64_t term)
{
    if ((index == 0) != (term == 0))
        in->failed = true;
}

static void decode_entries(struct unpack *in, struct raft_append_entries *args)
{
    size_t room = (size_t)(in->end - in->at), used = 0;
    uint64_t previous_term = args->prev_log_term;
    char *batch;

    if (args->n_entries == 0)
        return;
    batch = raft_malloc(room);
    args->entries = raft_calloc(args->n_entries, sizeof *args->entries);
    if (batch == NULL || args->entries == NULL) {
        raft_free(batch);
        raft_free(args->entries);
        args->n_entries = 0;
        args->entries = NULL;
        in->failed = true;
        return;
    }
    for (unsigned i = 0; i < args->n_entries; i++) {
        struct raft_entry *entry = &args->entries[i];

        entry->batch = batch; /* wire_free frees it, however far we get */
        unpack_array(in, 3);
        entry->term = number(in);
        entry->type = (enum raft_entry_type)unpack_u64_max(in, RAFT_CHANGE);
        struct slice bytes = unpack_bytes(in, ENTRY_LIMIT);
        if (in->failed || entry->type < RAFT_COMMAND || entry->term == 0 ||
            entry->term < previous_term || entry->term > args->term ||
            (entry->type == RAFT_CHANGE && !conf_is_sound(bytes))) {
            in->failed = true;
            return;
        }
        previous_term = entry->term;
        memcpy(batch + used, bytes.data, bytes.size);
        entry->buf.base = batch + used;
        entry->buf.len = bytes.size;
        used += bytes.size;
    }
}

static void decode_append(struct unpack *in, struct wire_message *message)
{
    struct raft_append_entries *args = &message->raft.append_entries;

    args->term = number(in);
    args->prev_log_index = number(in);
    args->prev_log_term = number(in);
    args->leader_commit = number(in);
    message->round = number(in);
    args->n_entries = unpack_array_max(in, WIRE_ENTRIES_LIMIT);
    check_position(in, args->prev_log_index, args->prev_log_term);
    if (args->term == 0 || args->prev_log_term > args->term)
        in->failed = true;
    if (in->failed)
        args->n_entries = 0;
    else
        decode_entries(in, args);
}

static void decode_install(struct unpack *in, struct wire_message *message)
{
    struct raft_install_snapshot *args = &message->raft.install_snapshot;

    args->term = number(in);
    args->last_index = number(in);
    args->last_term = number(in);
    args->conf_index = number(in);
    struct slice conf = unpack_bytes(in, CONF_LIMIT);
    message->dump = unpack_fixed_u64(in);
    if (in->failed || message->dump == 0 || args->term == 0 || args->last_index == 0 ||
        args->last_term == 0 || args->last_term > args->term || args->conf_index == 0 ||
        args->conf_index > args->last_index || !conf_decode(conf, &args->conf)) {
        raft_configuration_init(&args->conf);
        in->failed = true;
    }
}

bool wire_decode(struct slice bytes, struct wire_message *ret_message)
{
    struct unpack in = unpack_init(bytes);
    struct wire_message message;
    struct raft_message *raft = &message.raft;
    uint32_t fields = unpack_array_max(&in, 8);

    memset(&message, 0, sizeof message);
    if (unpack_u64(&in) != FORMAT)
        return false;
    raft->type = (enum raft_message_type)unpack_u64_max(&in, RAFT_TIMEOUT_NOW);
    static const unsigned expected[] = {0, 8, 8, 8, 7, 8, 5};
    if (in.failed || raft->type < RAFT_APPEND_ENTRIES || fields != expected[raft->type])
        return false;
    switch (raft->type) {
    case RAFT_APPEND_ENTRIES:
        decode_append(&in, &message);
        break;
    case RAFT_APPEND_ENTRIES_RESULT:
        raft->append_entries_result.version = 2;
        raft->append_entries_result.term = number(&in);
        raft->append_entries_result.rejected = number(&in);
        raft->append_entries_result.last_log_index = number(&in);
        raft->append_entries_result.features =
            (unsigned short)unpack_u64_max(&in, UINT16_MAX);
        raft->append_entries_result.capacity =
            (unsigned short)unpack_u64_max(&in, UINT16_MAX);
        message.round = number(&in);
        break;
    case RAFT_REQUEST_VOTE:
        raft->request_vote.version = 2;
        raft->request_vote.term = number(&in);
        raft->request_vote.candidate_id = unpack_u64(&in);
        raft->request_vote.last_log_index = number(&in);
        raft->request_vote.last_log_term = number(&in);
        raft->request_vote.disrupt_leader = unpack_bool(&in);
        raft->request_vote.pre_vote = unpack_bool(&in);
        check_position(&in, raft->request_vote.last_log_index,
                       raft->request_vote.last_log_term);
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        raft->request_vote_result.version = 2;
        raft->request_vote_result.term = number(&in);
        raft->request_vote_result.vote_granted = unpack_bool(&in);
        raft->request_vote_result.pre_vote = unpack_bool(&in);
        raft->request_vote_result.features =
            (unsigned short)unpack_u64_max(&in, UINT16_MAX);
        raft->request_vote_result.capacity =
            (unsigned short)unpack_u64_max(&in, UINT16_MAX);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        decode_install(&in, &message);
        break;
    case RAFT_TIMEOUT_NOW:
        raft->timeout_now.term = number(&in);
        raft->timeout_now.last_log_index = number(&in);
        raft->timeout_now.last_log_term = number(&in);
        break;
    }
    if (!unpack_done(&in)) {
        wire_free(&message);
        return false;
    }
    *ret_message = message;
    return true;
}

void wire_free(struct wire_message *message)
{
    struct raft_message *raft = &message->raft;

    if (raft->type == RAFT_APPEND_ENTRIES && raft->append_entries.n_entries > 0) {
        raft_free(raft->append_entries.entries[0].batch);
        raft_free(raft->append_entries.entries);
        raft->append_entries.n_entries = 0;
    }
    if (raft->type == RAFT_INSTALL_SNAPSHOT) {
        raft_configuration_close(&raft->install_snapshot.conf);
        raft_configuration_init(&raft->install_snapshot.conf);
        raft_free(raft->install_snapshot.data.base);
        raft->install_snapshot.data.base = NULL;
    }
}
