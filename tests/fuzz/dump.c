/* Fuzzes dumps: checking reads no further than it may. Checksums keep most of a
 * hunt outside; the kept corpus is where the paths behind them are. */
#include "store/dump.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = exact_copy(data, size);
    struct dump_header header;

    if (dump_check(slice_of(bytes, size), &header) == GW_OK)
        CHECK(header.label.index >= header.state.applied);
    free(bytes);
    return 0;
}
