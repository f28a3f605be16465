/* Fuzzes commands and the records they carry. */
#include "raft/command.h"

#include "raft/node_record.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = exact_copy(data, size);
    struct slice all = slice_of(bytes, size), body;
    struct command_header header;
    struct transaction transaction;
    struct transaction_item *items;
    struct command_detail detail;
    struct cluster_record cluster;
    struct ca_record ca;
    struct node_record node;
    struct token_record token;
    struct history_header history;
    struct history_item change;
    struct unpack in;

    if (command_decode(all, &header, &body)) {
        char *stamped = exact_copy(bytes, size);
        struct slice same;

        CHECK(command_stamp(stamped, size, 77, 88));
        CHECK(command_decode(slice_of(stamped, size), &header, &same));
        CHECK(header.stamp_ms == 77 && header.wall_ms == 88 && slice_equal(body, same));
        if (transaction_decode(same, &transaction, &items)) {
            struct buffer again;

            buffer_init(&again, 0);
            header.number = COMMAND_TRANSACTION;
            CHECK(transaction_encode(&again, &header, &transaction));
            CHECK(slice_ends_with(buffer_slice(&again), same));
            buffer_deinit(&again);
            free(items);
        }
        free(stamped);
    }
    command_detail_unpack(all, &detail);
    cluster_record_unpack(all, &cluster);
    ca_record_unpack(all, &ca);
    node_record_unpack(all, &node);
    token_record_unpack(all, &token);
    if (history_entry_open(all, &in, &history))
        for (uint32_t i = 0; i < history.item_count && history_entry_next(&in, &change);
             i++)
            CHECK(change.action >= HISTORY_CREATED && change.action <= HISTORY_DELETED);
    free(bytes);
    return 0;
}
