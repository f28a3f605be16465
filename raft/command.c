/* The envelope and its parts.
 *
 * An envelope is an array of seven, then the body: format, number, log time and
 * wall time (always nine bytes each, so that the leader can write them where
 * they stand), client, sequence, actor. */
#include "raft/command.h"

#include "raft/node_record.h"

#include <stdlib.h>

#define FORMAT       1
#define STAMP_OFFSET 3 /* array head, format, number: a byte each */
#define WALL_OFFSET  12
#define BODY_OFFSET  21
#define ACTOR_LIMIT  255
#define ITEM_LIMIT   200000
#define KEY_LIMIT    ENV_KEY_LIMIT
#define VALUE_LIMIT  (16u << 20)

void command_begin(struct buffer *out, const struct command_header *header)
{
    if (header->number > 127 || (header->client.size != 0 && header->client.size != 16) ||
        header->actor.size > ACTOR_LIMIT) {
        out->failed = true;
        return;
    }
    pack_array(out, 7);
    pack_u64(out, FORMAT);
    pack_u64(out, header->number);
    pack_fixed_u64(out, header->stamp_ms);
    pack_fixed_u64(out, header->wall_ms);
    pack_bytes(out, header->client);
    pack_u64(out, header->sequence);
    pack_text(out, header->actor);
}

bool command_decode(struct slice command, struct command_header *ret_header,
                    struct slice *ret_body)
{
    struct unpack in = unpack_init(command);
    struct command_header header = {0};

    unpack_array(&in, 7);
    if (unpack_u64(&in) != FORMAT)
        return false;
    header.number = (uint32_t)unpack_u64_max(&in, 127);
    header.stamp_ms = unpack_fixed_u64(&in);
    header.wall_ms = unpack_fixed_u64(&in);
    header.client = unpack_bytes(&in, 16);
    header.sequence = unpack_u64(&in);
    header.actor = unpack_text(&in, ACTOR_LIMIT);
    if (in.failed || (header.client.size != 0 && header.client.size != 16))
        return false;
    *ret_header = header;
    *ret_body = unpack_rest(&in);
    return true;
}

static void write_big(char *at, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        at[i] = (char)(value >> (8 * (7 - i)));
}

bool command_stamp(char *command, size_t size, uint64_t stamp_ms, uint64_t wall_ms)
{
    struct command_header header;
    struct slice body;

    if (size < BODY_OFFSET || !command_decode(slice_of(command, size), &header, &body))
        return false;
    write_big(command + STAMP_OFFSET + 1, stamp_ms);
    write_big(command + WALL_OFFSET + 1, wall_ms);
    return true;
}

static void begin(struct buffer *out, const struct command_header *header,
                  enum command_number number)
{
    struct command_header numbered = *header;

    numbered.number = (uint32_t)number;
    command_begin(out, &numbered);
}

/* --- transaction: {sequence, if_revision|nil, items of {key, value|nil, expected|nil},
 * message, left out where it is empty} --- */

bool transaction_encode(struct buffer *out, const struct command_header *header,
                        const struct transaction *transaction)
{
    if (transaction->item_count > ITEM_LIMIT || transaction->message.size > HISTORY_MESSAGE)
        return false;
    begin(out, header, COMMAND_TRANSACTION);
    pack_array(out, transaction->message.size == 0 ? 3 : 4);
    pack_u64(out, transaction->conf_sequence);
    if (transaction->has_if_revision)
        pack_u64(out, transaction->if_revision);
    else
        pack_nil(out);
    pack_array(out, (uint32_t)transaction->item_count);
    for (size_t i = 0; i < transaction->item_count; i++) {
        const struct transaction_item *item = &transaction->items[i];

        if (item->key.size == 0 || item->key.size > KEY_LIMIT ||
            item->value.size > VALUE_LIMIT)
            out->failed = true;
        pack_array(out, 3);
        pack_text(out, item->key);
        if (item->is_delete)
            pack_nil(out);
        else
            pack_bytes(out, item->value);
        if (item->has_expected)
            pack_u64(out, item->expected_mod_revision);
        else
            pack_nil(out);
    }
    if (transaction->message.size != 0)
        pack_text(out, transaction->message);
    return !out->failed;
}

bool transaction_decode(struct slice body, struct transaction *ret_transaction,
                        struct transaction_item **ret_items)
{
    struct unpack in = unpack_init(body);
    struct transaction transaction = {0};
    struct transaction_item *items;

