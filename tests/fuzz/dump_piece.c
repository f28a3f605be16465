/* Fuzzes dumps on their way between replicas: what decodes encodes to the same bytes, and
 * a first piece goes through what reads its header. Checksums keep most of a hunt
 * outside, so the bytes are also taken as a piece by themselves. */
#include "raft/wire_dump.h"
#include "store/dump.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = exact_copy(data, size);
    struct dump_reader *reader = dump_reader_new(NULL);
    struct dump_header header;
    struct wire_dump message;
    struct buffer again;

    CHECK(reader != NULL);
    if (wire_dump_decode(slice_of(bytes, size), &message)) {
        CHECK(wire_is_dump(slice_of(bytes, size)));
        CHECK(message.id != 0 && message.number <= message.count);
        buffer_init(&again, 0);
        CHECK(wire_dump_encode(&again, &message));
        CHECK(slice_equal(buffer_slice(&again), slice_of(bytes, size)));
        buffer_deinit(&again);
        if (message.type == WIRE_DUMP_PIECE)
            dump_reader_take(reader, message.bytes);
    } else if (dump_header_parse(slice_of(bytes, size), &header) == GW_OK) {
        CHECK(header.label.index >= header.state.applied);
        CHECK(dump_reader_take(reader, slice_of(bytes, size)) == GW_OK);
    }
    dump_reader_free(reader);
    free(bytes);
    return 0;
}
