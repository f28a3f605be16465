/* Fuzzes Raft messages between replicas: what decodes encodes to the same bytes,
 * and holds nothing that libraft would trip over. */
#include "raft/wire.h"

#include "raft/conf.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = exact_copy(data, size);
    struct wire_message message;
    struct buffer again;

    if (wire_decode(slice_of(bytes, size), &message)) {
        const struct raft_append_entries *args = &message.raft.append_entries;

        if (message.raft.type == RAFT_APPEND_ENTRIES)
            for (unsigned i = 0; i < args->n_entries; i++) {
                CHECK(args->entries[i].term > 0 && args->entries[i].term <= args->term);
                CHECK(args->entries[i].type != RAFT_CHANGE ||
                      conf_is_sound(
                          slice_of(args->entries[i].buf.base, args->entries[i].buf.len)));
            }
        buffer_init(&again, 0);
        CHECK(wire_encode(&again, &message));
        CHECK(slice_equal(buffer_slice(&again), slice_of(bytes, size)));
        buffer_deinit(&again);
        wire_free(&message);
    }
    free(bytes);
    return 0;
}
