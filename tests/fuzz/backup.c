/* Fuzzes backups: checking reads no further than it may. Checksums keep most of a
 * hunt outside; the kept corpus is where the paths behind them are. */
#include "store/backup.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = exact_copy(data, size);
    struct backup backup;
    struct error err = ERROR_NONE;

    if (backup_check(slice_of(bytes, size), &backup, &err) == GW_OK)
        CHECK(backup.header.label.index >= backup.header.state.applied);
    free(bytes);
    return 0;
}
