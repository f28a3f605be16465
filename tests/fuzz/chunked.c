/* Fuzzes the chunk decoder: pieces give the body of the whole, the end is at
 * the same byte, and a body framed anew decodes to itself. */
#include "http/chunked.h"

#include "base/hash.h"
#include "base/rng.h"
#include "tests/fuzz/fuzz.h"

struct decoded {
    char *body; /* owned */
    size_t size;
    size_t used; /* bytes of input */
    enum chunked_result result;
};

static struct decoded decode(struct slice input, size_t most, uint64_t seed)
{
    struct decoded decoded = {.body = malloc(input.size + 1), .result = CHUNKED_MORE};
    struct chunked chunked;
    struct rng rng;

    CHECK(decoded.body != NULL);
    rng_init(&rng, seed);
    chunked_init(&chunked);
    while (decoded.result == CHUNKED_MORE && decoded.used < input.size) {
        struct slice piece = slice_sub(input, decoded.used, rng_between(&rng, 1, most)),
                     data;
        char *memory = exact_copy(piece.data, piece.size);
        struct slice left = slice_of(memory, piece.size);
        while ((decoded.result = chunked_next(&chunked, &left, &data)) == CHUNKED_DATA) {
            CHECK(data.size > 0 && data.data >= memory &&
                  data.data + data.size <= memory + piece.size);
            memcpy(decoded.body + decoded.size, data.data, data.size);
            decoded.size += data.size;
        }
        decoded.used += piece.size - left.size;
        CHECK(decoded.result != CHUNKED_MORE || left.size == 0);
        free(memory);
    }
    CHECK(chunked_is_done(&chunked) == (decoded.result == CHUNKED_DONE));
    return decoded;
}

static void frame_anew(const struct decoded *body, uint64_t seed)
{
    char *framed = malloc(body->size * (CHUNKED_HEAD_MAX + 3) + 8);
    size_t size = 0;
    struct rng rng;

    CHECK(framed != NULL);
    rng_init(&rng, seed);
    for (size_t at = 0; at < body->size;) {
        struct slice chunk =
            slice_sub(slice_of(body->body, body->size), at, rng_between(&rng, 1, 40));
        size += chunked_head(chunk.size, framed + size);
        memcpy(framed + size, chunk.data, chunk.size);
        size += chunk.size;
        memcpy(framed + size, CHUNKED_TAIL.data, 2);
        size += 2;
        at += chunk.size;
    }
    memcpy(framed + size, CHUNKED_LAST.data, CHUNKED_LAST.size);
    size += CHUNKED_LAST.size;
    struct decoded again = decode(slice_of(framed, size), SIZE_MAX, seed);
    CHECK(again.result == CHUNKED_DONE && again.used == size);
    CHECK(slice_equal(slice_of(again.body, again.size), slice_of(body->body, body->size)));
    free(again.body);
    free(framed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    uint64_t seed = hash_stable(input);
    struct decoded whole = decode(input, SIZE_MAX, seed);
    struct decoded pieces = decode(input, 1 + seed % 9, seed);

    CHECK(whole.result == pieces.result && whole.used == pieces.used);
    CHECK(
        slice_equal(slice_of(whole.body, whole.size), slice_of(pieces.body, pieces.size)));
    if (whole.result == CHUNKED_DONE)
        frame_anew(&whole, seed);
    free(whole.body);
    free(pieces.body);
    return 0;
}
