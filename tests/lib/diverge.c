/* Makes one node's state another than it should be, as no checksum can see: writes one
 * record through the store, so that digest and checksums are those of a state that never
 * was.
 *
 *   diverge DATA_DIR KEY OLD NEW
 *
 * Replaces OLD by NEW, of the same length, in the record of KEY ("route/a"). The node must
 * not run. Exits 0 when it did, 1 with a sentence. */
#include "base/buffer.h"
#include "store/records.h"

#include <stdio.h>
#include <string.h>

static int fail(const char *what)
{
    fprintf(stderr, "diverge: %s\n", what);
    return 1;
}

int main(int argc, char **argv)
{
    struct error err = ERROR_NONE;
    struct record record;
    struct buffer value;
    struct env *env;
    struct txn *txn;

    if (argc != 5 || strlen(argv[3]) != strlen(argv[4]))
        return fail("DATA_DIR KEY OLD NEW are needed, OLD as long as NEW");
    const struct env_options options = {.dir = argv[1]};
    struct slice key = slice_from_string(argv[2]);
    if (env_open(&options, &env, &err) != GW_OK)
        return fail(err.text);
    if (env_begin_write(env, &txn) != GW_OK || record_get(txn, key, &record) != GW_OK)
        return fail("there is no such record");
    size_t at = slice_find(record.value, slice_from_string(argv[3]));
    if (at == SIZE_MAX)
        return fail("OLD is not in the record");
    buffer_init(&value, 0);
    buffer_append_slice(&value, record.value);
    memcpy(value.data + at, argv[4], strlen(argv[4]));
    if (record_put(txn, key, buffer_slice(&value), record.mod_revision) != GW_OK ||
        txn_commit(txn) != GW_OK || env_sync(env) != GW_OK)
        return fail("the record cannot be written");
    buffer_deinit(&value);
    env_close(env);
    return 0;
}
