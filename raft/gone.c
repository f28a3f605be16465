/* A few dozen records at most, so whoever asks walks them all. */
#include "raft/gone.h"

#include "base/buffer.h"
#include "store/unpack.h"

#include <stdio.h>

#define GONE_KEY_SIZE 32

struct search {
    struct slice wanted;
    bool is_found;
    unsigned count;
    uint64_t oldest;
};

static struct slice key_of(uint64_t id, char *out)
{
    int size = snprintf(out, GONE_KEY_SIZE, "_gone/%llu", (unsigned long long)id);

    return slice_of(out, (size_t)size);
}

static bool look(void *owner, struct slice key, const struct record *record)
{
    struct search *search = owner;
    struct slice id_text = slice_from(key, GONE_PREFIX.size);
    struct unpack in = unpack_init(record->value);
    uint64_t id;

    unpack_array(&in, 2);
    unpack_u64(&in);
    struct slice name = unpack_text(&in, NODE_NAME_LIMIT);
    search->is_found |= search->wanted.size != 0 && (slice_equal(id_text, search->wanted) ||
                                                     slice_equal(name, search->wanted));
    if (slice_parse_u64(id_text, &id) && (search->count == 0 || id < search->oldest))
        search->oldest = id;
    search->count++;
    return true;
}

enum result gone_remember(struct txn *txn, uint64_t index, uint64_t id, struct slice name)
{
    struct search search = {0};
    char key[GONE_KEY_SIZE];
    struct buffer out;

    buffer_init(&out, 256);
    pack_array(&out, 2);
    pack_u64(&out, 1);
    pack_text(&out, name);
    enum result result = out.failed
                             ? GW_NO_MEMORY
                             : record_put(txn, key_of(id, key), buffer_slice(&out), index);
    buffer_deinit(&out);
    if (result == GW_OK)
        result = record_walk(txn, GONE_PREFIX, look, &search);
    if (result == GW_OK && search.count > GONE_LIMIT)
        result = record_delete(txn, key_of(search.oldest, key), index);
    return result;
}

bool gone_was(struct txn *txn, struct slice name_or_id)
{
    struct search search = {.wanted = name_or_id};

    return record_walk(txn, GONE_PREFIX, look, &search) == GW_OK && search.is_found;
}
