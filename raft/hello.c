/* The hello is a map with short keys, so that a reader of another version can
 * skip what it does not know. Its cost is paid once per connection. */
#include "raft/hello.h"

#include "model/wire.h"

#include <stdio.h>

const struct frame_limits peer_limits_consensus = {
    .max = {
        [PEER_HELLO] = 4096,
        [PEER_RAFT] = 2 * PEER_CONSENSUS_BYTES,
        [PEER_STATUS] = 32u << 10,
        [PEER_PING] = 1,
    }};
/* The largest Raft message has one entry, of 8 MiB and what goes with it. */
const struct frame_limits peer_limits_bulk = {.max = {
                                                  [PEER_HELLO] = 4096,
                                                  [PEER_RAFT] = 16u << 20,
                                                  [PEER_FORWARD] = (20u << 20) + 64,
                                                  [PEER_REPLY] = (20u << 20) + 64,
                                                  [PEER_STATUS] = 32u << 10,
                                                  [PEER_PING] = 1,
                                              }};
const struct frame_limits peer_limits_join = {.max = {[PEER_JOIN] = 64u << 10}};

bool hello_encode(const struct hello *hello, struct buffer *out)
{
    pack_map(out, 10);
    pack_text(out, SLICE("protocol"));
    pack_u64(out, hello->protocol);
    pack_text(out, SLICE("format"));
    pack_u64(out, hello->format);
    pack_text(out, SLICE("stored"));
    pack_u64(out, hello->stored);
    pack_text(out, SLICE("cluster"));
    pack_text(out, slice_from_string(hello->cluster_id));
    pack_text(out, SLICE("epoch"));
    pack_u64(out, hello->epoch);
    pack_text(out, SLICE("lineage"));
    pack_text(out, slice_from_string(hello->lineage));
    pack_text(out, SLICE("id"));
    pack_u64(out, hello->id);
    pack_text(out, SLICE("class"));
    pack_u64(out, hello->class);
    pack_text(out, SLICE("name"));
    pack_text(out, slice_from_string(hello->name));
    pack_text(out, SLICE("address"));
    pack_text(out, slice_from_string(hello->address));
    return !out->failed;
}