    uint32_t parts = unpack_array_max(&in, 4);
    transaction.conf_sequence = unpack_u64(&in);
    transaction.has_if_revision = !unpack_nil(&in);
    if (transaction.has_if_revision)
        transaction.if_revision = unpack_u64(&in);
    transaction.item_count = unpack_array_max(&in, ITEM_LIMIT);
    if (in.failed || parts < 3)
        return false;
    items = calloc(transaction.item_count + 1, sizeof *items);
    if (items == NULL)
        return false;
    for (size_t i = 0; i < transaction.item_count && !in.failed; i++) {
        struct transaction_item *item = &items[i];

        unpack_array(&in, 3);
        item->key = unpack_text(&in, KEY_LIMIT);
        item->is_delete = unpack_nil(&in);
        if (!item->is_delete)
            item->value = unpack_bytes(&in, VALUE_LIMIT);
        item->has_expected = !unpack_nil(&in);
        if (item->has_expected)
            item->expected_mod_revision = unpack_u64(&in);
        if (item->key.size == 0)
            in.failed = true;
    }
    if (parts == 4)
        transaction.message = unpack_text(&in, HISTORY_MESSAGE);
    if (!unpack_done(&in)) {
        free(items);
        return false;
    }
    transaction.items = items;
    *ret_transaction = transaction;
    *ret_items = items;
    return true;
}

/* --- the cluster's own; bodies hold packed records as bytes --- */

typedef void (*pack_fn)(struct buffer *out, const void *record);

static void pack_record(struct buffer *out, pack_fn fn, const void *record)
{
    struct buffer inner;

    buffer_init(&inner, 0);
    fn(&inner, record);
    if (inner.failed)
        out->failed = true;
    pack_bytes(out, buffer_slice(&inner));
    buffer_deinit(&inner);
}

static void pack_cluster(struct buffer *out, const void *record)
{
    cluster_record_pack(out, record);
}

static void pack_ca(struct buffer *out, const void *record)
{
    ca_record_pack(out, record);
}

static void pack_node(struct buffer *out, const void *record)
{
    node_record_pack(out, record);
}

static void pack_token(struct buffer *out, const void *record)
{
    token_record_pack(out, record);
}

bool cluster_create_encode(struct buffer *out, const struct command_header *header,
                           const struct cluster_record *cluster, const struct ca_record *ca,
                           const struct node_record *founder,
                           const struct token_record *token)
{
    begin(out, header, COMMAND_CLUSTER_CREATE);
    pack_array(out, 4);
    pack_record(out, pack_cluster, cluster);
    pack_record(out, pack_ca, ca);
    pack_record(out, pack_node, founder);
    if (token != NULL)
        pack_record(out, pack_token, token);
    else
        pack_nil(out);
    return !out->failed;
}

bool node_join_encode(struct buffer *out, const struct command_header *header,
                      struct slice token_id, struct slice secret_hash,
                      const struct node_record *node)
{
    begin(out, header, COMMAND_NODE_JOIN);
    pack_array(out, 3);
    pack_text(out, token_id);
    pack_bytes(out, secret_hash);
    pack_record(out, pack_node, node);
    return !out->failed && secret_hash.size == TOKEN_HASH_SIZE;
}

bool node_update_encode(struct buffer *out, const struct command_header *header,
                        const struct node_record *node)
{
    begin(out, header, COMMAND_NODE_UPDATE);
    pack_array(out, 1);
    pack_record(out, pack_node, node);
    return !out->failed;
}

bool node_remove_encode(struct buffer *out, const struct command_header *header,
                        uint64_t id)
{
    begin(out, header, COMMAND_NODE_REMOVE);
    pack_array(out, 1);
    pack_u64(out, id);
    return !out->failed;
}

bool token_put_encode(struct buffer *out, const struct command_header *header,
                      const struct token_record *token)
{
    begin(out, header, COMMAND_TOKEN_PUT);
    pack_array(out, 1);
    pack_record(out, pack_token, token);
    return !out->failed;
}

bool token_delete_encode(struct buffer *out, const struct command_header *header,
                         struct slice id)
{
    begin(out, header, COMMAND_TOKEN_DELETE);
    pack_array(out, 1);
    pack_text(out, id);
    return !out->failed;
}

bool tick_encode(struct buffer *out, const struct command_header *header)
{
    begin(out, header, COMMAND_TICK);
    return !out->failed;
}

/* --- details --- */

void command_detail_pack(struct buffer *out, const struct command_detail *detail)
{
    pack_array(out, 4);
    pack_text(out, detail->text);
    pack_u64(out, detail->number);
    pack_u64(out, detail->key_count);
    pack_array(out, detail->key_listed);
    for (unsigned i = 0; i < detail->key_listed; i++)
        pack_text(out, detail->keys[i]);
}

bool command_detail_unpack(struct slice bytes, struct command_detail *ret_detail)
{
    struct unpack in = unpack_init(bytes);
    struct command_detail detail = {.text = {"", 0}};

    if (bytes.size > 0) {
        unpack_array(&in, 4);
        detail.text = unpack_text(&in, 65536);
        detail.number = unpack_u64(&in);
        detail.key_count = unpack_u64(&in);
        detail.key_listed = unpack_array_max(&in, COMMAND_DETAIL_KEYS);
        for (unsigned i = 0; i < detail.key_listed; i++)
            detail.keys[i] = unpack_text(&in, KEY_LIMIT);
        if (!unpack_done(&in))
            return false;
    }
    *ret_detail = detail;
    return true;
}
