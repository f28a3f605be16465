/* The record is msgpack as the others are; the directory's mark is decimal text, as it
 * was from the beginning (store/env.c). */
#include "store/format.h"

#include "store/records.h"
#include "store/unpack.h"

#include <stdio.h>

enum result format_get(struct txn *txn, uint64_t *ret_format)
{
    struct record record;
    enum result result = record_get(txn, FORMAT_KEY, &record);

    if (result == GW_NOT_FOUND) {
        *ret_format = FORMAT_OLDEST;
        return GW_OK;
    }
    if (result != GW_OK)
        return result;
    struct unpack in = unpack_init(record.value);
    unpack_array(&in, 2);
    unpack_u64(&in);
    uint64_t format = unpack_u64(&in);
    if (!unpack_done(&in) || format < FORMAT_OLDEST)
        return GW_DAMAGED;
    *ret_format = format;
    return GW_OK;
}

static enum result mark(struct txn *txn, uint64_t format)
{
    char text[24];
    int size = snprintf(text, sizeof text, "%llu", (unsigned long long)format);

    return txn_put(txn, ENV_META, SLICE("format"), slice_of(text, (size_t)size));
}

enum result format_put(struct txn *txn, uint64_t index, uint64_t format)
{
    struct buffer out;
    enum result result = GW_NO_MEMORY;

    buffer_init(&out, 0);
    pack_array(&out, 2);
    pack_u64(&out, 1);
    pack_u64(&out, format);
    if (!out.failed)
        result = record_put(txn, FORMAT_KEY, buffer_slice(&out), index);
    buffer_deinit(&out);
    return result == GW_OK ? mark(txn, format) : result;
}

enum result format_mark(struct txn *txn)
{
    uint64_t format;
    enum result result = format_get(txn, &format);

    return result == GW_OK ? mark(txn, format) : result;
}

const char *format_brings(uint64_t format)
{
    static const char *const texts[] = {
        [1] = "the beginning",
        [2] = "messages in the history, rollback to the letter, certificates listed and "
              "rotated, exports of the key remembered"};

    return format >= FORMAT_OLDEST && format <= FORMAT_NEWEST ? texts[format] : NULL;
}