static bool read_text(struct wire *wire, char *out, size_t size)
{
    struct slice text;

    if (!wire_read_string(wire, &text) || text.size >= size ||
        slice_find_byte(text, '\0') != SIZE_MAX)
        return false;
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

static bool read_field(struct wire *wire, struct slice key, struct hello *hello)
{
    uint64_t class;

    if (slice_equal(key, SLICE("protocol")))
        return wire_read_u64(wire, &hello->protocol);
    if (slice_equal(key, SLICE("format")))
        return wire_read_u64(wire, &hello->format);
    if (slice_equal(key, SLICE("stored")))
        return wire_read_u64(wire, &hello->stored);
    if (slice_equal(key, SLICE("cluster")))
        return read_text(wire, hello->cluster_id, sizeof hello->cluster_id);
    if (slice_equal(key, SLICE("epoch")))
        return wire_read_u64(wire, &hello->epoch);
    if (slice_equal(key, SLICE("lineage")))
        return read_text(wire, hello->lineage, sizeof hello->lineage);
    if (slice_equal(key, SLICE("id")))
        return wire_read_u64(wire, &hello->id);
    if (slice_equal(key, SLICE("class"))) {
        if (!wire_read_u64(wire, &class) || class > PEER_BULK)
            return false;
        hello->class = (enum peer_class) class;
        return true;
    }
    if (slice_equal(key, SLICE("name")))
        return read_text(wire, hello->name, sizeof hello->name);
    if (slice_equal(key, SLICE("address")))
        return read_text(wire, hello->address, sizeof hello->address);
    return wire_skip(wire, NULL);
}

enum result hello_decode(struct slice body, struct hello *ret_hello, struct error *err)
{
    struct hello hello = {0};
    struct wire wire;
    size_t count;

    wire_init(&wire, body);
    if (!wire_read_map(&wire, &count))
        return error_set(err, GW_MALFORMED, "hello: not a map");
    for (size_t i = 0; i < count; i++) {
        struct slice key;
        if (!wire_read_string(&wire, &key) || !read_field(&wire, key, &hello))
            return error_set(err, GW_MALFORMED, "hello: field %zu is malformed", i + 1);
    }
    if (wire.rest.size != 0 || hello.protocol == 0 || hello.id == 0)
        return error_set(err, GW_MALFORMED, "hello: incomplete");
    *ret_hello = hello;
    return GW_OK;
}

/* One of the two was left behind by a `cluster recover`, or both were recovered apart. */
static enum result refuse_epoch(const struct hello *ours, const struct hello *theirs,
                                struct error *err)
{
    const unsigned long long id = theirs->id, epoch = theirs->epoch, here = ours->epoch;

    if (theirs->epoch < ours->epoch)
        return error_set(
            err, GW_FOREIGN,
            "peer '%s' (node %llu) lives in epoch %llu of the cluster, this node in %llu: "
            "the cluster was recovered without it; next: stop it, and there gwctl cluster "
            "join --replace TOKEN --data-dir D",
            theirs->name, id, epoch, here);
    if (theirs->epoch > ours->epoch)
        return error_set(
            err, GW_FOREIGN,
            "peer '%s' (node %llu) lives in epoch %llu of the cluster, this node in %llu: "
            "the cluster was recovered without this node; next: stop this one, and gwctl "
            "cluster join --replace TOKEN --data-dir D",
            theirs->name, id, epoch, here);
    return error_set(
        err, GW_FOREIGN,
        "peer '%s' (node %llu) and this node were recovered apart from each other, both "
        "as epoch %llu: these are two clusters of one id; next: keep one of them, and on "
        "the nodes of the other gwctl cluster join --replace TOKEN --data-dir D",
        theirs->name, id, epoch);
}

enum result hello_check(const struct hello *ours, const struct hello *theirs,
                        const struct identity *proved, struct error *err)
{
    if (strcmp(theirs->cluster_id, ours->cluster_id) != 0)
        return error_set(err, GW_FOREIGN, "peer belongs to cluster %s, this node to %s",
                         theirs->cluster_id, ours->cluster_id);
    if (proved->kind != IDENTITY_NODE || proved->node_id != theirs->id)
        return error_set(err, GW_FORBIDDEN,
                         "peer says it is node %llu, its certificate says %s",
                         (unsigned long long)theirs->id, identity_describe(proved));
    if (theirs->id == ours->id)
        return error_set(
            err, GW_FORBIDDEN,
            "peer says it is node %llu, which is this node; is a copy of this data "
            "directory running elsewhere?",
            (unsigned long long)theirs->id);
    if (theirs->epoch != ours->epoch || strcmp(theirs->lineage, ours->lineage) != 0)
        return refuse_epoch(ours, theirs, err);
    if (theirs->protocol < PEER_PROTOCOL_OLDEST)
        return error_set(err, GW_NEWER,
                         "peer '%s' (node %llu) speaks protocol %llu, this node needs %d "
                         "or newer; next: run a newer gwd there",
                         theirs->name, (unsigned long long)theirs->id,
                         (unsigned long long)theirs->protocol, PEER_PROTOCOL_OLDEST);
    if (theirs->format < ours->stored)
        return error_set(err, GW_NEWER,
                         "peer '%s' (node %llu) reads formats up to %llu, the cluster "
                         "stores format %llu; "
                         "next: run a newer gwd there",
                         theirs->name, (unsigned long long)theirs->id,
                         (unsigned long long)theirs->format,
                         (unsigned long long)ours->stored);
    if (theirs->stored > ours->format)
        return error_set(err, GW_NEWER,
                         "peer '%s' (node %llu) stores format %llu, this program reads up "
                         "to %llu; next: "
                         "run a newer gwd here",
                         theirs->name, (unsigned long long)theirs->id,
                         (unsigned long long)theirs->stored,
                         (unsigned long long)ours->format);
    return GW_OK;
}
